// Steps of optimizers: one call per parameter, in place, outside any graph.
#pragma once
#include "core/tensor.h"
#include "kernels/optim_kernels.h"

namespace tapegrad {

/// Moves `param` against `grad`. With momentum `buffer` is the velocity; an undefined one is made
/// (`step.first`). An error unless all have the shape and the floating type of `param`.
void sgd_step(const Tensor& param, const Tensor& grad, Tensor& buffer, SgdStep& step);

/// Moves `param` by the ratio of the running means of the gradient and of its square, after `count` steps.
/// `largest` is undefined, or keeps the largest mean square.
void adam_step(const Tensor& param, const Tensor& grad, const Tensor& mean, const Tensor& mean_square,
               const Tensor& largest, double count, AdamStep step);

}  // namespace tapegrad
