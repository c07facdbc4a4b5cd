// Copies of a tensor with its elements in other places.
#pragma once
#include <optional>

#include "autograd/record.h"
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// Reversed along each of `dims`.
Tensor flip(const Tensor& x, IntSpan dims);
Tensor fliplr(const Tensor& x);
Tensor flipud(const Tensor& x);
/// Shifted cyclically by shifts[i] along dims[i]; without `dims`, as one long vector.
Tensor roll(const Tensor& x, IntSpan shifts, IntSpan dims = {});
/// Rotated `k` times by 90 degrees from the first of `dims` towards the second.
Tensor rot90(const Tensor& x, int64_t k, IntSpan dims);
/// x beside itself: repeats[i] times along dimension i, after adding dimensions in front.
Tensor repeat(const Tensor& x, IntSpan repeats);
/// repeat with ones added in front of `dims` where it is shorter than the shape.
Tensor tile(const Tensor& x, IntSpan dims);
/// Every entry `repeats` times in a row along `dim` (flattened without it).
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim);
/// Entry i repeats[i] times.
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim);
/// Entry i of the range 0... repeats[i] times.
Tensor repeat_interleave(const Tensor& repeats);

/// x with a part replaced by `source`.
Tensor slice_scatter(const Tensor& x, const Tensor& source, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step);
Tensor select_scatter(const Tensor& x, const Tensor& source, int64_t dim, int64_t index);
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int64_t dim1, int64_t dim2);

/// The part of each matrix on and below (above) the given diagonal, zero elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);
const Tensor& tril_(const Tensor& x, int64_t diagonal = 0);
const Tensor& triu_(const Tensor& x, int64_t diagonal = 0);
/// Coordinates (2, n) of the elements on and below (above) a diagonal.
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset = 0);
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset = 0);
/// Matrices with the last dimension of `x` on a diagonal.
Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
/// A vector on a diagonal of a matrix, or a copy of a diagonal of a matrix.
Tensor diag(const Tensor& x, int64_t diagonal = 0);
Tensor diagflat(const Tensor& x, int64_t offset = 0);
/// Writes a number on the main diagonal; with `wrap` it starts again below, for tall matrices.
const Tensor& fill_diagonal_(const Tensor& x, Scalar value, bool wrap = false);

}  // namespace tapegrad
