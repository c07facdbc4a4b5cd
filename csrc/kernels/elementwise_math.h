// Elementwise mathematical functions. Included by elementwise_defs.h.
#pragma once
#include "kernels/elementwise_defs.h"

namespace tapegrad {

namespace constants {
constexpr double kLn2 = 0.693147180559945309417;
constexpr double kLn10 = 2.302585092994045684018;
constexpr double kTwoOverSqrtPi = 1.128379167095512573896;
constexpr double kSqrtHalf = 0.707106781186547524401;
constexpr double kOneOverSqrt2Pi = 0.398942280401432677940;
constexpr double kSqrtTwoOverPi = 0.797884560802865355880;
}  // namespace constants

struct Sqrt : FromOutput {
  static constexpr const char* name = "sqrt";
  static auto forward(const auto& x) { return sqrt(x); }
  static auto grad(const auto& g, const auto& y) { return g / (2 * y); }
};
struct Rsqrt : FromOutput {
  static constexpr const char* name = "rsqrt";
  static auto forward(const auto& x) { return rsqrt(x); }
  static auto grad(const auto& g, const auto& y) { return -0.5 * g * (y * y * y); }
};

struct Exp : FromOutput {
  static constexpr const char* name = "exp";
  static auto forward(const auto& x) { return exp(x); }
  static auto grad(const auto& g, const auto& y) { return g * y; }
};
struct Exp2 : FromOutput {
  static constexpr const char* name = "exp2";
  static auto forward(const auto& x) { return exp2(x); }
  static auto grad(const auto& g, const auto& y) { return g * y * constants::kLn2; }
};
struct Expm1 : FromOutput {
  static constexpr const char* name = "expm1";
  static auto forward(const auto& x) { return expm1(x); }
  static auto grad(const auto& g, const auto& y) { return g * (y + 1); }
};
struct Log : FromInput {
  static constexpr const char* name = "log";
  static auto forward(const auto& x) { return log(x); }
  static auto grad(const auto& g, const auto& x) { return g / x; }
};
struct Log2 : FromInput {
  static constexpr const char* name = "log2";
  static auto forward(const auto& x) { return log2(x); }
  static auto grad(const auto& g, const auto& x) { return g / (x * constants::kLn2); }
};
struct Log10 : FromInput {
  static constexpr const char* name = "log10";
  static auto forward(const auto& x) { return log10(x); }
  static auto grad(const auto& g, const auto& x) { return g / (x * constants::kLn10); }
};
struct Log1p : FromInput {
  static constexpr const char* name = "log1p";
  static auto forward(const auto& x) { return log1p(x); }
  static auto grad(const auto& g, const auto& x) { return g / (x + 1); }
};

struct Sin : FromInput {
  static constexpr const char* name = "sin";
  static auto forward(const auto& x) { return sin(x); }
  static auto grad(const auto& g, const auto& x) { return g * cos(x); }
};
struct Cos : FromInput {
  static constexpr const char* name = "cos";
  static auto forward(const auto& x) { return cos(x); }
  static auto grad(const auto& g, const auto& x) { return -g * sin(x); }
};
struct Tan : FromOutput {
  static constexpr const char* name = "tan";
  static auto forward(const auto& x) { return tan(x); }
  static auto grad(const auto& g, const auto& y) { return g * (1 + y * y); }
};
struct Asin : FromInput {
  static constexpr const char* name = "asin";
  static auto forward(const auto& x) { return asin(x); }
  static auto grad(const auto& g, const auto& x) { return g * rsqrt(1 - x * x); }
};
struct Acos : FromInput {
  static constexpr const char* name = "acos";
  static auto forward(const auto& x) { return acos(x); }
  static auto grad(const auto& g, const auto& x) { return -g * rsqrt(1 - x * x); }
};
struct Atan : FromInput {
  static constexpr const char* name = "atan";
  static auto forward(const auto& x) { return atan(x); }
  static auto grad(const auto& g, const auto& x) { return g / (x * x + 1); }
};
/// The angle of the point (b, a).
struct Atan2 : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "atan2";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return atan2(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return g * over_norm(s.b, s); }
  static auto grad_b(const auto& g, const auto& s) { return -g * over_norm(s.a, s); }

 private:
  static auto over_norm(const auto& x, const auto& s) {  // x / (a^2 + b^2), zero at the origin
    const auto norm = s.a * s.a + s.b * s.b;
    return where(norm == 0, zero_like(norm), x / norm);
  }
};
struct Sinh : FromInput {
  static constexpr const char* name = "sinh";
  static auto forward(const auto& x) { return sinh(x); }
  static auto grad(const auto& g, const auto& x) { return g * cosh(x); }
};
struct Cosh : FromInput {
  static constexpr const char* name = "cosh";
  static auto forward(const auto& x) { return cosh(x); }
  static auto grad(const auto& g, const auto& x) { return g * sinh(x); }
};
struct Tanh : FromOutput {
  static constexpr const char* name = "tanh";
  static auto forward(const auto& x) { return tanh(x); }
  static auto grad(const auto& g, const auto& y) { return g * (1 - y * y); }
};
struct Asinh : FromInput {
  static constexpr const char* name = "asinh";
  static auto forward(const auto& x) { return asinh(x); }
  static auto grad(const auto& g, const auto& x) { return g * rsqrt(x * x + 1); }
};
struct Acosh : FromInput {
  static constexpr const char* name = "acosh";
  static auto forward(const auto& x) { return acosh(x); }
  static auto grad(const auto& g, const auto& x) { return g * rsqrt(x * x - 1); }
};
struct Atanh : FromInput {
  static constexpr const char* name = "atanh";
  static auto forward(const auto& x) { return atanh(x); }
  static auto grad(const auto& g, const auto& x) { return g / (1 - x * x); }
};
struct Erf : FromInput {
  static constexpr const char* name = "erf";
  static auto forward(const auto& x) { return erf(x); }
  static auto grad(const auto& g, const auto& x) { return constants::kTwoOverSqrtPi * exp(-(x * x)) * g; }
};
struct Erfc : FromInput {
  static constexpr const char* name = "erfc";
  static auto forward(const auto& x) { return erfc(x); }
  static auto grad(const auto& g, const auto& x) { return -constants::kTwoOverSqrtPi * exp(-(x * x)) * g; }
};

