#include "ops/conv.h"

#include <string>

#include "autograd/record.h"
#include "ops/conv_compute.h"
#include "ops/conv_shape.h"
#include "ops/copy.h"
#include "ops/loops.h"
#include "ops/ops.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

ConvSizes sizes_of(IntSpan x, IntSpan weight, IntSpan y, const ConvOptions& options) {
  ConvSizes sizes{};
  const int rank = static_cast<int>(x.size()) - 2, unused = 3 - rank;
  Window& window = sizes.window;
  for (int i = 0; i < 3; ++i) {
    const int at = i - unused;
    const bool used = at >= 0;
    window.in[i] = used ? x[at + 2] : 1;
    window.out[i] = used ? y[at + 2] : 1;
    window.kernel[i] = used ? weight[at + 2] : 1;
    window.stride[i] = used ? options.stride[at] : 1;
    window.padding[i] = used ? options.padding[at] : 0;
    window.dilation[i] = used ? options.dilation[at] : 1;
  }
  sizes.batch = x[0];
  sizes.groups = options.groups;
  sizes.in_channels = weight[1];
  sizes.out_channels = weight[0] / options.groups;
  return sizes;
}

int64_t multiplications(const ConvSizes& sizes) {
  return sizes.batch * sizes.groups * sizes.out_channels * sizes.taps() * sizes.out_volume();
}

/// Row-major memory of the values; not recorded.
Tensor row_major(const Tensor& x) { return x.is_contiguous() ? x : contiguous_values(x); }

const void* data_or_null(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }

/// The gradient of the bias: the sum over images and positions.
Tensor channel_sums(const Tensor& gradient) {
  Dims shape(gradient.dim(), 1);
  shape[1] = gradient.shape()[1];
  return reshape(sum_to_shape(gradient, shape), {{shape[1]}});
}

}  // namespace

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  Dims shape{x.shape()[0], weight.shape()[0]};
  for (int i = 0; i < x.dim() - 2; ++i)
    shape.push_back((x.shape()[i + 2] + 2 * options.padding[i] - options.dilation[i] * (weight.shape()[i + 2] - 1) - 1) /
                        options.stride[i] +
                    1);
  Tensor y = empty(shape, x.dtype());
  const ConvSizes sizes = sizes_of(x.shape(), weight.shape(), shape, options);
  const Tensor input = row_major(x), kernel = row_major(weight), offset = bias.defined() ? row_major(bias) : bias;
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    LongWorkScope scope(multiplications(sizes));
    compute_conv(sizes, input.data<T>(), kernel.data<T>(), static_cast<const T*>(data_or_null(offset)), y.data<T>());
  });
  return record("ConvolutionBackward0", std::move(y), {x, weight, bias}, {save(x), save(weight)}, [options](Backward& b) {
    b.give(0, [&] { return conv_input(b.saved(0).shape(), b.grad(), b.saved(1), {}, options); });
    b.give(1, [&] { return conv_weight(b.saved(1).shape(), b.saved(0), b.grad(), options); });
    b.give(2, [&] { return channel_sums(b.grad()); });
  });
}

Tensor conv_input(IntSpan shape, const Tensor& y, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  Tensor x = empty(shape, y.dtype());
  const ConvSizes sizes = sizes_of(shape, weight.shape(), y.shape(), options);
  const Tensor result = row_major(y), kernel = row_major(weight), offset = bias.defined() ? row_major(bias) : bias;
  dispatch_floating(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    LongWorkScope scope(multiplications(sizes));
    compute_conv_input(sizes, result.data<T>(), kernel.data<T>(), static_cast<const T*>(data_or_null(offset)),
                       x.data<T>());
  });
  return record("ConvolutionBackward0", std::move(x), {y, weight, bias}, {save(y), save(weight)}, [options](Backward& b) {
    b.give(0, [&] { return conv(b.grad(), b.saved(1), {}, options); });
    b.give(1, [&] { return conv_weight(b.saved(1).shape(), b.grad(), b.saved(0), options); });
    b.give(2, [&] { return channel_sums(b.grad()); });
  });
}

Tensor conv_weight(IntSpan shape, const Tensor& x, const Tensor& y, const ConvOptions& options) {
  Tensor weight = empty(shape, x.dtype());
  const ConvSizes sizes = sizes_of(x.shape(), shape, y.shape(), options);
  const Tensor input = row_major(x), result = row_major(y);
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    LongWorkScope scope(multiplications(sizes));
    compute_conv_weight(sizes, input.data<T>(), result.data<T>(), weight.data<T>());
  });
  return record("ConvolutionBackward0", std::move(weight), {x, y}, {save(x), save(y)}, [options](Backward& b) {
    b.give(0, [&] { return conv_input(b.saved(0).shape(), b.saved(1), b.grad(), {}, options); });
    b.give(1, [&] { return conv(b.saved(0), b.grad(), {}, options); });
  });
}

Tensor convolution(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride,
                   IntSpan padding, IntSpan dilation, int64_t groups) {
  return with_batch("conv", rank, x, [&](const Tensor& batched) {
    ConvOptions options = conv_options(rank, stride, padding, dilation, {{0}}, groups);
    check_conv(rank, batched, weight, bias, options);
    return with_floating(batched, weight, bias, [&](const Tensor& a, const Tensor& w, const Tensor& c) {
      return conv(a, w, c, options);
    });
  });
}

Tensor convolution(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride,
                   std::string_view padding, IntSpan dilation, int64_t groups) {
  const Dims none(rank, 0);
  if (padding == "valid") return convolution(rank, x, weight, bias, stride, none, dilation, groups);
  TG_CHECK(padding == "same", "Invalid padding string: '", padding, "'; expected 'same' or 'valid'");
  for (const int64_t step : stride) TG_CHECK(step == 1, "padding='same' is not supported for strided convolutions");
  const ConvOptions options = conv_options(rank, stride, none, dilation, {{0}}, groups);
  Dims before(rank, 0), uneven;  // pad() takes the last dimension first
  for (int i = 0; i < rank && i + 2 < weight.dim(); ++i) {
    const int64_t total = options.dilation[i] * (weight.shape()[i + 2] - 1);
    before[i] = total / 2;
    uneven.insert(0, total % 2);
    uneven.insert(0, 0);
  }
  const bool even = std::all_of(uneven.begin(), uneven.end(), [](int64_t n) { return n == 0; });
  return convolution(rank, even ? x : pad_constant(x, uneven, 0.0), weight, bias, stride, before, dilation, groups);
}

Tensor conv_transpose(int rank, const Tensor& y, const Tensor& weight, const Tensor& bias, IntSpan stride,
                      IntSpan padding, IntSpan output_padding, int64_t groups, IntSpan dilation) {
  return with_batch("conv_transpose", rank, y, [&](const Tensor& batched) {
    ConvOptions options = conv_options(rank, stride, padding, dilation, output_padding, groups);
    const Dims shape = check_conv_transpose(rank, batched, weight, bias, options);
    return with_floating(batched, weight, bias, [&](const Tensor& a, const Tensor& w, const Tensor& c) {
      return conv_input(shape, a, w, c, options);
    });
  });
}

}  // namespace tapegrad
