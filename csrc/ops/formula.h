// Tensor arithmetic for derivative formulas: the operators and functions that formulas share with Vec<T>.
#pragma once
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// Declared here and defined with the operation's family.
// clang-format off
#define TG_FORMULA_UNARY(M)                                                                                \
  M(neg)                                                                                                   \
  M(abs)                                                                                                   \
  M(sign)                                                                                                  \
  M(floor)                                                                                                 \
  M(trunc)                                                                                                 \
  M(sqrt) M(rsqrt) M(square) M(exp) M(exp2) M(expm1) M(log) M(log1p) M(sin) M(cos) M(sinh) M(cosh) M(tanh) \
      M(sigmoid) M(logsigmoid) M(relu) M(erf) M(erfinv) M(digamma) M(lgamma) M(reciprocal) M(isnan) M(isfinite) M(logical_not)
// clang-format on
#define TG_DECLARE(name) Tensor name(const Tensor& x);
TG_FORMULA_UNARY(TG_DECLARE)
#undef TG_DECLARE

#define TG_FORMULA_BINARY(M) M(add) M(sub) M(mul) M(div) M(pow) M(eq) M(ne) M(lt) M(le) M(gt) M(ge)
#define TG_DECLARE(name)                         \
  Tensor name(const Tensor& a, const Tensor& b); \
  Tensor name(const Tensor& a, Scalar b);        \
  Tensor name(Scalar a, const Tensor& b);
TG_FORMULA_BINARY(TG_DECLARE)
#undef TG_DECLARE

Tensor zero_like(const Tensor& x);
/// The n-th derivative of digamma.
Tensor polygamma(int64_t n, const Tensor& x);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);

Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);

#define TG_OPERATOR(symbol, name)                                                        \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return name(a, b); } \
  inline Tensor operator symbol(const Tensor& a, Scalar b) { return name(a, b); }        \
  inline Tensor operator symbol(Scalar a, const Tensor& b) { return name(a, b); }
TG_OPERATOR(+, add)
TG_OPERATOR(-, sub)
TG_OPERATOR(*, mul)
TG_OPERATOR(/, div)
TG_OPERATOR(==, eq)
TG_OPERATOR(!=, ne)
TG_OPERATOR(<, lt)
TG_OPERATOR(<=, le)
TG_OPERATOR(>, gt)
TG_OPERATOR(>=, ge)
#undef TG_OPERATOR
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
inline Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }

}  // namespace tapegrad
