// Searching sorted tensors, and counting.
#include <cmath>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/sort.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

/// The first of n sorted entries that is not below (right: is above) the value; n if there is none, as for
/// NaN.
template <class T>
int64_t search(const T* sorted, int64_t n, T value, bool right) {
  int64_t low = 0;
  while (n > 0) {
    const int64_t half = n / 2;
    const T middle = sorted[low + half];
    const bool found = right ? middle > value : middle >= value;
    low = found ? low : low + half + 1;
    n = found ? half : n - half - 1;
  }
  return low;
}

/// Both in the type that they promote to, contiguous.
std::pair<Tensor, Tensor> same_type(const Tensor& a, const Tensor& b) {
  const Operand operands[] = {a, b};
  const DType dtype = result_type(operands);
  return {contiguous_values(cast_values(a, dtype)), contiguous_values(cast_values(b, dtype))};
}

}  // namespace

Tensor searchsorted(const Tensor& boundaries, const Tensor& values, bool right, bool int32,
                    const Tensor& sorter) {
  TG_CHECK(boundaries.dim() > 0, "torch.searchsorted(): boundaries tensor should have positive dimension");
  bool fits = boundaries.dim() == 1 || boundaries.dim() == values.dim();
  for (int d = 0; fits && boundaries.dim() > 1 && d < values.dim() - 1; ++d)
    fits = boundaries.shape()[d] == values.shape()[d];
  TG_CHECK(fits,
           "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
           "boundaries "
           "tensor and input value tensor must match, but we got boundaries tensor ",
           to_string(boundaries.shape()), " and input value tensor ", to_string(values.shape()));
  if (sorter.defined()) {
    TG_CHECK(sorter.shape() == boundaries.shape(),
             "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor ",
             to_string(boundaries.shape()), " and sorter ", to_string(sorter.shape()));
    TG_CHECK(sorter.dtype() == DType::int64,
             "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype ",
             scalar_type_name(sorter.dtype()));
  }
  const autograd::NoGrad no_grad;
  const auto [sorted, wanted] =
      same_type(sorter.defined() ? gather(boundaries, -1, sorter) : boundaries, values);
  Tensor out = empty(values.shape(), DType::int64);
  const int64_t length = sorted.shape().back(),
                per_row = sorted.dim() == 1 ? wanted.numel() : wanted.shape().back();
  dispatch(sorted.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *edges = sorted.template data<T>(), *value = wanted.template data<T>();
    int64_t* result = out.data<int64_t>();
    LongWorkScope scope(wanted.numel());
    parallel_for(0, wanted.numel(), kElementwiseGrain / 8, [&](int64_t lo, int64_t hi) {
      for (int64_t i = lo; i < hi; ++i)
        result[i] = search(edges + i / per_row * length, length, value[i], right);
    });
  });
  return int32 ? cast_values(out, DType::int32) : out;
}

Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right, bool int32) {
  TG_CHECK(boundaries.dim() == 1, "boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(),
           ")");
  return searchsorted(boundaries, values, right, int32);
}

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  TG_CHECK_AS(not_implemented, !x.is_floating() && x.dtype() != DType::bool_,
              "\"bincount_cpu\" not implemented for '", scalar_type_name(x.dtype()), "'");
  TG_CHECK(minlength >= 0, "minlength should be >= 0");
  Tensor entries;
  int64_t smallest = 0, largest = -1;
  detail::index_bounds(x, entries, smallest, largest);
  TG_CHECK(x.dim() == 1 && smallest >= 0, "bincount only supports 1-d non-negative integral inputs.");
  const int64_t *entry = entries.data<int64_t>(), count = entries.numel(),
                size = std::max(minlength, largest + 1);
  TG_CHECK(!weights.defined() || (weights.dim() == 1 && weights.numel() == count),
           "weights should be 1-d and have the same length as input");
  const DType dtype = !weights.defined()                  ? DType::int64
                      : weights.dtype() == DType::float32 ? DType::float32
                                                          : DType::float64;
  check_shape({{size}}, dtype);
  Tensor out = full_values({{size}}, 0, dtype);
  if (!weights.defined()) {
    for (int64_t i = 0; i < count; ++i) ++out.data<int64_t>()[entry[i]];
    return out;
  }
  const Tensor amounts = contiguous_values(cast_values(weights, dtype));
  dispatch_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < count; ++i) out.data<T>()[entry[i]] += amounts.data<T>()[i];
  });
  return out;
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  TG_CHECK_AS(not_implemented, x.is_floating(), "\"histogram_cpu\" not implemented for '",
              scalar_type_name(x.dtype()), "'");
  TG_CHECK(bins > 0, "bins must be > 0");
  const Tensor values = contiguous_values(x);
  check_shape({{bins}}, x.dtype());
  Tensor out = full_values({{bins}}, 0, x.dtype());
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *value = values.data<T>(), *end = value + values.numel();
    if (low == high && value != end) {
      const auto [least, most] = std::minmax_element(value, end);
      low = static_cast<double>(*least);
      high = static_cast<double>(*most);
    }
    if (low == high) {
      low -= 1;
      high += 1;
    }
    TG_CHECK(std::isfinite(low) && std::isfinite(high), "range of [", low, ", ", high, "] is not finite");
    TG_CHECK(low < high, "max must be larger than min");
    for (; value != end; ++value) {
      if (!(*value >= low && *value <= high)) continue;
      const auto bin = static_cast<int64_t>((static_cast<double>(*value) - low) / (high - low) *
                                            static_cast<double>(bins));
      out.data<T>()[std::min(bin, bins - 1)] += 1;
    }
  });
  return out;
}

Tensor isin(const Tensor& x, const Tensor& candidates, bool invert) {
  const autograd::NoGrad no_grad;
  const auto [values, allowed] = same_type(x, candidates);
  const Tensor sorted = std::get<0>(sort(reshape(allowed, {{-1}})));
  Tensor out = empty(x.shape(), DType::bool_);
  dispatch(values.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* entries = sorted.data<T>();
    for (int64_t i = 0; i < values.numel(); ++i) {
      const T value = values.template data<T>()[i];
      const int64_t place = search(entries, sorted.numel(), value, false);
      out.data<bool>()[i] = (place < sorted.numel() && entries[place] == value) != invert;
    }
  });
  return out;
}

}  // namespace tapegrad
