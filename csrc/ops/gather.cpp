// gather and scatter: every element of the index names a place along one dimension.
#include <bit>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/loops.h"
#include "ops/merged_loops.h"
#include "ops/rows.h"
#include "ops/scatter_lines.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// The index with one entry where expand() repeats it.
Tensor without_repeats(const Tensor& index) {
  Dims shape = index.shape();
  for (int d = 0; d < shape.size(); ++d)
    if (index.strides()[d] == 0 && shape[d] > 1) shape[d] = 1;
  return make_view(index, shape, index.strides(), index.storage_offset());
}

}  // namespace

void run_lines(LineKernel kernel, const Tensor& whole, const Tensor& picked, int dim, const Tensor& index) {
  if (index.numel() == 0) return;
  const int64_t size = whole.dim() == 0 ? 1 : whole.shape()[dim], item = whole.item_size();
  const Tensor entries = checked_index(without_repeats(index), size, false, [&](int64_t entry) {
    fail(ErrorKind::runtime, "index ", entry, " is out of bounds for dimension ", dim, " with size ", size);
  });
  auto step = [](const Tensor& tensor, int d) { return tensor.dim() == 0 ? 0 : tensor.strides()[d]; };
  using Loop = MergedLoops<3>::Loop;  // steps in `whole` and `picked`, in bytes, and in the index
  Loop along{1, {}};
  MergedLoops<3> loops;
  for (int d = 0; d < index.dim(); ++d) {
    const Loop loop{
        index.shape()[d],
        {step(whole, d) * item, step(picked, d) * item, entries.shape()[d] == 1 ? 0 : entries.strides()[d]}};
    if (d == dim)
      along = {loop.size, {0, loop.step[1], loop.step[2]}};
    else
      loops.add(loop);
  }
  // The longer of the last loop and the one along `dim` runs inside; the last also where it reads dense
  // memory.
  const Loop last = loops.count() > 0 ? loops[loops.count() - 1] : Loop{};
  const bool dense = last.size >= 8 && last.step[0] == item && last.step[1] == item;
  const bool along_is_inner = loops.count() == 0 || (along.size > last.size && !dense);
  const Loop inner = along_is_inner ? along : loops.take(loops.count() - 1);
  const int64_t repeats = along_is_inner ? 1 : along.size;

  char *const whole_start = whole.raw(), *const picked_start = picked.raw();
  const int64_t *const index_start = entries.data<int64_t>(), dim_step = step(whole, dim) * item;
  LongWorkScope scope(index.numel());
  parallel_for(0, loops.iterations(), std::max<int64_t>(kElementwiseGrain / (inner.size * repeats), 1),
               [&](int64_t lo, int64_t hi) {
                 for (; lo < hi; ++lo) {
                   LineJob job{whole_start, picked_start,  index_start,   inner.size,
                               dim_step,    inner.step[0], inner.step[1], inner.step[2]};
                   loops.locate(lo, [&](const Loop& loop, int64_t k) {
                     job.whole += k * loop.step[0];
                     job.picked += k * loop.step[1];
                     job.index += k * loop.step[2];
                   });
                   for (int64_t k = 0; k < repeats; ++k) {
                     kernel(job);
                     job.picked += along.step[1];
                     job.index += along.step[2];
                   }
                 }
               });
}

