// Hooks written in Python: those of one tensor or node are kept in one OrderedDict, id -> callable.
#pragma once
#include "autograd/node.h"
#include "bindings/python.h"

namespace tapegrad::python {

/// Hooks on a gradient; or, for a leaf, hooks that get the leaf itself when its .grad is complete.
struct PythonTensorHooks final : autograd::TensorHooks {
  PythonTensorHooks(PyObject* table, bool takes_leaf)
      : table(Object::borrow(table)), takes_leaf(takes_leaf) {}
  void call(Tensor& gradient) override;
  Object table;
  bool takes_leaf;
};

struct PythonNodeHooks final : autograd::NodeHooks {
  explicit PythonNodeHooks(PyObject* table) : table(Object::borrow(table)) {}
  void call(std::span<Tensor> gradients, std::span<const Tensor> arrived) override;
  Object table;
};

/// A new empty table.
Object new_hook_table();
/// Puts `hook` into `table`; returns its RemovableHandle.
PyObject* add_to_table(PyObject* table, PyObject* hook);
/// The tensors as a tuple, None for undefined ones.
Object tuple_of(std::span<const Tensor> tensors);

/// node.register_hook (before == false) and node.register_prehook.
PyObject* register_node_hook(autograd::Node& node, PyObject* hook, bool before);

}  // namespace tapegrad::python
