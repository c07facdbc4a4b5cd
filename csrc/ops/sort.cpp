#include "ops/sort.h"

#include "autograd/record.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/loops.h"
#include "ops/sort_rows.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// The lines of a tensor along one dimension as rows of a contiguous matrix, and results of other lengths on
/// the way back.
class Lines {
 public:
  Lines(const Tensor& x, int dim) : dim_(dim) {
    const autograd::NoGrad no_grad;
    const Tensor vector = x.dim() > 0 ? x : reshape(x, {{1}});
    const Tensor moved = transpose(vector, dim, -1);
    source_ = moved.is_contiguous() ? moved : contiguous_values(moved);
    length_ = source_.shape().back();
    count_ = length_ > 0 ? source_.numel() / length_ : 0;
    scalar_ = x.dim() == 0;
  }
  int64_t length() const { return length_; }
  int64_t count() const { return count_; }
  const Tensor& source() const { return source_; }

  /// A matrix for `length` results per line.
  Tensor make(int64_t length, DType dtype) const {
    Dims shape = source_.shape();
    shape[shape.size() - 1] = length;
    return empty(shape, dtype);
  }
  /// The results with the dimensions of x again.
  Tensor restore(const Tensor& rows) const {
    const autograd::NoGrad no_grad;
    if (scalar_) return contiguous_values(reshape(rows, {}));
    return dim_ == rows.dim() - 1 ? rows : contiguous_values(transpose(rows, dim_, -1));
  }

  /// Calls f(sorter, row of values, row number) for each line, on several threads.
  template <class T, class F>
  void for_each(F f) const {
    LongWorkScope scope(source_.numel());
    parallel_for(0, count_, std::max<int64_t>(kElementwiseGrain / std::max<int64_t>(length_, 1), 1),
                 [&](int64_t lo, int64_t hi) {
                   RowSorter<T> sorter;
                   for (int64_t row = lo; row < hi; ++row) f(sorter, source_.data<T>() + row * length_, row);
                 });
  }

 private:
  int dim_;
  Tensor source_;
  int64_t length_, count_;
  bool scalar_;
};

void check_length(const char* name, int64_t length) {
  TG_CHECK(length < (int64_t{1} << 32), name, ": lines of 2^32 elements and more are not supported");
}

/// Runs select(sorter) on each line and takes the `count` items that are then in front.
template <class Select>
std::tuple<Tensor, Tensor> pick(const Lines& lines, int64_t count, bool descending, Select select) {
  const Tensor values = lines.make(count, lines.source().dtype()), indices = lines.make(count, DType::int64);
  dispatch(lines.source().dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    lines.for_each<T>([&](RowSorter<T>& sorter, const T* row, int64_t number) {
      sorter.load(row, 1, lines.length(), descending);
      select(sorter);
      T* value = values.template data<T>() + number * count;
      int64_t* index = indices.template data<int64_t>() + number * count;
      for (int64_t i = 0; i < count; ++i) {
        index[i] = sorter.items[static_cast<size_t>(i)].position();
        value[i] = row[index[i]];
      }
    });
  });
  return {lines.restore(values), lines.restore(indices)};
}

/// Records values picked from `x` at `indices`; their gradient goes back to where they were.
Tensor record_pick(const char* name, const Tensor& values, const Tensor& x, const Tensor& indices, int dim) {
  return record(name, values, {x}, {save(indices)}, [dim, shape = x.shape()](Backward& b) {
    return scatter(full_values(shape, 0, b.grad().dtype()), dim, b.saved(0), b.grad());
  });
}

}  // namespace

std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending) {
  const int at = wrap_dim(dim, x.dim());
  const Lines lines(x, at);
  check_length("sort", lines.length());
  auto [values, indices] = pick(lines, lines.length(), descending, [](auto& sorter) { sorter.sort(); });
  return {record_pick("SortBackward0", values, x, indices, at), indices};
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  const autograd::NoGrad no_grad;
  return std::get<1>(sort(x, dim, descending));
}

std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  const int at = wrap_dim(dim, x.dim());
  const Lines lines(x, at);
  TG_CHECK(k >= 0 && k <= lines.length(), "selected index k out of range (k is ", k, " and dimension ", at,
           " has size ", lines.length(), ")");
  check_length("topk", lines.length());
  auto [values, indices] = pick(lines, k, largest, [&](auto& sorter) { sorter.select(k, sorted); });
  return {record_pick("TopkBackward0", values, x, indices, at), indices};
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  const int at = wrap_dim(dim, x.dim());
  const Lines lines(x, at);
  TG_CHECK(k > 0 && k <= lines.length(), "kthvalue(): selected number k out of range for dimension ", at,
           ": k is ", k, " and the size is ", lines.length());
  check_length("kthvalue", lines.length());
  auto [values, indices] = pick(lines, 1, false, [&](auto& sorter) {
    auto& items = sorter.items;
    std::nth_element(items.begin(), items.begin() + (k - 1), items.end());
    std::swap(items[0], items[static_cast<size_t>(k - 1)]);
  });
  if (!keepdim && x.dim() > 0)
    for (const Tensor* result : {&values, &indices}) {
      Dims shape = result->shape();
      shape.erase(at);
      set_geometry(*result, shape, contiguous_strides(shape), result->raw());
    }
  const bool dropped = !keepdim && x.dim() > 0;
  return {record("KthvalueBackward0", values, {x}, {save(indices)},
                 [at, dropped, shape = x.shape()](Backward& b) {
                   const Tensor zeros = full_values(shape, 0, b.grad().dtype());
                   if (!dropped) return scatter(zeros, at, b.saved(0), b.grad());
                   return scatter(zeros, at, unsqueeze(b.saved(0), at), unsqueeze(b.grad(), at));
                 }),
          indices};
}

}  // namespace tapegrad
