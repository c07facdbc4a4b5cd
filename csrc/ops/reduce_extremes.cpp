// Largest, smallest, middle and most frequent elements.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/loops.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::record_outputs;
using autograd::save;
using autograd::save_output;

Tensor put_at_index(const Tensor& g, const Tensor& index, IntSpan shape, int dim, bool keepdim) {
  const DimMask mask = DimMask{1} << dim;
  const Tensor zeros = full_values(shape, 0, g.dtype());
  return scatter(zeros, dim, restore_dims(index, shape, mask, keepdim),
                 restore_dims(g, shape, mask, keepdim));
}

namespace {

/// The gradient of an extreme, in equal parts for all elements that equal it.
Tensor share_among(const Tensor& ties, const Tensor& g, DimMask mask) {
  Dims dims;
  for (int i = 0; i < ties.dim(); ++i)
    if (mask >> i & 1) dims.push_back(i);
  return g * ties / sum(ties, dims.empty() ? OptionalDims{} : dims, true);
}

/// The same for one element chosen of all of x; if it is NaN, the NaNs share.
Tensor share_among_ties(const Tensor& g, const Tensor& x, const Tensor& y) {
  const bool is_nan = *ne(y, y).data<bool>();
  return share_among(is_nan ? ne(x, x) : eq(x, y), g, all_dims(x.dim()));
}

void check_not_empty(const char* name, const Tensor& x) {
  TG_CHECK(x.numel() > 0, name,
           "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
           "with the 'dim' argument.");
}

Tensor extreme_over(const char* node_name, const char* name, ReduceOp op, const Tensor& x,
                    const OptionalDims& dims, bool keepdim) {
  const DimMask mask = dim_mask(dims, x.dim());
  if (!dims) check_not_empty(name, x);
  for (int i = 0; i < x.dim(); ++i)
    TG_CHECK_INDEX(!(mask >> i & 1) || x.shape()[i] > 0, name, "(): Expected reduction dim ", i,
                   " to have non-zero size.");
  Tensor out = reduce_values(op, x, mask, reduced_shape(x.shape(), mask, keepdim));
  if (!x.is_floating()) return out;
  return record(node_name, out, {x}, {save(x), save_output(out)}, [mask, keepdim](Backward& b) {
    const Tensor x = b.saved(0);
    return share_among(eq(x, restore_dims(b.saved(1), x.shape(), mask, keepdim)),
                       restore_dims(b.grad(), x.shape(), mask, keepdim), mask);
  });
}

/// Records an element chosen among all of x.
Tensor record_choice(const char* node_name, const Tensor& out, const Tensor& x) {
  if (!x.is_floating()) return out;
  return record(node_name, out, {x}, {save(x), save_output(out)},
                [](Backward& b) { return share_among_ties(b.grad(), b.saved(0), b.saved(1)); });
}

Tensor extreme_of_all(const char* node_name, const char* name, ReduceOp op, const Tensor& x) {
  check_not_empty(name, x);
  return record_choice(node_name, reduce_values(op, x, all_dims(x.dim()), {}), x);
}

/// values (outer, inner) and positions of the extremes of a contiguous (outer, n, inner); n > 0.
void arg_reduce(bool largest, const Tensor& x, const MiddleDim& m, char* values, int64_t* positions) {
  const int type = static_cast<int>(x.dtype());
  const ArgReduceKernel kernel = largest ? kernels->reduce.argmax[type] : kernels->reduce.argmin[type];
  const int64_t work = m.n * m.inner, item = x.item_size();
  if (m.outer * work <= kReduceGrain)
    return kernel({m.outer, m.n, m.inner, m.inner}, x.raw(), values, positions);
  const int64_t rows = work <= kReduceGrain ? m.n : std::max<int64_t>(1, kReduceGrain / m.inner);
  const int64_t parts = (m.n + rows - 1) / rows, pieces = m.outer * parts;
  Tensor part_values, part_positions;
  if (parts > 1) {
    part_values = empty({{pieces * m.inner}}, x.dtype());
    part_positions = empty({{pieces * m.inner}}, DType::int64);
  }
  char* value_target = parts > 1 ? part_values.raw() : values;
  int64_t* position_target = parts > 1 ? part_positions.data<int64_t>() : positions;
  {
    LongWorkScope scope(m.outer * work);
    parallel_for(0, pieces, std::max<int64_t>(1, kReduceGrain / (rows * m.inner)),
                 [&](int64_t lo, int64_t hi) {
                   for (int64_t piece = lo; piece < hi; ++piece) {
                     const int64_t o = piece / parts, start = piece % parts * rows;
                     kernel({1, std::min(rows, m.n - start), m.inner, m.inner},
                            x.raw() + (o * work + start * m.inner) * item,
                            value_target + piece * m.inner * item, position_target + piece * m.inner);
                   }
                 });
  }
  if (parts == 1) return;
  kernel({m.outer, parts, m.inner, m.inner}, part_values.raw(), values, positions);
  for (int64_t o = 0; o < m.outer; ++o)
    for (int64_t c = 0; c < m.inner; ++c) {
      int64_t& position = positions[o * m.inner + c];
      position = position * rows + position_target[(o * parts + position) * m.inner + c];
    }
}

struct ValuesAndIndices {
  Tensor values, indices;
};

ValuesAndIndices extreme_along(const char* name, bool largest, const Tensor& x, int dim, bool keepdim) {
  TG_CHECK_INDEX(x.dim() == 0 || x.shape()[dim] > 0, name, "(): Expected reduction dim ", dim,
                 " to have non-zero size.");
  const Dims shape = reduced_shape(x.shape(), DimMask{1} << dim, keepdim);
  ValuesAndIndices result{empty(shape, x.dtype()), empty(shape, DType::int64)};
  const Tensor rows = x.is_contiguous() ? x : contiguous_values(x);
  if (x.numel() > 0)
    arg_reduce(largest, rows, MiddleDim(x.shape(), dim), result.values.raw(), result.indices.data<int64_t>());
  return result;
}

/// Records (values, indices) as a selection of elements of x.
std::tuple<Tensor, Tensor> record_selection(const char* node_name, const Tensor& x,
                                            const ValuesAndIndices& result, int dim, bool keepdim) {
  Tensor outputs[] = {result.values, result.indices};
  if (x.is_floating())
    record_outputs(node_name, outputs, autograd::TensorRefs{x}, {save(result.indices)},
                   [shape = SmallDims<4>(x.shape()), dim, keepdim](Backward& b) {
                     if (shape.size() == 0) return b.grad();
                     return put_at_index(b.grad(), b.saved(0), shape, dim, keepdim);
                   });
  return {outputs[0], outputs[1]};
}

}  // namespace

