// Batch and instance normalisation: channels.
#include <cmath>
#include <utility>

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/loops.h"
#include "ops/norm.h"
#include "ops/norm_formula.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

NormFormula normalization_formula(const Tensor& g, const Tensor& x, const Tensor& weight, DimMask mask,
                                  bool centered, double eps) {
  Dims dims;
  for (int i = 0; i < x.dim(); ++i)
    if (mask >> i & 1) dims.push_back(i);
  const Tensor centre = centered ? x - mean(x, dims, true) : x;
  const Tensor rstd = 1 / sqrt(mean(centre * centre, dims, true) + Scalar(eps));
  const Tensor z = centre * rstd;
  const Tensor h = weight.defined() ? g * weight : g;
  const Tensor inner = centered ? h - mean(h, dims, true) : h;
  return {rstd * (inner - z * mean(h * z, dims, true)), z};
}

namespace {

/// (N, C, ...) as (outer, channels, inner).
struct Channels {
  int64_t outer, channels, inner;
  explicit Channels(const Tensor& x) : outer(x.shape()[0]), channels(x.shape()[1]), inner(1) {
    for (int i = 2; i < x.dim(); ++i) inner *= x.shape()[i];
  }
  int64_t count() const { return outer * inner; }
  DimMask mask(int rank) const { return all_dims(rank) & ~DimMask{2}; }
};

/// A parameter of one value per channel in a shape that broadcasts to x.
Tensor per_channel(const Tensor& parameter, const Tensor& x) {
  if (!parameter.defined()) return parameter;
  Dims shape(x.dim() - 1, 1);
  shape[0] = parameter.numel();
  return reshape(parameter, shape);
}

template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

/// Samples that one thread takes at a time.
int64_t samples_per_task(const Channels& c) {
  return std::max<int64_t>(1, kReduceGrain / 2 / std::max<int64_t>(1, c.channels * c.inner));
}

/// y = (x - mean) rstd weight + bias.
Tensor normalize_channels(const Tensor& x, const Channels& c, const Tensor& mean, const Tensor& rstd,
                          const Tensor& weight, const Tensor& bias) {
  const Tensor y = empty(x.shape(), x.dtype()), scale = empty({{c.channels}}, x.dtype()),
               shift = empty({{c.channels}}, x.dtype());
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *w = data_or_null<T>(weight), *b = data_or_null<T>(bias);
    for (int64_t i = 0; i < c.channels; ++i) {
      scale.data<T>()[i] = rstd.data<T>()[i] * (w ? w[i] : T(1));
      shift.data<T>()[i] = (b ? b[i] : T(0)) - mean.data<T>()[i] * scale.data<T>()[i];
    }
  });
  const auto kernel = kernels->norm.channel_affine[x.dtype() == DType::float64];
  const int64_t slice = c.channels * c.inner * x.item_size();
  LongWorkScope scope(x.numel());
  parallel_for(0, c.outer, samples_per_task(c), [&](int64_t lo, int64_t hi) {
    kernel(x.raw() + lo * slice, scale.raw(), shift.raw(), y.raw() + lo * slice, hi - lo, c.channels,
           c.inner);
  });
  return y;
}

/// The sums over each channel of g and of g (x - mean), as rows 0 and 1.
Tensor channel_sums(const Tensor& g, const Tensor& x, const Channels& c, const Tensor& mean) {
  const int64_t step = samples_per_task(c), tasks = (c.outer + step - 1) / step, item = x.item_size();
  const Tensor partial = full_values({{tasks, 2, c.channels}}, 0, x.dtype());
  const auto kernel = kernels->norm.channel_sums[x.dtype() == DType::float64];
  const int64_t slice = c.channels * c.inner * item;
  {
    LongWorkScope scope(x.numel());
    parallel_for(0, c.outer, step, [&](int64_t lo, int64_t hi) {
      char* sums = partial.raw() + lo / step * 2 * c.channels * item;
      kernel(g.raw() + lo * slice, x.raw() + lo * slice, mean.raw(), sums, sums + c.channels * item, hi - lo,
             c.channels, c.inner);
    });
  }
  return reduce_values(ReduceOp::sum, partial, 1, {{2, c.channels}});
}

