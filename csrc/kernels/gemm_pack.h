// The blocks into which gemm.cpp cuts its operands, and how they are copied.
#pragma once

#include <stdlib.h>

#include "kernels/transpose.h"

namespace tapegrad::TAPEGRAD_ISA_NS {
namespace {

#if defined(TAPEGRAD_AVX512) || defined(__aarch64__)
constexpr int kTileRows = 8;  // 8 x 3 accumulators of 32 registers
#else
constexpr int kTileRows = 4;  // 4 x 3 accumulators of 16 registers
#endif
constexpr int kTileVecs = 3;

// A block of B stays in the second cache. It is long rather than wide, because C is read and written once for
// each kBlockK rows of it; but A, where it is copied, is copied once for each block of columns.
constexpr int64_t kBlockK = 512;
constexpr int64_t kBlockRows = 24 * kTileRows;
template <class T>
constexpr int64_t kBlockColumns = 8 * kTileVecs * Vec<T>::size;
template <class T>
constexpr int64_t kWideBlockColumns = 32 * kTileVecs * Vec<T>::size;
constexpr int64_t kFirstCacheBytes = 32 * 1024;
// Rows of the transposed product that are made, and put in their place, at a time.
constexpr int64_t kTransposedRows = 64;
// B is used in place up to this size, and columns of A up to this one; rows of A always are.
constexpr int64_t kInPlaceBytes = 128 * 1024;
constexpr int64_t kColumnsInPlaceBytes = 512 * 1024;

TAPEGRAD_INLINE constexpr int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
TAPEGRAD_INLINE constexpr int64_t round_up(int64_t a, int64_t step) { return (a + step - 1) / step * step; }

// Rows of A in groups of kTileRows: in place (next_group = kTileRows * row), or copied so that a group is
// contiguous.
template <class T>
struct Rows {
  const T* data;
  int64_t row, col, next_group;
};

/// Vectors in the next panel of n columns: three, but 2 + 2 rather than 3 + 1.
template <class T>
TAPEGRAD_INLINE int panel_vecs(int64_t n) {
  const int64_t vecs = (n + Vec<T>::size - 1) / Vec<T>::size;
  return vecs == 4 ? 2 : int(min(vecs, kTileVecs));
}

/// Columns in the next panel of n columns.
template <class T>
TAPEGRAD_INLINE int64_t panel_width(int64_t n) {
  return min(n, panel_vecs<T>(n) * Vec<T>::size);
}

/// Room for one block of B and one of A, kept by the thread until it ends.
template <class T>
T* workspace() {
  struct Buffer {
    void* data = nullptr;
    ~Buffer() { free(data); }
  };
  static thread_local Buffer buffer;
  if (!buffer.data) {
    constexpr int64_t bytes = kBlockK * (kWideBlockColumns<T> + kBlockRows) * sizeof(T);
    buffer.data = aligned_alloc(64, round_up(bytes, 64));
  }
  return static_cast<T*>(buffer.data);
}

/// Copies B (k,n) into panels, one after the other, each with rows padded to whole vectors.
template <class T>
void pack_columns(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_col, T* out) {
  constexpr int W = Vec<T>::size;
  for (int64_t j = 0; j < n;) {
    const int64_t width = panel_width<T>(n - j), stride = round_up(width, W);
    const T* source = b + j * b_col;
    if (b_row == 1) {
      copy_transposed<typename Vec<T>::RawT>(k, width, source, b_col, out, stride);
    } else if (b_col == 1) {
      for (int64_t p = 0; p < k; ++p)
        for (int64_t i = 0; i < width; i += W)
          Vec<T>::load_partial(source + p * b_row + i, int(min(width - i, W)), 0).store(out + p * stride + i);
    } else {
      for (int64_t p = 0; p < k; ++p)
        for (int64_t i = 0; i < width; ++i) out[p * stride + i] = source[p * b_row + i * b_col];
    }
    out += k * stride;
    j += width;
  }
}

/// Copies A (m,k) so that the kTileRows rows of a tile lie side by side.
template <class T>
Rows<T> pack_rows(int64_t m, int64_t k, const T* a, int64_t a_row, int64_t a_col, T* out) {
  for (int64_t i = 0; i < m; i += kTileRows) {
    const int rows = int(min(m - i, kTileRows));
    const T* source = a + i * a_row;
    T* group = out + i * k;
    if (rows == kTileRows && a_col == 1) {
      copy_transposed<Raw<T, int(min(kTileRows, Vec<T>::size))>>(k, kTileRows, source, a_row, group,
                                                                 kTileRows);
    } else if (rows == kTileRows && a_row == 1) {
      for (int64_t p = 0; p < k; ++p)
        __builtin_memcpy(group + p * kTileRows, source + p * a_col, kTileRows * sizeof(T));
    } else {
      for (int64_t p = 0; p < k; ++p)
        for (int r = 0; r < rows; ++r) group[p * kTileRows + r] = source[r * a_row + p * a_col];
    }
  }
  return {out, 1, kTileRows, kTileRows * k};
}

}  // namespace
}  // namespace tapegrad::TAPEGRAD_ISA_NS
