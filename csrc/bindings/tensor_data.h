// Tensors from Python values.
#pragma once
#include "bindings/python.h"
#include "core/tensor.h"

namespace tapegrad::python {

/// A new tensor with the values of a number, a nested sequence, an array or a tensor; the type is inferred as
/// PyTorch does when `dtype` is null.
Tensor tensor_from_data(PyObject* data, const DType* dtype);

/// torch.Tensor(...), torch.LongTensor(...): nothing, sizes, or data; see legacy_new.
Tensor legacy_new(PyObject* args, PyObject* kwargs, DType dtype, bool any_type);
PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);

}  // namespace tapegrad::python
