// Conversion between element types, as C++ converts; to bool by comparing with zero.
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class From, class To>
void cast_block(char* const* operands, int64_t count, const void*) {
  const auto* from = reinterpret_cast<const From*>(operands[1]);
  auto* to = reinterpret_cast<To*>(operands[0]);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (__is_same(To, bool))
      to[i] = from[i] != From(0);
    else if constexpr ((__is_same(From, float) || __is_same(From, double)) && sizeof(To) < 4)
      to[i] =
          static_cast<To>(static_cast<int64_t>(from[i]));  // wraps, where a direct conversion is undefined
    else
      to[i] = static_cast<To>(from[i]);
  }
}

template <class From>
void register_from(BlockKernel* row) {
#define TG_CAST_TO(T, NAME) *row++ = cast_block<From, T>;
  TG_FORALL_DTYPES(TG_CAST_TO)
#undef TG_CAST_TO
}

}  // namespace

void register_casts(ElementwiseKernels& table) {
  int from = 0;
#define TG_CAST_FROM(T, NAME) register_from<T>(table.cast[from++]);
  TG_FORALL_DTYPES(TG_CAST_FROM)
#undef TG_CAST_FROM
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
