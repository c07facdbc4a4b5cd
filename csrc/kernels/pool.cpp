#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

/// Windows along the width that are all of one shape and evenly spaced, for which rows are computed at once.
struct Even {
  int64_t first, last;  // windows [first, last) are whole
  int64_t size, stride, begin;

  explicit Even(const PoolJob& job) : first(0), last(0), size(0), stride(0), begin(0) {
    const int64_t n = job.out[2];
    const int64_t *from = job.begin[2], *to = job.end[2];
    if (n < 4) return;
    const int64_t middle = n / 2;
    size = to[middle] - from[middle];
    stride = from[middle + 1] - from[middle];
    const auto fits = [&](int64_t i) {
      return to[i] - from[i] == size && from[i] == from[middle] + (i - middle) * stride &&
             (!job.count[2] || job.count[2][i] == job.count[2][middle]);
    };
    for (first = middle; first > 0 && fits(first - 1);) --first;
    for (last = middle + 1; last < n && fits(last);) ++last;
    begin = from[first];
  }
};

constexpr int64_t kRowBlock = 128;

template <class T>
constexpr T kLowest = -__builtin_huge_val();

// --- largest ---

template <class T>
void largest_window(const PoolJob& job, const T* in, int64_t d, int64_t h, int64_t w, T* out, int64_t* index) {
  T best = kLowest<T>;
  int64_t at = (job.begin[0][d] * job.in[1] + job.begin[1][h]) * job.in[2] + job.begin[2][w];
  for (int64_t z = job.begin[0][d]; z < job.end[0][d]; z += job.step[0])
    for (int64_t y = job.begin[1][h]; y < job.end[1][h]; y += job.step[1])
      for (int64_t x = job.begin[2][w]; x < job.end[2][w]; x += job.step[2]) {
        const int64_t i = (z * job.in[1] + y) * job.in[2] + x;
        if (in[i] > best || in[i] != in[i]) {
          best = in[i];
          at = i;
        }
      }
  *out = best;
  *index = at;
}

/// Windows [first, last) of a row, `kRowBlock` at a time: the loop over neighbours is innermost.
template <class T, int Stride>
void largest_row(const PoolJob& job, const Even& even, const T* in, int64_t d, int64_t h, T* out, int64_t* index) {
  const int64_t stride = Stride ? Stride : even.stride;
  for (int64_t start = even.first; start < even.last; start += kRowBlock) {
    const int64_t count = even.last - start < kRowBlock ? even.last - start : kRowBlock;
    const int64_t left = even.begin + (start - even.first) * stride;
    T best[kRowBlock];
    int32_t at[kRowBlock];
    const auto origin =
        static_cast<int32_t>((job.begin[0][d] * job.in[1] + job.begin[1][h]) * job.in[2] + left);
    for (int64_t i = 0; i < count; ++i) {
      best[i] = kLowest<T>;
      at[i] = static_cast<int32_t>(origin + i * stride);
    }
    for (int64_t z = job.begin[0][d]; z < job.end[0][d]; z += job.step[0])
      for (int64_t y = job.begin[1][h]; y < job.end[1][h]; y += job.step[1])
        for (int64_t x = 0; x < even.size; x += job.step[2]) {
          const int64_t offset = (z * job.in[1] + y) * job.in[2] + left + x;
          const T* from = in + offset;
          const auto position = static_cast<int32_t>(offset);
          for (int32_t i = 0; i < static_cast<int32_t>(count); ++i) {
            const T value = from[i * stride];
            const bool take = (value > best[i]) | (value != value);
            best[i] = take ? value : best[i];
            at[i] = take ? position + i * static_cast<int32_t>(stride) : at[i];
          }
        }
    for (int64_t i = 0; i < count; ++i) {
      out[start + i] = best[i];
      index[start + i] = at[i];
    }
  }
}

template <class T>
void largest(const PoolJob& job, const T* in, T* out, int64_t* index) {
  Even even(job);
  const int64_t plane = job.in[0] * job.in[1] * job.in[2];
  if (plane > INT32_MAX) even.last = even.first;
  for (int64_t p = 0; p < job.planes; ++p, in += plane)
    for (int64_t d = 0; d < job.out[0]; ++d)
      for (int64_t h = 0; h < job.out[1]; ++h, out += job.out[2], index += job.out[2]) {
        for (int64_t w = 0; w < job.out[2]; ++w) {
          if (w == even.first && even.first < even.last) {
            (even.stride == 1   ? largest_row<T, 1>
             : even.stride == 2 ? largest_row<T, 2>
                                : largest_row<T, 0>)(job, even, in, d, h, out, index);
            w = even.last - 1;
            continue;
          }
          largest_window(job, in, d, h, w, out + w, index + w);
        }
      }
}

