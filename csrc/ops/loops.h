// Running a block kernel over strided, broadcast tensors.
//
// Kernels only know contiguous blocks. A fully contiguous problem is one call; otherwise the innermost
// dimension is cut into blocks, and operands that are not contiguous there are gathered into a small buffer
// first (and the result scattered). So an operation has a single loop, and its results do not depend on the
// memory layout.
#pragma once
#include "core/long_work.h"
#include "core/tensor.h"
#include "kernels/kernels.h"

namespace tapegrad {

constexpr int kMaxOperands = 6;

/// Operands of one launch, with a common shape; operand 0 is written. Strides in bytes; 0 repeats an element.
struct StridedLoop {
  int operand_count = 0;
  Dims shape;
  Dims strides[kMaxOperands];
  char* data[kMaxOperands];
  int item_sizes[kMaxOperands];

  /// Adds a tensor, broadcast to `shape` (which must be set).
  void add(const Tensor& tensor);
  /// Adds one element that is repeated.
  void add_repeated(const void* element, int item_size);
};

/// Elements per chunk that a thread claims at a time; fixed, so that results do not depend on the number of
/// threads.
constexpr int64_t kElementwiseGrain = 32768;

/// Runs `kernel` over the whole loop, on several threads when it is long. `sequential` keeps the order of
/// elements on one thread (for results that overlap).
void launch(BlockKernel kernel, const void* op, StridedLoop& loop, bool sequential = false);
/// The same when all operands are contiguous and of `count` elements.
void launch_contiguous(BlockKernel kernel, const void* op, char* const* data, const int* item_sizes,
                       int operand_count, int64_t count);

}  // namespace tapegrad
