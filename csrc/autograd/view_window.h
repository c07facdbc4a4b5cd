// Where a view lies inside its base, for values that take the place of both.
#pragma once
#include "autograd/gradient_ops.h"

namespace tapegrad::autograd {

/// The geometry of a base and of one of its views over a common stretch of memory.
class ViewWindow {
 public:
  ViewWindow(const Tensor& base, const Tensor& view)
      : base_shape_(base.shape()),
        base_strides_(base.strides()),
        view_shape_(view.shape()),
        view_strides_(view.strides()),
        offset_(view.storage_offset() - base.storage_offset()) {
    for (int i = 0; i < base_shape_.size(); ++i) extent_ += (base_shape_[i] - 1) * base_strides_[i];
    if (base.numel() == 0) extent_ = 0;
  }

  /// Values of the base, laid out as the base is; zeros when undefined.
  Tensor lay_out(const Tensor& values, DType dtype) const {
    const Tensor memory = gradient_ops.zeros({{extent_}}, dtype);
    if (values.defined()) gradient_ops.copy_in_place(whole(memory), values);
    return memory;
  }
  /// The values of base and view in memory from lay_out; views of it.
  Tensor whole(const Tensor& memory) const {
    return gradient_ops.as_strided(memory, base_shape_, base_strides_, 0);
  }
  Tensor part(const Tensor& memory) const {
    return gradient_ops.as_strided(memory, view_shape_, view_strides_, offset_);
  }

  const Dims& base_shape() const { return base_shape_; }
  const Dims& base_strides() const { return base_strides_; }
  const Dims& view_shape() const { return view_shape_; }
  const Dims& view_strides() const { return view_strides_; }
  int64_t offset() const { return offset_; }

 private:
  Dims base_shape_, base_strides_, view_shape_, view_strides_;
  int64_t offset_;
  int64_t extent_ = 1;
};

}  // namespace tapegrad::autograd
