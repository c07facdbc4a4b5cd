// The arithmetic of convolutions on contiguous memory.
#pragma once
#include "kernels/conv_kernels.h"

namespace tapegrad {

/// Sizes of one convolution; channels are those of one group.
struct ConvSizes {
  Window window;
  int64_t batch, groups, in_channels, out_channels;

  static int64_t volume(const int64_t (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }
  int64_t in_volume() const { return volume(window.in); }
  int64_t out_volume() const { return volume(window.out); }
  int64_t taps() const { return in_channels * volume(window.kernel); }
};

/// y = conv(x, w) + bias; `bias` may be null.
template <class T>
void compute_conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y);
/// x = the adjoint of y -> conv(., w), + bias.
template <class T>
void compute_conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x);
/// w = sum over images and positions of x and y.
template <class T>
void compute_conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w);

}  // namespace tapegrad
