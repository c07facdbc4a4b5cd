// Exponentials normalised along the middle dimension of contiguous (outer, n, inner) blocks; n > 0.
#pragma once
#include "kernels/element_types.h"

namespace tapegrad {

/// One of each for float and for double.
struct SoftmaxKernels {
  using Forward = void (*)(const void* x, void* y, int64_t outer, int64_t n, int64_t inner);
  using Backward = void (*)(const void* g, const void* y, void* dx, int64_t outer, int64_t n, int64_t inner);
  /// y[o][i][c] = scale[o][c] exp(x[o][i][c] - shift[o][c])
  using ScaledExp = void (*)(const void* x, const void* shift, const void* scale, void* y, int64_t outer,
                             int64_t n, int64_t inner);

  Forward softmax[2];
  Forward log_softmax[2];
  Forward logsumexp[2];  // y is (outer, inner)
  Backward softmax_backward[2];
  Backward log_softmax_backward[2];
  ScaledExp scaled_exp[2];
};

}  // namespace tapegrad
