#include "kernels/random.h"

#include "kernels/registration.h"
#include "kernels/vec_math.h"

namespace tapegrad::TAPEGRAD_ISA_NS {
namespace {

constexpr int kMersenneShift = 397;

TAPEGRAD_INLINE uint32_t twist(uint32_t high, uint32_t low) {
  return (((high & 0x80000000u) | (low & 0x7fffffffu)) >> 1) ^ (-(low & 1u) & 0x9908b0dfu);
}

TAPEGRAD_INLINE uint64_t join_words(const uint32_t* words) { return uint64_t(words[0]) << 32 | words[1]; }

/// The lowest 53 bits as a fraction of 2^53. Integers are converted through the low bits of 2^52 + i, because
/// most instruction sets have no vector instruction for 64-bit ones; every step is exact.
TAPEGRAD_INLINE double unit_double(uint64_t bits) {
  constexpr uint64_t two_52 = 0x4330000000000000;
  const double high = __builtin_bit_cast(double, (bits >> 32 & 0x1fffff) | two_52) - 0x1p52;
  const double low = __builtin_bit_cast(double, (bits & 0xffffffff) | two_52) - 0x1p52;
  return high * 0x1p-21 + low * 0x1p-53;
}

TAPEGRAD_INLINE float unit_float(uint32_t bits) { return float(int32_t(bits & 0xffffff)) * 0x1p-24f; }

/// The product is fused as in PyTorch; a value that rounds up to `to` becomes `from`.
TAPEGRAD_INLINE float scale_unit(float unit, float from, float to) {
  const float value = __builtin_fmaf(unit, to - from, from);
  return value == to ? from : value;
}
TAPEGRAD_INLINE double scale_unit(double unit, double from, double to) {
  const double value = __builtin_fma(unit, to - from, from);
  return value == to ? from : value;
}

/// For an angle in [0, 2 pi].
template <class T>
TAPEGRAD_INLINE SinCos<T> sin_cos(Vec<T> angle) {
  if constexpr (sizeof(T) == 4 && !kHasFma)
    return {sin(angle), cos(angle)};  // the short reduction needs the fma
  const auto small = reduce_small_angle(angle);
  const auto reduced = sin_cos_reduced(small.r);
  return {sin_of_quadrant(reduced, small.quadrant), sin_of_quadrant(reduced, small.quadrant + 1)};
}

/// Normal numbers of `pairs` radii and angles, given as uniform numbers and replaced.
template <class T>
TAPEGRAD_INLINE void box_muller(T* radii, T* angles, int pairs, T mean, T std) {
  using V = Vec<T>;
  constexpr T two_pi = T(6.283185307179586476925);
  for (int i = 0; i < pairs; i += V::size) {
    const V radius = sqrt(-2 * log(1 - V::load(radii + i)));
    const auto [sine, cosine] = sin_cos(two_pi * V::load(angles + i));
    fma(radius * cosine, std, mean).store(radii + i);
    fma(radius * sine, std, mean).store(angles + i);
  }
}

template <class T>
TAPEGRAD_INLINE void normal_blocks(T* values, int64_t blocks, T mean, T std) {
  constexpr int half = kNormalBlock / 2,
                group = 8;  // blocks whose halves are brought together to fill whole vectors
  alignas(64) T radii[group * half] = {}, angles[group * half] = {};
  for (int64_t first = 0; first < blocks; first += group) {
    const int count = int(blocks - first < group ? blocks - first : group);
    T* block = values + first * kNormalBlock;
    for (int i = 0; i < count; ++i) {
      __builtin_memcpy(radii + i * half, block + i * kNormalBlock, half * sizeof(T));
      __builtin_memcpy(angles + i * half, block + i * kNormalBlock + half, half * sizeof(T));
    }
    box_muller(radii, angles, count * half, mean, std);
    for (int i = 0; i < count; ++i) {
      __builtin_memcpy(block + i * kNormalBlock, radii + i * half, half * sizeof(T));
      __builtin_memcpy(block + i * kNormalBlock + half, angles + i * half, half * sizeof(T));
    }
  }
}

void mersenne_refill(uint32_t* state) {
  constexpr int wrap = kMersenneWords - kMersenneShift;
  for (int i = 0; i < wrap; ++i) state[i] = state[i + kMersenneShift] ^ twist(state[i], state[i + 1]);
  for (int i = wrap; i < kMersenneWords - 1; ++i) state[i] = state[i - wrap] ^ twist(state[i], state[i + 1]);
  state[kMersenneWords - 1] = state[kMersenneShift - 1] ^ twist(state[kMersenneWords - 1], state[0]);
}

void mersenne_output(const uint32_t* state, uint32_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = mersenne_temper(state[i]);
}

void uniform_float(const uint32_t* words, float* out, int64_t n, float from, float to) {
  if (from == 0 && to == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = unit_float(words[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = scale_unit(unit_float(words[i]), from, to);
  }
}

void uniform_double(const uint32_t* words, double* out, int64_t n, double from, double to) {
  if (from == 0 && to == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = unit_double(join_words(words + 2 * i));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = scale_unit(unit_double(join_words(words + 2 * i)), from, to);
  }
}

void bernoulli(const uint32_t* words, uint8_t* out, int64_t n, uint64_t threshold) {
  constexpr uint64_t mask = (uint64_t(1) << 53) - 1;
  for (int64_t i = 0; i < n; ++i) out[i] = (join_words(words + 2 * i) & mask) < threshold;
}

void exponential(const uint32_t* words, double* out, int64_t n, double mean) {
  using V = Vec<double>;
  for (int64_t i = 0; i < n; ++i) out[i] = 1 - unit_double(join_words(words + 2 * i));  // exact, in (0, 1]
  for (int64_t i = 0; i < n; i += V::size) {
    const int count = int(n - i < V::size ? n - i : V::size);
    (mean * (0 - log(V::load_partial(out + i, count)))).store_partial(out + i, count);
  }
}

void normal_float(float* values, int64_t blocks, float mean, float std) {
  normal_blocks(values, blocks, mean, std);
}

void normal_double(double* values, int64_t blocks, double mean, double std) {
  normal_blocks(values, blocks, mean, std);
}

}  // namespace

void register_random(RandomKernels& table) {
  table = {.mersenne_refill = mersenne_refill,
           .mersenne_output = mersenne_output,
           .uniform_float = uniform_float,
           .uniform_double = uniform_double,
           .bernoulli = bernoulli,
           .exponential = exponential,
           .normal_float = normal_float,
           .normal_double = normal_double};
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
