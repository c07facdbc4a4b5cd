// log and its relatives. See Note [Coefficients].
#pragma once

#include "vec_math_basic.h"

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
  const Vec<T> biased = bit_cast<T>(field + Format<T>::rounder_bits) - Format<T>::rounder;
  const Vec<T> significand = bit_cast<T>((shifted & ((Int(1) << m) - 1)) + sqrt_half);
  return {biased - where(denormal, Vec<T>(Format<T>::bias + m), Format<T>::bias), significand - 1};
}

/// log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2), plus `tail`, a small addend of the logarithm.
TAPEGRAD_INLINE Vec<float> log1p_minus_f(Vec<float> f, Vec<float> tail) {
  // P(f) = (log(1 + f) - f + f^2 / 2) / f^3, error of the logarithm 2^-27.2.
  const auto p =
      polynomial(f, 0.3333333134651184f, -0.2500081956386566f, 0.20001225173473358f, -0.1662335842847824f,
                 0.1420179307460785f, -0.1316021978855133f, 0.12761373817920685f, -0.07634153962135315f);
  const auto f2 = f * f;
  return fma(f2, fma(f, p, -0.5f), tail);
}
TAPEGRAD_INLINE Vec<double> log1p_minus_f(Vec<double> f, Vec<double> tail) {
  // With s = f / (2 + f): log(1 + f) = 2 atanh(s) = 2 s + s R = f - f^2 / 2 + s (f^2 / 2 + R), where
  // R(z) / z = (2 atanh(s) / s - 2) / z, z = s^2 in [0, 0.0295], error 2^-57.9.
  const auto s = f / (2 + f);
  const auto z = s * s;
  const auto r =
      z * polynomial(z, 0.6666666666666735, 0.3999999999941289, 0.2857142874281997, 0.2222219852542573,
                     0.1818356697741642, 0.15313978547462073, 0.14796710555221643);
  const auto half_f2 = 0.5 * f * f;
  return fma(s, half_f2 + r, tail) - half_f2;
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> log(Vec<T> x) {
  const auto [k, f] = reduce_log(x);
  const Vec<T> y = fma(k, Format<T>::ln2_high, f + log1p_minus_f(f, k * Format<T>::ln2_low));
  // 0 gives -infinity, a negative number NaN, infinity and NaN themselves.
  const Vec<T> special = where(x == 0, -Format<T>::infinity, where(x < 0, Format<T>::nan, x));
  return where((x > 0) & (x < Format<T>::infinity), y, special);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
