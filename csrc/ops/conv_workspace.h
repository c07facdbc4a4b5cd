// What the parts of a convolution share: their kernels, and memory of the calling thread.
#pragma once
#include <cstdlib>

#include "core/error.h"
#include "kernels/kernels.h"

namespace tapegrad {

inline const ConvKernels<float>& table_for(float) { return kernels->conv_f32; }
inline const ConvKernels<double>& table_for(double) { return kernels->conv_f64; }

/// `channels` rounded up to whole vectors.
template <class T>
int64_t whole_vectors(int64_t channels) {
  const int64_t lanes = table_for(T()).lanes;
  return (channels + lanes - 1) / lanes * lanes;
}

/// to[i * to_row + j * to_column] = from[i + j * from_step] for i < rows, j < columns.
template <class T>
void transpose_block(T* to, int64_t to_row, int64_t to_column, const T* from, int64_t from_step, int64_t rows,
                     int64_t columns) {
  constexpr int64_t size = sizeof(T);
  kernels->copy.matrix[size == 4 ? 2 : 3]({reinterpret_cast<char*>(to), reinterpret_cast<const char*>(from),
                                           rows, columns, to_row * size, to_column * size, size,
                                           from_step * size});
}

/// Memory of the calling thread, kept for its next block.
template <class T>
T* workspace(int64_t count) {
  struct Buffer {
    void* data = nullptr;
    int64_t bytes = 0;
    ~Buffer() { std::free(data); }
  };
  static thread_local Buffer buffer;
  const int64_t bytes = (count * int64_t(sizeof(T)) + 4095) / 4096 * 4096;
  if (bytes > buffer.bytes) {
    std::free(buffer.data);
    buffer.data = std::aligned_alloc(64, static_cast<size_t>(bytes));
    buffer.bytes = buffer.data ? bytes : 0;
    TG_CHECK(buffer.data, "a convolution needs ", bytes, " bytes of memory that the system does not have");
  }
  return static_cast<T*>(buffer.data);
}

}  // namespace tapegrad
