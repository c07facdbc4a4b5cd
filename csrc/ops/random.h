// Random tensors. The numbers drawn are those of PyTorch's CPU generator for the same seed.
#pragma once
#include <optional>

#include "core/generator.h"
#include "core/tensor.h"

namespace tapegrad {

/// The generator used where none is given; its seed differs from process to process until manual_seed is
/// called.
Generator& default_generator();

// In-place fills. A gradient that arrives at the overwritten values is zero.
const Tensor& uniform_(const Tensor& self, double from, double to, Generator& generator);
const Tensor& normal_(const Tensor& self, double mean, double std, Generator& generator);
const Tensor& log_normal_(const Tensor& self, double mean, double std, Generator& generator);
const Tensor& cauchy_(const Tensor& self, double median, double sigma, Generator& generator);
const Tensor& exponential_(const Tensor& self, double lambda, Generator& generator);
const Tensor& geometric_(const Tensor& self, double p, Generator& generator);
const Tensor& bernoulli_(const Tensor& self, double p, Generator& generator);
/// `p` is broadcast to the shape of `self`.
const Tensor& bernoulli_(const Tensor& self, const Tensor& p, Generator& generator);
/// Integers in [from, to); without bounds, all that the type represents exactly from 0 or `from` on.
const Tensor& random_(const Tensor& self, std::optional<int64_t> from, std::optional<int64_t> to,
                      Generator& generator);

Tensor rand(IntSpan shape, DType dtype, Generator& generator);
Tensor randn(IntSpan shape, DType dtype, Generator& generator);
Tensor randint(int64_t low, int64_t high, IntSpan shape, DType dtype, Generator& generator);
/// A permutation of 0..n-1.
Tensor randperm(int64_t n, DType dtype, Generator& generator);

/// Normal numbers around each mean; no gradient flows to mean or std, as in PyTorch.
Tensor normal(const Tensor& mean, double std, Generator& generator);
Tensor normal(double mean, const Tensor& std, Generator& generator);
Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator);
/// 1 with the probability that the input says, else 0.
Tensor bernoulli(const Tensor& p, Generator& generator);
Tensor poisson(const Tensor& rate, Generator& generator);
Tensor binomial(const Tensor& count, const Tensor& p, Generator& generator);
/// Category numbers, (categories) -> (samples) or (rows, categories) -> (rows, samples), drawn by weight.
Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement, Generator& generator);

/// Zeroes elements with probability p and scales the others by 1 / (1 - p).
Tensor dropout(const Tensor& x, double p, bool train);
const Tensor& dropout_(const Tensor& x, double p, bool train);
/// The same for whole channels: one draw for each of the first two dimensions.
Tensor feature_dropout(const Tensor& x, double p, bool train);
const Tensor& feature_dropout_(const Tensor& x, double p, bool train);
/// Dropout that keeps mean and variance of self-normalizing networks (Klambauer et al., 2017).
Tensor alpha_dropout(const Tensor& x, double p, bool train);
const Tensor& alpha_dropout_(const Tensor& x, double p, bool train);
Tensor feature_alpha_dropout(const Tensor& x, double p, bool train);
const Tensor& feature_alpha_dropout_(const Tensor& x, double p, bool train);

}  // namespace tapegrad
