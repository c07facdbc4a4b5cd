// What reductions and their derivatives share.
#pragma once
#include "ops/copy.h"
#include "ops/reduce_plan.h"

namespace tapegrad {

/// A result of a reduction of `shape` with its reduced dimensions put back as 1, so that it broadcasts;
/// differentiable.
Tensor restore_dims(const Tensor& reduced, IntSpan shape, DimMask mask, bool keepdim);
/// `g / divisor` repeated along the reduced dimensions: the adjoint of sum (mean).
Tensor spread(const Tensor& g, IntSpan shape, DimMask mask, bool keepdim, int64_t divisor = 1);
/// `g`, which belongs to one position per row, put at `index` along `dim` of zeros of `shape`.
Tensor put_at_index(const Tensor& g, const Tensor& index, IntSpan shape, int dim, bool keepdim);

/// Writes x / divisor and sqrt(x) into a small row-major x, not recorded.
void divide_values(const Tensor& x, double divisor);
void square_root_values(const Tensor& x);

/// x converted without being recorded: gradients are converted back by the engine.
inline Tensor cast_if_needed(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : cast_values(x, dtype);
}

}  // namespace tapegrad
