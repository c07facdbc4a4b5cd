// Thread-local switches of autograd.
#pragma once

namespace tapegrad::autograd {

struct Modes {
  bool grad = true;        // record operations
  bool forward = false;    // a forward-mode level is open: carry tangents on
  bool inference = false;  // tensors made now can never enter a graph
};
extern constinit thread_local Modes modes;

inline bool grad_enabled() { return modes.grad; }
/// Whether derivatives of what is computed now may be asked for, so that it must be made of operations.
inline bool differentiating() { return modes.grad || modes.forward; }

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
/// Computes plain values for a scope: nothing is recorded, no tangent carried on.
class NoGrad {
 public:
  NoGrad() : previous_(modes) { modes.grad = modes.forward = false; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad() { modes = previous_; }

 private:
  Modes previous_;
};

}  // namespace tapegrad::autograd