namespace {

int size_class(const Tensor& x) { return std::countr_zero(static_cast<unsigned>(x.item_size())); }

void check_line_index(const char* name, const Tensor& x, int dim, const Tensor& index) {
  TG_CHECK(index.dtype() == DType::int64 || index.dtype() == DType::int32, name,
           "(): Expected dtype int32/int64 for index");
  if (index.numel() == 0) return;
  TG_CHECK(std::max(index.dim(), 1) == std::max(x.dim(), 1),
           "Index tensor must have the same number of dimensions as ", name[0] == 'g' ? "input" : "self",
           " tensor");
  for (int d = 0; d < x.dim() && index.dim() > 0; ++d)
    TG_CHECK(d == dim || index.shape()[d] <= x.shape()[d],
             name[0] == 'g' ? concat("Size does not match at dimension ", d, " expected") : "Expected",
             " index ", to_string(index.shape()), " to be no larger than self ", to_string(x.shape()),
             " apart from dimension ", dim);
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const int at = wrap_dim(dim, x.dim());
  check_line_index("gather", x, at, index);
  Tensor out = empty(index.shape(), x.dtype());
  run_lines(kernels->index.gather_line[size_class(x)], x, out, at, index);
  return record("GatherBackward0", std::move(out), {x}, {save(index)}, [at, shape = x.shape()](Backward& b) {
    return scatter_add(full_values(shape, 0, b.grad().dtype()), at, b.saved(0), b.grad());
  });
}

Tensor scatter_source(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  check_line_index("scatter", x, dim, index);
  TG_CHECK(x.dtype() == source.dtype(), "scatter(): Expected self.dtype to be equal to src.dtype");
  if (index.numel() == 0 || index.shape() == source.shape()) return source;
  TG_CHECK(std::max(index.dim(), 1) == std::max(source.dim(), 1),
           "Index tensor must have the same number of dimensions as src tensor");
  TG_CHECK(source.dim() > 0 || index.numel() == 1, "Expected index ", to_string(index.shape()),
           " to be no larger than src, which has one element; expand it to the shape of the index.");
  Tensor part = source;
  for (int d = 0; d < source.dim() && index.dim() > 0; ++d) {
    TG_CHECK(index.shape()[d] <= source.shape()[d], "Expected index ", to_string(index.shape()),
             " to be no larger than self ", to_string(x.shape()), " apart from dimension ", dim,
             " and to be no larger size than src ", to_string(source.shape()));
    if (index.shape()[d] < source.shape()[d]) part = slice(part, d, 0, index.shape()[d]);
  }
  return part;
}

namespace {

enum class LineWrite { put, add };

LineKernel write_kernel(const Tensor& x, LineWrite mode) {
  return mode == LineWrite::put
             ? kernels->index.put_line[size_class(x)]
             : kernels->index.reduce_line[static_cast<int>(LineReduce::add)][static_cast<int>(x.dtype())];
}

template <class F>
auto scatter_derivative(int dim, LineWrite mode, F record_it) {
  return record_it([dim, mode](Backward& b) {
    b.give(0, [&] { return mode == LineWrite::add ? b.grad() : scatter(b.grad(), dim, b.saved(0), 0); });
    b.give(1, [&] { return gather(b.grad(), dim, b.saved(0)); });
  });
}

Tensor scattered(const char* name, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 LineWrite mode) {
  const int at = wrap_dim(dim, x.dim());
  const Tensor part = scatter_source(x, at, index, source);
  Tensor out = contiguous_values(x);
  run_lines(write_kernel(x, mode), out, part, at, index);
  return scatter_derivative(at, mode, [&](auto derivative) {
    return record(name, std::move(out), {x, part}, {save(index)}, derivative);
  });
}

const Tensor& scattered_(const char* name, const Tensor& x, int64_t dim, const Tensor& index,
                         const Tensor& source, LineWrite mode) {
  const int at = wrap_dim(dim, x.dim());
  const Tensor part = scatter_source(x, at, index, source);
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, part}));
  check_no_internal_overlap(x);
  check_no_partial_overlap(x, part);
  run_lines(write_kernel(x, mode), x, part, at, index);
  scatter_derivative(at, mode, [&](auto derivative) {
    autograd::record_inplace(name, x, {x, part}, {save(index)}, derivative);
  });
  return x;
}

/// One number in the shape of the index.
Tensor repeated(const Tensor& x, const Tensor& index, Scalar value) {
  return make_view(full_values({}, value, x.dtype()), index.shape(), Dims(index.dim(), 0), 0);
}

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return scattered("ScatterBackward0", x, dim, index, source, LineWrite::put);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return scattered("ScatterBackward1", x, dim, index, repeated(x, index, value), LineWrite::put);
}
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return scattered_("ScatterBackward0", x, dim, index, source, LineWrite::put);
}
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return scattered_("ScatterBackward1", x, dim, index, repeated(x, index, value), LineWrite::put);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return scattered("ScatterAddBackward0", x, dim, index, source, LineWrite::add);
}
const Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return scattered_("ScatterAddBackward0", x, dim, index, source, LineWrite::add);
}

namespace {

std::string_view reduction(std::string_view reduce) {
  TG_CHECK(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
  return reduce == "add" ? "sum" : "prod";
}

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
               std::string_view reduce) {
  return scatter_reduce(x, dim, index, source, reduction(reduce));
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value, std::string_view reduce) {
  return scatter_reduce(x, dim, index, repeated(x, index, value), reduction(reduce));
}
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                       std::string_view reduce) {
  return scatter_reduce_(x, dim, index, source, reduction(reduce));
}
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value,
                       std::string_view reduce) {
  return scatter_reduce_(x, dim, index, repeated(x, index, value), reduction(reduce));
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
  TG_CHECK(index.dtype() == DType::int64, "torch.take_along_dim(): dtype of indices should be Long but got ",
           scalar_type_name(index.dtype()));
  if (!dim) return gather(reshape(x, {{-1}}), 0, reshape(index, {{-1}}));
  TG_CHECK(x.dim() == index.dim(),
           "torch.take_along_dim(): input and indices should have the same number of dimensions, "
           "but got ",
           x.dim(), " dimensions for input, and ", index.dim(), " dimensions for indices");
  const int at = wrap_dim(*dim, x.dim());
  Dims x_shape = x.shape(), index_shape = index.shape();
  x_shape[at] = index_shape[at] = 1;
  x_shape = index_shape = broadcast_shapes(x_shape, index_shape);
  x_shape[at] = x.shape()[at];
  index_shape[at] = index.shape()[at];
  // Negative entries count from the end here, other than in gather.
  const Tensor entries = checked_index(index, x.shape()[at], true, [&](int64_t entry) {
    fail(ErrorKind::runtime, "index ", entry, " is out of bounds for dimension ", at, " with size ",
         x.shape()[at]);
  });
  return gather(x.shape() == x_shape ? x : expand(x, x_shape), at,
                entries.shape() == index_shape ? entries : expand(entries, index_shape));
}

}  // namespace tapegrad
