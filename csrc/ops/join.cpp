#include "ops/join.h"

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/loops.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

namespace {

DType common_type(const std::vector<Tensor>& tensors) {
  bool same = true;
  for (const Tensor& tensor : tensors) same = same && tensor.dtype() == tensors[0].dtype();
  if (same) return tensors[0].dtype();
  return result_type(std::vector<Operand>(tensors.begin(), tensors.end()));
}

/// Fills `out` with pieces that follow each other along `dim`; piece i has sizes[i] entries there.
void copy_pieces(const Tensor& out, int dim, const std::vector<Tensor>& pieces,
                 const std::vector<int64_t>& sizes) {
  constexpr int64_t kGrainBytes = 4 * kElementwiseGrain;
  const IntSpan shape(out.shape());
  const int64_t outer = count_elements(shape.first(dim)), inner = count_elements(shape.subspan(dim + 1));
  const int64_t line = inner * out.item_size(), step = shape[dim] * line;
  if (outer * step == 0) return;
  const auto is_plain = [&](const Tensor& piece) {
    return piece.is_contiguous() && piece.dtype() == out.dtype();
  };
  int64_t start = 0;
  for (size_t i = 0; i < pieces.size(); start += sizes[i++]) {
    const Tensor& piece = pieces[i];
    if (sizes[i] == 0 || is_plain(piece)) continue;
    Dims part = out.shape(), strides = piece.strides();
    part[dim] = sizes[i];
    if (piece.dim() < out.dim()) strides.insert(dim, 0);  // stack
    copy_values(make_view(out, part, out.strides(), start * inner),
                make_view(piece, part, strides, piece.storage_offset()));
  }
  // All pieces of some rows before the next rows, while they are in the cache.
  const auto copy_rows = [&](int64_t lo, int64_t hi) {
    char* to = out.raw() + lo * step;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const int64_t bytes = sizes[i] * line;
      if (bytes > 0 && is_plain(pieces[i]))
        kernels->copy.rows(to, step, pieces[i].raw() + lo * bytes, bytes, hi - lo, bytes);
      to += bytes;
    }
  };
  if (outer * step <= kGrainBytes) return copy_rows(0, outer);
  LongWorkScope scope(outer * step / 4);
  if (outer > 1) return parallel_for(0, outer, std::max<int64_t>(kGrainBytes / step, 1), copy_rows);
  char* to = out.raw();
  for (size_t i = 0; i < pieces.size(); to += sizes[i++] * line) {
    const char* from = pieces[i].raw();
    if (is_plain(pieces[i]))
      parallel_for(0, sizes[i] * line, kGrainBytes,
                   [&](int64_t lo, int64_t hi) { std::copy(from + lo, from + hi, to + lo); });
  }
}

