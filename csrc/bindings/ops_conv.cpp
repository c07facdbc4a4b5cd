// Convolutions, pooling, padding and resampling in Python.
#include "bindings/arg_parser.h"
#include "ops/conv.h"
#include "ops/pad.h"

namespace tapegrad::python {

namespace {

#define TG_CONV(name, padding)                                                              \
  name "(Tensor input, Tensor weight, Tensor? bias=None, int[] stride=1, " padding \
       ", int[] dilation=1, int groups=1)"
#define TG_CONV_TRANSPOSE(name)                                                                                     \
  name "(Tensor input, Tensor weight, Tensor? bias=None, int[] stride=1, int[] padding=0, int[] output_padding=0, " \
       "int groups=1, int[] dilation=1)"

template <int Rank>
void define_convolutions(const char* signature, const char* with_words, const char* transpose) {
  def_op(
      signature,
      [](const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding, IntSpan dilation,
         int64_t groups) { return convolution(Rank, x, weight, bias, stride, padding, dilation, groups); },
      As::function);
  def_op(
      with_words,
      [](const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride, std::string_view padding,
         IntSpan dilation,
         int64_t groups) { return convolution(Rank, x, weight, bias, stride, padding, dilation, groups); },
      As::function);
  def_op(
      transpose,
      [](const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding,
         IntSpan output_padding, int64_t groups, IntSpan dilation) {
        return conv_transpose(Rank, x, weight, bias, stride, padding, output_padding, groups, dilation);
      },
      As::function);
}

}  // namespace

void define_conv_ops() {
  define_convolutions<1>(TG_CONV("conv1d", "int[] padding=0"), TG_CONV("conv1d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose1d"));
  define_convolutions<2>(TG_CONV("conv2d", "int[] padding=0"), TG_CONV("conv2d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose2d"));
  define_convolutions<3>(TG_CONV("conv3d", "int[] padding=0"), TG_CONV("conv3d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose3d"));
  def_op("constant_pad_nd(Tensor input, int[] pad, Scalar value=0)", pad_constant, As::function);
}

}  // namespace tapegrad::python
