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

/// b - a.
struct Rsub : Binary<kNothing, kNothing> {
  static constexpr const char* name = "rsub";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name_with_number = "RsubBackward1";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) { return b - a; }
  static auto grad_a(const auto& g, const auto&) { return -g; }
  static auto grad_b(const auto& g, const auto&) { return g; }
};

struct Mul : Binary<kB, kA> {
  static constexpr const char* name = "mul";
  static constexpr bool number_first = true;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return a * b; }
  static auto grad_a(const auto& g, const auto& s) { return g * s.b; }
  static auto grad_b(const auto& g, const auto& s) { return g * s.a; }
};

struct Div : Binary<kB, kA | kB> {
  static constexpr const char* name = "div";
  static constexpr bool number_first = true;
  static constexpr bool binds_itself = false;
  static auto forward(const auto& a, const auto& b) { return a / b; }
  static auto grad_a(const auto& g, const auto& s) { return g / s.b; }
  static auto grad_b(const auto& g, const auto& s) { return -g * ((s.a / s.b) / s.b); }
};

/// The quotient rounded down.
struct FloorDivide : Binary<kNothing, kNothing> {
  static constexpr const char* name = "floor_divide";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "DivBackward2";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) { return floor_div(a, b); }
  static auto grad_a(const auto& g, const auto&) { return zero_like(g); }
  static auto grad_b(const auto& g, const auto&) { return zero_like(g); }
};

/// The quotient rounded towards zero.
struct TruncDivide : Binary<kNothing, kNothing> {
  static constexpr const char* name = "trunc_divide";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "DivBackward2";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) {
    if constexpr (requires { trunc_div(a, b); })
      return trunc_div(a, b);
    else
      return trunc(a / b);
  }
  static auto grad_a(const auto& g, const auto&) { return zero_like(g); }
  static auto grad_b(const auto& g, const auto&) { return zero_like(g); }
};

/// a - floor(a / b) b: the sign of b, as Python's %.
struct Remainder : Binary<kNothing, kA | kB> {
  static constexpr const char* name = "remainder";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "RemainderBackward1";
  static constexpr const char* node_name_with_number = "RemainderBackward0";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) { return remainder(a, b); }
  static auto grad_a(const auto& g, const auto&) { return g; }
  static auto grad_b(const auto& g, const auto& s) { return -g * floor(s.a / s.b); }
};

/// a - trunc(a / b) b: the sign of a, as C's fmod.
struct Fmod : Binary<kNothing, kA | kB> {
  static constexpr const char* name = "fmod";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "FmodBackward1";
  static constexpr const char* node_name_with_number = "FmodBackward0";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& a, const auto& b) { return fmod(a, b); }
  static auto grad_a(const auto& g, const auto&) { return g; }
  static auto grad_b(const auto& g, const auto& s) { return -g * trunc(s.a / s.b); }
};

struct Neg : Linear {
  static constexpr const char* name = "neg";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return -x; }
  static auto grad(const auto& g) { return -g; }
};

struct Abs : FromInput {
  static constexpr const char* name = "abs";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return abs(x); }
  static auto grad(const auto& g, const auto& x) { return g * sign(x); }
};

struct Sign : Flat {
  static constexpr const char* name = "sign";
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& x) { return sign(x); }
};

struct Reciprocal : FromOutput {
  static constexpr const char* name = "reciprocal";
  static auto forward(const auto& x) { return 1 / x; }
  static auto grad(const auto& g, const auto& y) { return -g * (y * y); }
};

struct Square : FromInput {
  static constexpr const char* name = "square";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "PowBackward0";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return x * x; }
  static auto grad(const auto& g, const auto& x) { return g * (2 * x); }
};

struct Floor : Flat {
  static constexpr const char* name = "floor";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return floor(x); }
};
struct Ceil : Flat {
  static constexpr const char* name = "ceil";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return ceil(x); }
};
/// Halves go to the even neighbour.
struct Round : Flat {
  static constexpr const char* name = "round";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return round(x); }
};
struct Trunc : Flat {
  static constexpr const char* name = "trunc";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x) { return trunc(x); }
};
struct Frac : Linear {
  static constexpr const char* name = "frac";
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& x) { return x - trunc(x); }
  static auto grad(const auto& g) { return g; }
};

// Where the operands are equal, each gets half of the gradient; NaNs pass it on.
struct Maximum : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "maximum";
  static constexpr bool takes_number = false;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return maximum(a, b); }
  static auto grad_a(const auto& g, const auto& s) {
    return where(s.a == s.b, g * 0.5, where(s.a < s.b, zero_like(g), g));
  }
  static auto grad_b(const auto& g, const auto& s) {
    return where(s.a == s.b, g * 0.5, where(s.b < s.a, zero_like(g), g));
  }
};
struct Minimum : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "minimum";
  static constexpr bool takes_number = false;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return minimum(a, b); }
  static auto grad_a(const auto& g, const auto& s) {
    return where(s.a == s.b, g * 0.5, where(s.a > s.b, zero_like(g), g));
  }
  static auto grad_b(const auto& g, const auto& s) {
    return where(s.a == s.b, g * 0.5, where(s.b > s.a, zero_like(g), g));
  }
};
/// The larger; a NaN loses against a number.
struct Fmax : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "fmax";
  static constexpr bool takes_number = false;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return fmax(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return where((s.a >= s.b) | isnan(s.b), g, 0); }
  static auto grad_b(const auto& g, const auto& s) {
    return where((s.a >= s.b) | isnan(s.b), zero_like(g), g);
  }
};
/// The smaller; a NaN loses against a number.
struct Fmin : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "fmin";
  static constexpr bool takes_number = false;
  static constexpr Domain domain = Domain::any;
  static auto forward(const auto& a, const auto& b) { return fmin(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return where((s.a <= s.b) | isnan(s.b), g, 0); }
  static auto grad_b(const auto& g, const auto& s) {
    return where((s.a <= s.b) | isnan(s.b), zero_like(g), g);
  }
};

