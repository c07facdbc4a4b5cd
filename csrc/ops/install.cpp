#include "ops/install.h"

#include "autograd/gradient_ops.h"
#include "ops/ops.h"

namespace tapegrad {

void install_gradient_ops() {
  autograd::gradient_ops = {
      .add = [](const Tensor& a, const Tensor& b) { return add(a, b); },
      .add_in_place = [](const Tensor& target, const Tensor& addend) { elementwise_(Add{}, target, addend); },
      .sum_to_shape = sum_to_shape,
      .cast = [](const Tensor& tensor, DType dtype) { return to(tensor, dtype); },
      .clone = clone_contiguous,
      .zeros = zeros,
      .as_strided = as_strided,
      .copy_in_place = [](const Tensor& target, const Tensor& source) { copy_(target, source); },
  };
}

}  // namespace tapegrad
