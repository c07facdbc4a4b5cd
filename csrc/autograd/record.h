// record: the only way to add an operation to the graph.
//
//   return record("MmBackward0", out, {a, b}, {save(a), save(b)}, [](Backward& b) {
//     b.give(0, [&] { return mm(b.grad(), transpose(b.saved(1))); });
//     b.give(1, [&] { return mm(transpose(b.saved(0)), b.grad()); });
//   });
//
// The function may capture numbers and shapes; tensors must go through save(...).
#pragma once
#include <functional>
#include <initializer_list>
#include <type_traits>

#include "autograd/forward.h"
#include "autograd/saved_tensor.h"

namespace tapegrad::autograd {

struct Save {
  const Tensor& tensor;
  bool is_output;
};
/// Keeps an input for the derivative.
inline Save save(const Tensor& tensor) { return {tensor, false}; }
/// Keeps a result of the recorded operation for the derivative.
inline Save save_output(const Tensor& tensor) { return {tensor, true}; }

/// What a derivative sees: the arriving gradients, the saved tensors, which inputs need a gradient.
class Backward {
 public:
  Backward(Node* node, std::span<Tensor> gradients, std::span<Tensor> results, std::span<SavedTensor> saved)
      : node_(node), gradients_(gradients), results_(results), saved_(saved) {}

  /// Gradient of output i; undefined when nothing arrived (never for a single output).
  const Tensor& grad(int i = 0) const { return gradients_[i]; }
  /// Gradient of output i, zeros when nothing arrived.
  Tensor grad_or_zeros(int i) const;
  Tensor saved(int i) const { return saved_[i].unpack(node_); }
  bool needs(int i) const { return node_->needs_input_gradient(i); }
  int input_count() const { return static_cast<int>(results_.size()); }
  /// Whether the derivative itself is being differentiated; if not, a fused kernel may be used.
  static bool creates_graph() { return differentiating(); }

  void give(int i, Tensor gradient) { results_[i] = std::move(gradient); }
  /// Gives compute() to input i if that input needs it.
  template <class F>
    requires std::is_invocable_v<F>
  void give(int i, F&& compute) {
    if (needs(i)) results_[i] = compute();
  }

 private:
  Node* node_;
  std::span<Tensor> gradients_;
  std::span<Tensor> results_;
  std::span<SavedTensor> saved_;
};

/// Node made from a function; F takes Backward& and returns nothing, or the gradient of the only input.
template <class F>
class FunctionNode final : public Node {
 public:
  template <class Inputs, class Saves>
  FunctionNode(const char* name, const Inputs& inputs, const Saves& saves, F function)
      : FunctionNode(name, std::move(function)) {  // from here on the destructor runs, should a hook throw
    edge_storage_ = inputs.size() <= kInlineEdges ? inline_edges_ : new Edge[inputs.size()];
    set_edges(edge_storage_, inputs.size());
    size_t i = 0;
    for (const Tensor& input : inputs) connect(edge_storage_[i++], input);
    saved_count_ = static_cast<uint32_t>(saves.size());
    saved_ = saves.size() <= kInlineSaves ? inline_saved_ : new SavedTensor[saves.size()];
    pending_saves_ = 0;
    i = 0;
    for (const Save& save : saves) {
      // Outputs can only be saved once they have an output number: see finish().
      if (save.is_output)
        ++pending_saves_;
      else
        saved_[i] = SavedTensor(save.tensor, false);
      ++i;
    }
  }
  ~FunctionNode() override {
    if (edge_storage_ != inline_edges_) delete[] edge_storage_;
    if (saved_ != inline_saved_) delete[] saved_;
  }

  template <class Saves>
  void finish(const Saves& saves) {
    if (pending_saves_ == 0) return;
    size_t i = 0;
    for (const Save& save : saves) {
      if (save.is_output) saved_[i] = SavedTensor::of_output(save.tensor);
      ++i;
    }
  }

  /// The same for their tangents, which are known later still.
  template <class Saves>
  void carry_tangents(const Saves& saves) {
    size_t i = 0;
    for (const Save& save : saves) saved_[i++].carry_tangent(save.tensor);
  }

  std::string name() const override { return name_; }
  void apply(std::span<Tensor> gradients, std::span<Tensor> results) override {
    if (saved_released) [[unlikely]]
      fail_backward_twice(*this);
    Backward context(this, gradients, results, {saved_, saved_count_});
    if constexpr (std::is_void_v<std::invoke_result_t<F&, Backward&>>)
      function_(context);
    else
      results[0] = function_(context);
  }
  void release_saved() override {
    if (saved_count_ == 0) return;
    for (uint32_t i = 0; i < saved_count_; ++i) saved_[i].reset();
    saved_released = true;
  }
  void visit_saved(SavedVisitor& visitor) override {
    for (uint32_t i = 0; i < saved_count_; ++i) visitor.tensor("", saved_[i]);
  }

