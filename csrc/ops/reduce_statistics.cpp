// Variance and logsumexp.
#include <cmath>
#include <limits>

#include "autograd/record.h"
#include "core/warning.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/softmax.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::record_outputs;
using autograd::save;
using autograd::save_output;

namespace {

struct Moments {
  Tensor mean, variance;
  double degrees;  // of freedom: what the sum of squares was divided by
};

/// The mask of the dimensions, after a check of the type.
DimMask check_spread(const Tensor& x, const OptionalDims& dims) {
  TG_CHECK(x.is_floating(),
           "std and var only support floating point and complex dtypes; convert the input with .float().");
  return dim_mask(dims, x.dim());
}

// Two passes, the second around the mean: no cancellation.
Moments moments(const char* name, const Tensor& x, DimMask mask, double correction, bool keepdim) {
  const Dims shape = reduced_shape(x.shape(), mask, keepdim);
  const double count = static_cast<double>(reduced_count(x.shape(), mask));
  if (count <= correction)
    warn_user(name,
              "(): degrees of freedom is <= 0. Correction should be strictly less than the reduction "
              "factor (input numel divided by output numel).");
  Moments result{reduce_values(ReduceOp::sum, x, mask, shape), {}, std::max(0.0, count - correction)};
  divide_values(result.mean, count);
  result.variance = reduce_values(ReduceOp::squared_deviation, x, mask, shape, result.mean);
  divide_values(result.variance, result.degrees);
  return result;
}

Tensor var_gradient(const Tensor& g, const Tensor& x, DimMask mask, bool keepdim, double degrees) {
  Dims dims;
  for (int i = 0; i < x.dim(); ++i)
    if (mask >> i & 1) dims.push_back(i);
  const Tensor deviation = x - mean(x, dims.empty() ? OptionalDims{} : dims, true);
  const Tensor wide_g = restore_dims(g, x.shape(), mask, keepdim);
  if (degrees == 0 && mask == all_dims(x.dim())) {  // as PyTorch: infinite whatever the sign of the deviation
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return wide_g * where(deviation == 0, std::nan(""), zero_like(deviation) + kInfinity);
  }
  return wide_g * Scalar(2 / degrees) * deviation;
}
/// The gradient of a standard deviation as that of the variance; nothing flows where the deviation is 0.
Tensor std_to_var_gradient(const Tensor& g, const Tensor& deviation) {
  return where(deviation == 0, 0, g / (2 * deviation));
}

}  // namespace

Tensor var(const Tensor& x, const OptionalDims& dims, double correction, bool keepdim) {
  const DimMask mask = check_spread(x, dims);
  const Moments result = moments("var", x, mask, correction, keepdim);
  return record("VarBackward0", result.variance, {x}, {save(x)},
                [mask, keepdim, degrees = result.degrees](Backward& b) {
                  return var_gradient(b.grad(), b.saved(0), mask, keepdim, degrees);
                });
}

Tensor std_deviation(const Tensor& x, const OptionalDims& dims, double correction, bool keepdim) {
  const DimMask mask = check_spread(x, dims);
  const Moments result = moments("std", x, mask, correction, keepdim);
  square_root_values(result.variance);
  return record("StdBackward0", result.variance, {x}, {save(x), save_output(result.variance)},
                [mask, keepdim, degrees = result.degrees](Backward& b) {
                  return var_gradient(std_to_var_gradient(b.grad(), b.saved(1)), b.saved(0), mask, keepdim,
                                      degrees);
                });
}

namespace {

std::tuple<Tensor, Tensor> spread_and_mean(const char* name, bool root, const Tensor& x,
                                           const OptionalDims& dims, double correction, bool keepdim) {
  const DimMask mask = check_spread(x, dims);
  const Moments result = moments(root ? "std_mean" : "var_mean", x, mask, correction, keepdim);
  if (root) square_root_values(result.variance);
  Tensor outputs[] = {result.variance, result.mean};
  record_outputs(name, outputs, autograd::TensorRefs{x}, {save(x), save_output(outputs[0])},
                 [root, mask, keepdim, degrees = result.degrees](Backward& b) {
                   const Tensor x = b.saved(0);
                   Tensor total;
                   if (b.grad(0).defined())
                     total = var_gradient(root ? std_to_var_gradient(b.grad(0), b.saved(1)) : b.grad(0), x,
                                          mask, keepdim, degrees);
                   if (b.grad(1).defined()) {
                     const Tensor part =
                         spread(b.grad(1), x.shape(), mask, keepdim, reduced_count(x.shape(), mask));
                     total = total.defined() ? total + part : part;
                   }
                   return total;
                 });
  return {outputs[0], outputs[1]};
}

}  // namespace

std::tuple<Tensor, Tensor> var_mean(const Tensor& x, const OptionalDims& dims, double correction,
                                    bool keepdim) {
  return spread_and_mean("VarMeanBackward0", false, x, dims, correction, keepdim);
}
std::tuple<Tensor, Tensor> std_mean(const Tensor& x, const OptionalDims& dims, double correction,
                                    bool keepdim) {
  return spread_and_mean("StdMeanBackward0", true, x, dims, correction, keepdim);
}

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const Tensor x = input.is_floating() ? input : cast_values(input, default_dtype());
  const DimMask mask = dim_mask(dims, x.dim());
  const Tensor out = logsumexp_values(x, mask, reduced_shape(x.shape(), mask, keepdim));
  return record("LogsumexpBackward0", out, {input}, {save(input), save_output(out)},
                [mask, keepdim](Backward& b) {
                  const Tensor x = b.saved(0);
                  const Tensor y = restore_dims(b.saved(1), x.shape(), mask, keepdim);
                  // Infinite results have no difference from x.
                  const Tensor finite_y = where(y - y == 0, y, 0);
                  return restore_dims(b.grad(), x.shape(), mask, keepdim) * exp(x - finite_y);
                });
}

}  // namespace tapegrad
