// Loops over dimensions, with as few of them as the steps of the operands allow.
#pragma once
#include <algorithm>

#include "core/dims.h"

namespace tapegrad {

/// Nested loops over N operands, the outermost first.
template <int N>
class MergedLoops {
 public:
  struct Loop {
    int64_t size;
    int64_t step[N];  // in one unit for each operand
  };

  /// Adds an inner loop: as a part of the last one if it continues that for every operand.
  void add(const Loop& loop) {
    if (loop.size == 1) return;
    if (count_ > 0 && continues(loops_[count_ - 1], loop)) {
      const int64_t size = loops_[count_ - 1].size * loop.size;
      loops_[count_ - 1] = loop;
      loops_[count_ - 1].size = size;
    } else {
      loops_[count_++] = loop;
    }
  }
  int count() const { return count_; }
  const Loop& operator[](int i) const { return loops_[i]; }
  /// Removes a loop.
  Loop take(int i) {
    const Loop taken = loops_[i];
    std::copy(loops_ + i + 1, loops_ + count_--, loops_ + i);
    return taken;
  }

  int64_t iterations() const {
    int64_t product = 1;
    for (int i = 0; i < count_; ++i) product *= loops_[i].size;
    return product;
  }
  /// Calls move(loop, k) for every loop's position k in this iteration.
  template <class Move>
  void locate(int64_t iteration, Move move) const {
    for (int i = count_ - 1; i >= 0; iteration /= loops_[i--].size)
      move(loops_[i], iteration % loops_[i].size);
  }

 private:
  static bool continues(const Loop& outer, const Loop& inner) {
    for (int n = 0; n < N; ++n)
      if (outer.step[n] != inner.step[n] * inner.size) return false;
    return true;
  }

  Loop loops_[kMaxDims];
  int count_ = 0;
};

}  // namespace tapegrad
