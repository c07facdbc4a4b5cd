// Sums and their like. Rows are added by several vector accumulators at two levels, columns in blocks of
// rows, so that rounding errors grow with a small fraction of the count (N. Higham, "The accuracy of floating
// point summation", 1993).
#include "kernels/extremes.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

constexpr int kStreams = 4;    // independent accumulators
constexpr int kRowBlock = 16;  // rows or steps added before the next level

// Integers are accumulated in 64 bits, unsigned so that overflow wraps.
template <class T>
struct Wide {
  using type = uint64_t;
};
template <Floating T>
struct Wide<T> {
  using type = T;
};

struct Sum {
  template <class T>
  using Accumulator = typename Wide<T>::type;
  template <class A>
  static constexpr A identity = A(0);
  static constexpr bool centered = false;
  static auto map(auto x, auto) { return x; }
  static auto combine(auto a, auto b) { return a + b; }
};
struct Prod : Sum {
  template <class A>
  static constexpr A identity = A(1);
  static auto combine(auto a, auto b) { return a * b; }
};
struct Max : Sum {
  template <class T>
  using Accumulator = T;
  template <class A>
  static constexpr A identity = Limits<A>::lowest;
  static auto combine(auto a, auto b) { return larger(a, b); }
};
struct Min : Max {
  template <class A>
  static constexpr A identity = Limits<A>::highest;
  static auto combine(auto a, auto b) { return smaller(a, b); }
};
struct SumSquares : Sum {
  static auto map(auto x, auto) { return x * x; }
};
struct SquaredDeviation : Sum {
  static constexpr bool centered = true;
  static auto map(auto x, auto center) { return (x - center) * (x - center); }
};

template <class Op, class T>
struct Reducer {
  using A = typename Op::template Accumulator<T>;
  using V = Vec<A>;
  static constexpr int W = V::size;
  static constexpr A identity = Op::template identity<A>;
  // What may be read in place of an element that is not there, when there is no center.
  static constexpr A neutral = Op::centered ? A(0) : identity;

  TAPEGRAD_INLINE static V load(const T* p) {
    if constexpr (__is_same(T, A))
      return V::load(p);
    else
      return load_convert<A>(p);
  }
  /// n <= W elements and the identity for the rest.
  TAPEGRAD_INLINE static V load_mapped(const T* p, int n, V center) {
    V x;
    if (n == W) {
      x = load(p);
    } else if constexpr (__is_same(T, A)) {
      x = Op::centered ? where(V::iota() < A(n), V::load_partial(p, n, A(0)), center)
                       : V::load_partial(p, n, neutral);
    } else {
      A lanes[W];
      for (int i = 0; i < W; ++i) lanes[i] = i < n ? A(p[i]) : neutral;
      x = V::load(lanes);
    }
    return Op::map(x, center);
  }
  TAPEGRAD_INLINE static const A* center_at(const A* center, int64_t i) {
    return Op::centered ? center + i : nullptr;
  }
  TAPEGRAD_INLINE static V combine(V a, V b) { return Op::combine(a, b); }
  TAPEGRAD_INLINE static A combine(A a, A b) { return Op::combine(a, b); }

  [[gnu::noinline]] static A row(const T* p, int64_t n, A center) {
    if (n < W) {
      A total = identity;
      for (int64_t i = 0; i < n; ++i) total = combine(total, A(Op::map(A(p[i]), center)));
      return total;
    }
    const V centers(center);
    V total[kStreams];
    for (V& t : total) t = V(identity);
    constexpr int64_t kStep = kStreams * W;
    int64_t i = 0;
    while (i + kStep <= n) {
      const int64_t block_end = n - i < kRowBlock * kStep ? n : i + kRowBlock * kStep;
      V block[kStreams];
      for (int u = 0; u < kStreams; ++u) block[u] = Op::map(load(p + i + u * W), centers);
      for (i += kStep; i + kStep <= block_end; i += kStep)
        for (int u = 0; u < kStreams; ++u)
          block[u] = combine(block[u], Op::map(load(p + i + u * W), centers));
      for (int u = 0; u < kStreams; ++u) total[u] = combine(total[u], block[u]);
    }
    for (int u = 0; i < n; ++u, i += W)
      total[u] = combine(total[u], load_mapped(p + i, n - i < W ? static_cast<int>(n - i) : W, centers));
    static_assert(kStreams == 4);
    return reduce(combine(combine(total[0], total[1]), combine(total[2], total[3])),
                  [](V a, V b) { return combine(a, b); });
  }

