#include "kernels/extremes.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

// Integers wrap around, therefore unsigned.
template <class T>
struct Wrapping {
  using type = UnsignedBits<T>;
};
template <Floating T>
struct Wrapping<T> {
  using type = T;
};

/// Rows of inner columns: y[k] = step(y[k - 1], x[k]), from the end if reversed.
template <bool kReversed, class T, class Step>
TAPEGRAD_INLINE void scan(const void* in, void* out, int64_t outer, int64_t n, int64_t inner, Step step) {
  const auto* x = static_cast<const T*>(in);
  auto* y = static_cast<T*>(out);
  for (int64_t o = 0; o < outer; ++o, x += n * inner, y += n * inner) {
    if (inner == 1) {
      T last = x[kReversed ? n - 1 : 0];
      y[kReversed ? n - 1 : 0] = last;
      for (int64_t k = 1; k < n; ++k) {
        const int64_t i = kReversed ? n - 1 - k : k;
        y[i] = last = step(last, x[i]);
      }
      continue;
    }
    const int64_t first = (kReversed ? n - 1 : 0) * inner, stride = kReversed ? -inner : inner;
    for (int64_t c = 0; c < inner; ++c) y[first + c] = x[first + c];
    for (int64_t k = 1; k < n; ++k) {
      const T* line = x + first + k * stride;
      T* target = y + first + k * stride;
      const T* before = target - stride;
      for (int64_t c = 0; c < inner; ++c) target[c] = step(before[c], line[c]);
    }
  }
}

template <class Stored>
void cumsum(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
  using T = typename Wrapping<Stored>::type;
  scan<false, T>(in, out, outer, n, inner, [](T a, T b) { return a + b; });
}
template <class Stored>
void reversed_cumsum(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
  using T = typename Wrapping<Stored>::type;
  scan<true, T>(in, out, outer, n, inner, [](T a, T b) { return a + b; });
}
template <class Stored>
void cumprod(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
  using T = typename Wrapping<Stored>::type;
  scan<false, T>(in, out, outer, n, inner, [](T a, T b) { return a * b; });
}
template <class T>
void logcumsumexp(const void* in, void* out, int64_t outer, int64_t n, int64_t inner) {
  scan<false, T>(in, out, outer, n, inner, [](T a, T b) {
    const T high = larger(a, b), low = smaller(a, b);
    if (high - low != high - low) return high;  // both infinite, or NaN
    return high + log1p(exp(Vec<T>(low - high)))[0];
  });
}

template <bool kLargest, class T>
void cumulative_extreme(const void* in, void* out, int64_t* positions, int64_t outer, int64_t n,
                        int64_t inner) {
  const auto* x = static_cast<const T*>(in);
  auto* y = static_cast<T*>(out);
  for (int64_t o = 0; o < outer; ++o, x += n * inner, y += n * inner, positions += n * inner)
    for (int64_t i = 0; i < n * inner; ++i) {
      const T value = x[i];
      const bool first = i < inner;
      const T best = first ? value : y[i - inner];
      const bool takes = first || (kLargest ? value >= best : value <= best) || value != value;
      y[i] = takes ? value : best;
      positions[i] = takes ? i / inner : positions[i - inner];
    }
}

template <class T>
void linear_scan(const void* addend, const void* factor, void* out, bool reversed, int64_t outer, int64_t n,
                 int64_t inner) {
  const auto* b = static_cast<const T*>(addend);
  const auto* a = static_cast<const T*>(factor);
  auto* y = static_cast<T*>(out);
  const int64_t size = n * inner;
  for (int64_t o = 0; o < outer; ++o, a += size, b += size, y += size) {
    if (reversed)
      for (int64_t i = size - 1; i >= 0; --i)
        y[i] = i + inner < size ? b[i] + a[i + inner] * y[i + inner] : b[i];
    else
      for (int64_t i = 0; i < size; ++i) y[i] = i >= inner ? b[i] + a[i] * y[i - inner] : b[i];
  }
}

template <class T>
void register_type(ScanKernels& table, int type) {
  using S = typename Stored<T>::type;
  if constexpr (Floating<T> || sizeof(T) == 8) {
    table.cumsum[type] = cumsum<T>;
    table.cumprod[type] = cumprod<T>;
    table.reversed_cumsum[type] = reversed_cumsum<T>;
  }
  table.cummax[type] = cumulative_extreme<true, S>;
  table.cummin[type] = cumulative_extreme<false, S>;
}

}  // namespace

void register_scans(ScanKernels& table) {
  int type = 0;
#define TG_REGISTER(T, NAME) register_type<T>(table, type++);
  TG_FORALL_DTYPES(TG_REGISTER)
#undef TG_REGISTER
  table.logcumsumexp[0] = logcumsumexp<float>;
  table.logcumsumexp[1] = logcumsumexp<double>;
  table.linear_scan[0] = linear_scan<float>;
  table.linear_scan[1] = linear_scan<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
