// The error function, the gamma function, and their relatives. See Note [Coefficients].
#pragma once

#include "vec_math_division.h"
#include "vec_math_pow.h"
#include "vec_math_trig.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// erf(x) / x - 1 as a polynomial in z = x^2, for |x| <= 1.
TAPEGRAD_INLINE Vec<float> erf_near_0(Vec<float> z) {  // error of erf 2^-26.1
  return polynomial(z, 0.12837916612625122f, -0.3761262595653534f, 0.11283600330352783f,
                    -0.026854446157813072f, 0.005189536605030298f, -0.0008020845707505941f,
                    7.889119297033176e-05f);
}
TAPEGRAD_INLINE Vec<double> erf_near_0(Vec<double> z) {  // error of erf 2^-56.2
  return polynomial(z, 0.1283791670955126, -0.37612638903183754, 0.1128379167095512, -0.026866170645129868,
                    0.005223977625423611, -0.0008548327021956025, 0.000120553329038126,
                    -1.4925647594497853e-05, 1.646204598055763e-06, -1.636464955146516e-07,
                    1.479246964452013e-08, -1.216496861716556e-09, 8.710465336650472e-11,
                    -4.23312952867958e-12);
}

/// G = (1 + 2 a) exp(a^2) erfc(a) for a >= 1/2 as start + t slope(t) with t = (a - center) / (a + center).
template <Floating T>
struct ErfcScaled;
template <>
struct ErfcScaled<float> {
  static constexpr float center = 2, start = 1.2769783735275269f;
  TAPEGRAD_INLINE static Vec<float> slope(Vec<float> t) {  // error of G 2^-26.3
    return polynomial(t, -0.09276381880044937f, -0.16603034734725952f, 0.16405072808265686f,
                      -0.054221261292696f, -0.008026095107197762f, 0.008732471615076065f,
                      0.0012231870787218213f, -0.0014868970029056072f, -0.0003208524140063673f,
                      0.0002359364298172295f);
  }
};
template <>
struct ErfcScaled<double> {
  static constexpr double center = 3, start = 1.2530080582697296;
  TAPEGRAD_INLINE static Vec<double> slope(Vec<double> t) {  // error of G 2^-54.5
    return polynomial(t, -0.1356211061245813, -0.04756229435345, 0.12964515870278026, -0.11927366341536082,
                      0.06830802734319154, -0.023770514917135877, 0.0025293918305526867,
                      0.0018886903353709918, -0.0007798324189170211, -0.00010515957197750442,
                      0.00012510024615278344, 4.948104921139297e-06, -2.0103964177326867e-05,
                      -7.261239391351871e-07, 3.4804723037891158e-06, 3.433056157104399e-07,
                      -6.280479228435895e-07, -1.2032627387294818e-07, 1.1015849351726771e-07,
                      2.240163082747074e-08, -1.480593875921024e-08);
  }
};
/// exp(-a^2) G / (1 + 2 a) for a >= 1/2, with the rounding errors of all but the last operations carried
/// along in the terms that are called low.
template <Floating T>
TAPEGRAD_INLINE Vec<T> erfc_beyond_half(Vec<T> a) {
  using Scaled = ErfcScaled<T>;
  constexpr T highest = sizeof(T) == 4 ? 11 : 28;  // the result is 0
  a = where(a > highest, highest, a);
  const Vec<T> d = 1 + 2 * a, d_low = 1 - (d - 2 * a), shifted = a + Scaled::center;
  const Vec<T> inverse = 1 / (d * shifted), inverse_d = inverse * shifted;
  const Vec<T> t = (a - Scaled::center) * d * inverse, rest = t * Scaled::slope(t);
  const Vec<T> g = Scaled::start + rest, g_low = (Scaled::start - g) + rest;
  const Vec<T> q = g * inverse_d;
  const Vec<T> q_low = (division_error(g, d, q) - q * d_low + g_low) * inverse_d;
  const auto [square, square_low] = two_product(a, a);
  const auto [n, r] = reduce_exp(-square);
  // The power of two comes last: the result can be denormal while the exponential alone would lose digits.
  return scale_by_power_of_2(q + fma(q + q_low, expm1_reduced(r - square_low), q_low), n);
}
template <Floating T>
TAPEGRAD_INLINE Vec<T> erfc(Vec<T> x) {
  const Vec<T> a = abs(x);
  const Vec<T> y = where(a < T(0.5), 1 - fma(a, erf_near_0(a * a), a), erfc_beyond_half(a));
  return where(x < 0, 2 - y, y);
}

