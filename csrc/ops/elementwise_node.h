// Recording and differentiating elementwise operations. Included by elementwise.h.
#pragma once
#include "autograd/gradient_ops.h"
#include "ops/elementwise.h"
#include "ops/formula.h"

namespace tapegrad {

template <class Op>
std::string ElementwiseNode<Op>::name() const {
  if (is_scalar_ && Op::node_name_with_number) return Op::node_name_with_number;
  return Op::node_name ? Op::node_name : backward_name(Op::name);
}

template <class Op>
void ElementwiseNode<Op>::capture(std::span<const Operand> operands, bool clone_first) {
  constexpr unsigned uses[] = {Op::uses_a, Op::uses_b, Op::uses_c};
  unsigned needed = 0;
  for (int i = 0; i < Op::arity; ++i) {
    if (!operands[i].is_tensor() || uses[i] == kNone) continue;
    autograd::Edge& edge = this->storage_[i];
    edge = autograd::gradient_edge(operands[i].tensor());
    if (!edge.node) continue;
    needed |= uses[i];
    if (edge.node->depth >= this->depth) this->depth = edge.node->depth + 1;
  }
  for (int i = 0; i < Op::arity; ++i) {
    if (!operands[i].is_tensor()) {
      scalars_[i] = operands[i].scalar();
      is_scalar_ |= static_cast<uint8_t>(1 << i);
    } else if (needed >> i & 1) {
      const bool overwritten = clone_first && i == 0;
      saved_[i] = autograd::SavedTensor(
          overwritten ? autograd::gradient_ops.clone(operands[i].tensor()) : operands[i].tensor(), false);
    }
  }
}

template <class Op>
template <int I>
void ElementwiseNode<Op>::differentiate(const Tensor& g, std::span<Tensor> results) {
  constexpr unsigned uses = uses_of<Op, I>;
  if constexpr (uses != kNone) {
    if (!this->needs_input_gradient(I)) return;
    Tensor values[4];
    for (int i = 0; i < Op::arity; ++i)
      if (uses >> i & 1)
        values[i] = is_scalar_ >> i & 1 ? wrap_scalar(scalars_[i], g) : saved_[i].unpack(this);
    if (uses & kY) values[3] = output_.unpack(this);
    if (Op::mask_first || uses == kNothing || autograd::grad_enabled()) {
      SavedValues<Tensor> saved{values[0], values[1], values[2], values[3]};
      results[I] = gradient<I>(op_, g, saved);
    } else {
      Operand operands[5] = {Operand(g), Scalar(), Scalar(), Scalar(), Scalar()};
      int count = 1;
      for (int i = 0; i < 4; ++i)
        if (uses >> i & 1) operands[count++] = Operand(values[i]);
      results[I] =
          run_elementwise_backward(elementwise_info<Op>, I, &op_, {operands, static_cast<size_t>(count)});
    }
  }
}

template <class Op>
void ElementwiseNode<Op>::apply(std::span<Tensor> gradients, std::span<Tensor> results) {
  if (saved_released) [[unlikely]]
    autograd::fail_backward_twice(*this);
  differentiate<0>(gradients[0], results);
  if constexpr (Op::arity > 1) differentiate<1>(gradients[0], results);
  if constexpr (Op::arity > 2) differentiate<2>(gradients[0], results);
}

template <class Op>
Tensor elementwise_recorded(const Op& op, std::span<const Operand> operands) {
  Tensor out = run_elementwise(elementwise_info<Op>, &op, operands);
  if (!out.is_floating()) return out;
  auto* node = new ElementwiseNode<Op>(op);
  Ref<autograd::Node> owner(node);
  node->capture(operands, false);
  autograd::set_history(out, std::move(owner));
  node->capture_output(out);
  return out;
}

template <class Op>
const Tensor& elementwise_inplace(const Op& op, std::span<const Operand> operands) {
  const Tensor& self = operands[0].tensor();
  bool records = false;
  if (autograd::grad_enabled())
    for (const Operand& operand : operands) records |= is_differentiable<Op> && is_tracked_operand(operand);
  autograd::check_inplace(self, records);
  if (!records) {
    run_elementwise(elementwise_info<Op>, &op, operands, &self);
    self.bump_version();
    return self;
  }
  auto* node = new ElementwiseNode<Op>(op);
  Ref<autograd::Node> owner(node);
  node->capture(operands, true);
  run_elementwise(elementwise_info<Op>, &op, operands, &self);
  self.bump_version();
  autograd::rebase_history(self, std::move(owner));
  node->capture_output(self);
  return self;
}

}  // namespace tapegrad
