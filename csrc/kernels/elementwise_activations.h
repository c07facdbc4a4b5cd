// Activations of neural networks. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct Relu : FromOutput {
  static constexpr const char* name = "relu";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return maximum(x, 0); }
  static auto grad(const auto& g, const auto& y) { return where(y > 0, g, 0); }
};

struct Sigmoid : FromOutput {
  static constexpr const char* name = "sigmoid";
  static auto forward(const auto& x) { return sigmoid(x); }
  static auto grad(const auto& g, const auto& y) { return g * (y * (1 - y)); }
};

/// x for positive x, negative_slope * x below. Maas et al., "Rectifier nonlinearities improve neural network acoustic
/// models", 2013.
struct LeakyRelu : FromInput {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool binds_itself = false;
  double negative_slope = 0.01;
  auto forward(const auto& x) const { return where(x > 0, x, x * negative_slope); }
  auto grad(const auto& g, const auto& x) const { return where(x > 0, g, g * negative_slope); }
};

using ActivationOps = OpList<Relu, Sigmoid, LeakyRelu>;

}  // namespace tapegrad
