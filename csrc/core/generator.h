#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "kernels/random.h"

namespace tapegrad {

/// A stream of random bits: MT19937, with the seeding, the draws and the saved state of PyTorch's CPU
/// generator. The draws are not synchronized; whoever draws holds `mutex()`.
class Generator {
 public:
  /// Size in bytes of a saved state.
  static constexpr size_t kStateSize = 5056;
  using State = std::array<uint8_t, kStateSize>;

  explicit Generator(uint64_t seed = 67280421310721) { manual_seed(seed); }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// Starts the stream of `seed`, of which the lowest 32 bits count, and forgets the normal number in store.
  void manual_seed(uint64_t seed);
  /// Seeds from the operating system's entropy and returns the seed.
  uint64_t seed();
  uint64_t initial_seed() const { return initial_seed_; }

  State state() const;
  /// Continues from a saved state; throws a runtime error if it has another size or is not one.
  void set_state(std::span<const uint8_t> bytes);

  /// The next 32 bits.
  uint32_t random();
  /// The next 64 bits, the higher half first.
  uint64_t random64();
  /// The next n draws of 32 bits.
  void random_words(uint32_t* out, int64_t n);
  /// Uniform in [0, 1), from 53 of the next 64 bits.
  double uniform();
  /// Standard normal by Box and Muller's method, which makes two at a time: the second is kept for the next
  /// call.
  double normal();

  std::mutex& mutex() { return mutex_; }

 private:
  int64_t words_left() const { return left_ - 1; }
  void refill();

  std::mutex mutex_;
  uint64_t initial_seed_;
  // As PyTorch counts: one more than the words not yet used, and the place of the next one.
  uint32_t left_, next_;
  alignas(64) uint32_t words_[kMersenneWords];
  double stored_normal_;
  bool has_stored_normal_;
  // Kept for PyTorch, whose saved state has them; no draw here uses them.
  float stored_float_normal_;
  bool has_stored_float_normal_;
};

}  // namespace tapegrad
