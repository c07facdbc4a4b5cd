// Convolutions (cross-correlations) of images with 1, 2 or 3 spatial dimensions, and unfold / fold.
//
// conv(x, w), conv_input(y, w) and conv_weight(x, y) are the three derivatives of one trilinear form: the
// derivative of each is made of the other two, to any order.
#pragma once
#include <array>
#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

/// Per spatial dimension, outermost first; entries beyond the rank are unused.
struct ConvOptions {
  std::array<int64_t, 3> stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1}, output_padding{0, 0, 0};
  int64_t groups = 1;
};

/// (N, C, ...) with (O, C / groups, ...) -> (N, O, ...); without N for an input of one dimension less. `bias`
/// (O) may be undefined. The lists have `rank` entries or one for all.
Tensor convolution(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride,
                   IntSpan padding, IntSpan dilation, int64_t groups);
/// The same with padding "same" (as many outputs as inputs, stride 1) or "valid" (none).
Tensor convolution(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride,
                   std::string_view padding, IntSpan dilation, int64_t groups);
/// (N, C, ...) with (C, O / groups, ...) -> (N, O, ...): the adjoint of a convolution as a layer.
Tensor conv_transpose(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride,
                      IntSpan padding, IntSpan output_padding, int64_t groups, IntSpan dilation);

/// The convolution itself, on checked batched arguments.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options);
/// Its adjoint in x: from y (N, O, ...) to `shape`.
Tensor conv_input(IntSpan shape, const Tensor& y, const Tensor& weight, const Tensor& bias,
                  const ConvOptions& options);
/// Its adjoint in the weight: from x and y to `shape`.
Tensor conv_weight(IntSpan shape, const Tensor& x, const Tensor& y, const ConvOptions& options);

/// The windows of (N, C, H, W) as columns: (N, C * kernel, windows).
Tensor unfold_windows(const Tensor& x, IntSpan kernel, IntSpan dilation, IntSpan padding, IntSpan stride);
/// Adds columns up where they came from: (N, C * kernel, windows) -> (N, C, output_size).
Tensor fold_windows(const Tensor& columns, IntSpan output_size, IntSpan kernel, IntSpan dilation, IntSpan padding,
                    IntSpan stride);

}  // namespace tapegrad
