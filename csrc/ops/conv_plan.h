// How a convolution is laid out on grids: phases, offsets of taps, blocks of the result.
#pragma once
#include <array>
#include <vector>

#include "ops/conv_compute.h"

namespace tapegrad::grid {

/// Kernel position k reads grid `phase` of the source, `shift` positions from the result's.
struct Tap {
  int64_t k, phase, shift;
};

/// Results at start, start + step, ... that have the same taps.
struct Phase {
  int64_t start, step;
  std::vector<Tap> taps;

  int64_t count(int64_t size) const { return size > start ? (size - start + step - 1) / step : 0; }
};

/// One dimension: the grids of the source and the phases of the result, for a block of `block` results.
struct Axis {
  int64_t source_size, result_size, block;
  int64_t stride;              // of the source, between positions of a grid
  int64_t block_shift;         // source coordinates from one block to the next
  std::vector<int64_t> first;  // by phase of the source: its coordinate at the first position
  std::vector<Phase> phases;   // of the result
  int64_t size = 0;            // of a grid

  int64_t blocks() const { return (result_size + block - 1) / block; }
  int64_t length(int64_t index) const { return index + 1 < blocks() ? block : result_size - index * block; }
};

/// From x to y, and from y to x (the adjoint). `block` is a multiple of the stride for the latter.
Axis forward_axis(const Window& window, int dim, int64_t block);
Axis input_axis(const Window& window, int dim, int64_t block);

/// The three axes, and how many images and which blocks of the result are computed at a time.
struct Plan {
  std::array<Axis, 3> axes;
  int64_t images = 1;   // per block
  bool merged = false;  // whether the positions of these images form one range
  int blocked = 0;      // the axis that is cut into blocks

  int64_t source_phases() const;
  int64_t volume() const { return axes[0].size * axes[1].size * axes[2].size; }
};

/// `make` is forward_axis or input_axis; `multiplications` counts those of an image, `channels` those of the
/// source in one group.
Plan make_plan(const ConvSizes& sizes, Axis (*make)(const Window&, int, int64_t), int64_t channels,
               int64_t item_size, int64_t multiplications);

/// Channels of the source, then positions in the kernel; or the kernel's lines outside of both.
enum class TapOrder { channels_first, lines_first };

/// The part of a result whose positions share their taps: one phase of each axis.
struct Part {
  const Phase* phases[3];
  std::vector<int64_t> offsets, weight_offsets;  // by tap
  int64_t packed = 0;                            // where its packed weights begin

  Part(const Plan& plan, const ConvSizes& sizes, const Phase* const (&chosen)[3], int64_t channels,
       int64_t weight_channel_step, TapOrder order);
};

/// All parts of a result with `rows` channels, made from `channels` of the source.
std::vector<Part> all_parts(const Plan& plan, const ConvSizes& sizes, int64_t channels,
                            int64_t weight_channel_step, int64_t rows, TapOrder order);

/// Source coordinates of a block, for fill_grid.
struct BlockOrigin {
  std::array<std::vector<int64_t>, 3> first;
  BlockOrigin(const Plan& plan, int64_t block);
};
/// Copies the source of one block; refers to `origin`.
GridJob grid_job(const Plan& plan, const BlockOrigin& origin, int64_t channels, int64_t grid_step);

}  // namespace tapegrad::grid