/// 1 - erf(a) for a >= 1, to the precision of 1.
TAPEGRAD_INLINE Vec<float> erf_complement(Vec<float> a) {
  // erfc(u + 2.5) for |u| <= 1.5, error 2^-28.1 absolute; at 4 erf already rounds to 1.
  const auto u = where(a > 4, 4, a) - 2.5f;
  return polynomial(u, 0.0004069523129146546f, -0.002178278286010027f, 0.005445690825581551f,
                    -0.00835021585226059f, 0.00862258579581976f, -0.00611656391993165f, 0.00279760779812932f,
                    -0.0005445935530588031f, -0.00025880354223772883f, 0.0002534993109293282f,
                    -8.104887820081785e-05f, -7.805987479514442e-06f, 1.5701420124969445e-05f,
                    -3.446286200414761e-06f, -8.87724809217616e-07f, 3.491637698971317e-07f);
}
TAPEGRAD_INLINE Vec<double> erf_complement(Vec<double> a) {
  // exp(a^2) erfc(a) in u = a - 3 for a <= 5.95, error of the result 2^-57.1 absolute; there erf rounds to 1.
  a = where(a > 5.95, 5.95, a);
  const auto scaled = polynomial(
      a - 3, 0.17900115118139642, -0.0543722600067738, 0.015884371161610705, -0.0044794310236743575,
      0.0012230390127926521, -0.00032412558648596887, 8.355427160605365e-05, -2.0989126773306556e-05,
      5.146521687834779e-06, -1.2338888010435713e-06, 2.8868149613367846e-07, -6.639426372759987e-08,
      1.548599848337738e-08, -3.050389558797623e-09, 6.210656680801715e-10, -2.943080990631502e-10,
      2.8358478174709038e-12, 1.2513197090671149e-11, 1.1767800505921843e-11, 2.0649445966132325e-13,
      -6.615424517834434e-13, -1.5931766153151421e-13);
  const auto [n, r] = reduce_exp(-a * a);
  return (1 + expm1_reduced(r)) * scaled * power_of_2(n);
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> erf(Vec<T> x) {
  const Vec<T> a = abs(x);
  const Vec<T> near_0 = fma(a, erf_near_0(a * a), a);
  return copysign(where(a < 1, near_0, 1 - erf_complement(a)), x);
}

/// erfinv(x) / x near x = 0.
template <Floating T>
inline constexpr T erfinv_slope = T(0.886226925452758);
/// erfinv(x) / x - erfinv_slope as a function of w = -log(1 - x^2) for w <= 5.
TAPEGRAD_INLINE Vec<float> erfinv_center(Vec<float> w) {  // error of erfinv 2^-26.9
  return polynomial(w, -2.66231996e-08f, 0.2320137619972229f, 0.011548846960067749f, -0.00233459728769958f,
                    -0.0001272255613002926f, 4.443660145625472e-05f, 4.022424036520533e-06f,
                    -1.983575430131168e-06f, 2.217381620539527e-07f, -8.820696173472697e-09f);
}
TAPEGRAD_INLINE Vec<double> erfinv_center(Vec<double> w) {  // error of erfinv 2^-54.0
  return w * polynomial(w, 0.23201366653465294, 0.011549342038333377, -0.0023351016425038965,
                        -0.00012804328775608797, 4.6611411942171385e-05, 2.0200710887586625e-06,
                        -1.0127210197315199e-06, -3.7048780611682685e-08, 2.2520070210845124e-08,
                        9.862957546870308e-10, -6.762044324043944e-10, 6.101587169364679e-11,
                        -1.8112632401378675e-11, 9.4839370361635e-12, -2.318834696561069e-12,
                        3.0188618037699867e-13, -1.8925229659828838e-14, -1.940407966722537e-16,
                        1.26076112878351e-16, -8.721301609080973e-18, 2.1463167120169861e-19);
}
/// erfinv(x) / x for w >= 4.98 as a function of sqrt(w).
TAPEGRAD_INLINE Vec<float> erfinv_tail(Vec<float> root) {  // error 2^-26.5
  return polynomial(root - 3, 2.832976818084717f, 1.0016752481460571f, 0.009445391595363617f,
                    -0.007642578333616257f, 0.005686729680746794f, -0.0035684776958078146f,
                    0.0014788999687880278f, -0.00011659136362140998f, -0.0002838121145032346f,
                    0.00015783061098773032f, -2.562128793215379e-05f);
}
TAPEGRAD_INLINE Vec<double> erfinv_tail(Vec<double> root) {  // error 2^-52.4
  return polynomial(
      root - 4, 3.839783797411554, 1.0094932532454237, 0.0012598472670869245, -0.00086899180516163,
      0.0003209550442175255, -0.00011786479056278756, 5.567494910245972e-05, -3.254918601938736e-05,
      1.8672092039251285e-05, -8.879611011268327e-06, 3.0148401265527784e-06, -4.1580435254733397e-07,
      -2.7482685099923e-07, 2.3910055648760534e-07, -9.361035071978752e-08, 1.496370745857376e-08,
      5.487832045711837e-09, -4.674676941679394e-09, 1.5219165869212877e-09, -1.5578829019548991e-10,
      -9.438248410365356e-11, 5.87883892106526e-11, -1.514455503992209e-11, -9.717979585952658e-13,
      1.4993939123046252e-12, 3.493061530387123e-13, -3.116521364739854e-13, -1.2842777130487146e-13,
      1.0792387616663324e-13, 2.714102685255726e-15, -1.5301504736491038e-14, 1.923519424958839e-15,
      9.456778358606145e-16, -1.9890462605431607e-16, -2.0490877979615906e-17, 5.725198879333999e-18);
}
/// The inverse of erf: erfinv(x) / x is smooth in w = -log(1 - x^2) or its square root.
template <Floating T>
TAPEGRAD_INLINE Vec<T> erfinv(Vec<T> x) {
  const Vec<T> a = abs(x), w = -log_positive((1 - a) * (1 + a));
  const Vec<T> center = copysign(fma(x, erfinv_center(w), x * erfinv_slope<T>), x);
  const auto far = a > T(0.9966);  // w > 4.99
  if (!any(far)) return center;
  const Vec<T> y = where(far, x * erfinv_tail(sqrt(w)), center);
  const Vec<T> special = where(a == 1, copysign(Vec<T>(Format<T>::infinity), x), Format<T>::nan);
  return where(a >= 1, special, y);
}

/// log(gamma(x)) for x > 0.
TAPEGRAD_INLINE Vec<double> lgamma_positive(Vec<double> x) {
  // Up to 8: gamma(x) is gamma(2 + t) / x below 1, gamma(2 + t) * factor elsewhere, with t in [-1, 1],
  // and log(gamma(2 + t)) = t (1 + t) R(t).
  const auto below_1 = x < 1;
  auto factor = where(below_1, x, 1);
  auto t = where(below_1, x - 1, x - 2);
  for (int step = 0; step < 5; ++step) {
    const auto beyond = t > 1;
    factor = where(beyond, factor * (t + 1), factor);
    t = where(beyond, t - 1, t);
  }
  const auto quotient = polynomial(
      t, 0.42278433509846713, -0.10031730167435392, 0.03296500062115574, -0.012384192193371016,
      0.00499864116470391, -0.0021081308339681126, 0.0009153769220598463, -0.00040570739723844586,
      0.00018255264198807747, -8.309512965108279e-05, 3.816886272602673e-05, -1.7661650238806e-05,
      8.22234797755234e-06, -3.84746150814209e-06, 1.8074580288435648e-06, -8.524503742097093e-07,
      4.0556717975667744e-07, -1.929967829825356e-07, 8.745301690072863e-08, -4.0957767846621564e-08,
      2.625538126882102e-08, -1.3450191089128032e-08, -7.670653418918996e-10, 1.0593073431003322e-09,
      4.931547298298316e-09, -2.736550230861234e-09, -1.3911188167665522e-09, 7.828579023567447e-10,
      4.247045589865377e-10, -2.2094946189914133e-10);
  // From 8 on: Stirling's formula with the tail (log(gamma(x)) - formula) x in 1 / x^2, error 2^-57.6.
  const auto large = x >= 8;
  const auto log_x = log(where(large, x, factor));
  const auto inverse = 1 / x;
  const auto tail = inverse * polynomial(inverse * inverse, 0.08333333333333333, -0.0027777777777741003,
                                         0.0007936507898355585, -0.0005952366071162396, 0.0008414728669380262,
                                         -0.0018905408298981376, 0.005069265392352649);
  constexpr double half_log_2_pi = 0.9189385332046728;
  const auto stirling = fma(x - 0.5, log_x - 1, (half_log_2_pi - 0.5) + tail);
  return where(large, stirling, fma(t * (1 + t), quotient, where(below_1, -log_x, log_x)));
}
/// log |gamma(x)|; for negative x by reflection, accurate to about the precision of its larger term.
TAPEGRAD_INLINE Vec<double> lgamma(Vec<double> x) {
  const auto a = abs(x);
  const auto y = where(a == Format<double>::infinity, a, lgamma_positive(a));
  if (!any(x <= 0)) return y;
  constexpr double pi = 3.141592653589793;
  const auto sine = abs(sin(pi * (a - round(a))));
  const auto reflected = where(a < 1e-17, y, log(pi / (a * sine)) - y);
  const auto pole = (x <= 0) & (trunc(x) == x);
  return where(pole, Format<double>::infinity, where(x < 0, reflected, y));
}
TAPEGRAD_INLINE Vec<float> lgamma(Vec<float> x) {
  return via_double([](auto v) { return lgamma(v); }, x);
}

/// The derivative of log(gamma(x)): -infinity at +0, infinity at -0, NaN at negative integers.
TAPEGRAD_INLINE Vec<double> digamma(Vec<double> x) {
  const auto negative = x < 0;
  // digamma(x) = digamma(x + 1) - 1 / x up to 10, then the asymptotic series with the Bernoulli numbers B(2k)
  // / (2k).
  auto a = where(negative, 1 - x, x);
  auto y = Vec<double>(0);
  for (int step = 0; step < 10; ++step) {
    const auto below = a < 10;
    y = where(below, y - 1 / a, y);
    a = where(below, a + 1, a);
  }
  const auto inverse = 1 / a, z = inverse * inverse;
  const auto series =
      z * polynomial(z, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12);
  y = y + (log(a) - fma(inverse, 0.5, series));
  constexpr double pi = 3.141592653589793;
  const auto reflected = y - pi / tan(pi * (x - round(x)));
  const auto pole = where(x == 0, -copysign(Vec<double>(Format<double>::infinity), x), Format<double>::nan);
  return where((x <= 0) & (trunc(x) == x), pole, where(negative, reflected, y));
}
TAPEGRAD_INLINE Vec<float> digamma(Vec<float> x) {
  return via_double([](auto v) { return digamma(v); }, x);
}

template <Floating T>
TAPEGRAD_INLINE Vec<T> whole_power(Vec<T> base, int64_t exponent) {
  auto power = Vec<T>(1);
  for (; exponent > 0; exponent >>= 1, base = base * base)
    if (exponent & 1) power = power * base;
  return power;
}

/// The n-th derivative of cot(pi x) for |x| <= 1/2: pi^n P_n(cot(pi x)), P_0(c) = c, P_n+1 = -(1 + c^2) P_n'.
/// NaN for n > 24.
TAPEGRAD_INLINE Vec<double> cotangent_derivative(int64_t n, Vec<double> x) {
  constexpr int64_t most = 24;
  if (n > most) return Vec<double>(Format<double>::nan);
  constexpr double pi = 3.141592653589793;
  double p[most + 3] = {0, 1}, scale = 1;
  for (int64_t k = 0; k < n; ++k, scale *= pi) {
    double next[most + 3] = {};
    for (int64_t i = 1; i <= k + 1; ++i) {
      next[i - 1] -= static_cast<double>(i) * p[i];
      next[i + 1] -= static_cast<double>(i) * p[i];
    }
    for (int64_t i = 0; i <= k + 2; ++i) p[i] = next[i];
  }
  const auto c = cos(pi * x) / sin(pi * x);
  auto y = Vec<double>(p[n + 1]);
  for (int64_t i = n; i >= 0; --i) y = fma(y, c, Vec<double>(p[i]));
  return y * scale;
}

/// The n-th derivative of digamma: (-1)^(n + 1) n! times the sum of 1 / (x + k)^(n + 1), summed up to a
/// distance and by the Euler-Maclaurin formula from there; reflected for negative x. M. Abramowitz and I.
/// Stegun, "Handbook of Mathematical Functions" (1964), 6.4.7, 6.4.10, 23.1.30.
TAPEGRAD_INLINE Vec<double> polygamma(int64_t n, Vec<double> x) {
  if (n == 0) return digamma(x);
  const auto negative = x < 0;
  const double order = static_cast<double>(n), far = 11 + order;
  auto a = where(negative, 1 - x, abs(x));
  auto sum = Vec<double>(0);
  while (any(a < far)) {
    const auto below = a < far;
    sum = where(below, sum + whole_power(1 / a, n + 1), sum);
    a = where(below, a + 1, a);
  }
  // B(2j) / (2j)!
  constexpr double bernoulli[] = {1.0 / 12,
                                  -1.0 / 720,
                                  1.0 / 30240,
                                  -1.0 / 1209600,
                                  1.0 / 47900160,
                                  -691.0 / 1307674368e3,
                                  1.0 / 74724249600.0,
                                  -3617.0 / 10670622842880e3};
  const auto inverse = 1 / a, z = inverse * inverse;
  auto tail = 1 / order + inverse * 0.5, power = z;
  double rising = order + 1;
  for (int j = 0; j < 8; ++j, power = power * z) {
    tail = tail + power * (bernoulli[j] * rising);
    rising *= (order + 2 * j + 2) * (order + 2 * j + 3);
  }
  double factorial = n % 2 ? 1 : -1;
  for (int64_t k = 2; k <= n && k < 400; ++k) factorial *= static_cast<double>(k);
  const auto y = (sum + whole_power(inverse, n) * tail) * factorial;
  if (!any(negative)) return y;
  constexpr double pi = 3.141592653589793;
  const auto reflected = (n % 2 ? -y : y) - pi * cotangent_derivative(n, x - round(x));
  return where(negative, reflected, y);
}
TAPEGRAD_INLINE Vec<float> polygamma(int64_t n, Vec<float> x) {
  return via_double([n](auto v) { return polygamma(n, v); }, x);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
