// pow and hypot. See Note [Coefficients].
#pragma once

#include "vec_math_log.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// The unevaluated sum high + low, with |low| at most half a unit in the last place of high: twice the
/// digits.
template <Floating T>
struct TwoWords {
  Vec<T> high, low;
};
using DoubleWord = TwoWords<double>;
/// a + b exactly, for |a| >= |b| (Dekker 1971).
TAPEGRAD_INLINE DoubleWord fast_two_sum(Vec<double> a, Vec<double> b) {
  const auto sum = a + b;
  return {sum, b - (sum - a)};
}
/// a + b exactly (Knuth).
TAPEGRAD_INLINE DoubleWord two_sum(Vec<double> a, Vec<double> b) {
  const auto sum = a + b, b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}
/// a * b exactly, below 2^996 or 2^114 (without fma: Dekker's product of Veltkamp's halves).
template <Floating T>
TAPEGRAD_INLINE TwoWords<T> two_product(Vec<T> a, SameVec<T> b) {
  const auto product = a * b;
  if constexpr (kHasFma) return {product, fma(a, b, -product)};
  constexpr T splitter = T(sizeof(T) == 4 ? 0x1.002p12 : 0x1.0000002p27);
  const auto a_split = a * splitter, b_split = b * splitter;
  const auto a_high = a_split - (a_split - a), b_high = b_split - (b_split - b);
  const auto a_low = a - a_high, b_low = b - b_high;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

/// a - q b exactly, for q near a / b.
template <Floating T>
TAPEGRAD_INLINE Vec<T> division_error(Vec<T> a, SameVec<T> b, SameVec<T> q) {
  if constexpr (kHasFma) return fma(-q, b, a);
  const auto product = two_product(q, b);
  return (a - product.high) - product.low;
}

/// log(x) for positive finite x with about 66 correct bits, which is what a power of 2^1024 needs.
TAPEGRAD_INLINE DoubleWord log_extended(Vec<double> x) {
  const auto [k, f] = reduce_log(x);
  // s = f / (2 + f)
  const auto [d_high, d_low] = fast_two_sum(2, f);
  const auto s_high = f / d_high;
  const auto [sd_high, sd_low] = two_product(s_high, d_high);
  const auto s_low = ((f - sd_high) - sd_low - s_high * d_low) / d_high;
  // z = s^2
  const auto [z_high, z_rest] = two_product(s_high, s_high);
  const auto z_low = z_rest + 2 * s_high * s_low;
  // log(1 + f) = 2 atanh(s) = s (2 + t) with t = 2 z / 3 + z^2 P(z); only the first term needs more than 53
  // bits. P(z) = (2 atanh(s) / s - 2 - 2 z / 3) / z^2, z in [0, 0.0295], error of the logarithm 2^-65.5.
  const auto p = polynomial(z_high, 0.4, 0.2857142857142856, 0.22222222222234228, 0.18181818178123155,
                            0.1538461595920754, 0.1333328266324183, 0.1176735207770905, 0.10445398512963548,
                            0.10852679054077384);
  constexpr double two_thirds = 0x1.5555555555555p-1, two_thirds_low = 0x1.5555555555555p-55;
  const auto [v_high, v_low] = two_product(z_high, two_thirds);
  const auto [t_high, t_rest] = fast_two_sum(v_high, z_high * z_high * p);
  const auto t_low = t_rest + v_low + z_high * two_thirds_low + z_low * two_thirds;
  const auto [st_high, st_low] = two_product(s_high, t_high);
  const auto [log_high, log_rest] = fast_two_sum(2 * s_high, st_high);
  const auto log_low = log_rest + 2 * s_low + st_low + s_high * t_low + s_low * t_high;
  // k ln 2 + log(1 + f)
  const auto [sum_high, sum_low] = two_sum(k * Format<double>::ln2_high, log_high);
  return fast_two_sum(sum_high, sum_low + log_low + k * Format<double>::ln2_low);
}

/// exp(y log(x)) for positive finite x and finite y.
TAPEGRAD_INLINE Vec<double> pow_positive(Vec<double> x, Vec<double> y) {
  y = where(abs(y) > 0x1p65, copysign(Vec<double>(0x1p65), y), y);  // already 0, 1 or infinity for every x
  const auto l = log_extended(x);
  const auto [high, rest] = two_product(y, l.high);
  const auto clamped = where(high < -746, -746, where(high > 710, 710, high));
  const auto low = where(clamped == high, fma(y, l.low, rest), 0);
  const auto [n, r] = reduce_exp(clamped);
  return scale_by_power_of_2(1 + expm1_reduced(r + low), n);
}
/// Double precision is enough for the float result, also where the exponent is large.
TAPEGRAD_INLINE Vec<float> pow_positive(Vec<float> x, Vec<float> y) {
  return via_double([](auto a, auto b) { return exp(b * log_positive(a)); }, x, y);
}

/// x to the power y, with the special cases of C's pow.
template <Floating T>
TAPEGRAD_INLINE Vec<T> pow(Vec<T> x, SameVec<T> y) {
  constexpr T infinity = Format<T>::infinity;
  const Vec<T> a = abs(x);
  const auto ordinary = (a > 0) & (a < infinity) & (abs(y) < infinity);
  const Vec<T> extreme = where(a == 1, 1, where((a > 1) ^ (y > 0), Vec<T>(0), infinity));
  const Vec<T> magnitude =
      where(ordinary, pow_positive(where(ordinary, a, 1), where(ordinary, y, 1)), extreme);
  const auto integral = trunc(y) == y;
  const auto odd = integral & (trunc(y * T(0.5)) * 2 != y);
  const Vec<T> negative_base =
      where(odd, -magnitude, where(integral | (a == 0) | (a == infinity), magnitude, Format<T>::nan));
  const Vec<T> result = where(signbit(x), negative_base, magnitude);
  const auto one = (x == 1) | (y == 0);
  return where(one, 1, where(isnan(x) | isnan(y), x + y, result));
}

/// x to the power y, wrapping around; 0 for a negative y unless x is 1 or -1.
template <Integral T>
TAPEGRAD_INLINE Vec<T> pow(Vec<T> x, SameVec<T> y) {
  return map_lanes(x, y, [](T base, T exponent) -> T {
    if (exponent < 0) return base == 1 ? T(1) : base == T(-1) ? T(exponent & 1 ? -1 : 1) : T(0);
    UnsignedBits<T> result = 1, square = UnsignedBits<T>(base);
    for (auto e = UnsignedBits<T>(exponent); e != 0; e >>= 1) {
      if (e & 1) result = UnsignedBits<T>(uint64_t(result) * square);
      square = UnsignedBits<T>(uint64_t(square) * square);
    }
    return T(result);
  });
}

/// sqrt(x^2 + y^2) without overflow; infinity if either is infinite, even beside NaN.
TAPEGRAD_INLINE Vec<double> hypot(Vec<double> x, SameVec<double> y) {
  const auto a = abs(x), b = abs(y);
  const auto larger = maximum(a, b);
  const auto scale = where(larger > 0x1p500, 0x1p-600, where(larger < 0x1p-450, Vec<double>(0x1p600), 1));
  const auto u = a * scale, v = b * scale;
  const auto length = sqrt(fma(u, u, v * v)) / scale;
  return where(isinf(x) | isinf(y), Format<double>::infinity, length);
}
TAPEGRAD_INLINE Vec<float> hypot(Vec<float> x, SameVec<float> y) {
  const auto length = via_double([](auto a, auto b) { return sqrt(a * a + b * b); }, x, y);
  return where(isinf(x) | isinf(y), Format<float>::infinity, length);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
