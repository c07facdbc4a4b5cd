// What autograd keeps with a tensor: its gradient, its place in the graph, its relation to the tensor it
// views.
#pragma once
#include "autograd/grad_mode.h"
#include "autograd/node.h"

namespace tapegrad::autograd {

struct AccumulateGrad;

/// The optional part of a tensor: allocated when a leaf receives a gradient, a hook is set...
struct AutogradMeta : Pooled, RefCounted {
  ~AutogradMeta() override;
  // What a backward pass reads comes first, in one line of the cache.
  bool accumulating = false;  // a thread is adding to grad, and may have let others run
  bool holds_tangent = false;
  bool watched = false;  // see Note [Cycles through gradients]
  Tensor grad;
  AccumulateGrad* accumulator = nullptr;   // owned only while at rest: see AccumulateGrad
  Ref<TensorHooks> hooks;                  // of a leaf; those of other tensors live in their node
  Ref<TensorHooks> post_accumulate_hooks;  // only on leaves; called with the leaf, whose .grad is complete
  Node* retained_by = nullptr;             // the node that stores the gradient of a tensor with retain_grad()
  TensorImpl* owner = nullptr;
  Tensor tangent;                // see autograd/forward.h
  uint32_t tangent_version = 0;  // of the tensor when it got the tangent
};
/// Called when a watched leaf dies.
void stop_watching(AutogradMeta& meta);
/// Called when a tensor that holds a tangent dies.
void forget_tangent(AutogradMeta& meta);

AutogradMeta& autograd_meta(const Tensor& tensor);
inline AutogradMeta* autograd_meta_or_null(const Tensor& tensor) {
  return static_cast<AutogradMeta*>(tensor->autograd.get());
}

/// The .grad of a tensor; undefined when there is none.
Tensor gradient(const Tensor& tensor);
/// Sets or clears .grad; errors of PyTorch for a wrong shape or type.
void set_gradient(const Tensor& tensor, const Tensor& gradient);

/// True for a view whose base became differentiable through an in-place write.
bool view_requires_grad(const Tensor& view);
inline bool requires_grad(const Tensor& tensor) {
  return tensor->requires_grad || tensor->grad_fn || (tensor->base && view_requires_grad(tensor));
}
inline bool is_leaf(const Tensor& tensor) { return !requires_grad(tensor) || tensor->requires_grad; }
/// Whether an operation on `tensor` must be recorded now.
inline bool is_tracked(const Tensor& tensor) { return requires_grad(tensor) && modes.grad; }

/// The node that produced `tensor`; null for leaves. A view whose base was written to in place since gets a
/// fresh node.
Node* grad_fn(const Tensor& tensor);
/// Where the gradient of `tensor` must flow; an empty edge when it needs none.
Edge gradient_edge(const Tensor& tensor);
/// Sets requires_grad of a leaf; errors of PyTorch for non-leaves and for types that are not floating.
void set_requires_grad(const Tensor& tensor, bool value);
/// Keeps the gradient of a non-leaf in .grad.
void retain_gradient(const Tensor& tensor);
bool retains_gradient(const Tensor& tensor);
void stop_retaining(AutogradMeta& meta);
/// Where the hooks on the gradient of `tensor` are kept; null when there is no such place yet and none is to
/// be made. Hooks belong to the value that the tensor has now: an in-place write leaves them behind.
Ref<TensorHooks>* hooks_of(const Tensor& tensor, bool make);

/// A tensor on the same storage that is cut from the graph; shares the version counter unless
/// `fresh_version`.
Tensor detach(const Tensor& tensor, bool fresh_version = false);

/// Notes that `view` is a differentiable view of `source` (called by every view operation).
void set_view_of(const Tensor& view, const Tensor& source, ViewKind kind = ViewKind::ordinary);

/// Makes `node` the history of `tensor` (a new result, not a view).
void set_history(const Tensor& tensor, Ref<Node> node);
/// Refuses a write to an inference tensor outside of inference mode.
void check_writable(const Tensor& tensor);
/// Called before an in-place write: refuses what autograd cannot follow, with PyTorch's words.
void check_inplace(const Tensor& tensor, bool records);
/// Makes `node` the history of `tensor` after an in-place write, and that of its base if it is a view.
void rebase_history(const Tensor& tensor, Ref<Node> node);

/// Adds arriving gradients to a leaf's .grad. The graph owns it and it owns the leaf; when no graph refers to
/// it any more, it lets go of the leaf and rests in the leaf's AutogradMeta until the next graph.
struct AccumulateGrad final : Node {
  explicit AccumulateGrad(Tensor leaf);
  ~AccumulateGrad() override;
  /// Takes up its work for the leaf again.
  void wake(const Tensor& leaf);
  std::string name() const override { return "torch::autograd::AccumulateGrad"; }
  void apply(std::span<Tensor> gradients, std::span<Tensor>) override;
  bool is_accumulator() const override { return true; }
  void accumulate(Tensor gradient);
  bool has_hooks() const;
  Tensor variable;  // undefined while at rest

 protected:
  void on_zero() override;
};

}  // namespace tapegrad::autograd
