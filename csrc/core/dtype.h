// Element types, their properties and PyTorch's promotion rules.
#pragma once
#include <cstdint>

#include "kernels/element_types.h"

namespace tapegrad {

enum class DType : uint8_t { bool_, uint8, int8, int16, int32, int64, float32, float64 };
enum class Category : uint8_t { boolean, integral, floating };

// Not inside the function, which would write it to the stack in every call.
inline constexpr uint8_t kItemSizes[] = {1, 1, 1, 2, 4, 8, 4, 8};
constexpr int item_size(DType dtype) { return kItemSizes[static_cast<int>(dtype)]; }
constexpr Category category(DType dtype) {
  return dtype == DType::bool_   ? Category::boolean
         : dtype <= DType::int64 ? Category::integral
                                 : Category::floating;
}
constexpr bool is_floating(DType dtype) { return dtype >= DType::float32; }
constexpr bool is_integral(DType dtype) { return category(dtype) == Category::integral; }
constexpr bool is_signed(DType dtype) { return dtype != DType::bool_ && dtype != DType::uint8; }

/// PyTorch's long name: "torch.float32".
const char* dtype_name(DType dtype);
/// The name in error messages: "Float", "Long".
const char* scalar_type_name(DType dtype);
/// The name of the C++ type, which other error messages have: "float", "long int".
const char* cpp_type_name(DType dtype);

/// The smallest type that both can be promoted to.
DType promote(DType a, DType b);
/// Whether a result of type `from` may be written into `to` (a category may only be kept or widened).
constexpr bool can_cast(DType from, DType to) { return category(from) <= category(to); }

/// The type of floating-point results made from integers and Python floats; float32 unless changed.
DType default_dtype();
void set_default_dtype(DType dtype);

template <class T>
constexpr DType dtype_of();
#define TG_DTYPE_OF(T, NAME)      \
  template <>                     \
  constexpr DType dtype_of<T>() { \
    return DType::NAME;           \
  }
TG_FORALL_DTYPES(TG_DTYPE_OF)
#undef TG_DTYPE_OF

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
#define TG_CASE(T, NAME) \
  case DType::NAME:      \
    return f(TypeTag<T>{});
    TG_FORALL_DTYPES(TG_CASE)
#undef TG_CASE
  }
  __builtin_unreachable();
}

/// dispatch over the floating types only; the caller has checked is_floating(dtype).
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  if (dtype == DType::float32) return f(TypeTag<float>{});
  return f(TypeTag<double>{});
}

}  // namespace tapegrad
