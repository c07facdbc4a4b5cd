// __torch_function__: classes that decide what operations on their instances do.
//
// Note [Overriding types]
// A subclass of Tensor takes over every operation on its instances through __torch_function__, which it may
// inherit from Tensor (results are then instances of the subclass). It does not when that attribute is
// _disabled_torch_function_impl, as for Parameter. Overriding classes get a hidden base in front of Tensor
// (intercept.cpp), whose attributes and methods look at their tensor first; those of Tensor itself do not.
// What takes several tensors (torch.add(a, b), a.add(b), a + b, a[i]) looks at all of them, from the moment
// on that an overriding class exists. Objects that are no tensors may have a __torch_function__, too: they
// are found when no overload accepts the arguments.
#pragma once
#include "bindings/python.h"

namespace tapegrad::python {

/// Whether an overriding class was ever made.
extern bool overriding_types_exist;

/// Whether an object takes over the operations on it, at this moment and in this thread.
bool overrides(PyObject* object);
/// Whether it does so with a handler other than Tensor's.
bool has_own_handler(PyObject* object);
/// Whether one of the objects does, or one in a tuple or list among them.
bool any_overrides(PyObject* const* objects, Py_ssize_t count);

/// Lets the overriding arguments compute function(*args, **keywords), subclasses before their bases.
/// keywords holds the names of the last arguments, as in a vectorcall; count is the number of the others.
PyObject* call_override(PyObject* function, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords = nullptr);
/// The same for a method of Tensor used as an operator: NotImplemented if nobody implements it.
PyObject* call_operator_override(const char* method, PyObject* a, PyObject* b);

/// What is called instead of random operations in this thread, with (function, args, kwargs); null normally.
extern thread_local PyObject* random_override;
PyObject* call_random_override(PyObject* function, PyObject* const* args, Py_ssize_t count,
                               PyObject* keywords);

void register_overrides(PyObject* module);

/// The handler that overrides nothing, and the one that Tensor has.
extern PyObject *disabled_handler, *default_handler;

}  // namespace tapegrad::python
