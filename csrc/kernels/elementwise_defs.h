// The elementwise operations: one struct each, value and derivative together.
//
// `forward` on Vec<T> is the kernel. The derivative on Vec<T> is the fused backward kernel; the same text on
// Tensor is the differentiable formula used when a graph of the derivative is wanted. The base class says
// what the derivative reads, and only that is saved:
//   unary    FromOutput: grad(g, y)   FromInput: grad(g, x)   FromBoth: grad(g, x, y)   Linear: grad(g)
//            Flat: the derivative is zero   NoGradient: not differentiable
//   binary   Binary<what grad_a reads, what grad_b reads>: grad_a(g, s), grad_b(g, s) with s.a, s.b, s.y
//   ternary  Ternary<...>: also grad_c and s.c
// An operation with parameters has them as members, of type double, int64_t or bool. To add an operation:
// write its struct, put it into a list at the end of a family file, give it a row in tests/op_table.
#pragma once
#include "kernels/element_types.h"

namespace tapegrad {

/// Which element types an operation computes in.
enum class Domain {
  floating,  // float and double; integers are converted to the default floating type first
  real,      // float and double; integers are refused
  number,    // all but bool
  any,       // all; bool computes with 0 and 1
  bits,      // bool and integers
  integers
};

enum Uses : unsigned { kNothing = 0, kA = 1, kB = 2, kC = 4, kY = 8, kNone = 16 };

struct Elementwise {
  static constexpr Domain domain = Domain::floating;
  static constexpr bool returns_bool = false;
  static constexpr bool mask_first = false;  // the first operand is a bool tensor, forward sees a Mask
  static constexpr const char* node_name = nullptr;  // PyTorch's, where it is not the title-cased name
  // If PyTorch has another one when an operand, or the first one, is a number.
  static constexpr const char* node_name_with_number = nullptr;
  static constexpr const char* node_name_with_first_number = nullptr;
  static constexpr unsigned uses_a = kNone, uses_b = kNone, uses_c = kNone;
  static constexpr bool takes_number = true;   // the second operand of the function may be a Python number
  static constexpr bool number_first = false;  // the first one, too
  static constexpr bool binds_itself = true;   // false: the Python function needs more than the operands
};

struct Unary : Elementwise {
  static constexpr int arity = 1;
};
struct NoGradient : Unary {};
struct Linear : Unary {
  static constexpr unsigned uses_a = kNothing;
};
struct FromInput : Unary {
  static constexpr unsigned uses_a = kA;
};
struct FromOutput : Unary {
  static constexpr unsigned uses_a = kY;
};
struct FromBoth : Unary {
  static constexpr unsigned uses_a = kA | kY;
};
struct Flat : Linear {
  static auto grad(const auto& g) { return zero_like(g); }
};

template <unsigned A, unsigned B>
struct Binary : Elementwise {
  static constexpr int arity = 2;
  static constexpr unsigned uses_a = A, uses_b = B;
};
struct Comparison : Binary<kNone, kNone> {
  static constexpr Domain domain = Domain::any;
  static constexpr bool returns_bool = true;
};

/// A comparison of values: written over a tensor it replaces the tensor's history, as PyTorch's do.
struct Ordering : Comparison {
  static constexpr bool replaces_history = true;
};

template <unsigned A, unsigned B, unsigned C>
struct Ternary : Elementwise {
  static constexpr int arity = 3;
  static constexpr unsigned uses_a = A, uses_b = B, uses_c = C;
};

/// What a derivative may read; only the members named by `uses` are set.
template <class V>
struct SavedValues {
  V a, b, c, y;
};

/// Derivative of operand I: gradient(op, g, saved).
template <int I, class Op, class V>
inline __attribute__((always_inline)) V gradient(const Op& op, const V& g, const SavedValues<V>& s) {
  if constexpr (Op::arity == 1) {
    if constexpr (Op::uses_a == kA) return op.grad(g, s.a);
    if constexpr (Op::uses_a == kY) return op.grad(g, s.y);
    if constexpr (Op::uses_a == (kA | kY)) return op.grad(g, s.a, s.y);
    if constexpr (Op::uses_a == kNothing) return op.grad(g);
  } else {
    if constexpr (I == 0) return op.grad_a(g, s);
    if constexpr (I == 1) return op.grad_b(g, s);
    if constexpr (I == 2) return op.grad_c(g, s);
  }
}
template <class Op, int I>
constexpr unsigned uses_of = I == 0   ? Op::uses_a
                             : I == 1 ? Op::uses_b
                                      : Op::uses_c;
template <class Op>
constexpr bool is_differentiable = Op::uses_a != kNone || Op::uses_b != kNone || Op::uses_c != kNone;

template <class... Ops>
struct OpList {
  static constexpr int size = sizeof...(Ops);
};
template <class... As, class... Bs>
constexpr OpList<As..., Bs...> operator+(OpList<As...>, OpList<Bs...>) {
  return {};
}
template <class Op, class... Ops>
constexpr int index_in(OpList<Ops...>) {
  int index = 0;
  const bool found = ((__is_same(Op, Ops) ? true : (++index, false)) || ...);
  return found ? index : -1;
}

}  // namespace tapegrad

#include "kernels/elementwise_activations.h"
#include "kernels/elementwise_arithmetic.h"
#include "kernels/elementwise_logic.h"
#include "kernels/elementwise_losses.h"
#include "kernels/elementwise_math.h"

namespace tapegrad {
/// Those that are operations of their own; the others are parts of operations.
using NamedElementwise = decltype(ArithmeticOps{} + MathOps{} + ActivationOps{} + LogicOps{});
using AllElementwise = decltype(NamedElementwise{} + LossOps{});
template <class Op>
constexpr int op_index = index_in<Op>(AllElementwise{});
}  // namespace tapegrad
