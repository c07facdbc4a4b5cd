// The Python type of graph nodes: a class for each name, made on demand ("AddBackward0").
#pragma once
#include "autograd/node.h"
#include "bindings/python.h"

namespace tapegrad::python {

struct NodeObject {
  PyObject_HEAD autograd::Node* node;  // owned; null for the context of a function that recorded nothing
  PyObject* weak_references;
};

extern PyTypeObject* node_type;

/// The Python object of a node (a new reference); None for a null pointer.
PyObject* wrap_node(autograd::Node* node);
inline bool is_node(PyObject* object) { return PyObject_TypeCheck(object, node_type); }
/// The node behind an object; RuntimeError when there is none.
autograd::Node& get_node(PyObject* object);

/// Visits, for the garbage collector, the Python objects that die with `node`; the caller holds the only
/// reference to it. Follows edges as long as they are the only owners, too, up to contexts of functions: what
/// lies below a context is visited by that, so that a collection of young objects does not walk old graphs.
int visit_owned(autograd::Node* node, visitproc visit, void* arg);
/// The same on behalf of the context of `node`.
int visit_owned_by_context(autograd::Node* node, visitproc visit, void* arg);

/// Makes the type; -1 with an exception on failure.
int add_node_type(PyObject* module);

}  // namespace tapegrad::python
