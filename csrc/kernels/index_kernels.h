// Kernels that move rows and elements to and from places named by an index.
#pragma once
#include <stddef.h>

#include "kernels/element_types.h"

namespace tapegrad {

/// Rows of one tensor ("rows", where an index says which) against consecutive rows of another ("packed").
/// Steps are in bytes. The index has been checked.
struct RowJob {
  char* rows;
  char* packed;
  const int64_t* index;
  int64_t count;        // of index entries
  int64_t row_step;     // from one row to the next
  int64_t packed_step;  // 0 repeats one row
  int64_t inner;        // elements in a row
  int64_t rows_inner;   // from one element to the next
  int64_t packed_inner;
};
using RowKernel = void (*)(const RowJob& job);

/// Elements of a line: element i of "picked" belongs to whole + i * whole_step + index[i * index_step] *
/// dim_step.
struct LineJob {
  char* whole;
  char* picked;
  const int64_t* index;
  int64_t count;
  int64_t dim_step;
  int64_t whole_step;
  int64_t picked_step;
  int64_t index_step;  // in entries
};
using LineKernel = void (*)(const LineJob& job);

enum class LineReduce { add, multiply, maximum, minimum };
constexpr int kLineReduceCount = 4;

struct IndexKernels {
  RowKernel gather_rows[4];  // rows -> packed, by the logarithm of the size of an element
  RowKernel put_rows[4];     // packed -> rows
  RowKernel add_rows[kDTypeCount];
  LineKernel gather_line[4];
  LineKernel put_line[4];
  LineKernel reduce_line[kLineReduceCount][kDTypeCount];
  /// Smallest and largest of n > 0 numbers.
  void (*bounds)(const int64_t* values, int64_t n, int64_t* smallest, int64_t* largest);
  /// Number of true bytes.
  int64_t (*count_true)(const char* mask, int64_t n);
  /// Writes the positions of the `count` true bytes of the mask.
  void (*true_positions)(const char* mask, int64_t count, int64_t* out);
};

}  // namespace tapegrad
