#include "ops/arithmetic.h"

#include "ops/copy.h"
#include "ops/formula.h"

namespace tapegrad {

#define TG_DEFINE_BINARY(Op, name)                                                      \
  Tensor name(const Tensor& a, const Tensor& b) { return elementwise(Op{}, a, b); }     \
  Tensor name(const Tensor& a, Scalar b) { return elementwise(Op{}, a, b); }            \
  Tensor name(Scalar a, const Tensor& b) { return elementwise(Op{}, a, b); }
TG_DEFINE_BINARY(Add, add)
TG_DEFINE_BINARY(Sub, sub)
TG_DEFINE_BINARY(Mul, mul)
TG_DEFINE_BINARY(Div, div)
TG_DEFINE_BINARY(Eq, eq)
TG_DEFINE_BINARY(Ne, ne)
TG_DEFINE_BINARY(Lt, lt)
TG_DEFINE_BINARY(Le, le)
TG_DEFINE_BINARY(Gt, gt)
TG_DEFINE_BINARY(Ge, ge)
#undef TG_DEFINE_BINARY

#define TG_DEFINE_UNARY(Op, name) \
  Tensor name(const Tensor& x) { return elementwise(Op{}, x); }
TG_DEFINE_UNARY(Neg, neg)
TG_DEFINE_UNARY(Exp, exp)
TG_DEFINE_UNARY(Log, log)
TG_DEFINE_UNARY(Sqrt, sqrt)
TG_DEFINE_UNARY(Tanh, tanh)
TG_DEFINE_UNARY(Sigmoid, sigmoid)
#undef TG_DEFINE_UNARY

Tensor zero_like(const Tensor& x) { return full_values(x.shape(), 0, x.dtype()); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) { return elementwise(Where{}, condition, a, b); }
Tensor where(const Tensor& condition, const Tensor& a, Scalar b) { return elementwise(Where{}, condition, a, b); }
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) { return elementwise(Where{}, condition, a, b); }

namespace {

bool is_one(Scalar alpha) { return alpha.to_double() == 1; }

void check_alpha(const Tensor& a, const Operand& b, Scalar alpha) {
  const Operand operands[] = {Operand(a), b};
  const DType dtype = result_type(operands);
  TG_CHECK(!alpha.is_boolean() || dtype == DType::bool_, "Boolean alpha only supported for Boolean results.");
  TG_CHECK(is_floating(dtype) || !alpha.is_floating(),
           "For integral input tensors, argument alpha must not be a floating point number.");
}

Tensor times(const Operand& b, Scalar alpha) {
  return b.is_tensor() ? mul(b.tensor(), alpha) : Tensor();
}
Scalar scaled(Scalar b, Scalar alpha) {
  if (b.is_floating() || alpha.is_floating()) return Scalar(b.to_double() * alpha.to_double());
  return Scalar(b.to_int() * alpha.to_int());
}
bool one_pass(const Tensor& a, const Operand& b) {
  return b.is_tensor() && a.is_floating() && b.tensor().dtype() == a.dtype();
}

}  // namespace

Tensor add(const Tensor& a, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise(Add{}, a, b);
  check_alpha(a, b, alpha);
  if (one_pass(a, b)) return elementwise(AddScaled{{}, alpha.to_double()}, a, b);
  return b.is_tensor() ? elementwise(Add{}, a, times(b, alpha)) : elementwise(Add{}, a, scaled(b.scalar(), alpha));
}

const Tensor& add_(const Tensor& self, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise_(Add{}, self, b);
  check_alpha(self, b, alpha);
  if (one_pass(self, b)) return elementwise_(AddScaled{{}, alpha.to_double()}, self, b);
  return b.is_tensor() ? elementwise_(Add{}, self, times(b, alpha)) : elementwise_(Add{}, self, scaled(b.scalar(), alpha));
}

Tensor sub(const Tensor& a, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise(Sub{}, a, b);
  check_alpha(a, b, alpha);
  return b.is_tensor() ? elementwise(Sub{}, a, times(b, alpha)) : elementwise(Sub{}, a, scaled(b.scalar(), alpha));
}

const Tensor& sub_(const Tensor& self, const Operand& b, Scalar alpha) {
  if (is_one(alpha)) return elementwise_(Sub{}, self, b);
  check_alpha(self, b, alpha);
  return b.is_tensor() ? elementwise_(Sub{}, self, times(b, alpha)) : elementwise_(Sub{}, self, scaled(b.scalar(), alpha));
}

}  // namespace tapegrad
