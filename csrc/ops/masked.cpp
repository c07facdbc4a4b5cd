#include "ops/masked.h"

#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/elementwise.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/rows.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

template <class F>
auto fill_derivative(F record_it) {
  return record_it([](Backward& b) {
    b.give(0, [&] { return masked_fill(b.grad(), b.saved(0), 0); });
    b.give(1, [&] { return where(b.saved(0), b.grad(), 0); });
  });
}

void run_fill(const Tensor& x, const Tensor& mask, const Tensor& value, const Tensor* out, Tensor& result) {
  const Where op;
  const Operand operands[] = {mask, value, x};
  result = run_elementwise(elementwise_info<Where>, &op, operands, out);
}

}  // namespace

Tensor fill_where(const char* name, const Tensor& x, const Tensor& mask, const Tensor& value) {
  Tensor out;
  run_fill(x, mask, value, nullptr, out);
  return fill_derivative(
      [&](auto derivative) { return record(name, std::move(out), {x, value}, {save(mask)}, derivative); });
}

const Tensor& fill_where_(const char* name, const Tensor& x, const Tensor& mask, const Tensor& value) {
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, value}));
  Tensor out;
  run_fill(x, mask, value, &x, out);
  fill_derivative(
      [&](auto derivative) { autograd::record_inplace(name, x, {x, value}, {save(mask)}, derivative); });
  return x;
}

namespace {

void check_fill_mask(const Tensor& mask) {
  TG_CHECK(mask.dtype() == DType::bool_, "masked_fill_ only supports boolean masks, but got mask with dtype ",
           dtype_name(mask.dtype()));
}

Tensor fill_value(const Tensor& x, const Tensor& value) {
  TG_CHECK(value.dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
           value.dim(), " dimension(s).");
  return to(value, x.dtype());
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  check_fill_mask(mask);
  return fill_where("MaskedFillBackward0", x, mask, full_values({}, value, x.dtype()));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_fill_mask(mask);
  return fill_where("MaskedFillBackward1", x, mask, fill_value(x, value));
}
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, Scalar value) {
  check_fill_mask(mask);
  return fill_where_("MaskedFillBackward0", x, mask, full_values({}, value, x.dtype()));
}
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_fill_mask(mask);
  return fill_where_("MaskedFillBackward1", x, mask, fill_value(x, value));
}

Tensor flat_nonzero(const Tensor& x) {
  Tensor mask = x.dtype() == DType::bool_ || x.dtype() == DType::uint8 ? x : ne(x, 0);
  if (!mask.is_contiguous()) mask = contiguous_values(mask);
  const char* bytes = mask.raw();
  Tensor positions = empty({{kernels->index.count_true(bytes, mask.numel())}}, DType::int64);
  kernels->index.true_positions(bytes, positions.numel(), positions.data<int64_t>());
  return positions;
}

namespace {

/// Writes coordinate d of each position to out[d * dim_step + i * step].
void write_coordinates(const Tensor& positions, IntSpan shape, int64_t* out, int64_t step, int64_t dim_step) {
  const int64_t *in = positions.data<int64_t>(), count = positions.numel();
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = in[i];
    for (size_t d = shape.size(); d-- > 1; rest /= shape[d])
      out[i * step + static_cast<int64_t>(d) * dim_step] = rest % shape[d];
    out[i * step] = rest;
  }
}

}  // namespace

Tensor nonzero(const Tensor& x) {
  const autograd::NoGrad no_grad;
  const Tensor positions = flat_nonzero(x);
  Tensor out = empty({{positions.numel(), x.dim()}}, DType::int64);
  if (x.dim() > 0) write_coordinates(positions, x.shape(), out.data<int64_t>(), x.dim(), 1);
  return out;
}

Tensor argwhere(const Tensor& x) { return nonzero(x); }

std::vector<Tensor> nonzero_tuple(const Tensor& x) {
  const autograd::NoGrad no_grad;
  const Tensor positions = flat_nonzero(x);
  if (x.dim() <= 1) return {positions};
  const int64_t count = positions.numel();
  const Tensor all = empty({{x.dim(), count}}, DType::int64);
  write_coordinates(positions, x.shape(), all.data<int64_t>(), 1, count);
  return unbind(all);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  TG_CHECK(mask.dtype() == DType::bool_, "masked_select: expected BoolTensor for mask");
  if (x.shape() == mask.shape())
    return gather_rows("MaskedSelectBackward0", x, flat_nonzero(mask), {0, x.dim(), {}});
  const Dims shape = broadcast_shapes(mask.shape(), x.shape());
  return masked_select(expand(x, shape), expand(mask, shape));
}

namespace {

Tensor scatter_values(const Tensor& x, const Tensor& positions, const Tensor& source) {
  TG_CHECK(x.dtype() == source.dtype(),
           "masked_scatter: expected self and source to have same dtypes but got ",
           scalar_type_name(x.dtype()), " and ", scalar_type_name(source.dtype()));
  TG_CHECK(source.numel() >= positions.numel(),
           "Number of elements of source < number of ones in mask: ", source.numel(), " < ",
           positions.numel());
  return slice(reshape(source, {{-1}}), 0, 0, positions.numel());
}

void check_scatter_mask(const Tensor& mask) {
  TG_CHECK(mask.dtype() == DType::bool_,
           "masked_scatter_ only supports boolean masks, but got mask with dtype ", dtype_name(mask.dtype()));
}

}  // namespace

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_scatter_mask(mask);
  const Dims shape = broadcast_shapes(mask.shape(), x.shape());
  const Tensor target = x.shape() == shape ? x : expand(x, shape),
               positions = flat_nonzero(expand(mask, shape));
  return with_rows("MaskedScatterBackward0", target, positions, {0, target.dim(), {}},
                   scatter_values(x, positions, source), RowWrite::put);
}

const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_scatter_mask(mask);
  const Tensor positions = flat_nonzero(expand(mask, x.shape()));
  return with_rows_("MaskedScatterBackward0", x, positions, {0, x.dim(), {}},
                    scatter_values(x, positions, source), RowWrite::put);
}

}  // namespace tapegrad
