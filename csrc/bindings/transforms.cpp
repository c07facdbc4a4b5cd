// What tapegrad.func asks about the graph.
#include <pybind11/pybind11.h>

#include <unordered_set>
#include <vector>

#include "autograd/variable.h"
#include "bindings/register.h"
#include "bindings/tensor_type.h"

namespace tapegrad::python {

namespace py = pybind11;
using autograd::Node;

namespace {

std::vector<Tensor> tensors_in(const py::sequence& sequence) {
  std::vector<Tensor> tensors;
  for (const py::handle item : sequence) tensors.push_back(get_tensor(item.ptr()));
  return tensors;
}

/// Whether the history of `outputs` reaches a leaf that is not one of `leaves`.
bool reaches_other_leaves(const py::sequence& output_sequence, const py::sequence& leaf_sequence) {
  std::unordered_set<const TensorImpl*> known;
  for (const Tensor& leaf : tensors_in(leaf_sequence)) known.insert(leaf.impl());
  std::vector<Node*> waiting;
  std::unordered_set<Node*> seen;
  for (const Tensor& output : tensors_in(output_sequence)) {
    if (Node* node = autograd::grad_fn(output)) {
      if (seen.insert(node).second) waiting.push_back(node);
    } else if (autograd::requires_grad(output) && !known.contains(output.impl())) {
      return true;
    }
  }
  while (!waiting.empty()) {
    Node* node = waiting.back();
    waiting.pop_back();
    if (node->is_accumulator()) {
      if (!known.contains(static_cast<autograd::AccumulateGrad*>(node)->variable.impl())) return true;
      continue;
    }
    for (const autograd::Edge& edge : node->edges())
      if (edge.node && seen.insert(edge.node.get()).second) waiting.push_back(edge.node.get());
  }
  return false;
}

}  // namespace

void register_transforms(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  module.def("_reaches_other_leaves", reaches_other_leaves,
             "Whether the history of the outputs reaches a leaf that is not one of the leaves given.");
}

}  // namespace tapegrad::python
