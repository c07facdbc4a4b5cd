// Random bits and their transforms; the streams are PyTorch's. The generator itself is in core/generator.h.
#pragma once

#include <stdint.h>

namespace tapegrad {

/// Number of 32-bit words in the state of MT19937.
inline constexpr int kMersenneWords = 624;
/// Normal numbers come in blocks of this many; the first half gives the radii, the second half the angles.
inline constexpr int kNormalBlock = 16;

/// The output that belongs to a word of the state.
[[gnu::always_inline]] inline uint32_t mersenne_temper(uint32_t word) {
  word ^= word >> 11;
  word ^= word << 7 & 0x9d2c5680u;
  word ^= word << 15 & 0xefc60000u;
  return word ^ word >> 18;
}

struct RandomKernels {
  /// Replaces the whole state by the next one (Matsumoto and Nishimura, "Mersenne Twister", 1998).
  void (*mersenne_refill)(uint32_t* state);
  /// `mersenne_temper` of n words.
  void (*mersenne_output)(const uint32_t* state, uint32_t* out, int64_t n);

  /// Uniform in [from, to): 24 bits of one word each.
  void (*uniform_float)(const uint32_t* words, float* out, int64_t n, float from, float to);
  /// Uniform in [from, to): 53 bits of two words each.
  void (*uniform_double)(const uint32_t* words, double* out, int64_t n, double from, double to);
  /// 1 with the probability threshold / 2^53, else 0: 53 bits of two words each.
  void (*bernoulli)(const uint32_t* words, uint8_t* out, int64_t n, uint64_t threshold);
  /// Exponential with the given mean: 53 bits of two words each.
  void (*exponential)(const uint32_t* words, double* out, int64_t n, double mean);

  /// Turns blocks of kNormalBlock uniform numbers in [0, 1) into normal ones (Box and Muller, 1958), in
  /// place.
  void (*normal_float)(float* values, int64_t blocks, float mean, float std);
  void (*normal_double)(double* values, int64_t blocks, double mean, double std);
};

}  // namespace tapegrad
