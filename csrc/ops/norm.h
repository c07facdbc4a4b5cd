// Normalisation layers. Optional tensors (weights, running statistics) may be undefined.
#pragma once
#include <optional>

#include "core/tensor.h"

namespace tapegrad {

/// (x - mean) / sqrt(variance + eps) * weight + bias over the last dimensions, which must be
/// `normalized_shape`.
Tensor layer_norm(const Tensor& x, IntSpan normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
/// x / sqrt(mean(x^2) + eps) * weight over the last dimensions. B. Zhang and R. Sennrich, "Root mean square
/// layer normalization", 2019.
Tensor rms_norm(const Tensor& x, IntSpan normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = {});
/// The same per channel of (N, C, ...), with the statistics of the batch when training (they then update the
/// running ones: running = (1 - momentum) running + momentum batch, with the unbiased variance), else the
/// running ones.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum = 0.1,
                  double eps = 1e-5);
/// layer_norm over groups of channels of (N, C, ...), with a weight and bias per channel.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);
/// batch_norm of every sample on its own.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats, double momentum = 0.1,
                     double eps = 1e-5);

}  // namespace tapegrad
