#include "ops/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/formula.h"
#include "ops/views.h"

namespace tapegrad {

using autograd::Backward;

#define TG_DEFINE_BINARY(Op, name)                                                  \
  Tensor name(const Tensor& a, const Tensor& b) { return elementwise(Op{}, a, b); } \
  Tensor name(const Tensor& a, Scalar b) { return elementwise(Op{}, a, b); }        \
  Tensor name(Scalar a, const Tensor& b) { return elementwise(Op{}, a, b); }
TG_DEFINE_BINARY(Add, add)
TG_DEFINE_BINARY(Sub, sub)
TG_DEFINE_BINARY(Mul, mul)
TG_DEFINE_BINARY(Eq, eq)
TG_DEFINE_BINARY(Ne, ne)
TG_DEFINE_BINARY(Lt, lt)
TG_DEFINE_BINARY(Le, le)
TG_DEFINE_BINARY(Gt, gt)
TG_DEFINE_BINARY(Ge, ge)
#undef TG_DEFINE_BINARY
Tensor maximum(const Tensor& a, const Tensor& b) { return elementwise(Maximum{}, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return elementwise(Minimum{}, a, b); }
Tensor bitwise_and(const Tensor& a, const Tensor& b) { return elementwise(BitwiseAnd{}, a, b); }
Tensor bitwise_or(const Tensor& a, const Tensor& b) { return elementwise(BitwiseOr{}, a, b); }

#define TG_DEFINE_UNARY(Op, name) \
  Tensor name(const Tensor& x) { return elementwise(Op{}, x); }
TG_DEFINE_UNARY(Neg, neg)
TG_DEFINE_UNARY(Abs, abs)
TG_DEFINE_UNARY(Sign, sign)
TG_DEFINE_UNARY(Floor, floor)
TG_DEFINE_UNARY(Trunc, trunc)
TG_DEFINE_UNARY(Sqrt, sqrt)
TG_DEFINE_UNARY(Rsqrt, rsqrt)
TG_DEFINE_UNARY(Exp, exp)
TG_DEFINE_UNARY(Exp2, exp2)
TG_DEFINE_UNARY(Expm1, expm1)
TG_DEFINE_UNARY(Log, log)
TG_DEFINE_UNARY(Log1p, log1p)
TG_DEFINE_UNARY(Sin, sin)
TG_DEFINE_UNARY(Cos, cos)
TG_DEFINE_UNARY(Sinh, sinh)
TG_DEFINE_UNARY(Cosh, cosh)
TG_DEFINE_UNARY(Tanh, tanh)
TG_DEFINE_UNARY(Sigmoid, sigmoid)
TG_DEFINE_UNARY(LogSigmoid, logsigmoid)
TG_DEFINE_UNARY(Relu, relu)
TG_DEFINE_UNARY(Erf, erf)
TG_DEFINE_UNARY(Erfinv, erfinv)
TG_DEFINE_UNARY(Digamma, digamma)
TG_DEFINE_UNARY(Lgamma, lgamma)
TG_DEFINE_UNARY(Reciprocal, reciprocal)
TG_DEFINE_UNARY(IsNan, isnan)
TG_DEFINE_UNARY(IsFinite, isfinite)
TG_DEFINE_UNARY(LogicalNot, logical_not)
#undef TG_DEFINE_UNARY

Tensor zero_like(const Tensor& x) { return full_values(x.shape(), 0, x.dtype()); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return elementwise(Where{}, condition, a, b);
}
Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  check_fits(b, wrap_scalar(b, a).dtype());
  return elementwise(Where{}, condition, a, b);
}
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  check_fits(a, wrap_scalar(a, b).dtype());
  return elementwise(Where{}, condition, a, b);
}

