#include "ops/copy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "core/parallel.h"
#include "core/warning.h"
#include "ops/loops.h"
#include "ops/merged_loops.h"

namespace tapegrad {

namespace {

/// Whether the elements fill a block of memory without gaps, in any order of dimensions.
bool is_dense(const Tensor& like) {
  if (like.is_contiguous()) return true;
  const int rank = like.dim();
  Dims order(rank);
  std::iota(order.begin(), order.end(), 0);
  for (int i = 1; i < rank; ++i)
    for (int j = i;
         j > 0 && like.strides()[static_cast<int>(order[j])] > like.strides()[static_cast<int>(order[j - 1])];
         --j)
      std::swap(order[j], order[j - 1]);
  int64_t expected = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int dim = static_cast<int>(order[i]);
    const int64_t size = like.shape()[dim];
    if (size != 1 && like.strides()[dim] != expected) return false;
    expected *= size;
  }
  return true;
}

/// Copies between any layouts of one type: the dimension that is dense in the target against one that is
/// dense in the source (or the next) as a matrix, the others around it.
void copy_strided(const Tensor& target, const Tensor& source) {
  using Loop = MergedLoops<2>::Loop;  // steps in the target and the source, in bytes
  if (target.numel() == 0) return;
  const int64_t item = target.item_size();
  const int added = target.dim() - source.dim();
  Loop dims[kMaxDims];
  int dim_count = 0;
  for (int d = 0; d < target.dim(); ++d) {
    if (target.shape()[d] == 1) continue;
    const bool repeats = d < added || source.shape()[d - added] == 1;
    dims[dim_count++] = {target.shape()[d],
                         {target.strides()[d] * item, repeats ? 0 : source.strides()[d - added] * item}};
  }
  std::stable_sort(dims, dims + dim_count,
                   [](const Loop& a, const Loop& b) { return a.step[0] > b.step[0]; });
  MergedLoops<2> loops;
  for (int i = 0; i < dim_count; ++i) loops.add(dims[i]);
  Loop columns{1, {item, item}}, rows{1, {}};
  if (loops.count() > 0) columns = loops.take(loops.count() - 1);
  if (loops.count() > 0) {
    int row = loops.count() - 1;
    for (int i = 0; i < loops.count() && columns.step[1] != item; ++i)
      if (loops[i].step[1] == item) row = i;
    rows = loops.take(row);
  }

  constexpr int64_t kRows = 256;  // of one piece of work
  const auto kernel = kernels->copy.matrix[std::countr_zero(static_cast<unsigned>(item))];
  char *const to = target.raw(), *const from = source.raw();
  const int64_t pieces = (rows.size + kRows - 1) / kRows, piece = std::min(rows.size, kRows) * columns.size;
  LongWorkScope scope(target.numel());
  parallel_for(0, loops.iterations() * pieces, std::max<int64_t>(kElementwiseGrain / piece, 1),
               [&](int64_t lo, int64_t hi) {
                 for (; lo < hi; ++lo) {
                   const int64_t first = lo % pieces * kRows;
                   MatrixCopy copy{to + first * rows.step[0],
                                   from + first * rows.step[1],
                                   std::min(kRows, rows.size - first),
                                   columns.size,
                                   rows.step[0],
                                   columns.step[0],
                                   rows.step[1],
                                   columns.step[1]};
                   loops.locate(lo / pieces, [&](const Loop& loop, int64_t k) {
                     copy.to += k * loop.step[0];
                     copy.from += k * loop.step[1];
                   });
                   kernel(copy);
                 }
               });
}

}  // namespace

Tensor empty_like_layout(const Tensor& like, DType dtype) {
  Tensor tensor = empty(like.shape(), dtype);
  if (!(tensor.strides() == like.strides()) && is_dense(like))
    set_geometry(tensor, like.shape(), like.strides(), tensor.raw());
  return tensor;
}

