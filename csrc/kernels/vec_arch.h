// The few vector operations that GCC's and Clang's vector extensions have no operator for, once per
// instruction set. The functions take and return raw vectors of kVecBytes bytes; vec.h wraps them.
#pragma once

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef TAPEGRAD_ISA_NS
#define TAPEGRAD_ISA_NS isa_base
#endif

#define TAPEGRAD_INLINE [[gnu::always_inline]] inline

namespace tapegrad::TAPEGRAD_ISA_NS {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define TAPEGRAD_AVX512 1
inline constexpr int kVecBytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
#define TAPEGRAD_AVX2 1
inline constexpr int kVecBytes = 32;
#else
inline constexpr int kVecBytes = 16;
#endif

#if defined(TAPEGRAD_AVX512) || defined(TAPEGRAD_AVX2) || defined(__aarch64__)
inline constexpr bool kHasFma = true;
#else
inline constexpr bool kHasFma = false;
#endif

typedef float RawF32 __attribute__((vector_size(kVecBytes)));
typedef double RawF64 __attribute__((vector_size(kVecBytes)));
typedef int8_t RawI8 __attribute__((vector_size(kVecBytes)));

namespace arch {

#if defined(TAPEGRAD_AVX512)

// The maskz forms are used because the plain ones read an undefined register, about which GCC 12 warns.
TAPEGRAD_INLINE RawF32 sqrt(RawF32 a) { return _mm512_maskz_sqrt_ps(0xffff, a); }
TAPEGRAD_INLINE RawF64 sqrt(RawF64 a) { return _mm512_maskz_sqrt_pd(0xff, a); }
TAPEGRAD_INLINE RawF32 fma(RawF32 a, RawF32 b, RawF32 c) { return _mm512_fmadd_ps(a, b, c); }
TAPEGRAD_INLINE RawF64 fma(RawF64 a, RawF64 b, RawF64 c) { return _mm512_fmadd_pd(a, b, c); }
template <int Mode>
TAPEGRAD_INLINE RawF32 round_to(RawF32 a) {
  return _mm512_maskz_roundscale_ps(0xffff, a, Mode);
}
template <int Mode>
TAPEGRAD_INLINE RawF64 round_to(RawF64 a) {
  return _mm512_maskz_roundscale_pd(0xff, a, Mode);
}
/// a * 2^n for an integral n, with one rounding.
TAPEGRAD_INLINE RawF32 scale(RawF32 a, RawF32 n) { return _mm512_maskz_scalef_ps(0xffff, a, n); }
TAPEGRAD_INLINE RawF64 scale(RawF64 a, RawF64 n) { return _mm512_maskz_scalef_pd(0xff, a, n); }
// These look at the top bit of each byte.
TAPEGRAD_INLINE bool any_byte(RawI8 a) { return _mm512_movepi8_mask(__m512i(a)) != 0; }
TAPEGRAD_INLINE bool all_bytes(RawI8 a) { return _mm512_movepi8_mask(__m512i(a)) == ~__mmask64(0); }

#elif defined(TAPEGRAD_AVX2)

TAPEGRAD_INLINE RawF32 sqrt(RawF32 a) { return _mm256_sqrt_ps(a); }
TAPEGRAD_INLINE RawF64 sqrt(RawF64 a) { return _mm256_sqrt_pd(a); }
TAPEGRAD_INLINE RawF32 fma(RawF32 a, RawF32 b, RawF32 c) { return _mm256_fmadd_ps(a, b, c); }
TAPEGRAD_INLINE RawF64 fma(RawF64 a, RawF64 b, RawF64 c) { return _mm256_fmadd_pd(a, b, c); }
template <int Mode>
TAPEGRAD_INLINE RawF32 round_to(RawF32 a) {
  return _mm256_round_ps(a, Mode);
}
template <int Mode>
TAPEGRAD_INLINE RawF64 round_to(RawF64 a) {
  return _mm256_round_pd(a, Mode);
}
/// All ones in the first n lanes of Size bytes.
template <int Size>
TAPEGRAD_INLINE __m256i first_lanes(int n) {
  if constexpr (Size == 8) return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TAPEGRAD_INLINE bool any_byte(RawI8 a) { return _mm256_movemask_epi8(__m256i(a)) != 0; }
TAPEGRAD_INLINE bool all_bytes(RawI8 a) { return _mm256_movemask_epi8(__m256i(a)) == -1; }

#elif defined(__x86_64__)

TAPEGRAD_INLINE RawF32 sqrt(RawF32 a) { return _mm_sqrt_ps(a); }
TAPEGRAD_INLINE RawF64 sqrt(RawF64 a) { return _mm_sqrt_pd(a); }
TAPEGRAD_INLINE RawF32 fma(RawF32 a, RawF32 b, RawF32 c) { return a * b + c; }
TAPEGRAD_INLINE RawF64 fma(RawF64 a, RawF64 b, RawF64 c) { return a * b + c; }
#if defined(__SSE4_1__)
template <int Mode>
TAPEGRAD_INLINE RawF32 round_to(RawF32 a) {
  return _mm_round_ps(a, Mode);
}
template <int Mode>
TAPEGRAD_INLINE RawF64 round_to(RawF64 a) {
  return _mm_round_pd(a, Mode);
}
#endif
TAPEGRAD_INLINE bool any_byte(RawI8 a) { return _mm_movemask_epi8(__m128i(a)) != 0; }
TAPEGRAD_INLINE bool all_bytes(RawI8 a) { return _mm_movemask_epi8(__m128i(a)) == 0xffff; }

#elif defined(__aarch64__)

TAPEGRAD_INLINE RawF32 sqrt(RawF32 a) { return vsqrtq_f32(a); }
TAPEGRAD_INLINE RawF64 sqrt(RawF64 a) { return vsqrtq_f64(a); }
TAPEGRAD_INLINE RawF32 fma(RawF32 a, RawF32 b, RawF32 c) { return vfmaq_f32(c, a, b); }
TAPEGRAD_INLINE RawF64 fma(RawF64 a, RawF64 b, RawF64 c) { return vfmaq_f64(c, a, b); }
TAPEGRAD_INLINE RawF32 floor(RawF32 a) { return vrndmq_f32(a); }
TAPEGRAD_INLINE RawF64 floor(RawF64 a) { return vrndmq_f64(a); }
TAPEGRAD_INLINE RawF32 ceil(RawF32 a) { return vrndpq_f32(a); }
TAPEGRAD_INLINE RawF64 ceil(RawF64 a) { return vrndpq_f64(a); }
TAPEGRAD_INLINE RawF32 trunc(RawF32 a) { return vrndq_f32(a); }
TAPEGRAD_INLINE RawF64 trunc(RawF64 a) { return vrndq_f64(a); }
TAPEGRAD_INLINE RawF32 round(RawF32 a) { return vrndnq_f32(a); }
TAPEGRAD_INLINE RawF64 round(RawF64 a) { return vrndnq_f64(a); }
TAPEGRAD_INLINE bool any_byte(RawI8 a) { return vminvq_s8(a) < 0; }
TAPEGRAD_INLINE bool all_bytes(RawI8 a) { return vmaxvq_s8(a) < 0; }

#else

// No known instruction set: lane by lane.
template <class Raw, class Function>
TAPEGRAD_INLINE Raw map_lanes(Raw a, Function f) {
  for (int i = 0; i < int(sizeof(a) / sizeof(a[0])); ++i) a[i] = f(a[i]);
  return a;
}
TAPEGRAD_INLINE RawF32 sqrt(RawF32 a) {
  return map_lanes(a, [](float x) { return __builtin_sqrtf(x); });
}
TAPEGRAD_INLINE RawF64 sqrt(RawF64 a) {
  return map_lanes(a, [](double x) { return __builtin_sqrt(x); });
}
TAPEGRAD_INLINE RawF32 fma(RawF32 a, RawF32 b, RawF32 c) { return a * b + c; }
TAPEGRAD_INLINE RawF64 fma(RawF64 a, RawF64 b, RawF64 c) { return a * b + c; }
TAPEGRAD_INLINE bool any_byte(RawI8 a) {
  for (int i = 0; i < kVecBytes; ++i)
    if (a[i] < 0) return true;
  return false;
}
TAPEGRAD_INLINE bool all_bytes(RawI8 a) { return !any_byte(~a); }

#endif

/// `a` with its 16 bytes number Place taken from memory. (Compilers make two shuffles of the general form.)
template <int Place, class Raw>
TAPEGRAD_INLINE Raw load_piece(Raw a, const void* source) {
  if constexpr (sizeof(Raw) == 16) {
    __builtin_memcpy(&a, source, 16);
    return a;
#if defined(__AVX__)
  } else if constexpr (sizeof(Raw) == 32) {
    return Raw(_mm256_insertf128_ps(__m256(a), _mm_loadu_ps(static_cast<const float*>(source)), Place));
#endif
#if defined(TAPEGRAD_AVX512)
  } else {
    return Raw(
        _mm512_maskz_insertf32x4(0xffff, __m512(a), _mm_loadu_ps(static_cast<const float*>(source)), Place));
#endif
  }
}

#if defined(__SSE4_1__)
template <class Raw>
TAPEGRAD_INLINE Raw floor(Raw a) {
  return round_to<_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC>(a);
}
template <class Raw>
TAPEGRAD_INLINE Raw ceil(Raw a) {
  return round_to<_MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC>(a);
}
template <class Raw>
TAPEGRAD_INLINE Raw trunc(Raw a) {
  return round_to<_MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC>(a);
}
/// Half to even.
template <class Raw>
TAPEGRAD_INLINE Raw round(Raw a) {
  return round_to<_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC>(a);
}
#elif !defined(__aarch64__)
// Baseline x86-64 and unknown machines have no rounding instruction.
#define TAPEGRAD_ROUND_LANES(name, builtin)                                      \
  TAPEGRAD_INLINE RawF32 name(RawF32 a) {                                        \
    for (int i = 0; i < kVecBytes / 4; ++i) a[i] = __builtin_##builtin##f(a[i]); \
    return a;                                                                    \
  }                                                                              \
  TAPEGRAD_INLINE RawF64 name(RawF64 a) {                                        \
    for (int i = 0; i < kVecBytes / 8; ++i) a[i] = __builtin_##builtin(a[i]);    \
    return a;                                                                    \
  }
TAPEGRAD_ROUND_LANES(floor, floor)
TAPEGRAD_ROUND_LANES(ceil, ceil)
TAPEGRAD_ROUND_LANES(trunc, trunc)
TAPEGRAD_ROUND_LANES(round, rint)
#undef TAPEGRAD_ROUND_LANES
#endif

}  // namespace arch
}  // namespace tapegrad::TAPEGRAD_ISA_NS
