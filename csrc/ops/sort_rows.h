// Sorting rows of numbers together with their positions. NaN counts as the largest number, -0 equals 0, and
// equal numbers keep their order, in both directions.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace tapegrad {

/// An unsigned integer in the order of the number: sign bit flipped for integers; for floats negative numbers
/// reversed.
template <class T>
auto sortable_key(T value, bool descending) {
  using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  Key key;
  if constexpr (std::is_floating_point_v<T>) {
    constexpr Key sign = Key{1} << (8 * sizeof(T) - 1);
    const Key bits = std::bit_cast<Key>(value + T(0));  // -0 becomes 0
    key = std::isnan(value) ? ~Key{0} : bits & sign ? ~bits : bits | sign;
  } else if constexpr (std::is_signed_v<T>) {
    constexpr Key sign = Key{1} << (8 * sizeof(Key) - 1);
    key = static_cast<Key>(static_cast<std::make_signed_t<Key>>(value)) ^ sign;
  } else {
    key = static_cast<Key>(value);
  }
  return descending ? static_cast<Key>(~key) : key;
}

/// A key of 32 bits above a position of 32 bits: one integer comparison orders by key, then by position.
struct PackedItem {
  uint64_t bits;
  static PackedItem make(uint32_t key, int64_t position) {
    return {uint64_t{key} << 32 | static_cast<uint32_t>(position)};
  }
  uint64_t digits() const { return bits >> 32; }
  int64_t position() const { return static_cast<uint32_t>(bits); }
  bool operator<(const PackedItem& other) const { return bits < other.bits; }
};
struct WideItem {
  uint64_t key;
  int64_t place;
  static WideItem make(uint64_t key, int64_t position) { return {key, position}; }
  uint64_t digits() const { return key; }
  int64_t position() const { return place; }
  bool operator<(const WideItem& other) const {
    return key != other.key ? key < other.key : place < other.place;
  }
};
/// Rows of 2^32 entries and more do not fit PackedItem.
template <class T>
using SortItem = std::conditional_t<sizeof(T) == 8, WideItem, PackedItem>;

/// Radix sort by bytes from the lowest, for long rows:
/// https://en.wikipedia.org/wiki/Radix_sort#Least_significant_digit
template <class Item>
void radix_sort(std::vector<Item>& items, std::vector<Item>& scratch, int key_bytes) {
  scratch.resize(items.size());
  std::vector<uint32_t> counts(static_cast<size_t>(key_bytes) * 256);
  for (const Item& item : items)
    for (int byte = 0; byte < key_bytes; ++byte)
      ++counts[static_cast<size_t>(byte * 256 + (item.digits() >> (8 * byte) & 255))];
  for (int byte = 0; byte < key_bytes; ++byte) {
    uint32_t* count = counts.data() + byte * 256;
    if (count[items[0].digits() >> (8 * byte) & 255] == items.size()) continue;  // all the same
    uint32_t start = 0;
    for (int digit = 0; digit < 256; ++digit) start += std::exchange(count[digit], start);
    for (const Item& item : items) scratch[count[item.digits() >> (8 * byte) & 255]++] = item;
    items.swap(scratch);
  }
}

/// Buffers that are reused from row to row.
template <class T>
struct RowSorter {
  using Item = SortItem<T>;
  std::vector<Item> items, scratch;

  void load(const T* row, int64_t step, int64_t count, bool descending) {
    items.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
      items[static_cast<size_t>(i)] = Item::make(sortable_key(row[i * step], descending), i);
  }
  void sort() {
    if (items.size() < 256)
      std::sort(items.begin(), items.end());
    else
      radix_sort(items, scratch, sizeof(T) == 8 ? 8 : 4);
  }
  /// Puts the `count` first items in front, in order if asked for.
  void select(int64_t count, bool sorted) {
    const auto end = items.begin() + count;
    if (count * 16 < static_cast<int64_t>(items.size()))
      return std::partial_sort(items.begin(), end, items.end());
    if (end != items.end()) std::nth_element(items.begin(), end - (count > 0), items.end());
    if (sorted) std::sort(items.begin(), end);
  }
};

}  // namespace tapegrad
