#include "ops/rearrange.h"

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/index.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

Tensor flip(const Tensor& x, IntSpan dims) {
  const Dims reversed = wrap_dims(dims, x.dim());
  Dims strides = x.strides();
  int64_t offset = x.storage_offset();
  if (x.numel() > 0 && x.dim() > 0)
    for (int64_t d : reversed) {
      const int dim = static_cast<int>(d);
      offset += (x.shape()[dim] - 1) * strides[dim];
      strides[dim] = -strides[dim];
    }
  Tensor out = contiguous_values(make_view(x, x.shape(), strides, offset));
  return record("FlipBackward0", std::move(out), {x}, {},
                [reversed](Backward& b) { return flip(b.grad(), reversed); });
}

Tensor fliplr(const Tensor& x) {
  TG_CHECK(x.dim() >= 2, "Input must be >= 2-d.");
  return flip(x, {{1}});
}
Tensor flipud(const Tensor& x) {
  TG_CHECK(x.dim() >= 1, "Input must be >= 1-d.");
  return flip(x, {{0}});
}

namespace {

Tensor rolled(const Tensor& x, int64_t shift, int dim) {
  if (x.dim() == 0) return clone_contiguous(x);
  const int64_t size = x.shape()[dim];
  Tensor out = empty(x.shape(), x.dtype());
  if (x.numel() == 0) return out;
  const int64_t start = ((shift % size) + size) % size;
  copy_values(slice(out, dim, start, size), slice(x, dim, 0, size - start));
  copy_values(slice(out, dim, 0, start), slice(x, dim, size - start, size));
  return out;
}

}  // namespace

Tensor roll(const Tensor& x, IntSpan shifts, IntSpan dims) {
  TG_CHECK(!shifts.empty(), "`shifts` required");
  const bool flat = dims.empty() && shifts.size() == 1;
  TG_CHECK(flat || shifts.size() == dims.size(), "shifts and dimensions must align. shifts: ", shifts.size(),
           ", dims:", dims.size());
  Tensor out = x;
  {
    const autograd::NoGrad no_grad;
    if (flat) {
      const Tensor rolled_flat = rolled(reshape(x, {{-1}}), shifts[0], 0);
      out = make_view(rolled_flat, x.shape(), contiguous_strides(x.shape()), 0);
    }
    for (size_t i = 0; i < dims.size(); ++i) out = rolled(out, shifts[i], wrap_dim(dims[i], x.dim()));
  }
  Dims back(shifts);
  for (int64_t& shift : back) shift = -shift;
  return record("RollBackward0", std::move(out), {x}, {},
                [back, dims = Dims(dims)](Backward& b) { return roll(b.grad(), back, dims); });
}

Tensor rot90(const Tensor& x, int64_t k, IntSpan dims) {
  TG_CHECK(dims.size() == 2, "expected total rotation dims == 2, but got dims = ", dims.size());
  TG_CHECK(x.dim() >= 2, "expected total dims >= 2, but got total dims = ", x.dim());
  TG_CHECK(dims[0] != dims[1] && std::abs(dims[0] - dims[1]) != x.dim(),
           "expected rotation dims to be different, but got dim0 = ", dims[0], " and dim1 = ", dims[1]);
  const int64_t from = wrap_dim(dims[0], x.dim()), to = wrap_dim(dims[1], x.dim());
  Tensor out;
  {
    const autograd::NoGrad no_grad;
    switch (((k % 4) + 4) % 4) {
      case 0:
        out = clone(x);
        break;
      case 1:
        out = contiguous(transpose(flip(x, {{to}}), from, to));
        break;
      case 2:
        out = flip(x, {{from, to}});
        break;
      default:
        out = contiguous(transpose(flip(x, {{from}}), from, to));
    }
  }
  return record("Rot90Backward0", std::move(out), {x}, {},
                [=](Backward& b) { return rot90(b.grad(), -k, {{from, to}}); });
}

