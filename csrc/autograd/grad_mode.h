// Thread-local switches of autograd.
#pragma once

namespace tapegrad::autograd {

struct Modes {
  bool grad = true;        // record operations
  bool inference = false;  // tensors made now can never enter a graph
};
extern thread_local Modes modes;

inline bool grad_enabled() { return modes.grad; }

/// Sets grad mode for a scope.
class GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled) : previous_(modes.grad) { modes.grad = enabled; }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;
  ~GradModeGuard() { modes.grad = previous_; }

 private:
  bool previous_;
};
struct NoGrad : GradModeGuard {
  NoGrad() : GradModeGuard(false) {}
};

}  // namespace tapegrad::autograd
