// What a node saved, as attributes with PyTorch's names: grad_fn._saved_self, grad_fn._raw_saved_self.
#pragma once
#include <string>
#include <vector>

#include "autograd/node.h"
#include "bindings/python.h"

namespace tapegrad::python {

/// The attribute (a new reference); null without an exception when the node has none of this name.
PyObject* saved_attribute(autograd::Node& node, const std::string& name);
std::vector<std::string> saved_attribute_names(autograd::Node& node);
/// What the unnamed saved tensors of the nodes with this name are called, in order; ends with a null pointer.
const char* const* saved_names(const std::string& node_name);
/// The Python object for a saved tensor of `node`, on which hooks may be registered.
PyObject* wrap_saved_tensor(autograd::Node& node, autograd::SavedTensor& saved);

}  // namespace tapegrad::python
