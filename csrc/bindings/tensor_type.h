// tapegrad.Tensor: a CPython heap type that holds a Tensor handle.
//
// Note [Python identity]
// One TensorImpl has one Python object at a time: wrap() finds it through TensorImpl::python_object. When the
// last Python reference goes while C++ still holds the tensor (a parameter held by the graph, x.grad), an
// object that carries state of its own (a subclass, attributes, weak references) must survive: its
// deallocation is called off and the tensor becomes the owner of the object (owns_python_object). The next
// wrap() turns the ownership round again.
#pragma once
#include <vector>

#include "bindings/python.h"
#include "core/tensor.h"

namespace tapegrad::python {

struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject* dict;
  PyObject* weak_references;
};

extern PyTypeObject* tensor_type;

/// The subclass of Tensor that was met last, mostly Parameter: a class is cheaper to compare than to search
/// for its bases.
extern PyTypeObject* known_subclass;
bool is_subclass_of_tensor(PyTypeObject* type);

inline bool is_exact_tensor(PyObject* object) { return Py_TYPE(object) == tensor_type; }
inline bool is_tensor(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  return type == tensor_type || type == known_subclass || is_subclass_of_tensor(type);
}
inline const Tensor& get_tensor(PyObject* object) { return reinterpret_cast<TensorObject*>(object)->tensor; }

/// The Python object of a tensor (a new reference); None for an undefined tensor.
PyObject* wrap(Tensor tensor);
/// A new object of a subclass around a tensor that has no Python object yet.
PyObject* wrap_as(PyTypeObject* type, Tensor tensor);

/// Lets the garbage collector look at a tensor's object, because it may become part of a cycle.
inline void track(PyObject* object) {
  if (!PyObject_GC_IsTracked(object)) PyObject_GC_Track(object);
}

/// Makes the type; its attributes and slots come from the files named there. Null with an exception on
/// failure.
PyTypeObject* make_tensor_type();

std::vector<PyType_Slot> tensor_number_slots();  // number_slots.cpp
extern PyGetSetDef tensor_attributes[];          // tensor_attributes.cpp
PyObject* tensor_dict(PyObject* self, void*);
Py_ssize_t tensor_length(PyObject* self);
PyObject* tensor_get_item(PyObject* self, PyObject* key);
PyObject* get_backward_hooks(PyObject* self, void*);  // python_hooks.cpp
int set_backward_hooks(PyObject* self, PyObject* table, void*);
PyObject* get_post_accumulate_hooks(PyObject* self, void*);
int set_post_accumulate_hooks(PyObject* self, PyObject* table, void*);
int tensor_set_item(PyObject* self, PyObject* key, PyObject* value);
PyObject* tensor_iterate(PyObject* self);

}  // namespace tapegrad::python
