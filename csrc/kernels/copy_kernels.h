// Kernels that move blocks of memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace tapegrad {

struct MatrixCopy {
  char* to;
  const char* from;
  int64_t rows, columns;
  int64_t to_row, to_column, from_row, from_column;  // steps
};

struct CopyKernels {
  /// `rows` blocks of `bytes` bytes, `to_step` and `from_step` bytes apart.
  void (*rows)(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows, int64_t bytes);
  /// A matrix of rows x columns elements with any steps, in bytes: by the logarithm of the size of an
  /// element.
  void (*matrix[4])(const MatrixCopy& copy);
};

}  // namespace tapegrad
