#include "kernels/registration.h"
#include "kernels/vec_math.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class T>
struct Norm {
  using V = Vec<T>;
  static constexpr int W = V::size;

  TAPEGRAD_INLINE static int lanes(int64_t left) { return left < W ? static_cast<int>(left) : W; }
  TAPEGRAD_INLINE static T add_up(V v) {
    return reduce(v, [](V a, V b) { return a + b; });
  }
  TAPEGRAD_INLINE static V keep(V v, int n) { return n == W ? v : where(V::iota() < T(n), v, 0); }

  /// The sum of term(i, lanes) over i = 0, W, 2 W, ... in four streams; lanes beyond the end count nothing.
  template <class Term>
  TAPEGRAD_INLINE static T sum(int64_t n, Term term) {
    V total[4] = {V(0), V(0), V(0), V(0)};
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
      for (int u = 0; u < 4; ++u) total[u] += term(i + u * W, W);
    for (; i < n; i += W) total[0] += keep(term(i, lanes(n - i)), lanes(n - i));
    return add_up((total[0] + total[1]) + (total[2] + total[3]));
  }
  template <class Body>
  TAPEGRAD_INLINE static void each(int64_t n, Body body) {
    int64_t i = 0;
    for (; i + W <= n; i += W) body(i, W);
    if (i < n) body(i, static_cast<int>(n - i));
  }
  TAPEGRAD_INLINE static V at(const T* p, int64_t i, int n, T rest) {
    return p ? V::load_partial(p + i, n) : V(rest);
  }

