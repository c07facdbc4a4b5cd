// The hidden base of subclasses of Tensor that override operations.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// The classes in which the attributes of a new subclass of Tensor are looked up, in order; the hidden base
/// is among them if the class overrides. See Note [Overriding types].
PyObject* resolution_order(PyObject* type, PyObject*);

}  // namespace tapegrad::python
