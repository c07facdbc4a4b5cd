// The windows of a block of images become the rows of a matrix: one product per block and group.
#include "ops/conv_patches.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/conv_workspace.h"
#include "ops/gemm.h"

namespace tapegrad::patches {

namespace {

// Bytes of patches that are made at a time.
constexpr int64_t kBlockBytes = 4 << 20;

/// Images of one group, `block` at a time, with room for their patches (windows, taps) and outputs (windows,
/// out_channels).
template <class T>
class Blocks {
 public:
  explicit Blocks(const ConvSizes& sizes)
      : sizes_(sizes),
        job_{sizes.window, sizes.in_channels, 1, sizes.taps()},
        image_(sizes.in_channels * sizes.in_volume()),
        result_(sizes.out_channels * sizes.out_volume()),
        windows_(sizes.out_volume()) {
    const int64_t image_bytes = std::max<int64_t>(windows_ * sizes.taps() * int64_t(sizeof(T)), 1);
    block_ = std::clamp<int64_t>(kBlockBytes / image_bytes, 1, std::max<int64_t>(sizes.batch, 1));
    patches_ = empty(Dims{block_ * windows_ * sizes.taps()}, dtype_of<T>());
    rows_ = empty(Dims{block_ * windows_ * sizes.out_channels}, dtype_of<T>());
  }

  /// Calls body(group, first image, images).
  template <class Body>
  void for_each(Body body) {
    for (int64_t group = 0; group < sizes_.groups; ++group)
      for (int64_t first = 0; first < sizes_.batch; first += block_)
        body(group, first, std::min(block_, sizes_.batch - first));
  }

  int64_t windows(int64_t images) const { return images * windows_; }
  T* patches() const { return patches_.template data<T>(); }
  T* rows() const { return rows_.template data<T>(); }

  void gather(int64_t group, int64_t first, int64_t images, const T* x) {
    for_images(images, [=, this](int64_t i) {
      table_for(T()).gather_patches(job_, image(x, group, first + i), patch(i));
    });
  }
  void add(int64_t group, int64_t first, int64_t images, T* x) {
    for_images(images, [=, this](int64_t i) {
      table_for(T()).add_patches(job_, patch(i), const_cast<T*>(image(x, group, first + i)));
    });
  }
  /// (out_channels, windows) of each image -> rows (images, windows, out_channels).
  void read_rows(int64_t group, int64_t first, int64_t images, const T* y) {
    for_images(images, [=, this](int64_t i) {
      const T* from = y + ((first + i) * sizes_.groups + group) * result_;
      transpose_block(rows() + i * result_, sizes_.out_channels, 1, from, windows_, windows_,
                      sizes_.out_channels);
    });
  }
  void write_rows(int64_t group, int64_t first, int64_t images, T* y) {
    for_images(images, [=, this](int64_t i) {
      T* to = y + ((first + i) * sizes_.groups + group) * result_;
      transpose_block(to, windows_, 1, rows() + i * result_, sizes_.out_channels, sizes_.out_channels,
                      windows_);
    });
  }

 private:
  const T* image(const T* x, int64_t group, int64_t i) const {
    return x + (i * sizes_.groups + group) * image_;
  }
  T* patch(int64_t i) const { return patches() + i * windows_ * sizes_.taps(); }

  template <class Body>
  void for_images(int64_t images, Body body) {
    const int64_t grain = std::max<int64_t>(32768 / std::max<int64_t>(windows_ * sizes_.taps(), 1), 1);
    parallel_for(0, images, grain, [&](int64_t lo, int64_t hi) {
      for (int64_t i = lo; i < hi; ++i) body(i);
    });
  }

  const ConvSizes& sizes_;
  PatchJob job_;
  int64_t image_, result_, windows_, block_;
  Tensor patches_, rows_;
};

}  // namespace

template <class T>
void conv(const ConvSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  Blocks<T> blocks(sizes);
  const int64_t k = sizes.taps(), channels = sizes.out_channels;
  blocks.for_each([&](int64_t group, int64_t first, int64_t images) {
    blocks.gather(group, first, images, x);
    // (windows,k)(k,O) -> (windows,O)
    ops::gemm(Gemm<T>{.m = blocks.windows(images),
                      .n = channels,
                      .k = k,
                      .a = blocks.patches(),
                      .a_row = k,
                      .a_col = 1,
                      .b = w + group * channels * k,
                      .b_row = 1,
                      .b_col = k,
                      .c = blocks.rows(),
                      .c_row = channels,
                      .bias = bias ? bias + group * channels : nullptr});
    blocks.write_rows(group, first, images, y);
  });
}

template <class T>
void conv_input(const ConvSizes& sizes, const T* y, const T* w, const T* bias, T* x) {
  const int64_t image = sizes.in_volume(), planes = sizes.groups * sizes.in_channels;
  for (int64_t i = 0; i < sizes.batch * planes; ++i)
    std::fill_n(x + i * image, image, bias ? bias[i % planes] : T(0));
  Blocks<T> blocks(sizes);
  const int64_t k = sizes.taps(), channels = sizes.out_channels;
  blocks.for_each([&](int64_t group, int64_t first, int64_t images) {
    blocks.read_rows(group, first, images, y);
    // (windows,O)(O,k) -> (windows,k)
    ops::gemm(Gemm<T>{.m = blocks.windows(images),
                      .n = k,
                      .k = channels,
                      .a = blocks.rows(),
                      .a_row = channels,
                      .a_col = 1,
                      .b = w + group * channels * k,
                      .b_row = k,
                      .b_col = 1,
                      .c = blocks.patches(),
                      .c_row = k});
    blocks.add(group, first, images, x);
  });
}

template <class T>
void conv_weight(const ConvSizes& sizes, const T* x, const T* y, T* w) {
  Blocks<T> blocks(sizes);
  const int64_t k = sizes.taps(), channels = sizes.out_channels;
  std::fill_n(w, sizes.groups * channels * k, T(0));
  blocks.for_each([&](int64_t group, int64_t first, int64_t images) {
    blocks.gather(group, first, images, x);
    blocks.read_rows(group, first, images, y);
    // (O,windows)(windows,k) -> (O,k)
    ops::gemm(Gemm<T>{.m = channels,
                      .n = k,
                      .k = blocks.windows(images),
                      .a = blocks.rows(),
                      .a_row = 1,
                      .a_col = channels,
                      .b = blocks.patches(),
                      .b_row = k,
                      .b_col = 1,
                      .c = w + group * channels * k,
                      .c_row = k,
                      .beta = 1});
  });
}

#define TG_INSTANTIATE(T)                                                       \
  template void conv(const ConvSizes&, const T*, const T*, const T*, T*);       \
  template void conv_input(const ConvSizes&, const T*, const T*, const T*, T*); \
  template void conv_weight(const ConvSizes&, const T*, const T*, T*);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
#undef TG_INSTANTIATE

}  // namespace tapegrad::patches
