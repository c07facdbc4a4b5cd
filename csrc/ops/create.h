// New tensors.
#pragma once
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

Tensor full(IntSpan shape, Scalar value, DType dtype);
Tensor zeros(IntSpan shape, DType dtype);
Tensor ones(IntSpan shape, DType dtype);
Tensor zeros_like(const Tensor& like);
Tensor ones_like(const Tensor& like);
/// start, start + step, ... below `end`; errors of PyTorch for a step of zero or of the wrong sign.
Tensor arange(Scalar start, Scalar end, Scalar step, DType dtype);
/// `steps` numbers from start to end, both included, evenly spaced.
Tensor linspace(Scalar start, Scalar end, int64_t steps, DType dtype);
/// base to the powers of linspace(start, end, steps).
Tensor logspace(Scalar start, Scalar end, int64_t steps, double base, DType dtype);
/// (rows, columns) with ones on the diagonal.
Tensor eye(int64_t rows, int64_t columns, DType dtype);

}  // namespace tapegrad
