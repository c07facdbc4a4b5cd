// Attributes of modules for code in C++.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// values[i] = getattr(self, names[i]) for interned names; false with an exception when one is missing.
bool get_attributes(PyObject* self, PyObject* const* names, Object* values, Py_ssize_t count);

}  // namespace tapegrad::python
