// Random numbers whose parameters differ from element to element, on contiguous buffers. The algorithms and
// the draws are those of PyTorch's CPU operations, so that the same seed gives the same numbers. T is float
// or double.
#pragma once

#include <cstdint>

#include "core/generator.h"

namespace tapegrad {

/// Gamma with shape alpha[i] and rate 1; NaN unless alpha[i] is a non-negative number.
template <class T>
void fill_standard_gamma(Generator& generator, T* out, const T* alpha, int64_t n);
/// Poisson with mean rate[i]; NaN unless it is a non-negative number.
template <class T>
void fill_poisson(Generator& generator, T* out, const T* rate, int64_t n);
/// Successes in count[i] trials with probability p[i] each; NaN unless count[i] >= 0 and 0 <= p[i] <= 1.
template <class T>
void fill_binomial(Generator& generator, T* out, const T* count, const T* p, int64_t n);

}  // namespace tapegrad
