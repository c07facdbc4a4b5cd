#include "bindings/python.h"

namespace tapegrad::python {

void set_python_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const Error& error) {
    PyObject* classes[] = {PyExc_RuntimeError, PyExc_ValueError,          PyExc_TypeError,
                           PyExc_IndexError,   PyExc_NotImplementedError, PyExc_AttributeError};
    PyErr_SetString(classes[static_cast<int>(error.kind())], error.what());
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_RuntimeError, "std::bad_alloc: out of memory; ask for fewer parts or elements");
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

}  // namespace tapegrad::python
