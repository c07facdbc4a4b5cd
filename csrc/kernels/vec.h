// Vec<T>: one SIMD register of T with the operators of a number, and Mask: the result of comparing two of
// them.
//
// A literal on either side of an operator broadcasts, so that `1 - y * y` is valid text for Vec<float>, for
// Vec<double> and for Tensor alike. There are no scalar overloads: a tail is a partial vector, and an
// element's result does not depend on its position. Integer arithmetic wraps around.
#pragma once

#include "vec_arch.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

template <int Bytes>
struct IntOfSize;
template <>
struct IntOfSize<1> {
  using Signed = int8_t;
  using Unsigned = uint8_t;
};
template <>
struct IntOfSize<2> {
  using Signed = int16_t;
  using Unsigned = uint16_t;
};
template <>
struct IntOfSize<4> {
  using Signed = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct IntOfSize<8> {
  using Signed = int64_t;
  using Unsigned = uint64_t;
};

template <class T>
using SignedBits = typename IntOfSize<sizeof(T)>::Signed;
template <class T>
using UnsignedBits = typename IntOfSize<sizeof(T)>::Unsigned;

template <class T>
concept Floating = __is_same(T, float) || __is_same(T, double);
template <class T>
concept Integral = !Floating<T>;
/// A number that can be converted to T: what a vector of T broadcasts.
template <class S, class T>
concept ScalarFor = requires(S s) { T(s) * s; };

/// The raw vector of N elements of T.
template <class T, int N>
struct RawOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N>
using Raw = typename RawOf<T, N>::type;

// Raw vectors go by reference here because load_convert and store_convert have ones wider than a register.

/// Replaces the first n elements of r, which has more than n. Never reads beyond p + n.
template <class R, class T>
TAPEGRAD_INLINE void load_partial_raw(R& r, const T* p, int n) {
#if defined(TAPEGRAD_AVX512)
  if constexpr (sizeof(R) == 64) {
    const auto mask = (uint64_t(1) << n) - 1;
    if constexpr (sizeof(T) == 8) r = R(_mm512_mask_loadu_epi64(__m512i(r), __mmask8(mask), p));
    if constexpr (sizeof(T) == 4) r = R(_mm512_mask_loadu_epi32(__m512i(r), __mmask16(mask), p));
    if constexpr (sizeof(T) == 2) r = R(_mm512_mask_loadu_epi16(__m512i(r), __mmask32(mask), p));
    if constexpr (sizeof(T) == 1) r = R(_mm512_mask_loadu_epi8(__m512i(r), __mmask64(mask), p));
    return;
  }
#elif defined(TAPEGRAD_AVX2)
  if constexpr (sizeof(R) == 32 && sizeof(T) >= 4) {
    const __m256i mask = arch::first_lanes<sizeof(T)>(n);
    if constexpr (sizeof(T) == 8)
      r = R(_mm256_blendv_epi8(__m256i(r), _mm256_maskload_epi64((const long long*)p, mask), mask));
    else
      r = R(_mm256_blendv_epi8(__m256i(r), _mm256_maskload_epi32((const int*)p, mask), mask));
    return;
  }
#endif
  T lanes[sizeof(R) / sizeof(T)];
  __builtin_memcpy(lanes, &r, sizeof(R));
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  __builtin_memcpy(&r, lanes, sizeof(R));
}

/// Stores the first n elements of r, which has more than n.
template <class R, class T>
TAPEGRAD_INLINE void store_partial_raw(const R& r, T* p, int n) {
#if defined(TAPEGRAD_AVX512)
  if constexpr (sizeof(R) == 64) {
    const auto mask = (uint64_t(1) << n) - 1;
    if constexpr (sizeof(T) == 8) _mm512_mask_storeu_epi64(p, __mmask8(mask), __m512i(r));
    if constexpr (sizeof(T) == 4) _mm512_mask_storeu_epi32(p, __mmask16(mask), __m512i(r));
    if constexpr (sizeof(T) == 2) _mm512_mask_storeu_epi16(p, __mmask32(mask), __m512i(r));
    if constexpr (sizeof(T) == 1) _mm512_mask_storeu_epi8(p, __mmask64(mask), __m512i(r));
    return;
  }
#elif defined(TAPEGRAD_AVX2)
  if constexpr (sizeof(R) == 32 && sizeof(T) >= 4) {
    const __m256i mask = arch::first_lanes<sizeof(T)>(n);
    if constexpr (sizeof(T) == 8)
      _mm256_maskstore_epi64((long long*)p, mask, __m256i(r));
    else
      _mm256_maskstore_epi32((int*)p, mask, __m256i(r));
    return;
  }
#endif
  T lanes[sizeof(R) / sizeof(T)];
  __builtin_memcpy(lanes, &r, sizeof(R));
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
}

/// One truth value per lane of a Vec whose elements have Size bytes; a lane is all ones or all zeros.
template <int Size>
struct Mask {
  using Lane = typename IntOfSize<Size>::Signed;
  static constexpr int size = kVecBytes / Size;
  Raw<Lane, size> raw;

