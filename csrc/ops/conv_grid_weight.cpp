// Gradients of the weights: sums over the positions of the result, with vectors along its channels, or with
// few channels along the positions.
#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/conv_grid.h"
#include "ops/conv_plan.h"
#include "ops/conv_workspace.h"

namespace tapegrad::grid {

namespace {

// With fewer taps, dots are faster than vectors along the channels.
constexpr int64_t kManyTaps = 64;
// When there is less to divide among threads, the images are divided into at most so many shares.
constexpr int64_t kShares = 4;

template <class T>
struct WeightGradient {
  const ConvSizes& sizes;
  const T *x, *y;
  bool along_channels;  // if at least half of these vectors is used
  int64_t row_block;    // rows of the weight that are computed at a time
  int64_t unit;         // elements of their sums: (taps, whole vectors of rows) or (rows, taps)
  Plan plan;
  std::vector<Part> parts;

  WeightGradient(const ConvSizes& all, const T* x_data, const T* y_data)
      : sizes(all),
        x(x_data),
        y(y_data),
        along_channels(2 * all.out_channels >= whole_vectors<T>(1) && all.taps() >= kManyTaps),
        row_block(std::min<int64_t>(along_channels ? 128 : 32, all.out_channels)),
        unit(all.taps() * (along_channels ? whole_vectors<T>(row_block) : row_block)),
        // Long ranges of positions: sums at their ends cost as much as many positions.
        plan(make_plan(
            all, forward_axis, all.in_channels, sizeof(T),
            std::max<int64_t>(all.groups * all.out_channels * all.taps() * all.out_volume() / 4, 1))),
        parts(all_parts(plan, all, all.in_channels, all.volume(all.window.kernel), all.out_channels,
                        TapOrder::channels_first)) {}

