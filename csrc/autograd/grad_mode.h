// Thread-local switches of autograd.
#pragma once

namespace tapegrad::autograd {

struct SavedTensorHooks;

struct Modes {
  bool grad = true;       // record operations
  bool forward = false;   // a forward-mode level is open: carry tangents on
  bool anomaly = false;   // nodes remember the Python lines that recorded them: see anomaly.h
  bool check_nan = true;  // in anomaly mode: NaN in a computed gradient is an error
  SavedTensorHooks* saved_tensor_hooks = nullptr;  // the innermost pair: see saved_tensor.h
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
  NoGrad() : grad_(modes.grad), forward_(modes.forward) { modes.grad = modes.forward = false; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad() {
    modes.grad = grad_;
    modes.forward = forward_;
  }

 private:
  bool grad_, forward_;
};

}  // namespace tapegrad::autograd
