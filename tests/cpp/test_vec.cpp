// Checks of the SIMD value type, compiled once per instruction set; exits with status 0 when all hold, aborts
// with a message otherwise. The accuracy of the elementary functions is tested from Python.

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "kernels/vec_math.h"

#define CHECK(...)                                                                         \
  do {                                                                                     \
    if (!(__VA_ARGS__)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #__VA_ARGS__); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)

using namespace tapegrad::TAPEGRAD_ISA_NS;

namespace {

/// Loads and stores of every length touch exactly the elements they should.
template <class T>
void test_partial_vectors() {
  constexpr int size = Vec<T>::size;
  for (int n = 0; n <= size; ++n) {
    T in[size], out[size];
    uint8_t bytes[size];
    double doubles[size];
    for (int i = 0; i < size; ++i) in[i] = T(i + 3), out[i] = T(99), bytes[i] = 77, doubles[i] = -1;

    const auto loaded = Vec<T>::load_partial(in, n, T(5));
    for (int i = 0; i < size; ++i) CHECK(loaded[i] == (i < n ? in[i] : T(5)));
    loaded.store_partial(out, n);
    for (int i = 0; i < size; ++i) CHECK(out[i] == (i < n ? in[i] : T(99)));

    store_mask(Vec<T>::load(in) < 5, bytes, n);
    for (int i = 0; i < size; ++i) CHECK(bytes[i] == (i >= n ? 77 : i < 2));
    const auto mask = load_mask<T>(bytes, n);
    for (int i = 0; i < size; ++i) CHECK(mask[i] == (i < n && i < 2));

    store_convert(Vec<T>::load(in), doubles, n);
    for (int i = 0; i < size; ++i) CHECK(doubles[i] == (i < n ? i + 3 : -1));
    const auto converted = load_convert<T>(doubles, n);
    for (int i = 0; i < n; ++i) CHECK(converted[i] == in[i]);
  }
}

/// Literals broadcast on either side, comparisons select, and reductions see every lane.
template <class T>
void test_arithmetic() {
  constexpr int size = Vec<T>::size;
  const auto x = Vec<T>::iota();
  const auto y = where((x < 3) | !(x != 5), 1 - x * 2, maximum(x, 4) + 1);
  for (int i = 0; i < size; ++i) CHECK(y[i] == (i < 3 || i == 5 ? T(1 - i * 2) : T((i > 4 ? i : 4) + 1)));
  CHECK(reduce(x, [](auto a, auto b) { return a + b; }) == T(size * (size - 1) / 2));
  CHECK(reduce(x, [](auto a, auto b) { return maximum(a, b); }) == T(size - 1));
  CHECK(any(x == T(size - 1)) && !any(x == T(size)) && all(x < T(size)) && !all(x > 0));
}

/// Quotients and remainders of all sign combinations and of the extreme numbers; division by zero gives 0.
template <class T>
void test_integer_division() {
  const T lowest = T(UnsignedBits<T>(1) << (8 * sizeof(T) - 1));
  const T highest = T(~lowest);
  for (T a :
       {T(0), T(1), T(2), T(7), T(-1), T(-3), T(-100), T(1LL << 50), T((1LL << 52) + 3), lowest, highest})
    for (T b : {T(0), T(1), T(2), T(3), T(-1), T(-3), T((1LL << 51) - 1), lowest, highest}) {
      const __int128 x = a, y = b;
      const __int128 quotient = y == 0 ? 0 : x / y, rest = y == 0 ? 0 : x - quotient * y;
      const bool round_down = rest != 0 && (rest < 0) != (y < 0);
      CHECK(trunc_div(Vec<T>(a), b)[0] == T(quotient));
      CHECK(fmod(Vec<T>(a), b)[0] == T(rest));
      CHECK(floor_div(Vec<T>(a), b)[0] == T(quotient - round_down));
      CHECK(remainder(Vec<T>(a), b)[0] == T(round_down ? rest + y : rest));
    }
}

template <class T>
void test_float_division() {
  for (T a : {T(7), T(-7), T(7.5), T(-0.0), T(1e30)})
    for (T b : {T(2), T(-2), T(0.1), T(-3e-20)}) {
      const T r = T(__builtin_fmod(a, b));
      CHECK(fmod(Vec<T>(a), b)[0] == r);
      CHECK(remainder(Vec<T>(a), b)[0] == (r != 0 && (r < 0) != (b < 0) ? r + b : r));
    }
  CHECK(floor_div(Vec<T>(T(-7)), 2)[0] == -4);
  CHECK(floor_div(Vec<T>(1), T(0.1))[0] == 9);  // 0.1 is a little more than a tenth, in both types
  CHECK(floor_div(Vec<T>(1), Format<T>::infinity)[0] == 0);
}

/// NaN propagates through minimum and maximum and is ignored by fmin and fmax.
template <class T>
void test_extrema() {
  const Vec<T> nan(Format<T>::nan), one(1);
  CHECK(all(isnan(minimum(nan, 1)) & isnan(minimum(one, nan)) & isnan(maximum(nan, 1)) &
            isnan(maximum(one, nan))));
  CHECK(all((fmin(nan, 1) == 1) & (fmin(one, nan) == 1) & (fmax(nan, 1) == 1) & (fmax(one, nan) == 1)));
}

void test_integer_pow() {
  CHECK(pow(Vec<int64_t>(3), 13)[0] == 1594323);
  CHECK(pow(Vec<int64_t>(-1), -3)[0] == -1);
  CHECK(pow(Vec<int32_t>(2), -1)[0] == 0);
  CHECK(pow(Vec<uint8_t>(3), 6)[0] == uint8_t(729));
}

/// The result of a lane depends neither on the other lanes nor on whether they make the vector take a slow
/// path.
template <class T>
void test_lanes_are_independent() {
  constexpr int size = Vec<T>::size;
  T numbers[size];
  for (int i = 0; i < size; ++i) numbers[i] = T(i % 3 == 0 ? 1e7 : 0.37) * T(i + 1);
  const auto x = Vec<T>::load(numbers);
  for (int i = 0; i < size; ++i) {
    CHECK(sin(x)[i] == sin(Vec<T>(x[i]))[0]);
    CHECK(fmod(x, 1e-9)[i] == fmod(Vec<T>(x[i]), 1e-9)[0]);
    CHECK(lgamma(where(x > 1e6, -x, x))[i] == lgamma(x[i] > T(1e6) ? Vec<T>(-x[i]) : Vec<T>(x[i]))[0]);
  }
}

template <class T>
void test_all_types() {
  test_partial_vectors<T>();
  test_arithmetic<T>();
  if constexpr (Integral<T>) test_integer_division<T>();
}

bool machine_can_run_this() {
#if defined(TAPEGRAD_AVX512)
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#elif defined(TAPEGRAD_AVX2)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

}  // namespace

int main() {
  if (!machine_can_run_this()) return 0;
  test_all_types<float>();
  test_all_types<double>();
  test_all_types<int64_t>();
  test_all_types<int32_t>();
  test_all_types<int16_t>();
  test_all_types<int8_t>();
  test_all_types<uint8_t>();
  test_float_division<float>();
  test_float_division<double>();
  test_extrema<float>();
  test_extrema<double>();
  test_integer_pow();
  test_lanes_are_independent<float>();
  test_lanes_are_independent<double>();
}
