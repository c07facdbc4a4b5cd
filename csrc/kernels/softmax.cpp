// Softmax and its relatives. A row is read three times at most, out of the cache after the first; the largest
// element is subtracted first, so that nothing overflows.
#include "kernels/extremes.h"
#include "kernels/registration.h"
#include "kernels/transpose.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class T>
struct Softmax {
  using V = Vec<T>;
  static constexpr int W = V::size;
  static constexpr T kLowest = -Format<T>::infinity;
  // Rows, or vectors of columns, whose logarithms are taken together.
  static constexpr int kGroup = W;

  TAPEGRAD_INLINE static int lanes(int64_t left) { return left < W ? static_cast<int>(left) : W; }
  TAPEGRAD_INLINE static T add_up(V v) {
    return reduce(v, [](V a, V b) { return a + b; });
  }
  TAPEGRAD_INLINE static V zero_beyond(V v, int n) { return n == W ? v : where(V::iota() < T(n), v, 0); }
  /// An infinite maximum cannot be subtracted: infinity - infinity is no number.
  TAPEGRAD_INLINE static V finite_or_zero(V v) { return where(isfinite(v), v, 0); }

  /// exp(d) for d <= 0, or 0 where that would be a denormal number: those take a processor a hundred times as
  /// long.
  TAPEGRAD_INLINE static V exp_or_zero(V d) {
    constexpr T kSmallest = sizeof(T) == 4 ? -87 : -708;
    return where(d < kSmallest, 0, exp(where(d < kSmallest, kSmallest, d)));
  }

