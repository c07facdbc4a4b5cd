// Views: other shapes and strides on the same memory. All are differentiable; none copies, except reshape and
// its kin where no strides describe the result.
#pragma once
#include <optional>
#include <vector>

#include "autograd/record.h"
#include "core/tensor.h"

namespace tapegrad {

/// A tensor on the memory of `x` with any geometry; `offset` counts elements from the start of the storage.
/// RuntimeError when the geometry leaves the storage. The gradient of elements that appear several times is
/// summed.
Tensor as_strided(const Tensor& x, IntSpan shape, IntSpan strides, int64_t offset);
/// Another tensor object on the same elements.
Tensor alias(const Tensor& x);

/// Repeats dimensions of size 1 without copying, and adds dimensions in front; -1 keeps a size.
Tensor expand(const Tensor& x, IntSpan shape);
Tensor expand_as(const Tensor& x, const Tensor& like);
Tensor broadcast_to(const Tensor& x, IntSpan shape);
/// All tensors expanded to their common shape.
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);

/// The strides that give the elements of `x` the shape `shape` (-1 resolved) without copying, if there are
/// any.
std::optional<Dims> view_strides(const Tensor& x, IntSpan shape);
/// `shape` with one -1 replaced by the size that makes `numel` elements.
Dims infer_shape(IntSpan shape, int64_t numel);
/// The same elements in row-major order under another shape, one size may be -1. view refuses to copy.
Tensor view(const Tensor& x, IntSpan shape);
Tensor view_as(const Tensor& x, const Tensor& like);
Tensor reshape(const Tensor& x, IntSpan shape);
Tensor reshape_as(const Tensor& x, const Tensor& like);
/// The same bytes read as another type; the last dimension grows or shrinks with the size of an element.
Tensor view_dtype(const Tensor& x, DType dtype);
/// Merges the dimensions first..last into one.
Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1);
/// Splits dimension `dim` into `sizes`, one of which may be -1.
Tensor unflatten(const Tensor& x, int64_t dim, IntSpan sizes);

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, IntSpan dims);
/// Moves dimensions to new places; the others keep their order.
Tensor movedim(const Tensor& x, IntSpan source, IntSpan destination);
/// The transpose of a matrix; tensors of fewer dimensions unchanged.
Tensor t(const Tensor& x);
/// All dimensions reversed (.T), the last two exchanged (.mT), a matrix transposed (.H).
Tensor reverse_dims(const Tensor& x);
Tensor matrix_transpose(const Tensor& x);
Tensor adjoint(const Tensor& x);
Tensor conjugate_transpose(const Tensor& x);

Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, int64_t dim);
Tensor squeeze_dims(const Tensor& x, IntSpan dims);
Tensor atleast_1d(const Tensor& x);
Tensor atleast_2d(const Tensor& x);
Tensor atleast_3d(const Tensor& x);

/// x[..., index, ...] along `dim`; IndexError when out of range.
Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// x[..., start:stop:step, ...] along `dim` with Python's clipping; `step` is positive.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t stop, int64_t step = 1);
/// `length` entries from `start` on; RuntimeError when they leave the dimension.
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
/// The elements with index_dim2 = index_dim1 + offset, as the last dimension.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
/// Windows of `size` entries, every `step`, as a new last dimension.
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);

/// Pieces of `size` entries along `dim`, the last perhaps smaller.
std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim = 0);
std::vector<Tensor> split_with_sizes(const Tensor& x, IntSpan sizes, int64_t dim = 0);
/// At most `chunks` pieces of equal size.
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
/// Exactly `sections` pieces whose sizes differ by at most one.
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
/// Pieces between consecutive indices.
std::vector<Tensor> tensor_split_at(const Tensor& x, IntSpan indices, int64_t dim = 0);
/// The slices along `dim`, without that dimension.
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);
/// tensor_split along columns, rows, depth; the number of sections must divide the size.
std::vector<Tensor> hsplit(const Tensor& x, int64_t sections);
std::vector<Tensor> hsplit_at(const Tensor& x, IntSpan indices);
std::vector<Tensor> vsplit(const Tensor& x, int64_t sections);
std::vector<Tensor> vsplit_at(const Tensor& x, IntSpan indices);
std::vector<Tensor> dsplit(const Tensor& x, int64_t sections);
std::vector<Tensor> dsplit_at(const Tensor& x, IntSpan indices);

/// In-place forms: the tensor itself takes the geometry of the view.
const Tensor& squeeze_(const Tensor& x);
const Tensor& squeeze_(const Tensor& x, int64_t dim);
const Tensor& squeeze_dims_(const Tensor& x, IntSpan dims);
const Tensor& unsqueeze_(const Tensor& x, int64_t dim);
const Tensor& t_(const Tensor& x);
const Tensor& transpose_(const Tensor& x, int64_t dim0, int64_t dim1);
/// Another row-major shape, on new memory when the old is too small (the old elements are kept, new ones are
/// arbitrary).
const Tensor& resize_(const Tensor& x, IntSpan shape);
/// Makes `x` share the storage and geometry of `source`.
const Tensor& set_(const Tensor& x, const Tensor& source);

/// Makes the view and records it; `adjoint` turns the gradient of the view into that of `x`.
template <class F>
Tensor strided_view(const char* name, const Tensor& x, IntSpan shape, IntSpan strides, int64_t offset,
                    F adjoint) {
  Tensor view = make_view(x, shape, strides, offset);
  autograd::set_view_of(view, x);
  return autograd::record(name, std::move(view), {x}, {}, std::move(adjoint));
}

}  // namespace tapegrad
