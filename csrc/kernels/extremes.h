// What reductions and scans share: bounds of a type, larger and smaller of two elements or vectors.
#pragma once
#include "kernels/vec_math.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

template <class T>
struct Limits {
  static constexpr bool is_signed = T(-1) < T(0);
  static constexpr T lowest = is_signed ? T(UnsignedBits<T>(1) << (8 * sizeof(T) - 1)) : T(0);
  static constexpr T highest = T(~lowest);
};
template <Floating T>
struct Limits<T> {
  static constexpr T lowest = -Format<T>::infinity, highest = Format<T>::infinity;
};

/// The larger or smaller of two; NaN if either is NaN.
template <class T>
TAPEGRAD_INLINE T larger(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
TAPEGRAD_INLINE Vec<T> larger(Vec<T> a, Vec<T> b) {
  return maximum(a, b);
}
template <class T>
TAPEGRAD_INLINE T smaller(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
TAPEGRAD_INLINE Vec<T> smaller(Vec<T> a, Vec<T> b) {
  return minimum(a, b);
}

/// The type that a kernel computes on: bool is read as bytes 0 and 1.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = uint8_t;
};

}  // namespace tapegrad::TAPEGRAD_ISA_NS
