// A Python number on its way into a kernel.
#pragma once
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/dtype.h"

namespace tapegrad {

class Scalar {
 public:
  Scalar() : Scalar(int64_t{0}) {}
  Scalar(bool value) : category_(Category::boolean), integer_(value) {}
  Scalar(int value) : Scalar(int64_t{value}) {}
  Scalar(int64_t value) : category_(Category::integral), integer_(value) {}
  Scalar(double value) : category_(Category::floating), real_(value) {}

  Category category() const { return category_; }
  bool is_floating() const { return category_ == Category::floating; }
  bool is_boolean() const { return category_ == Category::boolean; }

  template <class T>
  T to() const {
    if constexpr (sizeof(T) == sizeof(bool) && dtype_of<T>() == DType::bool_)
      return is_floating() ? real_ != 0 : integer_ != 0;
    else
      return is_floating() ? static_cast<T>(real_) : static_cast<T>(integer_);
  }
  /// Whether an element of type T can hold the value. Unsigned types also hold the negatives of their values,
  /// modulo 2^n; bool holds everything.
  template <class T>
  bool fits() const {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_same_v<T, bool>) return true;
    if (is_floating()) {
      if (Limits::has_infinity && !std::isfinite(real_)) return true;
      return real_ >= static_cast<double>(Limits::lowest()) && real_ <= static_cast<double>(Limits::max());
    }
    if constexpr (std::is_integral_v<T>) {
      constexpr int64_t largest = Limits::max(), smallest = Limits::is_signed ? Limits::lowest() : -largest;
      return integer_ >= smallest && integer_ <= largest;
    }
    return true;
  }
  double to_double() const { return to<double>(); }
  int64_t to_int() const { return to<int64_t>(); }

  /// Writes the value as one element of `dtype`.
  void store(DType dtype, void* destination) const {
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      *static_cast<T*>(destination) = to<T>();
    });
  }

  /// The type that a 0-dim tensor made from this number has: bool, int64 or the default floating type.
  DType dtype() const { return is_floating() ? default_dtype() : is_boolean() ? DType::bool_ : DType::int64; }

 private:
  Category category_;
  union {
    int64_t integer_;
    double real_;
  };
};

}  // namespace tapegrad
