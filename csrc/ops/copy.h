// Copies, conversions and checks on the memory of tensors. None of these records anything.
#pragma once
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

/// Uninitialized tensor with the shape of `like` and, where that is dense, its order of dimensions.
Tensor empty_like_layout(const Tensor& like, DType dtype);
/// Copies `source`, broadcast and converted, into `target`.
void copy_values(const Tensor& target, const Tensor& source);
/// A converted copy.
Tensor cast_values(const Tensor& tensor, DType dtype);
/// A row-major copy.
Tensor contiguous_values(const Tensor& tensor);
/// Refuses a number that is out of the range of a type.
void check_fits(Scalar value, DType dtype);
/// Writes one value, which must be in the range of the type, everywhere.
void fill_values(const Tensor& target, Scalar value);
Tensor full_values(IntSpan shape, Scalar value, DType dtype);
/// Gives an out= tensor the shape of the result; only tensors that own their whole storage may grow.
void resize_output(const Tensor& out, IntSpan shape);
/// Refuses to write to a tensor several elements of which are one (expand).
void check_no_internal_overlap(const Tensor& tensor);
/// Refuses to write to memory that `source`, unless it is the same view, reads.
void check_no_partial_overlap(const Tensor& target, const Tensor& source);

}  // namespace tapegrad
