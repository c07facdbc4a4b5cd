#include "core/random_fill.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/element_types.h"
#include "kernels/kernels.h"

namespace tapegrad {
namespace {

using Lock = std::lock_guard<std::mutex>;

constexpr int64_t kWordsPerBlock = 1024;

/// Draws `words_per_value` words for each of n values and passes them on in blocks: `use(words, first,
/// count)`.
template <class Use>
void draw_in_blocks(Generator& generator, int64_t n, int words_per_value, Use use) {
  alignas(64) uint32_t words[kWordsPerBlock];
  const int64_t values_per_block = kWordsPerBlock / words_per_value;
  for (int64_t first = 0; first < n; first += values_per_block) {
    const int64_t count = std::min(values_per_block, n - first);
    generator.random_words(words, count * words_per_value);
    use(words, first, count);
  }
}

uint64_t join_words(const uint32_t* words) { return static_cast<uint64_t>(words[0]) << 32 | words[1]; }

void uniform_from_words(const uint32_t* words, float* out, int64_t n, float from, float to) {
  kernels->random.uniform_float(words, out, n, from, to);
}
void uniform_from_words(const uint32_t* words, double* out, int64_t n, double from, double to) {
  kernels->random.uniform_double(words, out, n, from, to);
}
void normal_from_uniform(float* values, int64_t blocks, float mean, float std) {
  kernels->random.normal_float(values, blocks, mean, std);
}
void normal_from_uniform(double* values, int64_t blocks, double mean, double std) {
  kernels->random.normal_double(values, blocks, mean, std);
}

template <class T>
void draw_uniform(Generator& generator, T* out, int64_t n, T from, T to) {
  draw_in_blocks(generator, n, sizeof(T) / sizeof(uint32_t),
                 [&](const uint32_t* words, int64_t first, int64_t count) {
                   uniform_from_words(words, out + first, count, from, to);
                 });
}

/// Calls `make()` for every element in turn.
template <class T, class Make>
void fill_serially(Generator& generator, T* out, int64_t n, Make make) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(make());
}

/// The remainder by a divisor that is used many times, without division (Lemire, Kaser and Kurz, "Faster
/// remainder by direct computation", 2019).
class Remainder {
 public:
  explicit Remainder(uint32_t divisor) : divisor_(divisor), inverse_(~uint64_t{0} / divisor + 1) {}
  uint32_t operator()(uint32_t x) const {
    return static_cast<uint32_t>(static_cast<unsigned __int128>(inverse_ * x) * divisor_ >> 64);
  }

 private:
  uint64_t divisor_, inverse_;
};

template <class T>
T offset_integer(int64_t base, uint64_t offset) {
  return static_cast<T>(static_cast<int64_t>(static_cast<uint64_t>(base) + offset));
}

template <class T>
void draw_integers_of_32_bits(Generator& generator, T* out, int64_t n, uint32_t range, int64_t base) {
  const Remainder remainder(range);
  draw_in_blocks(generator, n, 1, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out[first + i] = offset_integer<T>(base, remainder(words[i]));
  });
}

template <class T>
void draw_integers_of_64_bits(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base) {
  draw_in_blocks(generator, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      out[first + i] = offset_integer<T>(base, join_words(words + 2 * i) % range);
    }
  });
}

}  // namespace

template <class T>
void fill_uniform(Generator& generator, T* out, int64_t n, double from, double to) {
  const Lock lock(generator.mutex());
  draw_uniform(generator, out, n, static_cast<T>(from), static_cast<T>(to));
}

template <class T>
void fill_normal_serially(Generator& generator, T* out, int64_t n, double mean, double std) {
  fill_serially(generator, out, n, [&] { return std::fma(generator.normal(), std, mean); });
}

template <class T>
void fill_normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  if (n < kNormalBlock) return fill_normal_serially(generator, out, n, mean, std);
  constexpr int64_t cached = 64 * kNormalBlock;
  const Lock lock(generator.mutex());
  const auto draw = [&](T* values, int64_t count) {
    draw_uniform(generator, values, count, T(0), T(1));
    normal_from_uniform(values, count / kNormalBlock, static_cast<T>(mean), static_cast<T>(std));
  };
  for (int64_t first = 0; first < n; first += cached) draw(out + first, std::min(cached, n - first));
  // The numbers that do not fill a block are drawn again, as the end of a whole one.
  if (n % kNormalBlock != 0) draw(out + n - kNormalBlock, kNormalBlock);
}

template <class T>
void fill_log_normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  fill_serially(generator, out, n, [&] { return std::exp(std::fma(generator.normal(), std, mean)); });
}

template <class T>
void fill_cauchy(Generator& generator, T* out, int64_t n, double median, double sigma) {
  fill_serially(generator, out, n, [&] {
    return std::fma(sigma, std::tan(std::numbers::pi * (generator.uniform() - 0.5)), median);
  });
}

template <class T>
void fill_exponential(Generator& generator, T* out, int64_t n, double lambda) {
  const Lock lock(generator.mutex());
  double values[kWordsPerBlock / 2];
  draw_in_blocks(generator, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    kernels->random.exponential(words, values, count, 1 / lambda);
    for (int64_t i = 0; i < count; ++i) out[first + i] = static_cast<T>(values[i]);
  });
}

template <class T>
void fill_geometric(Generator& generator, T* out, int64_t n, double p) {
  const double log_failure = std::log1p(-p);
  fill_serially(generator, out, n, [&] { return std::ceil(std::log(generator.uniform()) / log_failure); });
}

