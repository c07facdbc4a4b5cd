// Pooling over 1, 2 or 3 spatial dimensions of (N, C, ...) or (C, ...).
#pragma once
#include <optional>
#include <tuple>

#include "core/tensor.h"

namespace tapegrad {

/// The largest element of each window, and its position in the flattened input plane; NaN wins. An empty
/// stride means the kernel's. Lists have `rank` entries or one for all.
std::tuple<Tensor, Tensor> max_pool_with_indices(int rank, const Tensor& x, IntSpan kernel, IntSpan stride,
                                                 IntSpan padding, IntSpan dilation, bool ceil_mode);
/// The mean of each window: its sum divided by the size of the kernel (without `count_include_pad` by the
/// number of elements inside the input), or by `divisor`.
Tensor avg_pool(int rank, const Tensor& x, IntSpan kernel, IntSpan stride, IntSpan padding, bool ceil_mode,
                bool count_include_pad, std::optional<int64_t> divisor);
/// Windows that cover the input evenly, as many as `output_size` says.
Tensor adaptive_avg_pool(int rank, const Tensor& x, IntSpan output_size);
std::tuple<Tensor, Tensor> adaptive_max_pool(int rank, const Tensor& x, IntSpan output_size);
/// Writes elements back to the positions that max_pool_with_indices gave, zeros elsewhere.
Tensor max_unpool(int rank, const Tensor& x, const Tensor& indices, IntSpan output_size);

}  // namespace tapegrad
