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
  Axis axis{.source_size = window.in[dim],
            .result_size = window.out[dim],
            .block = block,
            .stride = stride,
            .block_shift = block * stride,
            .first = {},
            .phases = {{0, 1, {}}}};
  for (int64_t k = 0; k < window.kernel[dim]; ++k) {
    const int64_t shift = k * dilation / stride, residue = k * dilation % stride;
    axis.phases[0].taps.push_back({k, phase_of(axis.first, residue - padding), shift});
    axis.size = std::max(axis.size, block + shift);
  }
  return axis;
}

Axis input_axis(const Window& window, int dim, int64_t block) {
  const int64_t stride = window.stride[dim], dilation = window.dilation[dim], padding = window.padding[dim];
  Axis axis{.source_size = window.out[dim],
            .result_size = window.in[dim],
            .block = block,
            .stride = 1,
            .block_shift = block / stride,
            .first = {0},
            .phases = {}};
  // Result i of a phase is at start + i * stride, and start + padding = origin * stride + residue; tap k
  // reads source coordinate origin + i - (k * dilation - residue) / stride.
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

Plan make_plan(const ConvSizes& sizes, Axis (*make)(const Window&, int, int64_t), int64_t channels,
               int64_t item_size, int64_t multiplications) {
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
    // Images with few positions are computed together even if each has much work: weights are then read less
    // often.
    const bool short_range = plan.axes[1].block * plan.axes[2].size < kShortRange;
    const int64_t by_work = kBlockWork / std::max<int64_t>(multiplications, 1);
    plan.images = std::min(kBlockBytes / bytes, std::max<int64_t>(by_work, short_range ? 4 : 1));
    plan.images = std::clamp<int64_t>(plan.images, 1, std::max<int64_t>(sizes.batch, 1));
  }
  plan.merged = plan.images > 1 && plan.axes[1].block * plan.axes[2].size < kShortRange;
  return plan;
}

BlockOrigin::BlockOrigin(const Plan& plan, int64_t block) {
  for (int d = 0; d < 3; ++d) first[d] = plan.axes[d].first;
  for (int64_t& coordinate : first[plan.blocked]) coordinate += block * plan.axes[plan.blocked].block_shift;
}

GridJob grid_job(const Plan& plan, const BlockOrigin& origin, int64_t channels, int64_t grid_step) {
  GridJob job{};
  job.channels = channels;
  job.grid_step = grid_step;
  job.in_channel = 1;
  for (int d = 0; d < 3; ++d) {
    const Axis& axis = plan.axes[d];
    job.in[d] = axis.source_size;
    job.in_channel *= axis.source_size;
    job.stride[d] = axis.stride;
    job.phases[d] = static_cast<int64_t>(axis.first.size());
    job.first[d] = origin.first[d].data();
    job.size[d] = axis.size;
  }
  return job;
}

Part::Part(const Plan& plan, const ConvSizes& sizes, const Phase* const (&chosen)[3], int64_t channels,
           int64_t weight_channel_step, TapOrder order)
    : phases{chosen[0], chosen[1], chosen[2]} {
  const int64_t step = plan.images * plan.volume(), rows = plan.axes[1].size, row = plan.axes[2].size;
  const int64_t heights = plan.axes[1].first.size(), widths = plan.axes[2].first.size();
  const auto& kernel = sizes.window.kernel;
  const auto add_line = [&](int64_t channel, const Tap& d, const Tap& h) {
    for (const Tap& w : phases[2]->taps) {
      const int64_t grid = channel * plan.source_phases() + (d.phase * heights + h.phase) * widths + w.phase;
      offsets.push_back(grid * step + (d.shift * rows + h.shift) * row + w.shift);
      weight_offsets.push_back(channel * weight_channel_step + (d.k * kernel[1] + h.k) * kernel[2] + w.k);
    }
  };
  if (order == TapOrder::lines_first) {
    for (const Tap& h : phases[1]->taps)
      for (int64_t channel = 0; channel < channels; ++channel)
        for (const Tap& d : phases[0]->taps) add_line(channel, d, h);
  } else {
    for (int64_t channel = 0; channel < channels; ++channel)
      for (const Tap& d : phases[0]->taps)
        for (const Tap& h : phases[1]->taps) add_line(channel, d, h);
  }
}

std::vector<Part> all_parts(const Plan& plan, const ConvSizes& sizes, int64_t channels,
                            int64_t weight_channel_step, int64_t rows, TapOrder order) {
  std::vector<Part> parts;
  int64_t packed = 0;
  for (const Phase& d : plan.axes[0].phases)
    for (const Phase& h : plan.axes[1].phases)
      for (const Phase& w : plan.axes[2].phases) {
        parts.emplace_back(plan, sizes, (const Phase* const[3]){&d, &h, &w}, channels, weight_channel_step,
                           order);
        parts.back().packed = packed;
        packed += rows * static_cast<int64_t>(parts.back().offsets.size());
      }
  return parts;
}

}  // namespace tapegrad::grid
