#include "ops/conv_grid.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/conv_plan.h"
#include "ops/conv_workspace.h"

namespace tapegrad::grid {

namespace {

// From this many products for each result, and results for each channel, on, vectors along the channels pay.
constexpr int64_t kManyTerms = 128, kManyResults = 256;
// What one pass of a tile reads of the source stays in the first cache.
constexpr int64_t kPassBytes = 24 << 10;

double density(const Plan& plan) {
  double useful = 1, computed = plan.merged ? double(plan.axes[0].size) : double(plan.axes[0].result_size);
  for (const Axis& axis : plan.axes) useful *= double(axis.result_size);
  for (int d = 0; d < 3; ++d) computed *= double(plan.axes[d].phases.size());
  return useful / (computed * double(plan.axes[1].size) * double(plan.axes[2].size));
}

/// Where the results of a part in one block are: how many, and from one line and slice to the next.
struct Range {
  int64_t count[3], out = 0, line, slice;

  Range(const Plan& plan, const Part& part, int64_t block) {
    for (int d = 0; d < 3; ++d) {
      const Axis& axis = plan.axes[d];
      const bool blocked = d == plan.blocked;
      count[d] = part.phases[d]->count(blocked ? axis.length(block) : axis.block);
      out = out * axis.result_size + part.phases[d]->start + (blocked ? block * axis.block : 0);
    }
    const int64_t width = plan.axes[2].result_size;
    line = part.phases[1]->step * width;
    slice = part.phases[0]->step * plan.axes[1].result_size * width;
  }
  int64_t volume() const { return count[0] * count[1] * count[2]; }
};

/// One direction of a convolution: from `source` to `result`.
template <class T>
struct Direction {
  const ConvSizes& sizes;
  Plan plan;
  int64_t channels, rows;  // of source and result, in one group
  int64_t weight_row_step, weight_channel_step;
  const T *source, *weight, *bias;
  T* result;
  // Vectors run along the channels of the result rather than along positions, if that leaves fewer gaps and
  // there is enough to do for each result and each weight.
  int64_t columns = whole_vectors<T>(rows);
  bool along_channels = density(plan) * double(columns) < double(rows) &&
                        columns >= 2 * whole_vectors<T>(1) &&
                        channels * sizes.volume(sizes.window.kernel) >= kManyTerms &&
                        sizes.batch * result_volume() >= kManyResults;

  int64_t source_volume() const {
    return plan.axes[0].source_size * plan.axes[1].source_size * plan.axes[2].source_size;
  }
  int64_t result_volume() const {
    return plan.axes[0].result_size * plan.axes[1].result_size * plan.axes[2].result_size;
  }
  int64_t image_step() const { return sizes.groups * rows * result_volume(); }

  void run() const;
  void run_block(const std::vector<Part>& parts, const T* packed, int64_t packed_group, int64_t first_image,
                 int64_t block) const;
  void run_positions(const Part& part, const Range& range, const T* grid, T* partial, const T* packed,
                     const T* bias, T* out, int64_t images) const;
  void run_channels(const Part& part, const Range& range, const BlockOrigin& origin, const T* grid, T* buffer,
                    const T* packed, const T* bias, T* out, int64_t images) const;
  int64_t taps_per_pass(const Part& part) const;
};

template <class T>
void Direction<T>::run() const {
  const int64_t packed_rows = along_channels ? columns : rows;
  const std::vector<Part> parts =
      all_parts(plan, sizes, channels, weight_channel_step, packed_rows,
                along_channels ? TapOrder::lines_first : TapOrder::channels_first);
  const auto& table = table_for(T());
  const int64_t taps = channels * sizes.volume(sizes.window.kernel), packed_group = packed_rows * taps;
  Tensor packed = empty(Dims{sizes.groups * packed_group}, dtype_of<T>());
  T* const packed_data = packed.data<T>();
  for (int64_t group = 0; group < sizes.groups; ++group)
    for (const Part& part : parts)
      (along_channels ? table.pack_channels : table.pack_weights)(
          weight + group * rows * taps, weight_row_step, part.weight_offsets.data(), rows,
          static_cast<int64_t>(part.offsets.size()), packed_data + group * packed_group + part.packed);
  const int64_t blocks = plan.axes[plan.blocked].blocks();
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  parallel_for(0, image_blocks * blocks, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo) run_block(parts, packed_data, packed_group, lo / blocks * plan.images, lo % blocks);
  });
}