struct ChannelGradients {
  Tensor x, weight, bias;
};

// With z = (x - mean) rstd and m elements per channel: dx = rstd weight (g - mean(g) - z mean(g z)) for
// statistics of the batch (S. Ioffe and C. Szegedy, "Batch normalization", 2015), and rstd weight g for given
// ones.
ChannelGradients channel_gradients(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                   const Tensor& rstd, bool batch_statistics) {
  const Channels c(x);
  const Tensor sums = channel_sums(g, x, c, mean), dx = empty(x.shape(), x.dtype());
  const Tensor factors = empty({{3, c.channels}}, x.dtype());
  ChannelGradients result{dx, empty({{c.channels}}, x.dtype()), empty({{c.channels}}, x.dtype())};
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *w = data_or_null<T>(weight), *total = sums.data<T>(), *dot = total + c.channels;
    T *of_g = factors.data<T>(), *of_x = of_g + c.channels, *constant = of_x + c.channels;
    for (int64_t i = 0; i < c.channels; ++i) {
      const T r = rstd.data<T>()[i], scale = r * (w ? w[i] : T(1)), count = static_cast<T>(c.count());
      of_g[i] = scale;
      of_x[i] = batch_statistics ? -scale * r * r * dot[i] / count : T(0);
      constant[i] = batch_statistics ? -scale * total[i] / count - of_x[i] * mean.data<T>()[i] : T(0);
      result.weight.data<T>()[i] = dot[i] * r;
      result.bias.data<T>()[i] = total[i];
    }
  });
  const auto kernel = kernels->norm.channel_affine2[x.dtype() == DType::float64];
  const int64_t slice = c.channels * c.inner * x.item_size(), row = c.channels * x.item_size();
  LongWorkScope scope(x.numel());
  parallel_for(0, c.outer, samples_per_task(c), [&](int64_t lo, int64_t hi) {
    kernel(g.raw() + lo * slice, x.raw() + lo * slice, factors.raw(), factors.raw() + row,
           factors.raw() + 2 * row, dx.raw() + lo * slice, hi - lo, c.channels, c.inner);
  });
  return result;
}

void update_running(const Tensor& running, const Tensor& batch, double momentum) {
  if (!running.defined()) return;
  autograd::NoGrad no_grad;
  const Tensor updated = running * Scalar(1 - momentum) + batch * Scalar(momentum);
  copy_values(running, updated);
  running.bump_version();
}

void check_channels(const char* name, const Tensor& parameter, int64_t channels) {
  TG_CHECK(!parameter.defined() || parameter.numel() == channels, name, " should contain ", channels,
           " elements not ", parameter.defined() ? parameter.numel() : 0);
}

