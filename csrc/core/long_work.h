// Letting other Python threads run during long work, without knowing Python.
#pragma once
#include <cstdint>

namespace tapegrad {

/// Called around work that takes long enough to let other Python threads run; set by the bindings.
struct LongWork {
  static inline void* (*begin)() = nullptr;
  static inline void (*end)(void* token) = nullptr;
  /// Fewer elements than this are not worth it.
  static constexpr int64_t kElements = 131072;
};

/// Lets other Python threads run in its scope if `elements` is large. Nothing that Note [Interpreter lock]
/// guards may be touched while it lives.
class LongWorkScope {
 public:
  explicit LongWorkScope(int64_t elements)
      : token_(elements > LongWork::kElements && LongWork::begin ? LongWork::begin() : nullptr) {}
  LongWorkScope(const LongWorkScope&) = delete;
  LongWorkScope& operator=(const LongWorkScope&) = delete;
  ~LongWorkScope() {
    if (token_) LongWork::end(token_);
  }

 private:
  void* token_;
};

/// Lets other Python threads run once; returns false when there can be none.
inline bool yield_to_other_threads() {
  if (!LongWork::begin) return false;
  LongWork::end(LongWork::begin());
  return true;
}

}  // namespace tapegrad
