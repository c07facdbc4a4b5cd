// The trigonometric functions and their inverses. See Note [Coefficients].
#pragma once

#include "vec_math_basic.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// |x| = (quadrant + 4 j) pi / 2 + r with |r| <= pi / 4 and some j.
template <Floating T>
struct TrigReduction {
  Vec<T> r;
  Vec<SignedBits<T>> quadrant;
};

// Note [Angles]: subtracting n pi / 2 cancels leading digits, so pi / 2 is a sum of three parts (Cody and
// Waite) whose products with n are exact, or are exact in one fma. Where n has too many digits for that, the
// double path takes over from the float path, and from the double path an integer product with as many digits
// of 2 / pi as x needs (Payne and Hanek 1983). Every part of pi / 2 is positive, so that 0 stays +0.

/// The same, with what rounding has taken from r where |r| > 0.1.
struct FloatAngle {
  Vec<float> r;
  Vec<int32_t> quadrant;
  Vec<float> low;
};
/// For |x| <= 50000, with fma.
TAPEGRAD_INLINE FloatAngle reduce_small_angle(Vec<float> a) {
  constexpr float high = 0x1.921fb4p+0f, middle = 0x1.4442d0p-24f, low = 0x1.846988p-48f;  // pi / 2
  const auto n = round_small(a * 0.636619772f);
  const auto start = fma(n.value, -high, a);
  const auto r = fma(n.value, -low, fma(n.value, -middle, start));
  return {r, n.integer, fma(n.value, -low, fma(n.value, -middle, start - r))};
}
/// For |x| <= 10^6.
TAPEGRAD_INLINE TrigReduction<double> reduce_small_angle(Vec<double> a) {
  const auto n = round_small(a * 0.6366197723675814);
  const auto r = fma(n.value, -0x1.921fb544p+0, a);
  return {fma(n.value, -0x1.3198a2e037073p-69, fma(n.value, -0x1.0b4611a6p-34, r)), n.integer};
}

/// One angle of at least 10^6 and its quadrant, by Payne and Hanek's method; NaN for infinity.
struct LargeAngle {
  double r;
  int64_t quadrant;
};
[[gnu::noinline]] inline LargeAngle reduce_large_angle(double a) {
  // The binary digits of 2 / pi, after 64 zeros that serve the smallest arguments.
  constexpr uint64_t two_over_pi[] = {0,
                                      0xa2f9836e4e441529,
                                      0xfc2757d1f534ddc0,
                                      0xdb6295993c439041,
                                      0xfe5163abdebbc561,
                                      0xb7246e3a424dd2e0,
                                      0x06492eea09d1921c,
                                      0xfe1deb1cb129a73e,
                                      0xe88235f52ebb4484,
                                      0xe99c7026b45f7e41,
                                      0x3991d639835339f4,
                                      0x9c845f8bbdf9283b,
                                      0x1ff897ffde05980f,
                                      0xef2f118b5a0a6d1f,
                                      0x6d367ecf27cb09b7,
                                      0x4f463f669e5fea2d,
                                      0x7527bac7ebe5f17b,
                                      0x3d0739f78a5292ea,
                                      0x6bfb5fb11f8d5d08,
                                      0x56033046fc7b6bab,
                                      0xf0cfbc209af4361d};
  if (!(a < Format<double>::infinity)) return {Format<double>::nan, 0};
  // a = m 2^e. Digits of 2 / pi that give multiples of 4 are skipped; the next 192 decide.
  uint64_t pattern;
  __builtin_memcpy(&pattern, &a, sizeof(a));
  const uint64_t m = (pattern & 0xfffffffffffff) | 0x10000000000000;
  const int first = int(pattern >> 52) - 1023 - 52 - 2 + 64;
  const int word = first / 64, shift = first % 64;
  const auto digits = [&](int i) {
    const uint64_t high = two_over_pi[word + i] << shift;
    return shift == 0 ? high : high | two_over_pi[word + i + 1] >> (64 - shift);
  };
  // The product modulo 4, as a fixed-point number with two bits before the point and 190 behind it.
  using Wide = unsigned __int128;
  const Wide low = Wide(m) * digits(2);
  const Wide middle = Wide(m) * digits(1) + uint64_t(low >> 64);
  const uint64_t high = m * digits(0) + uint64_t(middle >> 64);
  const Wide fraction =
      Wide(high << 2 | uint64_t(middle) >> 62) << 64 | (uint64_t(middle) << 2 | uint64_t(low) >> 62);
  // To the nearest quadrant: a fraction in [-1/2, 1/2), then as two doubles times pi / 2.
  const __int128 centered = __int128(fraction) >> 1;
  const double f_high = double(centered), f_low = double(centered - __int128(f_high));
  constexpr double pi_2 = 0x1.921fb54442d18p+0, pi_2_low = 0x1.1a62633145c07p-54;
  const double r = __builtin_fma(f_high, pi_2, f_high * pi_2_low + f_low * pi_2);
  return {r * 0x1p-127, int64_t(high >> 62) + int64_t(fraction >> 127)};
}

