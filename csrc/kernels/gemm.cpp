// Matrix products by register tiles (Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication", 2008).
//
// One tile kernel serves every case. It broadcasts elements of A, so A may have any strides, and loads
// vectors of B, whose rows must be contiguous: B is used in place when it is so and small, and copied into
// panels otherwise. Narrow products whose operands are both contiguous along k are made of dot products
// instead.
#include "kernels/gemm.h"

#include "kernels/gemm_pack.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {
namespace {

// Without cheap masks B is copied, padded to whole vectors, if its width is not a multiple of theirs.
#if defined(TAPEGRAD_AVX512)
constexpr bool kMaskedLoads = true;
#else
constexpr bool kMaskedLoads = false;
#endif

// What happens to a tile of the product A B on its way into C.
template <class T>
struct Output {
  T* c;
  int64_t row;
  T alpha, beta;
  const T* bias;      // one for each column, or null
  const T* row_bias;  // one for each row, or null
  bool far;           // C does not fit the first cache

  Output at(int64_t i, int64_t j) const {
    return {
        c + i * row + j, row, alpha, beta, bias ? bias + j : nullptr, row_bias ? row_bias + i : nullptr, far};
  }
};

template <int MR>
struct Rowcount {};

/// One tile of C, MR rows from `top` on and NV vectors from column `left` on, the last of which has `lanes`
/// columns: c[i][j] = sum over k of a[i][k] b[k][j]. (The place is told by numbers and not by a shifted copy
/// of `out`: reading what was written a moment ago in smaller parts waits until it has reached the cache.)
template <class T, int MR, int NV, bool Tail>
[[gnu::noinline]] void tile(int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t b_row,
                            const Output<T>& out, int64_t top, int64_t left, int lanes) {
  using Raw = typename Vec<T>::RawT;
  constexpr int W = Vec<T>::size;
  const auto load = [lanes](const T* p, int j) __attribute__((always_inline)) {
    Raw r = {};
    if (Tail && j == NV - 1)
      load_partial_raw(r, p + j * W, lanes);
    else
      r = Vec<T>::load(p + j * W).raw;
    return r;
  };
  T* const c = out.c + top * out.row + left;
  Raw acc[MR][NV] = {};
  const auto accumulate = [&](int64_t steps) __attribute__((always_inline)) {
    for (; steps > 0; --steps) {
      Raw row[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) row[j] = kMaskedLoads ? load(b, j) : Vec<T>::load(b + j * W).raw;
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const Raw x = Vec<T>(a[i * a_row]).raw;
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = arch::fma(x, row[j], acc[i][j]);
      }
      a += a_col;
      b += b_row;
    }
  };
  const auto fetch_row = [&](int i) __attribute__((always_inline)) {
    for (int j = 0; j < NV; ++j) __builtin_prefetch(c + i * out.row + j * W, 1);
  };
  // C is needed last; when it is far away, it is fetched before, row by row if there is time.
  int fetched = 0;
  if constexpr (MR == kTileRows) {
    constexpr int64_t kSteps = 16;
    if (out.far && k >= 2 * MR * kSteps) {
      for (; fetched < MR; ++fetched) {
        fetch_row(fetched);
        accumulate(kSteps);
      }
      k -= MR * kSteps;
    }
  }
  if (out.far)
    for (; fetched < MR; ++fetched) fetch_row(fetched);
  accumulate(k);
  const auto each = [&](auto change) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) change(acc[i][j], i, j);
    }
  };
  if (out.alpha != T(1)) {
    const Raw alpha = Vec<T>(out.alpha).raw;
    each([&](Raw& sum, int, int) __attribute__((always_inline)) { sum = alpha * sum; });
  }
  if (out.bias) {
    Raw bias[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) bias[j] = load(out.bias + left, j);
    each([&](Raw& sum, int, int j) __attribute__((always_inline)) { sum += bias[j]; });
  }
  if (out.row_bias)
    each([&](Raw& sum, int i, int)
             __attribute__((always_inline)) { sum += Vec<T>(out.row_bias[top + i]).raw; });
  if (out.beta != T(0)) {
    const Raw beta = Vec<T>(out.beta).raw;
    each([&](Raw& sum, int i, int j)
             __attribute__((always_inline)) { sum = arch::fma(beta, load(c + i * out.row, j), sum); });
  }
  each([&](Raw sum, int i, int j) __attribute__((always_inline)) {
    T* const p = c + i * out.row + j * W;
    if (Tail && j == NV - 1)
      store_partial_raw(sum, p, lanes);
    else
      Vec<T>(sum).store(p);
  });
}

