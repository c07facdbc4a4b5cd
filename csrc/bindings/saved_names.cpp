// PyTorch's names for what operations save, in the order in which ours save it. Most elementwise operations
// name theirs themselves: self, other, result.
#include <algorithm>
#include <array>
#include <string_view>

#include "bindings/saved_attributes.h"

namespace tapegrad::python {

namespace {

struct Names {
  std::string_view node;
  std::array<const char*, 5> saved;
};

// Sorted by node.
constexpr Names kNames[] = {
    {"AddmmBackward0", {"mat1", "mat2"}},
    {"AmaxBackward0", {"self", "result"}},
    {"AminBackward0", {"self", "result"}},
    {"BmmBackward0", {"self", "mat2"}},
    {"ConvolutionBackward0", {"input", "weight"}},
    {"CumprodBackward0", {"self"}},
    {"DotBackward0", {"self", "tensor"}},
    {"EmbeddingBackward0", {"indices"}},
    {"GatherBackward0", {"index"}},
    {"KthvalueBackward0", {"indices"}},
    {"LinalgVectorNormBackward0", {"self", "result"}},
    {"LogSoftmaxBackward0", {"result"}},
    {"LogcumsumexpBackward0", {"self", "result"}},
    {"LogsumexpBackward0", {"self", "result"}},
    {"MaskedFillBackward0", {"mask"}},
    {"MaxBackward0", {"indices"}},
    {"MaxPool2DWithIndicesBackward0", {"result1"}},
    {"MinBackward0", {"indices"}},
    {"MmBackward0", {"self", "mat2"}},
    {"MvBackward0", {"self", "vec"}},
    {"NativeBatchNormBackward0", {"input", "weight", "result1", "result2"}},
    {"NativeLayerNormBackward0", {"input", "weight", "result1", "result2"}},
    {"PowBackward0", {"self", "exponent"}},
    {"PowBackward1", {"self", "exponent", "result"}},
    {"ProdBackward0", {"self", "result"}},
    {"ScatterBackward0", {"index"}},
    {"SoftmaxBackward0", {"result"}},
    {"SortBackward0", {"indices"}},
    {"StdBackward0", {"self"}},
    {"TopkBackward0", {"indices"}},
    {"VarBackward0", {"self"}},
};

}  // namespace

const char* const* saved_names(const std::string& node_name) {
  const auto* found =
      std::lower_bound(std::begin(kNames), std::end(kNames), std::string_view(node_name),
                       [](const Names& names, std::string_view key) { return names.node < key; });
  return found != std::end(kNames) && found->node == node_name ? found->saved.data() : nullptr;
}

}  // namespace tapegrad::python
