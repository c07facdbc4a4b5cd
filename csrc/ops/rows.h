// Rows of a tensor picked by an index over one or several neighbouring dimensions: what index_select,
// embedding, advanced indexing, take and masks have in common.
#pragma once
#include "autograd/record.h"
#include "core/tensor.h"

namespace tapegrad {

/// Which dimensions of a tensor an index runs over: `count` dimensions from `first` on, after reordering the
/// dimensions by `order` (empty: as they are). An index entry is a row-major position over these dimensions.
struct RowAxes {
  int first = 0;
  int count = 1;
  Dims order;
};

/// Checked, non-negative, contiguous int64 form of an index into `size` entries; the same tensor if it is
/// that already. `fail` throws for the offending entry.
template <class Fail>
Tensor checked_index(const Tensor& index, int64_t size, bool negative_allowed, Fail fail);

/// The rows of `x` that `index` names, in place of the indexed dimensions; recorded as `name`.
Tensor gather_rows(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes);
/// Zeros of `shape` with `rows` added at the places that `index` names: the adjoint of gather_rows.
Tensor accumulate_rows(const char* name, const Tensor& rows, IntSpan shape, const Tensor& index,
                       const RowAxes& axes);

enum class RowWrite { put, add };
/// Writes `values`, broadcast to the shape that gather_rows gives, into the rows; records nothing.
void write_rows(const Tensor& x, const Tensor& index, const RowAxes& axes, const Tensor& values,
                RowWrite mode);
/// The recorded forms: a changed copy, and in place.
Tensor with_rows(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes,
                 const Tensor& values, RowWrite mode);
const Tensor& with_rows_(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes,
                         const Tensor& values, RowWrite mode);
/// The shape of the picked rows.
Dims picked_shape(const Tensor& x, const Tensor& index, const RowAxes& axes);

namespace detail {
/// Converts to contiguous int64 and finds the smallest and largest entry; false if there is none.
bool index_bounds(const Tensor& index, Tensor& plain, int64_t& smallest, int64_t& largest);
/// The first entry outside [low, high).
int64_t first_outside(const Tensor& index, int64_t low, int64_t high);
/// A copy with `size` added to the negative entries.
Tensor wrap_index(const Tensor& index, int64_t size);
}  // namespace detail

template <class Fail>
Tensor checked_index(const Tensor& index, int64_t size, bool negative_allowed, Fail fail) {
  Tensor plain;
  int64_t smallest, largest;
  if (!detail::index_bounds(index, plain, smallest, largest)) return plain;
  const int64_t low = negative_allowed ? -size : 0;
  if (smallest < low || largest >= size) fail(detail::first_outside(plain, low, size));
  return smallest < 0 ? detail::wrap_index(plain, size) : plain;
}

}  // namespace tapegrad
