// Devices: there is one, and every name of it must be accepted wherever PyTorch takes a device.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// Accepts None, "cpu", torch.device("cpu"); for any other device PyTorch's error of a build without it.
void check_device(PyObject* device);
/// Whether an object can name a device.
bool is_device(PyObject* object);
/// The value of Tensor.device (borrowed), set by the Python part of the package.
PyObject* cpu_device();
int add_device(PyObject* module);

}  // namespace tapegrad::python
