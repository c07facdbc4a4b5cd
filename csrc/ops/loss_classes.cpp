// Losses of class indices and class probabilities.
#include <cmath>

#include "autograd/record.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/loss.h"
#include "ops/loss_reduction.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/softmax.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

int class_dim(const Tensor& input) { return input.dim() == 1 ? 0 : 1; }

/// Checks shapes and types of an input (C), (N, C) or (N, C, d...) against class indices.
void check_classes(const Tensor& input, const Tensor& target, const Tensor& weight) {
  const int rank = input.dim();
  const Dims &x = input.shape(), &t = target.shape();
  TG_CHECK_VALUE(rank >= 1, "Expected 1 or more dimensions (got ", rank,
                 "); the input holds one score per class.");
  if (rank == 1) {
    TG_CHECK_VALUE(target.numel() == 1 && target.dim() <= 1,
                   "For 1D input, 1D target must have size 1, but got target size: ", target.numel());
  } else {
    TG_CHECK_VALUE(target.dim() > 0 && t[0] == x[0], "Expected input batch_size (", x[0],
                   ") to match target batch_size (", target.dim() > 0 ? t[0] : 0, ").");
    if (rank == 2) {
      TG_CHECK(
          target.dim() == 1,
          "0D or 1D target tensor expected, multi-target not supported; the target holds class indices of "
          "shape [",
          x[0], "], got ", to_string(t));
    } else {
      Dims expected = x;
      expected.erase(1);
      TG_CHECK(t == expected, "Expected target size ", to_string(expected), ", got ", to_string(t));
    }
  }
  TG_CHECK(target.dtype() == DType::int64 || target.dtype() == DType::uint8,
           "expected target dtype to be Long or Byte, but got ", scalar_type_name(target.dtype()),
           "; convert class indices with .long().");
  const int64_t classes = x[class_dim(input)];
  TG_CHECK(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
           "weight tensor should be defined either for all ", classes,
           " classes or no classes but got weight tensor of shape: ", to_string(weight.shape()));
  TG_CHECK(!weight.defined() || weight.dtype() == input.dtype() || !input.is_floating(),
           "expected scalar type ", scalar_type_name(input.dtype()), " but found ",
           scalar_type_name(weight.dtype()), "; convert the weight with .to(input.dtype)");
}

/// Calls visit(element of target, position of the class in x, class) for targets that are not ignored.
template <class Visit>
void for_targets(const Tensor& target, const MiddleDim& m, int64_t ignore_index, Visit visit) {
  const int64_t* indices = target.data<int64_t>();
  for (int64_t o = 0, i = 0; o < m.outer; ++o)
    for (int64_t c = 0; c < m.inner; ++c, ++i) {
      const int64_t t = indices[i];
      if (t == ignore_index) continue;
      TG_CHECK_INDEX(t >= 0 && t < m.n, "Target ", t, " is out of bounds. Class indices must be in [0, ", m.n,
                     ").");
      visit(i, (o * m.n + t) * m.inner + c, t);
    }
}

struct ClassLoss {
  Tensor out;
  double total_weight;  // of the targets that are not ignored
};

/// Sums or lists weight[t] * (base - x[t]); `base` (one per target) is null for 0.
ClassLoss class_loss(const Tensor& x, const Tensor& base, const Tensor& target, const Tensor& weight,
                     LossReduction reduction, int64_t ignore_index) {
  const MiddleDim m(x.shape(), class_dim(x));
  const bool listed = reduction == LossReduction::none;
  ClassLoss result{listed ? full_values(target.shape(), 0, x.dtype()) : empty({}, x.dtype()), 0};
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *values = x.data<T>(), *weights = weight.defined() ? weight.data<T>() : nullptr;
    const T* bases = base.defined() ? base.data<T>() : nullptr;
    T* out = result.out.data<T>();
    double total = 0, total_weight = 0;
    for_targets(target, m, ignore_index, [&](int64_t i, int64_t position, int64_t t) {
      const T w = weights ? weights[t] : T(1), loss = w * ((bases ? bases[i] : T(0)) - values[position]);
      total_weight += static_cast<double>(w);
      if (listed)
        out[i] = loss;
      else
        total += static_cast<double>(loss);
    });
    if (!listed) *out = static_cast<T>(reduction == LossReduction::mean ? total / total_weight : total);
    result.total_weight = total_weight;
  });
  return result;
}

/// What all functions here need of the arguments.
struct ClassOptions {
  LossReduction reduction;
  int64_t ignore_index;
  double total_weight;
};

