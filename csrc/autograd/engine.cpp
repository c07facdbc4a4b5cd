#include "autograd/engine.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "autograd/anomaly.h"
#include "autograd/gradient_ops.h"
#include "autograd/hooks.h"
#include "autograd/variable.h"
#include "core/inline_array.h"
#include "core/profiler.h"

namespace tapegrad::autograd {

GradientOps gradient_ops;

/// One run of the backward pass. Several may be active at once: in other threads, or nested inside a hook.
class Engine {
 public:
  Engine(bool keep_graph, std::span<const Edge> inputs, bool accumulate)
      : keep_graph_(keep_graph), accumulate_(accumulate), inputs_(inputs), captured_(inputs.size()) {}
  ~Engine() {
    // After an error nodes that were reached but not executed still hold gradients.
    for (Node* node : heap_) release(node);
  }

  void restrict_to_inputs(std::span<const Edge> roots);
  void arrive(const Edge& edge, Tensor gradient);
  void run();
  bool will_execute(Node* node);
  uint64_t number() const { return number_; }
  bool has_inputs() const { return !inputs_.empty(); }
  void keep(Ref<RefCounted> object) { kept_.push_back(std::move(object)); }
  std::vector<Tensor> take_captured() { return std::move(captured_); }

 private:
  struct Buffer {
    Tensor* first;  // output 0
    Tensor* more;   // outputs 1...
    Tensor& operator[](uint32_t i) { return i == 0 ? *first : more[i - 1]; }
  };
  static bool shallower(const Node* a, const Node* b) { return a->depth < b->depth; }
  static Buffer scratch(Node* node) {
    return {&node->pending_, node->more_ ? node->more_->pending.get() : nullptr};
  }

  Buffer buffer(Node* node);
  void release(Node* node);
  void execute(Node* node);
  void execute_recorded(Node* node);
  void capture(Node* node, uint32_t output, const Tensor& gradient);

