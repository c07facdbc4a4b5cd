#include "autograd/record.h"

#include "autograd/gradient_ops.h"

namespace tapegrad::autograd {

Tensor Backward::grad_or_zeros(int i) const {
  if (grad(i).defined()) return grad(i);
  const OutputMeta& meta = node_->output(static_cast<uint32_t>(i));
  return gradient_ops.zeros(meta.shape, meta.dtype);
}

}  // namespace tapegrad::autograd
