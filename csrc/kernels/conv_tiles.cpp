// Convolutions of grids by register tiles: MR rows (output channels) times NV vectors of positions.
#include "kernels/gemm_pack.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

// The widest tile for each number of rows that fits the registers.
#if defined(TAPEGRAD_AVX512) || defined(__aarch64__)
template <int MR>
constexpr int kMaxVecs = MR == 8 ? 3 : MR == 4 ? 6 : 8;
#else
template <int MR>
constexpr int kMaxVecs = MR == 4 ? 3 : MR == 2 ? 4 : 8;
#endif

/// Copies n elements, as whole vectors where possible.
template <class T>
TAPEGRAD_INLINE void copy_run(const T* in, T* out, int64_t step, int64_t n) {
  if (step != 1) {
    for (int64_t i = 0; i < n; ++i) out[i * step] = in[i];
    return;
  }
  constexpr int W = Vec<T>::size;
  int64_t i = 0;
  for (; i + W <= n; i += W) Vec<T>::load(in + i).store(out + i);
  if (i < n) Vec<T>::load_partial(in + i, int(n - i)).store_partial(out + i, int(n - i));
}

/// Writes the rows of a tile that begins at position j to the runs it touches, of which `run` is the first.
template <class T, int MR, int Width>
void store_runs(const TileJob<T>& job, const T (&tile)[MR][Width], int64_t j, T* out, const GridRun* run) {
  const GridRun* const end = job.runs + job.run_count;
  for (; run < end && run->start < j + Width; ++run) {
    const int64_t skip = run->start < j ? j - run->start : 0, first = run->start + skip - j;
    const int64_t count = min(run->length - skip, Width - first);
    for (int i = 0; i < MR; ++i)
      copy_run(tile[i] + first, out + i * job.out_row + run->out + skip * job.out_step, job.out_step, count);
  }
}

/// Rows [0, rows) at the NV vectors of positions from j on.
template <class T, int MR, int NV>
void tile_column(const TileJob<T>& job, int64_t row, int64_t rows, const T* weights, int64_t j, const GridRun* run) {
  using Raw = typename Vec<T>::RawT;
  constexpr int W = Vec<T>::size, width = NV * W;
  const bool direct =
      job.out_step == 1 && run < job.runs + job.run_count && run->start <= j && run->start + run->length >= j + width;
  int64_t first = 0, last = 0;
  do {
    first = last;
    last = min(first + job.taps_per_pass, job.taps);
    for (int64_t r = 0; r < rows; r += MR) {
      Raw acc[MR][NV];
      T* partial = job.partial + r * width;
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const Raw start = Vec<T>(job.bias ? job.bias[row + r + i] : T(0)).raw;
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) acc[i][v] = first == 0 ? start : Vec<T>::load(partial + (i * NV + v) * W).raw;
      }
      const T* w = weights + r * job.taps + first * MR;
      for (int64_t k = first; k < last; ++k, w += MR) {
        const T* x = job.x + j + job.offsets[k];
        Raw values[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) values[v] = Vec<T>::load(x + v * W).raw;
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i) {
          const Raw factor = Vec<T>(w[i]).raw;
#pragma GCC unroll 8
          for (int v = 0; v < NV; ++v) acc[i][v] = arch::fma(factor, values[v], acc[i][v]);
        }
      }
      if (last < job.taps) {
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
          for (int v = 0; v < NV; ++v) Vec<T>(acc[i][v]).store(partial + (i * NV + v) * W);
        continue;
      }
      T* out = job.out + (row + r) * job.out_row;
      if (direct) {
        T* target = out + run->out + j - run->start;
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
          for (int v = 0; v < NV; ++v) Vec<T>(acc[i][v]).store(target + i * job.out_row + v * W);
      } else {
        T tile[MR][width];
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
          for (int v = 0; v < NV; ++v) Vec<T>(acc[i][v]).store(tile[i] + v * W);
        store_runs<T, MR, width>(job, tile, j, out, run);
      }
    }
  } while (last < job.taps);
}

