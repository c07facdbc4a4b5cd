// Gradients of the weights of convolutions: dot products of grids.
#include "kernels/gemm_pack.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

/// MR rows of y times size / MR taps; the taps beyond `taps` repeat the last one, unstored.
template <class T, int MR>
void dot_tile(const DotJob<T>& job, int64_t row, int64_t tap) {
  constexpr int W = Vec<T>::size, NR = W / MR;
  const int64_t taps = min(job.taps - tap, NR);
  const T* x[NR];
  for (int k = 0; k < NR; ++k) x[k] = job.x + job.offsets[tap + min(k, taps - 1)];
  const T* y = job.y + row * job.y_row;
  typename Vec<T>::RawT acc[W] = {};
  for (int64_t j = 0; j < job.positions; j += W) {
    typename Vec<T>::RawT factor[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) factor[i] = Vec<T>::load(y + i * job.y_row + j).raw;
#pragma GCC unroll 16
    for (int k = 0; k < NR; ++k) {
      const auto value = Vec<T>::load(x[k] + j).raw;
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) acc[i * NR + k] = arch::fma(factor[i], value, acc[i * NR + k]);
    }
  }
  T sums[W];
  Vec<T>(sum_each(acc)).store(sums);
  for (int i = 0; i < MR; ++i)
    for (int k = 0; k < taps; ++k) job.w[(row + i) * job.w_row + tap + k] += sums[i * NR + k];
}

template <class T>
void dots(const DotJob<T>& job) {
  constexpr int64_t W = Vec<T>::size;
  constexpr int MR = W >= 8 ? 4 : 2;
  int64_t row = 0;
  for (; row + MR <= job.rows; row += MR)
    for (int64_t tap = 0; tap < job.taps; tap += W / MR) dot_tile<T, MR>(job, row, tap);
  for (; row < job.rows; ++row)
    for (int64_t tap = 0; tap < job.taps; tap += W) dot_tile<T, 1>(job, row, tap);
}

}  // namespace

void register_conv_dots(ConvKernels<float>& f32, ConvKernels<double>& f64) {
  f32.dots = dots<float>;
  f64.dots = dots<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