/// For a = |x| of any size.
TAPEGRAD_INLINE TrigReduction<double> reduce_angle(Vec<double> a) {
  auto reduced = reduce_small_angle(a);
  const auto large = a > 1e6;
  if (any(large)) [[unlikely]]
    for (int i = 0; i < Vec<double>::size; ++i)
      if (large[i]) {
        const LargeAngle angle = reduce_large_angle(a[i]);
        reduced.r.raw[i] = angle.r;
        reduced.quadrant.raw[i] = angle.quadrant;
      }
  return reduced;
}

/// sin(r) and cos(r) for |r| <= pi / 4 (and 1% beyond, where the rounding of n leads).
template <Floating T>
struct SinCos {
  Vec<T> sin, cos;
};
TAPEGRAD_INLINE SinCos<float> sin_cos_reduced(Vec<float> r) {
  const auto z = r * r;
  // (sin(r) / r - 1) / z, error of sin 2^-28.2
  const auto s = polynomial(z, -0.1666666716337204f, 0.008333329111337662f, -0.00019839256128761917f,
                            2.7175633476872463e-06f);
  // (cos(r) - 1 + z / 2) / z^2, error of cos 2^-30.9
  const auto c = polynomial(z, 0.0416666679084301f, -0.0013888883404433727f, 2.479943577782251e-05f,
                            -2.7203316221857676e-07f);
  return {fma(r * z, s, r), fma(z * z, c, fma(z, -0.5f, 1))};
}
TAPEGRAD_INLINE SinCos<double> sin_cos_reduced(Vec<double> r) {
  const auto z = r * r;
  // The same, errors 2^-57.3 and 2^-60.0.
  const auto s =
      polynomial(z, -0.16666666666666666, 0.008333333333333321, -0.000198412698412536, 2.755731921342e-06,
                 -2.5052104708715218e-08, 1.6058340531333263e-10, -7.57739309445813e-13);
  const auto c = polynomial(z, 0.041666666666666664, -0.0013888888888888872, 2.4801587301569893e-05,
                            -2.755731921468363e-07, 2.08767542096089e-09, -1.1470275439954857e-11,
                            4.7373026315443876e-14);
  return {fma(r * z, s, r), fma(z * z, c, fma(z, -0.5, 1))};
}

/// The sine for a quadrant: sin, cos, -sin, -cos.
template <Floating T>
TAPEGRAD_INLINE Vec<T> sin_of_quadrant(SinCos<T> reduced, Vec<SignedBits<T>> quadrant) {
  const Vec<T> value = where((quadrant & 1) == 0, reduced.sin, reduced.cos);
  return bit_cast<T>(bits(value) ^ ((quadrant & 2) << int(8 * sizeof(T) - 2)));
}

/// y, negated where x is negative: the odd continuation of a function of |x|.
template <Floating T>
TAPEGRAD_INLINE Vec<T> with_sign_of(Vec<T> x, Vec<T> y) {
  return bit_cast<T>(bits(y) ^ (bits(x) & Format<T>::sign_bit));
}

TAPEGRAD_INLINE Vec<double> sin(Vec<double> x) {
  const auto [r, quadrant] = reduce_angle(abs(x));
  return with_sign_of(x, sin_of_quadrant(sin_cos_reduced(r), quadrant));
}
TAPEGRAD_INLINE Vec<double> cos(Vec<double> x) {
  const auto [r, quadrant] = reduce_angle(abs(x));
  return sin_of_quadrant(sin_cos_reduced(r), quadrant + 1);
}
TAPEGRAD_INLINE Vec<double> tan(Vec<double> x) {
  const auto [r, quadrant] = reduce_angle(abs(x));
  const auto [s, c] = sin_cos_reduced(r);
  const auto even = (quadrant & 1) == 0;
  return with_sign_of(x, where(even, s, -c) / where(even, c, s));
}

