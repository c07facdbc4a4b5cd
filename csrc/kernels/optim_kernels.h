// Steps of optimizers over contiguous blocks: parameter, gradient and state are read and written once.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// Stochastic gradient descent. `buffer` (null without momentum) is overwritten by the gradient if `first`.
struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first;
};

/// Adam (Kingma and Ba, 2014). step_size = lr / (1 - beta1^t) and root = sqrt(1 - beta2^t) correct the bias;
/// `decoupled` shrinks the parameter instead of adding to the gradient (AdamW, Loshchilov and Hutter, 2017).
struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay, step_size, root;
  bool decoupled, maximize;
};

/// One of each for float and for double.
struct OptimKernels {
  using Sgd = void (*)(const SgdStep& step, void* param, const void* grad, void* buffer, int64_t n);
  /// `largest` is null, or keeps the largest mean square (AMSGrad).
  using Adam = void (*)(const AdamStep& step, void* param, const void* grad, void* mean, void* mean_square,
                        void* largest, int64_t n);

  Sgd sgd[2];
  Adam adam[2];
};

}  // namespace tapegrad