void copy_values(const Tensor& target, const Tensor& source) {
  const BlockKernel kernel =
      kernels->elementwise.cast[static_cast<int>(source.dtype())][static_cast<int>(target.dtype())];
  if (target.is_contiguous() && source.is_contiguous() && target.shape() == source.shape()) {
    char* data[] = {target.raw(), source.raw()};
    const int sizes[] = {target.item_size(), source.item_size()};
    if (target.numel() > 0) launch_contiguous(kernel, nullptr, data, sizes, 2, target.numel());
    return;
  }
  if (target.dtype() == source.dtype()) return copy_strided(target, source);
  StridedLoop loop;
  loop.shape = target.shape();
  loop.add(target);
  loop.add(source);
  launch(kernel, nullptr, loop);
}

Tensor cast_values(const Tensor& tensor, DType dtype) {
  Tensor out = empty_like_layout(tensor, dtype);
  copy_values(out, tensor);
  return out;
}

Tensor contiguous_values(const Tensor& tensor) {
  Tensor out = empty(tensor.shape(), tensor.dtype());
  copy_values(out, tensor);
  return out;
}

void check_fits(Scalar value, DType dtype) {
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr const char* integers[] = {"int8_t", "int16_t", "int", "int64_t"};
    TG_CHECK(value.fits<T>(), "value cannot be converted to type ",
             std::is_same_v<T, uint8_t>    ? "uint8_t"
             : std::is_floating_point_v<T> ? "float"
                                           : integers[std::countr_zero(sizeof(T))],
             " without overflow: it is out of the range of ", dtype_name(dtype));
  });
}

void fill_values(const Tensor& target, Scalar value) {
  check_fits(value, target.dtype());
  if (target.is_contiguous() && target.numel() <= kElementwiseGrain) {
    dispatch(target.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      std::fill_n(target.data<T>(), target.numel(), value.to<T>());
    });
    return;
  }
  alignas(8) char element[8] = {};
  value.store(target.dtype(), element);
  const int type = static_cast<int>(target.dtype());
  StridedLoop loop;
  loop.shape = target.shape();
  loop.add(target);
  loop.add_repeated(element, target.item_size());
  launch(kernels->elementwise.cast[type][type], nullptr, loop);
}

Tensor full_values(IntSpan shape, Scalar value, DType dtype) {
  Tensor tensor = empty(shape, dtype);
  fill_values(tensor, value);
  return tensor;
}

void resize_output(const Tensor& out, IntSpan shape) {
  if (out.numel() > 0)
    warn_user("An output with one or more elements was resized since it had shape ", to_string(out.shape()),
              ", which does not match the required output shape ", to_string(shape),
              ". Pass a tensor of that shape, or torch.empty(0).");
  const size_t bytes = static_cast<size_t>(count_elements(shape) * out.item_size());
  if (bytes > out->storage->bytes() - static_cast<size_t>(out.raw() - out->storage->data())) {
    TG_CHECK(out->storage->owns_memory() && out->storage->unique() && !out->base, "out= has shape ",
             to_string(out.shape()), " but the result has shape ", to_string(shape),
             "; pass a tensor of that shape, or torch.empty(0).");
    out->storage = Storage::create(bytes);
    out->data = out->storage->data();
  }
  set_geometry(out, shape, contiguous_strides(shape), out.raw());
}

void check_no_internal_overlap(const Tensor& tensor) {
  if (tensor.numel() == 0) return;
  for (int i = 0; i < tensor.dim(); ++i)
    TG_CHECK(tensor.strides()[i] != 0 || tensor.shape()[i] <= 1,
             "unsupported operation: more than one element of the written-to tensor refers to a single "
             "memory location. "
             "Please clone() the tensor before performing the operation.");
}

void check_no_partial_overlap(const Tensor& target, const Tensor& source) {
  if (!(target->storage == source->storage) || target.numel() == 0 || source.numel() == 0) return;
  if (target.raw() == source.raw() && target.shape() == source.shape() &&
      target.strides() == source.strides())
    return;
  // Whether tensors with gaps meet is hard to tell: only dense ones are refused, as in PyTorch.
  if (!is_dense(target) || !is_dense(source)) return;
  TG_CHECK(target.raw() >= source.raw() + source.bytes() || source.raw() >= target.raw() + target.bytes(),
           "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
           "single memory "
           "location. Please clone() the tensor before performing the operation.");
}

}  // namespace tapegrad
