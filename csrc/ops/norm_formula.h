// What the normalisation layers share.
#pragma once
#include "ops/copy.h"
#include "ops/reduce_plan.h"

namespace tapegrad {

struct NormFormula {
  Tensor dx;
  Tensor normal;  // the normalised x, before weight and bias
};
/// The derivative of normalisation over the masked dimensions in differentiable operations. `weight` is
/// undefined or broadcasts to x.
NormFormula normalization_formula(const Tensor& g, const Tensor& x, const Tensor& weight, DimMask mask,
                                  bool centered, double eps);

inline Tensor row_major(const Tensor& x) {
  return !x.defined() || x.is_contiguous() ? x : contiguous_values(x);
}

}  // namespace tapegrad
