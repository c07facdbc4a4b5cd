// The graph as Python sees it: nodes, hooks, the backward pass, grad mode.
#pragma once
#include "autograd/node.h"
#include "bindings/python.h"

namespace tapegrad::python {

/// The Python object of a node (a new reference); None for a null pointer.
PyObject* wrap_node(autograd::Node* node);

}  // namespace tapegrad::python
