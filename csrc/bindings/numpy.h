// Memory shared with NumPy and with everything else that speaks Python's buffer protocol.
#pragma once
#include <optional>

#include "bindings/python.h"
#include "core/tensor.h"

namespace tapegrad::python {

/// Whether an object is a numpy.ndarray; does not import NumPy.
bool is_array(PyObject* object);
/// The element type of an object with a buffer (an array, a NumPy number), if a tensor can have it.
std::optional<DType> buffer_dtype(PyObject* object);
/// A tensor on the memory of an array or a NumPy number, which it keeps alive; PyTorch's errors for what a
/// tensor cannot show. `writable` demands memory that may be written to, with a warning when it may not.
Tensor share_array(PyObject* array, bool writable);
/// numpy.asarray(object): for objects that know how to become arrays.
Object as_array(PyObject* object);

// The buffer protocol of Tensor.
int get_tensor_buffer(PyObject* self, Py_buffer* view, int flags);
void release_tensor_buffer(PyObject* self, Py_buffer* view);

}  // namespace tapegrad::python
