#include "ops/reduce_plan.h"

#include <algorithm>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/loops.h"

namespace tapegrad {

DimMask dim_mask(const std::optional<Dims>& dims, int rank) {
  if (!dims || dims->empty()) return all_dims(rank);
  DimMask mask = 0;
  for (int64_t dim : wrap_dims(*dims, rank)) mask |= DimMask{1} << dim;
  return mask;
}

Dims reduced_shape(IntSpan shape, DimMask mask, bool keepdim) {
  const int rank = static_cast<int>(shape.size());
  if (mask == all_dims(rank) && !keepdim) return {};
  int kept = 0;
  for (int i = 0; i < rank; ++i) kept += keepdim || !(mask >> i & 1);
  Dims result(kept);
  for (int i = 0, k = 0; i < rank; ++i) {
    if (!(mask >> i & 1))
      result[k++] = shape[i];
    else if (keepdim)
      result[k++] = 1;
  }
  return result;
}

int64_t reduced_count(IntSpan shape, DimMask mask) {
  int64_t count = 1;
  for (size_t i = 0; i < shape.size(); ++i)
    if (mask >> i & 1) count *= shape[i];
  return count;
}

MiddleDim::MiddleDim(IntSpan shape, int dim) {
  const int rank = static_cast<int>(shape.size());
  for (int i = 0; i < dim; ++i) outer *= shape[i];
  if (dim < rank) n = shape[dim];
  for (int i = dim + 1; i < rank; ++i) inner *= shape[i];
}

namespace {

/// How partial results are combined.
constexpr ReduceOp combining(ReduceOp op) { return op >= ReduceOp::sum_squares ? ReduceOp::sum : op; }
constexpr DType result_dtype(ReduceOp op, DType dtype) {
  return combining(op) <= ReduceOp::prod ? accumulated_type(dtype) : dtype;
}

/// Neighbouring dimensions, reduced or kept together.
struct Group {
  int64_t size;
  bool reduced;
};
struct Groups {
  Group list[kMaxDims];
  int count = 0, reduced = 0;

