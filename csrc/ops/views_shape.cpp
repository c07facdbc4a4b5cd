#include <numeric>

#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/embed.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

namespace {

/// Number of elements from the first to the last that the geometry reaches.
int64_t extent(IntSpan shape, IntSpan strides) {
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    last += (shape[i] - 1) * strides[i];
  }
  return last + 1;
}

/// Whether two indices may reach one element; sorted by stride, each dimension must step over those inside
/// it.
bool may_overlap(IntSpan shape, IntSpan strides) {
  Dims order(static_cast<int>(shape.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return strides[a] < strides[b]; });
  int64_t reach = 0;
  for (int64_t dim : order) {
    if (shape[dim] == 0) return false;
    if (shape[dim] == 1) continue;
    if (strides[dim] <= reach) return true;
    reach += (shape[dim] - 1) * strides[dim];
  }
  return false;
}

/// The positions in memory of the elements of a geometry.
Tensor positions(int64_t count, IntSpan shape, IntSpan strides, int64_t offset) {
  Tensor memory = empty({{count}}, DType::int64);
  std::iota(memory.data<int64_t>(), memory.data<int64_t>() + count, 0);
  return contiguous_values(make_view(memory, shape, strides, offset));
}

struct Geometry {
  Dims shape, strides;
  int64_t offset;
  Geometry relative_to(int64_t start) const { return {shape, strides, offset - start}; }
  int64_t end() const { return offset + extent(shape, strides); }
};

/// Sums `g`, which has geometry `geometry`, into zeros of `count` elements.
Tensor sum_into_memory(const Tensor& g, const Geometry& geometry, int64_t count) {
  if (!may_overlap(geometry.shape, geometry.strides))
    return embed("AsStridedScatterBackward0", g, {{count}}, [geometry](const Tensor& memory) {
      return as_strided(contiguous(memory), geometry.shape, geometry.strides, geometry.offset);
    });
  const Tensor index = reshape(positions(count, geometry.shape, geometry.strides, geometry.offset), {{-1}});
  return index_add(full_values({{count}}, 0, g.dtype()), 0, index, reshape(g, {{-1}}));
}

Tensor as_strided_backward(const Tensor& g, const Geometry& input, const Geometry& view) {
  const int64_t start = std::min(input.offset, view.offset);
  const int64_t count = std::max(input.end(), view.end()) - start;
  const Geometry inside = input.relative_to(start);
  Tensor memory = sum_into_memory(g, view.relative_to(start), count);
  if (may_overlap(input.shape, input.strides)) {
    // Several elements of the input are one in memory: each gets an equal share.
    const Tensor index = reshape(positions(count, inside.shape, inside.strides, inside.offset), {{-1}});
    const Tensor ones = full_values(index.shape(), 1, g.dtype());
    memory = memory / index_add(full_values({{count}}, 0, g.dtype()), 0, index, ones);
  }
  if (inside.offset == 0 && count_elements(input.shape) == count && is_row_major(input.shape, input.strides))
    return reshape(memory, input.shape);
  return as_strided(memory, inside.shape, inside.strides, inside.offset);
}

}  // namespace

Tensor as_strided(const Tensor& x, IntSpan shape, IntSpan strides, int64_t offset) {
  TG_CHECK(shape.size() == strides.size(), "mismatch in length of strides and shape");
  check_shape(shape, x.dtype());
  for (int64_t stride : strides)
    TG_CHECK(stride >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ",
             to_string(strides));
  TG_CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
  const int64_t needed = storage_bytes_needed(shape, strides, offset, x.dtype());
  TG_CHECK(needed <= static_cast<int64_t>(x->storage->bytes()), "setStorage: sizes ", to_string(shape),
           ", strides ", to_string(strides), ", storage offset ", offset, ", and itemsize ", x.item_size(),
           " requiring a storage size of ", needed, " are out of bounds for storage of size ",
           x->storage->bytes());
  const Geometry input{x.shape(), x.strides(), x.storage_offset()}, result{shape, strides, offset};
  return strided_view("AsStridedBackward0", x, shape, strides, offset,
                      [input, result](Backward& b) { return as_strided_backward(b.grad(), input, result); });
}

