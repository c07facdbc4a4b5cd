// Padding.
#pragma once
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// `padding` is (before, after) of the last dimension, then of the one before...; negative numbers cut.
Tensor pad_constant(const Tensor& x, IntSpan padding, Scalar value);

}  // namespace tapegrad
