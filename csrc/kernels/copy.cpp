#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class T>
void copy_items(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) __builtin_memcpy(to + i * to_step, from + i * from_step, sizeof(T));
}

void copy_rows(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows, int64_t bytes) {
  switch (bytes) {
    case 1:
      return copy_items<uint8_t>(to, to_step, from, from_step, rows);
    case 4:
      return copy_items<uint32_t>(to, to_step, from, from_step, rows);
    case 8:
      return copy_items<uint64_t>(to, to_step, from, from_step, rows);
    default:
      for (int64_t i = 0; i < rows; ++i)
        __builtin_memcpy(to + i * to_step, from + i * from_step, static_cast<size_t>(bytes));
  }
}

// Square tiles whose rows and columns both fit the first-level cache; within a tile, lines of the result are
// written whole. https://en.wikipedia.org/wiki/Loop_nest_optimization
template <class T>
void transpose(char* to_bytes, int64_t to_step, const char* from_bytes, int64_t from_step, int64_t rows,
               int64_t columns) {
  constexpr int64_t kTile = 64 / sizeof(T) < 16 ? 16 : 32;
  T* to = reinterpret_cast<T*>(to_bytes);
  const T* from = reinterpret_cast<const T*>(from_bytes);
  for (int64_t i = 0; i < rows; i += kTile) {
    const int64_t height = i + kTile < rows ? kTile : rows - i;
    for (int64_t j = 0; j < columns; j += kTile) {
      const int64_t width = j + kTile < columns ? kTile : columns - j;
      T tile[kTile][kTile];
      for (int64_t c = 0; c < width; ++c)
        for (int64_t r = 0; r < height; ++r) tile[r][c] = from[(i + r) + (j + c) * from_step];
      for (int64_t r = 0; r < height; ++r)
        for (int64_t c = 0; c < width; ++c) to[(i + r) * to_step + j + c] = tile[r][c];
    }
  }
}

}  // namespace

void register_copies(CopyKernels& table) {
  table.rows = copy_rows;
  table.transpose[0] = transpose<uint8_t>;
  table.transpose[1] = transpose<uint16_t>;
  table.transpose[2] = transpose<uint32_t>;
  table.transpose[3] = transpose<uint64_t>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
