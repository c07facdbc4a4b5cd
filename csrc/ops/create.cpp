#include "ops/create.h"

#include <cmath>
#include <cstring>

#include "ops/copy.h"

namespace tapegrad {

Tensor full(IntSpan shape, Scalar value, DType dtype) {
  check_shape(shape, dtype);
  return full_values(shape, value, dtype);
}

Tensor zeros(IntSpan shape, DType dtype) {
  check_shape(shape, dtype);
  Tensor tensor = empty(shape, dtype);
  std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

Tensor ones(IntSpan shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& like) {
  Tensor tensor = empty_like_layout(like, like.dtype());
  std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.bytes()));
  return tensor;
}
Tensor ones_like(const Tensor& like) {
  Tensor tensor = empty_like_layout(like, like.dtype());
  fill_values(tensor, 1);
  return tensor;
}

Tensor arange(Scalar start, Scalar end, Scalar step, DType dtype) {
  TG_CHECK(step.to_double() != 0, "step must be nonzero");
  if (dtype == DType::int64) {  // fractions are cut off first; for the smaller types only from the elements
    start = start.to_int();
    end = end.to_int();
    TG_CHECK_VALUE(step.to_int() != 0, "step must be nonzero");
    step = step.to_int();
  }
  const double first = start.to_double(), last = end.to_double(), stride = step.to_double();
  TG_CHECK(std::isfinite(first) && std::isfinite(last), "unsupported range: ", first, " -> ", last);
  TG_CHECK((stride > 0) == (last >= first) || last == first,
           "upper bound and lower bound inconsistent with step sign");
  const bool integral = !start.is_floating() && !end.is_floating() && !step.is_floating();
  const double approximate = std::ceil((last - first) / stride);
  TG_CHECK(approximate >= 0 && approximate < 0x1p62, "invalid size, possible overflow?");
  int64_t count = static_cast<int64_t>(approximate);
  if (integral) {
    const int64_t sign = step.to_int() > 0 ? 1 : -1;
    int64_t span;
    TG_CHECK(!__builtin_sub_overflow(end.to_int(), start.to_int(), &span) &&
                 !__builtin_add_overflow(span, step.to_int() - sign, &span),
             "invalid size, possible overflow?");
    count = span / step.to_int();
  }
  Tensor tensor = empty({{count}}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TG_CHECK(dtype != DType::bool_, "\"arange_cpu\" not implemented for 'Bool'");
    T* out = tensor.data<T>();
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(first + stride * static_cast<double>(i));
    else
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(start.to_int() + step.to_int() * i);
  });
  return tensor;
}

Tensor linspace(Scalar start, Scalar end, int64_t steps, DType dtype) {
  TG_CHECK(steps >= 0, "number of steps must be non-negative");
  check_shape({{steps}}, dtype);
  Tensor tensor = empty({{steps}}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    // The step is rounded to the element type, and the second half counts from the end, as PyTorch computes
    // it.
    using Step = std::conditional_t<std::is_floating_point_v<T>, T, float>;
    const Step first = start.to<Step>(), last = end.to<Step>();
    const Step step = steps > 1 ? (last - first) / static_cast<Step>(steps - 1) : Step(0);
    T* out = tensor.data<T>();
    for (int64_t i = 0; i < steps; ++i)
      out[i] = static_cast<T>(i < steps / 2 || steps == 1 ? first + step * static_cast<Step>(i)
                                                          : last - step * static_cast<Step>(steps - i - 1));
  });
  return tensor;
}

Tensor logspace(Scalar start, Scalar end, int64_t steps, double base, DType dtype) {
  TG_CHECK(steps >= 0, "number of steps must be non-negative");
  Tensor exponents = linspace(start, end, steps, DType::float64);
  for (int64_t i = 0; i < steps; ++i)
    exponents.data<double>()[i] = std::pow(base, exponents.data<double>()[i]);
  return cast_values(exponents, dtype);
}

Tensor eye(int64_t rows, int64_t columns, DType dtype) {
  TG_CHECK(rows >= 0, "n must be greater or equal to 0, got ", rows);
  TG_CHECK(columns >= 0, "m must be greater or equal to 0, got ", columns);
  Tensor tensor = zeros({{rows, columns}}, dtype);
  const int64_t count = std::min(rows, columns);
  if (count > 0) fill_values(make_view(tensor, {{count}}, {{columns + 1}}, 0), 1);
  return tensor;
}

}  // namespace tapegrad
