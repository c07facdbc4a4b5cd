// Cycles of tensors and nodes.
//
// Note [Cycles through gradients]
// backward(create_graph=True) gives a leaf a gradient with a history, and the history leads back to the leaf:
// a cycle that reference counts never free. Leaves with such gradients are watched. When the Python object of
// one dies, or when there are many, what can be reached from them is searched for cycles that nothing outside
// refers to, by trial deletion (Bacon and Rajan, "Concurrent cycle collection in reference counted systems",
// 2001), and their gradients are dropped.
#pragma once
#include "autograd/variable.h"

namespace tapegrad::autograd {

/// Watches a leaf whose gradient has a history.
void watch_for_cycles(const Tensor& leaf);
inline bool is_watched(const TensorImpl& tensor) {
  const auto* meta = static_cast<const AutogradMeta*>(tensor.autograd.get());
  return meta && meta->watched;
}
/// Frees the cycles through watched leaves that nothing outside of them refers to.
void collect_cycles();

}  // namespace tapegrad::autograd
