// Convolutions as products of shifted grids: see Note [Grids].
#pragma once
#include "ops/conv_compute.h"

namespace tapegrad::grid {

/// The share of computed positions that are not gaps, between 0 and 1.
double conv_density(const ConvSizes& sizes);
double conv_input_density(const ConvSizes& sizes);

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x);
template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w);

}  // namespace tapegrad::grid
