// Elementwise arithmetic. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct Add : Binary<kNothing, kNothing> {
  static constexpr const char* name = "add";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return a + b; }
  static auto grad_a(const auto& g, const auto&) { return g; }
  static auto grad_b(const auto& g, const auto&) { return g; }
};

/// a + alpha b in one pass, as optimizers write it.
struct AddScaled : Binary<kNothing, kNothing> {
  static constexpr const char* name = "add_scaled";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "AddBackward0";
  double alpha = 1;
  auto forward(const auto& a, const auto& b) const { return a + b * alpha; }
  static auto grad_a(const auto& g, const auto&) { return g; }
  auto grad_b(const auto& g, const auto&) const { return g * alpha; }
};

struct Sub : Binary<kNothing, kNothing> {
  static constexpr const char* name = "sub";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) { return a - b; }
  static auto grad_a(const auto& g, const auto&) { return g; }
  static auto grad_b(const auto& g, const auto&) { return -g; }
};

struct Mul : Binary<kB, kA> {
  static constexpr const char* name = "mul";
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return a * b; }
  static auto grad_a(const auto& g, const auto& s) { return g * s.b; }
  static auto grad_b(const auto& g, const auto& s) { return g * s.a; }
};

struct Div : Binary<kB, kA | kB> {
  static constexpr const char* name = "div";
  static constexpr bool binds_itself = false;
  static auto forward(const auto& a, const auto& b) { return a / b; }
  static auto grad_a(const auto& g, const auto& s) { return g / s.b; }
  static auto grad_b(const auto& g, const auto& s) { return -g * ((s.a / s.b) / s.b); }
};

struct Neg : Linear {
  static constexpr const char* name = "neg";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return -x; }
  static auto grad(const auto& g) { return -g; }
};

using ArithmeticOps = OpList<Add, AddScaled, Sub, Mul, Div, Neg>;

}  // namespace tapegrad
