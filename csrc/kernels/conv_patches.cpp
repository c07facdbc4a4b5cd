// Between images and patches (im2col: Chellapilla, Puri and Simard, "High performance convolutional neural
// networks for document processing", 2006).
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

/// Output positions [begin, end) along one dimension whose input i * stride + shift lies inside the image.
struct Inside {
  int64_t shift, begin, end;

  Inside(const Window& w, int dim, int64_t k) : shift(k * w.dilation[dim] - w.padding[dim]) {
    const int64_t stride = w.stride[dim];
    begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    end = w.in[dim] - shift <= 0 ? 0 : (w.in[dim] - shift + stride - 1) / stride;
    if (end > w.out[dim]) end = w.out[dim];
    if (begin > end) begin = end;
  }
};

/// Calls row(k, first window, input offset, inside) for every row of windows along the width at each kernel
/// position; the offset is negative where the whole row is outside.
template <class Row>
void for_rows(const PatchJob& job, Row row) {
  const Window& w = job.window;
  int64_t k = 0;
  for (int64_t channel = 0; channel < job.channels; ++channel)
    for (int64_t kd = 0; kd < w.kernel[0]; ++kd) {
      const Inside depth(w, 0, kd);
      for (int64_t kh = 0; kh < w.kernel[1]; ++kh) {
        const Inside height(w, 1, kh);
        for (int64_t kw = 0; kw < w.kernel[2]; ++kw, ++k) {
          const Inside width(w, 2, kw);
          for (int64_t d = 0; d < w.out[0]; ++d)
            for (int64_t h = 0; h < w.out[1]; ++h) {
              const bool inside =
                  d >= depth.begin && d < depth.end && h >= height.begin && h < height.end;
              const int64_t z = d * w.stride[0] + depth.shift, y = h * w.stride[1] + height.shift;
              row(k, (d * w.out[1] + h) * w.out[2],
                  inside ? ((channel * w.in[0] + z) * w.in[1] + y) * w.in[2] : -1, width);
            }
        }
      }
    }
}

template <class T>
void gather_patches(const PatchJob& job, const T* image, T* patches) {
  const int64_t step = job.window_step, stride = job.window.stride[2], count = job.window.out[2];
  for_rows(job, [&](int64_t k, int64_t window, int64_t offset, const Inside& width) {
    T* out = patches + k * job.k_step + window * step;
    const int64_t begin = offset < 0 ? count : width.begin, end = offset < 0 ? count : width.end;
    const T* in = image + offset + width.shift;
    for (int64_t i = 0; i < begin; ++i) out[i * step] = 0;
    if (step == 1 && stride == 1)
      for (int64_t i = begin; i < end; ++i) out[i] = in[i];
    else
      for (int64_t i = begin; i < end; ++i) out[i * step] = in[i * stride];
    for (int64_t i = end; i < count; ++i) out[i * step] = 0;
  });
}

template <class T>
void add_patches(const PatchJob& job, const T* patches, T* image) {
  const int64_t step = job.window_step, stride = job.window.stride[2];
  for_rows(job, [&](int64_t k, int64_t window, int64_t offset, const Inside& width) {
    if (offset < 0) return;
    const T* in = patches + k * job.k_step + window * step;
    T* out = image + offset + width.shift;
    for (int64_t i = width.begin; i < width.end; ++i) out[i * stride] += in[i * step];
  });
}

}  // namespace

void register_conv_patches(ConvKernels<float>& f32, ConvKernels<double>& f64) {
  f32.gather_patches = gather_patches<float>;
  f32.add_patches = add_patches<float>;
  f64.gather_patches = gather_patches<double>;
  f64.add_patches = add_patches<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
