// Rounding, signs, extrema, and the tools that the elementary functions are made of.
#pragma once

#include "vec.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

template <Floating T>
struct Format;
template <>
struct Format<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int bias = 127;
  static constexpr float min_normal = 0x1p-126f;
  static constexpr float largest = 0x1.fffffep127f;
  static constexpr float infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  /// Adding it to a number below 2^22 leaves the nearest integer in the low bits of the sum.
  static constexpr float rounder = 0x1.8p23f;
  static constexpr int32_t rounder_bits = 0x4b400000;
  static constexpr int32_t sign_bit = int32_t(0x80000000u);
  /// ln 2 in two parts: n * ln2_high is exact for every exponent n.
  static constexpr float ln2_high = 0x1.62e4p-1f;
  static constexpr float ln2_low = 0x1.7f7d1cp-20f;
};
template <>
struct Format<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int bias = 1023;
  static constexpr double min_normal = 0x1p-1022;
  static constexpr double largest = 0x1.fffffffffffffp1023;
  static constexpr double infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double rounder = 0x1.8p52;
  static constexpr int64_t rounder_bits = 0x4338000000000000;
  static constexpr int64_t sign_bit = int64_t(0x8000000000000000u);
  static constexpr double ln2_high = 0x1.62e42fefa4p-1;
  static constexpr double ln2_low = -0x1.8432a1b0e2634p-43;
};

template <Floating T>
TAPEGRAD_INLINE Vec<SignedBits<T>> bits(Vec<T> x) {
  return bit_cast<SignedBits<T>>(x);
}

/// a * b + c: one rounding where the machine has the instruction (kHasFma), two elsewhere.
template <Floating T>
TAPEGRAD_INLINE Vec<T> fma(Vec<T> a, SameVec<T> b, SameVec<T> c) {
  return Vec<T>(arch::fma(a.raw, b.raw, c.raw));
}

/// c0 + c1 x + c2 x^2 + ... by Horner's rule.
template <Floating T, class C>
TAPEGRAD_INLINE Vec<T> horner(Vec<T>, C c0) {
  return c0;
}
template <Floating T, class C, class... Cs>
TAPEGRAD_INLINE Vec<T> horner(Vec<T> x, C c0, Cs... rest) {
  return fma(horner(x, rest...), x, c0);
}
/// c0 + c2 z + c4 z^2 + ...
template <Floating T, class C>
TAPEGRAD_INLINE Vec<T> even_terms(Vec<T>, C c0) {
  return c0;
}
template <Floating T, class C>
TAPEGRAD_INLINE Vec<T> even_terms(Vec<T>, C c0, C) {
  return c0;
}
template <Floating T, class C, class... Cs>
TAPEGRAD_INLINE Vec<T> even_terms(Vec<T> z, C c0, C, Cs... rest) {
  return fma(even_terms(z, rest...), z, c0);
}
/// c0 + c1 x + c2 x^2 + ...: Horner's rule, for long polynomials in two independent chains, which take half
/// the time.
template <Floating T, class C, class... Cs>
TAPEGRAD_INLINE Vec<T> polynomial(Vec<T> x, C c0, Cs... rest) {
  if constexpr (sizeof...(rest) < 7) {
    return horner(x, c0, rest...);
  } else {
    const Vec<T> z = x * x;
    return fma(even_terms(z, rest...), x, even_terms(z, c0, rest...));
  }
}

