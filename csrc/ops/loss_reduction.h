// "none", "mean", "sum" as a type.
#pragma once
#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

enum class LossReduction : uint8_t { none, mean, sum };

inline LossReduction parse_loss_reduction(std::string_view text) {
  if (text == "mean") return LossReduction::mean;
  if (text == "sum") return LossReduction::sum;
  TG_CHECK_VALUE(text == "none", text,
                 " is not a valid value for reduction; choose 'none', 'mean' or 'sum'.");
  return LossReduction::none;
}

}  // namespace tapegrad
