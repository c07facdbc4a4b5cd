#include "ops/conv_pointwise.h"

#include <algorithm>

#include "ops/gemm.h"

namespace tapegrad::pointwise {

namespace {

constexpr int64_t kFewPositions = 32;

/// out = A B + bias for every image of a group; `source` and `result` channels per group.
template <class T>
void multiply(const ConvSizes& sizes, int64_t source, int64_t result, const T* in, const T* w, int64_t w_row,
              int64_t w_col, const T* bias, T* out) {
  const int64_t positions = sizes.in_volume(), planes = sizes.groups * result;
  for (int64_t i = 0; bias && i < sizes.batch * planes; ++i)
    std::fill_n(out + i * positions, positions, bias[i % planes]);
  for (int64_t group = 0; group < sizes.groups; ++group)
    ops::gemm(Gemm<T>{.m = result,
                      .n = positions,
                      .k = source,
                      .a = w + group * sizes.in_channels * sizes.out_channels,
                      .a_row = w_row,
                      .a_col = w_col,
                      .b = in + group * source * positions,
                      .b_row = positions,
                      .b_col = 1,
                      .c = out + group * result * positions,
                      .c_row = positions,
                      .beta = T(bias ? 1 : 0)},
              {sizes.batch, 0, sizes.groups * source * positions, planes * positions});
}

}  // namespace

bool applies(const ConvSizes& sizes) {
  const Window& w = sizes.window;
  for (int d = 0; d < 3; ++d)
    if (w.kernel[d] != 1 || w.stride[d] != 1 || w.padding[d] != 0 || w.in[d] != w.out[d]) return false;
  return sizes.in_volume() >= kFewPositions;
}

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  // (O,C)(C,positions)
  multiply(sizes, sizes.in_channels, sizes.out_channels, x, w, sizes.in_channels, 1, bias, y);
}

template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  // (C,O)(O,positions)
  multiply(sizes, sizes.out_channels, sizes.in_channels, y, w, 1, sizes.in_channels, bias, x);
}

template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  const int64_t positions = sizes.in_volume(), channels = sizes.in_channels, rows = sizes.out_channels;
  for (int64_t group = 0; group < sizes.groups; ++group)
    for (int64_t i = 0; i < sizes.batch; ++i)
      // (O,positions)(positions,C)
      ops::gemm(Gemm<T>{.m = rows,
                        .n = channels,
                        .k = positions,
                        .a = y + (i * sizes.groups + group) * rows * positions,
                        .a_row = positions,
                        .a_col = 1,
                        .b = x + (i * sizes.groups + group) * channels * positions,
                        .b_row = 1,
                        .b_col = positions,
                        .c = w + group * rows * channels,
                        .c_row = channels,
                        .beta = T(i > 0 ? 1 : 0)});
}

#define TG_INSTANTIATE(T)                                                       \
  template void conv(const ConvSizes&, const T*, const T*, const T*, T*);       \
  template void conv_input(const ConvSizes&, const T*, const T*, const T*, T*); \
  template void conv_weight(const ConvSizes&, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad::pointwise