namespace {

bool is_one(Scalar alpha) { return alpha.to_double() == 1; }

bool has_bool(const Tensor& a, const Operand& b) {
  return a.dtype() == DType::bool_ ||
         (b.is_tensor() ? b.tensor().dtype() == DType::bool_ : b.scalar().is_boolean());
}

/// The type of a + alpha b, after a check that alpha fits it.
DType check_alpha(const Tensor& a, const Operand& b, Scalar alpha) {
  const Operand operands[] = {Operand(a), b};
  const DType dtype = result_type(operands);
  TG_CHECK(!alpha.is_boolean() || dtype == DType::bool_, "Boolean alpha only supported for Boolean results.");
  TG_CHECK(is_floating(dtype) || !alpha.is_floating(),
           "For integral input tensors, argument alpha must not be a floating point number.");
  check_fits(alpha, dtype);
  return dtype;
}

/// alpha x in the type of the result.
Tensor times(const Tensor& x, Scalar alpha, DType dtype) {
  if (dtype == DType::bool_) alpha = alpha.to<bool>();
  return mul(x.dtype() == dtype ? x : to(x, dtype), alpha);
}
Scalar scaled(Scalar b, Scalar alpha) {
  if (b.is_boolean() && !alpha.is_floating()) return Scalar(b.to<bool>() && alpha.to<bool>());
  if (b.is_floating() || alpha.is_floating()) return Scalar(b.to_double() * alpha.to_double());
  return Scalar(b.to_int() * alpha.to_int());
}
bool one_pass(const Tensor& a, const Operand& b) {
  return b.is_tensor() && a.is_floating() && b.tensor().dtype() == a.dtype();
}

Bound make_bound(std::optional<Scalar> value) {
  return value ? Bound{value->to_double(), value->to_int(), true} : Bound{0, 0, false};
}
Clamp make_clamp(std::optional<Scalar> low, std::optional<Scalar> high) {
  return {{}, make_bound(low), make_bound(high)};
}
/// The input in the type that it has together with the bounds.
Tensor clamp_input(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
  const Operand operands[] = {Operand(x), Operand(low ? *low : *high), Operand(high ? *high : *low)};
  DType dtype = result_type(operands);
  if (dtype == DType::bool_) dtype = DType::int64;
  for (const std::optional<Scalar>& bound : {low, high})
    if (bound) check_fits(*bound, dtype);
  return dtype == x.dtype() ? x : cast_values(x, dtype);
}

}  // namespace

Tensor add(const Tensor& a, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise(Add{}, a, b);
  const DType dtype = check_alpha(a, b, alpha);
  if (one_pass(a, b)) return elementwise(AddScaled{{}, alpha.to_double()}, a, b);
  return b.is_tensor() ? elementwise(Add{}, a, times(b.tensor(), alpha, dtype))
                       : elementwise(Add{}, a, scaled(b.scalar(), alpha));
}

const Tensor& add_(const Tensor& self, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise_(Add{}, self, b);
  const DType dtype = check_alpha(self, b, alpha);
  if (one_pass(self, b)) return elementwise_(AddScaled{{}, alpha.to_double()}, self, b);
  return b.is_tensor() ? elementwise_(Add{}, self, times(b.tensor(), alpha, dtype))
                       : elementwise_(Add{}, self, scaled(b.scalar(), alpha));
}

Tensor sub(const Tensor& a, const Operand& b, Scalar alpha) {
  if (is_one(alpha) || has_bool(a, b)) return elementwise(Sub{}, a, b);  // which refuses bools
  const DType dtype = check_alpha(a, b, alpha);
  return b.is_tensor() ? elementwise(Sub{}, a, times(b.tensor(), alpha, dtype))
                       : elementwise(Sub{}, a, scaled(b.scalar(), alpha));
}

const Tensor& sub_(const Tensor& self, const Operand& b, Scalar alpha) {
  if (is_one(alpha) || has_bool(self, b)) return elementwise_(Sub{}, self, b);
  const DType dtype = check_alpha(self, b, alpha);
  return b.is_tensor() ? elementwise_(Sub{}, self, times(b.tensor(), alpha, dtype))
                       : elementwise_(Sub{}, self, scaled(b.scalar(), alpha));
}

Tensor div(const Tensor& a, const Tensor& b) { return elementwise(Div{}, a, b); }
Tensor div(const Tensor& a, Scalar b) { return elementwise(Div{}, a, b); }
// PyTorch computes a number over a tensor as the reciprocal times the number; so its rounding is kept.
Tensor div(Scalar a, const Tensor& b) { return mul(reciprocal(b), a); }

namespace {

// Integers have no infinity to return.
void check_divisor(const Tensor& a, const Operand& b) {
  if (a.is_floating() || (b.is_tensor() ? b.tensor().is_floating() : b.scalar().is_floating())) return;
  bool zero = false;
  if (b.is_tensor()) {
    const Tensor divisor = b.tensor().is_contiguous() ? b.tensor() : contiguous_values(b.tensor());
    dispatch(divisor.dtype(), [&](auto tag) {
      const auto* values = divisor.data<typename decltype(tag)::type>();
      for (int64_t i = 0; i < divisor.numel(); ++i) zero |= values[i] == 0;
    });
  } else {
    zero = b.scalar().to_int() == 0;
  }
  TG_CHECK(!zero || a.numel() == 0, "ZeroDivisionError");
}

}  // namespace

