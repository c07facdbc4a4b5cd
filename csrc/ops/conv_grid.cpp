#include "ops/conv_grid.h"

#include <algorithm>
#include <cstdlib>

#include "core/parallel.h"
#include "core/tensor.h"
#include "kernels/kernels.h"
#include "ops/conv_plan.h"

namespace tapegrad::grid {

namespace {

// What one pass of a tile reads of the source stays in the first cache.
constexpr int64_t kPassBytes = 24 << 10;

const ConvKernels<float>& table_for(float) { return kernels->conv_f32; }
const ConvKernels<double>& table_for(double) { return kernels->conv_f64; }

/// Memory of the calling thread, kept for its next block.
template <class T>
T* workspace(int64_t count) {
  struct Buffer {
    void* data = nullptr;
    int64_t bytes = 0;
    ~Buffer() { std::free(data); }
  };
  static thread_local Buffer buffer;
  const int64_t bytes = (count * int64_t(sizeof(T)) + 4095) / 4096 * 4096;
  if (bytes > buffer.bytes) {
    std::free(buffer.data);
    buffer.data = std::aligned_alloc(64, static_cast<size_t>(bytes));
    buffer.bytes = buffer.data ? bytes : 0;
    TG_CHECK(buffer.data, "a convolution needs ", bytes, " bytes of memory that the system does not have");
  }
  return static_cast<T*>(buffer.data);
}

/// Source coordinates of a block, for fill_grid.
struct BlockOrigin {
  std::array<std::vector<int64_t>, 3> first;

  BlockOrigin(const Plan& plan, int64_t block) {
    for (int d = 0; d < 3; ++d) first[d] = plan.axes[d].first;
    for (int64_t& coordinate : first[plan.blocked]) coordinate += block * plan.axes[plan.blocked].block_shift;
  }
};

GridJob grid_job(const Plan& plan, const BlockOrigin& origin, int64_t channels, int64_t grid_step) {
  GridJob job{};
  job.channels = channels;
  job.grid_step = grid_step;
  job.in_channel = 1;
  for (int d = 0; d < 3; ++d) {
    const Axis& axis = plan.axes[d];
    job.in[d] = axis.source_size;
    job.in_channel *= axis.source_size;
    job.stride[d] = axis.stride;
    job.phases[d] = static_cast<int64_t>(axis.first.size());
    job.first[d] = origin.first[d].data();
    job.size[d] = axis.size;
  }
  return job;
}

/// The part of a result whose positions share their taps: one phase of each axis.
struct Part {
  const Phase* phases[3];
  std::vector<int64_t> offsets, weight_offsets;  // by tap
  int64_t packed = 0;                            // where its weights begin

  Part(const Plan& plan, const ConvSizes& sizes, const Phase* const (&chosen)[3], int64_t channels,
       int64_t weight_channel_step)
      : phases{chosen[0], chosen[1], chosen[2]} {
    const int64_t step = plan.images * plan.volume(), rows = plan.axes[1].size, row = plan.axes[2].size;
    const auto& kernel = sizes.window.kernel;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (const Tap& d : phases[0]->taps)
        for (const Tap& h : phases[1]->taps)
          for (const Tap& w : phases[2]->taps) {
            const int64_t heights = plan.axes[1].first.size(), widths = plan.axes[2].first.size();
            const int64_t grid = channel * plan.source_phases() + (d.phase * heights + h.phase) * widths + w.phase;
            offsets.push_back(grid * step + (d.shift * rows + h.shift) * row + w.shift);
            weight_offsets.push_back(channel * weight_channel_step + (d.k * kernel[1] + h.k) * kernel[2] + w.k);
          }
  }
};

std::vector<Part> all_parts(const Plan& plan, const ConvSizes& sizes, int64_t channels, int64_t weight_channel_step,
                            int64_t rows) {
  std::vector<Part> parts;
  int64_t packed = 0;
  for (const Phase& d : plan.axes[0].phases)
    for (const Phase& h : plan.axes[1].phases)
      for (const Phase& w : plan.axes[2].phases) {
        parts.emplace_back(plan, sizes, (const Phase* const[3]){&d, &h, &w}, channels, weight_channel_step);
        parts.back().packed = packed;
        packed += rows * static_cast<int64_t>(parts.back().offsets.size());
      }
  return parts;
}

/// One direction of a convolution: from `source` to `result`.
template <class T>
struct Direction {
  const ConvSizes& sizes;
  Plan plan;
  int64_t channels, rows;  // of source and result, in one group
  int64_t weight_row_step, weight_channel_step;
  const T *source, *weight, *bias;
  T* result;

