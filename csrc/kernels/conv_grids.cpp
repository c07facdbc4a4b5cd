// Copies of images as grids: see Note [Grids].
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class T>
void zero(T* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = 0;
}

/// out[i] = in[i * Stride].
template <class T, int Stride>
void copy_strided(const T* in, int64_t stride, T* out, int64_t n) {
  if (Stride) stride = Stride;
  for (int64_t i = 0; i < n; ++i) out[i] = in[i * stride];
}

/// One row of a grid: source coordinates first, first + stride, ...; zeros where they are outside.
template <class T>
void fill_row(const T* in, int64_t in_size, int64_t first, int64_t stride, T* out, int64_t size) {
  int64_t begin = first >= 0 ? 0 : (-first + stride - 1) / stride;
  int64_t end = in_size - first <= 0 ? 0 : (in_size - first + stride - 1) / stride;
  if (begin > size) begin = size;
  if (end > size) end = size;
  if (end < begin) end = begin;
  zero(out, begin);
  const auto copy = stride == 1 ? copy_strided<T, 1> : stride == 2 ? copy_strided<T, 2> : copy_strided<T, 0>;
  copy(in + first + begin * stride, stride, out + begin, end - begin);
  zero(out + end, size - end);
}

template <class T>
void fill_grid(const GridJob& job, const T* image, T* grid) {
  const int64_t row = job.size[2], plane = job.size[1] * row;
  for (int64_t channel = 0; channel < job.channels; ++channel, image += job.in_channel)
    for (int64_t pd = 0; pd < job.phases[0]; ++pd)
      for (int64_t ph = 0; ph < job.phases[1]; ++ph)
        for (int64_t pw = 0; pw < job.phases[2]; ++pw, grid += job.grid_step)
          for (int64_t d = 0; d < job.size[0]; ++d) {
            const int64_t z = job.first[0][pd] + d * job.stride[0];
            T* out = grid + d * plane;
            if (z < 0 || z >= job.in[0]) {
              zero(out, plane);
              continue;
            }
            for (int64_t h = 0; h < job.size[1]; ++h, out += row) {
              const int64_t y = job.first[1][ph] + h * job.stride[1];
              if (y < 0 || y >= job.in[1])
                zero(out, row);
              else
                fill_row(image + (z * job.in[1] + y) * job.in[2], job.in[2], job.first[2][pw], job.stride[2], out, row);
            }
          }
}

}  // namespace

void register_conv_grids(ConvKernels<float>& f32, ConvKernels<double>& f64) {
  f32.fill_grid = fill_grid<float>;
  f64.fill_grid = fill_grid<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
