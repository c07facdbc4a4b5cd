// Tensor: a strided view of a storage, with an optional place in the autograd graph.
#pragma once
#include <memory>

#include "core/dims.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/ref.h"
#include "core/storage.h"

namespace tapegrad {

/// How a view came to be, which decides what may be written to it in place.
enum class ViewKind : uint8_t {
  ordinary,
  multi_output,  // unbind, split: one of several views made by one operation
  no_grad,       // made while recording was off
  inference,
  custom_function,
};

/// Whether this thread makes inference tensors: they never enter a graph and are read-only outside of the
/// mode.
extern constinit thread_local bool inference_mode;

struct TensorImpl : Pooled {
  TensorImpl() { ++mutable_memory_stats().live_tensors; }
  TensorImpl(const TensorImpl&) = delete;
  TensorImpl& operator=(const TensorImpl&) = delete;
  ~TensorImpl() { --mutable_memory_stats().live_tensors; }

  void retain() { ++references; }
  void release() {
    if (--references == 0) destroy();
  }

  uint32_t references = 0;
  DType dtype = DType::float32;
  bool requires_grad = false;       // asked for by the user; only meaningful for leaves
  bool is_contiguous = true;        // row-major without gaps
  bool is_inference = false;        // made under inference_mode
  bool owns_python_object = false;  // see Note [Python identity]
  ViewKind view_kind = ViewKind::ordinary;
  uint32_t output_nr = 0;  // which output of grad_fn this is
  int64_t numel = 0;
  char* data = nullptr;  // the first element
  Ref<Storage> storage;
  Ref<VersionCounter> detached_version;  // set for `.data`: writes through it are not seen by the original
  Ref<RefCounted> grad_fn;               // an autograd::Node
  Ref<RefCounted> autograd;              // an autograd::AutogradMeta: .grad, hooks, view relation
  Ref<TensorImpl> base;       // of a differentiable view: the tensor at the root of the chain of views
  uint32_t view_version = 0;  // version at which a view's grad_fn is right
  void* python_object = nullptr;
  Dims shape;
  Dims strides;  // in elements

  /// Drops the Python object that a dying tensor owns; set by the bindings.
  static void (*release_python_object)(void* object);

 private:
  void destroy() {
    if (owns_python_object) return release_python_object(python_object);
    delete this;
  }
};

/// Handle with value semantics of a reference, like a Python variable.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  explicit Tensor(TensorImpl* impl) : impl_(impl) {}

  bool defined() const { return static_cast<bool>(impl_); }
  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl* operator->() const { return impl_.get(); }
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
  Ref<TensorImpl>& ref() { return impl_; }
  void reset() { impl_ = nullptr; }

  DType dtype() const { return impl_->dtype; }
  const Dims& shape() const { return impl_->shape; }
  const Dims& strides() const { return impl_->strides; }
  int dim() const { return impl_->shape.size(); }
  int64_t size(int64_t dim) const { return impl_->shape[wrap_dim(dim, this->dim())]; }
  int64_t stride(int64_t dim) const { return impl_->strides[wrap_dim(dim, this->dim())]; }
  int64_t numel() const { return impl_->numel; }
  int item_size() const { return tapegrad::item_size(impl_->dtype); }
  int64_t bytes() const { return numel() * item_size(); }
  bool is_contiguous() const { return impl_->is_contiguous; }
  bool is_floating() const { return tapegrad::is_floating(impl_->dtype); }
  int64_t storage_offset() const { return (impl_->data - impl_->storage->data()) / item_size(); }

  char* raw() const { return impl_->data; }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(impl_->data);
  }

  uint32_t version() const {
    return impl_->detached_version ? impl_->detached_version->value : impl_->storage->version;
  }
  /// Whether this handle is the only way to the tensor and to its memory, which has no gaps: who owns it may
  /// write its next value there.
  bool is_unshared() const {
    return impl_->references == 1 && impl_->storage->unique() && !impl_->python_object && !impl_->base &&
           impl_->is_contiguous;
  }
  void bump_version() const {
    ++(impl_->detached_version ? impl_->detached_version->value : impl_->storage->version);
  }

 private:
  Ref<TensorImpl> impl_;
};

/// Uninitialized row-major tensor without autograd history.
Tensor empty(IntSpan shape, DType dtype);
/// Row-major tensor at the beginning of `memory`.
Tensor make_tensor(const Ref<Storage>& memory, IntSpan shape, DType dtype);
/// Tensor over existing storage; strides in elements, offset in elements. Shares the version counter of
/// `like` if given.
Tensor make_view(const Tensor& base, IntSpan shape, IntSpan strides, int64_t offset);
/// Another tensor with the same storage, geometry and version counter.
Tensor make_alias(const Tensor& tensor);
/// Gives `tensor` another geometry on the same storage (set_, resize, unsqueeze_ ...).
void set_geometry(const Tensor& tensor, IntSpan shape, IntSpan strides, char* data);
/// True when shape and strides describe row-major memory without gaps.
bool is_row_major(IntSpan shape, IntSpan strides);
/// Bytes from the start of a storage to the end of the last element of a geometry with such an offset, 0 when
/// it has no elements; an error when the number does not fit. Strides are not negative.
int64_t storage_bytes_needed(IntSpan shape, IntSpan strides, int64_t offset, DType dtype);
/// Checks sizes: none negative, at most 64 dimensions, the byte count fits.
void check_shape(IntSpan shape, DType dtype);

}  // namespace tapegrad
