#include "autograd/node.h"

#include "autograd/grad_mode.h"
#include "autograd/variable.h"

namespace tapegrad::autograd {

constinit thread_local Modes modes;
constinit thread_local Node::Wanted Node::wanted = nullptr;

Node::~Node() { --mutable_memory_stats().live_nodes; }

Tensor Node::reattach(const Tensor& output, uint32_t output_nr) {
  if (extras_ && extras_->outputs_of) return extras_->outputs_of->reattach(output, output_nr);
  Tensor tensor = detach(output);
  tensor->grad_fn = Ref<RefCounted>(this);
  tensor->output_nr = output_nr;
  return tensor;
}

std::string operation_name(const Node& node) {
  const std::string name = node.name();
  return name.substr(0, name.rfind("Backward"));
}

uint32_t Node::add_output() {
  if (output_count_ > 0) {
    if (!more_) more_ = std::make_unique<MoreOutputs>();
    more_->outputs.emplace_back();
  }
  return output_count_++;
}

uint32_t Node::add_output(const Tensor& tensor) {
  const uint32_t number = add_output();
  set_output(number, tensor);
  return number;
}

void Node::set_output(uint32_t i, const Tensor& tensor) {
  OutputMeta& meta = i == 0 ? first_output_ : more_->outputs[i - 1];
  meta.shape = tensor.shape();
  meta.dtype = tensor.dtype();
}

// Note [Iterative destruction]
// Deleting a node drops its edges and saved tensors, which may be the last owners of further nodes. Instead
// of recursing, a node whose count reaches zero is queued and the outermost call deletes until the queue is
// empty, so that graphs of any depth are freed with constant stack.
void Node::on_zero() {
  static constinit bool draining = false;
  static std::vector<Node*> condemned;
  if (draining) return condemned.push_back(this);
  draining = true;
  delete this;
  while (!condemned.empty()) {
    Node* node = condemned.back();
    condemned.pop_back();
    delete node;
  }
  draining = false;
  if (condemned.capacity() > 4096) std::vector<Node*>().swap(condemned);
}

}  // namespace tapegrad::autograd