/// A bound of clamp, in both forms, so that integers are compared exactly.
struct Bound {
  double real;
  int64_t integer;
  bool given;
  template <class V>
  auto as() const {
    if constexpr (requires { typename V::Element; })
      return typename V::Element(typename V::Element(0.5) == 0 ? static_cast<typename V::Element>(integer)
                                                               : static_cast<typename V::Element>(real));
    else
      return real;
  }
};

struct Clamp : FromInput {
  static constexpr const char* name = "clamp";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "ClampBackward1";
  static constexpr Domain domain = Domain::number;
  Bound low, high;
  template <class V>
  auto forward(const V& x) const {
    V y = x;
    if (low.given) y = maximum(y, low.as<V>());
    if (high.given) y = minimum(y, high.as<V>());
    return y;
  }
  template <class V>
  V grad(const V& g, const V& x) const {
    V result = g;
    if (low.given) result = where(x >= low.as<V>(), result, zero_like(g));
    if (high.given) result = where(x <= high.as<V>(), result, zero_like(g));
    return result;
  }
};

/// clamp with tensors as bounds; the upper one wins where they cross.
struct ClampBetween : Ternary<kA | kB | kC, kA | kB | kC, kA | kB | kC> {
  static constexpr const char* name = "clamp_between";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "ClampBackward0";
  static constexpr Domain domain = Domain::number;
  static auto forward(const auto& x, const auto& low, const auto& high) {
    return minimum(maximum(x, low), high);
  }
  static auto grad_a(const auto& g, const auto& s) { return where((s.a >= s.b) & (s.a <= s.c), g, 0); }
  static auto grad_b(const auto& g, const auto& s) { return where((s.a < s.b) & (s.b < s.c), g, 0); }
  static auto grad_c(const auto& g, const auto& s) { return where((s.a > s.c) | (s.c < s.b), g, 0); }
};
struct ClampMin : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "clamp_min";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "ClampMinBackward1";
  static constexpr const char* node_name_with_number = "ClampMinBackward0";
  static constexpr Domain domain = Domain::number;
  const char* node_name_here = nullptr;  // another one as a part of clamp
  static auto forward(const auto& x, const auto& low) { return maximum(x, low); }
  static auto grad_a(const auto& g, const auto& s) { return where(s.a >= s.b, g, 0); }
  static auto grad_b(const auto& g, const auto& s) { return where(s.a < s.b, g, 0); }
};
struct ClampMax : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "clamp_max";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "ClampMaxBackward1";
  static constexpr const char* node_name_with_number = "ClampMaxBackward0";
  static constexpr Domain domain = Domain::number;
  const char* node_name_here = nullptr;  // another one as a part of clamp
  static auto forward(const auto& x, const auto& high) { return minimum(x, high); }
  static auto grad_a(const auto& g, const auto& s) { return where(s.a <= s.b, g, 0); }
  static auto grad_b(const auto& g, const auto& s) { return where(s.a > s.b, g, 0); }
};

/// a + weight (b - a), from the nearer end.
struct Lerp : Ternary<kC, kC, kA | kB> {
  static constexpr const char* name = "lerp";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "LerpBackward1";
  static constexpr const char* node_name_with_number = "LerpBackward0";
  static constexpr Domain domain = Domain::real;
  static auto forward(const auto& a, const auto& b, const auto& weight) {
    return where(abs(weight) < 0.5, a + weight * (b - a), b - (b - a) * (1 - weight));
  }
  static auto grad_a(const auto& g, const auto& s) { return g * (1 - s.c); }
  static auto grad_b(const auto& g, const auto& s) { return g * s.c; }
  static auto grad_c(const auto& g, const auto& s) { return g * (s.b - s.a); }
};

/// a + value b c.
struct Addcmul : Ternary<kNothing, kC, kB> {
  static constexpr const char* name = "addcmul";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::number;
  double value = 1;
  auto forward(const auto& a, const auto& b, const auto& c) const { return a + value * b * c; }
  static auto grad_a(const auto& g, const auto&) { return g; }
  auto grad_b(const auto& g, const auto& s) const { return g * (s.c * value); }
  auto grad_c(const auto& g, const auto& s) const { return g * (s.b * value); }
};

/// a + value b / c.
struct Addcdiv : Ternary<kNothing, kC, kB | kC> {
  static constexpr const char* name = "addcdiv";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::real;
  double value = 1;
  auto forward(const auto& a, const auto& b, const auto& c) const { return a + value * b / c; }
  static auto grad_a(const auto& g, const auto&) { return g; }
  auto grad_b(const auto& g, const auto& s) const { return g * (value / s.c); }
  auto grad_c(const auto& g, const auto& s) const { return -g * (value * s.b / (s.c * s.c)); }
};

using ArithmeticOps =
    OpList<Add, AddScaled, Sub, Rsub, Mul, Div, FloorDivide, TruncDivide, Remainder, Fmod, Neg, Abs, Sign,
           Reciprocal, Square, Floor, Ceil, Round, Trunc, Frac, Maximum, Minimum, Fmax, Fmin, Clamp,
           ClampBetween, ClampMin, ClampMax, Lerp, Addcmul, Addcdiv>;

}  // namespace tapegrad