/// A block of C that is one panel wide: tiles of kTileRows rows, then of 4, 2 and 1.
template <class T, int NV, bool Tail>
void column_panel(int64_t m, int64_t k, const Rows<T>& a, const T* b, int64_t b_row, const Output<T>& out,
                  int64_t left, int lanes) {
  int64_t top = 0;
  const T* rows = a.data;
  const auto run = [&]<int MR>(Rowcount<MR>, int64_t step) __attribute__((always_inline)) {
    tile<T, MR, NV, Tail>(k, rows, a.row, a.col, b, b_row, out, top, left, lanes);
    top += MR;
    rows += step;
  };
  // A narrow panel needs more rows to keep the multipliers busy.
  if constexpr (NV == 1) {
    if (a.next_group == kTileRows * a.row)
      while (m - top >= 2 * kTileRows) run(Rowcount<2 * kTileRows>{}, 2 * a.next_group);
  }
  while (m - top >= kTileRows) run(Rowcount<kTileRows>{}, a.next_group);
  if (kTileRows > 4 && m - top >= 4) run(Rowcount<4>{}, 4 * a.row);
  if (m - top >= 2) run(Rowcount<2>{}, 2 * a.row);
  if (m - top >= 1) run(Rowcount<1>{}, a.row);
}

/// One panel of C from column `left` on, at most kTileVecs vectors wide.
template <class T>
void run_panel(int64_t m, int64_t width, int64_t k, const Rows<T>& a, const T* b, int64_t b_row,
               const Output<T>& out, int64_t left) {
  using Function =
      void (*)(int64_t, int64_t, const Rows<T>&, const T*, int64_t, const Output<T>&, int64_t, int);
  static constexpr Function functions[2][kTileVecs] = {
      {column_panel<T, 1, false>, column_panel<T, 2, false>, column_panel<T, 3, false>},
      {column_panel<T, 1, true>, column_panel<T, 2, true>, column_panel<T, 3, true>}};
  const int lanes = int(width % Vec<T>::size);
  functions[lanes != 0][panel_vecs<T>(width) - 1](m, k, a, b, b_row, out, left, lanes);
}

// --- products whose operands are contiguous along k ---

/// A tile of MR rows and size / MR columns, each a dot product; the columns beyond n repeat the last one,
/// unstored.
template <class T, int MR>
void dot_tile(int n, int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_col, const Output<T>& out) {
  constexpr int W = Vec<T>::size;
  constexpr int NR = W / MR;
  const T* column[NR];
  for (int j = 0; j < NR; ++j) column[j] = b + (j < n ? j : n - 1) * b_col;
  typename Vec<T>::RawT acc[W] = {};
  const auto step = [&](int64_t p, int lanes) __attribute__((always_inline)) {
    typename Vec<T>::RawT x[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) x[i] = Vec<T>::load_partial(a + i * a_row + p, lanes, 0).raw;
#pragma GCC unroll 16
    for (int j = 0; j < NR; ++j) {
      const auto y = Vec<T>::load_partial(column[j] + p, lanes, 0).raw;
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) acc[i * NR + j] = arch::fma(x[i], y, acc[i * NR + j]);
    }
  };
  int64_t p = 0;
  for (; p + W <= k; p += W) step(p, W);
  if (p < k) step(p, int(k - p));
  T sums[W];
  Vec<T>(sum_each(acc)).store(sums);
  for (int i = 0; i < MR; ++i) {
    for (int j = 0; j < n && j < NR; ++j) {
      T& c = out.c[i * out.row + j];
      const T value = out.alpha * sums[i * NR + j] + (out.bias ? out.bias[j] : T(0));
      c = out.beta != T(0) ? value + out.beta * c : value;
    }
  }
}

