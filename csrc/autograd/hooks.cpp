#include "autograd/hooks.h"

#include "autograd/variable.h"

namespace tapegrad::autograd {

namespace {

/// The hooks of the leaf that an accumulator serves.
Ref<TensorHooks> hooks_of_leaf(Node& node) {
  if (!node.is_accumulator()) return {};
  const AutogradMeta* meta = autograd_meta_or_null(static_cast<AccumulateGrad&>(node).variable);
  return meta ? meta->hooks : Ref<TensorHooks>();
}

}  // namespace

void call_tensor_hooks(Node& node, std::span<Tensor> gradients) {
  if (const auto hooks = hooks_of_leaf(node)) hooks->call(gradients[0]);
  if (!node.has_extras()) return;
  const auto hooks = node.extras().tensor_hooks;  // a hook may register others
  for (const auto& [output, hook] : hooks)
    if (hook) hook->call(gradients[output]);
  for (const auto& [output, tensor] : node.extras().retained)
    if (gradients[output].defined())
      set_gradient(Tensor(tensor), modes.grad ? gradients[output] : detach(gradients[output]));
}

}  // namespace tapegrad::autograd
