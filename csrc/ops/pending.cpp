// Minimal versions of operations whose families are about to land; delete each with its family.
#include "ops/pending.h"

#include "ops/copy.h"

namespace tapegrad {
Tensor sum_to_shape(const Tensor& tensor, IntSpan) { return tensor; }
Tensor as_strided(const Tensor& x, IntSpan, IntSpan, int64_t) { return x; }
Tensor to(const Tensor& x, DType dtype, bool) { return cast_values(x, dtype); }
Tensor clone_contiguous(const Tensor& x) { return contiguous_values(x); }
const Tensor& copy_(const Tensor& self, const Tensor& source) {
  copy_values(self, source);
  return self;
}
}  // namespace tapegrad
