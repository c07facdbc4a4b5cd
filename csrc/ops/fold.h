// Sliding windows as columns (unfold) and back (fold).
#pragma once
#include "core/tensor.h"

namespace tapegrad {

/// (N, C, H, W) or (C, H, W) -> (N, C * kernel, windows). Lists have two entries or one for both dimensions.
Tensor unfold_windows(const Tensor& x, IntSpan kernel, IntSpan dilation, IntSpan padding, IntSpan stride);
/// The adjoint: columns (N, C * kernel, windows) are added up where they come from, in (N, C, output_size).
Tensor fold_windows(const Tensor& columns, IntSpan output_size, IntSpan kernel, IntSpan dilation,
                    IntSpan padding, IntSpan stride);

}  // namespace tapegrad
