// The memory that tensors view.
#pragma once
#include <new>

#include "core/memory.h"
#include "core/ref.h"

namespace tapegrad {

/// Counts in-place writes; shared by all views of a storage, so that autograd notices a value that changed.
struct VersionCounter {
  uint32_t references = 0;
  uint32_t value = 0;
  void retain() { ++references; }
  void release() {
    if (--references == 0) delete this;
  }
};

/// A reference-counted block of bytes. Own memory follows the header in the same allocation; foreign memory
/// (a NumPy array) comes with a deleter.
class Storage {
 public:
  using Deleter = void (*)(void* context);

  /// Uninitialized memory of `bytes` bytes.
  static Ref<Storage> create(size_t bytes) {
    void* block = allocate(sizeof(Storage) + bytes);
    auto* storage = new (block) Storage(bytes);
    storage->data_ = static_cast<char*>(block) + sizeof(Storage);
    return Ref<Storage>(storage);
  }
  /// Wraps memory owned by somebody else; deleter(context) runs when the last tensor goes.
  static Ref<Storage> wrap(void* data, size_t bytes, Deleter deleter, void* context) {
    auto* storage = new (allocate(sizeof(Storage))) Storage(bytes);
    storage->data_ = static_cast<char*>(data);
    storage->deleter_ = deleter;
    storage->context_ = context;
    return Ref<Storage>(storage);
  }

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool unique() const { return references_ == 1; }
  bool owns_memory() const { return deleter_ == nullptr; }

  void retain() { ++references_; }
  void release() {
    if (--references_ == 0) destroy();
  }

  uint32_t version = 0;

 private:
  explicit Storage(size_t bytes) : bytes_(bytes) {}
  void destroy() {
    if (deleter_) {
      deleter_(context_);
      deallocate(this, sizeof(Storage));
    } else {
      deallocate(this, sizeof(Storage) + bytes_);
    }
  }

  uint32_t references_ = 0;
  char* data_ = nullptr;
  size_t bytes_;
  Deleter deleter_ = nullptr;
  void* context_ = nullptr;
  char padding_[kAlignment - 40];  // keeps the data that follows aligned
};
static_assert(sizeof(Storage) == kAlignment);

}  // namespace tapegrad
