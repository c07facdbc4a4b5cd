// log and its relatives. See Note [Coefficients].
#pragma once

#include "vec_math_exp.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).
template <Floating T>
struct LogReduction {
  Vec<T> k, f;
};
/// For positive finite x.
template <Floating T>
TAPEGRAD_INLINE LogReduction<T> reduce_log(Vec<T> x) {
  constexpr int m = Format<T>::mantissa_bits;
  const auto denormal = x < Format<T>::min_normal;
  x = where(denormal, x * T(int64_t(1) << m), x);
  // Read as an integer, x has its exponent in the high bits. Adding 1 - sqrt(1/2) makes that field step at
  // sqrt(1/2) 2^k.
  using Int = SignedBits<T>;
  constexpr Int one = Int(Format<T>::bias) << m;
  constexpr Int sqrt_half = sizeof(T) == 4 ? Int(0x3f3504f3) : Int(0x3fe6a09e667f3bcd);
  const Vec<Int> shifted = bits(x) + (one - sqrt_half);
  const auto field = bit_cast<Int>(bit_cast<UnsignedBits<T>>(shifted) >> m);
  const Vec<T> biased = small_to_float<T>(field);
  const Vec<T> significand = bit_cast<T>((shifted & ((Int(1) << m) - 1)) + sqrt_half);
  return {biased - where(denormal, Vec<T>(Format<T>::bias + m), Format<T>::bias), significand - 1};
}

/// log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2), plus `tail`, a small addend of the logarithm.
TAPEGRAD_INLINE Vec<float> log1p_minus_f(Vec<float> f, Vec<float> tail) {
  // P(f) = (log(1 + f) - f + f^2 / 2) / f^3, error of the logarithm 2^-27.2.
  const auto p =
      polynomial(f, 0.33333316445350647f, -0.25000810623168945f, 0.2000228613615036f, -0.16624560952186584f,
                 0.1418120265007019f, -0.1312870979309082f, 0.12881602346897125f, -0.07859697192907333f);
  const auto f2 = f * f;
  return fma(f2, fma(f, p, -0.5f), tail);
}
TAPEGRAD_INLINE Vec<double> log1p_minus_f(Vec<double> f, Vec<double> tail) {
  // With s = f / (2 + f): log(1 + f) = 2 atanh(s) = 2 s + s R = f - f^2 / 2 + s (f^2 / 2 + R), where
  // R(z) / z = (2 atanh(s) / s - 2) / z, z = s^2 in [0, 0.0295], error 2^-57.9.
  const auto s = f / (2 + f);
  const auto z = s * s;
  const auto r =
      z * polynomial(z, 0.6666666666666734, 0.3999999999941468, 0.2857142874238277, 0.22222198573996207,
                     0.1818356427163267, 0.15314052187492874, 0.1479593150431424);
  const auto half_f2 = 0.5 * f * f;
  return fma(s, half_f2 + r, tail) - half_f2;
}

/// y, the logarithm of a positive finite x, or what the logarithm of another x is.
template <Floating T>
TAPEGRAD_INLINE Vec<T> log_or_special(Vec<T> x, Vec<T> y) {
  const Vec<T> special = where(x == 0, -Format<T>::infinity, where(x < 0, Format<T>::nan, x));
  return where((x > 0) & (x < Format<T>::infinity), y, special);
}

