// What the module calls to fill itself; one function per file that uses pybind11.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

void register_graph(PyObject* module);
void register_transforms(PyObject* module);
void register_memory(PyObject* module);
void register_module_slots(PyObject* module);
void register_layer_forward(PyObject* module);
void register_optim(PyObject* module);
void register_generator(PyObject* module);
void define_dlpack_ops();
int register_grad_modes(PyObject* module);
int register_profiler(PyObject* module);
int register_graph_walk(PyObject* module);
int register_saved_hooks(PyObject* module);
int register_anomaly(PyObject* module);

}  // namespace tapegrad::python
