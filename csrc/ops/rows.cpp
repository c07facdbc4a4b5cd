#include "ops/rows.h"

#include <bit>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/loops.h"
#include "ops/merged_loops.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace detail {

bool index_bounds(const Tensor& index, Tensor& plain, int64_t& smallest, int64_t& largest) {
  plain = index.dtype() != DType::int64 ? contiguous_values(cast_values(index, DType::int64))
          : index.is_contiguous()       ? index
                                        : contiguous_values(index);
  if (plain.numel() == 0) return false;
  kernels->index.bounds(plain.data<int64_t>(), plain.numel(), &smallest, &largest);
  return true;
}

int64_t first_outside(const Tensor& index, int64_t low, int64_t high) {
  const int64_t* entry = index.data<int64_t>();
  while (*entry >= low && *entry < high) ++entry;
  return *entry;
}

Tensor wrap_index(const Tensor& index, int64_t size) {
  Tensor wrapped = empty(index.shape(), DType::int64);
  const int64_t* from = index.data<int64_t>();
  int64_t* to = wrapped.data<int64_t>();
  for (int64_t i = 0; i < index.numel(); ++i) to[i] = from[i] < 0 ? from[i] + size : from[i];
  return wrapped;
}

}  // namespace detail

namespace {

/// The geometry of a tensor with its dimensions in the order of the axes.
struct Layout {
  Dims shape, strides;
  Layout(const Tensor& x, const RowAxes& axes) : shape(x.shape()), strides(x.strides()) {
    for (int i = 0; i < axes.order.size(); ++i) {
      shape[i] = x.shape()[static_cast<int>(axes.order[i])];
      strides[i] = x.strides()[static_cast<int>(axes.order[i])];
    }
  }
};

/// Positions of the rows in memory, in elements, where the indexed dimensions are not evenly spaced.
Tensor memory_positions(const Tensor& index, IntSpan shape, IntSpan strides) {
  Tensor positions = empty(index.shape(), DType::int64);
  for (int64_t i = 0; i < index.numel(); ++i) {
    int64_t rest = index.data<int64_t>()[i], position = 0;
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d]) position += rest % shape[d] * strides[d];
    positions.data<int64_t>()[i] = position;
  }
  return positions;
}

/// Steps of dimensions that count as one, in elements; nothing if they are not evenly spaced.
std::optional<int64_t> common_step(IntSpan shape, IntSpan strides) {
  int64_t step = 0, run = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    if (run == 1)
      step = strides[d];
    else if (strides[d] != step * run)
      return std::nullopt;
    run *= shape[d];
  }
  return step;
}

/// Describes the loops over the rows of `x` and over `packed`, and runs `kernel`.
/// `rows_are_written`: the order of the index entries must be kept.
void run_rows(RowKernel kernel, const Tensor& x, const Tensor& index, const RowAxes& axes,
              const Tensor& packed_tensor, bool rows_are_written) {
  if (index.numel() == 0 || packed_tensor.numel() == 0) return;
  const Layout layout(x, axes);
  const IntSpan shape(layout.shape), strides(layout.strides);
  const int64_t item = x.item_size();

  RowJob job{};
  Tensor positions = index, packed = packed_tensor;
  if (const auto step =
          common_step(shape.subspan(axes.first, axes.count), strides.subspan(axes.first, axes.count))) {
    job.row_step = *step * item;
  } else {
    positions = memory_positions(index, shape.subspan(axes.first, axes.count),
                                 strides.subspan(axes.first, axes.count));
    job.row_step = item;
  }
  auto packed_index_step = [&] {
    return common_step(IntSpan(packed.shape()).subspan(axes.first, index.dim()),
                       IntSpan(packed.strides()).subspan(axes.first, index.dim()));
  };
  auto packed_step = packed_index_step();
  if (!packed_step) {
    packed = contiguous_values(packed);
    packed_step = packed_index_step();
  }
  job.packed_step = *packed_step * item;
  job.index = positions.data<int64_t>();
  job.count = index.numel();

  // The other dimensions, merged where both tensors allow it.
  using Loop = MergedLoops<2>::Loop;  // steps in the rows and in `packed`, in bytes
  MergedLoops<2> loops;
  for (int d = 0; d < layout.shape.size(); ++d) {
    if (d >= axes.first && d < axes.first + axes.count) continue;
    const int p = d < axes.first ? d : d - axes.count + index.dim();
    loops.add({shape[d], {strides[d] * item, packed.strides()[p] * item}});
  }
  // The innermost loop: dense in both if possible, else the index or, where that is short, the longest.
  int inner = loops.count() - 1;
  const bool dense = inner >= 0 && loops[inner].step[0] == item && loops[inner].step[1] == item;
  if (!dense) {
    for (int i = 0; i < loops.count(); ++i)
      if (loops[i].size > loops[inner].size) inner = i;
    if (inner >= 0 && job.count * 4 > loops[inner].size) inner = -1;
  }
  job.inner = 1;
  job.rows_inner = job.packed_inner = item;
  if (inner >= 0) {
    const Loop loop = loops.take(inner);
    job.inner = loop.size;
    job.rows_inner = loop.step[0];
    job.packed_inner = loop.step[1];
  }
  const int64_t outer = loops.iterations();

  char *const rows_start = x.raw(), *const packed_start = packed.raw();
  LongWorkScope scope(outer * job.count * job.inner);
  // Reading: any part of the rows may be done at any time. Writing: one entry after the other.
  const int64_t unit = rows_are_written ? job.count : 1;
  const int64_t grain = std::max<int64_t>(kElementwiseGrain / (unit * job.inner), 1);
  parallel_for(0, outer * (job.count / unit), grain, [&](int64_t lo, int64_t hi) {
    const int64_t entries = job.count / unit;
    while (lo < hi) {
      const int64_t first = lo % entries, steps = std::min(hi - lo, entries - first);
      RowJob part = job;
      part.rows = rows_start;
      part.packed = packed_start + first * job.packed_step;
      loops.locate(lo / entries, [&](const Loop& loop, int64_t k) {
        part.rows += k * loop.step[0];
        part.packed += k * loop.step[1];
      });
      part.index = job.index + first;
      part.count = steps * unit;
      kernel(part);
      lo += steps;
    }
  });
}