/// For positive finite x.
template <Floating T>
TAPEGRAD_INLINE Vec<T> log_positive(Vec<T> x) {
  const auto [k, f] = reduce_log(x);
  return fma(k, Format<T>::ln2_high, f + log1p_minus_f(f, k * Format<T>::ln2_low));
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> log(Vec<T> x) {
  return log_or_special(x, log_positive(x));
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> log2(Vec<T> x) {
  constexpr T log2_e = T(0x1.71547652b82fep+0);  // = high + low
  constexpr T log2_e_low = sizeof(T) == 4 ? T(0x1.4ae0bf85ddf44p-26) : T(0x1.777d0ffda0d24p-56);
  const auto [k, f] = reduce_log(x);
  const Vec<T> tail = fma(log1p_minus_f(f, 0), log2_e, f * log2_e_low);
  return log_or_special(x, k + fma(f, log2_e, tail));
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> log10(Vec<T> x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T log10_e = T(0x1.bcb7b1526e50ep-2);
  constexpr T log10_e_low = T(single ? -0x1.5b235e39ab2a9p-27 : 0x1.95355baaafad3p-57);
  constexpr T log10_2_high = T(single ? 0x1.344p-2 : 0x1.34413509f6p-2);  // times k exact
  constexpr T log10_2_low = T(single ? 0x1.3509f79fef312p-18 : 0x1.9fef311f12b36p-42);
  const auto [k, f] = reduce_log(x);
  const Vec<T> tail = fma(log1p_minus_f(f, 0), log10_e, fma(f, log10_e_low, k * log10_2_low));
  return log_or_special(x, fma(k, log10_2_high, fma(f, log10_e, tail)));
}

/// log(1 + x)
template <Floating T>
TAPEGRAD_INLINE Vec<T> log1p(Vec<T> x) {
  // 1 + x = u + c exactly, and log(u + c) = log(u) + c / u up to terms in c^2, which do not matter.
  const Vec<T> u = 1 + x;
  const Vec<T> x_part = u - 1;
  const Vec<T> c = (1 - (u - x_part)) + (x - x_part);
  const auto [k, f] = reduce_log(u);
  const Vec<T> y = fma(k, Format<T>::ln2_high, f + log1p_minus_f(f, fma(k, Format<T>::ln2_low, c / u)));
  return copysign(log_or_special(u, y), x);
}

/// log(1 + exp(x))
template <Floating T>
TAPEGRAD_INLINE Vec<T> softplus(Vec<T> x) {
  return maximum(x, 0) + log1p(exp(-abs(x)));
}
/// log(sigmoid(x))
template <Floating T>
TAPEGRAD_INLINE Vec<T> logsigmoid(Vec<T> x) {
  return minimum(x, 0) - log1p(exp(-abs(x)));
}
/// log(exp(x) + exp(y))
template <Floating T>
TAPEGRAD_INLINE Vec<T> logaddexp(Vec<T> x, SameVec<T> y) {
  // Equal infinities have no difference.
  const Vec<T> distance = where(x == y, 0, abs(x - y));
  return maximum(x, y) + log1p(exp(-distance));
}

/// log(2 u) for u so large that u^2 is lost beside or beyond 1, log1p(y) otherwise.
TAPEGRAD_INLINE Vec<double> log_of_double_or_log1p(Vec<double> u, Vec<double> y) {
  const auto large = u > 0x1p500;
  return log1p(where(large, u, y)) + where(large, Vec<double>(0.6931471805599453), 0);
}
/// log(a + sqrt(a^2 + 1)) for a = |x|, written so that nothing cancels.
TAPEGRAD_INLINE Vec<double> asinh(Vec<double> x) {
  const auto a = abs(x);
  return copysign(log_of_double_or_log1p(a, a + a * a / (1 + sqrt(fma(a, a, 1)))), x);
}
/// log(x + sqrt(x^2 - 1)), in terms of x - 1.
TAPEGRAD_INLINE Vec<double> acosh(Vec<double> x) {
  const auto t = x - 1;
  return where(x < 1, Format<double>::nan, log_of_double_or_log1p(x, t + sqrt(t * (x + 1))));
}
/// log((1 + a) / (1 - a)) / 2 for a = |x|.
TAPEGRAD_INLINE Vec<double> atanh(Vec<double> x) {
  const auto a = abs(x);
  return copysign(0.5 * log1p(2 * a / (1 - a)), x);
}

TAPEGRAD_INLINE Vec<float> asinh(Vec<float> x) {
  return via_double([](auto v) { return asinh(v); }, x);
}
TAPEGRAD_INLINE Vec<float> acosh(Vec<float> x) {
  return via_double([](auto v) { return acosh(v); }, x);
}
TAPEGRAD_INLINE Vec<float> atanh(Vec<float> x) {
  const auto a = abs(x), z = x * x;
  // (atanh(a) / a - 1) / z for a <= 1/2, error of atanh 2^-28.7; the logarithm itself beyond.
  const auto p =
      polynomial(z, 0.3333333730697632f, 0.1999971866607666f, 0.1429506540298462f, 0.10964648425579071f,
                 0.10297923535108566f, 0.02407129295170307f, 0.1764637529850006f);
  return copysign(where(a < 0.5f, fma(a * z, p, a), 0.5f * log((1 + a) / (1 - a))), x);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
