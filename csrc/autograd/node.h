// Node: one recorded operation. Edge: which output of which node a gradient flows to.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "autograd/grad_mode.h"
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad::autograd {

struct Node;
class Engine;
class SavedTensor;

struct Edge {
  Ref<Node> node;
  uint32_t input_nr = 0;
};

/// What the forward operation produced; gradients that arrive are fitted to it.
struct OutputMeta {
  SmallDims<4> shape;
  DType dtype = DType::float32;
};

/// The hooks on the gradient of one tensor, in order of registration: each may replace it.
struct TensorHooks : RefCounted {
  virtual void call(Tensor& gradient) = 0;
};
/// The hooks of a node, in order of registration. Before the node runs they may replace what arrived
/// (`gradients`; `arrived` is empty), after it what was computed from `arrived`.
struct NodeHooks : RefCounted {
  virtual void call(std::span<Tensor> gradients, std::span<const Tensor> arrived) = 0;
};

/// What is known about the place in the program that recorded a node.
struct ForwardTrace : RefCounted {
  /// The traceback, outermost call first, as Python prints it.
  virtual std::string text() const = 0;
  /// The innermost line: "file.py:12: y = x * 2".
  virtual std::string line() const = 0;
};

/// Extras of a node that most never need.
struct NodeExtras {
  std::vector<std::pair<uint32_t, Ref<TensorHooks>>> tensor_hooks;  // by output
  std::vector<std::pair<uint32_t, TensorImpl*>> retained;           // outputs whose .grad is kept; not owned
  Ref<NodeHooks> pre_hooks;
  Ref<NodeHooks> post_hooks;
  Ref<RefCounted> metadata;
  Node* outputs_of = nullptr;  // the node whose outputs this one's saved outputs are, if it is not this one
  Ref<ForwardTrace> trace;     // in anomaly mode: see anomaly.h
  Ref<Node> induced_by;        // likewise: the node whose backward recorded this one
  void* python_object = nullptr;  // the Python object that stands for the node; not owned
};

/// Sees what a node saved: see Node::visit_saved.
struct SavedVisitor {
  virtual void tensor(const char* name, SavedTensor& saved) = 0;
  virtual void number(const char* name, Scalar value) = 0;

 protected:
  ~SavedVisitor() = default;
};

struct Node : Pooled, RefCounted {
  Node() {
    ++mutable_memory_stats().live_nodes;
    if (modes.anomaly) [[unlikely]]
      trace_forward();
  }
  ~Node() override;

  /// PyTorch's name of the backward function: "AddBackward0".
  virtual std::string name() const = 0;
  /// The derivative: gradients of the outputs in (some may be undefined), gradients of the inputs out.
  /// `results` has one undefined tensor per edge; those nobody needs may stay undefined.
  virtual void apply(std::span<Tensor> gradients, std::span<Tensor> results) = 0;
  /// Frees what the forward operation saved; apply must not be called afterwards.
  virtual void release_saved() {}
  /// Shows what was saved, in the order in which it was; names are empty where only the order is known.
  virtual void visit_saved(SavedVisitor&) {}
  /// A saved output with its place in the graph, for a derivative that is itself recorded.
  virtual Tensor reattach(const Tensor& output, uint32_t output_nr);
  /// True for the node that adds to a leaf's .grad.
  virtual bool is_accumulator() const { return false; }
  /// The node that this one owns and runs as a part of itself, if any.
  virtual Node* enclosed() const { return nullptr; }

  std::span<Edge> edges() { return {edges_, edge_count_}; }
  bool needs_input_gradient(int i) const {
    Node* target = edges_[i].node.get();
    return target && (!wanted || wanted->contains(target));
  }
  uint32_t output_count() const { return output_count_; }
  const OutputMeta& output(uint32_t i) const { return i == 0 ? first_output_ : more_->outputs[i - 1]; }
  /// Adds an output that is no tensor, or the next tensor; returns its number.
  uint32_t add_output();
  uint32_t add_output(const Tensor& tensor);
  void set_output(uint32_t i, const Tensor& tensor);
  NodeExtras& extras() {
    if (!extras_) extras_ = std::make_unique<NodeExtras>();
    return *extras_;
  }
  bool has_extras() const { return static_cast<bool>(extras_); }
  bool has_node_hooks() const { return extras_ && (extras_->pre_hooks || extras_->post_hooks); }

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
  void trace_forward();  // anomaly.cpp
  /// What a node with several outputs keeps of those after the first.
  struct MoreOutputs {
    std::vector<OutputMeta> outputs;
    std::unique_ptr<Tensor[]> pending;
  };
  OutputMeta first_output_;
  Edge* edges_ = nullptr;
  uint32_t edge_count_ = 0;
  uint32_t output_count_ = 0;
  std::unique_ptr<NodeExtras> extras_;
  // Scratch of the engine run that has reached this node: see Engine::buffer.
  Engine* runner_ = nullptr;
  Tensor pending_;
  std::unique_ptr<MoreOutputs> more_;
};

/// Node with room for N edges inside.
template <int N>
struct NodeWithEdges : Node {
 protected:
  NodeWithEdges() { set_edges(storage_, N); }
  Edge storage_[N];
};

/// The operation that a node belongs to, as PyTorch's messages name it: "Exp" for ExpBackward0.
std::string operation_name(const Node& node);

}  // namespace tapegrad::autograd
