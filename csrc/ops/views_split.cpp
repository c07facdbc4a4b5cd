// Views of all parts of a tensor: one node takes the gradients of all pieces.
#include "ops/copy.h"
#include "ops/join.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;

namespace {

/// The gradient of piece i; where none arrived, zeros that take no memory.
Tensor piece_gradient(const Backward& b, int i, const Tensor& zero, IntSpan shape) {
  return b.grad(i).defined() ? b.grad(i) : make_view(zero, shape, Dims(static_cast<int>(shape.size()), 0), 0);
}

/// Views of consecutive ranges of `dim` with sizes size(0), size(1)...
template <class Size>
std::vector<Tensor> split_views(const char* name, const Tensor& x, int dim, int64_t count, Size size) {
  std::vector<Tensor> pieces;
  pieces.reserve(static_cast<size_t>(count));
  Dims shape = x.shape();
  int64_t offset = x.storage_offset();
  for (int64_t i = 0; i < count; ++i) {
    shape[dim] = size(i);
    pieces.push_back(make_view(x, shape, x.strides(), offset));
    autograd::set_view_of(pieces.back(), x, ViewKind::multi_output);
    offset += shape[dim] * x.strides()[dim];
  }
  autograd::record_outputs(name, pieces, autograd::TensorRefs{x}, {},
                           [dim, count, size, shape = x.shape(), dtype = x.dtype()](Backward& b) {
                             const Tensor zero = full_values({}, 0, dtype);
                             Dims piece = shape;
                             std::vector<Tensor> gradients;
                             gradients.reserve(static_cast<size_t>(count));
                             for (int64_t i = 0; i < count; ++i) {
                               piece[dim] = size(i);
                               gradients.push_back(piece_gradient(b, static_cast<int>(i), zero, piece));
                             }
                             return cat(gradients, dim);
                           });
  return pieces;
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim) {
  TG_CHECK(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  TG_CHECK(size >= 0, "split expects split_size be non-negative, but got split_size=", size);
  const int at = wrap_dim(dim, x.dim());
  const int64_t total = x.shape()[at];
  TG_CHECK(size > 0 || total == 0,
           "split_size can only be 0 if dimension size is 0, but got dimension size of ", total);
  const int64_t count = size == 0 ? 1 : std::max<int64_t>((total + size - 1) / size, 1);
  return split_views("SplitBackward0", x, at, count,
                     [size, total](int64_t i) { return std::min(size, total - i * size); });
}

std::vector<Tensor> split_with_sizes(const Tensor& x, IntSpan sizes, int64_t dim) {
  TG_CHECK(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  const int at = wrap_dim(dim, x.dim());
  int64_t sum = 0;
  for (int64_t size : sizes) {
    TG_CHECK(size >= 0,
             "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=",
             to_string(sizes));
    sum += size;
  }
  TG_CHECK(sum == x.shape()[at], "split_with_sizes expects split_sizes to sum exactly to ", x.shape()[at],
           " (input tensor's size at dimension ", at, "), but got split_sizes=", to_string(sizes));
  return split_views("SplitWithSizesBackward0", x, at, static_cast<int64_t>(sizes.size()),
                     [list = std::vector<int64_t>(sizes.begin(), sizes.end())](int64_t i) {
                       return list[static_cast<size_t>(i)];
                     });
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  TG_CHECK(x.dim() > 0, "chunk expects at least a 1-dimensional tensor");
  TG_CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  const int at = wrap_dim(dim, x.dim());
  const int64_t total = x.shape()[at], size = (total + chunks - 1) / chunks;
  if (size == 0) return split_with_sizes(x, std::vector<int64_t>(static_cast<size_t>(chunks), 0), at);
  return split(x, size, at);
}

std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  TG_CHECK(x.dim() > 0,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  TG_CHECK(sections > 0, "number of sections must be larger than 0, got ", sections);
  const int at = wrap_dim(dim, x.dim());
  const int64_t total = x.shape()[at], size = total / sections, longer = total % sections;
  std::vector<Tensor> pieces;
  pieces.reserve(static_cast<size_t>(sections));
  int64_t start = 0;
  for (int64_t i = 0; i < sections; ++i) {
    const int64_t stop = start + size + (i < longer);
    pieces.push_back(slice(x, at, start, stop));
    start = stop;
  }
  return pieces;
}

std::vector<Tensor> tensor_split_at(const Tensor& x, IntSpan indices, int64_t dim) {
  TG_CHECK(x.dim() > 0,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  const int at = wrap_dim(dim, x.dim());
  std::vector<Tensor> pieces;
  int64_t start = 0;
  for (int64_t stop : indices) {
    pieces.push_back(slice(x, at, start, stop));
    start = stop;
  }
  pieces.push_back(slice(x, at, start, x.shape()[at]));
  return pieces;
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  TG_CHECK_INDEX(x.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
  const int at = wrap_dim(dim, x.dim());
  const int64_t count = x.shape()[at];
  Dims shape = x.shape(), strides = x.strides();
  const int64_t step = strides[at];
  shape.erase(at);
  strides.erase(at);
  std::vector<Tensor> pieces;
  pieces.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    pieces.push_back(make_view(x, shape, strides, x.storage_offset() + i * step));
    autograd::set_view_of(pieces.back(), x, ViewKind::multi_output);
  }
  autograd::record_outputs("UnbindBackward0", pieces, autograd::TensorRefs{x}, {},
                           [at, count, shape, dtype = x.dtype()](Backward& b) {
                             const Tensor zero = full_values({}, 0, dtype);
                             std::vector<Tensor> gradients;
                             gradients.reserve(static_cast<size_t>(count));
                             for (int64_t i = 0; i < count; ++i)
                               gradients.push_back(piece_gradient(b, static_cast<int>(i), zero, shape));
                             return stack(gradients, at);
                           });
  return pieces;
}

namespace {

/// The dimension that hsplit, vsplit and dsplit cut, after checking the rank.
int split_dim(const char* name, const Tensor& x, int needed_rank) {
  TG_CHECK(x.dim() >= needed_rank, "torch.", name, " requires a tensor with at least ", needed_rank,
           " dimension, but got a tensor with ", x.dim(), " dimensions!");
  return name[0] == 'h' ? (x.dim() == 1 ? 0 : 1) : name[0] == 'v' ? 0 : 2;
}

std::vector<Tensor> split_evenly(const char* name, const Tensor& x, int needed_rank, int64_t sections) {
  const int dim = split_dim(name, x, needed_rank);
  TG_CHECK(sections > 0 && x.shape()[dim] % sections == 0, "torch.", name,
           " attempted to split along dimension ", dim, ", but the size of the dimension ", x.shape()[dim],
           " is not divisible by the split_size ", sections, "!");
  return tensor_split(x, sections, dim);
}

}  // namespace

std::vector<Tensor> hsplit(const Tensor& x, int64_t sections) {
  return split_evenly("hsplit", x, 1, sections);
}
std::vector<Tensor> vsplit(const Tensor& x, int64_t sections) {
  return split_evenly("vsplit", x, 2, sections);
}
std::vector<Tensor> dsplit(const Tensor& x, int64_t sections) {
  return split_evenly("dsplit", x, 3, sections);
}
std::vector<Tensor> hsplit_at(const Tensor& x, IntSpan indices) {
  return tensor_split_at(x, indices, split_dim("hsplit", x, 1));
}
std::vector<Tensor> vsplit_at(const Tensor& x, IntSpan indices) {
  return tensor_split_at(x, indices, split_dim("vsplit", x, 2));
}
std::vector<Tensor> dsplit_at(const Tensor& x, IntSpan indices) {
  return tensor_split_at(x, indices, split_dim("dsplit", x, 3));
}

}  // namespace tapegrad
