// Transposing in registers: pieces of 16 bytes from several rows make a vector, and perfect shuffles order
// its lanes.
#pragma once
#include "kernels/vec.h"

namespace tapegrad::TAPEGRAD_ISA_NS {
namespace {

template <int... I>
struct Lanes {};
template <int N>
struct AllLanes;
template <>
struct AllLanes<1> {
  using type = Lanes<0>;
};
template <>
struct AllLanes<2> {
  using type = Lanes<0, 1>;
};
template <>
struct AllLanes<4> {
  using type = Lanes<0, 1, 2, 3>;
};
template <>
struct AllLanes<8> {
  using type = Lanes<0, 1, 2, 3, 4, 5, 6, 7>;
};
template <>
struct AllLanes<16> {
  using type = Lanes<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
};

/// x[0] y[0] x[1] y[1] ... of the lower or the upper half of each group of L lanes.
template <bool Upper, int L, class R, int... I>
TAPEGRAD_INLINE R interleave(R x, R y, Lanes<I...>) {
  constexpr int N = sizeof...(I);
  return __builtin_shufflevector(x, y, (I / L * L + (Upper ? L / 2 : 0) + I % L / 2 + (I % 2) * N)...);
}

/// The vector R made of the 16-byte pieces at column(first), column(first + step), ...
template <class R, class Column, int... Place>
TAPEGRAD_INLINE R load_pieces(const Column& column, int first, int step, Lanes<Place...>) {
  R r = {};
  ((r = arch::load_piece<Place>(r, column(first + Place * step))), ...);
  return r;
}

/// Transposes every square of L x L lanes in log2(L) rounds of perfect shuffles.
template <class R, int L>
TAPEGRAD_INLINE void transpose_groups(R (&rows)[L]) {
  using All = typename AllLanes<sizeof(R) / sizeof(rows[0][0])>::type;
#pragma GCC unroll 8
  for (int round = 1; round < L; round *= 2) {
    R next[L];
#pragma GCC unroll 16
    for (int i = 0; i < L / 2; ++i) {
      next[2 * i] = interleave<false, L>(rows[i], rows[i + L / 2], All{});
      next[2 * i + 1] = interleave<true, L>(rows[i], rows[i + L / 2], All{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) rows[i] = next[i];
  }
}

/// The vector whose element i is the sum of rows[i].
template <class R, int N>
TAPEGRAD_INLINE R sum_each(R (&rows)[N]) {
  using All = typename AllLanes<N>::type;
#pragma GCC unroll 8
  for (int count = N / 2; count > 0; count /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < count; ++i)
      rows[i] = interleave<false, N>(rows[i], rows[i + count], All{}) +
                interleave<true, N>(rows[i], rows[i + count], All{});
  }
  return rows[0];
}

/// Copies k rows of the W columns that start at column(0) ... column(W - 1) to out[k][stride].
template <class R, class T, class Column>
TAPEGRAD_INLINE void transpose_columns(int64_t k, const Column& column, T* out, int64_t stride) {
  constexpr int W = sizeof(R) / sizeof(T), L = 16 / sizeof(T);
  int64_t p = 0;
  const auto from_p = [&](int i) __attribute__((always_inline)) { return column(i) + p; };
  for (; p + L <= k; p += L) {
    R rows[L];
#pragma GCC unroll 4
    for (int i = 0; i < L; ++i) rows[i] = load_pieces<R>(from_p, i, L, typename AllLanes<W / L>::type{});
    transpose_groups(rows);
#pragma GCC unroll 4
    for (int i = 0; i < L; ++i) __builtin_memcpy(out + (p + i) * stride, &rows[i], sizeof(R));
  }
  for (; p < k; ++p)
    for (int i = 0; i < W; ++i) out[p * stride + i] = *from_p(i);
}

/// Copies k rows of columns that are each contiguous in memory to out[k][stride], padded to whole vectors R
/// with repetitions of the last column.
template <class R, class T>
void copy_transposed(int64_t k, int64_t columns, const T* source, int64_t next_column, T* out,
                     int64_t stride) {
  constexpr int W = sizeof(R) / sizeof(T), L = 16 / sizeof(T);
  int64_t j = 0;
  for (; j + W <= columns; j += W) {
    // A pointer for each L columns: one for each would not fit the registers.
    const T* group[W / L];
    for (int i = 0; i < W / L; ++i) group[i] = source + (j + i * L) * next_column;
    const auto column = [&](int i)
                            __attribute__((always_inline)) { return group[i / L] + i % L * next_column; };
    transpose_columns<R>(k, column, out + j, stride);
  }
  if (j < columns) {
    const auto column = [&](int i) { return source + (j + i < columns ? j + i : columns - 1) * next_column; };
    transpose_columns<R>(k, column, out + j, stride);
  }
}

/// Copies rows (m,n), `next_row` elements apart, to the columns of out.
template <class T>
void write_transposed(int64_t m, int64_t n, const T* rows, int64_t next_row, T* out, int64_t stride) {
  const int64_t whole = m / Vec<T>::size * Vec<T>::size;
  copy_transposed<typename Vec<T>::RawT>(n, whole, rows, next_row, out, stride);
  for (int64_t i = whole; i < m; ++i)
    for (int64_t p = 0; p < n; ++p) out[p * stride + i] = rows[i * next_row + p];
}

}  // namespace
}  // namespace tapegrad::TAPEGRAD_ISA_NS
