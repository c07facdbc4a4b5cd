// Matrix products on raw pointers, on several threads when they are large.
#pragma once
#include "kernels/gemm.h"

namespace tapegrad::ops {

/// Computes the batch of products; see Gemm for the meaning of the arguments. The result does not depend on
/// the number of threads.
template <class T>
void gemm(const Gemm<T>& args, const GemmBatch& batch = {});

}  // namespace tapegrad::ops
