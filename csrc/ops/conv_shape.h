// Arguments of convolutions: options per dimension, checks in PyTorch's words, inputs without a batch.
#pragma once
#include "ops/conv.h"
#include "ops/ops.h"

namespace tapegrad {

/// One value per dimension from a list of `rank` entries or of one; `name` appears in the error.
std::array<int64_t, 3> per_dimension(const char* name, const char* operation, int rank, IntSpan values);

ConvOptions conv_options(int rank, IntSpan stride, IntSpan padding, IntSpan dilation, IntSpan output_padding,
                         int64_t groups);
/// Errors unless input, weight and bias fit together.
void check_conv(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options);
/// The same for a transposed convolution; returns the shape of its result.
Dims check_conv_transpose(int rank, const Tensor& y, const Tensor& weight, const Tensor& bias,
                          const ConvOptions& options);

/// Calls f with `x` as a batch; the result of an input without one has none either.
template <class F>
Tensor with_batch(const char* name, int rank, const Tensor& x, F f) {
  TG_CHECK(x.dim() == rank + 1 || x.dim() == rank + 2, "Expected ", rank + 1, "D (unbatched) or ", rank + 2,
           "D (batched) input to ", name, rank, "d, but got input of size: ", to_string(x.shape()));
  if (x.dim() == rank + 2) return f(x);
  return squeeze(f(unsqueeze(x, 0)), 0);
}

/// Calls f with floating point arguments: integers are computed as float64, exactly up to 2^53.
template <class F>
Tensor with_floating(const Tensor& x, const Tensor& weight, const Tensor& bias, F f) {
  if (x.is_floating()) return f(x, weight, bias);
  return to(f(to(x, DType::float64), to(weight, DType::float64), bias.defined() ? to(bias, DType::float64) : bias),
            x.dtype());
}

}  // namespace tapegrad