  int64_t source_volume() const {
    return plan.axes[0].source_size * plan.axes[1].source_size * plan.axes[2].source_size;
  }
  int64_t result_volume() const {
    return plan.axes[0].result_size * plan.axes[1].result_size * plan.axes[2].result_size;
  }

  void run() const;
  void run_block(const std::vector<Part>& parts, const T* packed, int64_t packed_group, int64_t first_image,
                 int64_t block) const;
  void run_part(const Part& part, const T* grid, T* partial, const T* packed, int64_t group, int64_t first_image,
                int64_t images, int64_t block) const;
  int64_t taps_per_pass(const Part& part) const;
};

template <class T>
void Direction<T>::run() const {
  const std::vector<Part> parts = all_parts(plan, sizes, channels, weight_channel_step, rows);
  const auto& table = table_for(T());
  const int64_t group_weights = rows * channels * sizes.volume(sizes.window.kernel);
  Tensor packed = empty(Dims{sizes.groups * group_weights}, dtype_of<T>());
  T* const packed_data = packed.data<T>();
  for (int64_t group = 0; group < sizes.groups; ++group)
    for (const Part& part : parts)
      table.pack_weights(weight + group * group_weights, weight_row_step, part.weight_offsets.data(), rows,
                         static_cast<int64_t>(part.offsets.size()), packed_data + group * group_weights + part.packed);
  const int64_t blocks = plan.axes[plan.blocked].blocks();
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  parallel_for(0, image_blocks * blocks, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo) run_block(parts, packed_data, group_weights, lo / blocks * plan.images, lo % blocks);
  });
}

template <class T>
void Direction<T>::run_block(const std::vector<Part>& parts, const T* packed, int64_t packed_group, int64_t first_image,
                             int64_t block) const {
  const int64_t images = std::min(plan.images, sizes.batch - first_image);
  const int64_t grid_size = channels * plan.source_phases() * plan.images * plan.volume();
  T* const grid = workspace<T>(grid_size + kGridSlack + rows * kGridSlack);
  T* const partial = grid + grid_size + kGridSlack;
  std::fill_n(grid + grid_size, kGridSlack, T(0));
  const BlockOrigin origin(plan, block);
  const GridJob job = grid_job(plan, origin, channels, plan.images * plan.volume());
  for (int64_t group = 0; group < sizes.groups; ++group) {
    for (int64_t i = 0; i < images; ++i) {
      const T* image = source + ((first_image + i) * sizes.groups + group) * channels * source_volume();
      table_for(T()).fill_grid(job, image, grid + i * plan.volume());
    }
    for (const Part& part : parts)
      run_part(part, grid, partial, packed + group * packed_group + part.packed, group, first_image, images, block);
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
void Direction<T>::run_part(const Part& part, const T* grid, T* partial, const T* packed, int64_t group,
                            int64_t first_image, int64_t images, int64_t block) const {
  int64_t count[3], start[3];
  for (int d = 0; d < 3; ++d) {
    const bool blocked = d == plan.blocked;
    count[d] = part.phases[d]->count(blocked ? plan.axes[d].length(block) : plan.axes[d].block);
    start[d] = part.phases[d]->start + (blocked ? block * plan.axes[d].block : 0);
    if (count[d] == 0) return;
  }
  const int64_t height = plan.axes[1].result_size, width = plan.axes[2].result_size;
  const int64_t line = part.phases[1]->step * width, slice = part.phases[0]->step * height * width;
  const int64_t image_step = sizes.groups * rows * result_volume();
  const int64_t row = plan.axes[2].size, plane = plan.axes[1].size * row;
  const int64_t merged_images = plan.merged ? images : 1, merged_depth = plan.merged ? count[0] : 1;
  std::vector<GridRun> runs;
  for (int64_t i = 0; i < merged_images; ++i)
    for (int64_t d = 0; d < merged_depth; ++d)
      for (int64_t h = 0; h < count[1]; ++h)
        runs.push_back({i * plan.volume() + d * plane + h * row, count[2], i * image_step + d * slice + h * line});
  TileJob<T> job{};
  job.offsets = part.offsets.data();
  job.taps = static_cast<int64_t>(part.offsets.size());
  job.weights = packed;
  job.rows = rows;
  job.bias = bias ? bias + group * rows : nullptr;
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
      job.out = result + (first_image + i) * image_step + group * rows * result_volume() +
                ((start[0] + d * part.phases[0]->step) * height + start[1]) * width + start[2];
      table_for(T()).tiles(job);
    }
}

double density(const Plan& plan) {
  double useful = 1, computed = plan.merged ? double(plan.axes[0].size) : double(plan.axes[0].result_size);
  for (const Axis& axis : plan.axes) useful *= double(axis.result_size);
  for (int d = 0; d < 3; ++d) computed *= double(plan.axes[d].phases.size());
  return useful / (computed * double(plan.axes[1].size) * double(plan.axes[2].size));
}

}  // namespace