struct Erfinv : FromOutput {
  static constexpr const char* name = "erfinv";
  static auto forward(const auto& x) { return erfinv(x); }
  static auto grad(const auto& g, const auto& y) { return g * (exp(y * y) / constants::kTwoOverSqrtPi); }
};
/// The n-th derivative of digamma.
struct Polygamma : FromInput {
  static constexpr const char* name = "polygamma";
  static constexpr bool binds_itself = false;
  int64_t n;
  auto forward(const auto& x) const { return polygamma(n, x); }
  auto grad(const auto& g, const auto& x) const { return g * polygamma(n + 1, x); }
};
struct Digamma : FromInput {
  static constexpr const char* name = "digamma";
  static auto forward(const auto& x) { return digamma(x); }
  static auto grad(const auto& g, const auto& x) { return g * polygamma(1, x); }
};
struct Lgamma : FromInput {
  static constexpr const char* name = "lgamma";
  static auto forward(const auto& x) { return lgamma(x); }
  static auto grad(const auto& g, const auto& x) { return g * digamma(x); }
};

/// x to the power of a number. The exponents that have cheaper forms use them, in the derivative as well.
struct PowNumber : FromInput {
  static constexpr const char* name = "pow_number";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "PowBackward0";
  static constexpr Domain domain = Domain::real;
  double exponent = 1;
  template <class V>
  static V power(const V& x, double e) {
    if (e == 1) return x;
    if (e == 2) return x * x;
    if (e == 3) return x * x * x;
    if (e == 0.5) return sqrt(x);
    if (e == -0.5) return rsqrt(x);
    if (e == -1) return 1 / x;
    if (e == -2) return 1 / (x * x);
    return pow(x, e);
  }
  template <class V>
  V forward(const V& x) const {
    return power(x, exponent);
  }
  template <class V>
  V grad(const V& g, const V& x) const {
    if (exponent == 0) return zero_like(g);
    return g * (exponent * power(x, exponent - 1));
  }
};
/// a to the power of b.
struct Pow : Binary<kA | kB, kA | kB | kY> {
  static constexpr const char* name = "pow";
  static constexpr bool binds_itself = false;
  static constexpr const char* node_name = "PowBackward1";
  static constexpr const char* node_name_with_number = "PowBackward2";
  static auto forward(const auto& a, const auto& b) { return pow(a, b); }
  static auto grad_a(const auto& g, const auto& s) {
    return where(s.b == 0, zero_like(g), g * (s.b * pow(s.a, s.b - 1)));
  }
  static auto grad_b(const auto& g, const auto& s) {
    return where((s.a == 0) & (s.b >= 0), zero_like(g), g * (s.y * log(s.a)));
  }
};
struct IntegerPow : Binary<kNone, kNone> {
  static constexpr const char* name = "integer_pow";
  static constexpr bool binds_itself = false;
  static constexpr Domain domain = Domain::integers;
  static auto forward(const auto& a, const auto& b) { return integer_pow(a, b); }
};

struct Hypot : Binary<kA | kY, kB | kY> {
  static constexpr const char* name = "hypot";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return hypot(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return g * (s.a / s.y); }
  static auto grad_b(const auto& g, const auto& s) { return g * (s.b / s.y); }
};
/// log(exp(a) + exp(b)).
struct Logaddexp : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "logaddexp";
  static constexpr bool takes_number = false;
  static auto forward(const auto& a, const auto& b) { return logaddexp(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return g / (1 + exp(s.b - s.a)); }
  static auto grad_b(const auto& g, const auto& s) { return g / (1 + exp(s.a - s.b)); }
};
/// |a| with the sign of b.
struct Copysign : Binary<kA | kY, kNothing> {
  static constexpr const char* name = "copysign";
  static constexpr const char* node_name_with_number = "CopysignBackward1";
  static auto forward(const auto& a, const auto& b) { return copysign(a, b); }
  static auto grad_a(const auto& g, const auto& s) { return where(s.a == 0, zero_like(g), g * (s.y / s.a)); }
  static auto grad_b(const auto& g, const auto&) { return zero_like(g); }
};
/// a log(b), zero where a is zero.
struct Xlogy : Binary<kA | kB, kA | kB> {
  static constexpr const char* name = "xlogy";
  static constexpr bool number_first = true;
  static constexpr const char* node_name_with_number = "XlogyBackward2";
  static constexpr const char* node_name_with_first_number = "XlogyBackward1";
  static auto forward(const auto& a, const auto& b) {
    return where((a == 0) & (b == b), zero_like(a), a * log(b));
  }
  static auto grad_a(const auto& g, const auto& s) {
    return where((s.a == 0) & (s.b <= 0), zero_like(g), g * log(s.b));
  }
  static auto grad_b(const auto& g, const auto& s) { return g * s.a / s.b; }
};

using MathOps = OpList<Sqrt, Rsqrt, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos,
                       Atan, Atan2, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, Erfc, Erfinv, Polygamma,
                       Digamma, Lgamma, PowNumber, Pow, IntegerPow, Hypot, Logaddexp, Copysign, Xlogy>;

}  // namespace tapegrad
