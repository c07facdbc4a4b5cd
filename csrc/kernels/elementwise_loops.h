// The loops that turn an operation's text into kernels.
#pragma once
#include "kernels/kernels.h"
#include "kernels/vec.h"
#include "kernels/vec_math.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

template <class T>
TAPEGRAD_INLINE Vec<T> zero_like(const Vec<T>&) {
  return Vec<T>(0);
}

/// a to the power of b, for integers; to a negative power rounded towards zero, and 0 for a = 0.
template <Integral T>
TAPEGRAD_INLINE Vec<T> integer_pow(Vec<T> a, SameVec<T> b) {
  return map_lanes(a, b, [](T base, T exponent) {
    if (exponent < 0)
      return static_cast<T>(base == 1 || (base == T(-1) && exponent % 2 == 0) ? 1 : base == T(-1) ? -1 : 0);
    UnsignedBits<T> result = 1, square = static_cast<UnsignedBits<T>>(base);
    for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
      if (exponent % 2) result = static_cast<UnsignedBits<T>>(result * square);
      square = static_cast<UnsignedBits<T>>(square * square);
    }
    return static_cast<T>(result);
  });
}

/// Shifts; those by the width of the type or more push all bits out.
template <Integral T>
TAPEGRAD_INLINE Vec<T> shift_left(Vec<T> a, SameVec<T> b) {
  const auto inside = (b >= 0) & (b < int(8 * sizeof(T)));
  return where(inside, a << where(inside, b, 0), 0);
}
template <Integral T>
TAPEGRAD_INLINE Vec<T> shift_right(Vec<T> a, SameVec<T> b) {
  const auto inside = (b >= 0) & (b < int(8 * sizeof(T)));
  return a >> where(inside, b, int(8 * sizeof(T) - 1));
}

/// bool computes on bytes 0 and 1.
template <class T>
struct ComputeType {
  using type = T;
};
template <>
struct ComputeType<bool> {
  using type = uint8_t;
};

template <class Op>
TAPEGRAD_INLINE Op load_op(const void* op) {
  if constexpr (__is_empty(Op))
    return Op{};
  else
    return *static_cast<const Op*>(op);
}

/// Runs body(i, n) over full vectors and a tail.
template <int Width, class Body>
TAPEGRAD_INLINE void for_each_vector(int64_t count, Body body) {
  int64_t i = 0;
  for (; i + Width <= count; i += Width) body(i, Width);
  if (i < count) body(i, static_cast<int>(count - i));
}

/// The first N of a kernel's operands, copied: a loop would read the originals again after each store, which
/// might have changed them as far as the compiler knows.
template <int N>
struct Operands {
  explicit Operands(char* const* operands) {
    for (int i = 0; i < N; ++i) data[i] = operands[i];
  }
  template <class T>
  TAPEGRAD_INLINE T* at(int i) const {
    return reinterpret_cast<T*>(data[i]);
  }
  char* data[N];
};

template <class Op, class Stored>
void forward_block(char* const* all, int64_t count, const void* parameters) {
  using T = typename ComputeType<Stored>::type;
  const Op op = load_op<Op>(parameters);
  const Operands<Op::arity + 1> operands(all);
  for_each_vector<Vec<T>::size>(count, [&](int64_t i, int n) __attribute__((always_inline)) {
    auto load = [&](int k) __attribute__((always_inline)) {
      return Vec<T>::load_partial(operands.template at<T>(k + 1) + i, n);
    };
    auto compute = [&]() __attribute__((always_inline)) {
      if constexpr (Op::mask_first)
        return op.forward(load_mask<T>(operands.template at<uint8_t>(1) + i, n), load(1), load(2));
      else if constexpr (Op::arity == 1)
        return op.forward(load(0));
      else if constexpr (Op::arity == 2)
        return op.forward(load(0), load(1));
      else
        return op.forward(load(0), load(1), load(2));
    };
    if constexpr (Op::returns_bool)
      store_mask(compute(), operands.template at<uint8_t>(0) + i, n);
    else if constexpr (__is_same(Stored, bool))
      store_mask(compute() != 0, operands.template at<uint8_t>(0) + i, n);
    else
      compute().store_partial(operands.template at<T>(0) + i, n);
  });
}

template <class Op, int I, class T>
void backward_block(char* const* all, int64_t count, const void* parameters) {
  const Op op = load_op<Op>(parameters);
  constexpr unsigned uses = uses_of<Op, I>;
  const Operands<2 + __builtin_popcount(uses)> operands(all);
  for_each_vector<Vec<T>::size>(count, [&](int64_t i, int n) __attribute__((always_inline)) {
    auto load = [&](int k) __attribute__((always_inline)) {
      return Vec<T>::load_partial(operands.template at<T>(k) + i, n);
    };
    // The saved operands follow g in the order of their bits.
    auto load_saved = [&](unsigned bit) __attribute__((always_inline)) {
      return load(2 + __builtin_popcount(uses & (bit - 1)));
    };
    SavedValues<Vec<T>> saved;
    if constexpr ((uses & kA) != 0) saved.a = load_saved(kA);
    if constexpr ((uses & kB) != 0) saved.b = load_saved(kB);
    if constexpr ((uses & kC) != 0) saved.c = load_saved(kC);
    if constexpr ((uses & kY) != 0) saved.y = load_saved(kY);
    gradient<I>(op, load(1), saved).store_partial(operands.template at<T>(0) + i, n);
  });
}

template <class T>
constexpr bool computes_in(Domain domain) {
  switch (domain) {
    case Domain::any:
      return true;
    case Domain::number:
      return !__is_same(T, bool);
    case Domain::bits:
      return Integral<T>;
    case Domain::integers:
      return Integral<T> && !__is_same(T, bool);
    default:
      return Floating<T>;
  }
}

template <class Op>
void register_op(ElementwiseKernels& table) {
  auto& forward = table.forward[op_index<Op>];
  int type = 0;
#define TG_REGISTER(T, NAME)                                                      \
  if constexpr (computes_in<T>(Op::domain)) forward[type] = forward_block<Op, T>; \
  ++type;
  TG_FORALL_DTYPES(TG_REGISTER)
#undef TG_REGISTER
  auto& backward = table.backward[op_index<Op>];
  constexpr int kFloat = kDTypeCount - 2, kDouble = kDTypeCount - 1;
  if constexpr (!Op::mask_first) {
    if constexpr (Op::uses_a != kNone) {
      backward[0][kFloat] = backward_block<Op, 0, float>;
      backward[0][kDouble] = backward_block<Op, 0, double>;
    }
    if constexpr (Op::uses_b != kNone) {
      backward[1][kFloat] = backward_block<Op, 1, float>;
      backward[1][kDouble] = backward_block<Op, 1, double>;
    }
    if constexpr (Op::uses_c != kNone) {
      backward[2][kFloat] = backward_block<Op, 2, float>;
      backward[2][kDouble] = backward_block<Op, 2, double>;
    }
  }
}

template <class... Ops>
void register_ops(OpList<Ops...>, ElementwiseKernels& table) {
  (register_op<Ops>(table), ...);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
