// Comparison up to rounding.
#pragma once
#include "core/tensor.h"

namespace tapegrad {

/// Where |a - b| <= atol + rtol * |b|, as a bool tensor of the common shape; infinities are close to
/// themselves only.
Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);
bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);

}  // namespace tapegrad