/// Calls add(target element, position, g weight / total) for each target that counts.
template <class T, class Add>
void for_target_gradients(const Tensor& g, const Tensor& target, const Tensor& weight, const MiddleDim& m,
                          const ClassOptions& options, Add add) {
  const T* gradients = g.data<T>();
  const T* weights = weight.defined() ? weight.data<T>() : nullptr;
  const bool listed = options.reduction == LossReduction::none;
  const T shared =
      listed ? T(0)
             : static_cast<T>(options.reduction == LossReduction::mean ? *gradients / options.total_weight
                                                                       : *gradients);
  for_targets(target, m, options.ignore_index, [&](int64_t i, int64_t position, int64_t t) {
    add(i, position, (listed ? gradients[i] : shared) * (weights ? weights[t] : T(1)));
  });
}

/// The adjoint of nll_loss: -g weight / total at the target classes of zeros of `shape`. Its own derivative
/// is nll_loss.
Tensor nll_adjoint(const Tensor& gradient, const Tensor& target, const Tensor& weight,
                   const SmallDims<4>& shape, const ClassOptions& options);

/// nll_loss after its checks.
Tensor recorded_nll(const Tensor& input, const Tensor& target, const Tensor& weight, LossReduction reduction,
                    int64_t ignore_index) {
  const Tensor x = input.is_contiguous() ? input : contiguous_values(input);
  const ClassLoss loss = class_loss(x, {}, target, weight, reduction, ignore_index);
  const ClassOptions options{reduction, ignore_index, loss.total_weight};
  return record(input.dim() <= 2 ? "NllLossBackward0" : "NllLoss2DBackward0", loss.out, {input},
                {save(target), save(weight)}, [options, shape = SmallDims<4>(input.shape())](Backward& b) {
                  return nll_adjoint(b.grad(), b.saved(0), b.saved(1), shape, options);
                });
}

Tensor nll_adjoint(const Tensor& gradient, const Tensor& target, const Tensor& weight,
                   const SmallDims<4>& shape, const ClassOptions& options) {
  const Tensor g = gradient.is_contiguous() ? gradient : contiguous_values(gradient);
  const Tensor dx = full_values(shape, 0, g.dtype());
  const MiddleDim m(shape, class_dim(dx));
  dispatch_floating(g.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = dx.data<T>();
    for_target_gradients<T>(g, target, weight, m, options,
                            [&](int64_t, int64_t position, T value) { out[position] = -value; });
  });
  return record(
      "NllLossBackwardBackward0", dx, {gradient}, {save(target), save(weight)}, [options](Backward& b) {
        return recorded_nll(b.grad(), b.saved(0), b.saved(1), options.reduction, options.ignore_index);
      });
}

/// Class indices and weights as the loops above read them.
Tensor index_values(const Tensor& target) {
  const Tensor indices = cast_if_needed(target, DType::int64);
  return indices.is_contiguous() ? indices : contiguous_values(indices);
}
Tensor weight_values(const Tensor& weight, const Tensor& input) {
  if (!weight.defined()) return weight;
  const Tensor values = cast_if_needed(weight, input.dtype());
  return values.is_contiguous() ? values : contiguous_values(values);
}

/// Softmax, logarithm and choice of class in one pass over the input.
Tensor fused_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                           LossReduction reduction, int64_t ignore_index) {
  const Tensor x = input.is_contiguous() ? input : contiguous_values(input);
  const int dim = class_dim(x);
  const Tensor log_total = logsumexp_values(x, DimMask{1} << dim, target.shape());
  const ClassLoss loss = class_loss(x, log_total, target, weight, reduction, ignore_index);
  const ClassOptions options{reduction, ignore_index, loss.total_weight};
  return record(input.dim() <= 2 ? "NllLossBackward0" : "NllLoss2DBackward0", loss.out, {input},
                {save(input), save(log_total), save(target), save(weight)}, [options, dim](Backward& b) {
                  const Tensor x = b.saved(0), target = b.saved(2), weight = b.saved(3);
                  if (Backward::creates_graph()) {
                    const Tensor at_target =
                        nll_adjoint(b.grad(), target, weight, SmallDims<4>(x.shape()), options);
                    return at_target - softmax(x, dim) * sum(at_target, Dims{dim}, true);
                  }
                  const Tensor g = b.grad().is_contiguous() ? b.grad() : contiguous_values(b.grad());
                  const Tensor scale = full_values(target.shape(), 0, x.dtype());
                  const MiddleDim m(x.shape(), dim);
                  Tensor dx;
                  dispatch_floating(x.dtype(), [&](auto tag) {
                    using T = typename decltype(tag)::type;
                    T* scales = scale.data<T>();
                    for_target_gradients<T>(g, target, weight, m, options,
                                            [&](int64_t i, int64_t, T value) { scales[i] = value; });
                    dx = scaled_exp_values(x, dim, b.saved(1), scale);
                    T* out = dx.data<T>();
                    for_targets(target, m, options.ignore_index,
                                [&](int64_t i, int64_t position, int64_t) { out[position] -= scales[i]; });
                  });
                  return dx;
                });
}

