// Elementwise operations that have more to them than their struct: overloads for numbers, alpha=,
// rounding_mode=...
#pragma once
#include <optional>
#include <string_view>

#include "ops/elementwise.h"
#include "ops/formula.h"

namespace tapegrad {

/// a + alpha * b.
Tensor add(const Tensor& a, const Operand& b, Scalar alpha);
const Tensor& add_(const Tensor& self, const Operand& b, Scalar alpha = 1);
/// a - alpha * b.
Tensor sub(const Tensor& a, const Operand& b, Scalar alpha);
const Tensor& sub_(const Tensor& self, const Operand& b, Scalar alpha = 1);

/// b - alpha * a.
Tensor rsub(const Tensor& a, const Operand& b, Scalar alpha = 1);

/// Quotient rounded down; RuntimeError for an integer division by zero, as all integer divisions here.
Tensor floor_divide(const Tensor& a, const Operand& b);
const Tensor& floor_divide_(const Tensor& self, const Operand& b);
Tensor remainder(const Tensor& a, const Operand& b);
const Tensor& remainder_(const Tensor& self, const Operand& b);
Tensor fmod(const Tensor& a, const Operand& b);
const Tensor& fmod_(const Tensor& self, const Operand& b);
/// a / b; the quotient rounded by "trunc" or "floor" if a mode is given.
Tensor divide(const Tensor& a, const Operand& b, std::optional<std::string_view> rounding_mode);
const Tensor& divide_(const Tensor& self, const Operand& b, std::optional<std::string_view> rounding_mode);

Tensor pow(const Operand& a, const Operand& b);
const Tensor& pow_(const Tensor& self, const Operand& b);

/// min(max(x, low), high), with numbers or with tensors as bounds; one of them may be left out.
Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high);
const Tensor& clamp_(const Tensor& self, std::optional<Scalar> low, std::optional<Scalar> high);
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);
const Tensor& clamp_(const Tensor& self, const Tensor& low, const Tensor& high);

/// Rounded to `decimals` places, halves to even.
const Tensor& polygamma_(const Tensor& self, int64_t n);
/// x * x; bool counts as int64.
Tensor square(const Tensor& x);
const Tensor& square_(const Tensor& self);
Tensor round(const Tensor& x, int64_t decimals = 0);
const Tensor& round_(const Tensor& self, int64_t decimals = 0);
/// ~x: the complement of integers, the negation of bools.
Tensor bitwise_not(const Tensor& x);
const Tensor& bitwise_not_(const Tensor& self);

/// x + value * a * b, and x + value * a / b, which refuses integers as PyTorch does.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value);
const Tensor& addcmul_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar value);
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value);
const Tensor& addcdiv_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar value);
/// leaky_relu with a slope for each channel (dimension 1), or one for all.
Tensor prelu(const Tensor& x, const Tensor& weight);
/// NaN and the infinities replaced: by 0 and the largest and smallest finite numbers unless given.
Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> positive,
                  std::optional<double> negative);

/// Sums `tensor` over the dimensions that broadcasting a tensor of shape `shape` to it has added or
/// stretched.
Tensor sum_to_shape(const Tensor& tensor, IntSpan shape);

}  // namespace tapegrad