/// Whether dot products take fewer cycles than tiles, B being copied for those unless it has contiguous rows.
template <class T>
bool prefers_dots(const Gemm<T>& g) {
  if (g.a_col != 1 || g.b_row != 1 || g.k == 0) return false;
  constexpr int64_t W = Vec<T>::size;
  const int64_t vecs = (g.n + W - 1) / W, depth = (g.k + W - 1) / W;
  const int64_t tiles = g.m * g.k * vecs + (g.b_col == 1 ? 0 : g.k * vecs * W / 2);
  const int64_t dots = g.m * g.n * (depth + depth / 4 + 10);
  return dots < tiles;
}

template <class T>
void dots(const Gemm<T>& g, const GemmBatch& batch) {
  constexpr int64_t W = Vec<T>::size;
  constexpr int64_t MR = W >= 8 ? 4 : 2;
  for (int64_t item = 0; item < batch.count; ++item) {
    const T* a = g.a + item * batch.a_step;
    const T* b = g.b + item * batch.b_step;
    const Output<T> out{g.c + item * batch.c_step, g.c_row, g.alpha, g.beta, g.bias, nullptr, false};
    int64_t i = 0;
    for (; i + MR <= g.m; i += MR)
      for (int64_t j = 0; j < g.n; j += W / MR)
        dot_tile<T, MR>(int(min(g.n - j, W)), g.k, a + i * g.a_row, g.a_row, b + j * g.b_col, g.b_col,
                        out.at(i, j));
    for (; i < g.m; ++i)
      for (int64_t j = 0; j < g.n; j += W)
        dot_tile<T, 1>(int(min(g.n - j, W)), g.k, a + i * g.a_row, g.a_row, b + j * g.b_col, g.b_col,
                       out.at(i, j));
  }
}

// --- tiles, for any operands ---

/// Multiplies by kBlockK or fewer rows of B at a time, for which `block(p, k, out)` is called.
template <class T, class Block>
void for_blocks_of_k(int64_t total, const Output<T>& whole, Block block) {
  const int64_t blocks = (total + kBlockK - 1) / kBlockK;
  if (blocks < 2) return block(0, total, whole);
  Output<T> out = whole;
  const int64_t step = (total + blocks - 1) / blocks;
  for (int64_t p = 0; p < total; p += step) {
    block(p, min(total - p, step), out);
    out.beta = 1;
    out.bias = out.row_bias = nullptr;
  }
}

template <class T>
void multiply_in_place(const Gemm<T>& g, const Output<T>& whole) {
  for_blocks_of_k(g.k, whole, [&](int64_t p, int64_t k, const Output<T>& out) {
    const Rows<T> a{g.a + p * g.a_col, g.a_row, g.a_col, kTileRows * g.a_row};
    const T* b = g.b + p * g.b_row;
    for (int64_t j = 0; j < g.n;) {
      const int64_t width = panel_width<T>(g.n - j);
      run_panel<T>(g.m, width, k, a, b + j, g.b_row, out, j);
      j += width;
    }
  });
}

/// One block of rows of A times the panels of B.
template <class T>
void multiply_panels(int64_t m, int64_t n, int64_t k, const Rows<T>& a, const T* panels,
                     const Output<T>& out) {
  for (int64_t j = 0; j < n;) {
    const int64_t width = panel_width<T>(n - j), padded = round_up(width, Vec<T>::size);
    run_panel<T>(m, width, k, a, panels, padded, out, j);
    panels += k * padded;
    j += width;
  }
}