  void push(int64_t size, bool is_reduced) {
    if (count > 0 && list[count - 1].reduced == is_reduced) {
      list[count - 1].size *= size;
    } else {
      list[count++] = {size, is_reduced};
      reduced += is_reduced;
    }
  }
};

/// One contiguous (outer, n, inner) to (outer, inner). Long reductions are cut into pieces of fixed size,
/// whose results are reduced again, so that neither threads nor their number change the result.
void reduce_block(ReduceOp op, DType dtype, const char* in, char* out, const char* center, int64_t outer,
                  int64_t n, int64_t inner) {
  const ReduceKernel kernel = kernels->reduce.fn[static_cast<int>(op)][static_cast<int>(dtype)];
  const int64_t work = n * inner, item = item_size(dtype), result_item = item_size(result_dtype(op, dtype));
  if (outer * work <= kReduceGrain) return kernel({outer, n, inner, inner}, in, out, center);
  auto center_at = [&](int64_t index) { return center ? center + index * result_item : nullptr; };
  if (work <= kReduceGrain) {
    LongWorkScope scope(outer * work);
    parallel_for(0, outer, kReduceGrain / std::max<int64_t>(work, 1), [&](int64_t lo, int64_t hi) {
      kernel({hi - lo, n, inner, inner}, in + lo * work * item, out + lo * inner * result_item,
             center_at(lo * inner));
    });
    return;
  }
  constexpr int64_t kStrip = 1024;  // columns
  const int64_t width = std::min(inner, kStrip), rows = kReduceGrain / width;
  const int64_t parts = (n + rows - 1) / rows, strips = (inner + width - 1) / width;
  Tensor partial;
  if (parts > 1) partial = empty({{outer * parts * inner}}, result_dtype(op, dtype));
  char* target = parts > 1 ? partial.raw() : out;
  {
    LongWorkScope scope(outer * work);
    parallel_for(0, outer * parts * strips, 1, [&](int64_t lo, int64_t hi) {
      for (int64_t task = lo; task < hi; ++task) {
        const int64_t column = task % strips * width, piece = task / strips, part = piece % parts,
                      o = piece / parts;
        const ReduceBlock block{1, std::min(rows, n - part * rows), std::min(width, inner - column), inner};
        kernel(block, in + (o * work + part * rows * inner + column) * item,
               target + (piece * inner + column) * result_item, center_at(o * inner + column));
      }
    });
  }
  if (parts > 1)
    reduce_block(combining(op), partial.dtype(), partial.raw(), out, nullptr, outer, parts, inner);
}

/// The dimensions of `x` in the order of memory as groups, the innermost first; false when they leave gaps or
/// when the kept dimensions are not in the order of the result.
bool find_groups(const Tensor& x, DimMask mask, Groups& groups) {
  const int rank = x.dim();
  int order[kMaxDims];
  for (int i = 0; i < rank; ++i) {
    int j = i;
    for (; !x.is_contiguous() && j > 0 && x.strides()[order[j - 1]] < x.strides()[i]; --j)
      order[j] = order[j - 1];
    order[j] = i;
  }
  int64_t expected = 1;
  int next_kept = rank;
  for (int k = rank - 1; k >= 0; --k) {
    const int dim = order[k];
    const int64_t size = x.shape()[dim];
    const bool reduced = mask >> dim & 1;
    if (size == 1) continue;
    if (!x.is_contiguous() && x.strides()[dim] != expected) return false;
    if (!reduced && dim > next_kept) return false;
    if (!reduced) next_kept = dim;
    expected *= size;
    groups.push(size, reduced);
  }
  return true;
}

}  // namespace

Tensor kept_dims_first(const Tensor& x, DimMask mask) {
  Dims shape(x.dim()), strides(x.dim());
  int k = 0;
  for (DimMask wanted : {DimMask{0}, DimMask{1}})
    for (int i = 0; i < x.dim(); ++i)
      if ((mask >> i & 1) == wanted) {
        shape[k] = x.shape()[i];
        strides[k++] = x.strides()[i];
      }
  return contiguous_values(make_view(x, shape, strides, x.storage_offset()));
}

Tensor reduce_values(ReduceOp op, const Tensor& x, DimMask mask, IntSpan result_shape, const Tensor& center) {
  Tensor out = empty(result_shape, result_dtype(op, x.dtype()));
  const char* centers = center.defined() ? center.raw() : nullptr;
  if (x.is_contiguous() && mask == all_dims(x.dim())) [[likely]] {
    reduce_block(op, x.dtype(), x.raw(), out.raw(), centers, 1, x.numel(), 1);
    return out;
  }
  if (out.numel() == 0) return out;
  if (x.is_contiguous() && (mask & (mask + 1)) == 0 && x.numel() > 0) {  // the first dimensions
    reduce_block(op, x.dtype(), x.raw(), out.raw(), centers, 1, reduced_count(x.shape(), mask), out.numel());
    return out;
  }
  Groups groups;
  const bool whole = x.numel() > 0 && find_groups(x, mask, groups);
  if (whole && centers && groups.reduced == 2 && groups.count == 3) {  // as in statistics per channel
    const int64_t n = groups.list[0].size, kept = groups.list[1].size, samples = groups.list[2].size;
    const Tensor partial = empty({{samples, kept}}, out.dtype());
    for (int64_t i = 0; i < samples; ++i)
      reduce_block(op, x.dtype(), x.raw() + i * kept * n * x.item_size(),
                   partial.raw() + i * kept * out.item_size(), centers, kept, n, 1);
    reduce_block(combining(op), out.dtype(), partial.raw(), out.raw(), nullptr, 1, samples, kept);
    return out;
  }
  if (!whole || (centers && groups.reduced > 1)) {
    const Tensor ordered = kept_dims_first(x, mask);
    reduce_block(op, x.dtype(), ordered.raw(), out.raw(), centers, out.numel(),
                 reduced_count(x.shape(), mask), 1);
    return out;
  }

  // One group after another, the innermost first.
  Tensor source = x;
  int64_t total = x.numel(), inner = 1, left = groups.reduced;
  if (left == 0) {
    reduce_block(op, x.dtype(), x.raw(), out.raw(), centers, out.numel(), 1, 1);
    return out;
  }
  for (int i = 0; i < groups.count; ++i) {
    const int64_t size = groups.list[i].size;
    if (!groups.list[i].reduced) {
      inner *= size;
      continue;
    }
    total /= size;
    Tensor target = --left == 0 ? out : empty({{total}}, out.dtype());
    reduce_block(op, source.dtype(), source.raw(), target.raw(), centers, total / inner, size, inner);
    source = target;
    op = combining(op);
  }
  return out;
}

}  // namespace tapegrad