Tensor alias(const Tensor& x) {
  return strided_view("AliasBackward0", x, x.shape(), x.strides(), x.storage_offset(),
                      [](Backward& b) { return b.grad(); });
}

Tensor expand(const Tensor& x, IntSpan shape) {
  const int rank = static_cast<int>(shape.size()), added = rank - x.dim();
  TG_CHECK(added >= 0, "expand(torch.", scalar_type_name(x.dtype()), "Tensor{", to_string(x.shape()),
           "}, size=", to_string(shape), "): the number of sizes provided (", rank,
           ") must be greater or equal to the number of dimensions in the tensor (", x.dim(), ")");
  Dims sizes(shape), strides(rank, 0);
  for (int i = 0; i < rank; ++i) {
    if (i < added) {
      TG_CHECK(sizes[i] >= 0, "The expanded size of the tensor (", sizes[i],
               ") isn't allowed in a leading, non-existing dimension ", i);
      continue;
    }
    const int64_t size = x.shape()[i - added];
    if (sizes[i] == -1) sizes[i] = size;
    TG_CHECK(sizes[i] == size || (size == 1 && sizes[i] >= 0), "The expanded size of the tensor (", sizes[i],
             ") must match the existing size (", size, ") at non-singleton dimension ", i,
             ".  Target sizes: ", to_string(shape), ".  Tensor sizes: ", to_string(x.shape()));
    strides[i] = sizes[i] == size ? x.strides()[i - added] : 0;
  }
  // The engine sums the gradient over what was repeated.
  return strided_view("ExpandBackward0", x, sizes, strides, x.storage_offset(),
                      [](Backward& b) { return b.grad(); });
}

Tensor expand_as(const Tensor& x, const Tensor& like) { return expand(x, like.shape()); }

Tensor broadcast_to(const Tensor& x, IntSpan shape) { return expand(x, shape); }

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
  Dims shape;
  for (const Tensor& tensor : tensors) shape = broadcast_shapes(shape, tensor.shape());
  std::vector<Tensor> expanded;
  for (const Tensor& tensor : tensors)
    expanded.push_back(tensor.shape() == shape ? tensor : expand(tensor, shape));
  return expanded;
}

Dims infer_shape(IntSpan shape, int64_t numel) {
  Dims sizes(shape);
  int inferred = -1;
  int64_t known = 1;
  bool overflow = false;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) {
      TG_CHECK(inferred < 0, "only one dimension can be inferred");
      inferred = i;
    } else {
      TG_CHECK(sizes[i] >= 0, "invalid shape dimension ", sizes[i], " at index ", i, " of shape ",
               to_string(shape));
      overflow |= __builtin_mul_overflow(known, sizes[i], &known);
    }
  }
  if (overflow) known = -1;
  if (inferred >= 0 && known > 0 && numel % known == 0) {
    sizes[inferred] = numel / known;
    return sizes;
  }
  TG_CHECK(inferred < 0 || known != 0 || numel != 0, "cannot reshape tensor of 0 elements into shape ",
           to_string(shape), " because the unspecified dimension size -1 can be any value and is ambiguous");
  TG_CHECK(inferred < 0 && known == numel, "shape '", to_string(shape), "' is invalid for input of size ",
           numel, ": the sizes must multiply to ", numel);
  return sizes;
}

std::optional<Dims> view_strides(const Tensor& x, IntSpan shape) {
  const Dims &old_shape = x.shape(), &old_strides = x.strides();
  if (x.numel() == 0) return old_shape == Dims(shape) ? old_strides : contiguous_strides(shape);
  Dims strides(static_cast<int>(shape.size()), 1);
  // From the back: take the longest run of old dimensions that is evenly spaced, and cut it into new
  // dimensions.
  int next = strides.size() - 1;
  int64_t run = 1, base = x.dim() > 0 ? old_strides.back() : 1;
  for (int i = x.dim() - 1; i >= 0; --i) {
    run *= old_shape[i];
    if (i > 0 && (old_shape[i - 1] == 1 || old_strides[i - 1] == run * base)) continue;
    int64_t taken = 1;
    for (; next >= 0 && (taken < run || shape[next] == 1); --next) {
      strides[next] = taken * base;
      taken *= shape[next];
    }
    if (taken != run) return std::nullopt;
    if (i > 0) base = old_strides[i - 1];
    run = 1;
  }
  return strides;
}

