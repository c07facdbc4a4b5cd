#include "ops/copy_ops.h"

#include "autograd/record.h"
#include "ops/copy.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

Tensor clone(const Tensor& x) {
  return record("CloneBackward0", cast_values(x, x.dtype()), {x}, {}, [](Backward& b) { return b.grad(); });
}

Tensor clone_contiguous(const Tensor& x) {
  return record("CloneBackward0", contiguous_values(x), {x}, {}, [](Backward& b) { return b.grad(); });
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone_contiguous(x); }

Tensor to(const Tensor& x, DType dtype, bool copy) {
  if (x.dtype() == dtype) return copy ? clone(x) : x;
  Tensor out = cast_values(x, dtype);
  if (!is_floating(dtype)) return out;
  // The engine converts the gradient to the type of x.
  return record("ToCopyBackward0", std::move(out), {x}, {}, [](Backward& b) { return b.grad(); });
}

const Tensor& copy_(const Tensor& self, const Tensor& source) {
  autograd::check_inplace(self, autograd::any_tracked(autograd::TensorRefs{self, source}));
  if (self.is_same(source)) return self;
  const Dims shape =
      self.shape() == source.shape() ? self.shape() : broadcast_shapes(self.shape(), source.shape());
  TG_CHECK(shape == self.shape(), "output with shape ", to_string(self.shape()),
           " doesn't match the broadcast shape ", to_string(shape));
  check_no_internal_overlap(self);
  check_no_partial_overlap(self, source);
  copy_values(self, source);
  const auto& tracked_source = source.is_floating() ? source : Tensor();
  return autograd::record_inplace("CopyBackwards", self, {self, tracked_source}, {}, [](Backward& b) {
    b.give(0, [&] { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
    b.give(1, b.grad());
  });
}

namespace {

const Tensor& overwrite(const char* name, const Tensor& self, Scalar value) {
  autograd::check_inplace(self, autograd::any_tracked(autograd::TensorRefs{self}));
  check_no_internal_overlap(self);
  fill_values(self, value);
  return autograd::record_inplace(
      name, self, {self}, {}, [](Backward& b) { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
}

}  // namespace

const Tensor& fill_(const Tensor& self, Scalar value) { return overwrite("FillBackward2", self, value); }
const Tensor& zero_(const Tensor& self) { return overwrite("ZeroBackward0", self, 0); }

const Tensor& fill_(const Tensor& self, const Tensor& value) {
  TG_CHECK(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(),
           " dimensions.");
  autograd::check_inplace(self, autograd::any_tracked(autograd::TensorRefs{self, value}));
  check_no_internal_overlap(self);
  copy_values(self, value);
  // The engine sums the gradient to the shape of `value`.
  return autograd::record_inplace("FillBackward3", self, {self, value}, {}, [](Backward& b) {
    b.give(0, [&] { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
    b.give(1, b.grad());
  });
}

Tensor value_before_write(const Tensor& x) {
  return autograd::any_differentiated(autograd::TensorRefs{x}) ? clone(x) : x;
}

}  // namespace tapegrad
