// The element types, in promotion order. Everything that is indexed by type uses this order.
#pragma once
#include <stdint.h>

// clang-format off
/// Calls M(C++ type, name) for every element type.
#define TG_FORALL_DTYPES(M) \
  M(bool, bool_)            \
  M(uint8_t, uint8)         \
  M(int8_t, int8) M(int16_t, int16) M(int32_t, int32) M(int64_t, int64) M(float, float32) M(double, float64)
// clang-format on

namespace tapegrad {
constexpr int kDTypeCount = 8;
}