template <Floating T>
TAPEGRAD_INLINE Mask<sizeof(T)> isnan(Vec<T> x) {
  return x != x;
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> abs(Vec<T> x) {
  return bit_cast<T>(bits(x) & ~Format<T>::sign_bit);
}
template <Integral T>
TAPEGRAD_INLINE Vec<T> abs(Vec<T> x) {
  if constexpr (T(-1) > T(0))
    return x;
  else
    return where(x < 0, -x, x);
}
template <Floating T>
TAPEGRAD_INLINE Mask<sizeof(T)> isinf(Vec<T> x) {
  return abs(x) == Format<T>::infinity;
}
template <Floating T>
TAPEGRAD_INLINE Mask<sizeof(T)> isfinite(Vec<T> x) {
  return abs(x) < Format<T>::infinity;
}
/// True for -0 and for a NaN whose sign bit is set, too.
template <class T>
TAPEGRAD_INLINE Mask<sizeof(T)> signbit(Vec<T> x) {
  if constexpr (Floating<T>)
    return bits(x) < 0;
  else
    return x < 0;
}
template <class T>
TAPEGRAD_INLINE Vec<T> neg(Vec<T> x) {
  return -x;
}
/// |magnitude| with the sign of `sign`.
template <Floating T>
TAPEGRAD_INLINE Vec<T> copysign(Vec<T> magnitude, SameVec<T> sign) {
  constexpr auto sign_bit = Format<T>::sign_bit;
  return bit_cast<T>((bits(magnitude) & ~sign_bit) | (bits(sign) & sign_bit));
}
/// -1, 0 or 1; NaN gives 0, as torch.sign.
template <class T>
TAPEGRAD_INLINE Vec<T> sign(Vec<T> x) {
  if constexpr (T(-1) > T(0))
    return where(x > 0, Vec<T>(1), 0);
  else
    return where(x > 0, Vec<T>(1), where(x < 0, Vec<T>(-1), 0));
}

/// The smaller; NaN if either is NaN.
template <class T>
TAPEGRAD_INLINE Vec<T> minimum(Vec<T> a, SameVec<T> b) {
  const Vec<T> smaller = where(a < b, a, b);  // b if either is NaN
  if constexpr (Floating<T>)
    return where(isnan(a), a, smaller);
  else
    return smaller;
}
/// The larger; NaN if either is NaN.
template <class T>
TAPEGRAD_INLINE Vec<T> maximum(Vec<T> a, SameVec<T> b) {
  const Vec<T> larger = where(a > b, a, b);
  if constexpr (Floating<T>)
    return where(isnan(a), a, larger);
  else
    return larger;
}
/// The smaller; a NaN is ignored if the other is a number.
template <class T>
TAPEGRAD_INLINE Vec<T> fmin(Vec<T> a, SameVec<T> b) {
  const Vec<T> smaller = where(b < a, b, a);
  if constexpr (Floating<T>)
    return where(isnan(a), b, smaller);
  else
    return smaller;
}
/// The larger; a NaN is ignored if the other is a number.
template <class T>
TAPEGRAD_INLINE Vec<T> fmax(Vec<T> a, SameVec<T> b) {
  const Vec<T> larger = where(b > a, b, a);
  if constexpr (Floating<T>)
    return where(isnan(a), b, larger);
  else
    return larger;
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> sqrt(Vec<T> x) {
  return Vec<T>(arch::sqrt(x.raw));
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> rsqrt(Vec<T> x) {
  return 1 / sqrt(x);
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> reciprocal(Vec<T> x) {
  return 1 / x;
}
template <class T>
TAPEGRAD_INLINE Vec<T> square(Vec<T> x) {
  return x * x;
}

template <class T>
TAPEGRAD_INLINE Vec<T> floor(Vec<T> x) {
  if constexpr (Floating<T>)
    return Vec<T>(arch::floor(x.raw));
  else
    return x;
}
template <class T>
TAPEGRAD_INLINE Vec<T> ceil(Vec<T> x) {
  if constexpr (Floating<T>)
    return Vec<T>(arch::ceil(x.raw));
  else
    return x;
}
template <class T>
TAPEGRAD_INLINE Vec<T> trunc(Vec<T> x) {
  if constexpr (Floating<T>)
    return Vec<T>(arch::trunc(x.raw));
  else
    return x;
}
/// To the nearest integer, halves to the even one.
template <class T>
TAPEGRAD_INLINE Vec<T> round(Vec<T> x) {
  if constexpr (Floating<T>)
    return Vec<T>(arch::round(x.raw));
  else
    return x;
}
/// x - trunc(x)
template <Floating T>
TAPEGRAD_INLINE Vec<T> frac(Vec<T> x) {
  return x - trunc(x);
}

/// An integer below 2^22 (float) or 2^51 (double) in magnitude, both as a float and as bits.
template <Floating T>
struct Rounded {
  Vec<T> value;
  Vec<SignedBits<T>> integer;
};
/// The nearest integer, for |x| < 2^22 (float) or 2^51 (double).
template <Floating T>
TAPEGRAD_INLINE Rounded<T> round_small(Vec<T> x) {
  const Vec<T> shifted = x + Format<T>::rounder;
  return {shifted - Format<T>::rounder, bits(shifted) - Format<T>::rounder_bits};
}
/// The inverse: an integer below 2^22 or 2^51 in magnitude as a float.
template <Floating T>
TAPEGRAD_INLINE Vec<T> small_to_float(Vec<SignedBits<T>> n) {
  return bit_cast<T>(n + Format<T>::rounder_bits) - Format<T>::rounder;
}
/// x * 2^n with one rounding; 2^n itself may be far outside the range of normal numbers.
template <Floating T>
TAPEGRAD_INLINE Vec<T> scale_by_power_of_2(Vec<T> x, Rounded<T> n) {
#if defined(TAPEGRAD_AVX512)
  return Vec<T>(arch::scale(x.raw, n.value.raw));
#else
  // Two factors 2^half, each with the exponent field in range: only the second product can be inexact.
  using Field = UnsignedBits<T>;
  const auto field = bit_cast<Field>(n.integer + 2 * Format<T>::bias);
  const auto half = field >> 1;
  return x * bit_cast<T>(half << Format<T>::mantissa_bits) *
         bit_cast<T>((field - half) << Format<T>::mantissa_bits);
#endif
}
/// 2^n for an n whose power is a normal number.
template <Floating T>
TAPEGRAD_INLINE Vec<T> power_of_2(Rounded<T> n) {
  return bit_cast<T>((n.integer + Format<T>::bias) << Format<T>::mantissa_bits);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
