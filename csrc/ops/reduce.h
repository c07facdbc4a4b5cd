// Reductions. `dims` without a value, or empty, means all dimensions.
#pragma once
#include <optional>
#include <tuple>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

using OptionalDims = std::optional<Dims>;

/// Sum; integers and bool are summed in int64 unless `dtype` says otherwise.
Tensor sum(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false,
           std::optional<DType> dtype = {});
/// Arithmetic mean of floating-point numbers.
Tensor mean(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
/// Sum and mean of what is not NaN.
Tensor nansum(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false,
              std::optional<DType> dtype = {});
Tensor nanmean(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false,
               std::optional<DType> dtype = {});
Tensor prod(const Tensor& x, std::optional<DType> dtype = {});
Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false, std::optional<DType> dtype = {});

/// Variance and standard deviation, divided by count - correction.
Tensor var(const Tensor& x, const OptionalDims& dims = {}, double correction = 1, bool keepdim = false);
Tensor std_deviation(const Tensor& x, const OptionalDims& dims = {}, double correction = 1,
                     bool keepdim = false);
std::tuple<Tensor, Tensor> var_mean(const Tensor& x, const OptionalDims& dims = {}, double correction = 1,
                                    bool keepdim = false);
std::tuple<Tensor, Tensor> std_mean(const Tensor& x, const OptionalDims& dims = {}, double correction = 1,
                                    bool keepdim = false);

/// (sum |x|^p)^(1/p); p may be infinite (largest or smallest magnitude) or 0 (count of non-zeros).
Tensor vector_norm(const Tensor& x, double p = 2, const OptionalDims& dims = {}, bool keepdim = false,
                   std::optional<DType> dtype = {});
/// log(sum(exp(x))) without overflow.
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim = false);

/// The extreme of all elements; the gradient is shared evenly among ties.
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
Tensor amax(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false);
std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
/// (values, indices) along one dimension; the gradient goes to the index.
std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
/// The index of the first extreme element, counted in row-major order without `dim`.
Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);

/// The lower median, NaN if there is one; without `dim` of all elements.
Tensor median(const Tensor& x);
std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim = false);
/// The same among what is not NaN.
Tensor nanmedian(const Tensor& x);
std::tuple<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim = false);
/// The most frequent element, the smallest of several, and the last index at which it occurs.
std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);

/// Whether any, or all, elements are non-zero: bool, or uint8 for uint8.
Tensor any(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false);
Tensor all(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false);
Tensor count_nonzero(const Tensor& x, const OptionalDims& dims = {});

}  // namespace tapegrad
