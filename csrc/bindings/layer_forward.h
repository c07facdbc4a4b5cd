// What the methods forward(self, input) that are written in C++ have in common.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// The argument `input` of a call of forward(self, input), a borrowed reference; null with the error of a
/// function written in Python when the call does not fit. `args[0]` is self.
PyObject* single_input(const char* function, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

/// The operation that does what a layer's `forward` does in the memory of its input; null when there is none,
/// or when anybody but the caller, who owns one reference, could see that it was written to: another tensor
/// on the same memory, the derivative of what made it, a hook.
PyObject* overwriting_operation(PyObject* forward, PyObject* input);

}  // namespace tapegrad::python
