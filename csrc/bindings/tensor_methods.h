// Methods of Tensor that are no operations.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// Those that are called most, outside the argument parser; the end of the array is marked by a null name.
extern PyMethodDef tensor_methods[];

}  // namespace tapegrad::python
