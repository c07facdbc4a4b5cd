#include "ops/pad.h"

#include "autograd/record.h"
#include "ops/copy.h"
#include "ops/ops.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;

namespace {

/// The part of `tensor` that lies inside when `before` and `after` are added around it (negative: cut away).
Tensor shared_part(const Tensor& tensor, IntSpan before, IntSpan after) {
  Dims shape = tensor.shape();
  int64_t offset = tensor.storage_offset();
  for (int d = 0; d < tensor.dim(); ++d) {
    const int64_t cut = std::max<int64_t>(-before[d], 0);
    shape[d] = std::max<int64_t>(shape[d] - cut - std::max<int64_t>(-after[d], 0), 0);
    offset += cut * tensor.strides()[d];
  }
  return make_view(tensor, shape, tensor.strides(), count_elements(shape) ? offset : tensor.storage_offset());
}

Dims negated(const Dims& values) {
  Dims result = values;
  for (int64_t& value : result) value = -value;
  return result;
}

}  // namespace

Tensor pad_constant(const Tensor& x, IntSpan padding, Scalar value) {
  const int count = static_cast<int>(padding.size()) / 2, rank = x.dim();
  TG_CHECK(padding.size() % 2 == 0, "Length of pad must be even but instead it equals ", padding.size());
  TG_CHECK(count <= rank,
           "Length of pad should be no more than twice the number of dimensions of the input. Pad length is ",
           padding.size(), " while the input has ", rank, " dimensions.");
  Dims before(rank, 0), after(rank, 0), shape = x.shape();
  bool same = true;
  for (int i = 0; i < count; ++i) {
    const int d = rank - 1 - i;
    before[d] = padding[2 * i];
    after[d] = padding[2 * i + 1];
    const bool overflow = __builtin_add_overflow(shape[d], before[d], &shape[d]) ||
                          __builtin_add_overflow(shape[d], after[d], &shape[d]);
    same = same && before[d] == 0 && after[d] == 0;
    TG_CHECK(!overflow && shape[d] >= 0, "The input size ", x.shape()[d], ", plus negative padding ",
             before[d], " and ", after[d],
             " resulted in a negative output size, which is invalid. Check dimension ", d, " of your input.");
  }
  if (same) return clone(x);
  Tensor out = full_values(shape, value, x.dtype());
  copy_values(shared_part(out, negated(before), negated(after)), shared_part(x, before, after));
  return record("ConstantPadNdBackward0", std::move(out), {x}, {},
                [back = negated(Dims(padding))](Backward& b) { return pad_constant(b.grad(), back, 0.0); });
}

}  // namespace tapegrad
