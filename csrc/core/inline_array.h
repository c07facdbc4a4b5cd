// An array whose size is known when it is made, off the heap up to N elements.
#pragma once
#include <memory>
#include <span>

namespace tapegrad {

template <class T, size_t N>
class InlineArray {
 public:
  explicit InlineArray(size_t size) : size_(size) {
    if (size > N) heap_ = std::make_unique<T[]>(size);
  }
  std::span<T> span() { return {heap_ ? heap_.get() : inline_, size_}; }
  T& operator[](size_t i) { return span()[i]; }

 private:
  T inline_[N];
  std::unique_ptr<T[]> heap_;
  size_t size_;
};

}  // namespace tapegrad
