// Picking and writing rows, elements and masked parts.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// The slices of `x` along `dim` that the vector `index` names, in its order.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// x with alpha * source added to the slices that `index` names; entries may repeat.
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         Scalar alpha = 1);
/// x with the slices that `index` names replaced by those of `source`.
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
/// x with a number (or the value of a 0-dim tensor) in the slices that `index` names.
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);

/// x[indices]: entry i indexes dimension i with integers or a mask; an undefined entry takes the whole
/// dimension. Indices broadcast together; their dimensions come where the indexed dimensions were if these
/// are neighbours, else in front, as in NumPy
/// (https://numpy.org/doc/stable/user/basics.indexing.html#combining-advanced-and-basic-indexing).
Tensor index(const Tensor& x, const std::vector<Tensor>& indices);
/// x[indices] = values or += values; repeated positions are written, or added up, in the order of the
/// indices.
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate = false);
const Tensor& index_put_(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                         bool accumulate = false);

/// Elements by their position in the flattened `x`, in the shape of `index`.
Tensor take(const Tensor& x, const Tensor& index);
/// x with elements replaced (or increased) at positions in the flattened x.
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
const Tensor& put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);

/// Rows of `weight` (V, E) for `input` of any shape: (..., E). The row `padding_idx` (-1: none) gets no
/// gradient; with `scale_grad_by_freq` a row's gradient is divided by how often it is picked.
Tensor embedding(const Tensor& weight, const Tensor& input, int64_t padding_idx = -1,
                 bool scale_grad_by_freq = false);

/// out[i][j] = x[index[i][j]][j] along dimension 0, and so on for other dimensions; `index` may be smaller
/// than `x`.
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
/// The reverse: x with source[i][j] written to [index[i][j]][j].
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
/// reduce: "add" or "multiply"; not differentiable.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
               std::string_view reduce);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value, std::string_view reduce);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                       std::string_view reduce);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value,
                       std::string_view reduce);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
/// reduce: "sum", "prod", "mean", "amax" or "amin"; without include_self the old values at written places do
/// not count.
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                      std::string_view reduce, bool include_self = true);
const Tensor& scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                              std::string_view reduce, bool include_self = true);
/// gather after broadcasting all dimensions but `dim`; on the flattened tensor without `dim`.
Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim);

/// x with a number, or the value of a 0-dim tensor, where the mask (broadcast to x) holds.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, Scalar value);
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value);
/// The elements for which the mask holds, as a vector.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// x with the places where the mask holds filled from `source` in order.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);
/// Row-major positions of the elements that are not zero.
Tensor flat_nonzero(const Tensor& x);
/// Coordinates of the elements that are not zero, one row each.
Tensor nonzero(const Tensor& x);
/// The same, one vector for each dimension (a 0-dim tensor counts as a vector).
std::vector<Tensor> nonzero_tuple(const Tensor& x);
Tensor argwhere(const Tensor& x);

}  // namespace tapegrad
