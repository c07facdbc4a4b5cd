// The caching allocator behind tensors, their data and graph nodes.
//
// Every block is aligned to 64 bytes. Blocks up to 4 KiB are carved from slabs and kept in one free list per
// size; larger ones are kept in size classes up to a bound, because touching fresh pages costs several times
// the arithmetic done on them. See Note [Interpreter lock] for why no lock is taken.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tapegrad {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallLimit = 4096;

struct MemoryStats {
  int64_t allocated_bytes = 0;  // handed out now
  int64_t peak_bytes = 0;       // the highest allocated_bytes since the last reset
  int64_t cached_bytes = 0;     // kept for reuse
  int64_t allocations = 0;      // calls so far
  int64_t live_tensors = 0;
  int64_t live_nodes = 0;
};

namespace detail {
struct FreeBlock {
  FreeBlock* next;
};
extern FreeBlock* small_blocks[kSmallLimit / kAlignment + 1];
extern MemoryStats stats;
void* allocate_slow(size_t bytes);
void deallocate_large(void* block, size_t bytes);
}  // namespace detail

inline const MemoryStats& memory_stats() { return detail::stats; }
inline MemoryStats& mutable_memory_stats() { return detail::stats; }
void reset_peak_memory();
/// Returns what is cached to the system.
void empty_cache();

/// A block of at least `bytes` bytes, aligned to 64; RuntimeError when memory is exhausted.
inline void* allocate(size_t bytes) {
  const size_t index = (bytes + kAlignment - 1) / kAlignment;
  if (bytes <= kSmallLimit) [[likely]] {
    if (detail::FreeBlock* block = detail::small_blocks[index]) [[likely]] {
      detail::small_blocks[index] = block->next;
      auto& stats = detail::stats;
      stats.allocated_bytes += static_cast<int64_t>(index * kAlignment);
      stats.cached_bytes -= static_cast<int64_t>(index * kAlignment);
      if (stats.allocated_bytes > stats.peak_bytes) stats.peak_bytes = stats.allocated_bytes;
      ++stats.allocations;
      return block;
    }
  }
  return detail::allocate_slow(bytes);
}

/// Gives back a block from allocate(bytes), with the same `bytes`.
inline void deallocate(void* block, size_t bytes) {
  if (bytes > kSmallLimit) [[unlikely]]
    return detail::deallocate_large(block, bytes);
  const size_t index = (bytes + kAlignment - 1) / kAlignment;
  auto* free_block = static_cast<detail::FreeBlock*>(block);
  free_block->next = detail::small_blocks[index];
  detail::small_blocks[index] = free_block;
  detail::stats.allocated_bytes -= static_cast<int64_t>(index * kAlignment);
  detail::stats.cached_bytes += static_cast<int64_t>(index * kAlignment);
}

/// Base that gives a class the caching allocator as its operator new.
struct Pooled {
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* block, size_t bytes) { deallocate(block, bytes); }
};

}  // namespace tapegrad