Tensor repeat(const Tensor& x, IntSpan repeats) {
  const int rank = static_cast<int>(repeats.size()), added = rank - x.dim();
  TG_CHECK(added >= 0,
           "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
  // Every dimension as a pair (copies, size), without sizes of 1: (1, size) in x, (copies, size) in the
  // result.
  Dims shape(rank), pairs, once, inner_strides;
  auto add_pair_member = [&](int64_t count, int64_t own, int64_t stride) {
    if (count == 1) return;
    pairs.push_back(count);
    once.push_back(own);
    inner_strides.push_back(stride);
  };
  for (int i = 0; i < rank; ++i) {
    const int64_t size = i < added ? 1 : x.shape()[i - added];
    TG_CHECK(repeats[i] >= 0 && !__builtin_mul_overflow(repeats[i], size, &shape[i]),
             "Trying to create tensor with negative dimension or with one that is too large: repeats ",
             to_string(repeats), " of a tensor of shape ", to_string(x.shape()));
    add_pair_member(repeats[i], 1, 0);
    add_pair_member(size, size, i < added ? 0 : x.strides()[i - added]);
  }
  Tensor out = empty(shape, x.dtype());
  copy_values(make_view(out, pairs, contiguous_strides(pairs), 0),
              make_view(x, pairs, inner_strides, x.storage_offset()));
  return record("RepeatBackward0", std::move(out), {x}, {}, [pairs, once, old = x.shape()](Backward& b) {
    return reshape(sum_to_shape(reshape(b.grad(), pairs), once), old);
  });
}

Tensor tile(const Tensor& x, IntSpan dims) {
  Dims repeats(std::max(static_cast<int>(dims.size()), x.dim()), 1);
  std::copy(dims.begin(), dims.end(), repeats.end() - dims.size());
  return repeat(x, repeats);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  TG_CHECK(repeats >= 0, "Repeats must be non-negative");
  const Tensor source = dim ? x : flatten(x);
  const int at = wrap_dim(dim.value_or(0), source.dim());
  if (source.dim() == 0) return repeat_interleave(reshape(x, {{1}}), repeats, 0);
  Tensor spread = unsqueeze(source, at + 1);
  Dims shape = spread.shape();
  shape[at + 1] = repeats;
  return flatten(clone_contiguous(expand(spread, shape)), at, at + 1);
}

Tensor repeat_interleave(const Tensor& repeats) {
  TG_CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
  TG_CHECK(repeats.dtype() == DType::int64 || repeats.dtype() == DType::int32,
           "repeats has to be Long or Int tensor");
  const Tensor counts = contiguous_values(cast_values(repeats, DType::int64));
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    const int64_t count = counts.data<int64_t>()[i];
    TG_CHECK(count >= 0, "repeats can not be negative");
    TG_CHECK(!__builtin_add_overflow(total, count, &total), "repeats add up to more than 2^63 - 1 elements");
  }
  Tensor index = empty({{total}}, DType::int64);
  int64_t* out = index.data<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) out = std::fill_n(out, counts.data<int64_t>()[i], i);
  return index;
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim) {
  const Tensor source = dim ? x : flatten(x);
  const int at = wrap_dim(dim.value_or(0), source.dim());
  const int64_t size = source.dim() == 0 ? 1 : source.shape()[at];
  const Tensor counts = repeats.numel() == 1 ? expand(reshape(repeats, {{1}}), {{size}}) : repeats;
  TG_CHECK(counts.dim() != 1 || counts.numel() == size,
           "repeats must have the same size as input along dim, but got repeats.size(0) = ", counts.numel(),
           " and input.size(", at, ") = ", size);
  return index_select(source, at, repeat_interleave(counts));
}

namespace {

/// A copy of `x` with `source` in the part that the view `window` shows.
template <class Window>
Tensor with_window(const char* name, const Tensor& x, const Tensor& source, Window window) {
  Tensor out = contiguous_values(x);
  {
    const autograd::NoGrad no_grad;
    const Tensor part = window(out);
    TG_CHECK(part.shape() == source.shape(),
             "expected src to have a size equal to the slice of self. src size = ", to_string(source.shape()),
             ", slice size = ", to_string(part.shape()));
    copy_values(part, source);
  }
  return record(name, std::move(out), {x, source}, {}, [name, window](Backward& b) {
    b.give(0, [&] {
      Dims part;
      {
        const autograd::NoGrad no_grad;
        part = window(b.grad()).shape();
      }
      return with_window(name, b.grad(), full_values(part, 0, b.grad().dtype()), window);
    });
    b.give(1, [&] { return window(b.grad()); });
  });
}

}  // namespace

Tensor slice_scatter(const Tensor& x, const Tensor& source, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step) {
  const int at = wrap_dim(dim, x.dim());
  const int64_t from = start.value_or(0), to = end.value_or(x.shape()[at]);
  return with_window("SliceScatterBackward0", x, source,
                     [=](const Tensor& whole) { return slice(whole, at, from, to, step); });
}
Tensor select_scatter(const Tensor& x, const Tensor& source, int64_t dim, int64_t index) {
  return with_window("SelectScatterBackward0", x, source,
                     [=](const Tensor& whole) { return select(whole, dim, index); });
}
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int64_t dim1, int64_t dim2) {
  return with_window("DiagonalScatterBackward0", x, source,
                     [=](const Tensor& whole) { return diagonal(whole, offset, dim1, dim2); });
}

}  // namespace tapegrad