 private:
  FunctionNode(const char* name, F function) : name_(name), function_(std::move(function)) {}

  static constexpr size_t kInlineEdges = 3, kInlineSaves = 4;
  const char* name_;
  Edge inline_edges_[kInlineEdges];
  Edge* edge_storage_ = inline_edges_;
  SavedTensor inline_saved_[kInlineSaves];
  SavedTensor* saved_ = inline_saved_;
  uint32_t saved_count_ = 0;
  uint32_t pending_saves_;
  [[no_unique_address]] F function_;

  void connect(Edge& edge, const Tensor& input) {
    if (!input.defined()) return;
    edge = gradient_edge(input);
    if (edge.node && edge.node->depth >= depth) depth = edge.node->depth + 1;
  }
};

/// References to the inputs of an operation; a braced list of tensors, or a vector.
using TensorRefs = std::initializer_list<std::reference_wrapper<const Tensor>>;

template <class Inputs>
bool any_tracked(const Inputs& inputs) {
  if (!modes.grad) return false;
  for (const Tensor& input : inputs)
    if (input.defined() && requires_grad(input)) return true;
  return false;
}

/// Whether an operation on `inputs` has to be recorded or carries tangents on.
template <class Inputs>
bool any_differentiated(const Inputs& inputs) {
  return any_tracked(inputs) || any_dual(inputs);
}

/// Makes a node the history of `outputs`; those of integer types are left out of the graph.
template <class Inputs, class F>
Ref<FunctionNode<F>> attach_node(const char* name, std::span<Tensor> outputs, const Inputs& inputs,
                                 std::initializer_list<Save> saves, F function) {
  const Ref<FunctionNode<F>> node(new FunctionNode<F>(name, inputs, saves, std::move(function)));
  for (Tensor& output : outputs) {
    if (is_floating(output.dtype()))
      set_history(output, node);
    else
      node->add_output(output);
  }
  node->finish(saves);
  return node;
}

/// The tangents of an operation's outputs: see Note [Forward mode].
template <class F>
std::vector<Tensor> forward_tangents(const char* name, std::span<const Tensor> outputs,
                                     const DualInputs& inputs, std::initializer_list<Save> saves, F function,
                                     Node* recorded) {
  auto* probe = new FunctionNode<F>(name, inputs.stand_ins, saves, std::move(function));
  const Ref<Node> owner(probe);
  probe->finish(saves);
  return tangents_of_results(outputs, *probe, recorded, inputs);
}

/// Records an operation with several outputs; outputs of integer types are left out of the graph.
template <class Inputs, class F>
void record_outputs(const char* name, std::span<Tensor> outputs, const Inputs& inputs,
                    std::initializer_list<Save> saves, F function) {
  if (!modes.forward) [[likely]] {
    if (any_tracked(inputs)) attach_node(name, outputs, inputs, saves, std::move(function));
    return;
  }
  DualInputs duals;
  for (const Tensor& input : inputs) duals.add(input);
  Ref<FunctionNode<F>> recorded;
  if (any_tracked(inputs)) recorded = attach_node(name, outputs, inputs, saves, function);
  if (!duals.any()) return;
  const auto tangents = forward_tangents(name, outputs, duals, saves, std::move(function), recorded.get());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (tangents[i].defined()) make_dual(outputs[i], tangents[i]);
  if (recorded) recorded->carry_tangents(saves);
}

/// Records an operation with one output, and returns that output.
template <class F>
Tensor record(const char* name, Tensor output, TensorRefs inputs, std::initializer_list<Save> saves,
              F function) {
  record_outputs(name, {&output, 1}, inputs, saves, std::move(function));
  return output;
}
/// The same for an operation on a list of tensors.
template <class F>
Tensor record(const char* name, Tensor output, const std::vector<Tensor>& inputs,
              std::initializer_list<Save> saves, F function) {
  record_outputs(name, {&output, 1}, inputs, saves, std::move(function));
  return output;
}

/// Records an operation that has just written its result into `self`, and counts the write. Call
/// check_inplace before the write; what was in `self` before can only be saved as a clone.
template <class F>
const Tensor& record_inplace(const char* name, const Tensor& self, TensorRefs inputs,
                             std::initializer_list<Save> saves, F function) {
  DualInputs duals;
  if (modes.forward) [[unlikely]]
    for (const Tensor& input : inputs) duals.add(input);
  self.bump_version();
  Ref<FunctionNode<F>> recorded;
  if (any_tracked(inputs)) {
    recorded = Ref<FunctionNode<F>>(new FunctionNode<F>(name, inputs, saves, function));
    rebase_history(self, recorded);
    recorded->finish(saves);
  }
  if (duals.any()) [[unlikely]] {
    write_tangent(self,
                  forward_tangents(name, {&self, 1}, duals, saves, std::move(function), recorded.get())[0]);
    if (recorded) recorded->carry_tangents(saves);
  }
  return self;
}

}  // namespace tapegrad::autograd