Tensor inverse_root(const Tensor& variance, double eps) {
  const Tensor result = empty(variance.shape(), variance.dtype());
  dispatch_floating(variance.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < variance.numel(); ++i)
      result.data<T>()[i] = static_cast<T>(1 / std::sqrt(static_cast<double>(variance.data<T>()[i]) + eps));
  });
  return result;
}

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum, double eps) {
  TG_CHECK(input.dim() >= 2, "batch_norm: expected at least 2 dimensions (batch, channels, ...), got ",
           to_string(input.shape()));
  TG_CHECK_AS(not_implemented, input.is_floating(), "\"batch_norm\" not implemented for '",
              scalar_type_name(input.dtype()), "'");
  const Channels c(input);
  TG_CHECK(training || running_mean.defined(), "running_mean must be defined in evaluation mode");
  TG_CHECK(training || running_var.defined(), "running_var must be defined in evaluation mode");
  check_channels("running_mean", running_mean, c.channels);
  check_channels("running_var", running_var, c.channels);
  check_channels("weight", weight, c.channels);
  check_channels("bias", bias, c.channels);
  TG_CHECK_VALUE(!training || c.count() != 1,
                 "Expected more than 1 value per channel when training, got input size torch.Size(",
                 to_string(input.shape()), ")");

  const Tensor x = row_major(input);
  Tensor mean, rstd;
  if (training) {
    const DimMask mask = c.mask(x.dim());
    mean = reduce_values(ReduceOp::sum, x, mask, {{c.channels}});
    divide_values(mean, static_cast<double>(c.count()));
    Tensor variance = reduce_values(ReduceOp::squared_deviation, x, mask, {{c.channels}}, mean);
    if (running_var.defined()) {
      const Tensor unbiased = contiguous_values(variance);
      divide_values(unbiased, static_cast<double>(c.count() - 1));
      update_running(running_var, unbiased, momentum);
    }
    update_running(running_mean, mean, momentum);
    divide_values(variance, static_cast<double>(c.count()));
    rstd = inverse_root(variance, eps);
  } else {
    mean = contiguous_values(cast_if_needed(running_mean, x.dtype()));
    rstd = inverse_root(row_major(cast_if_needed(running_var, x.dtype())), eps);
  }
  const auto parameter = [&](const Tensor& t) {
    return t.defined() ? row_major(cast_if_needed(t, x.dtype())) : t;
  };
  const Tensor y = normalize_channels(x, c, mean, rstd, parameter(weight), parameter(bias));
  return record(
      "NativeBatchNormBackward0", y, {input, weight, bias},
      {save(input), save(weight), save(mean), save(rstd)}, [training, eps](Backward& b) {
        const Tensor input = b.saved(0), weight = b.saved(1), mean = b.saved(2), rstd = b.saved(3);
        if (Backward::creates_graph()) {
          const Tensor &g = b.grad(), scale = per_channel(weight, input);
          NormFormula formula;
          if (training) {
            formula = normalization_formula(g, input, scale, Channels(input).mask(input.dim()), true, eps);
          } else {
            const Tensor inverse = per_channel(rstd, input);
            formula = {scale.defined() ? g * (scale * inverse) : g * inverse,
                       (input - per_channel(mean, input)) * inverse};
          }
          Dims but_channels;
          for (int i = 0; i < input.dim(); ++i)
            if (i != 1) but_channels.push_back(i);
          b.give(0, formula.dx);
          b.give(1, [&] { return sum(g * formula.normal, but_channels); });
          b.give(2, [&] { return sum(g, but_channels); });
          return;
        }
        const auto scale = weight.defined() ? row_major(cast_if_needed(weight, input.dtype())) : weight;
        const ChannelGradients d = channel_gradients(row_major(cast_if_needed(b.grad(), input.dtype())),
                                                     row_major(input), scale, mean, rstd, training);
        b.give(0, d.x);
        b.give(1, d.weight);
        b.give(2, d.bias);
      });
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats, double momentum,
                     double eps) {
  TG_CHECK(x.dim() >= 2, "instance_norm: expected at least 2 dimensions (batch, channels, ...), got ",
           to_string(x.shape()));
  TG_CHECK(use_input_stats || (running_mean.defined() && running_var.defined()),
           "Expected running_mean and running_var to be defined when use_input_stats is false");
  const int64_t batch = x.shape()[0], channels = x.shape()[1];
  Dims flat = x.shape();
  flat[0] = 1;
  flat[1] = batch * channels;
  // Every (sample, channel) is a channel of its own; the running statistics are averages over the samples.
  const auto repeated = [&](const Tensor& t) {
    return t.defined()
               ? reshape(expand(reshape(t, {{1, channels}}), {{batch, channels}}), {{batch * channels}})
               : t;
  };
  const auto own_copy = [&](const Tensor& t) { return t.defined() ? contiguous_values(repeated(t)) : t; };
  const Tensor means = own_copy(running_mean), variances = own_copy(running_var);
  const Tensor y = batch_norm(reshape(x, flat), means, variances, repeated(weight), repeated(bias),
                              use_input_stats, momentum, eps);
  if (use_input_stats) {
    const autograd::NoGrad no_grad;
    for (const auto& [running, samples] :
         {std::pair{running_mean, means}, std::pair{running_var, variances}}) {
      if (!running.defined()) continue;
      copy_values(running, mean(reshape(samples, {{batch, channels}}), Dims{0}));
      running.bump_version();
    }
  }
  return reshape(y, x.shape());
}

}  // namespace tapegrad