namespace {

Tensor view_as_shape(const Tensor& x, const Dims& shape, const Dims& strides) {
  return strided_view("ViewBackward0", x, shape, strides, x.storage_offset(),
                      [old = x.shape()](Backward& b) { return reshape(b.grad(), old); });
}

}  // namespace

Tensor view(const Tensor& x, IntSpan shape) {
  const Dims sizes = infer_shape(shape, x.numel());
  const auto strides = view_strides(x, sizes);
  TG_CHECK(
      strides,
      "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
      "two contiguous subspaces). Use .reshape(...) instead. The tensor has shape ",
      to_string(x.shape()), " and strides ", to_string(x.strides()), ".");
  return view_as_shape(x, sizes, *strides);
}

Tensor view_as(const Tensor& x, const Tensor& like) { return view(x, like.shape()); }

Tensor reshape(const Tensor& x, IntSpan shape) {
  const Dims sizes = infer_shape(shape, x.numel());
  if (const auto strides = view_strides(x, sizes)) return view_as_shape(x, sizes, *strides);
  // A copy nobody else sees, so its reshaping is no view to be followed by autograd.
  const Tensor copy = clone_contiguous(x);
  Tensor out = make_view(copy, sizes, contiguous_strides(sizes), 0);
  return record("UnsafeViewBackward0", std::move(out), {copy}, {},
                [old = x.shape()](Backward& b) { return reshape(b.grad(), old); });
}

Tensor reshape_as(const Tensor& x, const Tensor& like) { return reshape(x, like.shape()); }

Tensor view_dtype(const Tensor& x, DType dtype) {
  if (dtype == x.dtype()) return alias(x);
  const int64_t from = x.item_size(), to = item_size(dtype);
  Dims shape = x.shape(), strides = x.strides();
  const int last = x.dim() - 1;
  if (from != to) {
    TG_CHECK(last >= 0, "self.dim() cannot be 0 to view ", scalar_type_name(x.dtype()), " as ",
             scalar_type_name(dtype), " (different element sizes)");
    TG_CHECK(strides[last] == 1, "self.stride(-1) must be 1 to view ", scalar_type_name(x.dtype()), " as ",
             scalar_type_name(dtype), " (different element sizes), but got ", strides[last]);
    const int64_t ratio = std::max(from, to) / std::min(from, to);
    if (to > from) {
      TG_CHECK(shape[last] % ratio == 0, "self.size(-1) must be divisible by ", ratio, " to view ",
               scalar_type_name(x.dtype()), " as ", scalar_type_name(dtype),
               " (different element sizes), but got ", shape[last]);
      TG_CHECK(x.storage_offset() % ratio == 0, "self.storage_offset() must be divisible by ", ratio,
               " to view ", scalar_type_name(x.dtype()), " as ", scalar_type_name(dtype),
               " (different element sizes), but got ", x.storage_offset());
    }
    for (int i = 0; i < last; ++i) {
      TG_CHECK(to < from || strides[i] % ratio == 0, "self.stride(", i, ") must be divisible by ", ratio,
               " to view ", scalar_type_name(x.dtype()), " as ", scalar_type_name(dtype),
               " (different element sizes), but got ", strides[i]);
      strides[i] = strides[i] * from / to;
    }
    shape[last] = shape[last] * from / to;
  }
  Tensor view = make_view(x, shape, strides, 0);
  view->dtype = dtype;
  view->data = x.raw();
  return view;
}

