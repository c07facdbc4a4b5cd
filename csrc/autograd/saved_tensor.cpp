#include "autograd/saved_tensor.h"

#include "autograd/anomaly.h"
#include "autograd/forward.h"

namespace tapegrad::autograd {

namespace {

struct PackedSave : RefCounted {
  Ref<PackedTensor> value;
  Edge edge;  // of an input: where its gradient flows
};

}  // namespace

SavedTensor::SavedTensor(const Tensor& tensor, bool is_output) : is_output_(is_output) {
  if (!tensor.defined()) return;  // an optional argument that was not given
  version_ = tensor.version();
  output_nr_ = static_cast<uint16_t>(tensor->output_nr);
  TG_CHECK(is_output || !tensor->is_inference,
           "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference "
           "mode in "
           "computation tracked by autograd. To work around this, you can make a clone to get a normal "
           "tensor and use "
           "it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.");
  tensor_ = is_output ? detach(tensor) : tensor;
  if (modes.saved_tensor_hooks) [[unlikely]]
    pack(*modes.saved_tensor_hooks);
}

SavedTensor SavedTensor::of_output(const Tensor& tensor) {
  const bool fills_its_memory = tensor.is_contiguous() && tensor.raw() == tensor->storage->data();
  if (!fills_its_memory || !tensor->grad_fn || tensor->detached_version || tensor->is_inference ||
      modes.forward || modes.saved_tensor_hooks)
    return SavedTensor(tensor, true);
  SavedTensor saved;
  saved.memory_ = tensor->storage;
  saved.version_ = tensor.version();
  saved.output_nr_ = static_cast<uint16_t>(tensor->output_nr);
  saved.is_output_ = true;
  return saved;
}

void SavedTensor::register_hooks(SavedTensorHooks& hooks, Node* owner) {
  TG_CHECK(!is_packed_,
           "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair "
           "of hooks is allowed at a time.");
  TG_CHECK(defined(), "Calling register_hooks on a saved tensor with value None is forbidden");
  tensor_ = values(owner);
  memory_ = nullptr;
  pack(hooks);
}

Tensor SavedTensor::values(Node* owner) const {
  if (!memory_) return tensor_;
  const OutputMeta& meta = owner->output(output_nr_);
  return make_tensor(memory_, meta.shape, meta.dtype);
}

void SavedTensor::pack(SavedTensorHooks& hooks) {
  const NoGrad no_grad;
  auto* save = new PackedSave;
  const Ref<RefCounted> owner(save);
  if (!is_output_) save->edge = gradient_edge(tensor_);
  save->value = hooks.pack(tensor_);
  tensor_ = Tensor(new TensorImpl);
  tensor_->autograd = owner;
  is_packed_ = true;
}

PackedTensor* SavedTensor::packed() const {
  return is_packed_ && tensor_.defined() ? static_cast<PackedSave*>(tensor_->autograd.get())->value.get()
                                         : nullptr;
}

Tensor SavedTensor::unpack_packed(Node* owner) const {
  const Ref<RefCounted> keep = tensor_->autograd;
  auto* save = static_cast<PackedSave*>(keep.get());
  const Tensor values = detach(save->value->unpack());
  if (is_output_) return modes.grad ? owner->reattach(values, output_nr_) : values;
  values->grad_fn = save->edge.node;
  values->output_nr = save->edge.input_nr;
  return values;
}

namespace {

[[noreturn]] void fail_modified(const Tensor& tensor, bool is_output, uint32_t output_nr, Node* owner,
                                uint32_t expected) {
  std::string producer;
  if (is_output)
    producer = concat(", which is output ", output_nr, " of ", operation_name(*owner), ",");
  else if (Node* node = grad_fn(tensor))
    producer = concat(", which is output ", tensor->output_nr, " of ", operation_name(*node), ",");
  fail(
      ErrorKind::runtime,
      "one of the variables needed for gradient computation has been modified by an inplace operation: "
      "[torch.",
      scalar_type_name(tensor.dtype()), "Tensor ", to_string(tensor.shape()), "]", producer,
      " is at version ", tensor.version(), "; expected version ", expected, " instead. Hint: ", owner->name(),
      " saved this tensor for its derivative; use the out-of-place form of the operation that changed it, or "
      "clone() the tensor before changing it.",
      recorded_at(owner));
}

}  // namespace

Tensor SavedTensor::unpack(Node* owner) const {
  if (!defined()) return {};
  if (is_packed_) [[unlikely]]
    return unpack_packed(owner);
  Tensor tensor = values(owner);
  if (tensor.version() != version_) [[unlikely]]
    fail_modified(tensor, is_output_, output_nr_, owner, version_);
  if (!is_output_ || !modes.grad) return tensor;
  const Tensor output = owner->reattach(tensor, output_nr_);
  if (memory_) return output;
  if (modes.forward && is_dual(tensor_)) make_dual(output, tangent(tensor_));
  return output;
}

void SavedTensor::carry_tangent(const Tensor& output) const {
  if (is_output_ && tensor_.defined()) make_dual(tensor_, tangent(output));
}

void fail_backward_twice(Node& node) {
  fail(ErrorKind::runtime,
       "Trying to backward through the graph a second time (or directly access saved tensors after they have "
       "already been "
       "freed). Saved intermediate values of the graph are freed when you call .backward() or "
       "autograd.grad(). Specify "
       "retain_graph=True if you need to backward through the graph a second time or if you need to access "
       "saved tensors "
       "after calling backward. (The freed operation is ",
       node.name(), ".)", recorded_at(&node));
}

}  // namespace tapegrad::autograd