template <class T>
void Direction<T>::run_block(const std::vector<Part>& parts, const T* packed, int64_t packed_group,
                             int64_t first_image, int64_t block) const {
  const int64_t images = std::min(plan.images, sizes.batch - first_image);
  const int64_t grid_size = channels * plan.source_phases() * plan.images * plan.volume();
  const int64_t block_volume = plan.axes[0].block * plan.axes[1].block * plan.axes[2].block;
  const int64_t room = along_channels ? columns * (plan.images * block_volume + 1) : rows * kGridSlack;
  T* const grid = workspace<T>(grid_size + kGridSlack + room);
  T* const buffer = grid + grid_size + kGridSlack;
  std::fill_n(grid + grid_size, kGridSlack, T(0));
  const BlockOrigin origin(plan, block);
  const GridJob job = grid_job(plan, origin, channels, plan.images * plan.volume());
  for (int64_t group = 0; group < sizes.groups; ++group) {
    for (int64_t i = 0; i < images; ++i) {
      const T* image = source + ((first_image + i) * sizes.groups + group) * channels * source_volume();
      table_for(T()).fill_grid(job, image, grid + i * plan.volume());
    }
    for (const Part& part : parts) {
      const Range range(plan, part, block);
      if (range.volume() == 0) continue;
      const T *weights = packed + group * packed_group + part.packed,
              *part_bias = bias ? bias + group * rows : nullptr;
      T* const out = result + first_image * image_step() + group * rows * result_volume() + range.out;
      if (along_channels)
        run_channels(part, range, origin, grid, buffer, weights, part_bias, out, images);
      else
        run_positions(part, range, grid, buffer, weights, part_bias, out, images);
    }
  }
}

template <class T>
int64_t Direction<T>::taps_per_pass(const Part& part) const {
  const int64_t taps = static_cast<int64_t>(part.offsets.size());
  if (channels == 0 || taps == 0) return 1;
  const int64_t per_channel = taps / channels;
  const int64_t lines = static_cast<int64_t>(part.phases[0]->taps.size() * part.phases[1]->taps.size());
  const int64_t bytes = lines * int64_t(plan.axes[2].first.size()) * 64 * int64_t(sizeof(T));
  const int64_t passes = (channels * bytes + kPassBytes - 1) / kPassBytes;
  return (channels + passes - 1) / passes * per_channel;
}

template <class T>
void Direction<T>::run_positions(const Part& part, const Range& range, const T* grid, T* partial,
                                 const T* packed, const T* part_bias, T* out, int64_t images) const {
  const auto& count = range.count;
  const int64_t row = plan.axes[2].size, plane = plan.axes[1].size * row;
  const int64_t merged_images = plan.merged ? images : 1, merged_depth = plan.merged ? count[0] : 1;
  std::vector<GridRun> runs;
  for (int64_t i = 0; i < merged_images; ++i)
    for (int64_t d = 0; d < merged_depth; ++d)
      for (int64_t h = 0; h < count[1]; ++h)
        runs.push_back({i * plan.volume() + d * plane + h * row, count[2],
                        i * image_step() + d * range.slice + h * range.line});
  TileJob<T> job{};
  job.offsets = part.offsets.data();
  job.taps = static_cast<int64_t>(part.offsets.size());
  job.weights = packed;
  job.rows = rows;
  job.bias = part_bias;
  job.out_row = result_volume();
  job.out_step = part.phases[2]->step;
  job.positions = runs.back().start + count[2];
  job.runs = runs.data();
  job.run_count = static_cast<int64_t>(runs.size());
  job.taps_per_pass = taps_per_pass(part);
  job.partial = partial;
  for (int64_t i = 0; i < images; i += merged_images)
    for (int64_t d = 0; d < count[0]; d += merged_depth) {
      job.x = grid + i * plan.volume() + d * plane;
      job.out = out + i * image_step() + d * range.slice;
      table_for(T()).tiles(job);
    }
}

