// Node: one recorded operation. Edge: which output of which node a gradient flows to.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace tapegrad::autograd {

struct Node;
class Engine;

struct Edge {
  Ref<Node> node;
  uint32_t input_nr = 0;
};

/// What the forward operation produced; gradients that arrive are fitted to it.
struct OutputMeta {
  SmallDims<4> shape;
  DType dtype = DType::float32;
};

/// Called with the gradient of one tensor; an undefined result leaves the gradient as it is.
struct TensorHook : RefCounted {
  virtual Tensor call(const Tensor& gradient) = 0;
};
/// Called before (post == false, on what arrives) or after (on what was computed) a node's apply.
struct NodeHook : RefCounted {
  virtual void call(std::vector<Tensor>& results, const std::vector<Tensor>& gradients) = 0;
};

/// Extras of a node that most never need.
struct NodeExtras {
  std::vector<std::pair<uint32_t, Ref<TensorHook>>> tensor_hooks;  // (output, hook), in order of registration
  std::vector<std::pair<uint32_t, TensorImpl*>> retained;          // outputs whose .grad is kept; not owned
  std::vector<std::pair<uint64_t, Ref<NodeHook>>> pre_hooks;
  std::vector<std::pair<uint64_t, Ref<NodeHook>>> post_hooks;
  Ref<RefCounted> metadata;
  Node* outputs_of = nullptr;  // the node whose outputs this one's saved outputs are, if it is not this one
};

struct Node : Pooled, RefCounted {
  Node() { ++mutable_memory_stats().live_nodes; }
  ~Node() override;

  /// PyTorch's name of the backward function: "AddBackward0".
  virtual std::string name() const = 0;
  /// The derivative: gradients of the outputs in (some may be undefined), gradients of the inputs out.
  /// `results` has one undefined tensor per edge; those nobody needs may stay undefined.
  virtual void apply(std::span<Tensor> gradients, std::span<Tensor> results) = 0;
  /// Frees what the forward operation saved; apply must not be called afterwards.
  virtual void release_saved() {}
  /// The saved tensors by name, for tools that draw graphs: calls visit(name, tensor).
  virtual void visit_saved(const std::function<void(const char*, const Tensor&)>&) {}
  /// A saved output with its place in the graph, for a derivative that is itself recorded.
  virtual Tensor reattach(const Tensor& output, uint32_t output_nr);
  /// True for the node that adds to a leaf's .grad.
  virtual bool is_accumulator() const { return false; }

  std::span<Edge> edges() { return {edges_, edge_count_}; }
  bool needs_input_gradient(int i) const {
    Node* target = edges_[i].node.get();
    return target && (!wanted || wanted->contains(target));
  }
  uint32_t output_count() const { return output_count_; }
  const OutputMeta& output(uint32_t i) const { return i == 0 ? first_output_ : more_outputs_[i - 1]; }
  uint32_t add_output(const Tensor& tensor);
  void set_output(uint32_t i, const Tensor& tensor);
  NodeExtras& extras() {
    if (!extras_) extras_ = std::make_unique<NodeExtras>();
    return *extras_;
  }
  bool has_extras() const { return static_cast<bool>(extras_); }

  // The nodes that a run with inputs= executes; null in a run that wants all gradients.
  using Wanted = const std::unordered_set<Node*>*;
  static constinit thread_local Wanted wanted;
  class WantedScope {
   public:
    explicit WantedScope(Wanted nodes) : previous_(std::exchange(wanted, nodes)) {}
    WantedScope(const WantedScope&) = delete;
    WantedScope& operator=(const WantedScope&) = delete;
    ~WantedScope() { wanted = previous_; }

   private:
    Wanted previous_;
  };

  // 1 + the largest depth among the inputs' nodes: executing by falling depth is a valid order, because every
  // edge points to a smaller depth.
  uint32_t depth = 0;
  bool saved_released = false;

 protected:
  void set_edges(Edge* edges, size_t count) {
    edges_ = edges;
    edge_count_ = static_cast<uint32_t>(count);
  }
  void on_zero() override;

 private:
  friend class Engine;
  OutputMeta first_output_;
  std::vector<OutputMeta> more_outputs_;
  Edge* edges_ = nullptr;
  uint32_t edge_count_ = 0;
  uint32_t output_count_ = 0;
  std::unique_ptr<NodeExtras> extras_;
  // Scratch of the engine run that has reached this node: see Engine::buffer.
  Engine* runner_ = nullptr;
  Tensor pending_;
  std::unique_ptr<Tensor[]> more_pending_;
};

/// Node with room for N edges inside.
template <int N>
struct NodeWithEdges : Node {
 protected:
  NodeWithEdges() { set_edges(storage_, N); }
  Edge storage_[N];
};

}  // namespace tapegrad::autograd
