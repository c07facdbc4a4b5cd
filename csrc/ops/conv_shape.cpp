#include "ops/conv_shape.h"

#include <sstream>

namespace tapegrad {

namespace {

/// "8 x 8".
std::string by(IntSpan sizes) {
  std::ostringstream text;
  for (size_t i = 0; i < sizes.size(); ++i) text << (i ? " x " : "") << sizes[i];
  return text.str();
}

void check_common(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const ConvOptions& options) {
  TG_CHECK(weight.dim() == rank + 2, "expected a weight with ", rank + 2, " dimensions for a ", rank,
           "-dimensional convolution, but got weight of size ", to_string(weight.shape()));
  for (int i = 0; i < rank; ++i) {
    TG_CHECK(options.padding[i] >= 0, "negative padding is not supported");
    TG_CHECK(options.output_padding[i] >= 0, "negative output_padding is not supported");
    TG_CHECK(options.stride[i] > 0, "non-positive stride is not supported");
    TG_CHECK(options.dilation[i] > 0, "non-positive dilation is not supported");
    TG_CHECK(weight.shape()[i + 2] > 0, "expected kernel sizes to be positive, but got weight of size ",
             to_string(weight.shape()));
  }
  const int64_t groups = options.groups;
  TG_CHECK(groups > 0, "non-positive groups is not supported");
  TG_CHECK(weight.shape()[0] >= groups, "Given groups=", groups, ", expected weight to be at least ", groups,
           " at dimension 0, but got weight of size ", to_string(weight.shape()), " instead");
  TG_CHECK(weight.shape()[0] % groups == 0, "Given groups=", groups, ", expected weight to be divisible by ",
           groups, " at dimension 0, but got weight of size [", to_string(weight.shape()), "] instead");
  TG_CHECK(x.dtype() != DType::bool_, "convolutions are not defined for bool; convert with .float()");
  TG_CHECK(x.dtype() == weight.dtype(), "expected scalar type ", scalar_type_name(x.dtype()), " but found ",
           scalar_type_name(weight.dtype()), ": input and weight must have the same dtype");
  TG_CHECK(!bias.defined() || bias.dtype() == x.dtype(), "Input type (", cpp_type_name(x.dtype()),
           ") and bias type (", bias.defined() ? cpp_type_name(bias.dtype()) : "", ") should be the same");
}

}  // namespace

std::array<int64_t, 3> per_dimension(const char* name, const char* operation, int rank, IntSpan values) {
  const int count = static_cast<int>(values.size());
  TG_CHECK(count == 1 || count == rank, "expected ", name, " to be a single integer value or a list of ",
           rank, " values to match the ", operation, " dimensions, but got ", name, "=", to_string(values));
  std::array<int64_t, 3> result{};
  for (int i = 0; i < rank; ++i) result[i] = window_size(values[count == 1 ? 0 : i]);
  return result;
}

ConvOptions conv_options(int rank, IntSpan stride, IntSpan padding, IntSpan dilation, IntSpan output_padding,
                         int64_t groups) {
  return {.stride = per_dimension("stride", "convolution", rank, stride),
          .padding = per_dimension("padding", "convolution", rank, padding),
          .dilation = per_dimension("dilation", "convolution", rank, dilation),
          .output_padding = per_dimension("output_padding", "convolution", rank, output_padding),
          .groups = groups};
}

Dims check_conv(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias,
                const ConvOptions& options) {
  check_common(rank, x, weight, bias, options);
  TG_CHECK(x.shape()[1] == weight.shape()[1] * options.groups, "Given groups=", options.groups,
           ", weight of size ", to_string(weight.shape()), ", expected input", to_string(x.shape()),
           " to have ", weight.shape()[1] * options.groups, " channels, but got ", x.shape()[1],
           " channels instead");
  TG_CHECK(!bias.defined() || (bias.dim() == 1 && bias.shape()[0] == weight.shape()[0]),
           "Given weight of size ", to_string(weight.shape()), ", expected bias to be 1-dimensional with ",
           weight.shape()[0], " elements, but got bias of size ",
           to_string(bias.defined() ? bias.shape() : Dims()), " instead");
  Dims padded(rank), extent(rank);
  Dims shape{x.shape()[0], weight.shape()[0]};
  bool fits = true;
  for (int i = 0; i < rank; ++i) {
    padded[i] = x.shape()[i + 2] + 2 * options.padding[i];
    extent[i] = options.dilation[i] * (weight.shape()[i + 2] - 1) + 1;
    fits = fits && extent[i] <= padded[i];
    shape.push_back((padded[i] - extent[i]) / options.stride[i] + 1);
  }
  TG_CHECK(fits, "Calculated padded input size per channel: (", by(padded), "). Kernel size: (", by(extent),
           "). Kernel size can't be greater than actual input size");
  return shape;
}

Dims check_conv_transpose(int rank, const Tensor& y, const Tensor& weight, const Tensor& bias,
                          const ConvOptions& options) {
  check_common(rank, y, weight, bias, options);
  const int64_t channels = weight.shape()[1] * options.groups;
  TG_CHECK(y.shape()[1] == weight.shape()[0], "Given transposed=1, weight of size ",
           to_string(weight.shape()), ", expected input", to_string(y.shape()), " to have ",
           weight.shape()[0], " channels, but got ", y.shape()[1], " channels instead");
  TG_CHECK(!bias.defined() || (bias.dim() == 1 && bias.shape()[0] == channels),
           "Given transposed=1, weight of size ", to_string(weight.shape()),
           ", expected bias to be 1-dimensional with ", channels, " elements, but got bias of size ",
           to_string(bias.defined() ? bias.shape() : Dims()), " instead");
  Dims shape{y.shape()[0], channels};
  for (int i = 0; i < rank; ++i) {
    TG_CHECK(options.output_padding[i] < options.stride[i] || options.output_padding[i] < options.dilation[i],
             "output padding must be smaller than either stride or dilation, but got output_padding ",
             to_string({options.output_padding.data(), size_t(rank)}), ", stride ",
             to_string({options.stride.data(), size_t(rank)}), ", dilation ",
             to_string({options.dilation.data(), size_t(rank)}));
    shape.push_back((y.shape()[i + 2] - 1) * options.stride[i] - 2 * options.padding[i] +
                    options.dilation[i] * (weight.shape()[i + 2] - 1) + options.output_padding[i] + 1);
    TG_CHECK(shape[i + 2] > 0, "Given input size per channel: (", by({y.shape().data() + 2, size_t(rank)}),
             "). Calculated output size per channel: ", to_string(shape), ". Output size is too small");
  }
  return shape;
}

}  // namespace tapegrad
