#include "ops/closeness.h"

#include <cmath>

#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

template <class T>
bool close(T a, T b, double rtol, double atol, bool equal_nan) {
  if (a == b) return true;
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return equal_nan && std::isnan(a) && std::isnan(b);
    // In the tensors' own precision, as PyTorch computes it.
    return std::isfinite(b) && std::isfinite(a) &&
           std::abs(a - b) <= static_cast<T>(atol) + std::abs(static_cast<T>(rtol) * b);
  } else {
    const auto x = static_cast<double>(a), y = static_cast<double>(b);
    return std::abs(x - y) <= atol + std::abs(rtol * y);
  }
}

}  // namespace

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  TG_CHECK(a.dtype() == b.dtype(), scalar_type_name(a.dtype()), " did not match ",
           scalar_type_name(b.dtype()));
  TG_CHECK(rtol >= 0, "rtol must be greater than or equal to zero, but got ", rtol);
  TG_CHECK(atol >= 0, "atol must be greater than or equal to zero, but got ", atol);
  const Dims shape = broadcast_shapes(a.shape(), b.shape());
  const Tensor left = contiguous_values(expand(autograd::detach(a), shape)),
               right = contiguous_values(expand(autograd::detach(b), shape));
  Tensor out = empty(shape, DType::bool_);
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < out.numel(); ++i)
      out.data<bool>()[i] = close(left.data<T>()[i], right.data<T>()[i], rtol, atol, equal_nan);
  });
  return out;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const Tensor close = isclose(a, b, rtol, atol, equal_nan);
  return std::all_of(close.data<bool>(), close.data<bool>() + close.numel(),
                     [](bool value) { return value; });
}

}  // namespace tapegrad
