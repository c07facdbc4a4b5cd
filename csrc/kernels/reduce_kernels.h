// Reductions along the middle dimension of (outer, n, inner) blocks.
#pragma once
#include "kernels/element_types.h"

namespace tapegrad {

/// sum and prod of integers accumulate and result in int64; all else keeps the type of the input.
enum class ReduceOp { sum, prod, max, min, sum_squares, squared_deviation };
constexpr int kReduceOpCount = 6;

/// Elements (o, i, c) at o * n * row_stride + i * row_stride + c, with inner == 1 and row_stride == 1 for
/// rows.
struct ReduceBlock {
  int64_t outer, n, inner, row_stride;
};

/// Reduces `in` to a contiguous (outer, inner). `center` (outer, inner) is what squared_deviation measures
/// from. NaN wins in max and min. An empty reduction gives the identity.
using ReduceKernel = void (*)(const ReduceBlock& block, const void* in, void* out, const void* center);

/// Largest (or smallest) elements and the positions where they first occur; NaN wins.
using ArgReduceKernel = void (*)(const ReduceBlock& block, const void* in, void* out, int64_t* positions);

struct ReduceKernels {
  ReduceKernel fn[kReduceOpCount][kDTypeCount];  // the last two for floating types only
  ArgReduceKernel argmax[kDTypeCount];
  ArgReduceKernel argmin[kDTypeCount];
};

}  // namespace tapegrad