[[gnu::noinline]] inline Vec<float> sin_via_double(Vec<float> x) {
  return via_double([](auto v) { return sin(v); }, x);
}
[[gnu::noinline]] inline Vec<float> cos_via_double(Vec<float> x) {
  return via_double([](auto v) { return cos(v); }, x);
}
[[gnu::noinline]] inline Vec<float> tan_via_double(Vec<float> x) {
  return via_double([](auto v) { return tan(v); }, x);
}
/// Whether the float path serves an angle; see Note [Angles].
TAPEGRAD_INLINE Mask<4> fits_float_path(Vec<float> a) { return a <= 50000; }

TAPEGRAD_INLINE Vec<float> sin(Vec<float> x) {
  if constexpr (!kHasFma) return sin_via_double(x);
  const auto a = abs(x);
  const auto [r, quadrant, low] = reduce_small_angle(a);
  const auto y = with_sign_of(x, sin_of_quadrant(sin_cos_reduced(r), quadrant));
  const auto small = fits_float_path(a);
  if (all(small)) [[likely]]
    return y;
  return where(small, y, sin_via_double(x));
}
TAPEGRAD_INLINE Vec<float> cos(Vec<float> x) {
  if constexpr (!kHasFma) return cos_via_double(x);
  const auto a = abs(x);
  const auto [r, quadrant, low] = reduce_small_angle(a);
  const auto y = sin_of_quadrant(sin_cos_reduced(r), quadrant + 1);
  const auto small = fits_float_path(a);
  if (all(small)) [[likely]]
    return y;
  return where(small, y, cos_via_double(x));
}
TAPEGRAD_INLINE Vec<float> tan(Vec<float> x) {
  if constexpr (!kHasFma) return tan_via_double(x);
  const auto a = abs(x);
  const auto [r, quadrant, low] = reduce_small_angle(a);
  const auto z = r * r;
  // (tan(r) / r - 1) / z for |r| <= pi / 4, error of tan 2^-27.1
  const auto p =
      polynomial(z, 0.3333335518836975f, 0.13332496583461761f, 0.05407854542136192f, 0.021187257021665573f,
                 0.011079413816332817f, -0.0002168662758776918f, 0.004526492208242416f);
  const auto about = fma(r * z, p, r);
  const auto rest = where(z > 0.01f, fma(about * about, low, low), 0);
  const auto t = r + fma(r * z, p, rest);
  const auto y = with_sign_of(x, where((quadrant & 1) == 0, t, -1 / t));
  const auto small = fits_float_path(a);
  if (all(small)) [[likely]]
    return y;
  return where(small, y, tan_via_double(x));
}

/// (atan(t) / t - 1) / t^2 as a polynomial in z = t^2, for |t| <= tan(pi / 8).
TAPEGRAD_INLINE Vec<float> atan_near_0(Vec<float> z) {  // error of atan 2^-28.9
  return polynomial(z, -0.3333333134651184f, 0.19999904930591583f, -0.14282041788101196f,
                    0.11045094579458237f, -0.08478408306837082f, 0.04748273268342018f);
}
TAPEGRAD_INLINE Vec<double> atan_near_0(Vec<double> z) {  // error of atan 2^-58.1
  return polynomial(z, -0.3333333333333333, 0.19999999999999887, -0.14285714285695744, 0.11111111109588173,
                    -0.09090909017011499, 0.07692305383229593, -0.06666617776095135, 0.05881630390385668,
                    -0.05255595664582658, 0.04705768882601005, -0.0405566943952464, 0.029622753500450162,
                    -0.012990054656184599);
}

