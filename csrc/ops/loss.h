// Losses. `reduction` is "none", "mean" or "sum".
#pragma once
#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

/// Elementwise losses of two tensors that broadcast together.
Tensor mse_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
Tensor l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean",
                      double beta = 1);
Tensor huber_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean",
                  double delta = 1);
/// Input and target are probabilities; the logarithms are cut off at -100. `weight` may be undefined.
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                            std::string_view reduction = "mean");
/// The input is a logit; `pos_weight` multiplies the loss of positive targets.
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                                        const Tensor& pos_weight = {}, std::string_view reduction = "mean");
/// Input: log-probabilities; target: probabilities, or their logarithms. reduction may also be "batchmean".
Tensor kl_div(const Tensor& input, const Tensor& target, std::string_view reduction = "mean",
              bool log_target = false);

/// -weight[t] * input[n, t, ...] for class indices t; input (C), (N, C) or (N, C, d1, ...), target without C.
/// The mean is divided by the sum of the weights. IndexError for classes out of range.
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                std::string_view reduction = "mean", int64_t ignore_index = -100);
/// nll_loss of log_softmax; the target may also hold class probabilities, in the shape of the input.
Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                     std::string_view reduction = "mean", int64_t ignore_index = -100,
                     double label_smoothing = 0);

}  // namespace tapegrad
