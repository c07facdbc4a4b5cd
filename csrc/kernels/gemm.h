// Matrix products on raw pointers.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// C (m,n) = alpha * A (m,k) B (k,n) + beta * C + bias (n); A and B with any strides, rows of C contiguous.
/// C is not read when beta is 0. Strides count elements.
template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;
  T alpha = 1;
  T beta = 0;
  const T* bias = nullptr;
};

/// `count` products whose operands lie a fixed number of elements apart (0 repeats an operand).
struct GemmBatch {
  int64_t count = 1;
  int64_t a_step = 0, b_step = 0, c_step = 0;
};

// Note [Splitting products]
// An element of C is summed in an order that depends only on k and on the method, tiles or dots. A product
// may therefore be cut along m, n or the batch in any way without changing a bit, if the method is chosen for
// the whole of it.
template <class T>
struct GemmKernels {
  bool (*prefers_dots)(const Gemm<T>&);  // false unless both operands are contiguous along k
  void (*tiles)(const Gemm<T>&, const GemmBatch&);
  void (*dots)(const Gemm<T>&, const GemmBatch&);
};

}  // namespace tapegrad
