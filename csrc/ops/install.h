// Hands the operations that the engine needs down to it.
#pragma once

namespace tapegrad {

/// Fills autograd::gradient_ops; called once when the module is loaded.
void install_gradient_ops();

}  // namespace tapegrad
