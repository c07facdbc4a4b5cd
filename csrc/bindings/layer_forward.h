// What the methods forward(self, input) that are written in C++ have in common.
#pragma once
#include "bindings/python.h"
#include "core/tensor.h"

namespace tapegrad::python {

/// The argument `input` of a call of forward(self, input), a borrowed reference; null with the error of a
/// function written in Python when the call does not fit. `args[0]` is self.
PyObject* single_input(const char* function, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

/// Whether `forward` is one operation on tensors, which forward_tensor may compute.
bool is_tensor_forward(PyObject* forward);
/// value = layer.forward(value), without any Python object; false when only Python can tell. An operation
/// that has an in-place form is computed in the memory of `value`, if nobody but the caller could see that:
/// no other tensor on the same memory, no derivative of what made it, no hook.
bool forward_tensor(PyObject* forward, PyObject* layer, Tensor& value);

}  // namespace tapegrad::python