bool is_empty_vector(const Tensor& tensor) { return tensor.dim() == 1 && tensor.numel() == 0; }

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim) {
  TG_CHECK_VALUE(!tensors.empty(), "torch.cat(): expected a non-empty list of Tensors");
  const Tensor* first = &tensors[0];
  for (size_t i = 0; i < tensors.size(); ++i) {
    TG_CHECK(tensors[i].dim() > 0, "zero-dimensional tensor (at position ", i,
             ") cannot be concatenated; use torch.stack");
    if (is_empty_vector(*first)) first = &tensors[i];
  }
  const int at = wrap_dim(dim, first->dim());
  Dims shape = first->shape();
  shape[at] = 0;
  std::vector<int64_t> sizes(tensors.size());
  std::vector<bool> empty_vector(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& tensor = tensors[i];
    empty_vector[i] = is_empty_vector(tensor);
    if (empty_vector[i]) continue;
    TG_CHECK(tensor.dim() == shape.size(), "Tensors must have same number of dimensions: got ", shape.size(),
             " and ", tensor.dim());
    for (int d = 0; d < shape.size(); ++d)
      TG_CHECK(d == at || tensor.shape()[d] == shape[d], "Sizes of tensors must match except in dimension ",
               at, ". Expected size ", shape[d], " but got size ", tensor.shape()[d], " for tensor number ",
               i, " in the list.");
    sizes[i] = tensor.shape()[at];
    shape[at] += sizes[i];
  }
  Tensor out = empty(shape, common_type(tensors));
  copy_pieces(out, at, tensors, sizes);
  autograd::record_outputs("CatBackward0", {&out, 1}, tensors, {}, [at, sizes, empty_vector](Backward& b) {
    int64_t start = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const int64_t from = start;
      start += sizes[i];
      b.give(static_cast<int>(i), [&] {
        return empty_vector[i] ? full_values({{0}}, 0, b.grad().dtype())
                               : slice(b.grad(), at, from, from + sizes[i]);
      });
    }
  });
  return out;
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim) {
  TG_CHECK(!tensors.empty(), "stack expects a non-empty TensorList");
  const int at = wrap_dim(dim, tensors[0].dim() + 1);
  for (size_t i = 1; i < tensors.size(); ++i)
    TG_CHECK(tensors[i].shape() == tensors[0].shape(), "stack expects each tensor to be equal size, but got ",
             to_string(tensors[0].shape()), " at entry 0 and ", to_string(tensors[i].shape()), " at entry ",
             i);
  Dims shape = tensors[0].shape();
  shape.insert(at, static_cast<int64_t>(tensors.size()));
  Tensor out = empty(shape, common_type(tensors));
  copy_pieces(out, at, tensors, std::vector<int64_t>(tensors.size(), 1));
  autograd::record_outputs("StackBackward0", {&out, 1}, tensors, {}, [at](Backward& b) {
    for (int i = 0; i < b.input_count(); ++i) b.give(i, [&] { return select(b.grad(), at, i); });
  });
  return out;
}

std::vector<Tensor> atleast_1d(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(atleast_1d(tensor));
  return result;
}
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(atleast_2d(tensor));
  return result;
}
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(atleast_3d(tensor));
  return result;
}

Tensor hstack(const std::vector<Tensor>& tensors) {
  TG_CHECK(!tensors.empty(), "hstack expects a non-empty TensorList");
  const std::vector<Tensor> raised = atleast_1d(tensors);
  return cat(raised, raised[0].dim() == 1 ? 0 : 1);
}
Tensor vstack(const std::vector<Tensor>& tensors) {
  TG_CHECK(!tensors.empty(), "vstack expects a non-empty TensorList");
  return cat(atleast_2d(tensors), 0);
}
Tensor dstack(const std::vector<Tensor>& tensors) {
  TG_CHECK(!tensors.empty(), "dstack expects a non-empty TensorList");
  return cat(atleast_3d(tensors), 2);
}
Tensor column_stack(const std::vector<Tensor>& tensors) {
  TG_CHECK(!tensors.empty(), "column_stack expects a non-empty TensorList");
  std::vector<Tensor> columns;
  for (const Tensor& tensor : tensors)
    columns.push_back(tensor.dim() <= 1 ? reshape(tensor, {{tensor.numel(), 1}}) : tensor);
  return cat(columns, 1);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, const std::string& indexing) {
  TG_CHECK(!tensors.empty(), "meshgrid expects a non-empty TensorList");
  TG_CHECK(indexing == "ij" || indexing == "xy",
           "torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: ", indexing);
  Dims shape(static_cast<int>(tensors.size()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    TG_CHECK(tensors[i].dim() <= 1,
             "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got shape ",
             to_string(tensors[i].shape()));
    TG_CHECK(tensors[i].dtype() == tensors[0].dtype(),
             "torch.meshgrid expects all tensors to have the same dtype");
    shape[static_cast<int>(i)] = tensors[i].numel();
  }
  const bool swaps = indexing == "xy" && tensors.size() > 1;
  if (swaps) std::swap(shape[0], shape[1]);
  std::vector<Tensor> grids;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Dims spread(shape.size(), 1);
    spread[static_cast<int>(swaps && i < 2 ? 1 - i : i)] = -1;
    const Tensor grid =
        expand(view(tensors[i].dim() == 0 ? reshape(tensors[i], {{1}}) : tensors[i], spread), shape);
    grids.push_back(grid);
  }
  return grids;
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
  TG_CHECK(!tensors.empty(), "cartesian_prod expects a non-empty TensorList");
  for (const Tensor& tensor : tensors)
    TG_CHECK(tensor.dim() == 1, "Expect a 1D vector, but got shape ", to_string(tensor.shape()));
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> columns = meshgrid(tensors, "ij");
  for (Tensor& column : columns) column = flatten(column);
  return stack(columns, 1);
}

