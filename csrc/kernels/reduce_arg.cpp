// Largest and smallest elements with their positions.
#include "kernels/extremes.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <bool kLargest, class T>
struct ArgReducer {
  using V = Vec<T>;
  static constexpr int W = V::size;

  template <class X>
  TAPEGRAD_INLINE static X better(X a, X b) {
    if constexpr (kLargest)
      return larger(a, b);
    else
      return smaller(a, b);
  }
  /// Whether x must replace the best so far; the first of equals stays, NaN beats numbers.
  TAPEGRAD_INLINE static bool replaces(T x, T best) {
    return (kLargest ? x > best : x < best) || (x != x && best == best);
  }

  static T best_of(const T* p, int64_t n) {
    if (n < 4 * W) {
      T best = p[0];
      for (int64_t i = 1; i < n; ++i) best = better(best, p[i]);
      return best;
    }
    V best[4];
    for (int u = 0; u < 4; ++u) best[u] = V::load(p + u * W);
    for (int64_t i = 4 * W; i < n; i += 4 * W) {
      if (i + 4 * W > n) i = n - 4 * W;  // again some that were seen
      for (int u = 0; u < 4; ++u) best[u] = better(best[u], V::load(p + i + u * W));
    }
    return reduce(better(better(best[0], best[1]), better(best[2], best[3])),
                  [](V a, V b) { return better(a, b); });
  }
  static int64_t find(const T* p, int64_t n, T value) {
    const bool is_nan = value != value;
    int64_t i = 0;
    for (; i + W <= n; i += W) {
      const V x = V::load(p + i);
      if (any(is_nan ? x != x : x == V(value))) break;
    }
    while (i < n - 1 && !(is_nan ? p[i] != p[i] : p[i] == value)) ++i;
    return i;
  }
  static void row(const T* p, int64_t n, T* best, int64_t* position) {
    constexpr int64_t kPiece = 2048;  // only the piece that holds the best one is searched again
    int64_t start = 0;
    for (int64_t i = 0; i < n; i += kPiece) {
      const T candidate = best_of(p + i, n - i < kPiece ? n - i : kPiece);
      if (i > 0 && !replaces(candidate, *best)) continue;
      *best = candidate;
      start = i;
    }
    *position = start + find(p + start, n - start < kPiece ? n - start : kPiece, *best);
  }

  /// Positions are counted in integers of the size of the elements: fewer than 2^31 rows.
  static void columns(const T* p, const ReduceBlock& b, T* best, int64_t* positions) {
    using I = SignedBits<T>;
    for (int64_t c = 0; c < b.inner; c += W) {
      const int count = b.inner - c < W ? static_cast<int>(b.inner - c) : W;
      V value = V::load_partial(p + c, count);
      Vec<I> position(0);
      for (int64_t r = 1; r < b.n; ++r) {
        const V x = V::load_partial(p + r * b.row_stride + c, count);
        auto takes = kLargest ? x > value : x < value;
        if constexpr (Floating<T>) takes = takes | (isnan(x) & !isnan(value));
        value = where(takes, x, value);
        position = where(takes, Vec<I>(static_cast<I>(r)), position);
      }
      value.store_partial(best + c, count);
      store_convert(position, positions + c, count);
    }
  }
  static void columns_one_by_one(const T* p, const ReduceBlock& b, T* best, int64_t* positions) {
    for (int64_t c = 0; c < b.inner; ++c) {
      best[c] = p[c];
      positions[c] = 0;
    }
    for (int64_t r = 1; r < b.n; ++r) {
      const T* line = p + r * b.row_stride;
      for (int64_t c = 0; c < b.inner; ++c) {
        const bool takes = replaces(line[c], best[c]);
        best[c] = takes ? line[c] : best[c];
        positions[c] = takes ? r : positions[c];
      }
    }
  }

  static void run(const ReduceBlock& b, const void* in, void* out, int64_t* positions) {
    const auto* p = static_cast<const T*>(in);
    auto* best = static_cast<T*>(out);
    for (int64_t o = 0; o < b.outer; ++o, p += b.n * b.row_stride, best += b.inner, positions += b.inner) {
      if (b.inner == 1 && b.row_stride == 1) {
        row(p, b.n, best, positions);
        continue;
      }
      if constexpr (sizeof(T) >= 4)
        columns(p, b, best, positions);
      else
        columns_one_by_one(p, b, best, positions);
    }
  }
};

}  // namespace

void register_arg_reductions(ReduceKernels& table) {
  int type = 0;
#define TG_REGISTER(T, NAME)                                            \
  table.argmax[type] = ArgReducer<true, typename Stored<T>::type>::run; \
  table.argmin[type++] = ArgReducer<false, typename Stored<T>::type>::run;
  TG_FORALL_DTYPES(TG_REGISTER)
#undef TG_REGISTER
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