/// The result by lines, without the taps that lie above or below the source; then the positions and channels
/// in `buffer` change places.
template <class T>
void Direction<T>::run_channels(const Part& part, const Range& range, const BlockOrigin& origin,
                                const T* grid, T* buffer, const T* packed, const T* part_bias, T* out,
                                int64_t images) const {
  const auto& count = range.count;
  const Axis& axis = plan.axes[1];
  const int64_t row = plan.axes[2].size, plane = axis.size * row;
  T* const start = buffer;
  T* const values = buffer + columns;
  std::fill_n(start, columns, T(0));
  if (part_bias) std::copy_n(part_bias, rows, start);
  const std::vector<Tap>& taps = part.phases[1]->taps;
  const int64_t terms = static_cast<int64_t>(part.offsets.size());
  std::vector<int64_t> starts, places;
  std::vector<ChannelLine> lines;
  for (int64_t h = 0; h < count[1]; ++h) {
    const auto inside = [&](const Tap& tap) {
      const int64_t y = origin.first[1][tap.phase] + (h + tap.shift) * axis.stride;
      return y >= 0 && y < axis.source_size;
    };
    const int64_t first = std::find_if(taps.begin(), taps.end(), inside) - taps.begin();
    const int64_t last = first + std::count_if(taps.begin(), taps.end(), inside);
    const int64_t per_tap = taps.empty() ? 0 : terms / static_cast<int64_t>(taps.size());
    const ChannelLine line{images * count[0] * count[2], first * per_tap, last * per_tap};
    if (h > 0 && lines.back().first == line.first && lines.back().last == line.last)
      lines.back().rows += line.rows;
    else
      lines.push_back(line);
    for (int64_t i = 0; i < images; ++i)
      for (int64_t d = 0; d < count[0]; ++d)
        for (int64_t w = 0; w < count[2]; ++w) {
          starts.push_back(i * plan.volume() + d * plane + h * row + w);
          places.push_back((((i * count[0] + d) * count[1] + h) * count[2] + w) * columns);
        }
  }
  table_for(T()).channels({grid, starts.data(), places.data(), lines.data(),
                           static_cast<int64_t>(lines.size()), part.offsets.data(), terms, packed, columns,
                           start, values});
  // Lines that follow each other without gaps are copied together.
  const bool together = range.line == count[2] && part.phases[2]->step == 1;
  const int64_t run = together ? count[1] * count[2] : count[2], runs = together ? 1 : count[1];
  const T* from = values;
  for (int64_t i = 0; i < images; ++i)
    for (int64_t d = 0; d < count[0]; ++d)
      for (int64_t k = 0; k < runs; ++k, from += run * columns)
        transpose_block(out + i * image_step() + d * range.slice + k * range.line, result_volume(),
                        part.phases[2]->step, from, columns, rows, run);
}

}  // namespace

double conv_density(const ConvSizes& sizes) {
  return density(make_plan(sizes, forward_axis, sizes.in_channels, 4, 1));
}
double conv_input_density(const ConvSizes& sizes) {
  return density(make_plan(sizes, input_axis, sizes.out_channels, 4, 1));
}

namespace {

template <class T>
void convolve(const ConvSizes& sizes, bool forward, const T* source, const T* w, const T* bias, T* result) {
  const int64_t channels = forward ? sizes.in_channels : sizes.out_channels;
  const int64_t kernel = sizes.volume(sizes.window.kernel), taps = sizes.taps();
  const int64_t work = sizes.groups * sizes.out_channels * taps * sizes.out_volume();
  Direction<T>{sizes,
               make_plan(sizes, forward ? forward_axis : input_axis, channels, sizeof(T), work),
               channels,
               forward ? sizes.out_channels : sizes.in_channels,
               forward ? taps : kernel,
               forward ? kernel : taps,
               source,
               w,
               bias,
               result}
      .run();
}

}  // namespace

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  convolve(sizes, true, x, w, bias, y);
}
template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  convolve(sizes, false, y, w, bias, x);
}

#define TG_INSTANTIATE(T)                                                 \
  template void conv(const ConvSizes&, const T*, const T*, const T*, T*); \
  template void conv_input(const ConvSizes&, const T*, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad::grid
