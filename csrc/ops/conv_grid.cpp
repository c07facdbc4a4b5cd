#include "ops/conv_grid.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/conv_plan.h"
#include "ops/conv_workspace.h"

namespace tapegrad::grid {

namespace {

// What one pass of a tile reads of the source stays in the first cache.
constexpr int64_t kPassBytes = 24 << 10;

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
  void run_part(const Part& part, const T* grid, T* partial, const T* packed, int64_t group,
                int64_t first_image, int64_t images, int64_t block) const;
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
                         static_cast<int64_t>(part.offsets.size()),
                         packed_data + group * group_weights + part.packed);
  const int64_t blocks = plan.axes[plan.blocked].blocks();
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  parallel_for(0, image_blocks * blocks, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo)
      run_block(parts, packed_data, group_weights, lo / blocks * plan.images, lo % blocks);
  });
}

template <class T>
void Direction<T>::run_block(const std::vector<Part>& parts, const T* packed, int64_t packed_group,
                             int64_t first_image, int64_t block) const {
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
      run_part(part, grid, partial, packed + group * packed_group + part.packed, group, first_image, images,
               block);
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
        runs.push_back(
            {i * plan.volume() + d * plane + h * row, count[2], i * image_step + d * slice + h * line});
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
  Direction<T>{sizes,
               make_plan(sizes, forward_axis, sizes.in_channels, sizeof(T), work),
               sizes.in_channels,
               sizes.out_channels,
               sizes.taps(),
               kernel,
               x,
               w,
               bias,
               y}
      .run();
}

template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  const int64_t kernel = sizes.volume(sizes.window.kernel);
  const int64_t work = sizes.groups * sizes.out_channels * sizes.taps() * sizes.out_volume();
  Direction<T>{sizes,
               make_plan(sizes, input_axis, sizes.out_channels, sizeof(T), work),
               sizes.out_channels,
               sizes.in_channels,
               kernel,
               sizes.taps(),
               y,
               w,
               bias,
               x}
      .run();
}

#define TG_INSTANTIATE(T)                                                 \
  template void conv(const ConvSizes&, const T*, const T*, const T*, T*); \
  template void conv_input(const ConvSizes&, const T*, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad::grid
