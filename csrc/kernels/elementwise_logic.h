// Comparisons, logic, bits, selection. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct Eq : Comparison {
  static constexpr const char* name = "eq";
  static auto forward(const auto& a, const auto& b) { return a == b; }
};
struct Ne : Comparison {
  static constexpr const char* name = "ne";
  static auto forward(const auto& a, const auto& b) { return a != b; }
};
struct Lt : Comparison {
  static constexpr const char* name = "lt";
  static auto forward(const auto& a, const auto& b) { return a < b; }
};
struct Le : Comparison {
  static constexpr const char* name = "le";
  static auto forward(const auto& a, const auto& b) { return a <= b; }
};
struct Gt : Comparison {
  static constexpr const char* name = "gt";
  static auto forward(const auto& a, const auto& b) { return a > b; }
};
struct Ge : Comparison {
  static constexpr const char* name = "ge";
  static auto forward(const auto& a, const auto& b) { return a >= b; }
};

/// The second operand where the condition holds, else the third.
struct Where : Ternary<kNone, kA, kA> {
  static constexpr const char* name = "where";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::any;
  static constexpr bool mask_first = true;
  static auto forward(const auto& condition, const auto& a, const auto& b) { return where(condition, a, b); }
  static auto grad_b(const auto& g, const auto& s) { return where(s.a, g, 0); }
  static auto grad_c(const auto& g, const auto& s) { return where(s.a, zero_like(g), g); }
};

using LogicOps = OpList<Eq, Ne, Lt, Le, Gt, Ge, Where>;

}  // namespace tapegrad
