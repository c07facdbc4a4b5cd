// Norms of vectors.
#include <cmath>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;
using autograd::save_output;

namespace {

Tensor norm_values(const Tensor& x, double p, const OptionalDims& dims, bool keepdim) {
  const autograd::NoGrad no_grad;
  if (p == 2) {
    const DimMask mask = dim_mask(dims, x.dim());
    const Tensor out = reduce_values(ReduceOp::sum_squares, x, mask, reduced_shape(x.shape(), mask, keepdim));
    return out.numel() == 1 ? (square_root_values(out), out) : sqrt(out);
  }
  if (p == 0) return sum(x != 0, dims, keepdim, x.dtype());
  if (p == 1) return sum(abs(x), dims, keepdim);
  if (std::isinf(p)) return p > 0 ? amax(abs(x), dims, keepdim) : amin(abs(x), dims, keepdim);
  return pow(sum(pow(abs(x), p), dims, keepdim), 1 / p);
}

/// a / b, and 0 where b is 0: a vector of zeros has no direction.
Tensor quotient(const Tensor& a, const Tensor& b) { return where(b == 0, 0, a / b); }

/// The gradient for x; g and norm broadcast against x.
Tensor norm_gradient(const Tensor& g, const Tensor& x, const Tensor& norm, double p, DimMask mask) {
  if (p == 0) return full_values(x.shape(), Scalar(0.0), x.dtype());
  if (p == 1) return g * sign(x);
  if (p == 2) return x * quotient(g, norm);
  if (std::isinf(p)) {  // shared evenly among the elements of that magnitude
    const Tensor reached = to(abs(x) == norm, x.dtype());
    Dims dims;
    for (int i = 0; i < x.dim(); ++i)
      if (mask >> i & 1) dims.push_back(i);
    return sign(x) * reached * (g / sum(reached, dims, /*keepdim=*/true));
  }
  const Tensor size = abs(x);
  const Tensor power = p < 1 ? where(size == 0, 0, pow(size, p - 1)) : pow(size, p - 1);
  return sign(x) * power * quotient(g, pow(norm, p - 1));
}

}  // namespace

Tensor vector_norm(const Tensor& input, double p, const OptionalDims& dims, bool keepdim,
                   std::optional<DType> dtype) {
  TG_CHECK(is_floating(dtype.value_or(input.dtype())),
           "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
           scalar_type_name(dtype.value_or(input.dtype())), "; convert it with .float()");
  const Tensor x = dtype && *dtype != input.dtype() ? to(input, *dtype) : input;
  const DimMask mask = dim_mask(dims, x.dim());
  const Tensor out = norm_values(x, p, dims, keepdim);
  return record("LinalgVectorNormBackward0", out, {x}, {save(x), save_output(out)},
                [p, mask, keepdim](Backward& b) {
                  const Tensor x = b.saved(0);
                  const Tensor norm = restore_dims(b.saved(1), x.shape(), mask, keepdim);
                  return norm_gradient(restore_dims(b.grad(), x.shape(), mask, keepdim), x, norm, p, mask);
                });
}

}  // namespace tapegrad