Tensor reduce_listed(const Tensor& listed, LossReduction reduction, const Tensor& total) {
  if (reduction == LossReduction::none) return listed;
  return reduction == LossReduction::sum ? sum(listed) : sum(listed) / total;
}

/// Weights along the class dimension of `input`.
Tensor class_weights(const Tensor& weight, const Tensor& input) {
  Dims shape(input.dim(), 1);
  shape[class_dim(input)] = weight.numel();
  return reshape(weight, shape);
}

Tensor probability_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                                 LossReduction reduction, double label_smoothing) {
  TG_CHECK(target.is_floating(), "Expected floating point type for target with class probabilities, got ",
           scalar_type_name(target.dtype()));
  const int dim = class_dim(input);
  const int64_t classes = input.dim() == 0 ? 1 : input.shape()[dim];
  TG_CHECK(!weight.defined() || weight.numel() == classes,
           "cross_entropy: weight tensor should be defined either for all ", classes,
           " classes or no classes but got weight tensor of shape: ", to_string(weight.shape()));
  const Tensor smooth = label_smoothing > 0 ? target * Scalar(1 - label_smoothing) +
                                                  Scalar(label_smoothing / static_cast<double>(classes))
                                            : target;
  Tensor products = log_softmax(input, dim) * smooth;
  if (weight.defined()) products = products * class_weights(weight, input);
  const Tensor listed = -sum(products, Dims{dim});
  return reduction == LossReduction::mean ? sum(listed) / Scalar(static_cast<double>(listed.numel()))
                                          : reduce_listed(listed, reduction, {});
}

Tensor smoothed_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                              LossReduction reduction, int64_t ignore_index, double label_smoothing) {
  const int dim = class_dim(input);
  const Tensor log_probabilities = log_softmax(input, dim);
  const Tensor nll = recorded_nll(log_probabilities, target, weight, reduction, ignore_index);
  const Tensor counted = ne(target, Scalar(ignore_index));
  const Tensor products =
      weight.defined() ? log_probabilities * class_weights(weight, input) : log_probabilities;
  const Tensor listed = where(reshape(counted, reduced_shape(input.shape(), DimMask{1} << dim, false)),
                              -sum(products, Dims{dim}), 0);
  Tensor total;
  if (reduction == LossReduction::mean && weight.defined()) {
    const Tensor chosen = index_select(weight, 0, reshape(where(counted, target, 0), {{-1}}));
    total = sum(where(counted, reshape(chosen, target.shape()), 0));
  } else {
    total = sum(counted);
  }
  const double share = label_smoothing / static_cast<double>(input.shape()[dim]);
  return nll * Scalar(1 - label_smoothing) + reduce_listed(listed, reduction, total) * Scalar(share);
}

}  // namespace

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight, std::string_view reduction,
                int64_t ignore_index) {
  const LossReduction kind = parse_loss_reduction(reduction);
  check_classes(input, target, weight);
  TG_CHECK_AS(not_implemented, input.is_floating(), "\"nll_loss_out_frame\" not implemented for '",
              scalar_type_name(input.dtype()), "'");
  return recorded_nll(input, index_values(target), weight_values(weight, input), kind, ignore_index);
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                     std::string_view reduction, int64_t ignore_index, double label_smoothing) {
  const LossReduction kind = parse_loss_reduction(reduction);
  TG_CHECK(label_smoothing >= 0 && label_smoothing <= 1,
           "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  if (input.shape() == target.shape()) {
    TG_CHECK(ignore_index < 0, "ignore_index is not supported for floating point target");
    return probability_cross_entropy(input, target, weight, kind, label_smoothing);
  }
  check_classes(input, target, weight);
  TG_CHECK_AS(not_implemented, input.is_floating(),
              "\"log_softmax_lastdim_kernel_impl\" not implemented for '", scalar_type_name(input.dtype()),
              "' (convert the input with .float())");
  const Tensor indices = index_values(target), weights = weight_values(weight, input);
  if (label_smoothing > 0)
    return smoothed_cross_entropy(input, indices, weights, kind, ignore_index, label_smoothing);
  return fused_cross_entropy(input, indices, weights, kind, ignore_index);
}

}  // namespace tapegrad
