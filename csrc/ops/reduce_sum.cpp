// sum, mean, prod and counts.
#include <cmath>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/scan.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;
using autograd::save_output;

Tensor restore_dims(const Tensor& reduced, IntSpan shape, DimMask mask, bool keepdim) {
  return keepdim || reduced.dim() == static_cast<int>(shape.size())
             ? reduced
             : reshape(reduced, reduced_shape(shape, mask, true));
}

Tensor spread(const Tensor& g, IntSpan shape, DimMask mask, bool keepdim, int64_t divisor) {
  if (Backward::creates_graph()) {
    const Tensor scaled = divisor == 1 ? g : g / Scalar(divisor);
    return expand(restore_dims(scaled, shape, mask, keepdim), shape);
  }
  // One number for few elements: cheaper to use as a contiguous tensor than as a view.
  constexpr int64_t kFew = 4096;
  const int64_t count = count_elements(shape);
  if (g.numel() == 1 && count <= kFew && is_floating(g.dtype())) {
    Tensor out = empty(shape, g.dtype());
    dispatch_floating(g.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T value = *g.data<T>() / static_cast<T>(divisor);
      T* target = out.data<T>();
      for (int64_t i = 0; i < count; ++i) target[i] = value;
    });
    return out;
  }
  const Tensor scaled = divisor == 1 ? g : g / Scalar(divisor);
  const int rank = static_cast<int>(shape.size());
  Dims strides(rank, 0);
  for (int i = 0, k = 0; i < rank; ++i) {
    const bool reduced = mask >> i & 1;
    if (!reduced) strides[i] = scaled.strides()[k];
    if (!reduced || keepdim) ++k;
  }
  return make_view(scaled, shape, strides, scaled.storage_offset());
}

Tensor sum_to_shape(const Tensor& x, IntSpan shape) {
  const int rank = x.dim(), added = rank - static_cast<int>(shape.size());
  DimMask mask = 0;
  for (int i = 0; i < rank; ++i)
    if (i < added || (shape[i - added] == 1 && x.shape()[i] != 1)) mask |= DimMask{1} << i;
  Tensor out = reduce_values(ReduceOp::sum, x, rank == 0 ? 1 : mask, shape);
  return record("SumBackward1", cast_if_needed(out, x.dtype()), {x}, {},
                [wide = SmallDims<4>(x.shape())](Backward& b) { return expand(b.grad(), wide); });
}

void divide_values(const Tensor& x, double divisor) {
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < x.numel(); ++i) x.data<T>()[i] /= static_cast<T>(divisor);
  });
}
void square_root_values(const Tensor& x) {
  dispatch_floating(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < x.numel(); ++i) x.data<T>()[i] = std::sqrt(x.data<T>()[i]);
  });
}

namespace {

/// What a sum or product is computed in, and what it comes out as.
struct SumTypes {
  DType compute, result;
};
SumTypes sum_types(const Tensor& x, std::optional<DType> dtype) {
  const DType result = dtype.value_or(accumulated_type(x.dtype()));
  TG_CHECK(is_floating(result) || !autograd::is_tracked(x),
           "Autograd not support dtype: ", scalar_type_name(result),
           "; gradients exist for floating-point results only.");
  // Integers of one width sum like those of another, but bool stands for the truth of each element.
  const bool any_width = is_integral(result) && !is_floating(x.dtype());
  return {any_width ? x.dtype() : result, result};
}

Tensor sum_values(const Tensor& x, DimMask mask, bool keepdim, SumTypes types) {
  const Tensor out = reduce_values(ReduceOp::sum, cast_if_needed(x, types.compute), mask,
                                   reduced_shape(x.shape(), mask, keepdim));
  return cast_if_needed(out, types.result);
}

DType mean_dtype(const char* name, const Tensor& x, std::optional<DType> dtype) {
  const DType result = dtype.value_or(x.dtype());
  TG_CHECK(is_floating(result), name, "(): could not infer output dtype. ",
           dtype ? "Optional dtype" : "Input dtype",
           " must be either a floating point or complex dtype. Got: ", scalar_type_name(result),
           "; convert it with .float() or pass dtype=torch.float32.");
  return result;
}

}  // namespace

Tensor sum(const Tensor& x, const OptionalDims& dims, bool keepdim, std::optional<DType> dtype) {
  const DimMask mask = dim_mask(dims, x.dim());
  Tensor out = sum_values(x, mask, keepdim, sum_types(x, dtype));
  return record(dims || keepdim ? "SumBackward1" : "SumBackward0", std::move(out), {x}, {},
                [shape = SmallDims<4>(x.shape()), mask, keepdim](Backward& b) {
                  return spread(b.grad(), shape, mask, keepdim);
                });
}