  void run(T* w) const;
  void add_block(int64_t group, int64_t row, int64_t rows, int64_t first_image, int64_t images, int64_t block,
                 T* sums) const;
  void add_dots(const T* y_block, int64_t rows, int64_t images, int64_t block, const T* x_grid, T* y_grid,
                T* sums) const;
  void add_channels(const T* y_block, int64_t rows, int64_t images, int64_t block, const T* x_grid, T* packed,
                    T* sums) const;
  int64_t y_row() const { return (plan.images * plan.volume() + kGridSlack - 1) / kGridSlack * kGridSlack; }
};

/// Adds the share of one block of some images to `sums`.
template <class T>
void WeightGradient<T>::add_block(int64_t group, int64_t row, int64_t rows, int64_t first_image,
                                  int64_t images, int64_t block, T* sums) const {
  const int64_t grid_step = plan.images * plan.volume();
  const int64_t x_size = sizes.in_channels * plan.source_phases() * grid_step;
  const int64_t y_size = along_channels ? whole_vectors<T>(rows) * grid_step : rows * y_row();
  T* const x_grid = workspace<T>(x_size + kGridSlack + y_size);
  T* const y_copy = x_grid + x_size + kGridSlack;
  std::fill_n(x_grid + x_size, kGridSlack, T(0));
  const BlockOrigin origin(plan, block);
  const GridJob job = grid_job(plan, origin, sizes.in_channels, grid_step);
  for (int64_t i = 0; i < images; ++i)
    table_for(T()).fill_grid(
        job, x + ((first_image + i) * sizes.groups + group) * sizes.in_channels * sizes.in_volume(),
        x_grid + i * plan.volume());
  int64_t line = plan.axes[plan.blocked].block;
  for (int d = plan.blocked + 1; d < 3; ++d) line *= sizes.window.out[d];
  const T* y_block = y +
                     ((first_image * sizes.groups + group) * sizes.out_channels + row) * sizes.out_volume() +
                     block * line;
  if (along_channels)
    add_channels(y_block, rows, images, block, x_grid, y_copy, sums);
  else
    add_dots(y_block, rows, images, block, x_grid, y_copy, sums);
}

/// Rows of y on the same grid as x, with zeros in the gaps.
template <class T>
void WeightGradient<T>::add_dots(const T* y_block, int64_t rows, int64_t images, int64_t block,
                                 const T* x_grid, T* y_grid, T* sums) const {
  GridJob job{};
  const int64_t zero = 0;
  for (int d = 0; d < 3; ++d) {
    const Axis& axis = plan.axes[d];
    job.in[d] = d == plan.blocked ? axis.length(block) : axis.result_size;
    job.stride[d] = job.phases[d] = 1;
    job.first[d] = &zero;
    job.size[d] = axis.size;
  }
  job.channels = rows;
  job.in_channel = sizes.out_volume();
  job.grid_step = y_row();
  const int64_t volume = plan.volume(), image_step = sizes.groups * sizes.out_channels * sizes.out_volume();
  for (int64_t i = 0; i < images; ++i)
    table_for(T()).fill_grid(job, y_block + i * image_step, y_grid + i * volume);
  for (int64_t r = 0; r < rows; ++r)
    std::fill(y_grid + r * y_row() + images * volume, y_grid + (r + 1) * y_row(), T(0));
  // Up to the last position that is not a gap.
  int64_t positions = 0;
  for (const Axis& axis : plan.axes) positions = positions * axis.size + axis.block - 1;
  positions += (images - 1) * volume + 1;
  table_for(T()).dots(
      {x_grid, parts[0].offsets.data(), sizes.taps(), y_grid, rows, y_row(), positions, sums, sizes.taps()});
}

/// A row for each tap, a term for each position.
template <class T>
void WeightGradient<T>::add_channels(const T* y_block, int64_t rows, int64_t images, int64_t block,
                                     const T* x_grid, T* packed, T* sums) const {
  const auto& out = sizes.window.out;
  const int64_t image_step = sizes.groups * sizes.out_channels * sizes.out_volume();
  int64_t count[3];
  for (int d = 0; d < 3; ++d)
    count[d] = d == plan.blocked ? plan.axes[d].length(block) : plan.axes[d].result_size;
  std::vector<int64_t> x_offsets, y_offsets, places;
  for (int64_t i = 0; i < images; ++i)
    for (int64_t d = 0; d < count[0]; ++d)
      for (int64_t h = 0; h < count[1]; ++h)
        for (int64_t w = 0; w < count[2]; ++w) {
          x_offsets.push_back(i * plan.volume() + (d * plan.axes[1].size + h) * plan.axes[2].size + w);
          y_offsets.push_back(i * image_step + (d * out[1] + h) * out[2] + w);
        }
  const int64_t terms = static_cast<int64_t>(x_offsets.size()), columns = whole_vectors<T>(rows);
  for (int64_t k = 0; k < sizes.taps(); ++k) places.push_back(k * columns);
  table_for(T()).pack_channels(y_block, sizes.out_volume(), y_offsets.data(), rows, terms, packed);
  const ChannelLine line{sizes.taps(), 0, terms};
  table_for(T()).channels({x_grid, parts[0].offsets.data(), places.data(), &line, 1, x_offsets.data(), terms,
                           packed, columns, nullptr, sums});
}

template <class T>
void WeightGradient<T>::run(T* w) const {
  const int64_t rows = sizes.out_channels, taps = sizes.taps();
  const int64_t row_blocks = (rows + row_block - 1) / row_block, units = sizes.groups * row_blocks;
  const int64_t image_blocks = (sizes.batch + plan.images - 1) / plan.images;
  const int64_t shares = units >= kShares ? 1 : std::clamp<int64_t>(image_blocks, 1, kShares);
  const Tensor all_sums = empty(Dims{shares * units * unit}, dtype_of<T>());
  T* const sums = all_sums.data<T>();
  std::fill_n(sums, shares * units * unit, T(0));
  parallel_for(0, units * shares, 1, [&](int64_t lo, int64_t hi) {
    for (; lo < hi; ++lo) {
      const int64_t share = lo % shares, i_unit = lo / shares, row = i_unit % row_blocks * row_block;
      const int64_t end = image_blocks * (share + 1) / shares;
      for (int64_t i = image_blocks * share / shares; i < end; ++i)
        for (int64_t block = 0; block < plan.axes[plan.blocked].blocks(); ++block)
          add_block(i_unit / row_blocks, row, std::min(rows - row, row_block), i * plan.images,
                    std::min(plan.images, sizes.batch - i * plan.images), block,
                    sums + (share * units + i_unit) * unit);
    }
  });
  for (int64_t share = 1; share < shares; ++share)
    for (int64_t i = 0; i < units * unit; ++i) sums[i] += sums[share * units * unit + i];
  for (int64_t i = 0; i < units; ++i) {
    const int64_t row = i % row_blocks * row_block, count = std::min(rows - row, row_block);
    T* const to = w + (i / row_blocks * rows + row) * taps;
    if (along_channels)
      transpose_block(to, taps, 1, sums + i * unit, whole_vectors<T>(count), count, taps);
    else
      std::copy_n(sums + i * unit, count * taps, to);
  }
}

}  // namespace

template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  WeightGradient<T>(sizes, x, y).run(w);
}

template void conv_weight(const ConvSizes&, const float*, const float*, float*);
template void conv_weight(const ConvSizes&, const double*, const double*, double*);

}  // namespace tapegrad::grid
