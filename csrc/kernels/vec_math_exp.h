// exp and the functions made of it: expm1, tanh, sigmoid, ...
//
// Note [Coefficients]: the polynomials of the vec_math*.h files are minimax approximations found by the Remez
// algorithm of tools/fit_polynomials.py. The comment at each gives what it approximates, the interval, and
// the relative error.
#pragma once

#include "vec_math_basic.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// e^r - 1 for |r| <= ln(2) / 2: r + r^2 P(r).
TAPEGRAD_INLINE Vec<float> expm1_reduced(Vec<float> r) {
  // P(r) = (e^r - 1 - r) / r^2, error of the result 2^-25.9.
  const auto p = polynomial(r, 0.5f, 0.1666654348373413f, 0.04166628047823906f, 0.008366609923541546f,
                            0.0013946575345471501f);
  return fma(r * r, p, r);
}
TAPEGRAD_INLINE Vec<double> expm1_reduced(Vec<double> r) {
  // The same, error 2^-60.7.
  const auto p =
      polynomial(r, 0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333321577, 0.0013888888888866835,
                 0.00019841269886269276, 2.480158736061462e-05, 2.7557244058977898e-06, 2.755724269224598e-07,
                 2.5109091407604747e-08, 2.0924466024925408e-09);
  return fma(r * r, p, r);
}

/// x = n ln 2 + r with |r| <= ln(2) / 2.
template <Floating T>
struct ExpReduction {
  Rounded<T> n;
  Vec<T> r;
};
template <Floating T>
TAPEGRAD_INLINE ExpReduction<T> reduce_exp(Vec<T> x) {
  constexpr T log2_e = T(1.4426950408889634);
  const Rounded<T> n = round_small(x * log2_e);
  return {n, fma(n.value, -Format<T>::ln2_low, fma(n.value, -Format<T>::ln2_high, x))};
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> exp(Vec<T> x) {
  // Beyond these bounds the result is 0 or infinity; NaN passes both comparisons.
  constexpr T lowest = sizeof(T) == 4 ? -104.5 : -746;
  constexpr T highest = sizeof(T) == 4 ? 89 : 710;
  x = where(x < lowest, lowest, where(x > highest, highest, x));
  const auto [n, r] = reduce_exp(x);
  return scale_by_power_of_2(1 + expm1_reduced(r), n);
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> exp2(Vec<T> x) {
  constexpr T lowest = sizeof(T) == 4 ? -151 : -1076;
  constexpr T highest = sizeof(T) == 4 ? 129 : 1025;
  x = where(x < lowest, lowest, where(x > highest, highest, x));
  const Rounded<T> n = round_small(x);
  return scale_by_power_of_2(1 + expm1_reduced((x - n.value) * T(0.6931471805599453)), n);
}

/// exp(x) - 1
template <Floating T>
TAPEGRAD_INLINE Vec<T> expm1(Vec<T> x) {
  constexpr T lowest = -40;  // the result rounds to -1
  constexpr T highest = sizeof(T) == 4 ? 89 : 710;
  const auto [n, r] = reduce_exp(where(x < lowest, lowest, where(x > highest, highest, x)));
  // Half of the result, as 2^n itself can overflow where the result does not.
  const Vec<T> half_s = power_of_2(Rounded<T>{n.value - 1, n.integer - 1});
  return copysign(2 * fma(half_s, expm1_reduced(r), half_s - T(0.5)), x);
}

/// (tanh(x) / x - 1) / x^2 as a polynomial in z = x^2, for |x| <= 0.55.
TAPEGRAD_INLINE Vec<float> tanh_near_0(Vec<float> z) {  // error of tanh 2^-27.7
  return polynomial(z, -0.33333319425582886f, 0.13332602381706238f, -0.05385386198759079f,
                    0.02107776328921318f, -0.006282472517341375f);
}
TAPEGRAD_INLINE Vec<double> tanh_near_0(Vec<double> z) {  // error of tanh 2^-55.1
  return polynomial(z, -0.3333333333333235, 0.13333333333173755, -0.05396825387837818, 0.021869486026140184,
                    -0.008863195152727406, 0.0035917246479113137, -0.001453240034726941,
                    0.0005792029744110426, -0.00021040567617058772, 5.109011423374684e-05);
}
/// x + x^3 P(x^2) near 0, 1 - 2 / (exp(2 |x|) + 1) elsewhere.
template <Floating T>
TAPEGRAD_INLINE Vec<T> tanh(Vec<T> x) {
  constexpr T saturated = sizeof(T) == 4 ? 10 : 20;  // tanh rounds to 1
  const Vec<T> a = abs(x), x2 = x * x;
  const Vec<T> near_0 = fma(x * x2, tanh_near_0(x2), x);
  const auto [n, r] = reduce_exp(2 * where(a > saturated, saturated, a));
  const Vec<T> e = fma(power_of_2(n), 1 + expm1_reduced(r), 1);
  return copysign(where(a < T(0.55), near_0, 1 - 2 / e), x);
}

/// 1 / (1 + exp(-x)), down to the denormal results. With e = exp(-|x|) and q = e / (1 + e): 1 - q, or q = e -
/// e q.
template <Floating T>
TAPEGRAD_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = exp(-abs(x));
  const Vec<T> q = e / (1 + e);
  return where(x < 0, fma(-e, q, e), 1 - q);
}

/// exp(x) / 2, finite wherever cosh is.
template <Floating T>
TAPEGRAD_INLINE Vec<T> half_exp(Vec<T> x) {
  constexpr T highest = sizeof(T) == 4 ? 90 : 711;
  const auto [n, r] = reduce_exp(where(x > highest, highest, x));
  return scale_by_power_of_2(1 + expm1_reduced(r), Rounded<T>{n.value - 1, n.integer - 1});
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> cosh(Vec<T> x) {
  const Vec<T> h = half_exp(abs(x));
  return h + T(0.25) / h;
}

/// (sinh(x) / x - 1) / x^2 as a polynomial in z = x^2, for |x| <= 1.
TAPEGRAD_INLINE Vec<float> sinh_near_0(Vec<float> z) {  // error of sinh 2^-27.2
  return polynomial(z, 0.1666666716337204f, 0.008333350531756878f, 0.0001983606634894386f,
                    2.817441782099195e-06f);
}
TAPEGRAD_INLINE Vec<double> sinh_near_0(Vec<double> z) {  // error of sinh 2^-56.5
  return polynomial(z, 0.16666666666666666, 0.008333333333333333, 0.0001984126984126959,
                    2.7557319224120236e-06, 2.5052108345642405e-08, 1.6059050705744227e-10,
                    7.646476369774017e-13, 2.8483980505662347e-15);
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> sinh(Vec<T> x) {
  const Vec<T> a = abs(x), x2 = x * x;
  const Vec<T> near_0 = fma(x * x2, sinh_near_0(x2), x);
  const Vec<T> h = half_exp(a);
  return where(a < 1, near_0, copysign(h - T(0.25) / h, x));
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