  static inline uint64_t count_ = 0;
  const uint64_t number_ = ++count_;
  Node* executing_ = nullptr;
  bool keep_graph_;
  bool accumulate_;
  std::span<const Edge> inputs_;
  std::vector<Tensor> captured_;
  std::unordered_set<Node*> needed_;                         // only with inputs_
  std::unordered_multimap<Node*, size_t> positions_;         // of nodes in inputs_
  std::vector<Node*> heap_;                                  // reached, not yet executed; deepest first
  std::unordered_map<Node*, std::vector<Tensor>> overflow_;  // for nodes that another run is using
  std::vector<Ref<RefCounted>> kept_;
};

// Note [Engine scratch]
// A run keeps the gradients that arrive at a node inside the node itself, which needs no lookup. A node that
// is in use by another run (another thread, or an outer run while a hook starts a new one) is kept in a table
// instead.
Engine::Buffer Engine::buffer(Node* node) {
  if (node->runner_ == this) return scratch(node);
  // A node that has a place in the table keeps it until it is executed, also when the other run has left it.
  const bool in_table = !overflow_.empty() && overflow_.contains(node);
  if (node->runner_ == nullptr && !in_table) {
    node->runner_ = this;
    node->retain();
    if (node->more_ && !node->more_->pending)
      node->more_->pending = std::make_unique<Tensor[]>(node->output_count_ - 1);
  } else {
    auto [slot, inserted] = overflow_.try_emplace(node, std::max(node->output_count_, 1u));
    Buffer buffer{slot->second.data(), slot->second.data() + 1};
    if (!inserted) return buffer;
    node->retain();
    heap_.push_back(node);
    std::push_heap(heap_.begin(), heap_.end(), shallower);
    return buffer;
  }
  heap_.push_back(node);
  std::push_heap(heap_.begin(), heap_.end(), shallower);
  return scratch(node);
}

void Engine::release(Node* node) {
  if (node->runner_ == this) {
    node->runner_ = nullptr;
    node->pending_.reset();
    if (node->more_) node->more_->pending.reset();
  } else {
    overflow_.erase(node);
  }
  node->release();
}

namespace {

void accumulate_into(Tensor& slot, Tensor gradient) {
  if (!slot.defined())
    slot = std::move(gradient);
  else if (!modes.grad && slot.is_unshared() && !slot->grad_fn && slot.dtype() == gradient.dtype())
    gradient_ops.add_in_place(slot, gradient);
  else
    slot = gradient_ops.add(slot, gradient);
}

}  // namespace

namespace {

constexpr const char* kEvaluation = "autograd::engine::evaluate_function: ";

/// Adds to a leaf's gradient, in a profile.
[[gnu::noinline]] void accumulate_recorded(AccumulateGrad& leaf, Tensor gradient) {
  const profiler::Block evaluation(profiler::Scope::operation, kEvaluation + leaf.name());
  const profiler::Block derivative(profiler::Scope::derivative, leaf.name(), &leaf, {&gradient, 1});
  leaf.accumulate(std::move(gradient));
}

void apply(Node& node, std::span<Tensor> gradients, std::span<Tensor> results) {
  if (modes.anomaly) [[unlikely]]
    apply_watched(node, gradients, results);
  else
    node.apply(gradients, results);
}

/// The same in a profile.
[[gnu::noinline]] void apply_recorded(Node& node, std::span<Tensor> gradients, std::span<Tensor> results) {
  const profiler::Block derivative(profiler::Scope::derivative, node.name(), &node, gradients);
  apply(node, gradients, results);
}

}  // namespace

void Engine::arrive(const Edge& edge, Tensor gradient) {
  Node* node = edge.node.get();
  if (!needed_.empty() && !needed_.contains(node)) return;
  if (node->is_accumulator() && inputs_.empty()) {
    auto* leaf = static_cast<AccumulateGrad*>(node);
    if (!leaf->has_hooks()) {
      if (!gradient.defined()) return;
      if (profiler::active) [[unlikely]]
        return accumulate_recorded(*leaf, std::move(gradient));
      return leaf->accumulate(std::move(gradient));
    }
    // A hook sees the sum of all that arrives, so it has to wait in the heap like any node.
  }
  Buffer pending = buffer(node);
  if (gradient.defined()) accumulate_into(pending[edge.input_nr], std::move(gradient));
}

void Engine::capture(Node* node, uint32_t output, const Tensor& gradient) {
  const auto [first, last] = positions_.equal_range(node);
  for (auto position = first; position != last; ++position)
    if (inputs_[position->second].input_nr == output) captured_[position->second] = gradient;
}

namespace {
thread_local Engine* current_engine = nullptr;
}

uint64_t current_run() { return current_engine ? current_engine->number() : 0; }
bool run_has_inputs() { return current_engine && current_engine->has_inputs(); }
void keep_until_run_ends(Ref<RefCounted> object) { current_engine->keep(std::move(object)); }
bool will_execute(Node* node) { return current_engine && current_engine->will_execute(node); }

bool Engine::will_execute(Node* wanted) {
  if (!needed_.empty() && !needed_.contains(wanted)) return false;
  std::vector<Node*> pending = heap_;
  if (executing_) pending.push_back(executing_);
  std::unordered_set<Node*> seen(pending.begin(), pending.end());
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    if (node == wanted) return true;
    for (const Edge& edge : node->edges())
      if (edge.node && edge.node->depth >= wanted->depth && seen.insert(edge.node.get()).second)
        pending.push_back(edge.node.get());
  }
  return false;
}

void Engine::run() {
  struct Current {
    explicit Current(Engine* engine) : previous(std::exchange(current_engine, engine)) {}
    ~Current() { current_engine = previous; }
    Engine* previous;
  } scope(this);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), shallower);
    if (profiler::active) [[unlikely]]
      execute_recorded(heap_.back());
    else
      execute(heap_.back());
  }
}

void Engine::execute_recorded(Node* node) {
  const profiler::Block evaluation(profiler::Scope::operation, kEvaluation + node->name());
  execute(node);
}

