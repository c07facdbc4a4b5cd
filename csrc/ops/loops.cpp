#include "ops/loops.h"

#include <cstring>
#include <numeric>

#include "core/parallel.h"

namespace tapegrad {

void StridedLoop::add(const Tensor& tensor) {
  const int k = operand_count++, rank = shape.size(), offset = rank - tensor.dim();
  const int64_t item = tensor.item_size();
  strides[k] = Dims(rank, 0);
  for (int i = 0; i < tensor.dim(); ++i)
    if (tensor.shape()[i] != 1) strides[k][i + offset] = tensor.strides()[i] * item;
  data[k] = tensor.raw();
  item_sizes[k] = static_cast<int>(item);
}

void StridedLoop::add_repeated(const void* element, int item_size) {
  const int k = operand_count++;
  strides[k] = Dims(shape.size(), 0);
  data[k] = static_cast<char*>(const_cast<void*>(element));
  item_sizes[k] = item_size;
}

namespace {

constexpr int kBlock = 512;  // elements; six buffers of doubles fit the first-level cache

// Orders the dimensions by the stride of the result and merges those that are contiguous in all operands.
void coalesce(StridedLoop& loop) {
  const int rank = loop.shape.size();
  if (rank <= 1) return;
  Dims order(rank);
  std::iota(order.begin(), order.end(), 0);
  auto comes_first = [&](int64_t a,
                         int64_t b) {  // larger strides outside; the result decides, then the operands
    for (int k = 0; k < loop.operand_count; ++k) {
      const int64_t stride_a = std::abs(loop.strides[k][static_cast<int>(a)]),
                    stride_b = std::abs(loop.strides[k][static_cast<int>(b)]);
      if (stride_a != stride_b && stride_a && stride_b) return stride_a > stride_b;
    }
    return false;
  };
  for (int i = 1; i < rank; ++i)  // insertion sort: stable, and the relation above need not be transitive
    for (int j = i; j > 0 && comes_first(order[j], order[j - 1]); --j) std::swap(order[j], order[j - 1]);

  StridedLoop merged = loop;
  int count = 0;
  for (int64_t dim : order) {
    const int64_t size = loop.shape[static_cast<int>(dim)];
    if (size == 1 && rank > 1 && (count > 0 || dim != order.back())) continue;
    bool merges = count > 0;
    for (int k = 0; merges && k < loop.operand_count; ++k)
      merges = merged.strides[k][count - 1] == loop.strides[k][static_cast<int>(dim)] * size;
    if (!merges) ++count;
    merged.shape[count - 1] = merges ? merged.shape[count - 1] * size : size;
    for (int k = 0; k < loop.operand_count; ++k)
      merged.strides[k][count - 1] = loop.strides[k][static_cast<int>(dim)];
  }
  loop.shape = Dims(IntSpan(merged.shape).first(count));
  for (int k = 0; k < loop.operand_count; ++k)
    loop.strides[k] = Dims(IntSpan(merged.strides[k]).first(count));
}

template <class T>
void gather(char* buffer, const char* source, int64_t stride, int64_t count) {
  T* out = reinterpret_cast<T*>(buffer);
  if (stride == 0) {
    const T value = *reinterpret_cast<const T*>(source);
    for (int64_t i = 0; i < count; ++i) out[i] = value;
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = *reinterpret_cast<const T*>(source + i * stride);
  }
}
template <class T>
void scatter(char* target, const char* buffer, int64_t stride, int64_t count) {
  const T* in = reinterpret_cast<const T*>(buffer);
  for (int64_t i = 0; i < count; ++i) *reinterpret_cast<T*>(target + i * stride) = in[i];
}
template <class F>
void for_item_size(int size, F f) {
  switch (size) {
    case 1:
      return f(TypeTag<uint8_t>{});
    case 2:
      return f(TypeTag<uint16_t>{});
    case 4:
      return f(TypeTag<uint32_t>{});
    default:
      return f(TypeTag<uint64_t>{});
  }
}
void gather(char* buffer, const char* source, int64_t stride, int64_t count, int item_size) {
  for_item_size(item_size,
                [&](auto tag) { gather<typename decltype(tag)::type>(buffer, source, stride, count); });
}
void scatter(char* target, const char* buffer, int64_t stride, int64_t count, int item_size) {
  for_item_size(item_size,
                [&](auto tag) { scatter<typename decltype(tag)::type>(target, buffer, stride, count); });
}

/// Runs elements [lo, hi) of a coalesced loop, counted in its own order.
void run_range(BlockKernel kernel, const void* op, const StridedLoop& loop, int64_t lo, int64_t hi) {
  const int rank = loop.shape.size(), operands = loop.operand_count;
  const int64_t inner = loop.shape.back();
  int64_t index[kMaxDims];
  char* row[kMaxOperands];
  int64_t inner_stride[kMaxOperands];
  bool contiguous[kMaxOperands], all_contiguous = true;
  int64_t rest = lo / inner, column = lo % inner;
  for (int k = 0; k < operands; ++k) {
    row[k] = loop.data[k];
    inner_stride[k] = loop.strides[k][rank - 1];
    contiguous[k] = inner_stride[k] == loop.item_sizes[k];
    all_contiguous &= contiguous[k];
  }
  for (int d = rank - 2; d >= 0; --d) {
    index[d] = rest % loop.shape[d];
    rest /= loop.shape[d];
    for (int k = 0; k < operands; ++k) row[k] += index[d] * loop.strides[k][d];
  }

  alignas(64) char buffers[kMaxOperands][kBlock * 8];
  char* pointers[kMaxOperands];
  for (int k = 0; k < operands; ++k) pointers[k] = buffers[k];
  int filled[kMaxOperands] = {};  // how much of a buffer holds the repeated element
  const char* repeated[kMaxOperands] = {};
  for (int64_t done = lo; done < hi;) {
    const int64_t row_end = std::min(inner, column + hi - done);
    const int64_t step = all_contiguous ? row_end - column : kBlock;
    for (int64_t i = column; i < row_end; i += step) {
      const int64_t count = std::min(step, row_end - i);
      for (int k = 0; k < operands; ++k) {
        char* source = row[k] + i * inner_stride[k];
        if (contiguous[k]) {
          pointers[k] = source;
        } else if (inner_stride[k] == 0 && k > 0) {
          if (repeated[k] == row[k] && filled[k] >= count) continue;
          gather(buffers[k], source, 0, count, loop.item_sizes[k]);
          repeated[k] = row[k];
          filled[k] = static_cast<int>(count);
        } else if (k > 0) {
          gather(buffers[k], source, inner_stride[k], count, loop.item_sizes[k]);
        }
      }
      kernel(pointers, count, op);
      if (!contiguous[0])
        scatter(row[0] + i * inner_stride[0], buffers[0], inner_stride[0], count, loop.item_sizes[0]);
    }
    done += row_end - column;
    column = 0;
    for (int d = rank - 2; d >= 0; --d) {
      for (int k = 0; k < operands; ++k) row[k] += loop.strides[k][d];
      if (++index[d] < loop.shape[d]) break;
      for (int k = 0; k < operands; ++k) row[k] -= loop.strides[k][d] * loop.shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace

void launch(BlockKernel kernel, const void* op, StridedLoop& loop, bool sequential) {
  const int64_t total = count_elements(loop.shape);
  if (total == 0) return;
  coalesce(loop);
  if (loop.shape.empty()) {
    kernel(loop.data, 1, op);
    return;
  }
  if (sequential) return run_range(kernel, op, loop, 0, total);
  LongWorkScope scope(total);
  parallel_for(0, total, kElementwiseGrain,
               [&](int64_t lo, int64_t hi) { run_range(kernel, op, loop, lo, hi); });
}

void launch_contiguous(BlockKernel kernel, const void* op, char* const* data, const int* item_sizes,
                       int operand_count, int64_t count) {
  if (count <= kElementwiseGrain) return kernel(data, count, op);
  LongWorkScope scope(count);
  parallel_for(0, count, kElementwiseGrain, [&](int64_t lo, int64_t hi) {
    char* pointers[kMaxOperands];
    for (int k = 0; k < operand_count; ++k) pointers[k] = data[k] + lo * item_sizes[k];
    kernel(pointers, hi - lo, op);
  });
}

}  // namespace tapegrad