Tensor max(const Tensor& x) { return extreme_of_all("MaxBackward1", "max", ReduceOp::max, x); }
Tensor min(const Tensor& x) { return extreme_of_all("MinBackward1", "min", ReduceOp::min, x); }
Tensor amax(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return extreme_over("AmaxBackward0", "amax", ReduceOp::max, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return extreme_over("AminBackward0", "amin", ReduceOp::min, x, dims, keepdim);
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  TG_CHECK(x.numel() > 0,
           "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  OptionalDims dims;
  if (dim) dims = Dims{*dim};
  return {extreme_over("AminmaxBackward0", "aminmax", ReduceOp::min, x, dims, keepdim),
          extreme_over("AminmaxBackward0", "aminmax", ReduceOp::max, x, dims, keepdim)};
}

std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  const int at = wrap_dim(dim, x.dim());
  return record_selection("MaxBackward0", x, extreme_along("max", true, x, at, keepdim), at, keepdim);
}
std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  const int at = wrap_dim(dim, x.dim());
  return record_selection("MinBackward0", x, extreme_along("min", false, x, at, keepdim), at, keepdim);
}

namespace {

Tensor arg_extreme(const char* name, bool largest, const Tensor& x, std::optional<int64_t> dim,
                   bool keepdim) {
  TG_CHECK(x.dtype() != DType::bool_, name, "(): does not support bool input; convert it with .int().");
  if (dim) return extreme_along(name, largest, x, wrap_dim(*dim, x.dim()), keepdim).indices;
  TG_CHECK_INDEX(x.numel() > 0, name, "(): Expected reduction dim to be specified for input.numel() == 0.");
  const Tensor rows = x.is_contiguous() ? x : contiguous_values(x);
  const Tensor index = empty(reduced_shape(x.shape(), all_dims(x.dim()), keepdim), DType::int64);
  alignas(8) char value[8];
  arg_reduce(largest, rows, MiddleDim({{x.numel()}}, 0), value, index.data<int64_t>());
  return index;
}

}  // namespace

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmax", true, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmin", false, x, dim, keepdim);
}

