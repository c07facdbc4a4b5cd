#include "core/random_variates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tapegrad {
namespace {

using Lock = std::lock_guard<std::mutex>;

/// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; T is the precision of the
/// parameter.
template <class T>
double draw_gamma(Generator& generator, T alpha) {
  double scale = 1;
  if (alpha < 1) {
    if (alpha == 0) return 0;
    scale = std::pow(1 - generator.uniform(), static_cast<double>(1 / alpha));
    alpha += 1;
  }
  const double d = alpha - 1.0f / 3.0f;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    double x, y;
    do {
      x = generator.normal();
      y = 1 + c * x;
    } while (y <= 0);
    const double v = y * y * y, u = 1 - generator.uniform(), x2 = x * x;
    if (u < 1 - 0.0331 * x2 * x2 || std::log(u) < 0.5 * x2 + d * (1 - v + std::log(v))) return scale * d * v;
  }
}

/// Multiplies uniform numbers until their product falls below exp(-rate).
double draw_small_poisson(Generator& generator, double rate) {
  const double limit = std::exp(-rate);
  double count = 0;
  for (double product = generator.uniform(); product > limit; product *= generator.uniform()) ++count;
  return count;
}

/// Transformed rejection for rate >= 10: Hörmann, "The transformed rejection method for generating Poisson
/// random variables", 1993, algorithm PTRS.
double draw_large_poisson(Generator& generator, double rate) {
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), certain = 0.9277 - 3.6224 / (b - 2);
  const double log_rate = std::log(rate);
  while (true) {
    const double u = generator.uniform() - 0.5, v = generator.uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= certain) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double log_accepted = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (log_accepted <= -rate + k * log_rate - std::lgamma(k + 1)) return k;
  }
}

/// Adds up the waiting times between successes.
template <class T>
T draw_small_binomial(Generator& generator, T count, T p) {
  const T log_failure = std::log1p(-p);
  T trials = 0, successes = 0;
  while (true) {
    trials += std::ceil(std::log(static_cast<T>(generator.uniform())) / log_failure);
    if (trials > count) return successes;
    ++successes;
  }
}

/// log(k!) minus Stirling's approximation of it.
template <class T>
T stirling_error(T k) {
  constexpr double exact[] = {
      0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
      0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287};
  if (k <= 9) return static_cast<T>(exact[static_cast<int>(k)]);
  const double k1 = (k + 1) * (k + 1);
  return static_cast<T>((1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / k1) / k1) / (k + 1.0));
}

/// Transformed rejection for count * p >= 10 and p <= 1/2: Hörmann, "The generation of binomial random
/// variates", 1993, algorithm BTRS.
template <class T>
T draw_large_binomial(Generator& generator, T count, T p) {
  const T deviation = std::sqrt(count * p * (1 - p));
  const T b = static_cast<T>(1.15 + 2.53 * deviation), a = static_cast<T>(-0.0873 + 0.0248 * b + 0.01 * p);
  const T c = static_cast<T>(count * p + 0.5), certain = static_cast<T>(0.92 - 4.2 / b);
  const T alpha = static_cast<T>((2.83 + 5.1 / b) * deviation);
  const T odds = p / (1 - p), mode = std::floor((count + 1) * p);
  while (true) {
    const T u = static_cast<T>(generator.uniform() - 0.5), v = static_cast<T>(generator.uniform());
    const T us = static_cast<T>(0.5 - std::abs(u));
    const T k = static_cast<T>(std::floor((2.0 * a / us + b) * u + c));
    if (us >= T(0.07) && v <= certain) return k;
    if (k < 0 || k > count) continue;
    // In double even for floats: the terms cancel.
    const double log_ratio = (mode + 0.5) * std::log((mode + 1.0) / (odds * (count - mode + 1.0))) +
                             (count + 1.0) * std::log((count - mode + 1.0) / (count - k + 1.0)) +
                             (k + 0.5) * std::log(odds * (count - k + 1.0) / (k + 1.0)) +
                             stirling_error(mode) + stirling_error(count - mode) - stirling_error(k) -
                             stirling_error(count - k);
    if (std::log(v * alpha / (a / (us * us) + b)) <= log_ratio) return k;
  }
}

/// 0 < p <= 1/2.
template <class T>
T draw_binomial(Generator& generator, T count, T p) {
  return count * p >= 10 ? draw_large_binomial(generator, count, p)
                         : draw_small_binomial(generator, count, p);
}

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();

}  // namespace

template <class T>
void fill_standard_gamma(Generator& generator, T* out, const T* alpha, int64_t n) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) {
    const bool valid = alpha[i] >= 0 && alpha[i] < kInfinity<T>;
    out[i] = valid ? std::max(std::numeric_limits<T>::min(), static_cast<T>(draw_gamma(generator, alpha[i])))
                   : kNaN<T>;
  }
}

template <class T>
void fill_poisson(Generator& generator, T* out, const T* rate, int64_t n) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) {
    if (!(rate[i] >= 0 && rate[i] < kInfinity<T>)) {
      out[i] = kNaN<T>;
    } else if (rate[i] == 0) {
      out[i] = 0;
    } else {
      const auto draw = rate[i] < 10 ? draw_small_poisson : draw_large_poisson;
      out[i] = static_cast<T>(draw(generator, rate[i]));
    }
  }
}

template <class T>
void fill_binomial(Generator& generator, T* out, const T* count, const T* p, int64_t n) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) {
    if (!(count[i] >= 0 && count[i] < kInfinity<T> && p[i] >= 0 && p[i] <= 1)) {
      out[i] = kNaN<T>;
    } else if (count[i] == 0 || p[i] == 0) {
      out[i] = 0;
    } else if (p[i] == 1) {
      out[i] = count[i];
    } else if (p[i] <= T(0.5)) {
      out[i] = draw_binomial(generator, count[i], p[i]);
    } else {
      out[i] = count[i] - draw_binomial(generator, count[i], 1 - p[i]);
    }
  }
}

#define TAPEGRAD_VARIATES(T)                                            \
  template void fill_standard_gamma(Generator&, T*, const T*, int64_t); \
  template void fill_poisson(Generator&, T*, const T*, int64_t);        \
  template void fill_binomial(Generator&, T*, const T*, const T*, int64_t);
TAPEGRAD_VARIATES(float)
TAPEGRAD_VARIATES(double)
#undef TAPEGRAD_VARIATES

}  // namespace tapegrad
