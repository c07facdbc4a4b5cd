// Running sums, products and extremes along one dimension.
#pragma once
#include <optional>
#include <tuple>

#include "core/tensor.h"

namespace tapegrad {

/// Running sum and product; integers and bool are accumulated in int64 unless `dtype` says otherwise.
Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
/// The sum of each element and those after it: the adjoint of cumsum.
Tensor reversed_cumsum(const Tensor& x, int64_t dim);
/// (values, indices) of the largest and smallest elements so far.
std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim);
std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim);
/// log(cumsum(exp(x))) without overflow.
Tensor logcumsumexp(const Tensor& x, int64_t dim);
/// Differences of neighbours along `dim`, n times.
Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1);

/// y[k] = b[k] + a[k] y[k - 1] along `dim`; reversed: y[k] = b[k] + a[k + 1] y[k + 1]. The two are adjoint in
/// b.
Tensor linear_scan(const Tensor& b, const Tensor& a, int64_t dim, bool reversed);
/// The derivative of cumprod(x, dim), without division and therefore right for zeros.
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, int64_t dim);
/// `count` zeros in front of `x` along `dim`.
Tensor zero_padded_front(const Tensor& x, int64_t dim, int64_t count);

}  // namespace tapegrad
