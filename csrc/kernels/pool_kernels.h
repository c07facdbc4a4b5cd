// Kernels of pooling: windows over the last three dimensions (depth, height, width; unused ones have size 1).
#pragma once
#include <stdint.h>

namespace tapegrad {

/// Window i of dimension d covers begin[d][i], begin[d][i] + step[d], ... below end[d][i], all inside the input.
/// An average divides by the product of count[d][i], or by `divisor` unless that is 0.
struct PoolJob {
  int64_t planes;
  int64_t in[3], out[3], step[3];
  const int64_t *begin[3], *end[3], *count[3];
  double divisor;
};

/// Elements of planes by their position in the plane.
struct PickJob {
  int64_t planes, in_size, out_size;
  const int64_t* index;  // (planes, out_size), checked
};

template <class T>
struct PoolKernels {
  /// Largest element of each window and its position in the plane; NaN wins.
  void (*largest)(const PoolJob& job, const T* in, T* out, int64_t* index);
  void (*average)(const PoolJob& job, const T* in, T* out);
  /// The adjoint of average: adds to `in`.
  void (*spread)(const PoolJob& job, const T* out, T* in);
  /// out[j] = in[index[j]], and in[index[j]] += out[j].
  void (*pick)(const PickJob& job, const T* in, T* out);
  void (*add_picked)(const PickJob& job, const T* out, T* in);
};

}  // namespace tapegrad
