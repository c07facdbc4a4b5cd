// Running the hooks of tensors and nodes in the backward pass.
#pragma once
#include "autograd/node.h"

namespace tapegrad::autograd {

/// Runs the hooks of the tensors that `node` produced on the gradients that arrived, and keeps the gradients
/// that are to be retained.
void call_tensor_hooks(Node& node, std::span<Tensor> gradients);

}  // namespace tapegrad::autograd