  TAPEGRAD_INLINE static T largest(const T* x, int64_t n) {
    V best(kLowest), second(kLowest);
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
      best = maximum(best, V::load(x + i));
      second = maximum(second, V::load(x + i + W));
    }
    for (; i < n; i += W) best = maximum(best, V::load_partial(x + i, lanes(n - i), kLowest));
    return reduce(maximum(best, second), [](V a, V b) { return maximum(a, b); });
  }
  /// The sum of exp(x - shift), each term handed to `keep`.
  template <class Keep>
  TAPEGRAD_INLINE static T sum_exp(const T* x, int64_t n, V shift, Keep keep) {
    V total(0), second(0);
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
      const V a = exp_or_zero(V::load(x + i) - shift), b = exp_or_zero(V::load(x + i + W) - shift);
      keep(i, a, W);
      keep(i + W, b, W);
      total += a;
      second += b;
    }
    for (; i < n; i += W) {
      const int count = lanes(n - i);
      const V e = exp_or_zero(V::load_partial(x + i, count, kLowest) - shift);
      keep(i, e, count);
      total += zero_beyond(e, count);
    }
    return add_up(total + second);
  }

  // Columns are taken in strips, so that each row of a strip is read as a piece of memory.
  static constexpr int kStrip = 8;  // vectors
  struct Strip {
    int vectors, last;               // last: lanes of the last vector
    V shift[kStrip], total[kStrip];  // the maximum, and the sum of exp(x - maximum)

    TAPEGRAD_INLINE int count(int k) const { return k + 1 < vectors ? W : last; }
  };
  TAPEGRAD_INLINE static Strip strip_of(int64_t columns) {
    Strip s;
    s.vectors = columns < kStrip * W ? static_cast<int>((columns + W - 1) / W) : kStrip;
    s.last = columns < kStrip * W ? static_cast<int>(columns - (s.vectors - 1) * W) : W;
    return s;
  }
  template <bool kFinite = false>
  TAPEGRAD_INLINE static void measure(Strip& s, const T* x, int64_t n, int64_t stride) {
    for (int k = 0; k < s.vectors; ++k) {
      s.shift[k] = V(kLowest);
      s.total[k] = V(0);
    }
    for (int64_t i = 0; i < n; ++i)
      for (int k = 0; k < s.vectors; ++k)
        s.shift[k] = maximum(s.shift[k], V::load_partial(x + i * stride + k * W, s.count(k)));
    for (int k = 0; kFinite && k < s.vectors; ++k) s.shift[k] = finite_or_zero(s.shift[k]);
    for (int64_t i = 0; i < n; ++i)
      for (int k = 0; k < s.vectors; ++k)
        s.total[k] += exp_or_zero(V::load_partial(x + i * stride + k * W, s.count(k)) - s.shift[k]);
  }
  /// Calls f(offset of x, offset of a result without n, strip) for each strip of columns.
  template <class F>
  TAPEGRAD_INLINE static void for_strips(int64_t outer, int64_t n, int64_t inner, F f) {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t c = 0; c < inner; c += kStrip * W)
        f(o * n * inner + c, o * inner + c, strip_of(inner - c));
  }
  /// Calls f(position, vector of the strip, lanes) for all elements of a strip.
  template <class F>
  TAPEGRAD_INLINE static void each_of(const Strip& s, int64_t at, int64_t n, int64_t inner, F f) {
    for (int64_t i = at; i < at + n * inner; i += inner)
      for (int k = 0; k < s.vectors; ++k) f(i + k * W, k, s.count(k));
  }

  static void softmax_row(const T* x, T* y, int64_t n) {
    const V shift(largest(x, n));
    const T total = sum_exp(x, n, shift, [&](int64_t i, V e, int count) { e.store_partial(y + i, count); });
    const V factor(1 / total);
    for (int64_t i = 0; i < n; i += W) {
      const int count = lanes(n - i);
      (V::load_partial(y + i, count) * factor).store_partial(y + i, count);
    }
  }

  /// Rows up to this length are laid side by side, a row to a lane: most of a vector of one of them is empty.
  static constexpr int64_t kNarrow = W;

  /// Maxima and logarithms of the sums of up to kGroup rows; kFinite keeps infinite maxima from being
  /// subtracted.
  template <bool kFinite>
  TAPEGRAD_INLINE static void row_group(const T* x, int64_t rows, int64_t n, T* shifts, T* logs) {
    if (n <= kNarrow) {
      T columns[kNarrow * W];
      copy_transposed<typename V::RawT>(n, rows, x, n, columns, W);
      Strip s{1, W, {}, {}};
      measure<kFinite>(s, columns, n, W);
      s.shift[0].store(shifts);
      log(s.total[0]).store(logs);
      return;
    }
    for (int64_t r = 0; r < rows; ++r) shifts[r] = largest(x + r * n, n);
    if (kFinite) finite_or_zero(V::load(shifts)).store(shifts);
    for (int64_t r = 0; r < rows; ++r) logs[r] = sum_exp(x + r * n, n, V(shifts[r]), [](int64_t, V, int) {});
    log(V::load(logs)).store(logs);
  }
  static void log_softmax_rows(const T* x, T* y, int64_t outer, int64_t n) {
    T shifts[kGroup] = {}, logs[kGroup] = {};
    for (int64_t o = 0; o < outer; o += kGroup) {
      const int64_t rows = outer - o < kGroup ? outer - o : kGroup;
      row_group<false>(x + o * n, rows, n, shifts, logs);
      for (int64_t r = 0; r < rows; ++r) {
        const V shift(shifts[r]), log_total(logs[r]);
        const T* row = x + (o + r) * n;
        T* target = y + (o + r) * n;
        for (int64_t i = 0; i < n; i += W) {
          const int count = lanes(n - i);
          (V::load_partial(row + i, count) - shift - log_total).store_partial(target + i, count);
        }
      }
    }
  }
  static void logsumexp_rows(const T* x, T* y, int64_t outer, int64_t n) {
    T shifts[kGroup] = {}, logs[kGroup] = {};
    for (int64_t o = 0; o < outer; o += kGroup) {
      const int64_t rows = outer - o < kGroup ? outer - o : kGroup;
      row_group<true>(x + o * n, rows, n, shifts, logs);
      (V::load(shifts) + V::load(logs)).store_partial(y + o, static_cast<int>(rows));
    }
  }

  static void softmax(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
    const auto* x = static_cast<const T*>(in);
    auto* y = static_cast<T*>(out);
    if (inner == 1) {
      for (int64_t o = 0; o < outer; ++o) softmax_row(x + o * n, y + o * n, n);
      return;
    }
    for_strips(outer, n, inner, [&](int64_t at, int64_t, Strip s) {
      measure(s, x + at, n, inner);
      for (int k = 0; k < s.vectors; ++k) s.total[k] = 1 / s.total[k];
      each_of(s, at, n, inner, [&](int64_t i, int k, int count) {
        (exp_or_zero(V::load_partial(x + i, count) - s.shift[k]) * s.total[k]).store_partial(y + i, count);
      });
    });
  }
  static void log_softmax(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
    const auto* x = static_cast<const T*>(in);
    auto* y = static_cast<T*>(out);
    if (inner == 1) return log_softmax_rows(x, y, outer, n);
    for_strips(outer, n, inner, [&](int64_t at, int64_t, Strip s) {
      measure(s, x + at, n, inner);
      for (int k = 0; k < s.vectors; ++k) s.total[k] = log(s.total[k]);
      each_of(s, at, n, inner, [&](int64_t i, int k, int count) {
        (V::load_partial(x + i, count) - s.shift[k] - s.total[k]).store_partial(y + i, count);
      });
    });
  }
  static void logsumexp(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
    const auto* x = static_cast<const T*>(in);
    auto* y = static_cast<T*>(out);
    if (inner == 1) return logsumexp_rows(x, y, outer, n);
    for_strips(outer, n, inner, [&](int64_t at, int64_t result, Strip s) {
      measure<true>(s, x + at, n, inner);
      for (int k = 0; k < s.vectors; ++k)
        (s.shift[k] + log(s.total[k])).store_partial(y + result + k * W, s.count(k));
    });
  }

  /// The gradient from the sum of `term(g, y)` along n: combine(g, y, sum).
  template <class Term, class Combine>
  TAPEGRAD_INLINE static void backward(const void* gradient, const void* output, void* result, int64_t outer,
                                       int64_t n, int64_t inner, Term term, Combine combine) {
    const auto* g = static_cast<const T*>(gradient);
    const auto* y = static_cast<const T*>(output);
    auto* dx = static_cast<T*>(result);
    if (inner == 1) {
      for (int64_t o = 0; o < outer; ++o, g += n, y += n, dx += n) {
        V total(0);
        for (int64_t i = 0; i < n; i += W) {
          const int count = lanes(n - i);
          total += zero_beyond(term(V::load_partial(g + i, count), V::load_partial(y + i, count)), count);
        }
        const V sum(add_up(total));
        for (int64_t i = 0; i < n; i += W) {
          const int count = lanes(n - i);
          combine(V::load_partial(g + i, count), V::load_partial(y + i, count), sum)
              .store_partial(dx + i, count);
        }
      }
      return;
    }
    for_strips(outer, n, inner, [&](int64_t at, int64_t, Strip s) {
      for (int k = 0; k < s.vectors; ++k) s.total[k] = V(0);
      each_of(s, at, n, inner, [&](int64_t i, int k, int count) {
        s.total[k] += term(V::load_partial(g + i, count), V::load_partial(y + i, count));
      });
      each_of(s, at, n, inner, [&](int64_t i, int k, int count) {
        combine(V::load_partial(g + i, count), V::load_partial(y + i, count), s.total[k])
            .store_partial(dx + i, count);
      });
    });
  }
  static void softmax_backward(const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                               int64_t inner) {
    backward(
        g, y, dx, outer, n, inner, [](V g, V y) { return g * y; },
        [](V g, V y, V total) { return y * (g - total); });
  }
  static void log_softmax_backward(const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                                   int64_t inner) {
    backward(
        g, y, dx, outer, n, inner, [](V g, V) { return g; },
        [](V g, V y, V total) { return g - exp(y) * total; });
  }

  static void scaled_exp(const void* in, const void* shift, const void* scale, void* out, int64_t outer,
                         int64_t n, int64_t inner) {
    const auto* x = static_cast<const T*>(in);
    const auto* shifts = static_cast<const T*>(shift);
    const auto* scales = static_cast<const T*>(scale);
    auto* y = static_cast<T*>(out);
    if (inner == 1) {
      for (int64_t o = 0; o < outer; ++o, x += n, y += n)
        for (int64_t i = 0; i < n; i += W) {
          const int count = lanes(n - i);
          (exp_or_zero(V::load_partial(x + i, count) - V(shifts[o])) * V(scales[o]))
              .store_partial(y + i, count);
        }
      return;
    }
    for_strips(outer, n, inner, [&](int64_t at, int64_t result, Strip s) {
      for (int k = 0; k < s.vectors; ++k) {
        s.shift[k] = V::load_partial(shifts + result + k * W, s.count(k));
        s.total[k] = V::load_partial(scales + result + k * W, s.count(k));
      }
      each_of(s, at, n, inner, [&](int64_t i, int k, int count) {
        (exp_or_zero(V::load_partial(x + i, count) - s.shift[k]) * s.total[k]).store_partial(y + i, count);
      });
    });
  }

  static void register_all(SoftmaxKernels& table, int type) {
    table.softmax[type] = softmax;
    table.log_softmax[type] = log_softmax;
    table.logsumexp[type] = logsumexp;
    table.softmax_backward[type] = softmax_backward;
    table.log_softmax_backward[type] = log_softmax_backward;
    table.scaled_exp[type] = scaled_exp;
  }
};

}  // namespace

void register_softmax(SoftmaxKernels& table) {
  Softmax<float>::register_all(table, 0);
  Softmax<double>::register_all(table, 1);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
