// Triangular parts and diagonals.
#include <cstring>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/embed.h"
#include "ops/loops.h"
#include "ops/rearrange.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

namespace {

enum class Part { lower, upper };

Tensor triangle_values(const Tensor& x, int64_t diagonal, Part part) {
  const Tensor source = x.is_contiguous() ? x : contiguous_values(x);
  Tensor out = empty(x.shape(), x.dtype());
  const int64_t rows = x.shape()[x.dim() - 2], columns = x.shape()[x.dim() - 1];
  if (x.numel() == 0) return out;
  const int64_t total = x.numel() / columns, item = x.item_size();
  const char* from = source.raw();
  char* to = out.raw();
  LongWorkScope scope(x.numel());
  parallel_for(0, total, std::max<int64_t>(kElementwiseGrain / columns, 1), [&](int64_t lo, int64_t hi) {
    for (int64_t row = lo; row < hi; ++row) {
      // The first `cut` columns are kept (lower) or cleared (upper).
      const int64_t cut = std::clamp<int64_t>(row % rows + diagonal + (part == Part::lower), 0, columns);
      const size_t start = static_cast<size_t>(row * columns * item), left = static_cast<size_t>(cut * item),
                   right = static_cast<size_t>((columns - cut) * item);
      if (part == Part::lower) {
        std::memcpy(to + start, from + start, left);
        std::memset(to + start + left, 0, right);
      } else {
        std::memset(to + start, 0, left);
        std::memcpy(to + start + left, from + start + left, right);
      }
    }
  });
  return out;
}

Tensor triangle(const char* name, const Tensor& x, int64_t diagonal, Part part) {
  TG_CHECK(x.dim() >= 2, part == Part::lower ? "tril" : "triu",
           ": input tensor must have at least 2 dimensions");
  return record(name, triangle_values(x, diagonal, part), {x}, {},
                [=](Backward& b) { return triangle(name, b.grad(), diagonal, part); });
}

const Tensor& triangle_(const char* name, const Tensor& x, int64_t diagonal, Part part) {
  TG_CHECK(x.dim() >= 2, part == Part::lower ? "tril" : "triu",
           ": input tensor must have at least 2 dimensions");
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x}));
  check_no_internal_overlap(x);
  copy_values(x, triangle_values(x, diagonal, part));
  return autograd::record_inplace(name, x, {x}, {},
                                  [=](Backward& b) { return triangle(name, b.grad(), diagonal, part); });
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("TrilBackward0", x, diagonal, Part::lower); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("TriuBackward0", x, diagonal, Part::upper); }
const Tensor& tril_(const Tensor& x, int64_t diagonal) {
  return triangle_("TrilBackward0", x, diagonal, Part::lower);
}
const Tensor& triu_(const Tensor& x, int64_t diagonal) {
  return triangle_("TriuBackward0", x, diagonal, Part::upper);
}

namespace {

/// Coordinates of the columns [first(row), last(row)) of each row.
template <class First, class Last>
Tensor row_ranges(int64_t rows, int64_t columns, First first, Last last) {
  TG_CHECK(rows >= 0, "row must be non-negative, got", rows);
  TG_CHECK(columns >= 0, "col must be non-negative, got", columns);
  int64_t count = 0;
  auto range = [&](int64_t row) {
    const int64_t from = std::clamp<int64_t>(first(row), 0, columns),
                  to = std::clamp<int64_t>(last(row), 0, columns);
    return std::pair(from, std::max(from, to));
  };
  check_shape({{2, rows, columns}}, DType::int64);
  for (int64_t row = 0; row < rows; ++row) count += range(row).second - range(row).first;
  Tensor out = empty({{2, count}}, DType::int64);
  int64_t *row_out = out.data<int64_t>(), *column_out = row_out + count;
  for (int64_t row = 0; row < rows; ++row)
    for (auto [column, end] = range(row); column < end; ++column) {
      *row_out++ = row;
      *column_out++ = column;
    }
  return out;
}

}  // namespace

Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset) {
  return row_ranges(rows, columns, [](int64_t) { return 0; }, [=](int64_t row) { return row + offset + 1; });
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset) {
  return row_ranges(
      rows, columns, [=](int64_t row) { return row + offset; }, [=](int64_t) { return columns; });
}

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const int rank = x.dim() + 1, first = wrap_dim(dim1, rank), second = wrap_dim(dim2, rank);
  TG_CHECK(first != second, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  TG_CHECK(x.dim() > 0, "diag_embed: expected a tensor of at least one dimension");
  const int64_t size = x.shape()[x.dim() - 1] + std::abs(offset);
  Dims shape = IntSpan(x.shape()).first(x.dim() - 1);
  shape.insert(std::min(first, second), size);
  shape.insert(std::max(first, second), size);
  return embed("DiagEmbedBackward0", x, shape,
               [=](const Tensor& whole) { return diagonal(whole, offset, first, second); });
}

Tensor diag(const Tensor& x, int64_t diagonal_offset) {
  TG_CHECK(x.dim() == 1 || x.dim() == 2, "diag(): Supports 1D or 2D tensors. Got ", x.dim(), "D");
  if (x.dim() == 1) return diag_embed(x, diagonal_offset);
  Tensor out;
  {
    const autograd::NoGrad no_grad;
    out = contiguous_values(diagonal(x, diagonal_offset));
  }
  return record(
      "DiagonalBackward0_copy", std::move(out), {x}, {}, [diagonal_offset, shape = x.shape()](Backward& b) {
        return embed("DiagonalBackwardBackward0", b.grad(), shape,
                     [diagonal_offset](const Tensor& whole) { return diagonal(whole, diagonal_offset); });
      });
}

Tensor diagflat(const Tensor& x, int64_t offset) { return diag_embed(reshape(x, {{-1}}), offset); }

const Tensor& fill_diagonal_(const Tensor& x, Scalar value, bool wrap) {
  TG_CHECK(x.dim() >= 2, "dimensions must larger than 1");
  const Dims& shape = x.shape();
  int64_t size = shape[0], step = 0;
  for (int i = 0; i < x.dim(); ++i) {
    TG_CHECK(x.dim() == 2 || shape[i] == shape[0], "all dimensions of input must be of equal length");
    size = std::min(size, shape[i]);
    step += x.strides()[i];
  }
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x}));
  const Tensor number = full_values({}, value, x.dtype());
  copy_(as_strided(x, {{size}}, {{step}}, x.storage_offset()), number);
  if (wrap && x.dim() == 2 && shape[0] > shape[1] + 1) {
    const int64_t used = shape[1] + 1, rest = (shape[0] - used - 1) / used + 1;
    for (int64_t block = 1; block <= rest; ++block) {
      const Tensor below = slice(x, 0, block * used, shape[0]);
      copy_(diagonal(below), number);
    }
  }
  return x;
}

}  // namespace tapegrad
