// What gather, scatter and scatter_reduce share.
#pragma once
#include "core/tensor.h"
#include "kernels/index_kernels.h"

namespace tapegrad {

/// Runs `kernel` over the lines of `whole` and `picked`: the element of `picked` at each place of `index`
/// belongs to the place along `dim` that `index` names. Tensors of rank 0 count as vectors. RuntimeError for
/// entries out of range.
void run_lines(LineKernel kernel, const Tensor& whole, const Tensor& picked, int dim, const Tensor& index);
/// The part of `source` that `index` covers, after checking types and shapes.
Tensor scatter_source(const Tensor& x, int dim, const Tensor& index, const Tensor& source);

}  // namespace tapegrad
