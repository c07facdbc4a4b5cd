// Running results along the middle dimension of contiguous (outer, n, inner) blocks.
#pragma once
#include "kernels/element_types.h"

namespace tapegrad {

struct ScanKernels {
  using Scan = void (*)(const void* in, void* out, int64_t outer, int64_t n, int64_t inner);
  /// cummax and cummin also give where the value occurred last.
  using IndexedScan = void (*)(const void* in, void* out, int64_t* positions, int64_t outer, int64_t n,
                               int64_t inner);
  /// y[k] = b[k] + a[k] y[k - 1]; reversed: y[k] = b[k] + a[k + 1] y[k + 1].
  using LinearScan = void (*)(const void* b, const void* a, void* y, bool reversed, int64_t outer, int64_t n,
                              int64_t inner);

  Scan cumsum[kDTypeCount];  // int64 and floating types
  Scan cumprod[kDTypeCount];
  Scan reversed_cumsum[kDTypeCount];
  Scan logcumsumexp[2];  // float, double
  IndexedScan cummax[kDTypeCount];
  IndexedScan cummin[kDTypeCount];
  LinearScan linear_scan[2];
};

}  // namespace tapegrad
