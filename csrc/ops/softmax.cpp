#include "ops/softmax.h"

#include <limits>

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/loops.h"
#include "ops/reduce.h"
#include "ops/reduce_formula.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save_output;

namespace {

int kernel_index(DType dtype) { return dtype == DType::float64; }
Tensor row_major(const Tensor& x) { return x.is_contiguous() ? x : contiguous_values(x); }

/// Calls run(outer offset, outer count) on groups of outer slices.
template <class Run>
void for_outer(const MiddleDim& m, Run run) {
  const int64_t work = m.n * m.inner;
  if (m.outer * work <= kReduceGrain / 8) {  // exponentials take longer than sums
    if (m.outer * work > 0) run(0, m.outer);
    return;
  }
  LongWorkScope scope(m.outer * work);
  parallel_for(0, m.outer, std::max<int64_t>(1, kReduceGrain / 8 / work),
               [&](int64_t lo, int64_t hi) { run(lo, hi - lo); });
}

Tensor forward_values(SoftmaxKernels::Forward kernel, const Tensor& input, int dim) {
  const Tensor x = row_major(input), y = empty(x.shape(), x.dtype());
  const MiddleDim m(x.shape(), dim);
  const int64_t slice = m.n * m.inner * x.item_size();
  for_outer(m, [&](int64_t o, int64_t count) {
    kernel(x.raw() + o * slice, y.raw() + o * slice, count, m.n, m.inner);
  });
  return y;
}

Tensor backward_values(SoftmaxKernels::Backward kernel, const Tensor& gradient, const Tensor& output,
                       int dim) {
  const Tensor g = row_major(cast_if_needed(gradient, output.dtype())), y = row_major(output),
               dx = empty(y.shape(), y.dtype());
  const MiddleDim m(y.shape(), dim);
  const int64_t slice = m.n * m.inner * y.item_size();
  for_outer(m, [&](int64_t o, int64_t count) {
    kernel(g.raw() + o * slice, y.raw() + o * slice, dx.raw() + o * slice, count, m.n, m.inner);
  });
  return dx;
}

Tensor floating_input(const char* name, const Tensor& x, int dim, std::optional<DType> dtype) {
  const DType compute = dtype.value_or(x.dtype());
  TG_CHECK_AS(not_implemented, is_floating(compute), "\"", name, dim + 1 < x.dim() ? "" : "_lastdim",
              "_kernel_impl\" not implemented for '", scalar_type_name(compute),
              "' (convert the input with .float() or pass dtype=torch.float32)");
  return cast_if_needed(x, compute);
}

}  // namespace

Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const int at = wrap_dim(dim, input.dim());
  const Tensor x = floating_input("softmax", input, at, dtype);
  const Tensor out = forward_values(kernels->softmax.softmax[kernel_index(x.dtype())], x, at);
  return record("SoftmaxBackward0", out, {input}, {save_output(out)}, [at](Backward& b) {
    const Tensor g = b.grad(), y = b.saved(0);
    if (!Backward::creates_graph())
      return backward_values(kernels->softmax.softmax_backward[kernel_index(y.dtype())], g, y, at);
    const Tensor weighted = g * y;
    return weighted - y * sum(weighted, Dims{at}, true);
  });
}

Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const int at = wrap_dim(dim, input.dim());
  const Tensor x = floating_input("log_softmax", input, at, dtype);
  const Tensor out = forward_values(kernels->softmax.log_softmax[kernel_index(x.dtype())], x, at);
  return record("LogSoftmaxBackward0", out, {input}, {save_output(out)}, [at](Backward& b) {
    const Tensor g = b.grad(), y = b.saved(0);
    if (!Backward::creates_graph())
      return backward_values(kernels->softmax.log_softmax_backward[kernel_index(y.dtype())], g, y, at);
    return g - exp(y) * sum(g, Dims{at}, true);
  });
}

Tensor logsumexp_values(const Tensor& input, DimMask mask, IntSpan result_shape) {
  const Tensor out = empty(result_shape, input.dtype());
  if (input.numel() == 0) {
    fill_values(out, -std::numeric_limits<double>::infinity());
    return out;
  }
  // One dimension, or several neighbours, in the middle; otherwise the kept dimensions are brought to the
  // front.
  int first = 0, last = input.dim() - 1;
  while (first < last && !(mask >> first & 1)) ++first;
  while (last > first && !(mask >> last & 1)) --last;
  bool neighbours = true;
  for (int i = first; i <= last; ++i) neighbours &= mask >> i & 1;
  Tensor x = neighbours ? row_major(input) : kept_dims_first(input, mask);
  MiddleDim m(x.shape(), 0);
  m.n = reduced_count(input.shape(), mask);
  m.inner = 1;
  for (int i = last + 1; neighbours && i < input.dim(); ++i) m.inner *= input.shape()[i];
  m.outer = x.numel() / (m.n * m.inner);
  const auto kernel = kernels->softmax.logsumexp[kernel_index(x.dtype())];
  const int64_t item = x.item_size();
  for_outer(m, [&](int64_t o, int64_t count) {
    kernel(x.raw() + o * m.n * m.inner * item, out.raw() + o * m.inner * item, count, m.n, m.inner);
  });
  return out;
}

Tensor scaled_exp_values(const Tensor& input, int dim, const Tensor& shift, const Tensor& scale) {
  const Tensor x = row_major(input), y = empty(x.shape(), x.dtype());
  const MiddleDim m(x.shape(), dim);
  const auto kernel = kernels->softmax.scaled_exp[kernel_index(x.dtype())];
  const int64_t item = x.item_size(), slice = m.n * m.inner * item;
  for_outer(m, [&](int64_t o, int64_t count) {
    const int64_t row = o * m.inner * item;
    kernel(x.raw() + o * slice, shift.raw() + row, scale.raw() + row, y.raw() + o * slice, count, m.n,
           m.inner);
  });
  return y;
}

}  // namespace tapegrad