template <class T>
void multiply_copies(const Gemm<T>& g, const Output<T>& whole) {
  T* const panels = workspace<T>();
  T* const rows = panels + kBlockK * kWideBlockColumns<T>;
  // Copying A pays when it is read several times, does not stay in the second cache, and its rows have gaps.
  const bool copy_a = g.a_col != 1 && g.n > 2 * kTileVecs * Vec<T>::size && g.m > kTileRows &&
                      g.m * g.k * int64_t(sizeof(T)) > kColumnsInPlaceBytes;
  const int64_t columns = copy_a ? kWideBlockColumns<T> : kBlockColumns<T>;
  for (int64_t j = 0; j < g.n; j += columns) {
    const int64_t n = min(g.n - j, columns);
    for_blocks_of_k(g.k, whole.at(0, j), [&](int64_t p, int64_t k, const Output<T>& out) {
      pack_columns(k, n, g.b + p * g.b_row + j * g.b_col, g.b_row, g.b_col, panels);
      for (int64_t i = 0; i < g.m; i += kBlockRows) {
        const int64_t m = min(g.m - i, kBlockRows);
        const T* a = g.a + i * g.a_row + p * g.a_col;
        const Rows<T> in_place{a, g.a_row, g.a_col, kTileRows * g.a_row};
        multiply_panels(m, n, k, copy_a ? pack_rows(m, k, a, g.a_row, g.a_col, rows) : in_place, panels,
                        out.at(i, 0));
      }
    });
  }
}

/// Whether copying A and C takes less than copying B, as for a small batch times a large weight.
template <class T>
bool prefers_transposed(const Gemm<T>& g) {
  constexpr int64_t room = kBlockK * kWideBlockColumns<T>;
  return g.b_col != 1 && g.beta == T(0) && g.k * g.n > g.k * g.m + g.m * g.n &&
         (g.k + kTransposedRows) * round_up(g.m, Vec<T>::size) <= room;
}

/// C' = B' A', some rows at a time, so that A is copied in the place of B. Bit for bit what the others give.
template <class T>
void multiply_transposed(const Gemm<T>& g) {
  const int64_t width = round_up(g.m, Vec<T>::size);
  T* const panels = workspace<T>();
  T* const product = panels + g.k * width;
  const auto for_blocks = [&](const Output<T>& out, auto block) { for_blocks_of_k(g.k, out, block); };
  for_blocks({}, [&](int64_t p, int64_t k, const Output<T>&) {
    pack_columns(k, g.m, g.a + p * g.a_col, g.a_col, g.a_row, panels + p * width);
  });
  for (int64_t j = 0; j < g.n; j += kTransposedRows) {
    const int64_t rows = min(g.n - j, kTransposedRows);
    for_blocks({product, width, g.alpha, T(0), nullptr, g.bias ? g.bias + j : nullptr, false},
               [&](int64_t p, int64_t k, const Output<T>& out) {
                 const Rows<T> b{g.b + p * g.b_row + j * g.b_col, g.b_col, g.b_row, kTileRows * g.b_col};
                 multiply_panels(rows, g.m, k, b, panels + p * width, out);
               });
    write_transposed(rows, g.m, product, width, g.c + j, g.c_row);
  }
}

template <class T>
void multiply(const Gemm<T>& g) {
  const bool in_place = g.b_col == 1 && (kMaskedLoads || g.n % Vec<T>::size == 0) &&
                        g.k * g.n * int64_t(sizeof(T)) <= kInPlaceBytes;
  if (prefers_transposed(g)) return multiply_transposed(g);
  const bool far = g.m * g.n * int64_t(sizeof(T)) > kFirstCacheBytes;
  const Output<T> out{g.c, g.c_row, g.alpha, g.beta, g.bias, nullptr, far};
  in_place ? multiply_in_place(g, out) : multiply_copies(g, out);
}

template <class T>
void tiles(const Gemm<T>& g, const GemmBatch& batch) {
  if (batch.count == 1) return multiply(g);
  Gemm<T> item = g;
  for (int64_t i = 0; i < batch.count; ++i) {
    multiply(item);
    item.a += batch.a_step;
    item.b += batch.b_step;
    item.c += batch.c_step;
  }
}

}  // namespace

void register_gemm(GemmKernels<float>& f32, GemmKernels<double>& f64) {
  f32 = {prefers_dots<float>, tiles<float>, dots<float>};
  f64 = {prefers_dots<double>, tiles<double>, dots<double>};
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