/// The angle of the point (x, y) with y >= 0, in [0, pi]; NaN only for 0 / 0 and NaN.
template <Floating T>
TAPEGRAD_INLINE Vec<T> angle_above_axis(Vec<T> y, Vec<T> x) {
  // The angle is octant * pi / 4 + sign * atan(t) with |t| <= tan(pi / 8); each reflection gives another
  // pair.
  const Vec<T> a = abs(x);
  const auto steep = y > a;
  const Vec<T> numerator = where(steep, a, y), denominator = where(steep, y, a);
  const auto diagonal = numerator > denominator * T(0.41421356237309503);
  const Vec<T> t = where(diagonal, numerator - denominator, numerator) /
                   where(diagonal, numerator + denominator, denominator);
  const auto left = signbit(x);
  Vec<T> octant = where(diagonal, Vec<T>(1), 0);
  octant = where(steep, 2 - octant, octant);
  octant = where(left, 4 - octant, octant);
  const Vec<T> u = where(steep ^ left, -t, t);
  // pi / 4 in two parts: octant * high is exact.
  constexpr T high = T(sizeof(T) == 4 ? 0x1.921fap-1 : 0x1.921fb54442p-1);
  constexpr T low = T(sizeof(T) == 4 ? 0x1.54442d184698ap-21 : 0x1.a308d313198a3p-42);
  const Vec<T> u2 = u * u;
  const Vec<T> tail = fma(u * u2, atan_near_0(u2), octant * low);
  return octant * high + (u + tail);
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> atan(Vec<T> x) {
  return copysign(angle_above_axis(abs(x), Vec<T>(1)), x);
}
/// The angle of the point (x, y), with the special cases of C's atan2.
template <Floating T>
TAPEGRAD_INLINE Vec<T> atan2(Vec<T> y, SameVec<T> x) {
  Vec<T> a = abs(x), b = abs(y);
  // Two zeros and two infinities have a direction, but no quotient; the sum of the largest numbers must not
  // overflow.
  const auto both_infinite = (a == b) & (a == Format<T>::infinity);
  a = where(both_infinite | ((a == 0) & (b == 0)), 1, a);
  b = where(both_infinite, 1, b);
  const Vec<T> scale = where((a > Format<T>::largest / 4) | (b > Format<T>::largest / 4), T(0.25), Vec<T>(1));
  return copysign(angle_above_axis(b * scale, copysign(a * scale, x)), y);
}

/// (asin(s) / s - 1) / s^2 as a polynomial in z = s^2, for |s| <= 1/2.
TAPEGRAD_INLINE Vec<float> asin_near_0(Vec<float> z) {  // error of asin 2^-30.1
  return polynomial(z, 0.16666659712791443f, 0.07500510662794113f, 0.0445157065987587f, 0.031817756593227386f,
                    0.01440201885998249f, 0.03756605088710785f);
}
TAPEGRAD_INLINE Vec<double> asin_near_0(Vec<double> z) {  // error of asin 2^-58.6
  return polynomial(z, 0.16666666666666763, 0.07499999999970244, 0.04464285717513681, 0.03038194268289471,
                    0.022372215679601713, 0.017351599762302116, 0.013980965212817355, 0.011397746633426343,
                    0.010786686293224712, 0.0036824731733141698, 0.021764827276910613, -0.021079099379340466,
                    0.03267797832473191);
}
/// s and asin(s) - s, where s = |x| up to 1/2; beyond, s = sqrt((1 - |x|) / 2), so that acos(|x|) = 2
/// asin(s).
template <Floating T>
struct AsinReduction {
  Mask<sizeof(T)> halved;
  Vec<T> s, tail;
};
template <Floating T>
TAPEGRAD_INLINE AsinReduction<T> reduce_asin(Vec<T> a) {
  const auto halved = a > T(0.5);
  const Vec<T> z = where(halved, (1 - a) * T(0.5), a * a);
  const Vec<T> s = where(halved, sqrt(z), a);
  return {halved, s, s * z * asin_near_0(z)};
}
/// pi / 2 in two parts.
template <Floating T>
inline constexpr T pi_2_high = T(0x1.921fb54442d18p+0);
template <Floating T>
inline constexpr T pi_2_low = T(sizeof(T) == 4 ? -0x1.777a5cp-25 : 0x1.1a62633145c07p-54);

template <Floating T>
TAPEGRAD_INLINE Vec<T> asin(Vec<T> x) {
  const auto [halved, s, tail] = reduce_asin(abs(x));
  // pi / 2 - 2 s is rounded, and what that drops goes into the smaller terms.
  const Vec<T> difference = pi_2_high<T> - 2 * s;
  const Vec<T> dropped = (pi_2_high<T> - difference) - 2 * s;
  return copysign(where(halved, difference - (2 * tail - (pi_2_low<T> + dropped)), s + tail), x);
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> acos(Vec<T> x) {
  const auto [halved, s, tail] = reduce_asin(abs(x));
  const auto negative = x < 0;
  const Vec<T> near_1 = 2 * where(negative, (pi_2_high<T> - s) - (tail - pi_2_low<T>), s + tail);
  const Vec<T> near_0 =
      pi_2_high<T> - (where(negative, -s, s) + (where(negative, -tail, tail) - pi_2_low<T>));
  return where(halved, near_1, near_0);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
