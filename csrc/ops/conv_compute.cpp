#include "ops/conv_compute.h"

#include <algorithm>

#include "ops/conv_grid.h"
#include "ops/conv_patches.h"
#include "ops/conv_pointwise.h"

namespace tapegrad {

namespace {

// Below this share of useful positions (windows that hardly overlap, on small images), patches are faster
// than grids.
constexpr double kLowDensity = 0.35;

bool is_empty(const ConvSizes& sizes) {
  return sizes.batch * sizes.groups * sizes.out_channels * sizes.taps() * sizes.in_volume() == 0;
}

template <class T>
void fill_with_bias(int64_t images, int64_t planes, int64_t volume, const T* bias, T* out) {
  for (int64_t i = 0; i < images * planes; ++i)
    std::fill_n(out + i * volume, volume, bias ? bias[i % planes] : T(0));
}

}  // namespace

template <class T>
void compute_conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  if (is_empty(sizes))
    return fill_with_bias(sizes.batch, sizes.groups * sizes.out_channels, sizes.out_volume(), bias, y);
  if (pointwise::applies(sizes)) return pointwise::conv(sizes, x, w, bias, y);
  if (grid::conv_density(sizes) < kLowDensity) return patches::conv(sizes, x, w, bias, y);
  grid::conv(sizes, x, w, bias, y);
}

template <class T>
void compute_conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  if (is_empty(sizes))
    return fill_with_bias(sizes.batch, sizes.groups * sizes.in_channels, sizes.in_volume(), bias, x);
  if (pointwise::applies(sizes)) return pointwise::conv_input(sizes, y, w, bias, x);
  if (grid::conv_input_density(sizes) < kLowDensity) return patches::conv_input(sizes, y, w, bias, x);
  grid::conv_input(sizes, y, w, bias, x);
}

template <class T>
void compute_conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  if (is_empty(sizes)) return std::fill_n(w, sizes.groups * sizes.out_channels * sizes.taps(), T(0)), void();
  if (pointwise::applies(sizes)) return pointwise::conv_weight(sizes, x, y, w);
  if (grid::conv_density(sizes) < kLowDensity) return patches::conv_weight(sizes, x, y, w);
  grid::conv_weight(sizes, x, y, w);
}

#define TG_INSTANTIATE(T)                                                               \
  template void compute_conv(const ConvSizes&, const T*, const T*, const T*, T*);       \
  template void compute_conv_input(const ConvSizes&, const T*, const T*, const T*, T*); \
  template void compute_conv_weight(const ConvSizes&, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad
