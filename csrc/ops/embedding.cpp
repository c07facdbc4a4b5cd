#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/rows.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::save;

namespace {

Tensor row_index(const Tensor& weight, const Tensor& input) {
  TG_CHECK(weight.dim() == 2, "'weight' must be 2-D");
  TG_CHECK(input.dtype() == DType::int64 || input.dtype() == DType::int32,
           "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
           "but got torch.",
           scalar_type_name(input.dtype()), "Tensor instead (while checking arguments for embedding)");
  const int64_t rows = weight.shape()[0];
  return checked_index(input, rows, false, [&](int64_t entry) {
    fail(ErrorKind::index, "index out of range in self (row ", entry, " of an embedding with ", rows,
         " rows)");
  });
}

/// How often each entry of `index` occurs in it.
Tensor frequencies(const Tensor& index, int64_t rows, DType dtype) {
  std::vector<int64_t> count(static_cast<size_t>(rows));
  const int64_t* entries = index.data<int64_t>();
  for (int64_t i = 0; i < index.numel(); ++i) ++count[static_cast<size_t>(entries[i])];
  Tensor result = empty(index.shape(), dtype);
  dispatch_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < index.numel(); ++i)
      result.data<T>()[i] = static_cast<T>(count[static_cast<size_t>(entries[i])]);
  });
  return result;
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& input, int64_t padding_idx, bool scale_grad_by_freq) {
  const Tensor index = row_index(weight, input);
  if (padding_idx < 0 && !scale_grad_by_freq)
    return gather_rows("EmbeddingBackward0", weight, index, {0, 1, {}});
  Tensor out;
  {
    const autograd::NoGrad no_grad;
    out = gather_rows("EmbeddingBackward0", weight, index, {0, 1, {}});
  }
  return autograd::record("EmbeddingBackward0", std::move(out), {weight}, {save(index)},
                          [padding_idx, scale_grad_by_freq, shape = weight.shape()](Backward& b) {
                            const Tensor index = b.saved(0);
                            Tensor rows = b.grad();
                            if (padding_idx >= 0)
                              rows = masked_fill(rows, unsqueeze(index == padding_idx, -1), 0);
                            if (scale_grad_by_freq)
                              rows = rows / unsqueeze(frequencies(index, shape[0], rows.dtype()), -1);
                            return accumulate_rows("EmbeddingDenseBackwardBackward0", rows, shape, index,
                                                   {0, 1, {}});
                          });
}

}  // namespace tapegrad
