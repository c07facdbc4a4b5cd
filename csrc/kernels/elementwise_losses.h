// The elements of losses between an input a and a target b; ops/loss.cpp sums or averages them. Included by
// elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct ElementLoss : Binary<kA | kB, kA | kB> {};
/// Losses of the difference of input and target: the derivative by the target is that by the input, negated.
template <class Derived>
struct DifferenceLoss : ElementLoss {
  auto grad_b(const auto& g, const auto& s) const { return -static_cast<const Derived*>(this)->grad_a(g, s); }
};

struct MseLoss : DifferenceLoss<MseLoss> {
  static constexpr const char* name = "mse";
  static auto forward(const auto& a, const auto& b) { return (a - b) * (a - b); }
  static auto grad_a(const auto& g, const auto& s) { return g * (2 * (s.a - s.b)); }
};

struct L1Loss : DifferenceLoss<L1Loss> {
  static constexpr const char* name = "l1_loss";
  static auto forward(const auto& a, const auto& b) {
    const auto d = a - b;
    return where(d < 0, -d, d);
  }
  static auto grad_a(const auto& g, const auto& s) {
    const auto d = s.a - s.b;
    return where(d > 0, g, where(d < 0, -g, 0));
  }
};

/// Half the square of differences up to beta, divided by beta; linear beyond.
struct SmoothL1Loss : DifferenceLoss<SmoothL1Loss> {
  static constexpr const char* name = "smooth_l1";
  double beta = 1;
  auto forward(const auto& a, const auto& b) const {
    const auto d = a - b, size = where(d < 0, -d, d);
    return where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta);
  }
  auto grad_a(const auto& g, const auto& s) const {
    const auto d = s.a - s.b;
    return where(d <= -beta, -g, where(d >= beta, g, g * d / beta));
  }
};

/// Half the square of differences up to delta; linear beyond. P. J. Huber, "Robust estimation of a location
/// parameter", 1964.
struct HuberLoss : DifferenceLoss<HuberLoss> {
  static constexpr const char* name = "huber";
  double delta = 1;
  auto forward(const auto& a, const auto& b) const {
    const auto d = a - b, size = where(d < 0, -d, d);
    return where(size < delta, 0.5 * size * size, delta * (size - 0.5 * delta));
  }
  auto grad_a(const auto& g, const auto& s) const {
    const auto d = s.a - s.b;
    return where(d <= -delta, g * -delta, where(d >= delta, g * delta, g * d));
  }
};

/// -(b log a + (1 - b) log(1 - a)), the logarithms cut off at -100.
struct BinaryCrossEntropy : ElementLoss {
  static constexpr const char* name = "binary_cross_entropy";
  static auto forward(const auto& a, const auto& b) {
    return (b - 1) * maximum(log1p(-a), -100) - b * maximum(log(a), -100);
  }
  static auto grad_a(const auto& g, const auto& s) {
    const auto variance = (1 - s.a) * s.a;
    return g * (s.a - s.b) / where(variance < 1e-12, 1e-12, variance);
  }
  static auto grad_b(const auto& g, const auto& s) { return g * (log(1 - s.a) - log(s.a)); }
};

/// The same for a = sigmoid(x), from the logits x.
struct BinaryCrossEntropyWithLogits : Binary<kA | kB, kA> {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  static auto forward(const auto& a, const auto& b) { return maximum(a, 0) - a * b + log1p(exp(-abs(a))); }
  static auto grad_a(const auto& g, const auto& s) { return g * (sigmoid(s.a) - s.b); }
  static auto grad_b(const auto& g, const auto& s) { return -g * s.a; }
};
/// The same with the loss of positive targets weighted by c.
struct WeightedBinaryCrossEntropy : Ternary<kA | kB | kC, kA | kC, kNone> {
  static constexpr const char* name = "weighted_binary_cross_entropy";
  static auto forward(const auto& a, const auto& b, const auto& c) {
    return (1 - b) * a + (1 + (c - 1) * b) * (log1p(exp(-abs(a))) + maximum(-a, 0));
  }
  static auto grad_a(const auto& g, const auto& s) {
    return g * (1 - s.b - (1 + (s.c - 1) * s.b) * sigmoid(-s.a));
  }
  static auto grad_b(const auto& g, const auto& s) { return g * ((1 - s.c) * logsigmoid(s.a) - s.a); }
};

/// b (log b - a) for log-probabilities a and probabilities b; 0 for b = 0.
struct KlDiv : Binary<kB, kA | kB> {
  static constexpr const char* name = "kl_div";
  static auto forward(const auto& a, const auto& b) { return where(b > 0, b * (log(b) - a), -(b * a)); }
  static auto grad_a(const auto& g, const auto& s) { return -g * s.b; }
  static auto grad_b(const auto& g, const auto& s) { return where(s.b > 0, g * (log(s.b) + 1 - s.a), 0); }
};
/// exp(b) (b - a) for two log-probabilities.
struct KlDivLog : Binary<kB, kA | kB> {
  static constexpr const char* name = "kl_div_log";
  static auto forward(const auto& a, const auto& b) { return exp(b) * (b - a); }
  static auto grad_a(const auto& g, const auto& s) { return -g * exp(s.b); }
  static auto grad_b(const auto& g, const auto& s) { return g * (exp(s.b) * (s.b - s.a + 1)); }
};

using LossOps = OpList<MseLoss, L1Loss, SmoothL1Loss, HuberLoss, BinaryCrossEntropy,
                       BinaryCrossEntropyWithLogits, WeightedBinaryCrossEntropy, KlDiv, KlDivLog>;

}  // namespace tapegrad