double conv_density(const ConvSizes& sizes) {
  return density(make_plan(sizes, forward_axis, sizes.in_channels, 4, 1));
}
double conv_input_density(const ConvSizes& sizes) {
  return density(make_plan(sizes, input_axis, sizes.out_channels, 4, 1));
}

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  const int64_t kernel = sizes.volume(sizes.window.kernel);
  const int64_t work = sizes.groups * sizes.out_channels * sizes.taps() * sizes.out_volume();
  Direction<T>{sizes, make_plan(sizes, forward_axis, sizes.in_channels, sizeof(T), work), sizes.in_channels,
               sizes.out_channels, sizes.taps(), kernel, x, w, bias, y}
      .run();
}

template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  const int64_t kernel = sizes.volume(sizes.window.kernel);
  const int64_t work = sizes.groups * sizes.out_channels * sizes.taps() * sizes.out_volume();
  Direction<T>{sizes, make_plan(sizes, input_axis, sizes.out_channels, sizeof(T), work), sizes.out_channels,
               sizes.in_channels, kernel, sizes.taps(), y, w, bias, x}
      .run();
}

namespace {

// Rows of the weight that one thread computes at a time.
constexpr int64_t kWeightRows = 32;
// When there are few of these, the images are divided, too, into at most so many shares.
constexpr int64_t kShares = 4;

/// Adds the gradient of `rows` rows of the weight of a group from one block of some images.
template <class T>
void add_weight_block(const ConvSizes& sizes, const Plan& plan, const Part& part, const T* x, const T* y, int64_t group,
                      int64_t row, int64_t rows, int64_t first_image, int64_t images, int64_t block, T* w) {
  const int64_t channels = sizes.in_channels, volume = plan.volume(), grid_step = plan.images * volume;
  const int64_t x_size = channels * plan.source_phases() * grid_step;
  const int64_t y_row = (grid_step + kGridSlack - 1) / kGridSlack * kGridSlack;
  T* const x_grid = workspace<T>(x_size + kGridSlack + rows * y_row);
  T* const y_grid = x_grid + x_size + kGridSlack;
  std::fill_n(x_grid + x_size, kGridSlack, T(0));
  const BlockOrigin origin(plan, block);
  const GridJob x_job = grid_job(plan, origin, channels, grid_step);
  GridJob y_job{};
  const int64_t zero = 0;
  for (int d = 0; d < 3; ++d) {
    const Axis& axis = plan.axes[d];
    y_job.in[d] = d == plan.blocked ? axis.length(block) : axis.result_size;
    y_job.stride[d] = y_job.phases[d] = 1;
    y_job.first[d] = &zero;
    y_job.size[d] = axis.size;
  }
  // A block of rows of y: fill_grid takes the rows of planes that are cut along one axis.
  const int64_t inner = plan.blocked == 0 ? sizes.window.out[1] * sizes.window.out[2]
                        : plan.blocked == 1 ? sizes.window.out[2]
                                            : 1;
  y_job.channels = rows;
  y_job.in_channel = sizes.out_volume();
  y_job.grid_step = y_row;
  for (int64_t i = 0; i < images; ++i) {
    const int64_t image = first_image + i;
    table_for(T()).fill_grid(x_job, x + (image * sizes.groups + group) * channels * sizes.in_volume(),
                             x_grid + i * volume);
    table_for(T()).fill_grid(y_job,
                             y + ((image * sizes.groups + group) * sizes.out_channels + row) * sizes.out_volume() +
                                 block * plan.axes[plan.blocked].block * inner,
                             y_grid + i * volume);
  }
  for (int64_t r = 0; r < rows; ++r)
    std::fill(y_grid + r * y_row + images * volume, y_grid + (r + 1) * y_row, T(0));
  DotJob<T> job{};
  job.x = x_grid;
  job.offsets = part.offsets.data();
  job.taps = static_cast<int64_t>(part.offsets.size());
  job.y = y_grid;
  job.rows = rows;
  job.y_row = y_row;
  job.positions = images * volume;
  job.w = w;
  job.w_row = sizes.taps();
  table_for(T()).dots(job);
}

}  // namespace

