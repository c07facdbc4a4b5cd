// Convolutions, pooling, padding and resampling in Python.
#include "bindings/arg_parser.h"
#include "ops/conv.h"
#include "ops/fold.h"
#include "ops/pad.h"
#include "ops/pool.h"

namespace tapegrad::python {

namespace {

#define TG_CONV(name, padding)                                                      \
  name "(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, " padding \
       ", int[1] dilation=1, int groups=1)"
#define TG_CONV_TRANSPOSE(name)                                                                      \
  name "(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] " \
       "output_padding=0, "                                                                          \
       "int groups=1, int[1] dilation=1)"

template <int Rank>
void define_convolutions(const char* signature, const char* with_words, const char* transpose) {
  def_op(
      signature,
      [](const Tensor& x, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding,
         IntSpan dilation,
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

template <int Rank>
void define_pooling(const char* largest, const char* with_indices, const char* average) {
  def_op(
      largest,
      [](const Tensor& x, IntSpan kernel, std::optional<Dims> stride, IntSpan padding, IntSpan dilation,
         bool ceil_mode) {
        return std::get<0>(
            max_pool_with_indices(Rank, x, kernel, stride.value_or(Dims()), padding, dilation, ceil_mode));
      },
      As::function);
  def_op(
      with_indices,
      [](const Tensor& x, IntSpan kernel, std::optional<Dims> stride, IntSpan padding, IntSpan dilation,
         bool ceil_mode) {
        return max_pool_with_indices(Rank, x, kernel, stride.value_or(Dims()), padding, dilation, ceil_mode);
      },
      As::function);
  static constexpr auto average_of = [](const Tensor& x, IntSpan kernel, std::optional<Dims> stride,
                                        IntSpan padding, bool ceil_mode, bool count_include_pad,
                                        std::optional<int64_t> divisor) {
    return avg_pool(Rank, x, kernel, stride.value_or(Dims()), padding, ceil_mode, count_include_pad, divisor);
  };
  if constexpr (Rank == 1)  // has no divisor_override
    def_op(
        average,
        [](const Tensor& x, IntSpan kernel, std::optional<Dims> stride, IntSpan padding, bool ceil_mode,
           bool count_include_pad) {
          return average_of(x, kernel, std::move(stride), padding, ceil_mode, count_include_pad,
                            std::nullopt);
        },
        As::function);
  else
    def_op(average, average_of, As::function);
}
#define TG_POOLING(rank, divisor)                                                                    \
  define_pooling<rank>("max_pool" #rank                                                              \
                       "d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, " \
                       "int[1] dilation=1, bool ceil_mode=False)",                                   \
                       "max_pool" #rank                                                              \
                       "d_with_indices(Tensor input, int[1] kernel_size, int[1]? stride=None, "      \
                       "int[1] padding=0, int[1] dilation=1, bool ceil_mode=False)",                 \
                       "avg_pool" #rank                                                              \
                       "d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, " \
                       "bool ceil_mode=False, bool count_include_pad=True" divisor ")")

template <int Rank>
void define_adaptive_pooling(const char* average, const char* largest, const char* unpool) {
  def_op(
      average, [](const Tensor& x, IntSpan size) { return adaptive_avg_pool(Rank, x, size); }, As::function);
  def_op(
      largest, [](const Tensor& x, IntSpan size) { return adaptive_max_pool(Rank, x, size); }, As::function);
  def_op(
      unpool,
      [](const Tensor& x, const Tensor& indices, IntSpan size) { return max_unpool(Rank, x, indices, size); },
      As::function);
}
#define TG_ADAPTIVE_POOLING(rank)                                                                \
  define_adaptive_pooling<rank>("adaptive_avg_pool" #rank "d(Tensor input, int[1] output_size)", \
                                "adaptive_max_pool" #rank "d(Tensor input, int[1] output_size)", \
                                "_max_unpool" #rank "d(Tensor input, Tensor indices, int[1] output_size)")

}  // namespace

void define_conv_ops() {
  define_convolutions<1>(TG_CONV("conv1d", "int[1] padding=0"), TG_CONV("conv1d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose1d"));
  define_convolutions<2>(TG_CONV("conv2d", "int[1] padding=0"), TG_CONV("conv2d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose2d"));
  define_convolutions<3>(TG_CONV("conv3d", "int[1] padding=0"), TG_CONV("conv3d", "str padding"),
                         TG_CONV_TRANSPOSE("conv_transpose3d"));
  TG_POOLING(1, "");
  TG_POOLING(2, ", int? divisor_override=None");
  TG_POOLING(3, ", int? divisor_override=None");
  TG_ADAPTIVE_POOLING(1);
  TG_ADAPTIVE_POOLING(2);
  TG_ADAPTIVE_POOLING(3);
  def_op("im2col(Tensor input, int[1] kernel_size, int[1] dilation=1, int[1] padding=0, int[1] stride=1)",
         unfold_windows, As::function);
  def_op(
      "col2im(Tensor input, int[1] output_size, int[1] kernel_size, int[1] dilation=1, int[1] padding=0, "
      "int[1] "
      "stride=1)",
      fold_windows, As::function);
  def_op("constant_pad_nd(Tensor input, int[] pad, Scalar value=0)", pad_constant, As::function);
}

}  // namespace tapegrad::python
