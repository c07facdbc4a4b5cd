#include "ops/gemm.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"

namespace tapegrad::ops {
namespace {

// Multiplications below which a product stays on the calling thread (about 30 us on one core).
constexpr int64_t kParallelWork = int64_t(1) << 22;
// Blocks end at multiples of this many rows or columns: whole tiles of rows, whole vectors of columns.
constexpr int64_t kBlockStep = 16;

const GemmKernels<float>& kernels_for(const Gemm<float>&) { return kernels->gemm_f32; }
const GemmKernels<double>& kernels_for(const Gemm<double>&) { return kernels->gemm_f64; }

/// y (m) = alpha * A (m,k) x (k) + beta * y by BLAS; false if it cannot address A.
template <class T>
bool gemv(int64_t m, int64_t k, T alpha, const T* a, int64_t a_row, int64_t a_col, const T* x, int64_t x_step,
          T beta, T* y, int64_t y_step) {
  if (a_col == 1 && a_row >= k)
    blas::gemv(false, m, k, alpha, a, a_row, x, x_step, beta, y, y_step);
  else if (a_row == 1 && a_col >= m)
    blas::gemv(true, k, m, alpha, a, a_col, x, x_step, beta, y, y_step);
  else
    return false;
  return true;
}

/// Products with a vector are a matter of memory bandwidth, for which BLAS has its own kernels.
template <class T>
bool multiply_vector(const Gemm<T>& g) {
  if (g.bias || g.k == 0 || g.a_col < 1 || g.b_row < 1) return false;
  if (g.n == 1) return gemv(g.m, g.k, g.alpha, g.a, g.a_row, g.a_col, g.b, g.b_row, g.beta, g.c, g.c_row);
  if (g.m == 1) return gemv(g.n, g.k, g.alpha, g.b, g.b_col, g.b_row, g.a, g.a_col, g.beta, g.c, 1);
  return false;
}

template <class T>
void split_batch(const Gemm<T>& g, const GemmBatch& batch, int64_t grain,
                 void (*run)(const Gemm<T>&, const GemmBatch&)) {
  parallel_for(0, batch.count, grain, [&](int64_t begin, int64_t end) {
    Gemm<T> part = g;
    part.a += begin * batch.a_step;
    part.b += begin * batch.b_step;
    part.c += begin * batch.c_step;
    run(part, {end - begin, batch.a_step, batch.b_step, batch.c_step});
  });
}

/// Cuts one product along the longer side of C. See Note [Splitting products].
template <class T>
void split_product(const Gemm<T>& g, int threads, void (*run)(const Gemm<T>&, const GemmBatch&)) {
  const bool rows = g.m > g.n;
  const int64_t length = rows ? g.m : g.n;
  const int64_t share = (length + threads - 1) / threads;
  const int64_t grain = (share + kBlockStep - 1) / kBlockStep * kBlockStep;
  parallel_for(0, length, grain, [&](int64_t begin, int64_t end) {
    Gemm<T> part = g;
    (rows ? part.m : part.n) = end - begin;
    if (rows) {
      part.a += begin * g.a_row;
      part.c += begin * g.c_row;
    } else {
      part.b += begin * g.b_col;
      part.c += begin;
      if (g.bias) part.bias += begin;
    }
    run(part, {});
  });
}

}  // namespace

template <class T>
void gemm(const Gemm<T>& args, const GemmBatch& batch) {
  if (args.m == 0 || args.n == 0 || batch.count == 0) return;
  if (batch.count == 1 && multiply_vector(args)) return;
  const GemmKernels<T>& table = kernels_for(args);
  const auto run = table.prefers_dots(args) ? table.dots : table.tiles;
  const int64_t work = args.m * args.n * args.k;
  if (work * batch.count < kParallelWork) return run(args, batch);
  const int threads = get_num_threads();
  if (threads == 1 || in_parallel_region()) return run(args, batch);
  if (batch.count >= threads) return split_batch(args, batch, (batch.count + threads - 1) / threads, run);
  for (int64_t i = 0; i < batch.count; ++i) {
    Gemm<T> item = args;
    item.a += i * batch.a_step;
    item.b += i * batch.b_step;
    item.c += i * batch.c_step;
    split_product(item, threads, run);
  }
}

template void gemm(const Gemm<float>&, const GemmBatch&);
template void gemm(const Gemm<double>&, const GemmBatch&);

}  // namespace tapegrad::ops
