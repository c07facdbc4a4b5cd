// Kernels of convolutions and of unfold / fold.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// The extent of a window that slides over three spatial dimensions (depth, height, width; unused ones have
/// size 1 in front).
struct Window {
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
};

/// Patches: the values that each window sees. Element k = (channel, kernel position) of window l is at
/// patches[k * k_step + l * window_step].
struct PatchJob {
  Window window;
  int64_t channels;
  int64_t k_step, window_step;
};

// Note [Grids]
// A convolution with strides, padding and dilation becomes a sum of shifted products: y[j] = sum over k of
// w[k] * x[j + offset[k]], where j runs over a grid of positions, row by row. To that end the source is
// copied to a grid whose rows are padded, once for each residue ("phase") of the coordinates modulo the
// stride. Some positions j are gaps between the rows of the result; they are computed and dropped. A vector
// of neighbouring j is loaded at any offset, so that a matrix product's tile serves every convolution.

/// Copies channels of one image into grids, with zeros around them.
struct GridJob {
  int64_t channels, in_channel,
      grid_step;  // elements from one channel to the next, from one grid to the next
  int64_t in[3];  // size of the source
  int64_t stride[3];
  int64_t phases[3];
  const int64_t* first[3];  // by phase: the source coordinate of the grid's first position, perhaps negative
  int64_t size[3];          // size of a grid
};

/// Positions start ... start + length - 1 that go to out[0], out[step], ...
struct GridRun {
  int64_t start, length, out;
};

/// out[row][run] = sum over k of weights[row][k] * x[j + offsets[k]] + bias[row].
template <class T>
struct TileJob {
  const T* x;  // readable kGridSlack elements beyond the last position at the largest offset
  const int64_t* offsets;
  int64_t taps;
  const T* weights;  // from pack_weights
  int64_t rows;
  const T* bias;  // or null
  T* out;
  int64_t out_row, out_step;
  int64_t positions;
  const GridRun* runs;  // in order; together they leave out the gaps
  int64_t run_count;
  int64_t taps_per_pass;  // so that what a pass reads of x stays in the first cache
  T* partial;             // room for rows * kGridSlack elements; null if one pass is enough
};
constexpr int64_t kGridSlack = 256;

/// Rows of a ChannelJob that need the terms [first, last) only.
struct ChannelLine {
  int64_t rows, first, last;
};

/// out[places[row] + c] = start[c] + sum over k of x[starts[row] + offsets[k]] * factors[k][c]: vectors run
/// along the channels c, so that rows can be any positions of a grid, without the gaps. The indirect
/// convolution of Dukhan, "The indirect convolution algorithm", 2019.
template <class T>
struct ChannelJob {
  const T* x;
  const int64_t *starts, *places;  // by row
  const ChannelLine* lines;        // of consecutive rows
  int64_t line_count;
  const int64_t* offsets;  // by term
  int64_t terms;
  const T* factors;  // from pack_channels
  int64_t columns;   // of `out`, a multiple of ConvKernels::lanes
  const T* start;    // null: what `out` holds
  T* out;
};

/// w[row][k] += sum over j of y[row][j] * x[j + offsets[k]]; y is zero in the gaps and up to a multiple of a
/// vector.
template <class T>
struct DotJob {
  const T* x;
  const int64_t* offsets;
  int64_t taps;
  const T* y;
  int64_t rows, y_row;
  int64_t positions;
  T* w;
  int64_t w_row;
};

template <class T>
struct ConvKernels {
  /// Copies one image (channels, in...) to patches; zeros outside the image.
  void (*gather_patches)(const PatchJob& job, const T* image, T* patches);
  /// Adds patches to the places of one image that they came from.
  void (*add_patches)(const PatchJob& job, const T* patches, T* image);

  void (*fill_grid)(const GridJob& job, const T* image, T* grid);
  /// Brings w[row * row_step + offsets[k]] into the order in which tiles reads it: rows * taps elements.
  void (*pack_weights)(const T* w, int64_t row_step, const int64_t* offsets, int64_t rows, int64_t taps,
                       T* packed);
  void (*tiles)(const TileJob<T>& job);
  int64_t lanes;  // of a vector
  /// The same as pack_weights for `channels`, with zeros up to a whole vector of rows.
  void (*pack_channels)(const T* w, int64_t row_step, const int64_t* offsets, int64_t rows, int64_t taps,
                        T* packed);
  void (*channels)(const ChannelJob<T>& job);
  void (*dots)(const DotJob<T>& job);
};

}  // namespace tapegrad
