// Convolutions by register tiles of positions times channels: see ChannelJob.
#include "kernels/gemm_pack.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

// What one pass reads of the factors stays in the first cache.
constexpr int64_t kPassBytes = 24 << 10;

/// MR rows at NV vectors of columns, terms [first, last).
template <class T, int MR, int NV>
void channel_tile(const ChannelJob<T>& job, int64_t row, int64_t column, int64_t first, int64_t last,
                  bool from_start) {
  using Raw = typename Vec<T>::RawT;
  constexpr int W = Vec<T>::size;
  const T* x[MR];
  T* out[MR];
  Raw acc[MR][NV];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
    x[i] = job.x + job.starts[row + i];
    out[i] = job.out + job.places[row + i] + column;
    const T* begin = from_start ? job.start + column : out[i];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[i][v] = Vec<T>::load(begin + v * W).raw;
  }
  const T* factors = job.factors + column * job.terms + first * NV * W;
  for (int64_t k = first; k < last; ++k, factors += NV * W) {
    const int64_t offset = job.offsets[k];
    Raw values[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) values[v] = Vec<T>::load(factors + v * W).raw;
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      const Raw element = Vec<T>(x[i][offset]).raw;
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[i][v] = arch::fma(element, values[v], acc[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) Vec<T>(acc[i][v]).store(out[i] + v * W);
}

/// Rows [row, end), terms [first, last).
template <class T, int NV>
void channel_rows(const ChannelJob<T>& job, int64_t row, int64_t end, int64_t column, int64_t first,
                  int64_t last, bool from_start) {
  for (; row + kTileRows <= end; row += kTileRows)
    channel_tile<T, kTileRows, NV>(job, row, column, first, last, from_start);
  if (kTileRows > 4 && row + 4 <= end) {
    channel_tile<T, 4, NV>(job, row, column, first, last, from_start);
    row += 4;
  }
  for (; row < end; ++row) channel_tile<T, 1, NV>(job, row, column, first, last, from_start);
}

/// All rows at NV vectors of columns.
template <class T, int NV>
void channel_columns(const ChannelJob<T>& job, int64_t column) {
  constexpr int64_t kPass = kPassBytes / int64_t(sizeof(T) * NV * Vec<T>::size);
  int64_t pass = 0;
  do {
    const int64_t pass_end = min(pass + kPass, job.terms);
    int64_t row = 0;
    for (int64_t i = 0; i < job.line_count; row += job.lines[i++].rows) {
      const ChannelLine& line = job.lines[i];
      const int64_t first = line.first > pass ? line.first : pass, last = min(line.last, pass_end);
      if (pass == 0 || first < last)
        channel_rows<T, NV>(job, row, row + line.rows, column, first, last, pass == 0 && job.start);
    }
    pass = pass_end;
  } while (pass < job.terms);
}

template <class T>
void channels(const ChannelJob<T>& job) {
  for (int64_t column = 0; column < job.columns;) {
    const int vecs = panel_vecs<T>(job.columns - column);
    if (vecs == 3)
      channel_columns<T, 3>(job, column);
    else if (vecs == 2)
      channel_columns<T, 2>(job, column);
    else
      channel_columns<T, 1>(job, column);
    column += vecs * Vec<T>::size;
  }
}

template <class T>
void pack_channels(const T* w, int64_t row_step, const int64_t* offsets, int64_t rows, int64_t terms,
                   T* packed) {
  constexpr int W = Vec<T>::size;
  for (int64_t left = round_up(rows, W), row = 0; left > 0;) {
    const int64_t width = panel_vecs<T>(left) * W;
    for (int64_t end = row + width, to = 0; row < end; row += W, to += W) {
      const T* from = w + row * row_step;
      const int64_t count = min(rows - row, W);
      for (int64_t k = 0; k < terms; ++k) {
        T lanes[W] = {};
        for (int64_t i = 0; i < count; ++i) lanes[i] = from[i * row_step + offsets[k]];
        __builtin_memcpy(packed + k * width + to, lanes, sizeof(lanes));
      }
    }
    left -= width;
    packed += width * terms;
  }
}

}  // namespace

void register_conv_channels(ConvKernels<float>& f32, ConvKernels<double>& f64) {
  f32.lanes = Vec<float>::size;
  f32.channels = channels<float>;
  f32.pack_channels = pack_channels<float>;
  f64.lanes = Vec<double>::size;
  f64.channels = channels<double>;
  f64.pack_channels = pack_channels<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
