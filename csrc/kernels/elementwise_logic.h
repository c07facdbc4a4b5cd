// Comparisons, logic, bits, selection. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

struct Eq : Ordering {
  static constexpr const char* name = "eq";
  static auto forward(const auto& a, const auto& b) { return a == b; }
};
struct Ne : Ordering {
  static constexpr const char* name = "ne";
  static auto forward(const auto& a, const auto& b) { return a != b; }
};
struct Lt : Ordering {
  static constexpr const char* name = "lt";
  static auto forward(const auto& a, const auto& b) { return a < b; }
};
struct Le : Ordering {
  static constexpr const char* name = "le";
  static auto forward(const auto& a, const auto& b) { return a <= b; }
};
struct Gt : Ordering {
  static constexpr const char* name = "gt";
  static auto forward(const auto& a, const auto& b) { return a > b; }
};
struct Ge : Ordering {
  static constexpr const char* name = "ge";
  static auto forward(const auto& a, const auto& b) { return a >= b; }
};

struct LogicalAnd : Comparison {
  static constexpr const char* name = "logical_and";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return (a != 0) & (b != 0); }
};
struct LogicalOr : Comparison {
  static constexpr const char* name = "logical_or";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return (a != 0) | (b != 0); }
};
struct LogicalXor : Comparison {
  static constexpr const char* name = "logical_xor";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return (a != 0) ^ (b != 0); }
};

struct Test : NoGradient {
  static constexpr Domain domain = Domain::any;
  static constexpr bool returns_bool = true;
};
struct LogicalNot : Test {
  static constexpr const char* name = "logical_not";
  static auto forward(const auto& x) { return x == 0; }
};
struct IsNan : Test {
  static constexpr const char* name = "isnan";
  static auto forward(const auto& x) { return x != x; }
};
struct IsInf : Test {
  static constexpr const char* name = "isinf";
  static auto forward(const auto& x) { return (x == x) & (x - x != 0); }
};
struct IsFinite : Test {
  static constexpr const char* name = "isfinite";
  static auto forward(const auto& x) { return x - x == 0; }
};
struct SignBit : Test {
  static constexpr const char* name = "signbit";
  static auto forward(const auto& x) { return signbit(x); }
};

struct BitwiseNot : NoGradient {
  static constexpr const char* name = "bitwise_not";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::integers;
  static auto forward(const auto& x) { return ~x; }
};
struct Bitwise : Binary<kNone, kNone> {
  static constexpr Domain domain = Domain::bits;
};
struct BitwiseAnd : Bitwise {
  static constexpr const char* name = "bitwise_and";
  static constexpr bool number_first = true;
  static auto forward(const auto& a, const auto& b) { return a & b; }
};
struct BitwiseOr : Bitwise {
  static constexpr const char* name = "bitwise_or";
  static constexpr bool number_first = true;
  static auto forward(const auto& a, const auto& b) { return a | b; }
};
struct BitwiseXor : Bitwise {
  static constexpr const char* name = "bitwise_xor";
  static constexpr bool number_first = true;
  static auto forward(const auto& a, const auto& b) { return a ^ b; }
};
struct BitwiseLeftShift : Bitwise {
  static constexpr const char* name = "bitwise_left_shift";
  static constexpr bool number_first = true;
  static constexpr Domain domain = Domain::integers;
  static auto forward(const auto& a, const auto& b) { return shift_left(a, b); }
};
struct BitwiseRightShift : Bitwise {
  static constexpr const char* name = "bitwise_right_shift";
  static constexpr bool number_first = true;
  static constexpr Domain domain = Domain::integers;
  static auto forward(const auto& a, const auto& b) { return shift_right(a, b); }
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

/// Replaces NaN and the infinities.
struct NanToNum : FromInput {
  static constexpr const char* name = "nan_to_num";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double nan = 0, positive = 0, negative = 0;
  auto forward(const auto& x) const {
    const auto zero = zero_like(x);
    return where(x != x, zero + nan, where(x - x == 0, x, where(x > 0, zero + positive, zero + negative)));
  }
  auto grad(const auto& g, const auto& x) const { return where(x - x == 0, g, 0); }
};

using LogicOps = OpList<Eq, Ne, Lt, Le, Gt, Ge, LogicalAnd, LogicalOr, LogicalXor, LogicalNot, IsNan, IsInf,
                        IsFinite, SignBit, BitwiseNot, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseLeftShift,
                        BitwiseRightShift, Where, NanToNum>;

}  // namespace tapegrad