  /// Rows [0, n) of `width` columns, K vectors side by side.
  template <int K>
  TAPEGRAD_INLINE static void column_block(const T* p, int64_t n, int64_t stride, A* out, const A* center,
                                           int last, bool first) {
    V total[K], centers[K];
    for (int k = 0; k < K; ++k) {
      const int count = k == K - 1 ? last : W;
      centers[k] = Op::centered ? V::load_partial(center + k * W, count) : V(neutral);
      total[k] = load_mapped(p + k * W, count, centers[k]);
    }
    for (int64_t r = 1; r < n; ++r)
      for (int k = 0; k < K; ++k)
        total[k] = combine(total[k], load_mapped(p + r * stride + k * W, k == K - 1 ? last : W, centers[k]));
    for (int k = 0; k < K; ++k) {
      const int count = k == K - 1 ? last : W;
      if (!first) total[k] = combine(V::load_partial(out + k * W, count), total[k]);
      total[k].store_partial(out + k * W, count);
    }
  }
  [[gnu::noinline]] static void columns(const T* p, int64_t n, int64_t width, int64_t stride, A* out,
                                        const A* center) {
    constexpr int K = 4;
    for (int64_t r = 0; r < n; r += kRowBlock) {
      const int64_t rows = n - r < kRowBlock ? n - r : kRowBlock;
      const T* block = p + r * stride;
      int64_t c = 0;
      for (; c + K * W <= width; c += K * W)
        column_block<K>(block + c, rows, stride, out + c, center_at(center, c), W, r == 0);
      for (; c < width; c += W)
        column_block<1>(block + c, rows, stride, out + c, center_at(center, c),
                        width - c < W ? static_cast<int>(width - c) : W, r == 0);
    }
  }

  /// Columns narrower than a vector: W rows are taken as one, and its W groups are combined at the end.
  static void narrow_columns(const T* p, int64_t n, int64_t width, A* out, const A* center) {
    A wide[W * W], centers[Op::centered ? W * W : 1] = {};
    const int64_t whole = n / W;
    for (int64_t i = 0; Op::centered && i < W * width; ++i) centers[i] = center[i % width];
    columns(p, whole, W * width, W * width, wide, centers);
    for (int64_t c = 0; c < width; ++c) {
      A total = wide[c];
      for (int64_t g = 1; g < W; ++g) total = combine(total, wide[g * width + c]);
      for (int64_t r = whole * W; r < n; ++r)
        total = combine(total, A(Op::map(A(p[r * width + c]), Op::centered ? center[c] : A(0))));
      out[c] = total;
    }
  }

  static void run(const ReduceBlock& b, const void* in, void* out, const void* center) {
    const auto* p = static_cast<const T*>(in);
    auto* result = static_cast<A*>(out);
    for (int64_t o = 0; o < b.outer; ++o, p += b.n * b.row_stride, result += b.inner) {
      const A* centers = center_at(static_cast<const A*>(center), o * b.inner);
      if (b.n == 0)
        for (int64_t c = 0; c < b.inner; ++c) result[c] = identity;
      else if (b.inner == 1 && b.row_stride == 1)
        *result = row(p, b.n, Op::centered ? *centers : A(0));
      else if (b.inner < W && b.row_stride == b.inner && b.n >= W)
        narrow_columns(p, b.n, b.inner, result, centers);
      else
        columns(p, b.n, b.inner, b.row_stride, result, centers);
    }
  }
};

template <class Op>
void register_reduction(ReduceKernel* row) {
  int type = 0;
#define TG_REGISTER(T, NAME) row[type++] = Reducer<Op, typename Stored<T>::type>::run;
  TG_FORALL_DTYPES(TG_REGISTER)
#undef TG_REGISTER
}
template <class Op>
void register_floating(ReduceKernel* row) {
  row[kDTypeCount - 2] = Reducer<Op, float>::run;
  row[kDTypeCount - 1] = Reducer<Op, double>::run;
}

}  // namespace

void register_reductions(ReduceKernels& table) {
  register_reduction<Sum>(table.fn[static_cast<int>(ReduceOp::sum)]);
  register_reduction<Prod>(table.fn[static_cast<int>(ReduceOp::prod)]);
  register_reduction<Max>(table.fn[static_cast<int>(ReduceOp::max)]);
  register_reduction<Min>(table.fn[static_cast<int>(ReduceOp::min)]);
  register_floating<SumSquares>(table.fn[static_cast<int>(ReduceOp::sum_squares)]);
  register_floating<SquaredDeviation>(table.fn[static_cast<int>(ReduceOp::squared_deviation)]);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
