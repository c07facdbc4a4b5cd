#include "ops/index.h"

#include <cmath>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/formula.h"
#include "ops/rows.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// A 0-dim tensor seen as a vector of one entry; records nothing.
Tensor as_vector(const Tensor& x) { return x.dim() > 0 ? x : make_view(x, {{1}}, {{1}}, x.storage_offset()); }

RowAxes axis(int dim) { return {dim, 1, {}}; }

/// Checks a vector of indices for dimension `dim` of `x`.
Tensor vector_index(const char* name, const Tensor& x, int dim, const Tensor& index,
                    bool negative_allowed = false) {
  TG_CHECK_INDEX(index.dim() <= 1, name, "(): Index is supposed to be a vector");
  const int64_t size = x.dim() == 0 ? 1 : x.shape()[dim];
  return checked_index(as_vector(index), size, negative_allowed, [&](int64_t entry) {
    fail(ErrorKind::index, "index out of range in self (index ", entry, " of dimension ", dim, " with size ",
         size, ")");
  });
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  TG_CHECK(index.dtype() == DType::int64 || index.dtype() == DType::int32,
           "index_select(): Expected dtype int32 or int64 for index");
  const int at = wrap_dim(dim, x.dim());
  const Tensor entries = vector_index("index_select", x, at, index);
  if (x.dim() > 0) return gather_rows("IndexSelectBackward0", x, entries, axis(at));
  TG_CHECK(entries.numel() == 1, "index_select(): Index to scalar can have only 1 value, got ",
           entries.numel(), " value(s)");
  return record("IndexSelectBackward0", contiguous_values(x), {x}, {}, [](Backward& b) { return b.grad(); });
}

namespace {

Tensor index_add_source(const Tensor& x, int at, const Tensor& index, const Tensor& source, Scalar alpha) {
  TG_CHECK(index.dtype() == DType::int64 || index.dtype() == DType::int32,
           "index_add_(): Expected dtype int32/int64 for index but got: ", scalar_type_name(index.dtype()));
  TG_CHECK(x.dtype() == source.dtype(), "index_add_(): self (", scalar_type_name(x.dtype()), ") and source (",
           scalar_type_name(source.dtype()), ") must have the same scalar type");
  const int64_t length = source.dim() == 0 ? 1 : source.shape()[wrap_dim(at, source.dim())];
  TG_CHECK(index.numel() == length, "index_add_(): Number of indices (", index.numel(),
           ") should be equal to source.size(dim): (", length, "), for dim: ", at);
  for (int d = 0; d < x.dim() && source.dim() == x.dim(); ++d)
    TG_CHECK(d == at || x.shape()[d] == source.shape()[d],
             "source tensor shape must match self tensor shape, excluding the "
             "specified dimension. Got self.shape = ",
             to_string(x.shape()), " source.shape = ", to_string(source.shape()));
  const bool plain = !alpha.is_floating() && alpha.to_int() == 1;
  return plain ? source : source * alpha;
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  const int at = wrap_dim(dim, x.dim());
  const Tensor addend = index_add_source(x, at, index, source, alpha),
               entries = vector_index("index_add_", x, at, index);
  if (x.dim() == 0)
    return reshape(with_rows("IndexAddBackward0", reshape(x, {{1}}), entries, axis(0), addend, RowWrite::add),
                   {});
  return with_rows("IndexAddBackward0", x, entries, axis(at), addend, RowWrite::add);
}

const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         Scalar alpha) {
  TG_CHECK_INDEX(x.dim() > 0, "index_add_(): a 0-dim tensor has no slices to add to; use add_");
  const int at = wrap_dim(dim, x.dim());
  const Tensor addend = index_add_source(x, at, index, source, alpha);
  return with_rows_("IndexAddBackward0", x, vector_index("index_add_", x, at, index), axis(at), addend,
                    RowWrite::add);
}

namespace {

Tensor index_copy_index(const Tensor& x, int at, const Tensor& index, const Tensor& source) {
  TG_CHECK_INDEX(x.dim() > 0, "index_copy_(): a 0-dim tensor has no slices to copy to; use copy_");
  TG_CHECK(index.dtype() == DType::int64, "index_copy_(): Expected a long tensor for index, but got ",
           scalar_type_name(index.dtype()));
  TG_CHECK(x.dtype() == source.dtype(),
           "index_copy_(): self and source expected to have the same dtype, but got (self) ",
           scalar_type_name(x.dtype()), " and (source) ", scalar_type_name(source.dtype()));
  const int64_t length = source.dim() == 0 ? 1 : source.shape()[wrap_dim(at, source.dim())];
  TG_CHECK_INDEX(index.numel() == length, "index_copy_(): Number of indices (", index.numel(),
                 ") should be equal to source.size(dim) (", length, ")");
  for (int d = 0; d < x.dim() && source.dim() > 0; ++d)
    TG_CHECK_INDEX(
        source.dim() == x.dim() && (d == at || x.shape()[d] == source.shape()[d]),
        "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: ",
        to_string(x.shape()), " at dimension ", at, " and source slice shape: ", to_string(source.shape()),
        " at dimension 0.");
  return checked_index(as_vector(index), x.shape()[at], false, [&](int64_t entry) {
    fail(ErrorKind::index, "index_copy_(): index ", entry, " is out of bounds for dimension ", at,
         " with size ", x.shape()[at]);
  });
}

}  // namespace

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  const int at = wrap_dim(dim, x.dim());
  return with_rows("IndexCopyBackward0", x, index_copy_index(x, at, index, source), axis(at), source,
                   RowWrite::put);
}
const Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  const int at = wrap_dim(dim, x.dim());
  return with_rows_("IndexCopyBackward0", x, index_copy_index(x, at, index, source), axis(at), source,
                    RowWrite::put);
}

