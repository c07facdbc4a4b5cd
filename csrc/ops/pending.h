#pragma once
#include "core/tensor.h"
namespace tapegrad {
Tensor as_strided(const Tensor& x, IntSpan shape, IntSpan strides, int64_t offset);
Tensor clone_contiguous(const Tensor& x);
Tensor to(const Tensor& x, DType dtype, bool copy = false);
const Tensor& copy_(const Tensor& self, const Tensor& source);
}  // namespace tapegrad
