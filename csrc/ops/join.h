// Joining tensors, and arranging copies of one.
#pragma once
#include <string>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

/// The tensors one after the other along `dim`; their types are promoted. Empty vectors are skipped.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0);
/// Tensors of one shape along a new dimension.
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0);
/// cat along columns, rows, depth, after adding the dimensions that are missing.
Tensor hstack(const std::vector<Tensor>& tensors);
Tensor vstack(const std::vector<Tensor>& tensors);
Tensor dstack(const std::vector<Tensor>& tensors);
Tensor column_stack(const std::vector<Tensor>& tensors);
std::vector<Tensor> atleast_1d(const std::vector<Tensor>& tensors);
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& tensors);
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& tensors);

/// Coordinate grids of vectors; indexing "ij" (matrix) or "xy" (Cartesian: the first two exchanged).
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, const std::string& indexing);
/// All combinations of one element of each vector, as rows.
Tensor cartesian_prod(const std::vector<Tensor>& tensors);
/// Matrices along the diagonal of one matrix, zero elsewhere; vectors count as rows, numbers as 1x1.
Tensor block_diag(const std::vector<Tensor>& tensors);
/// All choices of `r` elements of a vector, as rows.
Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);

}  // namespace tapegrad
