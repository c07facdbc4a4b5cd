#include "ops/fold.h"

#include <sstream>

#include "autograd/record.h"
#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/loops.h"
#include "ops/ops.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

namespace {

const ConvKernels<float>& table_for(float) { return kernels->conv_f32; }
const ConvKernels<double>& table_for(double) { return kernels->conv_f64; }

/// "(8, 8)".
std::string pair(const int64_t* sizes) { return concat("(", sizes[0], ", ", sizes[1], ")"); }

void read_pair(const char* name, IntSpan values, int64_t least, int64_t* pair) {
  TG_CHECK(values.size() == 1 || values.size() == 2, name, " must be an int or a tuple of two ints, but got ",
           to_string(values));
  pair[0] = window_size(values[0]);
  pair[1] = window_size(values.back());
  TG_CHECK(pair[0] >= least && pair[1] >= least, name, " should be ",
           least > 0 ? "greater than zero" : "non-negative", ", but got ", name, "_height: ", pair[0], " ",
           name, "_width: ", pair[1]);
}

Window read_window(const int64_t* size, IntSpan kernel, IntSpan dilation, IntSpan padding, IntSpan stride) {
  Window w{};
  w.in[0] = w.out[0] = w.kernel[0] = w.stride[0] = w.dilation[0] = 1;
  read_pair("kernel size", kernel, 1, w.kernel + 1);
  read_pair("dilation", dilation, 1, w.dilation + 1);
  read_pair("padding", padding, 0, w.padding + 1);
  read_pair("stride", stride, 1, w.stride + 1);
  for (int d = 1; d < 3; ++d) {
    w.in[d] = size[d - 1];
    const int64_t room = w.in[d] + 2 * w.padding[d] - w.dilation[d] * (w.kernel[d] - 1) - 1;
    w.out[d] = room < 0 ? 0 : room / w.stride[d] + 1;
  }
  TG_CHECK(w.out[1] > 0 && w.out[2] > 0, "Given input with spatial size ", pair(w.in + 1),
           ", kernel_size=", pair(w.kernel + 1), ", dilation=", pair(w.dilation + 1),
           ", padding=", pair(w.padding + 1), ", calculated shape of the array of sliding blocks as ",
           pair(w.out + 1), ", but its components must be at least one.");
  return w;
}

Tensor fold_patches(const Tensor& columns, const Window& window);

/// Runs body(job, image, columns) for every image of x (N, C, H, W) and columns (N, C * kernel, windows).
template <class T, class Body>
void for_images(const Tensor& x, const Tensor& columns, const Window& w, Body body) {
  const int64_t windows = w.out[1] * w.out[2], channels = columns.shape()[1] / (w.kernel[1] * w.kernel[2]);
  const PatchJob job{w, channels, windows, 1};
  const int64_t image_step = channels * w.in[1] * w.in[2], column_step = columns.shape()[1] * windows;
  T *const image = x.data<T>(), *const column = columns.data<T>();
  LongWorkScope scope(columns.numel());
  parallel_for(0, columns.shape()[0],
               std::max<int64_t>(kElementwiseGrain / std::max<int64_t>(column_step, 1), 1),
               [&](int64_t lo, int64_t hi) {
                 for (; lo < hi; ++lo) body(job, image + lo * image_step, column + lo * column_step);
               });
}

Tensor unfold_patches(const Tensor& x, const Window& window) {
  const int64_t taps = x.shape()[1] * window.kernel[1] * window.kernel[2];
  Tensor columns = empty(Dims{x.shape()[0], taps, window.out[1] * window.out[2]}, x.dtype());
  const Tensor input = x.is_contiguous() ? x : contiguous_values(x);
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_images<T>(input, columns, window, [](const PatchJob& job, T* image, T* column) {
      table_for(T()).gather_patches(job, image, column);
    });
  });
  return record("Im2ColBackward0", std::move(columns), {x}, {},
                [window](Backward& b) { return fold_patches(b.grad(), window); });
}

Tensor fold_patches(const Tensor& columns, const Window& window) {
  const int64_t channels = columns.shape()[1] / (window.kernel[1] * window.kernel[2]);
  Tensor x = full_values(Dims{columns.shape()[0], channels, window.in[1], window.in[2]}, 0, columns.dtype());
  const Tensor input = columns.is_contiguous() ? columns : contiguous_values(columns);
  dispatch_floating(columns.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_images<T>(x, input, window, [](const PatchJob& job, T* image, T* column) {
      table_for(T()).add_patches(job, column, image);
    });
  });
  return record("Col2ImBackward0", std::move(x), {columns}, {},
                [window](Backward& b) { return unfold_patches(b.grad(), window); });
}

}  // namespace

Tensor unfold_windows(const Tensor& x, IntSpan kernel, IntSpan dilation, IntSpan padding, IntSpan stride) {
  TG_CHECK(x.dim() == 3 || x.dim() == 4,
           "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other "
           "non-zero dimensions for input, but got: ",
           to_string(x.shape()));
  TG_CHECK_AS(not_implemented, x.is_floating(), "\"im2col_out_cpu\" not implemented for '",
              scalar_type_name(x.dtype()), "'");
  const Window window = read_window(x.shape().end() - 2, kernel, dilation, padding, stride);
  return x.dim() == 4 ? unfold_patches(x, window) : squeeze(unfold_patches(unsqueeze(x, 0), window), 0);
}

Tensor fold_windows(const Tensor& columns, IntSpan output_size, IntSpan kernel, IntSpan dilation,
                    IntSpan padding, IntSpan stride) {
  TG_CHECK(columns.dim() == 2 || columns.dim() == 3,
           "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch "
           "size and non-zero dimensions for input, but got: ",
           to_string(columns.shape()));
  TG_CHECK_AS(not_implemented, columns.is_floating(), "\"col2im_out_cpu\" not implemented for '",
              scalar_type_name(columns.dtype()), "'");
  int64_t size[2];
  read_pair("output size", output_size, 1, size);
  const Window w = read_window(size, kernel, dilation, padding, stride);
  const int64_t taps = columns.size(-2), windows = columns.size(-1);
  TG_CHECK(taps % (w.kernel[1] * w.kernel[2]) == 0,
           "Expected size of input's dimension 1 to be divisible by the product of "
           "kernel_size, but got input.size(1)=",
           taps, " and kernel_size=", pair(w.kernel + 1), ".");
  TG_CHECK(windows == w.out[1] * w.out[2], "Given output_size=", pair(size),
           ", kernel_size=", pair(w.kernel + 1), ", dilation=", pair(w.dilation + 1),
           ", padding=", pair(w.padding + 1), ", stride=", pair(w.stride + 1),
           ", expected size of input's dimension 2 to match the calculated number of sliding blocks ",
           w.out[1], " * ", w.out[2], " = ", w.out[1] * w.out[2], ", but got input.size(2)=", windows, ".");
  return columns.dim() == 3 ? fold_patches(columns, w) : squeeze(fold_patches(unsqueeze(columns, 0), w), 0);
}

}  // namespace tapegrad
