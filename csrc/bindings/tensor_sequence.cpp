// Tensor as a sequence and a mapping: len, iteration, x[...], x[...] = y.
#include "bindings/arg_parser.h"

namespace tapegrad::python {

Py_ssize_t tensor_length(PyObject* self) {
  return guarded([&]() -> Py_ssize_t {
    const Tensor& tensor = get_tensor(self);
    TG_CHECK_TYPE(tensor.dim() > 0, "len() of a 0-d tensor");
    return static_cast<Py_ssize_t>(tensor.shape()[0]);
  });
}
PyObject* tensor_get_item(PyObject* , PyObject* ) { return nullptr; }
int tensor_set_item(PyObject* , PyObject* , PyObject* ) { return -1; }
PyObject* tensor_iterate(PyObject* ) { return nullptr; }

}  // namespace tapegrad::python