void Engine::execute(Node* node) {
  const uint32_t outputs = std::max(node->output_count_, 1u);
  // Move the gradients out of the scratch, so that a nested run may use the node.
  InlineArray<Tensor, 1> arrived(outputs);
  const std::span<Tensor> gradients = arrived.span();
  {
    Buffer pending = node->runner_ == this ? scratch(node)
                                           : Buffer{overflow_.at(node).data(), overflow_.at(node).data() + 1};
    for (uint32_t i = 0; i < outputs; ++i) gradients[i] = std::move(pending[i]);
  }
  heap_.pop_back();
  if (node->runner_ == this)
    node->runner_ = nullptr;
  else
    overflow_.erase(node);
  const Ref<Node> owner = Ref<Node>::adopt(node);  // the count that buffer() took
  executing_ = node;

  if (!inputs_.empty()) {
    bool leads_on = accumulate_ && node->is_accumulator();
    for (Edge& edge : node->edges()) leads_on |= edge.node && needed_.contains(edge.node.get());
    // As in PyTorch, hooks change what is captured only where the traversal ends.
    if (!leads_on) call_tensor_hooks(*node, gradients);
    for (uint32_t i = 0; i < outputs; ++i)
      if (gradients[i].defined() && !(accumulate_ && node->is_accumulator())) capture(node, i, gradients[i]);
    if (!leads_on) return;
  }
  if (node->extras_ || node->is_accumulator()) [[unlikely]]
    call_tensor_hooks(*node, gradients);
  if (node->has_node_hooks() && node->extras_->pre_hooks) [[unlikely]] {
    const auto hooks = node->extras_->pre_hooks;
    hooks->call(gradients, {});
  }
  if (std::none_of(gradients.begin(), gradients.end(), [](const Tensor& g) { return g.defined(); })) {
    for (Edge& edge : node->edges())
      if (edge.node) arrive(edge, {});
    return;
  }

  const std::span<Edge> edges = node->edges();
  InlineArray<Tensor, 4> computed(edges.size());
  const std::span<Tensor> results = computed.span();
  {
    const Node::WantedScope scope(inputs_.empty() ? nullptr : &needed_);
    if (profiler::active) [[unlikely]]
      apply_recorded(*node, gradients, results);
    else
      apply(*node, gradients, results);
  }
  if (!keep_graph_) node->release_saved();
  if (node->has_node_hooks() && node->extras_->post_hooks) [[unlikely]] {
    const auto hooks = node->extras_->post_hooks;
    hooks->call(results, gradients);
  }
  // Let go of what arrived, so that a gradient that is passed on is owned by nobody else and may be added to
  // in place.
  for (Tensor& gradient : gradients) gradient.reset();
  for (size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    if (!edge.node) continue;
    if (results[i].defined()) fit_gradient(*node, static_cast<int>(i), edge, results[i]);
    arrive(edge, std::move(results[i]));
  }
}

void fit_gradient(const Node& source, int position, const Edge& edge, Tensor& gradient) {
  const OutputMeta& meta = edge.node->output(edge.input_nr);
  if (!(gradient.shape() == meta.shape)) {
    const IntSpan from(gradient.shape()), to(meta.shape);
    bool expandable = from.size() >= to.size();
    for (size_t i = 0; expandable && i < to.size(); ++i) {
      const int64_t size = to[to.size() - 1 - i];
      expandable = size == 1 || size == from[from.size() - 1 - i];
    }
    TG_CHECK(expandable, "Function ", source.name(), " returned an invalid gradient at index ", position,
             " - got ", to_string(from), " but expected shape compatible with ", to_string(to));
    gradient = gradient_ops.sum_to_shape(gradient, to);
  }
  if (gradient.dtype() != meta.dtype) gradient = gradient_ops.cast(gradient, meta.dtype);
}

