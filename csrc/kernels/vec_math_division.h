// Division with a rounding mode and remainders, of integers and of floating-point numbers.
#pragma once

#include "vec_math_basic.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

/// The quotient rounded towards zero; 0 for a zero divisor.
template <Integral T>
TAPEGRAD_INLINE Vec<T> trunc_div(Vec<T> a, SameVec<T> b) {
  if constexpr (sizeof(T) == 8) {
    // Below 2^51 the quotient of two doubles cannot round up to an integer, and it is several times faster.
    constexpr T bound = T(1) << 51;
    if (all((a < bound) & (a > -bound) & (b < bound) & (b > -bound)))
      return where(b == 0, 0,
                   round_small(trunc(small_to_float<double>(a) / small_to_float<double>(b))).integer);
  }
  // The hardware traps on division by zero and on lowest / -1, which wraps to lowest here.
  return map_lanes(a, b, [](T x, T y) -> T {
    if (y == 0) return 0;
    if constexpr (T(-1) < T(0))
      if (y == T(-1)) return T(0 - UnsignedBits<T>(x));
    return T(x / y);
  });
}
/// a - trunc_div(a, b) * b: the sign of a; 0 for a zero divisor.
template <Integral T>
TAPEGRAD_INLINE Vec<T> fmod(Vec<T> a, SameVec<T> b) {
  return where(b == 0, 0, a - trunc_div(a, b) * b);
}
/// The remainder with the sign of b, as Python's %; 0 for a zero divisor.
template <Integral T>
TAPEGRAD_INLINE Vec<T> remainder(Vec<T> a, SameVec<T> b) {
  const Vec<T> r = fmod(a, b);
  return where((r != 0) & ((r ^ b) < 0), r + b, r);
}
/// The quotient rounded down, as Python's //; 0 for a zero divisor.
template <Integral T>
TAPEGRAD_INLINE Vec<T> floor_div(Vec<T> a, SameVec<T> b) {
  const Vec<T> q = trunc_div(a, b), r = a - q * b;
  return where((b != 0) & (r != 0) & ((r ^ b) < 0), q - 1, q);
}

/// a - trunc(a / b) * b, exactly: the sign of a.
template <Floating T>
TAPEGRAD_INLINE Vec<T> fmod(Vec<T> a, SameVec<T> b) {
  const auto exact = [](T x, T y) -> T {
    return sizeof(T) == 4 ? T(__builtin_fmodf(float(x), float(y))) : __builtin_fmod(x, y);
  };
  if constexpr (!kHasFma) return map_lanes(a, b, exact);
  // The rounded quotient is at most one too large in magnitude, and then the remainder has the wrong sign.
  // Both are exact in one fma while the quotient is exactly an integer.
  const Vec<T> q = trunc(a / b);
  if (!all(abs(q) < T(int64_t(1) << Format<T>::mantissa_bits))) return map_lanes(a, b, exact);
  const Vec<T> r = fma(-q, b, a);
  const Vec<T> corrected = where(r * copysign(Vec<T>(1), a) < 0, r + copysign(abs(b), a), r);
  return where(isinf(b), a, copysign(corrected, a));
}
/// The remainder with the sign of b, as Python's %.
template <Floating T>
TAPEGRAD_INLINE Vec<T> remainder(Vec<T> a, SameVec<T> b) {
  const Vec<T> r = fmod(a, b);
  return where((r != 0) & ((r < 0) ^ (b < 0)), r + b, r);
}
/// trunc(a / b)
template <Floating T>
TAPEGRAD_INLINE Vec<T> trunc_div(Vec<T> a, SameVec<T> b) {
  return trunc(a / b);
}
/// The true quotient rounded down, as Python's //; a / b where b is 0.
template <Floating T>
TAPEGRAD_INLINE Vec<T> floor_div(Vec<T> a, SameVec<T> b) {
  const Vec<T> r = fmod(a, b), ratio = a / b;
  const Vec<T> truncated = (a - r) / b;  // an integer up to its rounding error
  const Vec<T> q = where((r != 0) & ((r < 0) ^ (b < 0)), truncated - 1, truncated);
  const Vec<T> below = floor(q);
  const Vec<T> nearest = where(q - below > T(0.5), below + 1, below);
  return where(b == 0, ratio, where(q == 0, copysign(Vec<T>(0), ratio), nearest));
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
