// Convolutions with kernels of one element and stride 1: matrix products.
#pragma once
#include "ops/conv_compute.h"

namespace tapegrad::pointwise {

/// Whether a convolution is one of these, with enough positions per image.
bool applies(const ConvSizes& sizes);

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x);
template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w);

}  // namespace tapegrad::pointwise
