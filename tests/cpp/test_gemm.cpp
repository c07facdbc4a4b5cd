// Checks of matrix products against a plain triple loop, for every instruction set of this machine; exits
// with status 0 when all hold, aborts with a message otherwise.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "ops/gemm.h"

#define CHECK(...)                                                                         \
  do {                                                                                     \
    if (!(__VA_ARGS__)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #__VA_ARGS__); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)

using tapegrad::Gemm;
using tapegrad::GemmBatch;

namespace {

// Small integers and halves, so that any order of summation gives the same exact result in float.
template <class T>
std::vector<T> numbers(int64_t count, unsigned seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = T(int(seed >> 24) % 9 - 4) / 2;
  }
  return values;
}

// How an operand of rows x columns lies in memory.
struct Layout {
  int64_t row, col, size;
};

Layout layout(int kind, int64_t rows, int64_t columns) {
  switch (kind) {
    case 0:
      return {columns, 1, rows * columns};  // row-major
    case 1:
      return {1, rows, rows * columns};  // column-major
    case 2:
      return {columns + 3, 1, rows * (columns + 3)};  // row-major with gaps
    default:
      return {2 * columns, 2, 2 * rows * columns};  // neither
  }
}

template <class T>
void check_product(int64_t m, int64_t n, int64_t k, int a_kind, int b_kind, T alpha, T beta, bool with_bias) {
  const Layout a_layout = layout(a_kind, m, k), b_layout = layout(b_kind, k, n);
  const auto a = numbers<T>(a_layout.size + 1, 1), b = numbers<T>(b_layout.size + 1, 2),
             bias = numbers<T>(n, 3);
  const int64_t c_row = n + 2;
  auto c = numbers<T>(m * c_row, 4);
  if (beta == 0)
    for (T& value : c) value = std::numeric_limits<T>::quiet_NaN();
  auto expected = c;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += a[i * a_layout.row + p * a_layout.col] * b[p * b_layout.row + j * b_layout.col];
      T& value = expected[i * c_row + j];
      value = alpha * sum + (with_bias ? bias[j] : T(0)) + (beta == 0 ? T(0) : beta * value);
    }
  }
  tapegrad::ops::gemm<T>({m, n, k, a.data(), a_layout.row, a_layout.col, b.data(), b_layout.row, b_layout.col,
                          c.data(), c_row, alpha, beta, with_bias ? bias.data() : nullptr});
  for (int64_t i = 0; i < m * c_row; ++i) {
    if (c[i] == expected[i] || (std::isnan(c[i]) && std::isnan(expected[i]))) continue;
    std::fprintf(stderr,
                 "%s m=%ld n=%ld k=%ld layouts %d %d alpha=%g beta=%g bias=%d: at %ld got %g, expected %g\n",
                 tapegrad::kernels->name, long(m), long(n), long(k), a_kind, b_kind, double(alpha),
                 double(beta), with_bias, long(i), double(c[i]), double(expected[i]));
    std::abort();
  }
}

template <class T>
void check_products() {
  const int64_t sizes[][3] = {{1, 1, 1},  {2, 2, 2},   {3, 5, 7},    {16, 16, 2},    {1, 33, 9},
                              {33, 1, 9}, {5, 10, 40}, {64, 10, 70}, {17, 97, 31},   {8, 200, 16},
                              {2, 3, 0},  {1, 4, 0},   {9, 50, 300}, {40, 130, 270}, {32, 150, 600}};
  for (const auto& [m, n, k] : sizes) {
    for (int a_kind = 0; a_kind < 4; ++a_kind) {
      for (int b_kind = 0; b_kind < 4; ++b_kind) {
        check_product<T>(m, n, k, a_kind, b_kind, 1, 0, false);
        check_product<T>(m, n, k, a_kind, b_kind, 1, 0, true);
        check_product<T>(m, n, k, a_kind, b_kind, 2, 0, true);
        check_product<T>(m, n, k, a_kind, b_kind, 2, T(0.5), true);
        check_product<T>(m, n, k, a_kind, b_kind, -1, 1, false);
      }
    }
  }
}

template <class T>
std::vector<T> random_numbers(int64_t count) {
  std::vector<T> values(count);
  unsigned seed = 7;
  for (T& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = T(seed) / T(1u << 31) - 1;
  }
  return values;
}

// Note [Splitting products] promises the same bits for any number of threads.
template <class T>
void check_thread_count(int64_t m, int64_t n, int64_t k, bool b_transposed, int64_t batch) {
  const auto a = random_numbers<T>(batch * m * k), b = random_numbers<T>(k * n), bias = random_numbers<T>(n);
  std::vector<T> reference;
  for (int threads : {1, 2, 3, 5}) {
    tapegrad::set_num_threads(threads);
    std::vector<T> c(batch * m * n);
    tapegrad::ops::gemm<T>({m, n, k, a.data(), k, 1, b.data(), b_transposed ? 1 : n, b_transposed ? k : 1,
                            c.data(), n, 1, 0, bias.data()},
                           {batch, m * k, 0, m * n});
    if (reference.empty()) reference = c;
    CHECK(c == reference);
  }
}

void check_blas() {
  const double a[] = {1, 2, 3, 4, 5, 6}, x[] = {1, -1, 2};
  double y[] = {0, 0};
  tapegrad::blas::gemv<double>(false, 2, 3, 1, a, 3, x, 1, 0, y, 1);
  CHECK(y[0] == 5 && y[1] == 11);
  double square[4];
  tapegrad::blas::gemm<double>(false, true, 2, 2, 3, 1, a, 3, a, 3, 0, square, 2);
  CHECK(square[0] == 14 && square[1] == 32 && square[2] == 32 && square[3] == 77);
  CHECK(tapegrad::blas::function<void(int*)>("dgetrf_") != nullptr);
  bool thrown = false;
  try {
    tapegrad::blas::routine("no_such_routine_");
  } catch (const std::exception&) {
    thrown = true;
  }
  CHECK(thrown);
}

}  // namespace

int main() {
  tapegrad::blas::initialize(TAPEGRAD_OPENBLAS);
  check_blas();
  for (const char* const* isa = tapegrad::available_kernels(); *isa; ++isa) {
    setenv("TAPEGRAD_ISA", *isa, 1);
    CHECK(tapegrad::select_kernels() == nullptr);
    check_products<float>();
    check_products<double>();
    check_thread_count<float>(250, 260, 300, true, 1);
    check_thread_count<float>(4000, 10, 300, true, 1);
    check_thread_count<double>(200, 500, 270, false, 1);
    check_thread_count<float>(64, 64, 300, true, 7);
    check_thread_count<float>(300, 64, 300, false, 2);
    std::printf("%s: ok\n", *isa);
  }
  return 0;
}