Tensor flatten(const Tensor& x, int64_t first, int64_t last) {
  const int from = wrap_dim(first, x.dim()), to = wrap_dim(last, x.dim());
  TG_CHECK(from <= to, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (x.dim() == 0) return reshape(x, {{1}});
  if (from == to) return x;
  Dims shape = IntSpan(x.shape()).first(from);
  shape.push_back(count_elements(IntSpan(x.shape()).subspan(from, to - from + 1)));
  for (int i = to + 1; i < x.dim(); ++i) shape.push_back(x.shape()[i]);
  return reshape(x, shape);
}

Tensor unflatten(const Tensor& x, int64_t dim, IntSpan sizes) {
  const int at = wrap_dim(dim, x.dim());
  TG_CHECK(!sizes.empty(), "unflatten: sizes must be non-empty");
  int64_t known = 1, inferred = 0;
  bool overflow = false;
  for (int64_t size : sizes)
    if (size == -1)
      ++inferred;
    else
      overflow |= __builtin_mul_overflow(known, size, &known);
  const int64_t size = x.shape()[at];
  TG_CHECK(!overflow && inferred <= 1 && (inferred ? known != 0 && size % known == 0 : known == size),
           "unflatten: Provided sizes ", to_string(sizes), " don't multiply up to the size of dim ", at, " (",
           size, ") in the input tensor");
  Dims shape = IntSpan(x.shape()).first(at);
  for (int64_t part : sizes) shape.push_back(part == -1 ? size / known : part);
  for (int i = at + 1; i < x.dim(); ++i) shape.push_back(x.shape()[i]);
  return view(x, shape);
}

namespace {

Tensor swap_dims(const char* name, const Tensor& x, int a, int b) {
  Dims shape = x.shape(), strides = x.strides();
  if (a != b) {
    std::swap(shape[a], shape[b]);
    std::swap(strides[a], strides[b]);
  }
  return strided_view(name, x, shape, strides, x.storage_offset(),
                      [a, b](Backward& ctx) { return transpose(ctx.grad(), a, b); });
}

}  // namespace

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
  return x.dim() == 0 ? alias(x) : swap_dims("TransposeBackward0", x, a, b);
}