template <class T>
void fill_integers(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base) {
  // Beyond this the remainder of 32 bits would be noticeably uneven.
  constexpr uint64_t widest_of_32_bits = uint64_t{1} << 28;
  const Lock lock(generator.mutex());
  if (range < widest_of_32_bits) {
    draw_integers_of_32_bits(generator, out, n, static_cast<uint32_t>(range), base);
  } else {
    draw_integers_of_64_bits(generator, out, n, range, base);
  }
}

template <class T>
void fill_all_integers(Generator& generator, T* out, int64_t n) {
  constexpr uint64_t range = std::is_same_v<T, bool> ? 2
                             : std::is_integral_v<T> ? uint64_t{1} << std::numeric_limits<T>::digits
                                                     : (uint64_t{1} << std::numeric_limits<T>::digits) + 1;
  const Lock lock(generator.mutex());
  if constexpr (sizeof(T) == 8) {
    draw_integers_of_64_bits(generator, out, n, range, 0);
  } else {
    draw_integers_of_32_bits(generator, out, n, range, 0);
  }
}

void fill_all_bits(Generator& generator, int64_t* out, int64_t n) {
  const Lock lock(generator.mutex());
  draw_in_blocks(generator, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out[first + i] = static_cast<int64_t>(join_words(words + 2 * i));
  });
}

template <class T>
void fill_permutation(Generator& generator, T* out, int64_t n) {
  // Fisher and Yates's shuffle, forwards as long as 32 bits are even enough, and inside out beyond.
  constexpr int64_t longest_of_32_bits = std::numeric_limits<uint32_t>::max() / 20;
  const Lock lock(generator.mutex());
  if (n < longest_of_32_bits) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(i);
    draw_in_blocks(generator, n - 1, 1, [&](const uint32_t* words, int64_t first, int64_t count) {
      for (int64_t i = first; i < first + count; ++i) {
        std::swap(out[i], out[i + words[i - first] % static_cast<uint32_t>(n - i)]);
      }
    });
  } else {
    draw_in_blocks(generator, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
      for (int64_t i = first; i < first + count; ++i) {
        const uint64_t place = join_words(words + 2 * (i - first)) % static_cast<uint64_t>(i + 1);
        out[i] = out[place];
        out[place] = static_cast<T>(i);
      }
    });
  }
}

template <class T>
void fill_bernoulli(Generator& generator, T* out, int64_t n, double p) {
  // k / 2^53 < p is k < p 2^53 for an integer k.
  const auto threshold = static_cast<uint64_t>(std::ceil(p * 0x1p53));
  const Lock lock(generator.mutex());
  uint8_t successes[kWordsPerBlock / 2];
  draw_in_blocks(generator, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    kernels->random.bernoulli(words, successes, count, threshold);
    for (int64_t i = 0; i < count; ++i) out[first + i] = static_cast<T>(successes[i]);
  });
}

template <class T, class P>
void fill_bernoulli(Generator& generator, T* out, int64_t n, const P* p) {
  const Lock lock(generator.mutex());
  P uniform[kWordsPerBlock];
  draw_in_blocks(generator, n, sizeof(P) / sizeof(uint32_t),
                 [&](const uint32_t* words, int64_t first, int64_t count) {
                   uniform_from_words(words, uniform, count, P(0), P(1));
                   for (int64_t i = 0; i < count; ++i)
                     out[first + i] = static_cast<T>(uniform[i] < p[first + i]);
                 });
}

template <class T>
void fill_multinomial(Generator& generator, int64_t* out, const T* weights, int64_t rows, int64_t categories,
                      int64_t samples) {
  const Lock lock(generator.mutex());
  std::vector<T> cumulative(categories);
  for (int64_t row = 0; row < rows; ++row, weights += categories) {
    T sum = 0;
    for (int64_t i = 0; i < categories; ++i) cumulative[i] = sum += weights[i];
    for (T& value : cumulative) value /= sum;
    cumulative.back() = 1;
    for (int64_t i = 0; i < samples; ++i) {
      const auto category = std::lower_bound(cumulative.begin(), cumulative.end(), generator.uniform());
      *out++ = category - cumulative.begin();
    }
  }
}

#define TAPEGRAD_FLOAT_FILLS(T)                                                \
  template void fill_uniform(Generator&, T*, int64_t, double, double);         \
  template void fill_normal(Generator&, T*, int64_t, double, double);          \
  template void fill_normal_serially(Generator&, T*, int64_t, double, double); \
  template void fill_log_normal(Generator&, T*, int64_t, double, double);      \
  template void fill_cauchy(Generator&, T*, int64_t, double, double);          \
  template void fill_exponential(Generator&, T*, int64_t, double);             \
  template void fill_multinomial(Generator&, int64_t*, const T*, int64_t, int64_t, int64_t);
TAPEGRAD_FLOAT_FILLS(float)
TAPEGRAD_FLOAT_FILLS(double)
#undef TAPEGRAD_FLOAT_FILLS

#define TAPEGRAD_FILLS(T, name)                                            \
  template void fill_integers(Generator&, T*, int64_t, uint64_t, int64_t); \
  template void fill_all_integers(Generator&, T*, int64_t);                \
  template void fill_permutation(Generator&, T*, int64_t);                 \
  template void fill_geometric(Generator&, T*, int64_t, double);           \
  template void fill_bernoulli(Generator&, T*, int64_t, double);           \
  template void fill_bernoulli(Generator&, T*, int64_t, const float*);     \
  template void fill_bernoulli(Generator&, T*, int64_t, const double*);
TG_FORALL_DTYPES(TAPEGRAD_FILLS)
#undef TAPEGRAD_FILLS

}  // namespace tapegrad