Tensor floor_divide(const Tensor& a, const Operand& b) {
  check_divisor(a, b);
  return elementwise(FloorDivide{}, a, b);
}
const Tensor& floor_divide_(const Tensor& self, const Operand& b) {
  check_divisor(self, b);
  return elementwise_(FloorDivide{}, self, b);
}
Tensor remainder(const Tensor& a, const Operand& b) {
  check_divisor(a, b);
  return elementwise(Remainder{}, a, b);
}
const Tensor& remainder_(const Tensor& self, const Operand& b) {
  check_divisor(self, b);
  return elementwise_(Remainder{}, self, b);
}
Tensor fmod(const Tensor& a, const Operand& b) {
  check_divisor(a, b);
  return elementwise(Fmod{}, a, b);
}
const Tensor& fmod_(const Tensor& self, const Operand& b) {
  check_divisor(self, b);
  return elementwise_(Fmod{}, self, b);
}

Tensor divide(const Tensor& a, const Operand& b, std::optional<std::string_view> rounding_mode) {
  if (!rounding_mode) return elementwise(Div{}, a, b);
  if (*rounding_mode == "floor") return floor_divide(a, b);
  TG_CHECK(*rounding_mode == "trunc",
           "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *rounding_mode,
           "'");
  check_divisor(a, b);
  return elementwise(TruncDivide{}, a, b);
}
const Tensor& divide_(const Tensor& self, const Operand& b, std::optional<std::string_view> rounding_mode) {
  if (!rounding_mode) return elementwise_(Div{}, self, b);
  if (*rounding_mode == "floor") return floor_divide_(self, b);
  TG_CHECK(*rounding_mode == "trunc",
           "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *rounding_mode,
           "'");
  check_divisor(self, b);
  return elementwise_(TruncDivide{}, self, b);
}

namespace {

// Integer powers are exact; everything else is computed in floating point.
bool is_integer_pow(const Operand& a, const Operand& b) {
  const Operand operands[] = {a, b};
  return !is_floating(result_type(operands));
}
void check_integer_pow(const Tensor& base, const Operand& exponent) {
  TG_CHECK(exponent.is_tensor() || exponent.scalar().to_int() >= 0,
           "Integers to negative integer powers are not allowed.");
  if (!exponent.is_tensor() && !exponent.scalar().is_boolean()) check_fits(exponent.scalar(), base.dtype());
}
}  // namespace

Tensor pow(const Operand& a, const Operand& b) {
  if (is_integer_pow(a, b)) {
    if (a.is_tensor()) check_integer_pow(a.tensor(), b);
    return elementwise(IntegerPow{}, a, b);
  }
  if (!b.is_tensor()) {
    const Tensor base = a.tensor().is_floating() ? a.tensor() : cast_values(a.tensor(), default_dtype());
    return elementwise(PowNumber{{}, b.scalar().to_double()}, base);
  }
  if (!a.is_tensor() && a.scalar().to_double() == 1)
    return full_values(b.tensor().shape(), 1, wrap_scalar(a.scalar(), b.tensor()).dtype());
  return elementwise(Pow{}, a, b);
}
const Tensor& pow_(const Tensor& self, const Operand& b) {
  if (is_integer_pow(self, b)) {
    check_integer_pow(self, b);
    return elementwise_(IntegerPow{}, self, b);
  }
  if (!b.is_tensor() && self.is_floating()) return elementwise_(PowNumber{{}, b.scalar().to_double()}, self);
  return elementwise_(Pow{}, self, b);
}
Tensor pow(const Tensor& a, const Tensor& b) { return pow(Operand(a), Operand(b)); }
Tensor pow(const Tensor& a, Scalar b) { return pow(Operand(a), Operand(b)); }
Tensor pow(Scalar a, const Tensor& b) { return pow(Operand(a), Operand(b)); }

namespace {

Polygamma make_polygamma(int64_t n) {
  TG_CHECK(n >= 0, "polygamma(n, x) does not support negative n.");
  TG_CHECK(n <= 170, "polygamma(n, x): n! is too large for n = ", n, "; n is at most 170");
  return {{}, n};
}

}  // namespace

Tensor polygamma(int64_t n, const Tensor& x) { return elementwise(make_polygamma(n), x); }
const Tensor& polygamma_(const Tensor& self, int64_t n) { return elementwise_(make_polygamma(n), self); }

Tensor square(const Tensor& x) {
  return elementwise(Square{}, x.dtype() == DType::bool_ ? cast_values(x, DType::int64) : x);
}
const Tensor& square_(const Tensor& self) {
  TG_CHECK(self.dtype() != DType::bool_, "result type Long can't be cast to the desired output type Bool");
  return elementwise_(Square{}, self);
}

