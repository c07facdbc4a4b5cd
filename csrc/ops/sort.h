// Sorting, selecting, and searching in sorted tensors.
#pragma once
#include <optional>
#include <tuple>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// Values along `dim` in order, and where they were. Always stable; NaN is the largest.
std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim = -1, bool descending = false);
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
/// The k largest (smallest) values along `dim`, and where they were.
std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true,
                                bool sorted = true);
/// The k-th smallest value along `dim` (k counts from 1), and where it was.
std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false);

struct UniqueResult {
  Tensor values, inverse, counts;
};
/// The different elements in order (slices along `dim` in lexicographic order), where each element went, and
/// how often each occurs.
UniqueResult unique(const Tensor& x, std::optional<int64_t> dim);
/// The same for runs of equal neighbours, in the order of x.
UniqueResult unique_consecutive(const Tensor& x, std::optional<int64_t> dim);

/// For each value the first position in the sorted last dimension of `boundaries` that is not below it
/// (`right`: above).
Tensor searchsorted(const Tensor& boundaries, const Tensor& values, bool right = false, bool int32 = false,
                    const Tensor& sorter = {});
/// searchsorted in a vector.
Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right = false, bool int32 = false);
/// How often 0, 1, ... occur in a vector of integers, or the sum of the weights at them.
Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength);
/// Counts in `bins` equal intervals of [low, high]; of the range of x when low == high.
Tensor histc(const Tensor& x, int64_t bins, double low, double high);
/// Whether each element occurs in `candidates`.
Tensor isin(const Tensor& x, const Tensor& candidates, bool invert = false);

}  // namespace tapegrad
