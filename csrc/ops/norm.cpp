// Layer and RMS normalisation: rows.
#include "ops/norm.h"

#include <limits>

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/loops.h"
#include "ops/norm_formula.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// Rows that one thread normalises at a time; their weight gradients are summed per group, in a fixed order.
int64_t rows_per_group(int64_t n) { return std::max<int64_t>(1, kReduceGrain / 4 / std::max<int64_t>(n, 1)); }

struct RowNorm {
  int64_t rows, n;
  bool centered;
  double eps;
};

const void* data_or_null(const Tensor& t) { return t.defined() ? t.raw() : nullptr; }

struct NormResult {
  Tensor y, mean, rstd;
};

NormResult normalize_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNorm& norm) {
  NormResult result{empty(x.shape(), x.dtype()), norm.centered ? empty({{norm.rows}}, x.dtype()) : Tensor(),
                    empty({{norm.rows}}, x.dtype())};
  const auto kernel = kernels->norm.rows[x.dtype() == DType::float64];
  const int64_t item = x.item_size(), slice = norm.n * item;
  if (x.numel() == 0) return result;
  char* means = norm.centered ? result.mean.raw() : nullptr;
  LongWorkScope scope(x.numel());
  parallel_for(0, norm.rows, rows_per_group(norm.n), [&](int64_t lo, int64_t hi) {
    kernel(x.raw() + lo * slice, data_or_null(weight), data_or_null(bias), result.y.raw() + lo * slice,
           means ? means + lo * item : nullptr, result.rstd.raw() + lo * item, norm.centered, norm.eps,
           hi - lo, norm.n);
  });
  return result;
}

struct NormGradients {
  Tensor x, weight, bias;
};

NormGradients normalize_rows_backward(const Tensor& g, const Tensor& x, const Tensor& weight,
                                      const Tensor& mean, const Tensor& rstd, const RowNorm& norm,
                                      bool needs_weight, bool needs_bias) {
  const int64_t item = x.item_size(), slice = norm.n * item, step = rows_per_group(norm.n);
  const int64_t groups = (norm.rows + step - 1) / step;
  NormGradients result{empty(x.shape(), x.dtype()), {}, {}};
  if (x.numel() == 0)
    return {result.x, needs_weight ? full_values({{norm.n}}, 0, x.dtype()) : Tensor(),
            needs_bias ? full_values({{norm.n}}, 0, x.dtype()) : Tensor()};
  if (needs_weight) result.weight = empty({{groups, norm.n}}, x.dtype());
  if (needs_bias) result.bias = empty({{groups, norm.n}}, x.dtype());
  const auto kernel = kernels->norm.rows_backward[x.dtype() == DType::float64];
  {
    const char *means = norm.centered ? mean.raw() : nullptr,
               *scale = weight.defined() ? weight.raw() : nullptr;
    char *dw = needs_weight ? result.weight.raw() : nullptr, *db = needs_bias ? result.bias.raw() : nullptr;
    LongWorkScope scope(x.numel());
    parallel_for(0, norm.rows, step, [&](int64_t lo, int64_t hi) {
      const int64_t group = lo / step * slice;
      kernel(g.raw() + lo * slice, x.raw() + lo * slice, scale, means ? means + lo * item : nullptr,
             rstd.raw() + lo * item, result.x.raw() + lo * slice, dw ? dw + group : nullptr,
             db ? db + group : nullptr, hi - lo, norm.n);
    });
  }
  if (needs_weight) result.weight = reduce_values(ReduceOp::sum, result.weight, 1, {{norm.n}});
  if (needs_bias) result.bias = reduce_values(ReduceOp::sum, result.bias, 1, {{norm.n}});
  return result;
}

void check_normalized_shape(const char* name, const Tensor& x, IntSpan shape) {
  const int count = static_cast<int>(shape.size());
  TG_CHECK(count > 0,
           "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
           "but got "
           "normalized_shape = ",
           to_string(shape));
  const bool fits = x.dim() >= count && std::equal(shape.begin(), shape.end(), x.shape().end() - count);
  std::string wanted;
  for (int64_t size : shape) wanted += ", " + std::to_string(size);
  TG_CHECK(fits, "Given normalized_shape=", to_string(shape), ", expected input with shape [*", wanted,
           "], but got input of size", to_string(x.shape()));
  TG_CHECK_AS(not_implemented, x.is_floating(), "\"", name, "\" not implemented for '",
              scalar_type_name(x.dtype()), "' (convert the input with .float())");
}
void check_parameter(const char* name, const Tensor& parameter, const Tensor& x, IntSpan shape) {
  if (!parameter.defined()) return;
  TG_CHECK(parameter.shape() == Dims(shape), "Expected ", name,
           " to be of same shape as normalized_shape, but got ", name, " of shape ",
           to_string(parameter.shape()), " and normalized_shape = ", to_string(shape));
  TG_CHECK(parameter.dtype() == x.dtype(), "mixed dtype (CPU): all inputs must share same datatype.");
}