  TAPEGRAD_INLINE friend Mask operator&(Mask a, Mask b) { return {a.raw & b.raw}; }
  TAPEGRAD_INLINE friend Mask operator|(Mask a, Mask b) { return {a.raw | b.raw}; }
  TAPEGRAD_INLINE friend Mask operator^(Mask a, Mask b) { return {a.raw ^ b.raw}; }
  TAPEGRAD_INLINE friend Mask operator!(Mask a) { return {~a.raw}; }
  TAPEGRAD_INLINE friend bool any(Mask a) { return arch::any_byte(RawI8(a.raw)); }
  TAPEGRAD_INLINE friend bool all(Mask a) { return arch::all_bytes(RawI8(a.raw)); }
  TAPEGRAD_INLINE bool operator[](int i) const { return raw[i] != 0; }
};

/// Writes the first n lanes as bytes 0 or 1 (the layout of a bool tensor).
template <int Size>
TAPEGRAD_INLINE void store_mask(Mask<Size> mask, uint8_t* out, int n = Mask<Size>::size) {
  constexpr int size = Mask<Size>::size;
  const auto bytes = __builtin_convertvector(mask.raw & 1, Raw<uint8_t, size>);
  if (n == size)
    __builtin_memcpy(out, &bytes, size);
  else
    store_partial_raw(bytes, out, n);
}

/// A mask for vectors of T from n bool bytes (any non-zero byte is true); lanes beyond n are false.
template <class T>
TAPEGRAD_INLINE Mask<sizeof(T)> load_mask(const uint8_t* p, int n = Mask<sizeof(T)>::size) {
  using M = Mask<sizeof(T)>;
  Raw<uint8_t, M::size> bytes{};
  if (n == M::size)
    __builtin_memcpy(&bytes, p, M::size);
  else
    load_partial_raw(bytes, p, n);
  return {__builtin_convertvector(bytes, Raw<typename M::Lane, M::size>) != 0};
}

template <class T>
struct Vec {
  using Element = T;
  static constexpr int size = kVecBytes / sizeof(T);
  using RawT = Raw<T, size>;
  using Bits = Raw<UnsignedBits<T>, size>;
  using M = Mask<sizeof(T)>;

  RawT raw;

  Vec() = default;
  TAPEGRAD_INLINE explicit Vec(RawT r) : raw(r) {}
  /// Broadcast.
  template <ScalarFor<T> S>
  TAPEGRAD_INLINE Vec(S s) : raw(T(s) - RawT{}) {}

  TAPEGRAD_INLINE static Vec load(const T* p) {
    Vec v;
    __builtin_memcpy(&v.raw, p, sizeof(RawT));
    return v;
  }
  TAPEGRAD_INLINE void store(T* p) const { __builtin_memcpy(p, &raw, sizeof(RawT)); }
  /// The first n <= size elements at p, then `rest`. Never reads beyond p + n.
  TAPEGRAD_INLINE static Vec load_partial(const T* p, int n, T rest = T(1)) {
    Vec v(rest);
    if (n == size)
      v = load(p);
    else
      load_partial_raw(v.raw, p, n);
    return v;
  }
  /// Writes the first n <= size elements.
  TAPEGRAD_INLINE void store_partial(T* p, int n) const {
    if (n == size)
      store(p);
    else
      store_partial_raw(raw, p, n);
  }
  /// 0, 1, 2, ...
  TAPEGRAD_INLINE static Vec iota() {
    Vec v;
    for (int i = 0; i < size; ++i) v.raw[i] = T(i);
    return v;
  }

  TAPEGRAD_INLINE T operator[](int i) const { return raw[i]; }

