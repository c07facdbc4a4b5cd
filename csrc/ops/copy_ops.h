// Copies that autograd knows about.
#pragma once
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// A copy with the same order of dimensions.
Tensor clone(const Tensor& x);
/// A row-major copy, whatever the layout of `x`.
Tensor clone_contiguous(const Tensor& x);
/// `x` itself if it is row-major, else a row-major copy.
Tensor contiguous(const Tensor& x);
/// `x` itself if it has that type already and no copy is asked for, else a converted copy.
Tensor to(const Tensor& x, DType dtype, bool copy = false);
/// Writes `source`, broadcast and converted, into `self`.
const Tensor& copy_(const Tensor& self, const Tensor& source);

/// Writes one number everywhere; `value` as a tensor has no dimensions and receives the sum of the gradients.
const Tensor& fill_(const Tensor& self, Scalar value);
const Tensor& fill_(const Tensor& self, const Tensor& value);
const Tensor& zero_(const Tensor& self);

/// `x`, or a recorded copy of it where a derivative may have to keep the value that an in-place operation is
/// about to overwrite.
Tensor value_before_write(const Tensor& x);

}  // namespace tapegrad
