#include "ops/conv_plan.h"

#include <algorithm>

namespace tapegrad::grid {

namespace {

// A block's source stays in the second cache, and is worth a thread's attention.
constexpr int64_t kBlockBytes = 512 << 10;
constexpr int64_t kBlockWork = int64_t(1) << 22;
// Shorter ranges of positions are merged over images.
constexpr int64_t kShortRange = 128;

int64_t phase_of(std::vector<int64_t>& first, int64_t coordinate) {
  const auto found = std::find(first.begin(), first.end(), coordinate);
  if (found != first.end()) return found - first.begin();
  first.push_back(coordinate);
  return static_cast<int64_t>(first.size()) - 1;
}

}  // namespace

Axis forward_axis(const Window& window, int dim, int64_t block) {
  const int64_t stride = window.stride[dim], dilation = window.dilation[dim], padding = window.padding[dim];
  Axis axis{.source_size = window.in[dim], .result_size = window.out[dim], .block = block, .stride = stride,
            .block_shift = block * stride, .first = {}, .phases = {{0, 1, {}}}};
  for (int64_t k = 0; k < window.kernel[dim]; ++k) {
    const int64_t shift = k * dilation / stride, residue = k * dilation % stride;
    axis.phases[0].taps.push_back({k, phase_of(axis.first, residue - padding), shift});
    axis.size = std::max(axis.size, block + shift);
  }
  return axis;
}

Axis input_axis(const Window& window, int dim, int64_t block) {
  const int64_t stride = window.stride[dim], dilation = window.dilation[dim], padding = window.padding[dim];
  Axis axis{.source_size = window.out[dim], .result_size = window.in[dim], .block = block, .stride = 1,
            .block_shift = block / stride, .first = {0}, .phases = {}};
  // Result i of a phase is at start + i * stride, and start + padding = origin * stride + residue; tap k reads
  // source coordinate origin + i - (k * dilation - residue) / stride.
  for (int64_t start = 0; start < std::min(stride, block); ++start) {
    const int64_t origin = (start + padding) / stride, residue = (start + padding) % stride;
    Phase phase{start, stride, {}};
    for (int64_t k = 0; k < window.kernel[dim]; ++k)
      if (k * dilation % stride == residue)
        phase.taps.push_back({k, 0, origin - (k * dilation - residue) / stride});
    axis.phases.push_back(std::move(phase));
  }
  for (const Phase& phase : axis.phases)
    for (const Tap& tap : phase.taps) axis.first[0] = std::min(axis.first[0], tap.shift);
  for (Phase& phase : axis.phases)
    for (Tap& tap : phase.taps) {
      tap.shift -= axis.first[0];
      axis.size = std::max(axis.size, tap.shift + phase.count(block));
    }
  axis.size = std::max<int64_t>(axis.size, 1);
  return axis;
}

int64_t Plan::source_phases() const {
  int64_t count = 1;
  for (const Axis& axis : axes) count *= static_cast<int64_t>(axis.first.size());
  return count;
}

Plan make_plan(const ConvSizes& sizes, Axis (*make)(const Window&, int, int64_t), int64_t channels, int64_t item_size,
               int64_t multiplications) {
  Plan plan;
  const bool forward = make == forward_axis;
  const auto& result = forward ? sizes.window.out : sizes.window.in;
  for (int d = 0; d < 3; ++d) plan.axes[d] = make(sizes.window, d, result[d]);
  plan.blocked = result[0] > 1 ? 0 : result[1] > 1 ? 1 : 2;
  const int64_t bytes = std::max<int64_t>(channels * plan.source_phases() * plan.volume() * item_size, 1);
  const int64_t parts = std::max(bytes / kBlockBytes, multiplications / (2 * kBlockWork));
  Axis& axis = plan.axes[plan.blocked];
  if (parts > 1 && axis.result_size > 1) {
    const int64_t step = forward ? 1 : sizes.window.stride[plan.blocked];
    int64_t block = (axis.result_size + parts - 1) / parts;
    // Neighbouring blocks read each other's border: blocks much smaller than that do not pay.
    const int64_t border = axis.size - axis.result_size;
    block = std::max(block, std::min<int64_t>(2 * border, axis.result_size));
    block = std::min((block + step - 1) / step * step, axis.result_size);
    axis = make(sizes.window, plan.blocked, block);
  } else {
    plan.images = std::min(kBlockBytes / bytes, kBlockWork / std::max<int64_t>(multiplications, 1));
    plan.images = std::clamp<int64_t>(plan.images, 1, std::max<int64_t>(sizes.batch, 1));
  }
  plan.merged = plan.images > 1 && plan.axes[1].block * plan.axes[2].size < kShortRange;
  return plan;
}

}  // namespace tapegrad::grid
