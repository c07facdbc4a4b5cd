// Tensor as a sequence and a mapping: len, iteration, x[...], x[...] = y.
#include "bindings/arg_parser.h"
#include "bindings/indexing.h"
#include "bindings/overrides.h"
#include "bindings/profiler.h"
#include "ops/views.h"

namespace tapegrad::python {

Py_ssize_t tensor_length(PyObject* self) {
  return guarded([&]() -> Py_ssize_t {
    const Tensor& tensor = get_tensor(self);
    TG_CHECK_TYPE(tensor.dim() > 0, "len() of a 0-d tensor");
    return static_cast<Py_ssize_t>(tensor.shape()[0]);
  });
}

namespace {

/// Lets an operand that overrides compute x[...]; see Note [Overriding types].
PyObject* override_item(const char* method, PyObject* const* operands, Py_ssize_t count) {
  const Object function = checked(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type), method));
  return call_override(function.get(), operands, count);
}

}  // namespace

PyObject* tensor_get_item(PyObject* self, PyObject* key) {
  return guarded([&] {
    PyObject* const operands[] = {self, key};
    if (overriding_types_exist && any_overrides(operands, 2)) [[unlikely]]
      return override_item("__getitem__", operands, 2);
    const profiler::Handle event = enter_operation("__getitem__", operands, 2);
    return leave_operation(event, guarded([&] { return wrap(get_item(get_tensor(self), key)); }));
  });
}

int tensor_set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded([&]() -> int {
    TG_CHECK_TYPE(value, "Tensor does not support deleting items");
    PyObject* const operands[] = {self, key, value};
    if (overriding_types_exist && any_overrides(operands, 3)) [[unlikely]] {
      Py_DECREF(override_item("__setitem__", operands, 3));
      return 0;
    }
    const profiler::Handle event = enter_operation("__setitem__", operands, 3);
    PyObject* done = guarded([&]() -> PyObject* {
      set_item(get_tensor(self), key, value);
      return Py_None;
    });
    return leave_operation(event, done) ? 0 : -1;
  });
}

PyObject* tensor_iterate(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = get_tensor(self);
    TG_CHECK_TYPE(tensor.dim() > 0, "iteration over a 0-d tensor");
    const profiler::Handle event = enter_operation("unbind", &self, 1);
    const Object rows = checked(leave_operation(event, guarded([&] { return to_python(unbind(tensor)); })));
    return PyObject_GetIter(rows.get());
  });
}

}  // namespace tapegrad::python
