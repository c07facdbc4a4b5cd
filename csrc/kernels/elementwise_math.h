// Elementwise mathematical functions. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct Exp : FromOutput {
  static constexpr const char* name = "exp";
  static auto forward(const auto& x) { return exp(x); }
  static auto grad(const auto& g, const auto& y) { return g * y; }
};

struct Log : FromInput {
  static constexpr const char* name = "log";
  static auto forward(const auto& x) { return log(x); }
  static auto grad(const auto& g, const auto& x) { return g / x; }
};

struct Sqrt : FromOutput {
  static constexpr const char* name = "sqrt";
  static auto forward(const auto& x) { return sqrt(x); }
  static auto grad(const auto& g, const auto& y) { return g / (2 * y); }
};

struct Tanh : FromOutput {
  static constexpr const char* name = "tanh";
  static auto forward(const auto& x) { return tanh(x); }
  static auto grad(const auto& g, const auto& y) { return g * (1 - y * y); }
};

using MathOps = OpList<Exp, Log, Sqrt, Tanh>;

}  // namespace tapegrad
