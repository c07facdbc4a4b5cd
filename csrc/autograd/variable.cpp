#include "autograd/variable.h"

#include <algorithm>

#include "autograd/cycles.h"
#include "autograd/saved_tensor.h"
#include "autograd/view_window.h"
#include "core/long_work.h"

namespace tapegrad::autograd {

AutogradMeta& autograd_meta(const Tensor& tensor) {
  if (!tensor->autograd) tensor->autograd = Ref<RefCounted>(new AutogradMeta);
  return *static_cast<AutogradMeta*>(tensor->autograd.get());
}

Tensor gradient(const Tensor& tensor) {
  AutogradMeta* meta = autograd_meta_or_null(tensor);
  return meta ? meta->grad : Tensor();
}

void set_gradient(const Tensor& tensor, const Tensor& gradient) {
  if (!gradient.defined()) {
    if (AutogradMeta* meta = autograd_meta_or_null(tensor)) meta->grad.reset();
    return;
  }
  TG_CHECK(!gradient.is_same(tensor), "can't assign Variable as its own grad");
  TG_CHECK(gradient.shape() == tensor.shape(), "attempting to assign a gradient of size '",
           to_string(gradient.shape()), "' to a tensor of size '", to_string(tensor.shape()),
           "'. Please ensure that the gradient and the tensor are the same size");
  TG_CHECK(gradient.dtype() == tensor.dtype(), "attempting to assign a gradient with dtype '",
           cpp_type_name(gradient.dtype()), "' to a tensor with grad_dtype '",
           scalar_type_name(tensor.dtype()), "'. Convert it with .to(tensor.dtype) first.");
  autograd_meta(tensor).grad = gradient;
}

namespace {

/// The error for a view whose history cannot follow a write: to itself, or (`indirect`) to what it shares
/// memory with.
[[noreturn, gnu::cold]] void refuse_write(const Tensor& view, bool indirect) {
  const auto* node = static_cast<const Node*>(view->grad_fn.get());
  const ViewKind kind = view->view_kind;
  const char* what = indirect ? "its base or another view of its base has been modified inplace"
                              : "is being modified inplace";
  std::string text;
  if (kind == ViewKind::inference)
    text = concat("A view was created in inference mode and ", what, " in normal mode.");
  else if (kind == ViewKind::no_grad || !node)
    text = concat("A view was created in no_grad mode and ", what, " with grad mode enabled.");
  else
    text = concat("Output ", view->output_nr, " of ", operation_name(*node), " is a view and ", what, ".");
  switch (kind) {
    case ViewKind::multi_output:
      text +=
          " This view is the output of a function that returns multiple views. Such functions do not allow "
          "the "
          "output views to be modified inplace. You should replace the inplace operation by an out-of-place "
          "one.";
      break;
    case ViewKind::custom_function:
      text +=
          " This view was created inside a custom Function (or because an input was returned as-is) and the "
          "autograd logic to handle view+inplace would override the custom backward associated with the "
          "custom "
          "Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning "
          "the output of the custom Function.";
      break;
    default:
      text += concat(
          " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your "
          "code by "
          "moving both the view and the inplace either both inside the ",
          kind == ViewKind::inference ? "inference_mode" : "no_grad",
          " block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to "
          "be "
          "tracked).");
  }
  fail(ErrorKind::runtime, text);
}

}  // namespace

bool view_requires_grad(const Tensor& view) {
  return view.version() != view->view_version && requires_grad(Tensor(view->base));
}

Node* grad_fn(const Tensor& tensor) {
  if (tensor->base && tensor.version() != tensor->view_version) {
    const Tensor base(tensor->base);
    if (requires_grad(base)) {
      if (tensor->view_kind != ViewKind::ordinary) refuse_write(tensor, true);
      // The base has a new history since this view was made: read the view from the base again.
      GradModeGuard record(true);
      const Tensor fresh =
          gradient_ops.as_strided(base, tensor.shape(), tensor.strides(), tensor.storage_offset());
      tensor->grad_fn = fresh->grad_fn;
      tensor->output_nr = fresh->output_nr;
      tensor->view_version = tensor.version();
    }
  }
  return static_cast<Node*>(tensor->grad_fn.get());
}

Edge gradient_edge(const Tensor& tensor) {
  if (Node* node = grad_fn(tensor)) return {Ref<Node>(node), tensor->output_nr};
  if (!tensor->requires_grad) return {};
  AutogradMeta& meta = autograd_meta(tensor);
  if (!meta.accumulator)
    meta.accumulator = new AccumulateGrad(tensor);
  else if (!meta.accumulator->variable.defined())
    meta.accumulator->wake(tensor);
  return {Ref<Node>(meta.accumulator), 0};
}

void set_requires_grad(const Tensor& tensor, bool value) {
  TG_CHECK(is_leaf(tensor) || value,
           "you can only change requires_grad flags of leaf variables. If you want to use a computed "
           "variable in a subgraph "
           "that doesn't require differentiation use var_no_grad = var.detach().");
  if (!is_leaf(tensor)) return;
  TG_CHECK(!value || tensor.is_floating(),
           "only Tensors of floating point dtype can require gradients. This one has dtype ",
           dtype_name(tensor.dtype()), "; convert it with .float() first.");
  TG_CHECK(!value || !tensor->is_inference || inference_mode,
           "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  tensor->requires_grad = value;
}

void retain_gradient(const Tensor& tensor) {
  TG_CHECK(requires_grad(tensor), "can't retain_grad on Tensor that has requires_grad=False");
  if (is_leaf(tensor)) return;
  AutogradMeta& meta = autograd_meta(tensor);
  if (meta.retained_by) return;
  meta.retained_by = grad_fn(tensor);
  meta.owner = tensor.impl();
  meta.retained_by->extras().retained.push_back({tensor->output_nr, tensor.impl()});
}

// The node does not own the tensor, which owns the node: the tensor's part takes the entry out when it dies.
AutogradMeta::~AutogradMeta() {
  stop_retaining(*this);
  forget_tangent(*this);
  stop_watching(*this);
  delete accumulator;  // at rest, or it would own the tensor whose meta this is
}

void stop_retaining(AutogradMeta& meta) {
  if (!meta.retained_by) return;
  std::erase_if(meta.retained_by->extras().retained,
                [&](const auto& entry) { return entry.second == meta.owner; });
  meta.retained_by = nullptr;
}

bool retains_gradient(const Tensor& tensor) {
  AutogradMeta* meta = autograd_meta_or_null(tensor);
  return meta && meta->retained_by;
}

Ref<TensorHooks>* hooks_of(const Tensor& tensor, bool make) {
  Node* node = grad_fn(tensor);
  if (!node) {
    if (make) return &autograd_meta(tensor).hooks;
    AutogradMeta* meta = autograd_meta_or_null(tensor);
    return meta ? &meta->hooks : nullptr;
  }
  if (!make && !node->has_extras()) return nullptr;
  auto& hooks = node->extras().tensor_hooks;
  for (auto& [output, slot] : hooks)
    if (output == tensor->output_nr) return &slot;
  return make ? &hooks.emplace_back(tensor->output_nr, nullptr).second : nullptr;
}

Tensor detach(const Tensor& tensor, bool fresh_version) {
  Tensor alias = make_alias(tensor);
  if (fresh_version) alias->detached_version = Ref<VersionCounter>(new VersionCounter);
  return alias;
}

void set_view_of(const Tensor& view, const Tensor& source, ViewKind kind) {
  if (source->is_inference) return;
  view->base = source->base ? source->base : Ref<TensorImpl>(source.impl());
  view->view_version = view.version();
  const ViewKind made = inference_mode ? ViewKind::inference : !modes.grad ? ViewKind::no_grad : kind;
  view->view_kind = made == ViewKind::ordinary && source->base ? source->view_kind : made;
}

void set_history(const Tensor& tensor, Ref<Node> node) {
  tensor->output_nr = node->add_output(tensor);
  tensor->grad_fn = std::move(node);
}

void check_writable(const Tensor& tensor) {
  TG_CHECK(
      !tensor->is_inference || inference_mode,
      "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
      "normal tensor before doing inplace update.");
}

void check_inplace(const Tensor& tensor, bool records) {
  check_writable(tensor);
  if (!modes.grad) return;
  if (!tensor->base) {
    TG_CHECK(!tensor->requires_grad,
             "a leaf Variable that requires grad is being used in an in-place operation. Wrap the update in "
             "torch.no_grad(), or compute a new tensor instead.");
    return;
  }
  const Tensor base(tensor->base);
  const bool tracked = requires_grad(base) || requires_grad(tensor);
  if (tensor->view_kind != ViewKind::ordinary && (tracked || records)) refuse_write(tensor, false);
  TG_CHECK(
      !tracked || !is_leaf(base),
      "a view of a leaf Variable that requires grad is being used in an in-place operation. Wrap the update "
      "in torch.no_grad(), or clone() the leaf first.");
}

namespace {

/// The history of a base after one of its views was written to: the gradient of the base with the view's part
/// replaced by what flows through the operation that wrote it.
class CopySlices final : public Node {
 public:
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> function)
      : function_(std::move(function)), window_(base, view) {
    const auto inner = function_->edges();
    edge_storage_.assign(inner.begin(), inner.end());
    if (edge_storage_.empty()) edge_storage_.resize(1);
    edge_storage_[0] = gradient_edge(base);
    set_edges(edge_storage_.data(), edge_storage_.size());
    function_->extras().outputs_of = this;
    for (const Edge& edge : edge_storage_)
      if (edge.node) depth = std::max(depth, edge.node->depth + 1);
  }

  std::string name() const override { return "torch::autograd::CopySlices"; }

  void apply(std::span<Tensor> gradients, std::span<Tensor> results) override {
    const WantedScope all(nullptr);  // the function's first edge is not this node's
    const Tensor memory = window_.lay_out(gradients[0], gradients[0].dtype());
    const Tensor part = window_.part(memory);
    std::vector<Tensor> inner(function_->edges().size());
    Tensor arriving = gradient_ops.clone(part);
    function_->apply({&arriving, 1}, inner);
    if (edge_storage_[0].node) {
      if (!inner.empty() && inner[0].defined())
        gradient_ops.copy_in_place(part, inner[0]);
      else
        gradient_ops.copy_in_place(part, gradient_ops.zeros(part.shape(), part.dtype()));
      // Read again, so that the result has the history of the write to `part`.
      results[0] = window_.whole(memory);
    }
    for (size_t i = 1; i < inner.size(); ++i) results[i] = std::move(inner[i]);
  }
  /// What the function wrote is a part of this node's output.
  Tensor reattach(const Tensor& output, uint32_t) override {
    Tensor base = make_view(output, window_.base_shape(), window_.base_strides(),
                            output.storage_offset() - window_.offset());
    base->grad_fn = Ref<RefCounted>(this);
    base->output_nr = 0;
    return gradient_ops.as_strided(base, window_.view_shape(), window_.view_strides(),
                                   output.storage_offset());
  }
  Node* enclosed() const override { return function_.get(); }
  void release_saved() override {
    function_->release_saved();
    saved_released = function_->saved_released;
  }

 private:
  Ref<Node> function_;
  std::vector<Edge> edge_storage_;
  ViewWindow window_;
};

}  // namespace

namespace {

/// The old value keeps what flows to it; .grad follows the new value.
void replace_history(const Tensor& tensor, Ref<Node> node) {
  AutogradMeta* meta = autograd_meta_or_null(tensor);
  const bool retained = meta && meta->retained_by;
  if (retained) stop_retaining(*meta);
  set_history(tensor, std::move(node));
  if (retained) retain_gradient(tensor);
}

}  // namespace

void rebase_history(const Tensor& tensor, Ref<Node> node) {
  if (!tensor.is_floating()) return;
  if (!tensor->base || tensor->view_kind != ViewKind::ordinary)
    return replace_history(tensor, std::move(node));
  const Tensor base(tensor->base);
  node->add_output(tensor);
  replace_history(base, Ref<Node>(new CopySlices(base, tensor, std::move(node))));
  grad_fn(tensor);  // reads the view again from its base
}

// live_nodes counts recorded operations; this node lives as long as its leaf.
AccumulateGrad::AccumulateGrad(Tensor leaf) : variable(std::move(leaf)) {
  add_output(variable);
  --mutable_memory_stats().live_nodes;
}
AccumulateGrad::~AccumulateGrad() { ++mutable_memory_stats().live_nodes; }

void AccumulateGrad::wake(const Tensor& leaf) {
  variable = leaf;
  set_output(0, leaf);  // .data may have given the leaf another shape
}

void AccumulateGrad::on_zero() {
  // This may be the last owner of the leaf, and the leaf's meta then deletes this node.
  const Tensor leaf = std::move(variable);
}

bool AccumulateGrad::has_hooks() const {
  const AutogradMeta* meta = autograd_meta_or_null(variable);
  return meta->hooks || meta->post_accumulate_hooks || has_node_hooks();
}

void AccumulateGrad::apply(std::span<Tensor> gradients, std::span<Tensor>) {
  if (!gradients[0].defined()) return;
  if (has_node_hooks())
    accumulate(gradients[0]);  // hooks see it afterwards
  else
    accumulate(std::move(gradients[0]));
}

namespace {

/// One thread at a time adds to the gradient of a leaf: a long addition lets other threads run.
class Accumulating {
 public:
  explicit Accumulating(AutogradMeta& meta) : meta_(meta) {
    while (meta.accumulating && yield_to_other_threads()) {
    }
    meta.accumulating = true;
  }
  Accumulating(const Accumulating&) = delete;
  Accumulating& operator=(const Accumulating&) = delete;
  ~Accumulating() { meta_.accumulating = false; }

 private:
  AutogradMeta& meta_;
};

}  // namespace

void AccumulateGrad::accumulate(Tensor gradient) {
  AutogradMeta& meta = autograd_meta(variable);
  {
    const Accumulating alone(meta);
    if (!meta.grad.defined()) {
      meta.grad = gradient.is_unshared() && !modes.grad ? std::move(gradient) : gradient_ops.clone(gradient);
    } else if (!modes.grad && !requires_grad(meta.grad)) {
      gradient_ops.add_in_place(meta.grad, gradient);
    } else {
      meta.grad = gradient_ops.add(meta.grad, gradient);
    }
  }
  if (meta.grad->grad_fn) [[unlikely]]
    watch_for_cycles(variable);
  if (const auto hooks = meta.post_accumulate_hooks) {
    Tensor leaf = variable;
    hooks->call(leaf);
  }
}

}  // namespace tapegrad::autograd
