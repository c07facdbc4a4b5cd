// Normalisation: to mean 0 and variance 1 along rows, or per channel.
#pragma once
#include "kernels/element_types.h"

namespace tapegrad {

/// One of each for float and for double. `weight` and `bias` may be null.
struct NormKernels {
  /// y = (x - mean) * rstd * weight + bias for rows of n elements; writes the mean and 1 / sqrt(variance +
  /// eps) of each row. Not centred: the mean is taken as 0 and not written (root mean square).
  using Rows = void (*)(const void* x, const void* weight, const void* bias, void* y, void* mean, void* rstd,
                        bool centered, double eps, int64_t rows, int64_t n);
  /// dx of the same. dweight and dbias (n each), unless null, receive the sums over these rows.
  using RowsBackward = void (*)(const void* g, const void* x, const void* weight, const void* mean,
                                const void* rstd, void* dx, void* dweight, void* dbias, int64_t rows,
                                int64_t n);
  /// y = x * scale[c] + shift[c] for (outer, channels, inner).
  using ChannelAffine = void (*)(const void* x, const void* scale, const void* shift, void* y, int64_t outer,
                                 int64_t channels, int64_t inner);
  /// dx = g * a[c] + x * b[c] + d[c]
  using ChannelAffine2 = void (*)(const void* g, const void* x, const void* a, const void* b, const void* d,
                                  void* dx, int64_t outer, int64_t channels, int64_t inner);
  /// Adds to sums[c] the sum of g, and to dots[c] that of g * (x - mean[c]).
  using ChannelSums = void (*)(const void* g, const void* x, const void* mean, void* sums, void* dots,
                               int64_t outer, int64_t channels, int64_t inner);

  Rows rows[2];
  RowsBackward rows_backward[2];
  ChannelAffine channel_affine[2];
  ChannelAffine2 channel_affine2[2];
  ChannelSums channel_sums[2];
};

}  // namespace tapegrad
