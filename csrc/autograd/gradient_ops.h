// The few operations that the engine itself needs. The layer above fills them in, so that autograd does not
// depend on it; all of them are differentiable.
#pragma once
#include "core/tensor.h"

namespace tapegrad::autograd {

struct GradientOps {
  Tensor (*add)(const Tensor& a, const Tensor& b);
  void (*add_in_place)(const Tensor& target, const Tensor& addend);
  Tensor (*sum_to_shape)(const Tensor& tensor, IntSpan shape);
  Tensor (*cast)(const Tensor& tensor, DType dtype);
  Tensor (*clone)(const Tensor& tensor);
  Tensor (*zeros)(IntSpan shape, DType dtype);
  Tensor (*as_strided)(const Tensor& tensor, IntSpan shape, IntSpan strides, int64_t offset);
  void (*copy_in_place)(const Tensor& target, const Tensor& source);
};
extern GradientOps gradient_ops;

}  // namespace tapegrad::autograd