  // Integers are added and multiplied as unsigned numbers: overflow wraps instead of being undefined.
  TAPEGRAD_INLINE friend Vec operator+(Vec a, Vec b) {
    if constexpr (Floating<T>)
      return Vec(a.raw + b.raw);
    else
      return Vec(RawT(Bits(a.raw) + Bits(b.raw)));
  }
  TAPEGRAD_INLINE friend Vec operator-(Vec a, Vec b) {
    if constexpr (Floating<T>)
      return Vec(a.raw - b.raw);
    else
      return Vec(RawT(Bits(a.raw) - Bits(b.raw)));
  }
  TAPEGRAD_INLINE friend Vec operator*(Vec a, Vec b) {
    if constexpr (Floating<T>)
      return Vec(a.raw * b.raw);
    else
      return Vec(RawT(Bits(a.raw) * Bits(b.raw)));
  }
  TAPEGRAD_INLINE friend Vec operator-(Vec a) {
    if constexpr (Floating<T>)
      return Vec(-a.raw);
    else
      return Vec(RawT(-Bits(a.raw)));
  }
  TAPEGRAD_INLINE friend Vec operator+(Vec a) { return a; }
  /// True division; integers use floor_div or trunc_div.
  TAPEGRAD_INLINE friend Vec operator/(Vec a, Vec b)
    requires Floating<T>
  {
    return Vec(a.raw / b.raw);
  }

  TAPEGRAD_INLINE friend Vec operator&(Vec a, Vec b)
    requires Integral<T>
  {
    return Vec(a.raw & b.raw);
  }
  TAPEGRAD_INLINE friend Vec operator|(Vec a, Vec b)
    requires Integral<T>
  {
    return Vec(a.raw | b.raw);
  }
  TAPEGRAD_INLINE friend Vec operator^(Vec a, Vec b)
    requires Integral<T>
  {
    return Vec(a.raw ^ b.raw);
  }
  TAPEGRAD_INLINE friend Vec operator~(Vec a)
    requires Integral<T>
  {
    return Vec(~a.raw);
  }
  /// Shifts by a negative amount or by the width or more are undefined, as in C.
  TAPEGRAD_INLINE friend Vec operator<<(Vec a, Vec b)
    requires Integral<T>
  {
    return Vec(RawT(Bits(a.raw) << Bits(b.raw)));
  }
  TAPEGRAD_INLINE friend Vec operator>>(Vec a, Vec b)
    requires Integral<T>
  {
    return Vec(a.raw >> b.raw);
  }
  TAPEGRAD_INLINE friend Vec operator<<(Vec a, int n)
    requires Integral<T>
  {
    return Vec(RawT(Bits(a.raw) << n));
  }
  TAPEGRAD_INLINE friend Vec operator>>(Vec a, int n)
    requires Integral<T>
  {
    return Vec(a.raw >> n);
  }

  TAPEGRAD_INLINE friend M operator==(Vec a, Vec b) { return {a.raw == b.raw}; }
  TAPEGRAD_INLINE friend M operator!=(Vec a, Vec b) { return {a.raw != b.raw}; }
  TAPEGRAD_INLINE friend M operator<(Vec a, Vec b) { return {a.raw < b.raw}; }
  TAPEGRAD_INLINE friend M operator<=(Vec a, Vec b) { return {a.raw <= b.raw}; }
  TAPEGRAD_INLINE friend M operator>(Vec a, Vec b) { return {a.raw > b.raw}; }
  TAPEGRAD_INLINE friend M operator>=(Vec a, Vec b) { return {a.raw >= b.raw}; }

  /// a where the mask is true, b elsewhere.
  TAPEGRAD_INLINE friend Vec where(M mask, Vec a, Vec b) { return Vec(mask.raw ? a.raw : b.raw); }