Tensor row_norm(const char* node_name, const Tensor& input, IntSpan normalized_shape, const Tensor& weight,
                const Tensor& bias, bool centered, double eps) {
  const Tensor x = row_major(input), w = row_major(weight), b = row_major(bias);
  const int64_t n = count_elements(normalized_shape);
  const RowNorm norm{n == 0 ? 0 : x.numel() / n, n, centered, eps};
  const NormResult result = normalize_rows(x, w, b, norm);
  return record(node_name, result.y, {input, weight, bias},
                {save(input), save(weight), save(result.mean), save(result.rstd)},
                [norm, count = static_cast<int>(normalized_shape.size())](Backward& b) {
                  const Tensor input = b.saved(0), weight = b.saved(1);
                  if (Backward::creates_graph()) {
                    DimMask mask = 0;
                    for (int i = input.dim() - count; i < input.dim(); ++i) mask |= DimMask{1} << i;
                    const NormFormula formula =
                        normalization_formula(b.grad(), input, weight, mask, norm.centered, norm.eps);
                    b.give(0, formula.dx);
                    b.give(1, [&] { return b.grad() * formula.normal; });
                    b.give(2, b.grad());
                    return;
                  }
                  const Tensor g = row_major(cast_if_needed(b.grad(), input.dtype()));
                  const NormGradients d =
                      normalize_rows_backward(g, row_major(input), row_major(weight), b.saved(2), b.saved(3),
                                              norm, b.needs(1), b.needs(2));
                  const IntSpan shape = IntSpan(input.shape()).last(static_cast<size_t>(count));
                  b.give(0, d.x);
                  b.give(1, [&] { return make_view(d.weight, shape, contiguous_strides(shape), 0); });
                  b.give(2, [&] { return make_view(d.bias, shape, contiguous_strides(shape), 0); });
                });
}

}  // namespace

Tensor layer_norm(const Tensor& x, IntSpan normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  check_normalized_shape("LayerNormKernelImpl", x, normalized_shape);
  check_parameter("weight", weight, x, normalized_shape);
  check_parameter("bias", bias, x, normalized_shape);
  return row_norm("NativeLayerNormBackward0", x, normalized_shape, weight, bias, true, eps);
}

Tensor rms_norm(const Tensor& x, IntSpan normalized_shape, const Tensor& weight, std::optional<double> eps) {
  check_normalized_shape("rms_norm", x, normalized_shape);
  check_parameter("weight", weight, x, normalized_shape);
  const double smallest = x.dtype() == DType::float64 ? std::numeric_limits<double>::epsilon()
                                                      : std::numeric_limits<float>::epsilon();
  return row_norm("RmsNormBackward0", x, normalized_shape, weight, {}, false, eps.value_or(smallest));
}

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  TG_CHECK(x.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", x.dim());
  TG_CHECK(groups > 0, "Expected num groups to be greater than 0, got ", groups);
  const int64_t channels = x.shape()[1];
  TG_CHECK(channels % groups == 0,
           "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
           to_string(x.shape()), " and num_groups=", groups);
  for (const Tensor* parameter : {&weight, &bias})
    TG_CHECK(!parameter->defined() || (parameter->dim() == 1 && parameter->numel() == channels), "Expected ",
             parameter == &weight ? "weight" : "bias",
             " to be a vector of size equal to the number of channels in input, but got ",
             parameter == &weight ? "weight" : "bias", " of shape ", to_string(parameter->shape()),
             " and input of shape ", to_string(x.shape()));
  if (x.numel() == 0) return x + 0;
  const int64_t n = x.numel() / (x.shape()[0] * groups);
  Tensor y = reshape(layer_norm(reshape(x, {{x.shape()[0], groups, n}}), {{n}}, {}, {}, eps), x.shape());
  Dims per_channel(x.dim() - 1, 1);
  per_channel[0] = channels;
  if (weight.defined()) y = y * reshape(weight, per_channel);
  if (bias.defined()) y = y + reshape(bias, per_channel);
  return y;
}

}  // namespace tapegrad
