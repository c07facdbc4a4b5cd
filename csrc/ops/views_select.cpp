// Views of a part of a tensor.
#include "ops/arithmetic.h"
#include "ops/embed.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  TG_CHECK_INDEX(x.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
  const int at = wrap_dim(dim, x.dim());
  const int64_t size = x.shape()[at];
  TG_CHECK_INDEX(index >= -size && index < size, "select(): index ", index,
                 " out of range for tensor of size ", to_string(x.shape()), " at dimension ", at);
  if (index < 0) index += size;
  const int rank = x.dim() - 1;
  Dims shape(rank), strides(rank);
  for (int i = 0; i < rank; ++i) {
    shape[i] = x.shape()[i + (i >= at)];
    strides[i] = x.strides()[i + (i >= at)];
  }
  return strided_view("SelectBackward0", x, shape, strides, x.storage_offset() + index * x.strides()[at],
                      [old = x.shape(), at, index](Backward& b) {
                        return embed("SelectBackwardBackward0", b.grad(), old,
                                     [at, index](const Tensor& whole) { return select(whole, at, index); });
                      });
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t stop, int64_t step) {
  TG_CHECK(x.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
  TG_CHECK(step > 0, "slice step must be positive");
  const int at = wrap_dim(dim, x.dim());
  const int64_t size = x.shape()[at];
  auto clip = [size](int64_t position, int64_t lowest) {
    if (position < 0) position += size;
    return std::clamp(position, lowest, size);
  };
  start = clip(start, 0);
  stop = clip(stop, start);
  Dims shape = x.shape(), strides = x.strides();
  shape[at] = stop == start ? 0 : (stop - start - 1) / step + 1;
  strides[at] *= step;
  return strided_view("SliceBackward0", x, shape, strides, x.storage_offset() + start * x.strides()[at],
                      [old = x.shape(), at, start, stop, step](Backward& b) {
                        return embed("SliceBackwardBackward0", b.grad(), old, [=](const Tensor& whole) {
                          return slice(whole, at, start, stop, step);
                        });
                      });
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  TG_CHECK(x.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
  TG_CHECK(length >= 0, "narrow(): length must be non-negative.");
  const int at = wrap_dim(dim, x.dim());
  const int64_t size = x.shape()[at];
  TG_CHECK_INDEX(start >= -size && start <= size, "start out of range (expected to be in range of [", -size,
                 ", ", size, "], but got ", start, ")");
  if (start < 0) start += size;
  TG_CHECK(start <= size - length, "start (", start, ") + length (", length, ") exceeds dimension size (",
           size, ").");
  return slice(x, at, start, start + length);
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const int first = wrap_dim(dim1, x.dim()), second = wrap_dim(dim2, x.dim());
  TG_CHECK(first != second, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  const int64_t rows = x.shape()[first], columns = x.shape()[second];
  const int64_t length = offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns);
  Dims shape, strides;
  for (int i = 0; i < x.dim(); ++i) {
    if (i == first || i == second) continue;
    shape.push_back(x.shape()[i]);
    strides.push_back(x.strides()[i]);
  }
  shape.push_back(std::max<int64_t>(length, 0));
  strides.push_back(x.strides()[first] + x.strides()[second]);
  int64_t start = x.storage_offset();
  if (length > 0) start += offset >= 0 ? offset * x.strides()[second] : -offset * x.strides()[first];
  return strided_view(
      "DiagonalBackward0", x, shape, strides, start, [old = x.shape(), offset, first, second](Backward& b) {
        return embed("DiagonalBackwardBackward0", b.grad(), old,
                     [=](const Tensor& whole) { return diagonal(whole, offset, first, second); });
      });
}

namespace {

/// The adjoint of unfold: windows are added where they came from.
Tensor fold_windows(const Tensor& g, const Dims& shape, int dim, int64_t size, int64_t step) {
  Tensor out = full_values(shape, 0, g.dtype());
  {
    autograd::NoGrad no_grad;
    const Tensor windows = unfold(out, dim, size, step);
    // One pass per position in the window: within a pass no element is met twice.
    for (int64_t i = 0; i < size; ++i) add_(select(windows, -1, i), select(g, -1, i));
  }
  return autograd::record("UnfoldBackwardBackward0", std::move(out), {g}, {},
                          [dim, size, step](Backward& b) { return unfold(b.grad(), dim, size, step); });
}

}  // namespace

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const int at = wrap_dim(dim, x.dim());
  const int64_t available = x.dim() == 0 ? 1 : x.shape()[at];
  TG_CHECK(size >= 0, "size is ", size, " but must be >= 0");
  TG_CHECK(size <= available, "maximum size for tensor at dimension ", at, " is ", available, " but size is ",
           size);
  TG_CHECK(step > 0, "step is ", step, " but must be > 0");
  Dims shape = x.shape(), strides = x.strides();
  shape.push_back(size);
  strides.push_back(x.dim() == 0 ? 1 : strides[at]);
  if (x.dim() > 0) {
    shape[at] = (available - size) / step + 1;
    strides[at] *= step;
  }
  return strided_view("UnfoldBackward0", x, shape, strides, x.storage_offset(),
                      [old = x.shape(), at, size, step](Backward& b) {
                        return old.empty() ? select(b.grad(), 0, 0)
                                           : fold_windows(b.grad(), old, at, size, step);
                      });
}

}  // namespace tapegrad
