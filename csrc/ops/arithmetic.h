// Elementwise operations that have more to them than their struct: overloads for numbers, alpha=, rounding_mode=...
#pragma once
#include "ops/elementwise.h"

namespace tapegrad {

/// a + alpha * b.
Tensor add(const Tensor& a, const Operand& b, Scalar alpha);
const Tensor& add_(const Tensor& self, const Operand& b, Scalar alpha = 1);
/// a - alpha * b.
Tensor sub(const Tensor& a, const Operand& b, Scalar alpha);
const Tensor& sub_(const Tensor& self, const Operand& b, Scalar alpha = 1);

/// Sums `tensor` over the dimensions that broadcasting a tensor of shape `shape` to it has added or stretched.
Tensor sum_to_shape(const Tensor& tensor, IntSpan shape);

}  // namespace tapegrad
