// The small Python types: dtype and Size; conversion of Python numbers.
#pragma once
#include <optional>

#include "bindings/python.h"
#include "core/dims.h"
#include "core/dtype.h"
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad::python {

/// Makes tapegrad.dtype and its objects, and tapegrad.Size, and adds them to the module.
int add_types(PyObject* module);

/// The dtype object of a type (borrowed).
PyObject* dtype_object(DType dtype);
/// Whether an object names a type of elements: a dtype, or Python's float, int or bool.
bool is_dtype(PyObject* object);
DType get_dtype(PyObject* object);
/// torch.Size of a shape (a new reference).
PyObject* make_size(IntSpan shape);
extern PyTypeObject* size_type;

/// Whether an object is a Python or NumPy number (not a tensor).
bool is_number(PyObject* object);
/// Whether it can stand for an integer: int, NumPy integer, integer tensor of one element; not a bool.
bool is_integer(PyObject* object);
bool is_integer_sequence(PyObject* object);
/// The number; TypeError otherwise.
Scalar get_scalar(PyObject* object);
/// The only element of a tensor.
Scalar number_of(const Tensor& tensor);
int64_t get_integer(PyObject* object);
double get_real(PyObject* object);
Dims get_integers(PyObject* object);
PyObject* from_scalar(Scalar scalar);

}  // namespace tapegrad::python
