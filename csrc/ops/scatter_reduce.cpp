// scatter with a reduction of all that lands on one place.
#include <limits>

#include "kernels/kernels.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/scatter_lines.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::save;
using autograd::save_output;

namespace {

enum class Reduction { sum, prod, mean, amax, amin };

Reduction parse_reduction(std::string_view name) {
  constexpr std::string_view names[] = {"sum", "prod", "mean", "amax", "amin"};
  for (int i = 0; i < 5; ++i)
    if (name == names[i]) return static_cast<Reduction>(i);
  fail(ErrorKind::runtime, "reduce argument must be either sum, prod, mean, amax or amin, got ", name);
}

/// The value that changes nothing.
Scalar identity(Reduction reduction, DType dtype) {
  if (reduction == Reduction::sum || reduction == Reduction::mean) return 0;
  if (reduction == Reduction::prod) return 1;
  const bool smallest = reduction == Reduction::amax;
  if (is_floating(dtype))
    return smallest ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  return dispatch(dtype, [&](auto tag) {
    using Limits = std::numeric_limits<typename decltype(tag)::type>;
    return Scalar(static_cast<int64_t>(smallest ? Limits::lowest() : Limits::max()));
  });
}

/// How many values each place of the result is made of, at least 1.
Tensor counts(const Tensor& x, int dim, const Tensor& index, bool include_self) {
  Tensor start = full_values(x.shape(), 1, x.dtype());
  if (!include_self) start = scatter(start, dim, index, 0);
  const Tensor total = scatter_add(start, dim, index, full_values(index.shape(), 1, x.dtype()));
  return where(total < 1, 1, total);
}

/// Reduces into `out`, which holds the old values.
void reduce_into(const Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduction reduction,
                 bool include_self) {
  const autograd::NoGrad no_grad;
  const LineReduce operation = reduction == Reduction::prod   ? LineReduce::multiply
                               : reduction == Reduction::amax ? LineReduce::maximum
                               : reduction == Reduction::amin ? LineReduce::minimum
                                                              : LineReduce::add;
  Tensor divisor;
  if (reduction == Reduction::mean) divisor = counts(out, dim, index, include_self);
  if (!include_self) {
    const Tensor start = full_values({}, identity(reduction, out.dtype()), out.dtype());
    const Tensor spread = make_view(start, index.shape(), Dims(index.dim(), 0), 0);
    const int size = out.item_size();
    run_lines(kernels->index.put_line[size == 1   ? 0
                                      : size == 2 ? 1
                                      : size == 4 ? 2
                                                  : 3],
              out, spread, dim, index);
  }
  run_lines(kernels->index.reduce_line[static_cast<int>(operation)][static_cast<int>(out.dtype())], out,
            source, dim, index);
  if (!divisor.defined()) return;
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) > 1 || !std::is_same_v<T, bool>) {
      const Tensor values = contiguous_values(out);
      for (int64_t i = 0; i < values.numel(); ++i) {
        T& value = values.template data<T>()[i];
        const T count = divisor.template data<T>()[i];
        if constexpr (std::is_floating_point_v<T>) {
          value /= count;
        } else {
          T quotient = static_cast<T>(value / count);
          if (value % count != 0 && value < 0) --quotient;
          value = quotient;
        }
      }
      copy_values(out, values);
    }
  });
}

struct Gradients {
  Tensor self, source;
};

/// Everything that went into one extremum shares its gradient.
Gradients extremum_gradients(const Tensor& g, const Tensor& x, const Tensor& source, const Tensor& result,
                             const Tensor& index, int dim, bool include_self) {
  Tensor from_self = to(x == result, g.dtype());
  if (!include_self) from_self = scatter(from_self, dim, index, 0);
  const Tensor from_source = to(source == gather(result, dim, index), g.dtype());
  const Tensor share = g / scatter_add(from_self, dim, index, from_source);
  return {from_self * share, from_source * gather(share, dim, index)};
}

/// The product of all other values: the product of all that are not zero, divided by the value, unless
/// another is zero.
Gradients product_gradients(const Tensor& g, const Tensor& x, const Tensor& source, const Tensor& index,
                            int dim, bool include_self) {
  const Tensor x_zero = x == 0, source_zero = source == 0;
  const Tensor x_safe = where(x_zero, 1, x), source_safe = where(source_zero, 1, source);
  Tensor zeros = to(x_zero, g.dtype());
  if (!include_self) zeros = scatter(zeros, dim, index, 0);
  zeros = scatter_add(zeros, dim, index, to(source_zero, g.dtype()));
  const Tensor product = scatter_reduce(x_safe, dim, index, source_safe, "prod", include_self);
  auto others = [](const Tensor& all, const Tensor& zero_count, const Tensor& is_zero, const Tensor& safe) {
    return where(zero_count - to(is_zero, all.dtype()) > 0, 0, all / safe);
  };
  Tensor self = g * others(product, zeros, x_zero, x_safe);
  if (!include_self) self = scatter(g, dim, index, 0);
  return {self, gather(g, dim, index) *
                    others(gather(product, dim, index), gather(zeros, dim, index), source_zero, source_safe)};
}

void differentiate(Backward& b, Reduction reduction, int dim, bool include_self) {
  const Tensor index = b.saved(0), x = b.saved(1), source = b.saved(2), result = b.saved(3);
  const Tensor& g = b.grad();
  Gradients gradients;
  switch (reduction) {
    case Reduction::sum:
    case Reduction::mean: {
      const Tensor share = reduction == Reduction::mean ? g / counts(x, dim, index, include_self) : g;
      gradients = {include_self ? share : scatter(share, dim, index, 0), gather(share, dim, index)};
      break;
    }
    case Reduction::prod:
      gradients = product_gradients(g, x, source, index, dim, include_self);
      break;
    default:
      gradients = extremum_gradients(g, x, source, result, index, dim, include_self);
  }
  b.give(0, gradients.self);
  b.give(1, gradients.source);
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                      std::string_view reduce, bool include_self) {
  const Reduction reduction = parse_reduction(reduce);
  const int at = wrap_dim(dim, x.dim());
  const Tensor part = scatter_source(x, at, index, source);
  Tensor out = contiguous_values(x);
  reduce_into(out, at, index, part, reduction, include_self);
  return autograd::record("ScatterReduceBackward0", out, {x, part},
                          {save(index), save(x), save(part), save_output(out)},
                          [=](Backward& b) { differentiate(b, reduction, at, include_self); });
}

const Tensor& scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                              std::string_view reduce, bool include_self) {
  const Reduction reduction = parse_reduction(reduce);
  const int at = wrap_dim(dim, x.dim());
  const Tensor part = scatter_source(x, at, index, source);
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, part}));
  check_no_internal_overlap(x);
  check_no_partial_overlap(x, part);
  const Tensor before = autograd::any_differentiated(autograd::TensorRefs{x, part}) ? clone(x) : x;
  reduce_into(x, at, index, part, reduction, include_self);
  return autograd::record_inplace("ScatterReduceBackward0", x, {x, part},
                                  {save(index), save(before), save(part), save_output(x)},
                                  [=](Backward& b) { differentiate(b, reduction, at, include_self); });
}

}  // namespace tapegrad
