// autograd.Function: operations whose derivative is written in Python.
//
// Note [Function context]
// The context (`ctx`, which is also grad_fn) is a Python object and its node a C++ object, and each needs the
// other. As with tensors (Note [Python identity]) the ownership turns round: while Python refers to the
// context, the context owns the node; when the last such reference goes and the graph still needs the node,
// the deallocation of the context is called off and the node owns it. So there is no cycle between the two.
#pragma once
#include "autograd/saved_tensor.h"
#include "bindings/node_type.h"

namespace tapegrad::python {

struct ContextObject {
  NodeObject base;
  PyObject* dict;
  PyObject* needs_input_grad;
  PyObject* to_save;
  PyObject* saved_for_forward;
  PyObject* dirty;
  PyObject* non_differentiable;
  bool materialize_grads;
};

/// The node of one call of an autograd.Function.
class PythonNode final : public autograd::Node {
 public:
  /// `inputs`: the arguments of the call.
  PythonNode(ContextObject* context, PyObject* const* inputs, Py_ssize_t count);

  std::string name() const override;
  void apply(std::span<Tensor> gradients, std::span<Tensor> results) override;
  void release_saved() override;
  void visit_saved(autograd::SavedVisitor& visitor) override;

  /// Keeps the tensors of the tuple that save_for_backward was given; `dirty` are inputs that were written
  /// to.
  void save(PyObject* tensors, PyObject* dirty);
  std::vector<bool> output_is_tensor;
  std::vector<autograd::SavedTensor> saved;

  Object context();
  PyObject* context_object() const { return reinterpret_cast<PyObject*>(context_); }
  bool owns_context() const { return owns_context_; }
  /// Called instead of freeing the context when the graph still needs this node: it owns the context now.
  void adopt_context() { owns_context_ = true; }
  void forget_context() { context_ = nullptr; }

 protected:
  void on_zero() override;

 private:
  ContextObject* context_;
  bool owns_context_ = false;
  std::vector<autograd::Edge> edge_storage_;  // one for each argument that is a tensor
  std::vector<bool> input_is_tensor_;

  Object call_backward(std::span<Tensor> gradients);
};

/// Makes the type of contexts and the functions around it; -1 with an exception on failure.
int add_function_types(PyObject* module);

}  // namespace tapegrad::python
