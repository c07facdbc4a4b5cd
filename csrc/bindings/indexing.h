// x[key] and x[key] = value: from Python keys to views and indices.
#pragma once
#include "bindings/tensor_type.h"

namespace tapegrad::python {

/// The part of `x` that `key` names: a view where integers, slices, None and Ellipsis suffice, else a copy.
Tensor get_item(const Tensor& x, PyObject* key);
/// Writes a tensor (broadcast) or a number into that part.
void set_item(const Tensor& x, PyObject* key, PyObject* value);

}  // namespace tapegrad::python
