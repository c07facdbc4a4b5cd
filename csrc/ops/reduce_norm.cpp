// Vector norms.
#include <cmath>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;
using autograd::save_output;

namespace {

Tensor norm_values(const Tensor& x, double p, DimMask mask, IntSpan shape) {
  const autograd::NoGrad no_grad;
  if (p == 2) {
    const Tensor out = reduce_values(ReduceOp::sum_squares, x, mask, shape);
    square_root_values(out);
    return out;
  }
  if (p == 0)
    return cast_values(reduce_values(ReduceOp::sum, cast_values(x, DType::bool_), mask, shape), x.dtype());
  const Tensor magnitude = abs(x);
  if (p == 1) return reduce_values(ReduceOp::sum, magnitude, mask, shape);
  if (std::isinf(p)) {
    const Tensor out = reduce_values(p > 0 ? ReduceOp::max : ReduceOp::min, magnitude, mask, shape);
    if (x.numel() == 0) fill_values(out, 0);
    return out;
  }
  return pow(reduce_values(ReduceOp::sum, pow(magnitude, Scalar(p)), mask, shape), Scalar(1 / p));
}

// y is the norm, g its gradient, both broadcastable to x.
Tensor norm_gradient(const Tensor& g, const Tensor& x, const Tensor& y, double p, DimMask mask) {
  if (p == 0) return zero_like(x);
  if (p == 1) return g * sign(x);
  if (p == 2) return x * where(y == 0, 0, g / y);
  if (std::isinf(p)) {
    const Tensor ties = eq(abs(x), y);
    Dims dims;
    for (int i = 0; i < x.dim(); ++i)
      if (mask >> i & 1) dims.push_back(i);
    return where(ties, sign(x) * (g / sum(ties, dims.empty() ? OptionalDims{} : dims, true)), 0);
  }
  const Tensor scale = where(y == 0, 0, g * pow(y, Scalar(1 - p)));
  if (p < 2) return where(x == 0, 0, sign(x) * pow(abs(x), Scalar(p - 1))) * scale;
  return x * pow(abs(x), Scalar(p - 2)) * scale;
}

}  // namespace

Tensor vector_norm(const Tensor& input, double p, const OptionalDims& dims, bool keepdim,
                   std::optional<DType> dtype) {
  TG_CHECK(input.is_floating(),
           "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
           scalar_type_name(input.dtype()));
  TG_CHECK(!dtype || is_floating(*dtype),
           "linalg.vector_norm: dtype should be floating point or complex. Got ", scalar_type_name(*dtype));
  const Tensor x = cast_if_needed(input, dtype.value_or(input.dtype()));
  const DimMask mask = dim_mask(dims, x.dim());
  TG_CHECK(reduced_count(x.shape(), mask) > 0 || (p >= 0 && !std::isinf(p)),
           "linalg.vector_norm cannot compute the ", p, " norm on an empty ", dims ? "dimension" : "tensor",
           " because the operation does not have an identity");
  const Tensor out = norm_values(x, p, mask, reduced_shape(x.shape(), mask, keepdim));
  return record("LinalgVectorNormBackward0", out, {input}, {save(input), save_output(out)},
                [p, mask, keepdim](Backward& b) {
                  const Tensor x = b.saved(0);
                  return norm_gradient(restore_dims(b.grad(), x.shape(), mask, keepdim), x,
                                       restore_dims(b.saved(1), x.shape(), mask, keepdim), p, mask);
                });
}

}  // namespace tapegrad
