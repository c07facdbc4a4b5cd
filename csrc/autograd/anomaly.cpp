#include "autograd/anomaly.h"

#include <type_traits>

#include "autograd/gradient_ops.h"
#include "autograd/variable.h"

namespace tapegrad::autograd {

AnomalyCallbacks anomaly_callbacks;

namespace {

thread_local Node* running = nullptr;  // the node whose backward is being computed in anomaly mode

template <class T>
bool any_nan(const T* values, int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  constexpr int64_t kBlock = 64;  // of a fixed size, so that the loop over it is vectorized
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    Bits found = 0;
    for (int64_t j = 0; j < kBlock; ++j) found |= -static_cast<Bits>(values[i + j] != values[i + j]);
    if (found) return true;
  }
  for (; i < count; ++i)
    if (values[i] != values[i]) return true;
  return false;
}

bool has_nan(const Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_floating()) return false;
  const GradModeGuard no_grad(false);
  const Tensor dense = tensor.is_contiguous() ? tensor : gradient_ops.clone(tensor);
  return dispatch_floating(dense.dtype(), [&](auto tag) {
    return any_nan(dense.data<typename decltype(tag)::type>(), dense.numel());
  });
}

void warn_of_error(Node& node) {
  anomaly_callbacks.warn([&] {
    const Ref<ForwardTrace>& trace = node.extras().trace;
    return concat("Error detected in ", node.name(), ". ",
                  trace ? "Traceback of forward call that caused the error:\n" + trace->text()
                        : std::string("No forward pass information available. Enable detect anomaly during "
                                      "forward pass for more information."));
  });
  // From the inside out: which backward recorded the node that failed, which one recorded that...
  for (Node* outer = node.extras().induced_by.get(); outer; outer = outer->extras().induced_by.get())
    anomaly_callbacks.warn([&] {
      const Ref<ForwardTrace>& trace = outer->extras().trace;
      return concat("\n\nPrevious calculation was induced by ", outer->name(), ". ",
                    trace
                        ? "Traceback of forward call that induced the previous calculation:\n" + trace->text()
                        : std::string("No forward pass information available."));
    });
}

}  // namespace

void Node::trace_forward() {
  if (Ref<ForwardTrace> trace = anomaly_callbacks.trace()) extras().trace = std::move(trace);
  if (running) extras().induced_by = Ref<Node>(running);
}

void apply_watched(Node& node, std::span<Tensor> gradients, std::span<Tensor> results) {
  struct Running {
    explicit Running(Node* node) : previous(std::exchange(running, node)) {}
    ~Running() { running = previous; }
    Node* previous;
  };
  try {
    {
      const Running scope(&node);
      node.apply(gradients, results);
    }
    if (!modes.check_nan) return;
    for (size_t i = 0; i < results.size(); ++i)
      if (has_nan(results[i]))
        fail(ErrorKind::runtime, "Function '", node.name(), "' returned nan values in its ", i, "th output.",
             recorded_at(&node));
  } catch (...) {
    warn_of_error(node);
    throw;
  }
}

std::string recorded_at(Node* node) {
  if (node->has_extras() && node->extras().trace)
    return concat(" The operation was recorded at ", node->extras().trace->line());
  return " Under autograd.detect_anomaly() this message names the line that recorded the operation.";
}

}  // namespace tapegrad::autograd