/// Vectors of the next tile when `vecs` are left: the most there may be, but two equal halves rather than one
/// left over.
TAPEGRAD_INLINE int next_vecs(int64_t vecs, int most) {
  if (vecs == most + 1) return (most + 1) / 2;
  const int n = int(min(vecs, most));
  return n == 5 ? 4 : n == 7 ? 6 : n;
}

template <class T, int MR, int NV>
TAPEGRAD_INLINE void choose_column(int vecs, const TileJob<T>& job, int64_t row, int64_t rows, const T* weights,
                                   int64_t j, const GridRun* run) {
  if constexpr (NV == 5 || NV == 7) {
    choose_column<T, MR, NV - 1>(vecs, job, row, rows, weights, j, run);
  } else if constexpr (NV > 1) {
    if (vecs == NV) return tile_column<T, MR, NV>(job, row, rows, weights, j, run);
    choose_column<T, MR, NV - 1>(vecs, job, row, rows, weights, j, run);
  } else {
    tile_column<T, MR, 1>(job, row, rows, weights, j, run);
  }
}

/// `rows` rows from `row` on, a multiple of MR.
template <class T, int MR>
void tile_rows(const TileJob<T>& job, int64_t row, int64_t rows) {
  constexpr int W = Vec<T>::size;
  const T* weights = job.weights + row * job.taps;
  const GridRun *run = job.runs, *end = job.runs + job.run_count;
  for (int64_t j = 0; j < job.positions;) {
    const int vecs = next_vecs((job.positions - j + W - 1) / W, kMaxVecs<MR>);
    while (run < end && run->start + run->length <= j) ++run;
    choose_column<T, MR, kMaxVecs<MR>>(vecs, job, row, rows, weights, j, run);
    j += vecs * W;
  }
}

/// Calls part(MR, row, rows): as many rows as possible in tiles of kTileRows, the rest in smaller ones.
template <class Part>
TAPEGRAD_INLINE void for_row_groups(int64_t rows, Part part) {
  int64_t row = 0;
  for (int size = kTileRows; size > 0; size /= 2) {
    const int64_t count = (rows - row) / size * size;
    if (count) part(size, row, count);
    row += count;
  }
}

template <class T>
void tiles(const TileJob<T>& job) {
  for_row_groups(job.rows, [&](int size, int64_t row, int64_t count) {
    switch (size) {
      case 8:
        if constexpr (kTileRows == 8) tile_rows<T, 8>(job, row, count);
        break;
      case 4:
        tile_rows<T, 4>(job, row, count);
        break;
      case 2:
        tile_rows<T, 2>(job, row, count);
        break;
      default:
        tile_rows<T, 1>(job, row, count);
    }
  });
}

/// For the rows of each tile [k][row].
template <class T>
void pack_weights(const T* w, int64_t row_step, const int64_t* offsets, int64_t rows, int64_t taps, T* packed) {
  const bool contiguous = taps > 0 && offsets[taps - 1] - offsets[0] == taps - 1;
  for_row_groups(rows, [&](int size, int64_t row, int64_t count) {
    for (int64_t r = row; r < row + count; r += size, packed += size * taps) {
      const T* from = w + r * row_step;
      if (contiguous && size == kTileRows) {
        pack_rows<T>(size, taps, from + offsets[0], row_step, 1, packed);
        continue;
      }
      for (int64_t k = 0; k < taps; ++k)
        for (int i = 0; i < size; ++i) packed[k * size + i] = from[i * row_step + offsets[k]];
    }
  });
}

}  // namespace

void register_conv_tiles(ConvKernels<float>& f32, ConvKernels<double>& f64) {
  f32.pack_weights = pack_weights<float>;
  f32.tiles = tiles<float>;
  f64.pack_weights = pack_weights<double>;
  f64.tiles = tiles<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
