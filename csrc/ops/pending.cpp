// Minimal versions of operations whose families are about to land; delete each with its family.
#include "ops/arithmetic.h"

namespace tapegrad {
Tensor sum_to_shape(const Tensor& tensor, IntSpan) { return tensor; }
}  // namespace tapegrad
