#include "bindings/device.h"

#include <cstring>

namespace tapegrad::python {

namespace {

PyObject* cpu = nullptr;

PyObject* set_cpu_device(PyObject*, PyObject* device) {
  Py_XSETREF(cpu, Py_NewRef(device));
  Py_RETURN_NONE;
}
PyMethodDef functions[] = {{"_set_cpu_device", set_cpu_device, METH_O, "Sets what Tensor.device returns."},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* cpu_device() { return cpu ? cpu : Py_None; }

bool is_device(PyObject* object) {
  return PyUnicode_Check(object) || (cpu && Py_TYPE(object) == Py_TYPE(cpu));
}

void check_device(PyObject* device) {
  if (device == Py_None || device == cpu) return;
  const Object text = checked(PyObject_Str(device));
  const char* name = PyUnicode_AsUTF8(text.get());
  if (!name) throw PythonError{};
  if (std::strcmp(name, "cpu") == 0 || std::strcmp(name, "cpu:0") == 0) return;
  if (std::strncmp(name, "cuda", 4) == 0 || PyLong_Check(device)) {
    PyErr_SetString(PyExc_AssertionError,
                    "Torch not compiled with CUDA enabled: tapegrad runs on the CPU only, use device='cpu'");
    throw PythonError{};
  }
  fail(ErrorKind::runtime,
       "Expected one of cpu, cuda, ipu, xpu, mkldnn, mps or another device type at start of device string: ",
       name, "; tapegrad runs on the CPU only, use device='cpu'");
}

int add_device(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace tapegrad::python