int size_class(const Tensor& x) { return std::countr_zero(static_cast<unsigned>(x.item_size())); }

}  // namespace

Dims picked_shape(const Tensor& x, const Tensor& index, const RowAxes& axes) {
  const Layout layout(x, axes);
  Dims shape(x.dim() - axes.count + index.dim());
  int64_t* out = shape.data();
  for (int d = 0; d < axes.first; ++d) *out++ = layout.shape[d];
  for (int64_t size : index.shape()) *out++ = size;
  for (int d = axes.first + axes.count; d < layout.shape.size(); ++d) *out++ = layout.shape[d];
  return shape;
}

Tensor gather_rows(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes) {
  Tensor out = empty(picked_shape(x, index, axes), x.dtype());
  run_rows(kernels->index.gather_rows[size_class(x)], x, index, axes, out, false);
  return record(name, std::move(out), {x}, {save(index)}, [axes, shape = x.shape()](Backward& b) {
    return accumulate_rows("IndexPutImplBackward0", b.grad(), shape, b.saved(0), axes);
  });
}

Tensor accumulate_rows(const char* name, const Tensor& rows, IntSpan shape, const Tensor& index,
                       const RowAxes& axes) {
  Tensor out = full_values(shape, 0, rows.dtype());
  write_rows(out, index, axes, rows, RowWrite::add);
  return record(name, std::move(out), {rows}, {save(index)},
                [axes](Backward& b) { return gather_rows("IndexBackward0", b.grad(), b.saved(0), axes); });
}

void write_rows(const Tensor& x, const Tensor& index, const RowAxes& axes, const Tensor& values,
                RowWrite mode) {
  const Dims shape = picked_shape(x, index, axes);
  Tensor packed = values;
  if (!(values.shape() == shape)) {
    autograd::NoGrad no_grad;
    packed = expand(values, shape);
  }
  const RowKernel kernel = mode == RowWrite::add ? kernels->index.add_rows[static_cast<int>(x.dtype())]
                                                 : kernels->index.put_rows[size_class(x)];
  run_rows(kernel, x, index, axes, packed, true);
}

namespace {

template <class F>
auto rows_derivative(const char* name, const RowAxes& axes, RowWrite mode, F record_it) {
  return record_it([name, axes, mode](Backward& b) {
    b.give(0, [&] {
      return mode == RowWrite::add
                 ? b.grad()
                 : with_rows(name, b.grad(), b.saved(0), axes, full_values({}, 0, b.grad().dtype()), mode);
    });
    b.give(1, [&] { return gather_rows("IndexBackward0", b.grad(), b.saved(0), axes); });
  });
}

}  // namespace

Tensor with_rows(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes,
                 const Tensor& values, RowWrite mode) {
  Tensor out = cast_values(x, x.dtype());
  write_rows(out, index, axes, values, mode);
  return rows_derivative(name, axes, mode, [&](auto derivative) {
    return record(name, std::move(out), {x, values}, {save(index)}, derivative);
  });
}

const Tensor& with_rows_(const char* name, const Tensor& x, const Tensor& index, const RowAxes& axes,
                         const Tensor& values, RowWrite mode) {
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, values}));
  check_no_internal_overlap(x);
  write_rows(x, index, axes, values, mode);
  rows_derivative(name, axes, mode, [&](auto derivative) {
    autograd::record_inplace(name, x, {x, values}, {save(index)}, derivative);
  });
  return x;
}

}  // namespace tapegrad
