// Activations of neural networks. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"
#include "kernels/elementwise_math.h"

namespace tapegrad {

struct Relu : FromOutput {
  static constexpr const char* name = "relu";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return where(x < 0, 0, x); }  // also NaN and -0 remain
  static auto grad(const auto& g, const auto& y) { return where(y > 0, g, 0); }
};

struct Sigmoid : FromOutput {
  static constexpr const char* name = "sigmoid";
  static auto forward(const auto& x) { return sigmoid(x); }
  static auto grad(const auto& g, const auto& y) { return g * (y * (1 - y)); }
};

/// log(sigmoid(x)), without overflow.
struct LogSigmoid : FromInput {
  static constexpr const char* name = "logsigmoid";
  static constexpr const char* node_name = "LogSigmoidBackward0";
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return logsigmoid(x); }
  static auto grad(const auto& g, const auto& x) { return g * sigmoid(-x); }
};

/// x for positive x, negative_slope x below. Maas et al., "Rectifier nonlinearities improve neural network
/// acoustic models", 2013.
struct LeakyRelu : FromInput {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double negative_slope = 0.01;
  auto forward(const auto& x) const { return where(x > 0, x, x * negative_slope); }
  auto grad(const auto& g, const auto& x) const { return where(x > 0, g, g * negative_slope); }
};

/// leaky_relu with a learned slope. He et al., "Delving deep into rectifiers", 2015.
struct Prelu : Binary<kA | kB, kA> {
  static constexpr const char* name = "prelu";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "PreluKernelBackward0";
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x, const auto& weight) { return where(x > 0, x, weight * x); }
  static auto grad_a(const auto& g, const auto& s) { return where(s.a > 0, g, g * s.b); }
  static auto grad_b(const auto& g, const auto& s) { return where(s.a > 0, zero_like(g), g * s.a); }
};

/// Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2015; with the
/// scales of SELU (Klambauer et al., "Self-normalizing neural networks", 2017) and CELU.
struct Elu : FromInput {
  static constexpr const char* name = "elu";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double alpha = 1, scale = 1, input_scale = 1;
  auto forward(const auto& x) const {
    return where(x > 0, x * scale, expm1(x * input_scale) * (alpha * scale));
  }
  auto grad(const auto& g, const auto& x) const {
    return where(x > 0, g * scale, g * (exp(x * input_scale) * (alpha * scale * input_scale)));
  }
};
struct Celu : Elu {
  static constexpr const char* name = "celu";
};

/// log(1 + exp(beta x)) / beta; the identity where beta x exceeds the threshold.
struct Softplus : FromInput {
  static constexpr const char* name = "softplus";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double beta = 1, threshold = 20;
  auto forward(const auto& x) const { return where(x * beta > threshold, x, log1p(exp(x * beta)) / beta); }
  auto grad(const auto& g, const auto& x) const {
    return where(x * beta > threshold, g, g * sigmoid(x * beta));
  }
};

/// x Phi(x). Hendrycks and Gimpel, "Gaussian error linear units", 2016.
struct Gelu : FromInput {
  static constexpr const char* name = "gelu";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return x * 0.5 * (1 + erf(x * constants::kSqrtHalf)); }
  static auto grad(const auto& g, const auto& x) {
    const auto cdf = 0.5 * (1 + erf(x * constants::kSqrtHalf));
    return g * (cdf + x * (constants::kOneOverSqrt2Pi * exp(-0.5 * (x * x))));
  }
};
/// The same with the approximation of Phi by tanh.
struct GeluTanh : FromInput {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "GeluBackward0";
  static constexpr Domain domain = Domain::real;
  static constexpr double kCubic = 0.044715;
  static auto forward(const auto& x) {
    return 0.5 * x * (1 + tanh(constants::kSqrtTwoOverPi * (x + kCubic * (x * x * x))));
  }
  static auto grad(const auto& g, const auto& x) {
    const auto t = tanh(constants::kSqrtTwoOverPi * (x + kCubic * (x * x * x)));
    const auto inner = constants::kSqrtTwoOverPi * (1 + 3 * kCubic * (x * x));
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner);
  }
};

/// x sigmoid(x).
struct Silu : FromInput {
  static constexpr const char* name = "silu";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return x * sigmoid(x); }
  static auto grad(const auto& g, const auto& x) {
    const auto s = sigmoid(x);
    return g * (s * (1 + x * (1 - s)));
  }
};
/// x tanh(softplus(x)). Misra, "Mish: a self regularized non-monotonic activation function", 2019.
struct Mish : FromInput {
  static constexpr const char* name = "mish";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return x * tanh(-logsigmoid(-x)); }
  static auto grad(const auto& g, const auto& x) {
    const auto t = tanh(-logsigmoid(-x));
    return g * (t + x * sigmoid(x) * (1 - t * t));
  }
};

struct Hardtanh : FromInput {
  static constexpr const char* name = "hardtanh";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::number;
  double low = -1, high = 1;
  auto forward(const auto& x) const { return minimum(maximum(x, low), high); }
  auto grad(const auto& g, const auto& x) const { return where((x > low) & (x < high), g, 0); }
};
struct Hardsigmoid : FromInput {
  static constexpr const char* name = "hardsigmoid";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return minimum(maximum(x + 3, 0), 6) / 6; }
  static auto grad(const auto& g, const auto& x) { return where((x > -3) & (x < 3), g * (1.0 / 6), 0); }
};
struct Hardswish : FromInput {
  static constexpr const char* name = "hardswish";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return x * minimum(maximum(x + 3, 0), 6) / 6; }
  static auto grad(const auto& g, const auto& x) {
    return where(x <= -3, zero_like(g), where(x < 3, g * (x / 3 + 0.5), g));
  }
};

/// x above the threshold, `value` elsewhere.
struct Threshold : FromInput {
  static constexpr const char* name = "threshold";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::number;
  double threshold = 0, value = 0;
  auto forward(const auto& x) const { return where(x <= threshold, value + zero_like(x), x); }
  auto grad(const auto& g, const auto& x) const { return where(x <= threshold, zero_like(g), g); }
};
/// Zero within lambda of zero.
struct Hardshrink : FromInput {
  static constexpr const char* name = "hardshrink";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double lambda = 0.5;
  auto forward(const auto& x) const { return where((x >= -lambda) & (x <= lambda), zero_like(x), x); }
  auto grad(const auto& g, const auto& x) const {
    return where((x >= -lambda) & (x <= lambda), zero_like(g), g);
  }
};
/// Moved towards zero by lambda.
struct Softshrink : FromInput {
  static constexpr const char* name = "softshrink";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double lambda = 0.5;
  auto forward(const auto& x) const {
    return where(x > lambda, x - lambda, where(x < -lambda, x + lambda, x * 0));  // a NaN stays one
  }
  auto grad(const auto& g, const auto& x) const {
    return where((x >= -lambda) & (x <= lambda), zero_like(g), g);
  }
};

using ActivationOps = OpList<Relu, Sigmoid, LogSigmoid, LeakyRelu, Prelu, Elu, Celu, Softplus, Gelu, GeluTanh,
                             Silu, Mish, Hardtanh, Hardsigmoid, Hardswish, Threshold, Hardshrink, Softshrink>;

}  // namespace tapegrad
