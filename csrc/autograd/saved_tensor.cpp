#include "autograd/saved_tensor.h"

#include "autograd/forward.h"

namespace tapegrad::autograd {

SavedTensor::SavedTensor(const Tensor& tensor, bool is_output) : is_output_(is_output) {
  if (!tensor.defined()) return;  // an optional argument that was not given
  version_ = tensor.version();
  output_nr_ = static_cast<uint16_t>(tensor->output_nr);
  if (is_output) {
    tensor_ = detach(tensor);
    return;
  }
  TG_CHECK(
      !tensor->is_inference,
      "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode "
      "in "
      "computation tracked by autograd. To work around this, make a clone to get a normal tensor, or use "
      "`torch.no_grad()` instead of `torch.inference_mode()`.");
  tensor_ = tensor;
}

namespace {

[[noreturn]] void fail_modified(const Tensor& tensor, bool is_output, uint32_t output_nr, Node* owner,
                                uint32_t expected) {
  std::string producer;
  if (is_output)
    producer = concat(", which is output ", output_nr, " of ", owner->name(), ",");
  else if (Node* node = grad_fn(tensor))
    producer = concat(", which is output ", tensor->output_nr, " of ", node->name(), ",");
  fail(
      ErrorKind::runtime,
      "one of the variables needed for gradient computation has been modified by an inplace operation: "
      "[torch.",
      scalar_type_name(tensor.dtype()), "Tensor ", to_string(tensor.shape()), "]", producer,
      " is at version ", tensor.version(), "; expected version ", expected, " instead. Hint: ", owner->name(),
      " saved this tensor for its derivative; use the out-of-place form of the operation that changed it, or "
      "clone() the tensor before changing it.");
}

}  // namespace

Tensor SavedTensor::unpack(Node* owner) const {
  if (!tensor_.defined()) return {};
  if (tensor_.version() != version_) [[unlikely]]
    fail_modified(tensor_, is_output_, output_nr_, owner, version_);
  if (!is_output_ || !modes.grad) return tensor_;
  const Tensor output = owner->reattach(tensor_, output_nr_);
  if (modes.forward && is_dual(tensor_)) make_dual(output, tangent(tensor_));
  return output;
}

void SavedTensor::carry_tangent(const Tensor& output) const {
  if (is_output_ && tensor_.defined()) make_dual(tensor_, tangent(output));
}

void fail_backward_twice(const Node& node) {
  fail(ErrorKind::runtime,
       "Trying to backward through the graph a second time (or directly access saved tensors after they have "
       "already been "
       "freed). Saved intermediate values of the graph are freed when you call .backward() or "
       "autograd.grad(). Specify "
       "retain_graph=True if you need to backward through the graph a second time or if you need to access "
       "saved tensors "
       "after calling backward. (The freed operation is ",
       node.name(), ".)");
}

}  // namespace tapegrad::autograd
