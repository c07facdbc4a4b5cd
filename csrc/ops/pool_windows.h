// The windows of a pooling operation.
#pragma once
#include <array>
#include <vector>

#include "core/dims.h"
#include "kernels/pool_kernels.h"

namespace tapegrad {

/// Sizes of the last three dimensions (unused ones in front are 1) and how windows lie on them.
struct Windows {
  std::array<int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0},
      dilation{1, 1, 1};
  bool adaptive = false;
  bool count_include_pad = true;
  double divisor = 0;
  int rank = 2;

  int64_t in_volume() const { return in[0] * in[1] * in[2]; }
  int64_t out_volume() const { return out[0] * out[1] * out[2]; }
  int64_t kernel_volume() const { return kernel[0] * kernel[1] * kernel[2]; }
};

/// Arguments of max_pool and avg_pool; checks them in PyTorch's words.
Windows sliding_windows(const char* name, int rank, IntSpan x, IntSpan kernel, IntSpan stride,
                        IntSpan padding, IntSpan dilation, bool ceil_mode);
Windows adaptive_windows(const char* name, int rank, IntSpan x, IntSpan output_size);
/// The shape of the result for an input of shape `x`.
Dims pooled_shape(IntSpan x, const Windows& windows);

/// The bounds of every window, for the kernels.
class WindowBounds {
 public:
  explicit WindowBounds(const Windows& windows);
  /// For planes [0, planes).
  PoolJob job(int64_t planes) const;

 private:
  const Windows& windows_;
  std::array<std::vector<int64_t>, 3> begin_, end_, count_;
};

}  // namespace tapegrad
