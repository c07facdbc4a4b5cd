#include "ops/scan.h"

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/embed.h"
#include "ops/index.h"
#include "ops/join.h"
#include "ops/loops.h"
#include "ops/reduce_formula.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::record_outputs;
using autograd::save;
using autograd::save_output;

namespace {

/// Calls run(offset in elements, outer) on groups of outer slices, on several threads when they are long.
template <class Run>
void for_outer(const MiddleDim& m, Run run) {
  const int64_t work = m.n * m.inner;
  if (m.outer * work == 0) return;
  LongWorkScope scope(m.outer * work);
  parallel_for(0, m.outer, std::max<int64_t>(1, kReduceGrain / work),
               [&](int64_t lo, int64_t hi) { run(lo * work, hi - lo); });
}

Tensor row_major(const Tensor& x) { return x.is_contiguous() ? x : contiguous_values(x); }

Tensor scan_values(ScanKernels::Scan kernel, const Tensor& input, int dim) {
  const Tensor x = row_major(input), out = empty(x.shape(), x.dtype());
  const MiddleDim m(x.shape(), dim);
  for_outer(m, [&](int64_t offset, int64_t outer) {
    kernel(x.raw() + offset * x.item_size(), out.raw() + offset * x.item_size(), outer, m.n, m.inner);
  });
  return out;
}

/// The running sum or product in the type that `dtype` and the rules for integers ask for.
Tensor running(const ScanKernels::Scan* table, const Tensor& x, int dim, std::optional<DType> dtype) {
  const DType result = dtype.value_or(accumulated_type(x.dtype()));
  const DType compute = accumulated_type(result);
  return cast_if_needed(
      scan_values(table[static_cast<int>(compute)], cast_if_needed(cast_if_needed(x, result), compute), dim),
      result);
}

}  // namespace

Tensor zero_padded_front(const Tensor& x, int64_t dim, int64_t count) {
  const int64_t size = x.size(dim);
  Dims shape = x.shape();
  shape[wrap_dim(dim, x.dim())] += count;
  return embed("ConstantPadNdBackward0", x, shape,
               [=](const Tensor& whole) { return narrow(whole, dim, count, size); });
}

Tensor reversed_cumsum(const Tensor& x, int64_t dim) {
  const int at = wrap_dim(dim, x.dim());
  return record("CumsumBackward0",
                scan_values(kernels->scan.reversed_cumsum[static_cast<int>(x.dtype())], x, at), {x}, {},
                [at](Backward& b) { return cumsum(b.grad(), at); });
}

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  const int at = wrap_dim(dim, x.dim());
  Tensor out = running(kernels->scan.cumsum, x, at, dtype);
  if (!out.is_floating()) return out;
  return record("CumsumBackward0", std::move(out), {x}, {},
                [at](Backward& b) { return reversed_cumsum(b.grad(), at); });
}

Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  const int at = wrap_dim(dim, x.dim());
  Tensor out = running(kernels->scan.cumprod, x, at, dtype);
  if (!out.is_floating()) return out;
  return record("CumprodBackward0", std::move(out), {x}, {save(x)},
                [at](Backward& b) { return cumprod_gradient(b.grad(), b.saved(0), at); });
}

Tensor linear_scan(const Tensor& b, const Tensor& a, int64_t dim, bool reversed) {
  const int at = wrap_dim(dim, b.dim());
  const Tensor addend = row_major(b), factor = row_major(cast_if_needed(a, b.dtype())),
               out = empty(b.shape(), b.dtype());
  const MiddleDim m(b.shape(), at);
  const auto kernel = kernels->scan.linear_scan[b.dtype() == DType::float64];
  for_outer(m, [&](int64_t offset, int64_t outer) {
    const int64_t bytes = offset * b.item_size();
    kernel(addend.raw() + bytes, factor.raw() + bytes, out.raw() + bytes, reversed, outer, m.n, m.inner);
  });
  return record("LinearScanBackward0", out, {b, a}, {save(a), save_output(out)}, [at, reversed](Backward& b) {
    const Tensor adjoint = linear_scan(b.grad(), b.saved(0), at, !reversed);
    b.give(0, adjoint);
    b.give(1, [&] {
      const Tensor y = b.saved(1), ahead = reversed ? y : adjoint, behind = reversed ? adjoint : y;
      // a[k] multiplies the neighbour before k (reversed: carries position k to k - 1).
      return ahead * zero_padded_front(narrow(behind, at, 0, behind.size(at) - 1), at, 1);
    });
  });
}

