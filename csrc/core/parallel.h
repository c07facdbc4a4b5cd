#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace tapegrad {

/// Number of threads, the calling one included, that `parallel_for` may use. The default is
/// TAPEGRAD_NUM_THREADS, else OMP_NUM_THREADS, else `usable_cpus()`; a runtime error when
/// TAPEGRAD_NUM_THREADS is not a positive integer.
int get_num_threads();

/// Sets the number of threads; a runtime error unless it is positive. Takes effect at the next
/// parallel region.
void set_num_threads(int count);

/// True inside a chunk that the pool runs; a nested `parallel_for` then runs inline.
bool in_parallel_region();

namespace detail {

using ChunkFunction = void (*)(void* context, int64_t lo, int64_t hi);

void run_chunks(int64_t begin, int64_t end, int64_t grain, ChunkFunction function, void* context);

template <class F>
void call_chunk(void* context, int64_t lo, int64_t hi) {
  (*static_cast<F*>(context))(lo, hi);
}

}  // namespace detail

/// Calls `f(lo, hi)` on consecutive chunks of `grain` indices of [begin, end), possibly on several threads at
/// once. The chunks depend on the arguments only, never on the number of threads. The first exception of a
/// chunk is rethrown.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& f) {
  if (begin >= end) return;
  if (end - begin <= grain) {
    f(begin, end);
    return;
  }
  using Function = std::remove_reference_t<F>;
  void* context = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
  detail::run_chunks(begin, end, grain, &detail::call_chunk<Function>, context);
}

}  // namespace tapegrad