void Engine::restrict_to_inputs(std::span<const Edge> roots) {
  // Collect what is reachable, then walk it from the shallow end: a node is needed when an edge leads to one.
  std::unordered_set<Node*> seen;
  std::vector<Node*> order;
  for (const Edge& root : roots)
    if (seen.insert(root.node.get()).second) order.push_back(root.node.get());
  for (size_t i = 0; i < order.size(); ++i)
    for (Edge& edge : order[i]->edges())
      if (edge.node && seen.insert(edge.node.get()).second) order.push_back(edge.node.get());
  std::sort(order.begin(), order.end(), shallower);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    needed_.insert(inputs_[i].node.get());
    positions_.emplace(inputs_[i].node.get(), i);
  }
  for (Node* node : order)
    for (Edge& edge : node->edges())
      if (edge.node && needed_.contains(edge.node.get())) {
        needed_.insert(node);
        break;
      }
}

std::vector<Tensor> run_backward(std::span<const Edge> roots, std::span<Tensor> gradients, bool keep_graph,
                                 bool create_graph, std::span<const Edge> inputs, bool accumulate) {
  GradModeGuard mode(create_graph);
  Engine engine(keep_graph, inputs, accumulate);
  if (!inputs.empty()) engine.restrict_to_inputs(roots);
  for (size_t i = 0; i < roots.size(); ++i) engine.arrive(roots[i], std::move(gradients[i]));
  engine.run();
  return engine.take_captured();
}

namespace {

/// The gradient that a backward pass starts from, checked or, for one element, made.
Tensor root_gradient(const Endpoint& output, size_t position, const Tensor& given) {
  const OutputMeta& meta = output.edge.node->output(output.edge.input_nr);
  const Dims shape(meta.shape);
  if (given.defined()) {
    TG_CHECK(given.shape() == shape, "Mismatch in shape: grad_output[", position,
             "] has a shape of torch.Size(", to_string(given.shape()), ") and output[", position,
             "] has a shape of torch.Size(", to_string(shape), ").");
    return given.dtype() == meta.dtype ? given : gradient_ops.cast(given, meta.dtype);
  }
  TG_CHECK(count_elements(shape) == 1,
           "grad can be implicitly created only for scalar outputs. This one has shape ", to_string(shape),
           ": reduce it with sum() or mean(), or pass gradient=.");
  TG_CHECK(is_floating(meta.dtype), "grad can be implicitly created only for real scalar outputs but got ",
           dtype_name(meta.dtype));
  const Tensor one = empty(shape, meta.dtype);
  dispatch_floating(meta.dtype, [&](auto tag) { *one.data<typename decltype(tag)::type>() = 1; });
  return one;
}

}  // namespace

std::vector<Tensor> backward(std::span<const Endpoint> outputs, std::span<const Tensor> gradients,
                             bool keep_graph, bool create_graph, std::span<const Endpoint> inputs,
                             bool accumulate) {
  InlineArray<Edge, 1> roots(outputs.size());
  InlineArray<Tensor, 1> root_gradients(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    TG_CHECK(outputs[i].edge.node, "element ", i,
             " of tensors does not require grad and does not have a grad_fn. "
             "No operation that led to it had an input with requires_grad=True, or it was computed under "
             "no_grad().");
    root_gradients[i] = root_gradient(outputs[i], i, i < gradients.size() ? gradients[i] : Tensor());
    roots[i] = outputs[i].edge;
  }
  std::vector<Edge> input_edges;
  for (const Endpoint& input : inputs) {
    TG_CHECK(input.edge.node, "One of the differentiated Tensors does not require grad");
    input_edges.push_back(input.edge);
  }
  std::vector<Tensor> captured =
      run_backward(roots.span(), root_gradients.span(), keep_graph, create_graph, input_edges, accumulate);
  if (accumulate)  // inputs that are not leaves
    for (size_t i = 0; i < inputs.size(); ++i)
      if (const Tensor& tensor = inputs[i].tensor; captured[i].defined() && tensor.defined()) {
        const Tensor old = gradient(tensor);
        set_gradient(tensor, old.defined() ? gradient_ops.add(old, captured[i]) : captured[i]);
      }
  return captured;
}

}  // namespace tapegrad::autograd
