// Running reductions over any dimensions of any layout. Nothing here records.
#pragma once
#include <optional>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace tapegrad {

/// The dimensions that a reduction removes: bit d for dimension d.
using DimMask = uint64_t;

constexpr DimMask all_dims(int rank) { return rank == 0 ? 1 : ~DimMask{0} >> (64 - rank); }
/// The mask of a list of dimensions; without a list, or with an empty one, all of them.
DimMask dim_mask(const std::optional<Dims>& dims, int rank);
/// `shape` without the masked dimensions, or with 1 in their places.
Dims reduced_shape(IntSpan shape, DimMask mask, bool keepdim);
/// How many elements make one element of the result.
int64_t reduced_count(IntSpan shape, DimMask mask);

/// A tensor seen as (outer, n, inner) with one dimension in the middle.
struct MiddleDim {
  int64_t outer = 1, n = 1, inner = 1;
  MiddleDim(IntSpan shape, int dim);
};

/// Elements of work that a thread claims at a time.
constexpr int64_t kReduceGrain = 65536;

/// Reduces the masked dimensions of `x`; the result, row-major, is given `result_shape`. `center` has one
/// element for each of the result.
Tensor reduce_values(ReduceOp op, const Tensor& x, DimMask mask, IntSpan result_shape,
                     const Tensor& center = {});
/// A row-major copy with the kept dimensions first.
Tensor kept_dims_first(const Tensor& x, DimMask mask);
/// The type in which sums and products of `dtype` come out.
constexpr DType accumulated_type(DType dtype) { return is_floating(dtype) ? dtype : DType::int64; }

}  // namespace tapegrad
