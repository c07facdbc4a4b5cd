// The Python side of autograd.Function: the context's type, the methods of a Function class.
#pragma once
#include "bindings/python_function.h"

namespace tapegrad::python {

struct FunctionMethods {
  Object forward;
  Object setup_context;  // null when forward takes the context
};
FunctionMethods methods_of(PyObject* cls);
/// The backward (or vjp) of the Function that a context belongs to.
Object backward_of(PyObject* context);
Object jvp_of(PyObject* cls);
/// A context for a call of the Function `cls`.
Object new_context(PyObject* cls);

PyObject* apply_function(PyObject* cls, const FunctionMethods& methods, PyObject* const* inputs,
                         Py_ssize_t count);

}  // namespace tapegrad::python