namespace {

template <class T>
bool is_nan(T value) {
  return value != value;
}

/// The index of the chosen element of one row; `order` is scratch of n entries.
template <class T>
int64_t median_index(const T* row, int64_t n, bool ignore_nan, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  int64_t count = n;
  if constexpr (std::is_floating_point_v<T>) {
    const auto numbers_end =
        std::stable_partition(order.begin(), order.end(), [&](int64_t i) { return !is_nan(row[i]); });
    const int64_t numbers = numbers_end - order.begin();
    if (numbers < n && (!ignore_nan || numbers == 0)) return order[static_cast<size_t>(numbers)];
    count = numbers;
  }
  const auto middle = order.begin() + (count - 1) / 2;
  // Equal elements in the order of their positions: the result is then unique.
  std::nth_element(order.begin(), middle, order.begin() + count,
                   [&](int64_t i, int64_t j) { return row[i] < row[j] || (row[i] == row[j] && i < j); });
  return *middle;
}

template <class T>
int64_t mode_index(const T* row, int64_t n, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    const bool less = is_nan(row[j]) ? !is_nan(row[i]) : row[i] < row[j],
               more = is_nan(row[i]) ? !is_nan(row[j]) : row[j] < row[i];
    return less || (!more && i < j);
  });
  int64_t best = 0, best_count = 0, count = 0;
  for (int64_t k = 0; k < n; ++k) {
    count = k > 0 && row[order[k]] == row[order[k - 1]] ? count + 1 : 1;
    if (count > best_count || (count == best_count && row[order[k]] == row[best])) {
      best = order[k];
      best_count = count;
    }
  }
  return best;
}

/// Applies choose(row, n, scratch) to every row along `dim`.
template <class Choose>
ValuesAndIndices select_along(const Tensor& x, int dim, bool keepdim, Choose choose) {
  const Dims shape = reduced_shape(x.shape(), DimMask{1} << dim, keepdim);
  ValuesAndIndices result{empty(shape, x.dtype()), empty(shape, DType::int64)};
  Dims moved_shape = x.shape(), moved_strides = x.strides();
  for (int i = dim; i + 1 < x.dim(); ++i) {
    std::swap(moved_shape[i], moved_shape[i + 1]);
    std::swap(moved_strides[i], moved_strides[i + 1]);
  }
  const Tensor rows = contiguous_values(make_view(x, moved_shape, moved_strides, x.storage_offset()));
  const int64_t n = x.dim() == 0 ? 1 : x.shape()[dim];
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<int64_t> scratch;
    for (int64_t r = 0; r < result.values.numel(); ++r) {
      const T* row = rows.template data<T>() + r * n;
      const int64_t index = choose(row, n, scratch);
      result.indices.template data<int64_t>()[r] = index;
      result.values.template data<T>()[r] = row[index];
    }
  });
  return result;
}

void check_median_type(const Tensor& x) {
  TG_CHECK_AS(not_implemented, x.dtype() != DType::bool_,
              "\"median_cpu\" not implemented for 'Bool' (convert it with .int())");
}

std::tuple<Tensor, Tensor> median_along(const char* node_name, bool ignore_nan, const Tensor& x, int64_t dim,
                                        bool keepdim) {
  check_median_type(x);
  const int at = wrap_dim(dim, x.dim());
  TG_CHECK_INDEX(x.dim() == 0 || x.shape()[at] > 0, "median(): Expected reduction dim ", at,
                 " to have non-zero size.");
  const ValuesAndIndices result =
      select_along(x, at, keepdim, [&](const auto* row, int64_t n, std::vector<int64_t>& scratch) {
        return median_index(row, n, ignore_nan, scratch);
      });
  return record_selection(node_name, x, result, at, keepdim);
}

Tensor median_of_all(const char* node_name, bool ignore_nan, const Tensor& x) {
  check_median_type(x);
  if (x.numel() == 0)
    return x.is_floating()
               ? full_values({}, std::nan(""), x.dtype())
               : cast_values(full_values({}, std::numeric_limits<int64_t>::min(), DType::int64), x.dtype());
  const Tensor flat = make_view(contiguous_values(x), {{x.numel()}}, {{1}}, 0);
  const Tensor out =
      select_along(flat, 0, false, [&](const auto* row, int64_t n, std::vector<int64_t>& scratch) {
        return median_index(row, n, ignore_nan, scratch);
      }).values;
  return record_choice(node_name, out, x);
}

}  // namespace

Tensor median(const Tensor& x) { return median_of_all("MedianBackward0", false, x); }
Tensor nanmedian(const Tensor& x) { return median_of_all("NanmedianBackward0", true, x); }
std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
  return median_along("MedianBackward1", false, x, dim, keepdim);
}
std::tuple<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
  return median_along("NanmedianBackward1", true, x, dim, keepdim);
}
std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim, bool keepdim) {
  const int at = wrap_dim(dim, x.dim());
  TG_CHECK_INDEX(x.dim() == 0 || x.shape()[at] > 0, "mode(): Expected reduction dim ", at,
                 " to have non-zero size.");
  const ValuesAndIndices result = select_along(
      x, at, keepdim,
      [](const auto* row, int64_t n, std::vector<int64_t>& scratch) { return mode_index(row, n, scratch); });
  return record_selection("ModeBackward0", x, result, at, keepdim);
}

}  // namespace tapegrad
