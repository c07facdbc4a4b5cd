// Elementwise operations in Python: function, method, in-place form and out= of every struct in elementwise_defs.h.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

template <class Op>
Tensor with_out(const Tensor& a, const Tensor& out) {
  return out.defined() ? elementwise_out(Op{}, out, a) : elementwise(Op{}, a);
}
template <class Op, class Second>
Tensor with_out(const Tensor& a, const Second& b, const Tensor& out) {
  return out.defined() ? elementwise_out(Op{}, out, a, b) : elementwise(Op{}, a, b);
}
template <class Op, class Second, class Third>
Tensor with_out(const Tensor& a, const Second& b, const Third& c, const Tensor& out) {
  return out.defined() ? elementwise_out(Op{}, out, a, b, c) : elementwise(Op{}, a, b, c);
}

template <class Op>
void define_op() {
  if constexpr (Op::binds_itself) {
    const std::string name = Op::name;
    auto define = [&](const std::string& parameters, auto function) { def_op((name + parameters).c_str(), function); };
    auto define_inplace = [&](const std::string& parameters, auto function) {
      if (!Op::returns_bool) def_op((name + "_" + parameters).c_str(), function);
    };
    if constexpr (Op::arity == 1) {
      define("(Tensor input, *, Tensor? out=None)", with_out<Op>);
      define_inplace("(Tensor input)", +[](const Tensor& a) { return elementwise_(Op{}, a); });
    } else if constexpr (Op::arity == 2 && Op::takes_number) {
      define("(Tensor input, Operand other, *, Tensor? out=None)", with_out<Op, Operand>);
      define_inplace("(Tensor input, Operand other)", +[](const Tensor& a, const Operand& b) { return elementwise_(Op{}, a, b); });
    } else if constexpr (Op::arity == 2) {
      define("(Tensor input, Tensor other, *, Tensor? out=None)", with_out<Op, Tensor>);
      define_inplace("(Tensor input, Tensor other)", +[](const Tensor& a, const Tensor& b) { return elementwise_(Op{}, a, b); });
    } else {
      define("(Tensor input, Tensor a, Tensor b, *, Tensor? out=None)", with_out<Op, Tensor, Tensor>);
    }
  }
}

template <class... Ops>
void define_all(OpList<Ops...>) {
  (define_op<Ops>(), ...);
}

}  // namespace

void define_elementwise_ops() {
  define_all(AllElementwise{});

  def_op("add(Tensor input, Operand other, *, Scalar alpha=1, Tensor? out=None)",
         [](const Tensor& a, const Operand& b, Scalar alpha) { return add(a, b, alpha); });
  def_op("add_(Tensor input, Operand other, *, Scalar alpha=1)", add_);
  def_op("sub(Tensor input, Operand other, *, Scalar alpha=1, Tensor? out=None)",
         [](const Tensor& a, const Operand& b, Scalar alpha) { return sub(a, b, alpha); });
  def_op("sub_(Tensor input, Operand other, *, Scalar alpha=1)", sub_);
  def_op("div(Tensor input, Operand other, *, Tensor? out=None)", with_out<Div, Operand>);
  def_op("div_(Tensor input, Operand other)", [](const Tensor& a, const Operand& b) { return elementwise_(Div{}, a, b); });
  def_op("leaky_relu(Tensor input, float negative_slope=0.01, bool inplace=False)",
         [](const Tensor& x, double negative_slope) { return elementwise(LeakyRelu{{}, negative_slope}, x); }, As::function);
  def_op("where(Tensor condition, Operand input, Operand other, *, Tensor? out=None)",
         [](const Tensor& condition, const Operand& a, const Operand& b) { return elementwise(Where{}, condition, a, b); },
         As::function);
}

}  // namespace tapegrad::python