Tensor t(const Tensor& x) {
  TG_CHECK(x.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", x.dim(), "D");
  if (x.dim() < 2)
    return strided_view("TBackward0", x, x.shape(), x.strides(), x.storage_offset(),
                        [](Backward& b) { return b.grad(); });
  return swap_dims("TBackward0", x, 0, 1);
}

Tensor permute(const Tensor& x, IntSpan dims) {
  const int rank = x.dim();
  TG_CHECK(static_cast<int>(dims.size()) == rank,
           "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
           "desired ordering "
           "of dimensions i.e. input.dim() = ",
           rank, " is not equal to len(dims) = ", dims.size());
  Dims shape(rank), strides(rank), inverse(rank, -1);
  for (int i = 0; i < rank; ++i) {
    const int dim = wrap_dim(dims[i], rank);
    TG_CHECK(inverse[dim] < 0, "permute(): duplicate dims are not allowed.");
    shape[i] = x.shape()[dim];
    strides[i] = x.strides()[dim];
    inverse[dim] = i;
  }
  return strided_view("PermuteBackward0", x, shape, strides, x.storage_offset(),
                      [inverse](Backward& b) { return permute(b.grad(), inverse); });
}

namespace {

Dims distinct_dims(const char* name, IntSpan dims, int rank) {
  Dims wrapped;
  for (int64_t dim : dims) {
    const int64_t at = wrap_dim(dim, rank);
    TG_CHECK(std::find(wrapped.begin(), wrapped.end(), at) == wrapped.end() || rank == 0,
             "movedim: repeated dim in `", name, "` (", to_string(dims), ")");
    wrapped.push_back(at);
  }
  return wrapped;
}

}  // namespace

Tensor movedim(const Tensor& x, IntSpan source, IntSpan destination) {
  TG_CHECK(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (",
           to_string(source), " dims) should contain the same number of dims as destination (",
           to_string(destination), " dims)");
  const int rank = x.dim();
  const Dims from = distinct_dims("source", source, rank),
             to = distinct_dims("destination", destination, rank);
  if (rank == 0) return alias(x);
  Dims order(rank, -1);
  uint64_t moved = 0;
  for (int i = 0; i < from.size(); ++i) {
    order[static_cast<int>(to[i])] = from[i];
    moved |= uint64_t{1} << from[i];
  }
  int next = 0;
  for (int i = 0; i < rank; ++i) {
    if (order[i] >= 0) continue;
    while (moved >> next & 1) ++next;
    order[i] = next++;
  }
  return permute(x, order);
}

Tensor reverse_dims(const Tensor& x) {
  Dims order(x.dim());
  for (int i = 0; i < x.dim(); ++i) order[i] = x.dim() - 1 - i;
  return permute(x, order);
}

Tensor matrix_transpose(const Tensor& x) {
  TG_CHECK(x.dim() >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ", x.dim(),
           "-D tensor.");
  return transpose(x, -2, -1);
}

Tensor adjoint(const Tensor& x) {
  TG_CHECK(x.dim() >= 2, "tensor.adjoint() is only supported on matrices or batches of matrices. Got ",
           x.dim(), "-D tensor.");
  return transpose(x, -2, -1);
}

Tensor conjugate_transpose(const Tensor& x) {
  TG_CHECK(x.dim() == 0 || x.dim() == 2, "tensor.H is only supported on matrices (2-D tensors). Got ",
           x.dim(), "-D tensor. For batches of matrices, consider using tensor.mH");
  return x.dim() == 0 ? alias(x) : transpose(x, 0, 1);
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  const int at = wrap_dim(dim, x.dim() + 1);
  Dims shape = x.shape(), strides = x.strides();
  const int64_t stride = at < x.dim() ? shape[at] * strides[at] : 1;
  shape.insert(at, 1);
  strides.insert(at, stride);
  return strided_view("UnsqueezeBackward0", x, shape, strides, x.storage_offset(),
                      [at](Backward& b) { return squeeze(b.grad(), at); });
}

namespace {

Tensor drop_dims(const char* name, const Tensor& x, uint64_t candidates) {
  int kept = 0;
  Dims shape = x.shape(), strides = x.strides();
  for (int i = 0; i < x.dim(); ++i) {
    if ((candidates >> i & 1) && shape[i] == 1) continue;
    shape[kept] = shape[i];
    strides[kept++] = strides[i];
  }
  return strided_view(name, x, IntSpan(shape).first(kept), IntSpan(strides).first(kept), x.storage_offset(),
                      [old = x.shape()](Backward& b) { return reshape(b.grad(), old); });
}

}  // namespace

Tensor squeeze(const Tensor& x) { return drop_dims("SqueezeBackward0", x, ~uint64_t{0}); }
Tensor squeeze(const Tensor& x, int64_t dim) {
  return drop_dims("SqueezeBackward1", x, uint64_t{1} << wrap_dim(dim, x.dim()));
}
Tensor squeeze_dims(const Tensor& x, IntSpan dims) {
  uint64_t mask = 0;
  for (int64_t dim : wrap_dims(dims, x.dim())) mask |= uint64_t{1} << dim;
  return drop_dims("SqueezeBackward2", x, mask);
}

Tensor atleast_1d(const Tensor& x) { return x.dim() >= 1 ? x : reshape(x, {{1}}); }
Tensor atleast_2d(const Tensor& x) {
  return x.dim() >= 2 ? x : x.dim() == 1 ? unsqueeze(x, 0) : reshape(x, {{1, 1}});
}
Tensor atleast_3d(const Tensor& x) {
  switch (x.dim()) {
    case 0:
      return reshape(x, {{1, 1, 1}});
    case 1:
      return unsqueeze(unsqueeze(x, 0), -1);
    case 2:
      return unsqueeze(x, -1);
    default:
      return x;
  }
}

}  // namespace tapegrad
