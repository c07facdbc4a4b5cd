// Elementwise losses: one node that computes, sums and differentiates.
#include "ops/loss.h"

#include "autograd/record.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/loss_reduction.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// Derivative of operand I for the gradient `g` of the elements.
template <int I, class Op>
Tensor element_gradient(const Op& op, const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& c) {
  if (Backward::creates_graph()) return gradient<I>(op, g, SavedValues<Tensor>{a, b, c, {}});
  constexpr unsigned uses = uses_of<Op, I>;
  Operand operands[4] = {Operand(g), Scalar(), Scalar(), Scalar()};
  size_t count = 1;
  if constexpr ((uses & kA) != 0) operands[count++] = Operand(a);
  if constexpr ((uses & kB) != 0) operands[count++] = Operand(b);
  if constexpr ((uses & kC) != 0) operands[count++] = Operand(c);
  return run_elementwise_backward(elementwise_info<Op>, I, &op, {operands, count});
}

/// The loss `op` of a and b (and c, for operations of three operands).
template <class Op>
Tensor reduced_loss(const char* node_name, const Op& op, LossReduction reduction, const Tensor& a,
                    const Tensor& b, const Tensor& c = {}) {
  TG_CHECK_AS(not_implemented, a.is_floating() || b.is_floating(), "\"", Op::name,
              "_cpu\" not implemented for '", scalar_type_name(a.dtype()),
              "' (convert the input with .float())");
  const Operand operands[] = {Operand(a), Operand(b), Operand(c)};
  Tensor out = run_elementwise(elementwise_info<Op>, &op, {operands, Op::arity});
  const SmallDims<4> shape(out.shape());
  const int64_t divisor = reduction == LossReduction::mean ? out.numel() : 1;
  if (reduction != LossReduction::none) {
    out = reduce_values(ReduceOp::sum, out, all_dims(out.dim()), {});
    if (reduction == LossReduction::mean) divide_values(out, static_cast<double>(divisor));
  }
  return record(node_name, out, {a, b}, {save(a), save(b), save(c)},
                [op, reduction, shape, divisor](Backward& ctx) {
                  const Tensor g = reduction == LossReduction::none
                                       ? ctx.grad()
                                       : spread(ctx.grad(), shape, all_dims(shape.size()), false, divisor);
                  const Tensor a = ctx.saved(0), b = ctx.saved(1), c = ctx.saved(2);
                  ctx.give(0, [&] { return element_gradient<0>(op, g, a, b, c); });
                  ctx.give(1, [&] { return element_gradient<1>(op, g, a, b, c); });
                });
}

/// Applies optional weights to a loss computed with reduction "none".
Tensor weighted(const Tensor& loss, const Tensor& weight, LossReduction reduction) {
  const Tensor product = loss * weight;
  if (reduction == LossReduction::none) return product;
  return reduction == LossReduction::mean ? mean(product) : sum(product);
}

std::string size_text(const Tensor& x) { return "torch.Size(" + to_string(x.shape()) + ")"; }

void check_probabilities(const char* what, const Tensor& x) {
  if (x.numel() == 0) return;
  const DimMask all = all_dims(x.dim());
  const Tensor low = reduce_values(ReduceOp::min, x, all, {}),
               high = reduce_values(ReduceOp::max, x, all, {});
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    TG_CHECK(*low.data<T>() >= T(0) && *high.data<T>() <= T(1), "all elements of ", what,
             " should be between 0 and 1; apply a "
             "sigmoid first, or use binary_cross_entropy_with_logits.");
  });
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  return reduced_loss("MseLossBackward0", MseLoss{}, parse_loss_reduction(reduction), input, target);
}
Tensor l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  return reduced_loss("L1LossBackward0", L1Loss{}, parse_loss_reduction(reduction), input, target);
}
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double beta) {
  TG_CHECK(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
  if (beta == 0) return l1_loss(input, target, reduction);
  SmoothL1Loss op;
  op.beta = beta;
  return reduced_loss("SmoothL1LossBackward0", op, parse_loss_reduction(reduction), input, target);
}
Tensor huber_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double delta) {
  TG_CHECK(delta > 0, "huber_loss does not support non-positive values for delta.");
  HuberLoss op;
  op.delta = delta;
  return reduced_loss("HuberLossBackward0", op, parse_loss_reduction(reduction), input, target);
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            std::string_view reduction) {
  TG_CHECK_VALUE(input.shape() == target.shape(), "Using a target size (", size_text(target),
                 ") that is different to the input size (", size_text(input),
                 ") is deprecated. Please ensure they have the same size.");
  TG_CHECK(target.dtype() == input.dtype(), "Found dtype ", scalar_type_name(target.dtype()),
           " but expected ", scalar_type_name(input.dtype()), "; convert the target with .to(input.dtype)");
  check_probabilities("input", input);
  check_probabilities("target", target);
  const LossReduction kind = parse_loss_reduction(reduction);
  const LossReduction inner = weight.defined() ? LossReduction::none : kind;
  const Tensor loss = reduced_loss("BinaryCrossEntropyBackward0", BinaryCrossEntropy{}, inner, input, target);
  return weight.defined() ? weighted(loss, weight, kind) : loss;
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, std::string_view reduction) {
  TG_CHECK_VALUE(input.shape() == target.shape(), "Target size (", size_text(target),
                 ") must be the same as input size (", size_text(input), ")");
  TG_CHECK(target.dtype() != DType::bool_,
           "Subtraction, the `-` operator, with two bool tensors is not supported. Convert the target with "
           ".to(input.dtype).");
  TG_CHECK(target.is_floating(), "result type Float can't be cast to the desired output type ",
           scalar_type_name(target.dtype()), "; convert the target with .to(input.dtype)");
  TG_CHECK_AS(not_implemented, input.is_floating(), "\"log_sigmoid_cpu\" not implemented for '",
              scalar_type_name(input.dtype()), "' (convert the input with .float())");
  constexpr const char* kName = "BinaryCrossEntropyWithLogitsBackward0";
  const LossReduction kind = parse_loss_reduction(reduction);
  const LossReduction inner = weight.defined() ? LossReduction::none : kind;
  const Tensor loss =
      pos_weight.defined()
          ? reduced_loss(kName, WeightedBinaryCrossEntropy{}, inner, input, target, pos_weight)
          : reduced_loss(kName, BinaryCrossEntropyWithLogits{}, inner, input, target);
  return weight.defined() ? weighted(loss, weight, kind) : loss;
}

Tensor kl_div(const Tensor& input, const Tensor& target, std::string_view reduction, bool log_target) {
  TG_CHECK(input.is_floating() && target.is_floating(),
           "kl_div: Integral inputs not supported. Convert the input and the target with .float().");
  const bool per_batch = reduction == "batchmean";
  const LossReduction kind = per_batch ? LossReduction::sum : parse_loss_reduction(reduction);
  const Tensor loss = log_target ? reduced_loss("KlDivBackward0", KlDivLog{}, kind, input, target)
                                 : reduced_loss("KlDivBackward0", KlDiv{}, kind, input, target);
  return per_batch ? loss / Scalar(input.dim() == 0 ? int64_t{1} : input.shape()[0]) : loss;
}

}  // namespace tapegrad
