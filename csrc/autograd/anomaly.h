// Anomaly mode: nodes remember where they were recorded, and a NaN or an error in the backward pass says so.
#pragma once
#include <functional>

#include "autograd/node.h"

namespace tapegrad::autograd {

/// What the layer above does for anomaly mode.
struct AnomalyCallbacks {
  /// Where the program is now; null when no Python code is running.
  Ref<ForwardTrace> (*trace)();
  /// Issues a warning with the text that message() returns, also while an exception is being handled.
  void (*warn)(const std::function<std::string()>& message);
};
extern AnomalyCallbacks anomaly_callbacks;

/// Runs node.apply; an error in it first warns with the traceback of the forward operation, and a NaN in a
/// result is an error.
void apply_watched(Node& node, std::span<Tensor> gradients, std::span<Tensor> results);

/// For messages: where `node` was recorded, or how to find out.
std::string recorded_at(Node* node);

}  // namespace tapegrad::autograd
