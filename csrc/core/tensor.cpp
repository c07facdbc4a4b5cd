#include "core/tensor.h"

namespace tapegrad {

constinit thread_local bool inference_mode = false;
void (*TensorImpl::release_python_object)(void*) = nullptr;

bool is_row_major(IntSpan shape, IntSpan strides) {
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != expected) return count_elements(shape) == 0;
    expected *= shape[i];
  }
  return true;
}

namespace {

void check_rank(size_t rank) {
  TG_CHECK(rank <= kMaxDims, "tensors have at most ", kMaxDims, " dimensions, got ", rank);
}

[[noreturn]] void fail_size_overflow(IntSpan shape) {
  fail(ErrorKind::runtime, "Storage size calculation overflowed with sizes=", to_string(shape));
}

}  // namespace

void check_shape(IntSpan shape, DType dtype) {
  check_rank(shape.size());
  for (int64_t size : shape)
    TG_CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ", to_string(shape));
  int64_t bytes = item_size(dtype);
  for (int64_t size : shape)
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) fail_size_overflow(shape);
}

int64_t storage_bytes_needed(IntSpan shape, IntSpan strides, int64_t offset, DType dtype) {
  if (count_elements(shape) == 0) return 0;
  int64_t last = offset, bytes, reach;
  bool overflow = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    overflow |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  overflow |= __builtin_add_overflow(last, 1, &last);
  overflow |= __builtin_mul_overflow(last, item_size(dtype), &bytes);
  TG_CHECK(!overflow, "Storage size calculation overflowed with sizes=", to_string(shape),
           " and strides=", to_string(strides), " and storage offset ", offset);
  return bytes;
}

namespace {

/// A row-major tensor that has no memory yet.
inline Tensor without_memory(IntSpan shape, DType dtype) {
  auto* impl = new TensorImpl;
  Tensor tensor{impl};
  impl->dtype = dtype;
  check_rank(shape.size());
  const int rank = static_cast<int>(shape.size());
  impl->shape.resize(rank);
  impl->strides.resize(rank);
  int64_t *sizes = impl->shape.data(), *strides = impl->strides.data();
  int64_t numel = 1, stride = 1;
  bool overflow = false;
  for (int i = rank; i-- > 0;) {
    const int64_t size = shape[static_cast<size_t>(i)];
    sizes[i] = size;
    strides[i] = stride;
    numel *= size;
    overflow |= __builtin_mul_overflow(stride, std::max<int64_t>(size, 1), &stride);
  }
  overflow |= __builtin_mul_overflow(stride, item_size(dtype), &stride);
  if (overflow) [[unlikely]]
    fail_size_overflow(shape);
  impl->numel = numel;
  return tensor;
}

}  // namespace

Tensor empty(IntSpan shape, DType dtype) {
  Tensor tensor = without_memory(shape, dtype);
  tensor->is_inference = inference_mode;
  tensor->storage = Storage::create(static_cast<size_t>(tensor.numel()) * item_size(dtype));
  tensor->data = tensor->storage->data();
  return tensor;
}

Tensor make_tensor(const Ref<Storage>& memory, IntSpan shape, DType dtype) {
  Tensor tensor = without_memory(shape, dtype);
  tensor->storage = memory;
  tensor->data = memory->data();
  return tensor;
}

void set_geometry(const Tensor& tensor, IntSpan shape, IntSpan strides, char* data) {
  TensorImpl* impl = tensor.impl();
  check_rank(shape.size());
  const int64_t numel = count_elements(shape);
  Dims new_shape(shape), new_strides(strides);  // the arguments may be views of what is replaced
  impl->shape = std::move(new_shape);
  impl->strides = std::move(new_strides);
  impl->numel = numel;
  impl->is_contiguous = is_row_major(impl->shape, impl->strides);
  impl->data = data;
}

Tensor make_alias(const Tensor& tensor) {
  auto* impl = new TensorImpl;
  Tensor alias{impl};
  impl->dtype = tensor.dtype();
  impl->is_contiguous = tensor->is_contiguous;
  impl->is_inference = tensor->is_inference;
  impl->numel = tensor->numel;
  impl->data = tensor->data;
  impl->storage = tensor->storage;
  impl->detached_version = tensor->detached_version;
  impl->shape = tensor->shape;
  impl->strides = tensor->strides;
  return alias;
}

Tensor make_view(const Tensor& base, IntSpan shape, IntSpan strides, int64_t offset) {
  auto* impl = new TensorImpl;
  Tensor view{impl};
  impl->dtype = base.dtype();
  impl->storage = base->storage;
  impl->detached_version = base->detached_version;
  impl->is_inference = base->is_inference;
  set_geometry(view, shape, strides, base->storage->data() + offset * base.item_size());
  return view;
}

}  // namespace tapegrad