  template <bool kCentered>
  static void rows_of(const T* x, const T* weight, const T* bias, T* y, T* means, T* rstds, double eps,
                      int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
      const T mean = kCentered
                         ? sum(n, [&](int64_t i, int count) { return V::load_partial(x + i, count); }) / T(n)
                         : T(0);
      const V center(mean);
      const T squares = sum(n, [&](int64_t i, int count) {
        const V d = V::load_partial(x + i, count) - center;
        return d * d;
      });
      const T rstd = (1 / sqrt(V(T(double(squares) / double(n) + eps))))[0];
      if (kCentered) means[r] = mean;
      rstds[r] = rstd;
      const V scale(rstd);
      each(n, [&](int64_t i, int count) {
        const V normal = (V::load_partial(x + i, count) - center) * scale;
        fma(normal, at(weight, i, count, 1), at(bias, i, count, 0)).store_partial(y + i, count);
      });
    }
  }
  static void rows(const void* x, const void* weight, const void* bias, void* y, void* mean, void* rstd,
                   bool centered, double eps, int64_t count, int64_t n) {
    (centered ? rows_of<true> : rows_of<false>)(static_cast<const T*>(x), static_cast<const T*>(weight),
                                                static_cast<const T*>(bias), static_cast<T*>(y),
                                                static_cast<T*>(mean), static_cast<T*>(rstd), eps, count, n);
  }

  // With z = (x - mean) rstd and h = g weight: dx = rstd (h - mean(h) - z mean(h z)); without centre the
  // middle term is missing (J. L. Ba et al., "Layer normalization", 2016).
  static void rows_backward(const void* gradient, const void* input, const void* scale, const void* means,
                            const void* rstds, void* result, void* dweight, void* dbias, int64_t count,
                            int64_t n) {
    const auto* g = static_cast<const T*>(gradient);
    const auto* x = static_cast<const T*>(input);
    const auto* weight = static_cast<const T*>(scale);
    const auto* mean = static_cast<const T*>(means);
    const auto* rstd = static_cast<const T*>(rstds);
    auto* dx = static_cast<T*>(result);
    auto* dw = static_cast<T*>(dweight);
    auto* db = static_cast<T*>(dbias);
    for (int64_t i = 0; i < n; ++i) {
      if (dw) dw[i] = 0;
      if (db) db[i] = 0;
    }
    for (int64_t r = 0; r < count; ++r, g += n, x += n, dx += n) {
      const V center(mean ? mean[r] : T(0)), inverse(rstd[r]);
      const auto h = [&](int64_t i, int c) __attribute__((always_inline)) {
        return V::load_partial(g + i, c) * at(weight, i, c, 1);
      };
      const auto z = [&](int64_t i, int c) __attribute__((always_inline)) {
        return (V::load_partial(x + i, c) - center) * inverse;
      };
      const V mean_h(mean ? sum(n, h) / T(n) : T(0));
      const V mean_hz(
          sum(n, [&](int64_t i, int c) __attribute__((always_inline)) { return h(i, c) * z(i, c); }) / T(n));
      each(n, [&](int64_t i, int c) {
        const V normal = z(i, c);
        if (dw) fma(V::load_partial(g + i, c), normal, V::load_partial(dw + i, c)).store_partial(dw + i, c);
        if (db) (V::load_partial(db + i, c) + V::load_partial(g + i, c)).store_partial(db + i, c);
        ((h(i, c) - mean_h - normal * mean_hz) * inverse).store_partial(dx + i, c);
      });
    }
  }

  /// Calls body(element, channel, lanes, one_channel) for vectors that lie in one channel, or that run across
  /// channels when inner == 1.
  template <class Body>
  TAPEGRAD_INLINE static void for_channels(int64_t outer, int64_t channels, int64_t inner, Body body) {
    if (inner == 1) {
      for (int64_t o = 0; o < outer; ++o)
        each(channels, [&](int64_t c, int n) {
          body(o * channels + c, n, [&](const T* p) { return V::load_partial(p + c, n); });
        });
      return;
    }
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t start = (o * channels + c) * inner;
        each(inner, [&](int64_t i, int n) { body(start + i, n, [&](const T* p) { return V(p[c]); }); });
      }
  }
  static void channel_affine(const void* in, const void* scale, const void* shift, void* out, int64_t outer,
                             int64_t channels, int64_t inner) {
    const auto* x = static_cast<const T*>(in);
    const auto* a = static_cast<const T*>(scale);
    const auto* b = static_cast<const T*>(shift);
    auto* y = static_cast<T*>(out);
    for_channels(outer, channels, inner, [&](int64_t i, int n, auto of_channel) {
      fma(V::load_partial(x + i, n), of_channel(a), of_channel(b)).store_partial(y + i, n);
    });
  }
  static void channel_affine2(const void* gradient, const void* in, const void* scale_g, const void* scale_x,
                              const void* shift, void* out, int64_t outer, int64_t channels, int64_t inner) {
    const auto* g = static_cast<const T*>(gradient);
    const auto* x = static_cast<const T*>(in);
    const auto* a = static_cast<const T*>(scale_g);
    const auto* b = static_cast<const T*>(scale_x);
    const auto* d = static_cast<const T*>(shift);
    auto* dx = static_cast<T*>(out);
    for_channels(outer, channels, inner, [&](int64_t i, int n, auto of_channel) {
      fma(V::load_partial(g + i, n), of_channel(a),
          fma(V::load_partial(x + i, n), of_channel(b), of_channel(d)))
          .store_partial(dx + i, n);
    });
  }
  static void channel_sums(const void* gradient, const void* in, const void* means, void* sums, void* dots,
                           int64_t outer, int64_t channels, int64_t inner) {
    const auto* g = static_cast<const T*>(gradient);
    const auto* x = static_cast<const T*>(in);
    const auto* mean = static_cast<const T*>(means);
    auto* total = static_cast<T*>(sums);
    auto* dot = static_cast<T*>(dots);
    for (int64_t o = 0; o < outer; ++o, g += channels * inner, x += channels * inner) {
      if (inner == 1) {
        each(channels, [&](int64_t c, int n) {
          const V value = V::load_partial(g + c, n),
                  d = V::load_partial(x + c, n) - V::load_partial(mean + c, n);
          (V::load_partial(total + c, n) + value).store_partial(total + c, n);
          fma(value, d, V::load_partial(dot + c, n)).store_partial(dot + c, n);
        });
        continue;
      }
      for (int64_t c = 0; c < channels; ++c) {
        const T *gc = g + c * inner, *xc = x + c * inner;
        const V center(mean[c]);
        total[c] += sum(inner, [&](int64_t i, int n) { return V::load_partial(gc + i, n); });
        dot[c] += sum(inner, [&](int64_t i, int n) {
          return V::load_partial(gc + i, n) * (V::load_partial(xc + i, n) - center);
        });
      }
    }
  }

  static void register_all(NormKernels& table, int type) {
    table.rows[type] = rows;
    table.rows_backward[type] = rows_backward;
    table.channel_affine[type] = channel_affine;
    table.channel_affine2[type] = channel_affine2;
    table.channel_sums[type] = channel_sums;
  }
};

}  // namespace

void register_norms(NormKernels& table) {
  Norm<float>::register_all(table, 0);
  Norm<double>::register_all(table, 1);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
