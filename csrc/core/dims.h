// A short list of integers (a shape, strides, a list of dimensions) that stays off the heap up to N entries.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tapegrad {

using IntSpan = std::span<const int64_t>;

template <int N>
class SmallDims {
 public:
  SmallDims() = default;
  explicit SmallDims(int count) { reserve_exactly(count); }
  SmallDims(int count, int64_t value) : SmallDims(count) {
    for (int64_t& entry : *this) entry = value;
  }
  SmallDims(std::initializer_list<int64_t> values) {
    assign(values.begin(), static_cast<int>(values.size()));
  }
  SmallDims(IntSpan values) { assign(values.data(), static_cast<int>(values.size())); }
  SmallDims(const SmallDims& other) { copy(other); }
  template <int M>
  SmallDims(const SmallDims<M>& other) {
    copy(other);
  }
  SmallDims(SmallDims&& other) noexcept { steal(other); }
  ~SmallDims() { release(); }
  SmallDims& operator=(const SmallDims& other) {
    if (this != &other) {
      release();
      copy(other);
    }
    return *this;
  }
  template <int M>
  SmallDims& operator=(const SmallDims<M>& other) {
    release();
    copy(other);
    return *this;
  }
  SmallDims& operator=(SmallDims&& other) noexcept {
    if (this != &other) {
      release();
      steal(other);
    }
    return *this;
  }

  /// Makes room for `count` entries, whose values are left open.
  void resize(int count) {
    release();
    reserve_exactly(count);
  }

  int size() const { return count_; }
  bool empty() const { return count_ == 0; }
  int64_t* data() { return count_ <= N ? inline_ : heap_; }
  const int64_t* data() const { return count_ <= N ? inline_ : heap_; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + count_; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + count_; }
  int64_t& operator[](int i) { return data()[i]; }
  int64_t operator[](int i) const { return data()[i]; }
  int64_t back() const { return data()[count_ - 1]; }
  operator IntSpan() const { return {data(), static_cast<size_t>(count_)}; }

  void push_back(int64_t value) { insert(count_, value); }
  void insert(int position, int64_t value) {
    SmallDims longer(count_ + 1);
    std::copy_n(data(), position, longer.data());
    longer[position] = value;
    std::copy_n(data() + position, count_ - position, longer.data() + position + 1);
    *this = std::move(longer);
  }
  void erase(int position) {
    SmallDims shorter(count_ - 1);
    std::copy_n(data(), position, shorter.data());
    std::copy_n(data() + position + 1, count_ - position - 1, shorter.data() + position);
    *this = std::move(shorter);
  }

  template <int M>
  bool operator==(const SmallDims<M>& other) const {
    if (count_ != other.count_) return false;
    const int64_t *a = data(), *b = other.data();  // shapes are short: no call of memcmp
    for (int i = 0; i < count_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  template <int M>
  friend class SmallDims;

  void reserve_exactly(int count) {
    count_ = static_cast<uint8_t>(count);
    if (count_ > N) heap_ = new int64_t[count_];
  }
  void assign(const int64_t* values, int count) {
    reserve_exactly(count);
    int64_t* target = data();
    for (int i = 0; i < count; ++i) target[i] = values[i];
  }
  // All inline entries are copied, in use or not: cheaper than a loop over those in use.
  template <int M>
  void copy(const SmallDims<M>& other) {
    constexpr int kShared = N < M ? N : M;
    if (other.count_ > kShared) [[unlikely]]
      return assign(other.data(), other.count_);
    count_ = other.count_;
    __builtin_memcpy(inline_, other.inline_, kShared * sizeof(int64_t));
  }
  void steal(SmallDims& other) {
    count_ = other.count_;
    __builtin_memcpy(inline_, other.inline_,
                     sizeof(inline_));  // or the pointer to the heap, which is in its place
    if (count_ > N) other.count_ = 0;
  }
  void release() {
    if (count_ > N) delete[] heap_;
    count_ = 0;
  }

  union {
    int64_t inline_[N];
    int64_t* heap_ = nullptr;
  };
  uint8_t count_ = 0;
};

// Five entries reach to batches of volumes, and a tensor takes three lines of the cache.
using Dims = SmallDims<5>;

/// More dimensions than this are refused wherever a shape enters.
constexpr int kMaxDims = 64;

/// Product of the sizes, 1 for an empty list; an error when it does not fit.
int64_t count_elements(IntSpan shape);
/// Row-major strides, in elements.
Dims contiguous_strides(IntSpan shape);
/// The shape that both broadcast to; PyTorch's error when they do not fit.
Dims broadcast_shapes(IntSpan a, IntSpan b);
/// "[2, 3]".
std::string to_string(IntSpan values);
/// `value` as a size of a window or its step; an error above 2^31 - 1, so that sums and products of them fit.
int64_t window_size(int64_t value);
/// A dimension index in [0, rank) from one in [-rank, rank); IndexError with PyTorch's words otherwise.
int wrap_dim(int64_t dim, int rank);
/// wrap_dim for each entry; an error when one appears twice.
Dims wrap_dims(IntSpan dims, int rank);

}  // namespace tapegrad