namespace {

Tensor fill_index(const Tensor& x, int at, const Tensor& index) {
  TG_CHECK_INDEX(index.dtype() == DType::int64, "index_fill_(): Expected dtype int64 for index.");
  TG_CHECK_INDEX(index.dim() <= 1, "Index has to be a vector/scalar");
  TG_CHECK_INDEX(x.dim() > 0, "index_fill_(): a 0-dim tensor has no slices to fill; use fill_");
  return checked_index(as_vector(index), x.shape()[at], true, [&](int64_t entry) {
    fail(ErrorKind::index, "index ", entry, " is out of bounds for dimension ", at, " with size ",
         x.shape()[at]);
  });
}

/// `value` in the type of `x`.
Tensor fill_value(const Tensor& x, Scalar value) { return full_values({}, value, x.dtype()); }
Tensor fill_value(const char* name, const Tensor& x, const Tensor& value) {
  TG_CHECK(value.dim() == 0, name, " only supports a 0-dimensional value tensor, but got tensor with ",
           value.dim(), " dimension(s).");
  return to(value, x.dtype());
}

/// The gradient of a filled number is that of all places it went to; a place that is named twice counts once.
template <class F>
auto fill_derivative(int dim, F record_it) {
  return record_it([dim](Backward& b) {
    const Tensor others = index_fill(b.grad(), dim, b.saved(0), 0);
    b.give(0, others);
    b.give(1, [&] { return b.grad() - others; });
  });
}

Tensor filled(const char* name, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  const int at = wrap_dim(dim, x.dim());
  const Tensor entries = fill_index(x, at, index);
  Tensor out = cast_values(x, x.dtype());
  write_rows(out, entries, axis(at), value, RowWrite::put);
  return fill_derivative(at, [&](auto derivative) {
    return record(name, std::move(out), {x, value}, {save(entries)}, derivative);
  });
}

const Tensor& filled_(const char* name, const Tensor& x, int64_t dim, const Tensor& index,
                      const Tensor& value) {
  const int at = wrap_dim(dim, x.dim());
  const Tensor entries = fill_index(x, at, index);
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, value}));
  check_no_internal_overlap(x);
  write_rows(x, entries, axis(at), value, RowWrite::put);
  fill_derivative(at, [&](auto derivative) {
    autograd::record_inplace(name, x, {x, value}, {save(entries)}, derivative);
  });
  return x;
}

}  // namespace

Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return filled("IndexFillBackward0", x, dim, index, fill_value(x, value));
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return filled("IndexFillBackward1", x, dim, index, fill_value("index_fill_", x, value));
}
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return filled_("IndexFillBackward0", x, dim, index, fill_value(x, value));
}
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return filled_("IndexFillBackward1", x, dim, index, fill_value("index_fill_", x, value));
}

namespace {

Tensor position_index(const char* name, const Tensor& x, const Tensor& index) {
  TG_CHECK(index.dtype() == DType::int64, name, "(): Expected a long tensor for index, but got ",
           scalar_type_name(index.dtype()));
  TG_CHECK_INDEX(x.numel() > 0 || index.numel() == 0, name, "(): tried to take from an empty tensor");
  return checked_index(index, x.numel(), true, [&](int64_t entry) {
    fail(ErrorKind::index, "out of range: tried to access index ", entry, " on a tensor of ", x.numel(),
         " elements.");
  });
}

RowAxes all_axes(const Tensor& x) { return {0, x.dim(), {}}; }

Tensor put_source(const Tensor& x, const Tensor& index, const Tensor& source) {
  TG_CHECK(x.dtype() == source.dtype(),
           "put_(): self and source expected to have the same dtype, but got self.dtype = ",
           scalar_type_name(x.dtype()), " and source.dtype = ", scalar_type_name(source.dtype()));
  TG_CHECK_INDEX(index.numel() == source.numel(),
                 "put_(): Expected source and index to have the same number of elements, but got "
                 "source.numel() = ",
                 source.numel(), ", index.numel() = ", index.numel());
  return reshape(source, index.shape());
}

}  // namespace

Tensor take(const Tensor& x, const Tensor& index) {
  return gather_rows("TakeBackward0", x, position_index("take", x, index), all_axes(x));
}
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  const Tensor positions = position_index("put_", x, index);
  return with_rows("PutBackward0", x, positions, all_axes(x), put_source(x, index, source),
                   accumulate ? RowWrite::add : RowWrite::put);
}
const Tensor& put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  const Tensor positions = position_index("put_", x, index);
  return with_rows_("PutBackward0", x, positions, all_axes(x), put_source(x, index, source),
                    accumulate ? RowWrite::add : RowWrite::put);
}

}  // namespace tapegrad