// The derivative for x[k] is (x[0] ... x[k-1]) times s[k] = g[k] + x[k+1] s[k+1].
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, int64_t dim) {
  if (x.dim() == 0 || x.size(dim) == 0) return g;
  Dims first = x.shape();
  first[wrap_dim(dim, x.dim())] = 1;
  const Tensor before =
      cat({full_values(first, 1, x.dtype()), narrow(cumprod(x, dim), dim, 0, x.size(dim) - 1)}, dim);
  return before * linear_scan(g, x, dim, true);
}

namespace {

std::tuple<Tensor, Tensor> cumulative_extreme(const char* node_name, const ScanKernels::IndexedScan* table,
                                              const Tensor& input, int64_t dim) {
  const int at = wrap_dim(dim, input.dim());
  const Tensor x = row_major(input);
  Tensor outputs[] = {empty(x.shape(), x.dtype()), empty(x.shape(), DType::int64)};
  const MiddleDim m(x.shape(), at);
  const auto kernel = table[static_cast<int>(x.dtype())];
  for_outer(m, [&](int64_t offset, int64_t outer) {
    kernel(x.raw() + offset * x.item_size(), outputs[0].raw() + offset * x.item_size(),
           outputs[1].data<int64_t>() + offset, outer, m.n, m.inner);
  });
  if (x.is_floating())
    record_outputs(node_name, outputs, autograd::TensorRefs{input}, {save(outputs[1])}, [at](Backward& b) {
      if (b.grad().dim() == 0) return b.grad();
      return scatter_add(full_values(b.grad().shape(), 0, b.grad().dtype()), at, b.saved(0), b.grad());
    });
  return {outputs[0], outputs[1]};
}

}  // namespace

std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim) {
  return cumulative_extreme("CummaxBackward0", kernels->scan.cummax, x, dim);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim) {
  return cumulative_extreme("CumminBackward0", kernels->scan.cummin, x, dim);
}

Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  const int at = wrap_dim(dim, x.dim());
  TG_CHECK_AS(not_implemented, x.is_floating(), "\"logcumsumexp_out_cpu\" not implemented for '",
              scalar_type_name(x.dtype()), "' (convert the input with .float())");
  const Tensor out = scan_values(kernels->scan.logcumsumexp[x.dtype() == DType::float64], x, at);
  return record("LogcumsumexpBackward0", out, {x}, {save(x), save_output(out)}, [at](Backward& b) {
    const Tensor x = b.saved(0), y = b.saved(1);
    if (x.dim() == 0 || x.size(at) == 0) return b.grad();
    // sum over k >= j of g[k] exp(x[j] - y[k]) = exp(x[j] - y[j]) s[j] with s[j] = g[j] + exp(y[j] - y[j+1])
    // s[j+1]; y never falls.
    const int64_t n = y.size(at);
    const Tensor growth = zero_padded_front(narrow(y, at, 0, n - 1) - narrow(y, at, 1, n - 1), at, 1);
    return exp(x - y) * linear_scan(b.grad(), exp(growth), at, true);
  });
}

Tensor diff(const Tensor& x, int64_t n, int64_t dim) {
  TG_CHECK(x.dim() > 0, "diff expects input to be at least one-dimensional");
  TG_CHECK(n >= 0, "order must be non-negative but got ", n);
  Tensor result = x;
  for (int64_t i = 0; i < n && result.size(dim) > 0; ++i) {
    const int64_t left = result.size(dim) - 1;
    const Tensor later = narrow(result, dim, 1, left), earlier = narrow(result, dim, 0, left);
    result = x.dtype() == DType::bool_ ? ne(later, earlier) : later - earlier;
  }
  return result;
}

}  // namespace tapegrad