// --- average ---

template <class T>
T divisor(const PoolJob& job, int64_t d, int64_t h, int64_t w) {
  return static_cast<T>(job.divisor != 0 ? job.divisor
                                         : double(job.count[0][d] * job.count[1][h] * job.count[2][w]));
}

template <class T>
T sum_window(const PoolJob& job, const T* in, int64_t d, int64_t h, int64_t w) {
  T sum = 0;
  for (int64_t z = job.begin[0][d]; z < job.end[0][d]; ++z)
    for (int64_t y = job.begin[1][h]; y < job.end[1][h]; ++y)
      for (int64_t x = job.begin[2][w]; x < job.end[2][w]; ++x) sum += in[(z * job.in[1] + y) * job.in[2] + x];
  return sum;
}

template <class T, int Stride>
void sum_row(const PoolJob& job, const Even& even, const T* in, int64_t d, int64_t h, T* out) {
  const int64_t stride = Stride ? Stride : even.stride;
  const int64_t count = even.last - even.first;
  out += even.first;
  for (int64_t i = 0; i < count; ++i) out[i] = 0;
  for (int64_t z = job.begin[0][d]; z < job.end[0][d]; ++z)
    for (int64_t y = job.begin[1][h]; y < job.end[1][h]; ++y)
      for (int64_t x = 0; x < even.size; ++x) {
        const T* from = in + (z * job.in[1] + y) * job.in[2] + even.begin + x;
        for (int64_t i = 0; i < count; ++i) out[i] += from[i * stride];
      }
}

template <class T>
void average(const PoolJob& job, const T* in, T* out) {
  const Even even(job);
  const int64_t plane = job.in[0] * job.in[1] * job.in[2];
  for (int64_t p = 0; p < job.planes; ++p, in += plane)
    for (int64_t d = 0; d < job.out[0]; ++d)
      for (int64_t h = 0; h < job.out[1]; ++h, out += job.out[2]) {
        if (even.first < even.last)
          (even.stride == 1   ? sum_row<T, 1>
           : even.stride == 2 ? sum_row<T, 2>
                              : sum_row<T, 0>)(job, even, in, d, h, out);
        for (int64_t w = 0; w < job.out[2]; ++w) {
          if (w < even.first || w >= even.last) out[w] = sum_window(job, in, d, h, w);
          out[w] /= divisor<T>(job, d, h, w);
        }
      }
}

template <class T>
void spread(const PoolJob& job, const T* out, T* in) {
  const int64_t plane = job.in[0] * job.in[1] * job.in[2];
  for (int64_t p = 0; p < job.planes; ++p, in += plane)
    for (int64_t d = 0; d < job.out[0]; ++d)
      for (int64_t h = 0; h < job.out[1]; ++h, out += job.out[2])
        for (int64_t w = 0; w < job.out[2]; ++w) {
          const T share = out[w] / divisor<T>(job, d, h, w);
          for (int64_t z = job.begin[0][d]; z < job.end[0][d]; ++z)
            for (int64_t y = job.begin[1][h]; y < job.end[1][h]; ++y) {
              T* row = in + (z * job.in[1] + y) * job.in[2];
              for (int64_t x = job.begin[2][w]; x < job.end[2][w]; ++x) row[x] += share;
            }
        }
}

// --- elements by position ---

template <class T>
void pick(const PickJob& job, const T* in, T* out) {
  const int64_t* index = job.index;
  for (int64_t p = 0; p < job.planes; ++p, in += job.in_size, out += job.out_size, index += job.out_size)
    for (int64_t i = 0; i < job.out_size; ++i) out[i] = in[index[i]];
}

template <class T>
void add_picked(const PickJob& job, const T* out, T* in) {
  const int64_t* index = job.index;
  for (int64_t p = 0; p < job.planes; ++p, in += job.in_size, out += job.out_size, index += job.out_size)
    for (int64_t i = 0; i < job.out_size; ++i) in[index[i]] += out[i];
}

template <class T>
void fill(PoolKernels<T>& table) {
  table = {largest<T>, average<T>, spread<T>, pick<T>, add_picked<T>};
}

}  // namespace

void register_pool(PoolKernels<float>& f32, PoolKernels<double>& f64) {
  fill(f32);
  fill(f64);
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
