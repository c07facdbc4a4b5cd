// Elementwise operations on tensors: check -> promote -> broadcast -> kernel -> record the derivative.
#pragma once
#include "autograd/record.h"
#include "core/scalar.h"
#include "core/tensor.h"
#include "kernels/elementwise_defs.h"

namespace tapegrad {

/// A tensor or a Python number.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}
  Operand(Scalar scalar) : scalar_(scalar) {}
  bool is_tensor() const { return tensor_ != nullptr; }
  const Tensor& tensor() const { return *tensor_; }
  Scalar scalar() const { return scalar_; }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar scalar_;
};

/// PyTorch's promotion: the category decides first; within a category, dimensioned tensors outrank 0-dim
/// ones, which outrank Python numbers.
/// https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
DType result_type(std::span<const Operand> operands);

/// What the untyped part of an elementwise operation needs to know.
struct ElementwiseInfo {
  const char* name;
  int index;  // in the kernel table
  Domain domain;
  bool returns_bool;
  bool mask_first;
};
template <class Op>
constexpr ElementwiseInfo elementwise_info{Op::name, op_index<Op>, Op::domain, Op::returns_bool,
                                           Op::mask_first};

/// Computes without recording. With `out`, writes there (in place if it is an operand): shape and type are
/// checked.
Tensor run_elementwise(const ElementwiseInfo& info, const void* op, std::span<const Operand> operands,
                       const Tensor* out = nullptr);
/// The fused derivative of operand i: `operands` are g and what the derivative uses. With `overwrite` the
/// result may take the place of g.
Tensor run_elementwise_backward(const ElementwiseInfo& info, int i, const void* op,
                                std::span<const Operand> operands, bool overwrite = false);
/// "TanhBackward0" from "tanh".
std::string backward_name(const char* op_name);
/// A 0-dim tensor with the value of a number, of the type that the number has in an operation on `like`.
Tensor wrap_scalar(Scalar scalar, const Tensor& like);

/// Node of an elementwise operation; edges in the order of the operands.
template <class Op>
class ElementwiseNode final : public autograd::NodeWithEdges<Op::arity> {
  using autograd::Node::saved_released;

 public:
  explicit ElementwiseNode(const Op& op) : op_(op) {}

  /// Takes the histories and values of the operands. `clone_first`: the first operand is about to be
  /// overwritten. `duals`: the operands whose tangents will be asked for, as bits.
  void capture(std::span<const Operand> operands, bool clone_first, unsigned duals = 0);
  /// The tangent of the result from those of the operands: see Note [Forward mode].
  Tensor tangent(const Tensor& out, std::span<const Tensor> tangents);
  void capture_output(const Tensor& out) {
    if constexpr (((Op::uses_a | Op::uses_b | Op::uses_c) & kY) != 0)
      output_ = autograd::SavedTensor::of_output(out);
  }

  void carry_tangent(const Tensor& out) const { output_.carry_tangent(out); }

  std::string name() const override;
  void apply(std::span<Tensor> gradients, std::span<Tensor> results) override;
  void release_saved() override {
    if (!kSaves) return;
    for (auto& saved : saved_) saved.reset();
    output_.reset();
    saved_released = true;
  }
  void visit_saved(autograd::SavedVisitor& visitor) override {
    constexpr const char* names[] = {"self", "other", "third"};
    constexpr unsigned used = mask(Op::uses_a) | mask(Op::uses_b) | mask(Op::uses_c);
    for (int i = 0; i < Op::arity; ++i) {
      if ((used >> i & 1) == 0) continue;
      if (is_scalar_ >> i & 1)
        visitor.number(names[i], scalars_[i]);
      else
        visitor.tensor(names[i], saved_[i]);
    }
    if constexpr ((used & kY) != 0) visitor.tensor("result", output_);
  }

 private:
  static constexpr unsigned mask(unsigned uses) { return uses == kNone ? 0 : uses; }
  static constexpr bool kSaves = (mask(Op::uses_a) | mask(Op::uses_b) | mask(Op::uses_c)) != 0;
  [[no_unique_address]] Op op_;
  autograd::SavedTensor saved_[Op::arity];
  Scalar scalars_[Op::arity > 1 ? Op::arity : 1];
  uint8_t is_scalar_ = 0;
  autograd::SavedTensor output_;

  /// Operand I's derivative times g; undefined when it is not differentiable. It may come in the memory of g
  /// if this is the `last` use of that.
  template <int I>
  Tensor differentiate(const Tensor& g, bool last);
};

template <class Op>
Tensor elementwise_recorded(const Op& op, std::span<const Operand> operands);
template <class Op>
const Tensor& elementwise_inplace(const Op& op, std::span<const Operand> operands);

/// A comparison written over a tensor with history: nothing flows back through it.
const Tensor& compared_inplace(const ElementwiseInfo& info, const void* op,
                               std::span<const Operand> operands);

inline bool is_tracked_operand(const Operand& operand) {
  return operand.is_tensor() && autograd::requires_grad(operand.tensor());
}
inline bool is_differentiated_operand(const Operand& operand) {
  return operand.is_tensor() && (autograd::is_tracked(operand.tensor()) ||
                                 (autograd::modes.forward && autograd::is_dual(operand.tensor())));
}

/// The operation `op` applied to its operands.
template <class Op, class... Operands>
Tensor elementwise(const Op& op, const Operands&... arguments) {
  const Operand operands[] = {Operand(arguments)...};
  if constexpr (is_differentiable<Op>)
    if (autograd::differentiating() && (is_differentiated_operand(Operand(arguments)) || ...))
      return elementwise_recorded(op, operands);
  return run_elementwise(elementwise_info<Op>, &op, operands);
}

/// The in-place form: writes into the first operand and returns it.
template <class Op, class... Operands>
const Tensor& elementwise_(const Op& op, const Tensor& self, const Operands&... others) {
  const Operand operands[] = {Operand(self), Operand(others)...};
  return elementwise_inplace(op, operands);
}

/// The out= form: refuses tensors that need gradients, as PyTorch does.
template <class Op, class... Operands>
const Tensor& elementwise_out(const Op& op, const Tensor& out, const Operands&... arguments) {
  const Operand operands[] = {Operand(arguments)...};
  autograd::check_writable(out);
  if constexpr (is_differentiable<Op>)
    for (const Operand& operand : operands)
      autograd::check_out(Op::name, out, operand.is_tensor() ? operand.tensor() : out);
  run_elementwise(elementwise_info<Op>, &op, operands, &out);
  out.bump_version();
  return out;
}

}  // namespace tapegrad

#include "ops/elementwise_node.h"
