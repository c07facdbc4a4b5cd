// Writing one value under a mask, under the name of the operation that asked for it.
#pragma once
#include "core/tensor.h"

namespace tapegrad {

/// A copy of `x` with `value` (one element of the type of `x`) where `mask` holds; in place.
Tensor fill_where(const char* name, const Tensor& x, const Tensor& mask, const Tensor& value);
const Tensor& fill_where_(const char* name, const Tensor& x, const Tensor& mask, const Tensor& value);

}  // namespace tapegrad