  TAPEGRAD_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  TAPEGRAD_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  TAPEGRAD_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  TAPEGRAD_INLINE Vec& operator/=(Vec b)
    requires Floating<T>
  {
    return *this = *this / b;
  }
};

/// Vec<T> in a parameter from which T is not deduced: a literal is accepted there.
template <class T>
struct SameVecOf {
  using type = Vec<T>;
};
template <class T>
using SameVec = typename SameVecOf<T>::type;

/// The same bits read as elements of U.
template <class U, class T>
TAPEGRAD_INLINE Vec<U> bit_cast(Vec<T> a) {
  return Vec<U>(typename Vec<U>::RawT(a.raw));
}

/// Each element converted to U, which has the size of T (float to integer truncates).
template <class U, class T>
  requires(sizeof(U) == sizeof(T))
TAPEGRAD_INLINE Vec<U> convert(Vec<T> a) {
  return Vec<U>(__builtin_convertvector(a.raw, typename Vec<U>::RawT));
}

/// Vec<T>::size elements of another type S, each converted to T.
template <class T, class S>
TAPEGRAD_INLINE Vec<T> load_convert(const S* p, int n = Vec<T>::size) {
  constexpr int size = Vec<T>::size;
  Raw<S, size> r = S(1) - Raw<S, size>{};
  if (n == size)
    __builtin_memcpy(&r, p, sizeof(r));
  else
    load_partial_raw(r, p, n);
  return Vec<T>(__builtin_convertvector(r, typename Vec<T>::RawT));
}

/// Writes the first n elements, each converted to another type S.
template <class T, class S>
TAPEGRAD_INLINE void store_convert(Vec<T> a, S* p, int n = Vec<T>::size) {
  const auto r = __builtin_convertvector(a.raw, Raw<S, Vec<T>::size>);
  if (n == Vec<T>::size)
    __builtin_memcpy(p, &r, sizeof(r));
  else
    store_partial_raw(r, p, n);
}

/// f of each element, one at a time: for the rare functions that are not worth a vector algorithm.
template <class T, class Function>
TAPEGRAD_INLINE Vec<T> map_lanes(Vec<T> a, Function f) {
  T lanes[Vec<T>::size];
  a.store(lanes);
  for (T& x : lanes) x = f(x);
  return Vec<T>::load(lanes);
}
template <class T, class Function>
TAPEGRAD_INLINE Vec<T> map_lanes(Vec<T> a, Vec<T> b, Function f) {
  T x[Vec<T>::size], y[Vec<T>::size];
  a.store(x);
  b.store(y);
  for (int i = 0; i < Vec<T>::size; ++i) x[i] = f(x[i], y[i]);
  return Vec<T>::load(x);
}

template <int... I>
struct Indices {};
/// Indices<0, 1, ..., N - 1>
template <int N, int... I>
struct FirstIndices : FirstIndices<N - 1, N - 1, I...> {};
template <int... I>
struct FirstIndices<0, I...> {
  using type = Indices<I...>;
};

/// Element i + Width in place i, around the end.
template <int Width, class T, int... I>
TAPEGRAD_INLINE Vec<T> rotate(Vec<T> a, Indices<I...>) {
  return Vec<T>(__builtin_shufflevector(a.raw, a.raw, (I + Width) % Vec<T>::size...));
}
/// The elements in reverse order.
template <class T, int... I>
TAPEGRAD_INLINE Vec<T> reversed(Vec<T> a, Indices<I...>) {
  return Vec<T>(__builtin_shufflevector(a.raw, a.raw, (Vec<T>::size - 1 - I)...));
}
template <class T>
TAPEGRAD_INLINE Vec<T> reversed(Vec<T> a) {
  return reversed(a, typename FirstIndices<Vec<T>::size>::type{});
}
template <int Width, class T, class Function>
TAPEGRAD_INLINE Vec<T> fold_halves(Vec<T> a, Function f) {
  if constexpr (Width > 0)
    return fold_halves<Width / 2>(f(a, rotate<Width>(a, typename FirstIndices<Vec<T>::size>::type{})), f);
  else
    return a;
}
/// All elements combined by an associative, commutative `f(Vec, Vec)`, in an order that is fixed for the
/// vector's size.
template <class T, class Function>
TAPEGRAD_INLINE T reduce(Vec<T> a, Function f) {
  return fold_halves<Vec<T>::size / 2>(a, f)[0];
}

/// f, written for Vec<double>, of float arguments: for functions that are rare or need the precision.
template <class Function, class... Vs>
TAPEGRAD_INLINE Vec<float> via_double(Function f, Vec<float> first, Vs... others) {
  using Half = Raw<float, Vec<double>::size>;
  struct Halves {
    Half part[2];
    TAPEGRAD_INLINE Vec<double> widened(int i) const {
      return Vec<double>(__builtin_convertvector(part[i], Vec<double>::RawT));
    }
  };
  const auto halves = [](Vec<float> v)
                          __attribute__((always_inline)) { return __builtin_bit_cast(Halves, v.raw); };
  Halves result;
  for (int i = 0; i < 2; ++i)
    result.part[i] =
        __builtin_convertvector(f(halves(first).widened(i), halves(others).widened(i)...).raw, Half);
  return Vec<float>(__builtin_bit_cast(Vec<float>::RawT, result));
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
