#include "kernels/registration.h"
#include "kernels/vec.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

// Blocks of at least `Chunk` bytes; the last chunk of a block may overlap the one before.
template <int64_t Chunk>
void copy_chunks(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows,
                 int64_t bytes) {
  if (bytes == Chunk) {
    for (int64_t i = 0; i < rows; ++i) __builtin_memcpy(to + i * to_step, from + i * from_step, Chunk);
    return;
  }
  for (int64_t i = 0; i < rows; ++i, to += to_step, from += from_step) {
    for (int64_t j = 0; j < bytes - Chunk; j += Chunk) __builtin_memcpy(to + j, from + j, Chunk);
    __builtin_memcpy(to + bytes - Chunk, from + bytes - Chunk, Chunk);
  }
}

void copy_rows(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows, int64_t bytes) {
  constexpr int64_t kLongRow = 512;  // for which the library's copy pays
  const auto copy = bytes >= 64   ? copy_chunks<64>
                    : bytes >= 16 ? copy_chunks<16>
                    : bytes >= 8  ? copy_chunks<8>
                    : bytes >= 4  ? copy_chunks<4>
                    : bytes >= 2  ? copy_chunks<2>
                                  : copy_chunks<1>;
  if (bytes < kLongRow) return copy(to, to_step, from, from_step, rows, bytes);
  for (int64_t i = 0; i < rows; ++i)
    __builtin_memcpy(to + i * to_step, from + i * from_step, static_cast<size_t>(bytes));
}

// Tiles of a line of memory in both directions, within blocks that the translation buffer covers; every line
// is read and written once. https://en.wikipedia.org/wiki/Loop_nest_optimization
template <class T>
void transpose(const MatrixCopy& copy) {
  constexpr int64_t kTile = 64 / sizeof(T) < 32 ? 64 / sizeof(T) : 32, kBlock = 128;
  auto* to = reinterpret_cast<T*>(copy.to);
  auto* from = reinterpret_cast<const T*>(copy.from);
  const int64_t to_step = copy.to_row / static_cast<int64_t>(sizeof(T));
  const int64_t from_step = copy.from_column / static_cast<int64_t>(sizeof(T));
  auto do_tile = [&](int64_t row, int64_t column, int64_t height, int64_t width) {
    for (int64_t r = 0; r < height; ++r)
      for (int64_t c = 0; c < width; ++c)
        to[(row + r) * to_step + column + c] = from[row + r + (column + c) * from_step];
  };
  auto do_full_tile = [&](int64_t row, int64_t column) {
    T tile[kTile][kTile];
    for (int64_t c = 0; c < kTile; ++c)
      __builtin_memcpy(tile[c], from + row + (column + c) * from_step, sizeof(tile[c]));
    for (int64_t r = 0; r < kTile; ++r) {
      T line[kTile];
      for (int64_t c = 0; c < kTile; ++c) line[c] = tile[c][r];
      __builtin_memcpy(to + (row + r) * to_step + column, line, sizeof(line));
    }
  };
  for (int64_t block_row = 0; block_row < copy.rows; block_row += kBlock)
    for (int64_t block_column = 0; block_column < copy.columns; block_column += kBlock) {
      const int64_t row_end = block_row + kBlock < copy.rows ? block_row + kBlock : copy.rows;
      const int64_t column_end = block_column + kBlock < copy.columns ? block_column + kBlock : copy.columns;
      for (int64_t row = block_row; row < row_end; row += kTile)
        for (int64_t column = block_column; column < column_end; column += kTile) {
          const int64_t height = row + kTile < row_end ? kTile : row_end - row;
          const int64_t width = column + kTile < column_end ? kTile : column_end - column;
          if (height == kTile && width == kTile)
            do_full_tile(row, column);
          else
            do_tile(row, column, height, width);
        }
    }
}

template <class T>
void copy_elements(const MatrixCopy& copy) {
  for (int64_t i = 0; i < copy.rows; ++i) {
    char* to = copy.to + i * copy.to_row;
    const char* from = copy.from + i * copy.from_row;
    for (int64_t j = 0; j < copy.columns; ++j)
      *reinterpret_cast<T*>(to + j * copy.to_column) =
          *reinterpret_cast<const T*>(from + j * copy.from_column);
  }
}

// n elements in reverse order; `from` is the last of them.
template <class T>
void reverse_row(T* to, const T* from, int64_t n) {
  constexpr int L = Vec<T>::size;
  int64_t j = 0;
  for (; j + L <= n; j += L) reversed(Vec<T>::load(from - j - (L - 1))).store(to + j);
  for (; j < n; ++j) to[j] = from[-j];
}

template <class T>
void copy_matrix(const MatrixCopy& copy) {
  constexpr int64_t kSize = sizeof(T);
  if (copy.to_column == kSize && copy.from_column == kSize && copy.columns > 1)
    return copy_rows(copy.to, copy.to_row, copy.from, copy.from_row, copy.rows, copy.columns * kSize);
  if (copy.to_column == kSize && copy.from_row == kSize && copy.rows >= 4 && copy.columns >= 4)
    return transpose<T>(copy);
  if (copy.columns < 8 && copy.rows > copy.columns)  // the longer loop inside
    return copy_elements<T>({copy.to, copy.from, copy.columns, copy.rows, copy.to_column, copy.to_row,
                             copy.from_column, copy.from_row});
  if (copy.to_column == kSize && copy.from_column == -kSize) {
    for (int64_t i = 0; i < copy.rows; ++i)
      reverse_row(reinterpret_cast<T*>(copy.to + i * copy.to_row),
                  reinterpret_cast<const T*>(copy.from + i * copy.from_row), copy.columns);
    return;
  }
  copy_elements<T>(copy);
}

}  // namespace

void register_copies(CopyKernels& table) {
  table.rows = copy_rows;
  table.matrix[0] = copy_matrix<uint8_t>;
  table.matrix[1] = copy_matrix<uint16_t>;
  table.matrix[2] = copy_matrix<uint32_t>;
  table.matrix[3] = copy_matrix<uint64_t>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
