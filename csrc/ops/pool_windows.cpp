#include "ops/pool_windows.h"

#include <algorithm>
#include <sstream>

#include "core/error.h"

namespace tapegrad {

namespace {

const char* words(int rank) { return rank == 1 ? "one int" : rank == 2 ? "two ints" : "three ints"; }

int64_t entry(IntSpan values, int i) { return window_size(values[values.size() == 1 ? 0 : i]); }

int64_t floor_divide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

/// "4x8x8".
std::string by(int64_t channels, const std::array<int64_t, 3>& sizes, int rank) {
  std::ostringstream text;
  text << channels;
  for (int i = 3 - rank; i < 3; ++i) text << "x" << sizes[i];
  return text.str();
}

int64_t window_count(const Windows& w, int d, bool ceil_mode) {
  const int64_t room = w.in[d] + 2 * w.padding[d] - w.dilation[d] * (w.kernel[d] - 1) - 1;
  const int64_t count = floor_divide(room + (ceil_mode ? w.stride[d] - 1 : 0), w.stride[d]) + 1;
  // The last window must begin inside the input or its left border.
  return ceil_mode && (count - 1) * w.stride[d] >= w.in[d] + w.padding[d] ? count - 1 : count;
}

}  // namespace

Windows sliding_windows(const char* name, int rank, IntSpan x, IntSpan kernel, IntSpan stride,
                        IntSpan padding, IntSpan dilation, bool ceil_mode) {
  const int dims = static_cast<int>(x.size());
  TG_CHECK(dims == rank + 1 || dims == rank + 2, name, "(): Expected ", rank + 1, "D or ", rank + 2,
           "D (batch mode) tensor, but got: ", to_string(x));
  for (int d = dims - rank - 1; d < dims; ++d)
    TG_CHECK(x[d] > 0, "Expected ", rank + 1, "D or ", rank + 2,
             "D (batch mode) tensor with optional 0 dim batch size for input, but got:", to_string(x));
  const auto check_length = [&](const char* argument, IntSpan values) {
    TG_CHECK(values.size() == 1 || static_cast<int>(values.size()) == rank, name, ": ", argument,
             " must either be a single int, or a tuple of ", words(rank));
  };
  if (stride.empty()) stride = kernel;
  check_length("kernel_size", kernel);
  TG_CHECK(stride.size() == 1 || static_cast<int>(stride.size()) == rank, name,
           ": stride must either be omitted, a single int, or a tuple of ", words(rank));
  check_length("padding", padding);
  check_length("dilation", dilation);
  Windows w;
  w.rank = rank;
  for (int i = 0; i < rank; ++i) {
    const int d = 3 - rank + i;
    w.in[d] = x[dims - rank + i];
    w.kernel[d] = entry(kernel, i);
    w.stride[d] = entry(stride, i);
    w.padding[d] = entry(padding, i);
    w.dilation[d] = entry(dilation, i);
    TG_CHECK(w.stride[d] != 0, "stride should not be zero");
    TG_CHECK(w.kernel[d] > 0 && w.stride[d] > 0, name,
             ": kernel size and stride should be greater than zero, but got ", to_string(kernel), " and ",
             to_string(stride));
    TG_CHECK(w.dilation[d] > 0,
             "dilation should be greater than zero, but got dilation: ", to_string(dilation));
    TG_CHECK(w.padding[d] >= 0, "pad must be non-negative, but got pad: ", w.padding[d]);
    TG_CHECK(w.padding[d] <= ((w.kernel[d] - 1) * w.dilation[d] + 1) / 2,
             "pad should be at most half of effective kernel size, but got pad=", w.padding[d],
             ", kernel_size=", w.kernel[d], " and dilation=", w.dilation[d]);
    w.out[d] = window_count(w, d, ceil_mode);
  }
  for (int d = 3 - rank; d < 3; ++d)
    TG_CHECK(w.out[d] > 0, "Given input size: (", by(x[dims - rank - 1], w.in, rank),
             "). Calculated output size: (", by(x[dims - rank - 1], w.out, rank),
             "). Output size is too small");
  return w;
}

Windows adaptive_windows(const char* name, int rank, IntSpan x, IntSpan output_size) {
  const int dims = static_cast<int>(x.size());
  TG_CHECK(static_cast<int>(output_size.size()) == rank || output_size.size() == 1, name,
           ": output_size must be ", rank);
  TG_CHECK(dims == rank + 1 || dims == rank + 2, name, "(): Expected ", rank + 1, "D or ", rank + 2,
           "D tensor, but got ", to_string(x));
  Windows w;
  w.rank = rank;
  w.adaptive = true;
  for (int i = 0; i < rank; ++i) {
    const int d = 3 - rank + i;
    w.in[d] = x[dims - rank + i];
    w.out[d] = output_size[output_size.size() == 1 ? 0 : i];
    TG_CHECK(w.out[d] >= 0, name,
             ": elements of output_size must be greater than or equal to 0 but received ",
             to_string(output_size));
    TG_CHECK(w.in[d] > 0, name,
             "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
             to_string(x), " with dimension ", dims - rank + i, " being empty");
    w.kernel[d] = w.out[d] > 0 ? (w.in[d] + w.out[d] - 1) / w.out[d] : 1;
  }
  return w;
}

Dims pooled_shape(IntSpan x, const Windows& windows) {
  Dims shape(x);
  for (int i = 0; i < windows.rank; ++i)
    shape[shape.size() - windows.rank + i] = windows.out[3 - windows.rank + i];
  return shape;
}

WindowBounds::WindowBounds(const Windows& windows) : windows_(windows) {
  const Windows& w = windows;
  for (int d = 0; d < 3; ++d)
    for (int64_t i = 0; i < w.out[d]; ++i) {
      int64_t begin = i * w.stride[d] - w.padding[d], end = begin + (w.kernel[d] - 1) * w.dilation[d] + 1;
      int64_t count = std::min(end, w.in[d] + w.padding[d]) - begin;
      if (w.adaptive) {
        begin = i * w.in[d] / w.out[d];
        end = ((i + 1) * w.in[d] + w.out[d] - 1) / w.out[d];
      }
      if (begin < 0) begin += (-begin + w.dilation[d] - 1) / w.dilation[d] * w.dilation[d];
      end = std::min(end, w.in[d]);
      if (w.adaptive || !w.count_include_pad) count = end - begin;
      begin_[d].push_back(begin);
      end_[d].push_back(end);
      count_[d].push_back(count);
    }
}

PoolJob WindowBounds::job(int64_t planes) const {
  PoolJob job{};
  job.planes = planes;
  job.divisor = windows_.divisor;
  for (int d = 0; d < 3; ++d) {
    job.in[d] = windows_.in[d];
    job.out[d] = windows_.out[d];
    job.step[d] = windows_.dilation[d];
    job.begin[d] = begin_[d].data();
    job.end[d] = end_[d].data();
    job.count[d] = count_[d].data();
  }
  return job;
}

}  // namespace tapegrad
