#include "core/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>
#include <unordered_map>

#include "core/error.h"

namespace tapegrad {
namespace detail {

FreeBlock* small_blocks[kSmallLimit / kAlignment + 1];
MemoryStats stats;

}  // namespace detail

namespace {

using detail::FreeBlock;
using detail::stats;

constexpr size_t kSlabSize = size_t{1} << 16;
constexpr size_t kHugePage = size_t{1} << 21;
constexpr int kClassesPerOctave = 4;

// Four classes an octave: at most a quarter of a block is wasted.
int class_of(size_t bytes) {
  const int octave = std::bit_width(bytes - 1) - 1;
  const auto quarter = static_cast<int>((bytes - 1) >> (octave - 2)) - kClassesPerOctave;
  return octave * kClassesPerOctave + quarter;
}
size_t class_size(int index) {
  const size_t base = size_t{1} << (index / kClassesPerOctave);
  return base + base / kClassesPerOctave * (index % kClassesPerOctave + 1);
}

FreeBlock* large_blocks[64 * kClassesPerOctave];

int64_t cache_limit() {
  static const int64_t limit = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE) / 4;
  return limit;
}

void* system_allocate(size_t bytes) {
  const bool huge = bytes >= 4 * kHugePage;
  void* block = std::aligned_alloc(huge ? kHugePage : bytes == kSlabSize ? kSlabSize : kAlignment, bytes);
#ifdef MADV_HUGEPAGE
  if (block && huge) madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

[[noreturn]] void out_of_memory(size_t bytes) {
  fail(ErrorKind::runtime, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes,
       " bytes. Free tensors that are not needed (del, torch.no_grad()), or use a smaller batch.");
}

void count_allocation(size_t size) {
  stats.allocated_bytes += static_cast<int64_t>(size);
  stats.peak_bytes = std::max(stats.peak_bytes, stats.allocated_bytes);
  ++stats.allocations;
}

void* allocate_large(size_t bytes) {
  if (bytes > (size_t{1} << 47)) out_of_memory(bytes);
  const int index = class_of(bytes);
  const size_t size = class_size(index);
  void* block = large_blocks[index];
  if (block) {
    large_blocks[index] = large_blocks[index]->next;
    stats.cached_bytes -= static_cast<int64_t>(size);
  } else {
    block = system_allocate(size);
    if (!block) {
      empty_cache();
      block = system_allocate(size);
    }
    if (!block) out_of_memory(bytes);
  }
  count_allocation(size);
  return block;
}

// Slabs are aligned to their size, so that a block's slab is found by masking its address.
void release_free_slabs() {
  auto slab_of = [](void* block) { return reinterpret_cast<uintptr_t>(block) & ~(kSlabSize - 1); };
  for (size_t index = 1; index <= kSmallLimit / kAlignment; ++index) {
    const size_t blocks_per_slab = kSlabSize / (index * kAlignment);
    std::unordered_map<uintptr_t, size_t> free_count;
    for (FreeBlock* block = detail::small_blocks[index]; block; block = block->next)
      ++free_count[slab_of(block)];
    FreeBlock* kept = nullptr;
    for (FreeBlock *block = detail::small_blocks[index], *next; block; block = next) {
      next = block->next;
      if (free_count[slab_of(block)] == blocks_per_slab) {
        stats.cached_bytes -= static_cast<int64_t>(index * kAlignment);
        continue;
      }
      block->next = kept;
      kept = block;
    }
    detail::small_blocks[index] = kept;
    for (auto [slab, count] : free_count)
      if (count == blocks_per_slab) std::free(reinterpret_cast<void*>(slab));
  }
}

}  // namespace

namespace detail {

void* allocate_slow(size_t bytes) {
  if (bytes > kSmallLimit) return allocate_large(bytes);
  if (bytes == 0) return allocate(1);
  const size_t index = (bytes + kAlignment - 1) / kAlignment, size = index * kAlignment;
  char* slab = static_cast<char*>(system_allocate(kSlabSize));
  if (!slab) out_of_memory(kSlabSize);
  for (size_t i = kSlabSize / size; i-- > 0;) {  // the list hands out ascending addresses
    auto* block = reinterpret_cast<FreeBlock*>(slab + i * size);
    block->next = small_blocks[index];
    small_blocks[index] = block;
    stats.cached_bytes += static_cast<int64_t>(size);
  }
  return allocate(bytes);
}

void deallocate_large(void* block, size_t bytes) {
  const int index = class_of(bytes);
  const auto size = static_cast<int64_t>(class_size(index));
  stats.allocated_bytes -= size;
  if (stats.cached_bytes + size > cache_limit()) return std::free(block);
  large_blocks[index] = new (block) FreeBlock{large_blocks[index]};
  stats.cached_bytes += size;
}

}  // namespace detail

void reset_peak_memory() { stats.peak_bytes = stats.allocated_bytes; }

void empty_cache() {
  for (int index = 0; index < 64 * kClassesPerOctave; ++index) {
    while (FreeBlock* block = large_blocks[index]) {
      large_blocks[index] = block->next;
      std::free(block);
      stats.cached_bytes -= static_cast<int64_t>(class_size(index));
    }
  }
  release_free_slabs();
}

}  // namespace tapegrad
