// Gradients of the weights. With many channels each kernel position is a matrix product over positions, with
// the channels of x side by side; with few, dot products along the positions.
#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/conv_grid.h"
#include "ops/conv_plan.h"
#include "ops/conv_workspace.h"
#include "ops/gemm.h"

namespace tapegrad::grid {

namespace {

// From this many channels of x on, products are faster than dots.
constexpr int64_t kManyChannels = 12;
// When there is less to divide among threads, the images are divided into at most so many shares.
constexpr int64_t kShares = 4;

template <class T>
struct WeightGradient {
  const ConvSizes& sizes;
  const T *x, *y;
  bool products;
  int64_t row_block;  // rows of the weight that are computed at a time
  Plan plan;
  std::vector<Part> parts;

  WeightGradient(const ConvSizes& all, const T* x_data, const T* y_data)
      : sizes(all),
        x(x_data),
        y(y_data),
        products(all.in_channels >= kManyChannels),
        row_block(products ? 128 : 32),
        // Long ranges of positions: sums at their ends cost as much as many positions.
        plan(make_plan(
            all, forward_axis, all.in_channels, sizeof(T),
            std::max<int64_t>(all.groups * all.out_channels * all.taps() * all.out_volume() / 4, 1))),
        parts(all_parts(plan, all, all.in_channels, all.volume(all.window.kernel), all.out_channels)) {}

  int64_t kernel_volume() const { return sizes.volume(sizes.window.kernel); }
  void run(T* w) const;
  void add_block(int64_t group, int64_t row, int64_t rows, int64_t first_image, int64_t images, int64_t block,
                 T* sums) const;
  GridJob y_job(const int64_t* zero, int64_t rows, int64_t y_row, int64_t block) const;
};

/// Rows of y of one block on the same grid, with zeros in the gaps.
template <class T>
GridJob WeightGradient<T>::y_job(const int64_t* zero, int64_t rows, int64_t y_row, int64_t block) const {
  GridJob job{};
  for (int d = 0; d < 3; ++d) {
    const Axis& axis = plan.axes[d];
    job.in[d] = d == plan.blocked ? axis.length(block) : axis.result_size;
    job.stride[d] = job.phases[d] = 1;
    job.first[d] = zero;
    job.size[d] = axis.size;
  }
  job.channels = rows;
  job.in_channel = sizes.out_volume();
  job.grid_step = y_row;
  return job;
}

/// Adds the share of one block of some images to `sums`: rows of (taps, channels) for products, of (channels,
/// taps) for dots.
template <class T>
void WeightGradient<T>::add_block(int64_t group, int64_t row, int64_t rows, int64_t first_image,
                                  int64_t images, int64_t block, T* sums) const {
  const int64_t channels = sizes.in_channels, volume = plan.volume(), grid_step = plan.images * volume;
  const int64_t phases = plan.source_phases(), x_size = channels * phases * grid_step;
  const int64_t y_row = (grid_step + kGridSlack - 1) / kGridSlack * kGridSlack;
  T* const x_grid = workspace<T>(x_size + kGridSlack + rows * y_row + (products ? x_size : 0));
  T* const y_grid = x_grid + x_size + kGridSlack;
  std::fill_n(x_grid + x_size, kGridSlack, T(0));
  const BlockOrigin origin(plan, block);
  const int64_t zero = 0;
  const GridJob x_job = grid_job(plan, origin, channels, grid_step),
                y_rows = y_job(&zero, rows, y_row, block);
  int64_t line = plan.axes[plan.blocked].block;
  for (int d = plan.blocked + 1; d < 3; ++d) line *= sizes.window.out[d];
  for (int64_t i = 0; i < images; ++i) {
    const int64_t image = (first_image + i) * sizes.groups + group;
    table_for(T()).fill_grid(x_job, x + image * channels * sizes.in_volume(), x_grid + i * volume);
    table_for(T()).fill_grid(y_rows,
                             y + (image * sizes.out_channels + row) * sizes.out_volume() + block * line,
                             y_grid + i * volume);
  }
  for (int64_t r = 0; r < rows; ++r)
    std::fill(y_grid + r * y_row + images * volume, y_grid + (r + 1) * y_row, T(0));
  const std::vector<int64_t>& offsets = parts[0].offsets;
  // Up to the last position that is not a gap.
  int64_t positions = 0;
  for (const Axis& axis : plan.axes) positions = positions * axis.size + axis.block - 1;
  positions += (images - 1) * volume + 1;
  if (!products)
    return table_for(T()).dots(
        {x_grid, offsets.data(), sizes.taps(), y_grid, rows, y_row, positions, sums, sizes.taps()});
  T* const x_rows = y_grid + rows * y_row;
  for (int64_t phase = 0; phase < phases; ++phase)
    transpose_block(x_rows + phase * channels * grid_step, channels, x_grid + phase * grid_step,
                    phases * grid_step, grid_step, channels);
  // offsets[0 ... kernel) are those of the first channel: phase * grid_step + shift.
  for (int64_t k = 0; k < kernel_volume(); ++k)
    ops::gemm(Gemm<T>{.m = rows,
                      .n = channels,
                      .k = positions,
                      .a = y_grid,
                      .a_row = y_row,
                      .a_col = 1,
                      .b = x_rows + offsets[k] * channels,
                      .b_row = channels,
                      .b_col = 1,
                      .c = sums + k * channels,
                      .c_row = sizes.taps(),
                      .beta = 1});
}

template <class T>
void WeightGradient<T>::run(T* w) const {
  const int64_t rows = sizes.out_channels, taps = sizes.taps(), size = sizes.groups * rows * taps;
  const int64_t row_blocks = (rows + row_block - 1) / row_block, units = sizes.groups * row_blocks;
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  const int64_t shares = units >= kShares ? 1 : std::clamp<int64_t>(image_blocks, 1, kShares);
  const Tensor all_sums = empty(Dims{shares * size}, dtype_of<T>());
  T* const sums = all_sums.data<T>();
  std::fill_n(sums, shares * size, T(0));
  parallel_for(0, units * shares, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo) {
      const int64_t share = lo % shares, group = lo / shares / row_blocks,
                    row = lo / shares % row_blocks * row_block;
      const int64_t end = image_blocks * (share + 1) / shares;
      for (int64_t i = image_blocks * share / shares; i < end; ++i)
        for (int64_t block = 0; block < plan.axes[plan.blocked].blocks(); ++block)
          add_block(group, row, std::min(rows - row, row_block), i * plan.images,
                    std::min(plan.images, sizes.batch - i * plan.images), block,
                    sums + share * size + (group * rows + row) * taps);
    }
  });
  for (int64_t share = 1; share < shares; ++share)
    for (int64_t i = 0; i < size; ++i) sums[i] += sums[share * size + i];
  const int64_t kernel = products ? kernel_volume() : 1, channels = taps / kernel;
  for (int64_t r = 0; r < sizes.groups * rows; ++r, w += taps)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t k = 0; k < kernel; ++k) w[c * kernel + k] = sums[r * taps + k * channels + c];
}

}  // namespace

template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  WeightGradient<T>(sizes, x, y).run(w);
}

template void conv_weight(const ConvSizes&, const float*, const float*, float*);
template void conv_weight(const ConvSizes&, const double*, const double*, double*);

}  // namespace tapegrad::grid
