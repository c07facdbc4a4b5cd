#include "core/dims.h"

#include <cstdlib>

#include "core/error.h"

namespace tapegrad {

int64_t count_elements(IntSpan shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    TG_CHECK(!__builtin_mul_overflow(count, size, &count),
             "numel: integer multiplication overflow: a tensor of shape ", to_string(shape),
             " would have more than 2^63 - 1 elements");
  return count;
}

Dims contiguous_strides(IntSpan shape) {
  Dims strides(static_cast<int>(shape.size()));
  int64_t stride = 1;
  for (int i = strides.size() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

Dims broadcast_shapes(IntSpan a, IntSpan b) {
  const bool swapped = a.size() < b.size();
  if (swapped) std::swap(a, b);
  Dims result(a);
  const int offset = static_cast<int>(a.size() - b.size());
  for (int i = static_cast<int>(b.size()) - 1; i >= 0; --i) {
    const int64_t size_a = a[i + offset], size_b = b[i];
    if (size_a == size_b || size_b == 1) continue;
    TG_CHECK(size_a == 1, "The size of tensor a (", swapped ? size_b : size_a,
             ") must match the size of tensor b (", swapped ? size_a : size_b,
             ") at non-singleton dimension ", i + offset, ". Shapes were ", to_string(swapped ? b : a),
             " and ", to_string(swapped ? a : b),
             "; sizes are matched from the last dimension, and a size of 1 stretches.");
    result[i + offset] = size_b;
  }
  return result;
}

std::string to_string(IntSpan values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

int64_t window_size(int64_t value) {
  TG_CHECK(std::abs(value) <= INT32_MAX, "value cannot be converted to type int without overflow: ", value);
  return value;
}

int wrap_dim(int64_t dim, int rank) {
  const int64_t range = std::max(rank, 1);
  TG_CHECK_INDEX(dim >= -range && dim < range, "Dimension out of range (expected to be in range of [", -range,
                 ", ", range - 1, "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + range : dim);
}

Dims wrap_dims(IntSpan dims, int rank) {
  Dims wrapped(static_cast<int>(dims.size()));
  uint64_t seen = 0;
  for (int i = 0; i < wrapped.size(); ++i) {
    const int dim = wrap_dim(dims[i], rank);
    TG_CHECK(!(seen >> dim & 1), "dim ", dim, " appears multiple times in the list of dims");
    seen |= uint64_t{1} << dim;
    wrapped[i] = dim;
  }
  return wrapped;
}

}  // namespace tapegrad
