// x[indices] with several integer tensors and masks.
#include <algorithm>

#include "ops/copy.h"
#include "ops/index.h"
#include "ops/masked.h"
#include "ops/rows.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

/// One index: `count` dimensions from `first` on, with row-major positions over them.
struct IndexGroup {
  int first, count;
  int64_t size;
  Tensor positions;
};

/// All indices as one.
struct CombinedIndex {
  RowAxes axes;
  Tensor positions;
};

IndexGroup mask_group(const Tensor& x, const Tensor& mask, int dim) {
  for (int i = 0; i < mask.dim(); ++i)
    TG_CHECK_INDEX(mask.shape()[i] == x.shape()[dim + i], "The shape of the mask ", to_string(mask.shape()),
                   " at index ", i, " does not match the shape of the indexed tensor ", to_string(x.shape()),
                   " at index ", dim + i);
  return {dim, mask.dim(), mask.numel(), flat_nonzero(mask)};
}

IndexGroup integer_group(const Tensor& x, const Tensor& index, int dim) {
  const int64_t size = x.shape()[dim];
  Tensor positions = checked_index(index, size, true, [&](int64_t entry) {
    fail(ErrorKind::index, "index ", entry, " is out of bounds for dimension ", dim, " with size ", size);
  });
  return {dim, 1, size, std::move(positions)};
}

bool is_mask(const Tensor& index) { return index.dtype() == DType::bool_ || index.dtype() == DType::uint8; }

std::vector<IndexGroup> index_groups(const Tensor& x, const std::vector<Tensor>& indices) {
  int64_t used = 0;
  for (const Tensor& index : indices) {
    TG_CHECK_INDEX(
        !index.defined() || is_mask(index) || index.dtype() == DType::int64 || index.dtype() == DType::int32,
        "tensors used as indices must be long, int, byte or bool tensors");
    used += index.defined() && is_mask(index) ? index.dim() : 1;
  }
  TG_CHECK_INDEX(used <= x.dim(), "too many indices for tensor of dimension ", x.dim(), " (got ", used, ")");
  std::vector<IndexGroup> groups;
  int dim = 0;
  for (const Tensor& index : indices) {
    if (!index.defined()) {
      ++dim;
      continue;
    }
    groups.push_back(is_mask(index) ? mask_group(x, index, dim) : integer_group(x, index, dim));
    dim += groups.back().count;
  }
  TG_CHECK_INDEX(!groups.empty(), "at least one index must be given");
  return groups;
}

/// Row-major positions over the dimensions of all groups.
Tensor combine_positions(const std::vector<IndexGroup>& groups) {
  Dims shape;
  std::string shapes;
  for (const IndexGroup& group : groups)
    shapes += (shapes.empty() ? "" : ", ") + to_string(group.positions.shape());
  try {
    for (const IndexGroup& group : groups) shape = broadcast_shapes(shape, group.positions.shape());
  } catch (const Error&) {
    fail(ErrorKind::index, "shape mismatch: indexing tensors could not be broadcast together with shapes ",
         shapes);
  }
  const autograd::NoGrad no_grad;
  Tensor positions = empty(shape, DType::int64);
  int64_t* out = positions.data<int64_t>();
  for (size_t i = 0; i < groups.size(); ++i) {
    Tensor part = groups[i].positions;
    if (!(part.shape() == shape)) part = contiguous_values(expand(part, shape));
    const int64_t *in = part.data<int64_t>(), count = positions.numel(), size = groups[i].size;
    if (i == 0)
      std::copy_n(in, count, out);
    else
      for (int64_t k = 0; k < count; ++k) out[k] = out[k] * size + in[k];
  }
  return positions;
}

CombinedIndex combine(const Tensor& x, const std::vector<Tensor>& indices) {
  const std::vector<IndexGroup> groups = index_groups(x, indices);
  if (groups.size() == 1) return {{groups[0].first, groups[0].count, {}}, groups[0].positions};
  RowAxes axes{groups[0].first, 0, {}};
  bool neighbours = true;
  uint64_t indexed = 0;
  for (const IndexGroup& group : groups) {
    neighbours = neighbours && group.first == axes.first + axes.count;
    axes.count += group.count;
    for (int i = 0; i < group.count; ++i) indexed |= uint64_t{1} << (group.first + i);
  }
  if (!neighbours) {
    axes.first = 0;
    axes.order = Dims(x.dim());
    int front = 0, back = axes.count;
    for (int d = 0; d < x.dim(); ++d) axes.order[indexed >> d & 1 ? front++ : back++] = d;
  }
  return {axes, combine_positions(groups)};
}

void check_values(const Tensor& x, const CombinedIndex& index, const Tensor& values) {
  TG_CHECK(x.dtype() == values.dtype(), "Index put requires the source and destination dtypes match, got ",
           scalar_type_name(x.dtype()), " for the destination and ", scalar_type_name(values.dtype()),
           " for the source.");
  const Dims shape = picked_shape(x, index.positions, index.axes);
  bool fits = values.dim() <= shape.size();
  for (int i = 1; fits && i <= values.dim(); ++i) {
    const int64_t size = values.shape()[values.dim() - i];
    fits = size == 1 || size == shape[shape.size() - i];
  }
  TG_CHECK(fits, "shape mismatch: value tensor of shape ", to_string(values.shape()),
           " cannot be broadcast to indexing result of shape ", to_string(shape));
}

/// Whether x[indices] = values writes one value where one mask of the shape of x holds.
bool fills_mask(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate) {
  return indices.size() == 1 && values.numel() == 1 && !accumulate && values.dtype() == x.dtype() &&
         indices[0].defined() && indices[0].dtype() == DType::bool_ && indices[0].shape() == x.shape();
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Tensor>& indices) {
  const CombinedIndex combined = combine(x, indices);
  return gather_rows("IndexBackward0", x, combined.positions, combined.axes);
}

Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate) {
  const CombinedIndex combined = combine(x, indices);
  check_values(x, combined, values);
  return with_rows("IndexPutBackward0", x, combined.positions, combined.axes, values,
                   accumulate ? RowWrite::add : RowWrite::put);
}

const Tensor& index_put_(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                         bool accumulate) {
  if (fills_mask(x, indices, values, accumulate))
    return fill_where_("IndexPutBackward0", x, indices[0], values);
  const CombinedIndex combined = combine(x, indices);
  check_values(x, combined, values);
  return with_rows_("IndexPutBackward0", x, combined.positions, combined.axes, values,
                    accumulate ? RowWrite::add : RowWrite::put);
}

}  // namespace tapegrad
