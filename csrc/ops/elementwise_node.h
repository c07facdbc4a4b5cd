// Recording and differentiating elementwise operations. Included by elementwise.h.
#pragma once
#include "autograd/gradient_ops.h"
#include "ops/elementwise.h"
#include "ops/formula.h"

namespace tapegrad {

template <class Op>
std::string ElementwiseNode<Op>::name() const {
  if constexpr (requires { op_.node_name_here; })
    if (op_.node_name_here) return op_.node_name_here;
  if (is_scalar_ & 1 && Op::node_name_with_first_number) return Op::node_name_with_first_number;
  if (is_scalar_ && Op::node_name_with_number) return Op::node_name_with_number;
  return Op::node_name ? Op::node_name : backward_name(Op::name);
}

template <class Op>
void ElementwiseNode<Op>::capture(std::span<const Operand> operands, bool clone_first, unsigned duals) {
  static constexpr unsigned uses[] = {Op::uses_a, Op::uses_b, Op::uses_c};
  unsigned needed = 0;
  for (int i = 0; i < Op::arity; ++i) {
    if (!operands[i].is_tensor() || uses[i] == kNone) continue;
    autograd::Edge& edge = this->storage_[i];
    edge = autograd::gradient_edge(operands[i].tensor());
    if (edge.node || duals >> i & 1) needed |= uses[i];
    if (edge.node && edge.node->depth >= this->depth) this->depth = edge.node->depth + 1;
  }
  for (int i = 0; i < Op::arity; ++i) {
    if (!operands[i].is_tensor()) {
      scalars_[i] = operands[i].scalar();
      is_scalar_ |= static_cast<uint8_t>(1 << i);
    } else if (needed >> i & 1) {
      const Tensor& operand = operands[i].tensor();
      const bool overwritten = clone_first && i == 0;
      // An operand that is written along with the first is about to get this node as its history. Only an
      // alias without history can be kept then; it is refused when it is unpacked, because its version is
      // old.
      const bool aliased = clone_first && i > 0 && operand->storage == operands[0].tensor()->storage &&
                           !operand->detached_version;
      saved_[i] =
          autograd::SavedTensor(overwritten ? autograd::gradient_ops.clone(operand) : operand, aliased);
    }
  }
}

template <class Op>
template <int I>
Tensor ElementwiseNode<Op>::differentiate(const Tensor& g, bool last) {
  constexpr unsigned uses = uses_of<Op, I>;
  if constexpr (uses == kNone) {
    return {};
  } else {
    Tensor values[4];
    for (int i = 0; i < Op::arity; ++i)
      if (uses >> i & 1)
        values[i] = is_scalar_ >> i & 1 ? wrap_scalar(scalars_[i], g) : saved_[i].unpack(this);
    if (uses & kY) values[3] = output_.unpack(this);
    if (Op::mask_first || uses == kNothing || autograd::differentiating())
      return gradient<I>(op_, g, SavedValues<Tensor>{values[0], values[1], values[2], values[3]});
    Operand operands[5] = {Operand(g), Scalar(), Scalar(), Scalar(), Scalar()};
    int count = 1;
    for (int i = 0; i < 4; ++i)
      if (uses >> i & 1) operands[count++] = Operand(values[i]);
    return run_elementwise_backward(elementwise_info<Op>, I, &op_, {operands, static_cast<size_t>(count)},
                                    last && g.is_unshared());
  }
}

template <class Op>
void ElementwiseNode<Op>::apply(std::span<Tensor> gradients, std::span<Tensor> results) {
  if (saved_released) [[unlikely]]
    autograd::fail_backward_twice(*this);
  // Nobody needs the arriving gradient after the last derivative, but hooks of the node, which see it then.
  const auto wants = [this](int i) { return i < Op::arity && this->needs_input_gradient(i); };
  const bool hooks = this->has_node_hooks();
  if (wants(0)) results[0] = differentiate<0>(gradients[0], !hooks && !wants(1) && !wants(2));
  if constexpr (Op::arity > 1)
    if (wants(1)) results[1] = differentiate<1>(gradients[0], !hooks && !wants(2));
  if constexpr (Op::arity > 2)
    if (wants(2)) results[2] = differentiate<2>(gradients[0], !hooks);
}

template <class Op>
Tensor ElementwiseNode<Op>::tangent(const Tensor& out, std::span<const Tensor> tangents) {
  const autograd::NoForward off;
  bool tracked = this->output_count() > 0;
  for (const Tensor& t : tangents) tracked |= t.defined() && autograd::requires_grad(t);
  const autograd::GradModeGuard mode(autograd::grad_enabled() && tracked);
  Tensor terms[Op::arity];
  const auto in_type_of = [&](const Tensor& t) {
    return t.dtype() == out.dtype() ? t : autograd::gradient_ops.cast(t, out.dtype());
  };
  if (tangents[0].defined()) terms[0] = differentiate<0>(in_type_of(tangents[0]), false);
  if constexpr (Op::arity > 1)
    if (tangents[1].defined()) terms[1] = differentiate<1>(in_type_of(tangents[1]), false);
  if constexpr (Op::arity > 2)
    if (tangents[2].defined()) terms[2] = differentiate<2>(in_type_of(tangents[2]), false);
  return autograd::sum_of_terms(out, terms);
}

/// The tangents of an elementwise operation's operands, taken before it may overwrite the first.
template <class Op>
struct OperandTangents {
  explicit OperandTangents(std::span<const Operand> operands) {
    if (!autograd::modes.forward) [[likely]]
      return;
    for (int i = 0; i < Op::arity; ++i) {
      if (operands[i].is_tensor()) values[i] = autograd::tangent(operands[i].tensor());
      if (values[i].defined()) present |= 1u << i;
    }
  }
  Tensor values[Op::arity];
  unsigned present = 0;
};

inline bool tracks_any(std::span<const Operand> operands) {
  if (!autograd::grad_enabled()) return false;
  for (const Operand& operand : operands)
    if (is_tracked_operand(operand)) return true;
  return false;
}

template <class Op>
Tensor elementwise_recorded(const Op& op, std::span<const Operand> operands) {
  Tensor out = run_elementwise(elementwise_info<Op>, &op, operands);
  if (!out.is_floating()) return out;
  const OperandTangents<Op> tangents(operands);
  auto* node = new ElementwiseNode<Op>(op);
  Ref<autograd::Node> owner(node);
  node->capture(operands, false, tangents.present);
  if (!tangents.present || tracks_any(operands)) [[likely]]
    autograd::set_history(out, owner);
  node->capture_output(out);
  if (tangents.present) [[unlikely]] {
    autograd::make_dual(out, node->tangent(out, tangents.values));
    node->carry_tangent(out);
  }
  return out;
}

template <class Op>
const Tensor& elementwise_inplace(const Op& op, std::span<const Operand> operands) {
  const Tensor& self = operands[0].tensor();
  if constexpr (requires { Op::replaces_history; })
    if (tracks_any(operands)) return compared_inplace(elementwise_info<Op>, &op, operands);
  const bool records = is_differentiable<Op> && tracks_any(operands);
  autograd::check_inplace(self, records);
  const OperandTangents<Op> tangents(operands);
  if (!records && !tangents.present) {
    run_elementwise(elementwise_info<Op>, &op, operands, &self);
    self.bump_version();
    return self;
  }
  auto* node = new ElementwiseNode<Op>(op);
  Ref<autograd::Node> owner(node);
  node->capture(operands, true, tangents.present);
  run_elementwise(elementwise_info<Op>, &op, operands, &self);
  self.bump_version();
  if (records) autograd::rebase_history(self, owner);
  node->capture_output(self);
  if (tangents.present) [[unlikely]] {
    autograd::write_tangent(self, node->tangent(self, tangents.values));
    node->carry_tangent(self);
  }
  return self;
}

}  // namespace tapegrad