template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  const int64_t rows = sizes.out_channels, taps = sizes.taps();
  const int64_t work = sizes.groups * rows * taps * sizes.out_volume();
  // Long ranges: the sums at their ends cost as much as many positions.
  const Plan plan = make_plan(sizes, forward_axis, sizes.in_channels, sizeof(T), std::max<int64_t>(work / 4, 1));
  const std::vector<Part> parts = all_parts(plan, sizes, sizes.in_channels, sizes.volume(sizes.window.kernel), rows);
  const int64_t row_blocks = (rows + kWeightRows - 1) / kWeightRows, units = sizes.groups * row_blocks;
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  const int64_t shares = units >= kShares ? 1 : std::clamp<int64_t>(image_blocks, 1, kShares);
  const int64_t size = sizes.groups * rows * taps;
  Tensor others = empty(Dims{(shares - 1) * size}, dtype_of<T>());
  T* const others_data = others.data<T>();
  std::fill_n(w, size, T(0));
  std::fill_n(others_data, (shares - 1) * size, T(0));
  parallel_for(0, units * shares, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo) {
      const int64_t share = lo % shares, group = lo / shares / row_blocks, row = lo / shares % row_blocks * kWeightRows;
      T* const target = (share ? others_data + (share - 1) * size : w) + (group * rows + row) * taps;
      const int64_t end = image_blocks * (share + 1) / shares;
      for (int64_t i = image_blocks * share / shares; i < end; ++i)
        for (int64_t block = 0; block < plan.axes[plan.blocked].blocks(); ++block)
          add_weight_block(sizes, plan, parts[0], x, y, group, row, std::min(rows - row, kWeightRows), i * plan.images,
                           std::min(plan.images, sizes.batch - i * plan.images), block, target);
    }
  });
  for (int64_t share = 1; share < shares; ++share)
    for (int64_t i = 0; i < size; ++i) w[i] += others_data[(share - 1) * size + i];
}

#define TG_INSTANTIATE(T)                                                           \
  template void conv(const ConvSizes&, const T*, const T*, const T*, T*);           \
  template void conv_input(const ConvSizes&, const T*, const T*, const T*, T*);     \
  template void conv_weight(const ConvSizes&, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad::grid
