#include "core/generator.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <utility>

#include "core/error.h"
#include "kernels/kernels.h"

namespace tapegrad {
namespace {

static_assert(std::endian::native == std::endian::little, "a saved state is a little-endian structure");

/// The layout of a saved state, which is PyTorch's. Unused parts are zero.
struct SavedState {
  uint64_t initial_seed;
  uint32_t left;
  uint32_t seeded;
  uint64_t next;
  uint64_t words[kMersenneWords];
  double unused_normal;
  double stored_normal;
  double unused_radius;
  uint32_t has_stored_normal;
  uint32_t padding;
  float stored_float_normal;
  uint8_t has_stored_float_normal;
  uint8_t end_padding[3];
};
static_assert(sizeof(SavedState) == Generator::kStateSize);

}  // namespace

void Generator::manual_seed(uint64_t seed) {
  initial_seed_ = seed;
  // Knuth's multiplicative generator, as in the published MT19937 code of 2002.
  words_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kMersenneWords; ++i) {
    words_[i] = 1812433253u * (words_[i - 1] ^ (words_[i - 1] >> 30)) + i;
  }
  left_ = 1;
  next_ = 0;
  stored_normal_ = 0;
  has_stored_normal_ = false;
  stored_float_normal_ = 0;
  has_stored_float_normal_ = false;
}

uint64_t Generator::seed() {
  std::random_device device;
  const uint64_t high = device();
  manual_seed(high << 32 | device());
  return initial_seed_;
}

Generator::State Generator::state() const {
  SavedState saved{};
  saved.initial_seed = initial_seed_;
  saved.left = left_;
  saved.seeded = 1;
  saved.next = next_;
  std::copy(std::begin(words_), std::end(words_), saved.words);
  saved.stored_normal = has_stored_normal_ ? stored_normal_ : 0;
  saved.has_stored_normal = has_stored_normal_;
  saved.stored_float_normal = stored_float_normal_;
  saved.has_stored_float_normal = has_stored_float_normal_;
  return std::bit_cast<State>(saved);
}

void Generator::set_state(std::span<const uint8_t> bytes) {
  TG_CHECK(bytes.size() == kStateSize, "Expected a CPUGeneratorImplState of size ", kStateSize,
           " but found the input RNG state size to be ", bytes.size());
  SavedState saved;
  std::memcpy(&saved, bytes.data(), kStateSize);
  const bool consistent = saved.seeded == 1 && saved.left >= 1 && saved.next <= kMersenneWords &&
                          saved.left - 1 <= kMersenneWords - saved.next;
  TG_CHECK(consistent, "Invalid mt19937 state: pass the unchanged result of get_state() or get_rng_state()");
  initial_seed_ = saved.initial_seed;
  left_ = saved.left;
  next_ = static_cast<uint32_t>(saved.next);
  std::transform(std::begin(saved.words), std::end(saved.words), words_,
                 [](uint64_t word) { return static_cast<uint32_t>(word); });
  stored_normal_ = saved.stored_normal;
  has_stored_normal_ = saved.has_stored_normal != 0;
  stored_float_normal_ = saved.stored_float_normal;
  has_stored_float_normal_ = saved.has_stored_float_normal != 0;
}

void Generator::refill() {
  kernels->random.mersenne_refill(words_);
  left_ = kMersenneWords + 1;
  next_ = 0;
}

uint32_t Generator::random() {
  if (words_left() == 0) refill();
  --left_;
  return mersenne_temper(words_[next_++]);
}

uint64_t Generator::random64() {
  const uint64_t high = random();
  return high << 32 | random();
}

void Generator::random_words(uint32_t* out, int64_t n) {
  while (n > 0) {
    if (words_left() == 0) refill();
    const int64_t count = std::min(n, words_left());
    kernels->random.mersenne_output(words_ + next_, out, count);
    next_ += static_cast<uint32_t>(count);
    left_ -= static_cast<uint32_t>(count);
    out += count;
    n -= count;
  }
}

double Generator::uniform() {
  constexpr uint64_t mask = (uint64_t{1} << 53) - 1;
  return static_cast<double>(random64() & mask) * 0x1p-53;
}

double Generator::normal() {
  if (std::exchange(has_stored_normal_, false)) return stored_normal_;
  const double angle = 2 * std::numbers::pi * uniform();
  const double radius = std::sqrt(-2 * std::log1p(-uniform()));
  stored_normal_ = radius * std::sin(angle);
  has_stored_normal_ = true;
  return radius * std::cos(angle);
}

}  // namespace tapegrad
