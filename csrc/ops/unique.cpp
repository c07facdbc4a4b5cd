#include <numeric>

#include "autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/sort.h"
#include "ops/sort_rows.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

/// Compares slices of `width` elements.
template <class T>
struct Slices {
  const T* data;
  int64_t width;
  bool equal(int64_t a, int64_t b) const {
    return std::equal(data + a * width, data + (a + 1) * width, data + b * width);
  }
  bool less(int64_t a, int64_t b) const {
    return std::lexicographical_compare(data + a * width, data + (a + 1) * width, data + b * width,
                                        data + (b + 1) * width);
  }
};

/// Positions of the slices in order.
template <class T>
std::vector<int64_t> sorted_positions(const Slices<T>& slices, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (slices.width != 1) {
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return slices.less(a, b); });
    return order;
  }
  RowSorter<T> sorter;
  sorter.load(slices.data, 1, count, false);
  if (count > 0) sorter.sort();
  for (int64_t i = 0; i < count; ++i)
    order[static_cast<size_t>(i)] = sorter.items[static_cast<size_t>(i)].position();
  return order;
}

struct Groups {
  std::vector<int64_t> first, counts;  // of each group: the position of its first slice, and its size
  Tensor inverse;
};

/// Groups equal neighbours in the given order.
template <class T>
Groups group(const Slices<T>& slices, const std::vector<int64_t>& order) {
  Groups groups;
  groups.inverse = empty({{static_cast<int64_t>(order.size())}}, DType::int64);
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || !slices.equal(order[i - 1], order[i])) {
      groups.first.push_back(order[i]);
      groups.counts.push_back(0);
    }
    ++groups.counts.back();
    groups.inverse.data<int64_t>()[order[i]] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  return groups;
}

Tensor to_tensor(const std::vector<int64_t>& values) {
  Tensor tensor = empty({{static_cast<int64_t>(values.size())}}, DType::int64);
  std::copy(values.begin(), values.end(), tensor.data<int64_t>());
  return tensor;
}

UniqueResult find_groups(const Tensor& x, std::optional<int64_t> dim, bool sorted) {
  const autograd::NoGrad no_grad;
  const int at = dim ? wrap_dim(*dim, x.dim()) : 0;
  const Tensor lines = contiguous_values(dim && x.dim() > 0 ? transpose(x, 0, at) : reshape(x, {{-1}}));
  const int64_t count = lines.shape()[0], width = count > 0 ? lines.numel() / count : 1;
  const Groups groups = dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Slices<T> slices{lines.data<T>(), width};
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    return group(slices, sorted ? sorted_positions(slices, count) : order);
  });
  const Tensor picked = index_select(lines, 0, to_tensor(groups.first));
  if (!dim) set_geometry(groups.inverse, x.shape(), contiguous_strides(x.shape()), groups.inverse.raw());
  return {dim && x.dim() > 0 ? contiguous_values(transpose(picked, 0, at)) : picked, groups.inverse,
          to_tensor(groups.counts)};
}

}  // namespace

UniqueResult unique(const Tensor& x, std::optional<int64_t> dim) { return find_groups(x, dim, true); }
UniqueResult unique_consecutive(const Tensor& x, std::optional<int64_t> dim) {
  return find_groups(x, dim, false);
}

}  // namespace tapegrad
