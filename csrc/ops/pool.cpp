#include "ops/pool.h"

#include "autograd/record.h"
#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/pool_windows.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

const PoolKernels<float>& table_for(float) { return kernels->pool_f32; }
const PoolKernels<double>& table_for(double) { return kernels->pool_f64; }

Tensor row_major(const Tensor& x) { return x.is_contiguous() ? x : contiguous_values(x); }

/// Calls body(first plane, planes) on shares of all planes.
template <class Body>
void for_planes(int64_t planes, int64_t work_per_plane, Body body) {
  LongWorkScope scope(planes * work_per_plane);
  parallel_for(0, planes, std::max<int64_t>(kElementwiseGrain / std::max<int64_t>(work_per_plane, 1), 1),
               [&](int64_t lo, int64_t hi) { body(lo, hi - lo); });
}

Tensor spread(const char* name, const Tensor& y, const Dims& shape, const Windows& windows);

Tensor average(const char* name, const Tensor& x, const Windows& windows) {
  Tensor out = empty(pooled_shape(x.shape(), windows), x.dtype());
  const Tensor input = row_major(x);
  if (out.numel() > 0) {
    const WindowBounds bounds(windows);
    const int64_t in_step = windows.in_volume(), out_step = windows.out_volume();
    dispatch_floating(x.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = input.data<T>();
      T* to = out.data<T>();
      for_planes(out.numel() / out_step, in_step + out_step * windows.kernel_volume(),
                 [&](int64_t p, int64_t planes) {
                   table_for(T()).average(bounds.job(planes), from + p * in_step, to + p * out_step);
                 });
    });
  }
  return record(name, std::move(out), {x}, {}, [name, windows, shape = x.shape()](Backward& b) {
    return spread(name, b.grad(), shape, windows);
  });
}

/// The adjoint of average: each element is shared out to its window.
Tensor spread(const char* name, const Tensor& y, const Dims& shape, const Windows& windows) {
  Tensor out = full_values(shape, 0, y.dtype());
  const Tensor input = row_major(y);
  if (y.numel() > 0) {
    const WindowBounds bounds(windows);
    const int64_t in_step = windows.in_volume(), out_step = windows.out_volume();
    dispatch_floating(y.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = input.data<T>();
      T* to = out.data<T>();
      for_planes(y.numel() / out_step, in_step + out_step * windows.kernel_volume(),
                 [&](int64_t p, int64_t planes) {
                   table_for(T()).spread(bounds.job(planes), from + p * out_step, to + p * in_step);
                 });
    });
  }
  return record(name, std::move(out), {y}, {},
                [name, windows](Backward& b) { return average(name, b.grad(), windows); });
}

Tensor put_picked(const char* name, const Tensor& y, const Tensor& indices, const Dims& shape,
                  const Windows& windows);

/// Elements of the planes of x at `indices`.
Tensor pick(const char* name, const Tensor& x, const Tensor& indices, const Windows& windows) {
  Tensor out = empty(indices.shape(), x.dtype());
  const Tensor input = row_major(x);
  const int64_t in_step = windows.in_volume(), out_step = windows.out_volume();
  const int64_t* index = indices.data<int64_t>();
  if (out.numel() > 0)
    dispatch_floating(x.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = input.data<T>();
      T* to = out.data<T>();
      for_planes(out.numel() / out_step, out_step, [&](int64_t p, int64_t planes) {
        table_for(T()).pick({planes, in_step, out_step, index + p * out_step}, from + p * in_step,
                            to + p * out_step);
      });
    });
  return record(name, std::move(out), {x}, {save(indices)}, [name, windows, shape = x.shape()](Backward& b) {
    return put_picked(name, b.grad(), b.saved(0), shape, windows);
  });
}

/// The adjoint of pick: elements are added to where they came from.
Tensor put_picked(const char* name, const Tensor& y, const Tensor& indices, const Dims& shape,
                  const Windows& windows) {
  Tensor out = full_values(shape, 0, y.dtype());
  const Tensor input = row_major(y);
  const int64_t in_step = windows.in_volume(), out_step = windows.out_volume();
  const int64_t* index = indices.data<int64_t>();
  if (y.numel() > 0)
    dispatch_floating(y.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = input.data<T>();
      T* to = out.data<T>();
      for_planes(y.numel() / out_step, out_step, [&](int64_t p, int64_t planes) {
        table_for(T()).add_picked({planes, in_step, out_step, index + p * out_step}, from + p * out_step,
                                  to + p * in_step);
      });
    });
  return record(name, std::move(out), {y}, {save(indices)},
                [name, windows](Backward& b) { return pick(name, b.grad(), b.saved(0), windows); });
}