Tensor rsub(const Tensor& a, const Operand& b, Scalar alpha) {
  if (is_one(alpha) || has_bool(a, b)) return elementwise(Rsub{}, a, b);
  return elementwise(Rsub{}, times(a, alpha, check_alpha(a, b, alpha)), b);
}

Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
  TG_CHECK(low || high, "torch.clamp: At least one of 'min' or 'max' must not be None");
  const Tensor typed = clamp_input(x, low, high);
  return elementwise(make_clamp(low, high), typed);
}
const Tensor& clamp_(const Tensor& self, std::optional<Scalar> low, std::optional<Scalar> high) {
  TG_CHECK(low || high, "torch.clamp: At least one of 'min' or 'max' must not be None");
  const DType wanted = clamp_input(self, low, high).dtype();
  TG_CHECK(can_cast(wanted, self.dtype()), "result type ", scalar_type_name(wanted),
           " can't be cast to the desired output type ", scalar_type_name(self.dtype()));
  return elementwise_(make_clamp(low, high), self);
}
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high) {
  TG_CHECK(low.defined() || high.defined(), "torch.clamp: At least one of 'min' or 'max' must not be None");
  if (!high.defined()) return elementwise(ClampMin{{}, ClampBetween::node_name}, x, low);
  if (!low.defined()) return elementwise(ClampMax{{}, ClampBetween::node_name}, x, high);
  return elementwise(ClampBetween{}, x, low, high);
}
const Tensor& clamp_(const Tensor& self, const Tensor& low, const Tensor& high) {
  TG_CHECK(low.defined() || high.defined(), "torch.clamp: At least one of 'min' or 'max' must not be None");
  if (!high.defined()) return elementwise_(ClampMin{{}, ClampBetween::node_name}, self, low);
  if (!low.defined()) return elementwise_(ClampMax{{}, ClampBetween::node_name}, self, high);
  return elementwise_(ClampBetween{}, self, low, high);
}

namespace {

Tensor round_values(const Tensor& x, int64_t decimals) {
  const autograd::NoGrad no_grad;
  const double scale = std::pow(10.0, static_cast<double>(std::abs(decimals)));
  return decimals > 0 ? div(elementwise(Round{}, mul(x, scale)), scale)
                      : mul(elementwise(Round{}, div(x, scale)), scale);
}

}  // namespace

Tensor round(const Tensor& x, int64_t decimals) {
  if (decimals == 0 || !x.is_floating()) return elementwise(Round{}, x);
  return autograd::record("RoundBackward1", round_values(x, decimals), {x}, {},
                          [](Backward& b) { return zero_like(b.grad()); });
}

const Tensor& round_(const Tensor& self, int64_t decimals) {
  if (decimals == 0 || !self.is_floating()) return elementwise_(Round{}, self);
  autograd::check_inplace(self, autograd::any_tracked(autograd::TensorRefs{self}));
  copy_values(self, round_values(self, decimals));
  return autograd::record_inplace("RoundBackward1", self, {self}, {},
                                  [](Backward& b) { return zero_like(b.grad()); });
}

Tensor bitwise_not(const Tensor& x) {
  return x.dtype() == DType::bool_ ? logical_not(x) : elementwise(BitwiseNot{}, x);
}
const Tensor& bitwise_not_(const Tensor& self) {
  return self.dtype() == DType::bool_ ? elementwise_(LogicalNot{}, self) : elementwise_(BitwiseNot{}, self);
}

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return elementwise(Addcmul{{}, value.to_double()}, x, a, b);
}
const Tensor& addcmul_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar value) {
  return elementwise_(Addcmul{{}, value.to_double()}, self, a, b);
}

namespace {

void check_addcdiv(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.is_floating() || b.is_floating(),
           "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will "
           "perform a true division of tensor1 and tensor2. Convert one of them to a floating-point type.");
}

}  // namespace

Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  check_addcdiv(a, b);
  return elementwise(Addcdiv{{}, value.to_double()}, x, a, b);
}
const Tensor& addcdiv_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar value) {
  check_addcdiv(a, b);
  return elementwise_(Addcdiv{{}, value.to_double()}, self, a, b);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  TG_CHECK(x.dtype() == weight.dtype(), "prelu: Type promoting not supported. Got ",
           scalar_type_name(x.dtype()), " and ", scalar_type_name(weight.dtype()));
  if (weight.numel() == 1) return elementwise(Prelu{}, x, view(weight, {}));
  const int64_t channels = x.dim() >= 2 ? x.shape()[1] : 1;
  TG_CHECK(weight.dim() == 1 && weight.numel() == channels,
           "Mismatch of parameter numbers and input channel size. Found parameter numbers = ", weight.numel(),
           " and channel size = ", channels, ".");
  Dims shape(x.dim(), 1);
  shape[1] = channels;
  return elementwise(Prelu{}, x, view(weight, shape));
}

Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> positive,
                  std::optional<double> negative) {
  if (!x.is_floating()) return cast_values(x, x.dtype());
  const double largest = x.dtype() == DType::float32 ? double{std::numeric_limits<float>::max()}
                                                     : std::numeric_limits<double>::max();
  return elementwise(NanToNum{{}, nan.value_or(0), positive.value_or(largest), negative.value_or(-largest)},
                     x);
}

}  // namespace tapegrad
