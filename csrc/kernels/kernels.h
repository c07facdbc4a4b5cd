// The table of kernels: function pointers filled in once per instruction set, the best of which is chosen at
// load.
#pragma once
#include "kernels/conv_kernels.h"
#include "kernels/copy_kernels.h"
#include "kernels/elementwise_defs.h"
#include "kernels/gemm.h"
#include "kernels/index_kernels.h"
#include "kernels/norm_kernels.h"
#include "kernels/optim_kernels.h"
#include "kernels/pool_kernels.h"
#include "kernels/random.h"
#include "kernels/reduce_kernels.h"
#include "kernels/scan_kernels.h"
#include "kernels/softmax_kernels.h"

namespace tapegrad {

/// Computes n elements from contiguous operands: operands[0] is the result, the others follow in order.
using BlockKernel = void (*)(char* const* operands, int64_t n, const void* op);

struct ElementwiseKernels {
  BlockKernel forward[AllElementwise::size][kDTypeCount];  // null where the type is outside the domain
  BlockKernel backward[AllElementwise::size][3]
                      [kDTypeCount];           // by operand; result, g, then what `uses` names
  BlockKernel cast[kDTypeCount][kDTypeCount];  // [from][to]
};

struct KernelTable {
  const char* name;
  ElementwiseKernels elementwise;
  GemmKernels<float> gemm_f32;
  GemmKernels<double> gemm_f64;
  RandomKernels random;
  CopyKernels copy;
  IndexKernels index;
  OptimKernels optim;
  ReduceKernels reduce;
  ScanKernels scan;
  SoftmaxKernels softmax;
  NormKernels norm;
  ConvKernels<float> conv_f32;
  ConvKernels<double> conv_f64;
  PoolKernels<float> pool_f32;
  PoolKernels<double> pool_f64;
};

/// The table in use.
extern const KernelTable* kernels;
/// Chooses the table: the best this machine can run, or the one TAPEGRAD_ISA names ("x86-64-v2", "x86-64-v3",
/// "x86-64-v4", "baseline"). Returns an error message or null.
const char* select_kernels();
/// The names of the tables that this machine can run, best last; null-terminated.
const char* const* available_kernels();

}  // namespace tapegrad