std::tuple<Tensor, Tensor> largest(const char* name, const Tensor& x, const Windows& windows) {
  if (!x.is_floating()) {
    auto [values, indices] = largest(name, to(x, DType::float64), windows);
    return {to(values, x.dtype()), indices};
  }
  const Dims shape = pooled_shape(x.shape(), windows);
  Tensor outputs[] = {empty(shape, x.dtype()), empty(shape, DType::int64)};
  const Tensor input = row_major(x);
  if (outputs[0].numel() > 0) {
    const WindowBounds bounds(windows);
    const int64_t in_step = windows.in_volume(), out_step = windows.out_volume();
    int64_t* index = outputs[1].data<int64_t>();
    dispatch_floating(x.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = input.data<T>();
      T* to = outputs[0].data<T>();
      for_planes(outputs[0].numel() / out_step, out_step * windows.kernel_volume(),
                 [&](int64_t p, int64_t planes) {
                   table_for(T()).largest(bounds.job(planes), from + p * in_step, to + p * out_step,
                                          index + p * out_step);
                 });
    });
  }
  autograd::record_outputs(name, outputs, autograd::TensorRefs{x}, {save(outputs[1])},
                           [name, windows, shape = x.shape()](Backward& b) {
                             return put_picked(name, b.grad(), b.saved(0), shape, windows);
                           });
  return {outputs[0], outputs[1]};
}

const char* by_rank(int rank, const char* one, const char* two, const char* three) {
  return rank == 1 ? one : rank == 2 ? two : three;
}

}  // namespace

std::tuple<Tensor, Tensor> max_pool_with_indices(int rank, const Tensor& x, IntSpan kernel, IntSpan stride,
                                                 IntSpan padding, IntSpan dilation, bool ceil_mode) {
  const char* name = by_rank(rank, "max_pool1d", "max_pool2d", "max_pool3d");
  return largest(by_rank(rank, "MaxPool2DWithIndicesBackward0", "MaxPool2DWithIndicesBackward0",
                         "MaxPool3DWithIndicesBackward0"),
                 x, sliding_windows(name, rank, x.shape(), kernel, stride, padding, dilation, ceil_mode));
}

Tensor avg_pool(int rank, const Tensor& x, IntSpan kernel, IntSpan stride, IntSpan padding, bool ceil_mode,
                bool count_include_pad, std::optional<int64_t> divisor) {
  const char* name = by_rank(rank, "avg_pool1d", "avg_pool2d", "avg_pool3d");
  TG_CHECK(!divisor || *divisor != 0, "divisor must be not zero");
  TG_CHECK(x.is_floating(), "\"", name, "\" not implemented for '", scalar_type_name(x.dtype()),
           "' (convert the input with .float())");
  Windows windows = sliding_windows(name, rank, x.shape(), kernel, stride, padding, {{1}}, ceil_mode);
  windows.count_include_pad = count_include_pad;
  windows.divisor = static_cast<double>(divisor.value_or(0));
  return average(by_rank(rank, "AvgPool2DBackward0", "AvgPool2DBackward0", "AvgPool3DBackward0"), x, windows);
}

Tensor adaptive_avg_pool(int rank, const Tensor& x, IntSpan output_size) {
  const char* name = by_rank(rank, "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d");
  TG_CHECK(x.is_floating(), "\"", name, "\" not implemented for '", scalar_type_name(x.dtype()),
           "' (convert the input with .float())");
  return average(
      by_rank(rank, "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0"),
      x, adaptive_windows(name, rank, x.shape(), output_size));
}

std::tuple<Tensor, Tensor> adaptive_max_pool(int rank, const Tensor& x, IntSpan output_size) {
  const char* name = by_rank(rank, "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d");
  return largest(
      by_rank(rank, "AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool3DBackward0"),
      x, adaptive_windows(name, rank, x.shape(), output_size));
}

Tensor max_unpool(int rank, const Tensor& x, const Tensor& indices, IntSpan output_size) {
  TG_CHECK(indices.dtype() == DType::int64,
           "elements in indices should be type int64 but got: ", scalar_type_name(indices.dtype()));
  TG_CHECK(x.shape() == indices.shape(), "Expected shape of indices to be same as that of the input tensor (",
           to_string(x.shape()), ") but got indices tensor with shape: ", to_string(indices.shape()));
  TG_CHECK(static_cast<int>(output_size.size()) == rank, "There should be exactly ", rank,
           " elements in output_size, but got ", output_size.size(), " elements.");
  Dims shape(x.dim() - rank), flat(x.dim() - rank + 1, -1);
  for (int d = 0; d < shape.size(); ++d) shape[d] = flat[d] = x.shape()[d];
  Dims target = flat;
  target[target.size() - 1] = count_elements(output_size);
  for (const int64_t size : output_size) shape.push_back(size);
  return reshape(scatter(full_values(target, 0, x.dtype()), -1, reshape(indices, flat), reshape(x, flat)),
                 shape);
}

}  // namespace tapegrad
