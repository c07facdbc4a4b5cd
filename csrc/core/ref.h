// Intrusive reference counting.
//
// Note [Interpreter lock]
// Reference counts, free lists and the graph are plain (non-atomic) data. They are touched only by a thread
// that holds the Python interpreter lock; kernels that run without it see nothing but raw pointers. This is
// what makes an operation cost tens of nanoseconds, and why free-threaded CPython is not declared as
// supported.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tapegrad {

/// Smart pointer to a T that has retain() and release().
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* pointer) : pointer_(pointer) {
    if (pointer_) pointer_->retain();
  }
  Ref(const Ref& other) : Ref(other.pointer_) {}
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  template <class U>
  Ref(const Ref<U>& other) : Ref(static_cast<T*>(other.get())) {}
  ~Ref() {
    if (pointer_) pointer_->release();
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }

  /// Takes over a count that the caller already owns.
  static Ref adopt(T* pointer) {
    Ref ref;
    ref.pointer_ = pointer;
    return ref;
  }
  /// Gives the count up to the caller.
  T* detach() { return std::exchange(pointer_, nullptr); }

  T* get() const { return pointer_; }
  T* operator->() const { return pointer_; }
  T& operator*() const { return *pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }
  bool operator==(const Ref& other) const { return pointer_ == other.pointer_; }

 private:
  T* pointer_ = nullptr;
};

/// Base of polymorphic reference-counted objects (graph nodes, the optional autograd part of a tensor).
struct RefCounted {
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  virtual ~RefCounted() = default;

  void retain() { ++references; }
  void release() {
    if (--references == 0) on_zero();
  }

  uint32_t references = 0;

 protected:
  /// What happens when the last reference goes; a node overrides it so that long chains die iteratively.
  virtual void on_zero() { delete this; }
};

}  // namespace tapegrad
