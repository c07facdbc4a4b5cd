// Kernels that move blocks of memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace tapegrad {

struct CopyKernels {
  /// `rows` blocks of `bytes` bytes, `to_step` and `from_step` bytes apart.
  void (*rows)(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows, int64_t bytes);
  /// to[i * to_step + j] = from[i + j * from_step] for i < rows, j < columns (steps in elements): by the
  /// logarithm of the size of an element.
  void (*transpose[4])(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows,
                       int64_t columns);
};

}  // namespace tapegrad