Tensor block_diag(const std::vector<Tensor>& tensors) {
  Dims shape{0, 0};
  for (const Tensor& tensor : tensors) {
    TG_CHECK(tensor.dim() <= 2, "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input has ",
             tensor.dim(), " dimensions");
    shape[0] += tensor.dim() == 2 ? tensor.shape()[0] : 1;
    shape[1] += tensor.dim() == 0 ? 1 : tensor.shape()[tensor.dim() - 1];
  }
  Tensor out = full_values(shape, 0, tensors.empty() ? default_dtype() : common_type(tensors));
  auto corner = [](const Tensor& whole, int64_t row, int64_t column, const Dims& size) {
    return slice(slice(whole, 0, row, row + size[0]), 1, column, column + size[1]);
  };
  std::vector<Dims> sizes;
  int64_t row = 0, column = 0;
  for (const Tensor& tensor : tensors) {
    const autograd::NoGrad no_grad;
    const Tensor block = atleast_2d(tensor);
    copy_values(corner(out, row, column, block.shape()), block);
    row += block.shape()[0];
    column += block.shape()[1];
    sizes.push_back(block.shape());
  }
  autograd::record_outputs("BlockDiagBackward0", {&out, 1}, tensors, {}, [sizes, corner](Backward& b) {
    int64_t row = 0, column = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const int k = static_cast<int>(i);
      // The engine drops the dimensions that a vector or number does not have.
      b.give(k, [&] { return corner(b.grad(), row, column, sizes[i]); });
      row += sizes[i][0];
      column += sizes[i][1];
    }
  });
  return out;
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  TG_CHECK(x.dim() == 1, "Expect a 1D vector, but got shape ", to_string(x.shape()));
  TG_CHECK(r >= 0, "Expect a non-negative number, but got ", r);
  if (r == 0) return empty({{0}}, x.dtype());
  // Choices in lexicographic order: the last place that can grow does.
  const int64_t n = x.numel();
  std::vector<int64_t> choice(static_cast<size_t>(r)), rows;
  for (int64_t i = 0; i < r; ++i) choice[static_cast<size_t>(i)] = with_replacement ? 0 : i;
  int64_t count = 0;
  for (bool more = with_replacement ? n > 0 : r <= n; more; ++count) {
    rows.insert(rows.end(), choice.begin(), choice.end());
    int64_t place = r - 1;
    auto limit = [&](int64_t i) { return with_replacement ? n - 1 : n - r + i; };
    while (place >= 0 && choice[static_cast<size_t>(place)] == limit(place)) --place;
    more = place >= 0;
    if (!more) continue;
    ++choice[static_cast<size_t>(place)];
    for (int64_t i = place + 1; i < r; ++i)
      choice[static_cast<size_t>(i)] = choice[static_cast<size_t>(i - 1)] + (with_replacement ? 0 : 1);
  }
  Tensor positions = empty({{count, r}}, DType::int64);
  std::copy(rows.begin(), rows.end(), positions.data<int64_t>());
  return index(x, {positions});
}

}  // namespace tapegrad