Tensor mean(const Tensor& x, const OptionalDims& dims, bool keepdim, std::optional<DType> dtype) {
  const DType result = mean_dtype("mean", x, dtype);
  const DimMask mask = dim_mask(dims, x.dim());
  const int64_t count = reduced_count(x.shape(), mask);
  Tensor out = sum_values(x, mask, keepdim, {result, result});
  divide_values(out, static_cast<double>(count));
  return record(dims || keepdim ? "MeanBackward1" : "MeanBackward0", std::move(out), {x}, {},
                [shape = SmallDims<4>(x.shape()), mask, keepdim, count](Backward& b) {
                  return spread(b.grad(), shape, mask, keepdim, count);
                });
}

Tensor nansum(const Tensor& x, const OptionalDims& dims, bool keepdim, std::optional<DType> dtype) {
  const DimMask mask = dim_mask(dims, x.dim());
  const SumTypes types = sum_types(x, dtype);
  Tensor out;
  {
    autograd::NoGrad no_grad;
    out = sum_values(is_floating(x.dtype()) ? where(x == x, x, 0) : x, mask, keepdim, types);
  }
  return record("NansumBackward0", std::move(out), {x}, {save(x)}, [mask, keepdim](Backward& b) {
    const Tensor x = b.saved(0);
    return where(x == x, spread(b.grad(), x.shape(), mask, keepdim), 0);
  });
}

Tensor nanmean(const Tensor& x, const OptionalDims& dims, bool keepdim, std::optional<DType> dtype) {
  TG_CHECK(x.is_floating(), "nanmean(): expected input to have floating point or complex dtype but got ",
           scalar_type_name(x.dtype()));
  return nansum(x, dims, keepdim, dtype) / sum(x == x, dims, keepdim);
}

namespace {

/// The derivative of a product along the middle of (outer, n, inner): g y / x, or products of the other
/// factors where some factor is zero.
Tensor prod_gradient(const Tensor& g, const Tensor& x, const Tensor& y, IntSpan rows, int64_t dim) {
  bool has_zero;
  {
    autograd::NoGrad no_grad;
    has_zero = *any(x == 0).data<bool>();
  }
  if (!has_zero) return g * y / x;
  const Tensor flat = reshape(x, rows);
  // Only the last of the running products is used.
  const Tensor last = reshape(g, reduced_shape(rows, DimMask{1} << dim, true));
  return reshape(cumprod_gradient(zero_padded_front(last, dim, rows[dim] - 1), flat, dim), x.shape());
}

Tensor prod_over(const char* name, const Tensor& x, std::optional<int64_t> dim, bool keepdim,
                 std::optional<DType> dtype) {
  const int rank = x.dim(), at = dim ? wrap_dim(*dim, rank) : 0;
  const DimMask mask = dim ? DimMask{1} << at : all_dims(rank);
  const SumTypes types = sum_types(x, dtype);
  Tensor out = cast_if_needed(reduce_values(ReduceOp::prod, cast_if_needed(x, types.compute), mask,
                                            reduced_shape(x.shape(), mask, keepdim)),
                              types.result);
  return record(name, out, {x}, {save(x), save_output(out)}, [mask, keepdim, at, whole = !dim](Backward& b) {
    const Tensor x = b.saved(0);
    const Dims rows = whole || x.dim() == 0 ? Dims{x.numel()} : x.shape();
    return prod_gradient(restore_dims(b.grad(), x.shape(), mask, keepdim), x,
                         restore_dims(b.saved(1), x.shape(), mask, keepdim), rows, at);
  });
}

}  // namespace

Tensor prod(const Tensor& x, std::optional<DType> dtype) {
  return prod_over("ProdBackward0", x, {}, false, dtype);
}
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  return prod_over("ProdBackward1", x, dim, keepdim, dtype);
}

namespace {

Tensor truth_reduction(ReduceOp op, const Tensor& x, const OptionalDims& dims, bool keepdim) {
  const DimMask mask = dim_mask(dims, x.dim());
  const Tensor out =
      reduce_values(op, cast_if_needed(x, DType::bool_), mask, reduced_shape(x.shape(), mask, keepdim));
  // An empty maximum is the lowest byte 0, an empty minimum the highest one; bool knows 0 and 1 only.
  if (x.numel() == 0) fill_values(out, op == ReduceOp::min);
  return x.dtype() == DType::uint8 ? cast_values(out, DType::uint8) : out;
}

}  // namespace

Tensor any(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return truth_reduction(ReduceOp::max, x, dims, keepdim);
}
Tensor all(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return truth_reduction(ReduceOp::min, x, dims, keepdim);
}

Tensor count_nonzero(const Tensor& x, const OptionalDims& dims) {
  const DimMask mask = dim_mask(dims, x.dim());
  return reduce_values(ReduceOp::sum, cast_if_needed(x, DType::bool_), mask,
                       reduced_shape(x.shape(), mask, false));
}

}  // namespace tapegrad
