// softmax, log_softmax.
#pragma once
#include <optional>

#include "core/tensor.h"
#include "ops/reduce_plan.h"

namespace tapegrad {

/// exp(x) / sum(exp(x)) along `dim`, and its logarithm. `dtype` converts the input first.
Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});

/// log(sum(exp(x))) over the masked dimensions, not recorded.
Tensor logsumexp_values(const Tensor& x, DimMask mask, IntSpan result_shape);
/// scale * exp(x - shift), where shift and scale have one element per row along `dim` (outer, inner); not
/// recorded.
Tensor scaled_exp_values(const Tensor& x, int dim, const Tensor& shift, const Tensor& scale);

}  // namespace tapegrad
