// Elementwise operations in Python: function, method, in-place form and out= of every struct in
// elementwise_defs.h, and those that take more than their operands.
#include "bindings/arg_parser.h"
#include "ops/copy.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

template <class Op>
Tensor with_out(const Tensor& a, const Tensor& out) {
  return out.defined() ? elementwise_out(Op{}, out, a) : elementwise(Op{}, a);
}
template <class Op, class First, class Second>
Tensor with_out(const First& a, const Second& b, const Tensor& out) {
  return out.defined() ? elementwise_out(Op{}, out, a, b) : elementwise(Op{}, a, b);
}

/// The first operand as a tensor; a number has the type that it gets next to `other`.
Tensor first(const Operand& number, const Operand& other) {
  if (number.is_tensor()) return number.tensor();
  if (other.is_tensor()) return wrap_scalar(number.scalar(), other.tensor());
  return full_values({}, number.scalar(), number.scalar().dtype());
}

template <class Op>
void define_named(const std::string& name) {
  auto define = [&](const std::string& parameters, auto function) {
    def_op((name + parameters).c_str(), function);
  };
  auto define_inplace = [&](const std::string& parameters, auto function) {
    def_op((name + "_" + parameters).c_str(), function);
  };
  if constexpr (Op::arity == 1) {
    define("(Tensor input, *, Tensor? out=None)", with_out<Op>);
    define_inplace("(Tensor input)", +[](const Tensor& a) { return elementwise_(Op{}, a); });
  } else if constexpr (Op::takes_number) {
    if constexpr (Op::number_first)
      define(
          "(Operand input, Operand other, *, Tensor? out=None)",
          +[](const Operand& a, const Operand& b, const Tensor& out) {
            if (b.is_tensor()) return with_out<Op>(a, b, out);
            return with_out<Op>(first(a, b), b, out);
          });
    else
      define("(Tensor input, Operand other, *, Tensor? out=None)", with_out<Op, Tensor, Operand>);
    define_inplace(
        "(Tensor input, Operand other)",
        +[](const Tensor& a, const Operand& b) { return elementwise_(Op{}, a, b); });
  } else {
    define("(Tensor input, Tensor other, *, Tensor? out=None)", with_out<Op, Tensor, Tensor>);
    define_inplace(
        "(Tensor input, Tensor other)",
        +[](const Tensor& a, const Tensor& b) { return elementwise_(Op{}, a, b); });
  }
}

template <class Op>
void define_op() {
  if constexpr (Op::binds_itself) define_named<Op>(Op::name);
}
template <class... Ops>
void define_all(OpList<Ops...>) {
  (define_op<Ops>(), ...);
}

template <class Op>
Tensor apply(const Op& op, const Tensor& x, bool inplace) {
  if (inplace) return elementwise_(op, x);
  return elementwise(op, x);
}

/// A parametrised activation, which also has an in-place form of the same name with "_".
template <class Op, class... Parameters>
void define_activation(const char* name, const char* parameters) {
  const std::string separator = *parameters ? ", " : "";
  const std::string head = "(Tensor input" + separator + parameters;
  def_op((name + head + ", bool inplace=False)").c_str(),
         +[](const Tensor& x, Parameters... p, bool inplace) { return apply(Op{{}, p...}, x, inplace); },
         As::function);
  def_op((std::string(name) + "_" + head + ")").c_str(),
         +[](const Tensor& x, Parameters... p) { return elementwise_(Op{{}, p...}, x); }, As::function);
}

/// input + value * (tensor1 * or / tensor2), in all its forms.
template <auto function, auto function_>
void define_product_sum(const std::string& name) {
  def_op(
      (name + "(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1, Tensor? out=None)").c_str(),
      function);
  def_op((name + "(Tensor input, Scalar value, Tensor tensor1, Tensor tensor2) deprecated").c_str(),
         [](const Tensor& a, Scalar value, const Tensor& b, const Tensor& c) {
           return function(a, b, c, value);
         });
  def_op((name + "_(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1)").c_str(), function_);
  def_op((name + "_(Tensor input, Scalar value, Tensor tensor1, Tensor tensor2) deprecated").c_str(),
         [](const Tensor& a, Scalar value, const Tensor& b, const Tensor& c) {
           return function_(a, b, c, value);
         });
}

/// lerp does not promote types, except that of a 0-dim weight.
void check_lerp(const Tensor& a, const Tensor& b, const Operand& weight) {
  const auto check = [&](const char* name, const Tensor& other) {
    TG_CHECK(other.dtype() == a.dtype(), "expected dtype ", cpp_type_name(a.dtype()), " for `", name,
             "` but got dtype ", cpp_type_name(other.dtype()));
  };
  check("end", b);
  if (weight.is_tensor() && weight.tensor().dim() > 0) check("weight", weight.tensor());
  TG_CHECK_AS(not_implemented, a.is_floating(), "\"lerp_kernel_", weight.is_tensor() ? "tensor" : "scalar",
              "\" not implemented for '", scalar_type_name(a.dtype()),
              "' (convert the operands with .float())");
}

void define_arithmetic() {
  for (const std::string name : {"add", "sub", "subtract"}) {
    const bool adds = name == "add";
    def_op(
        (name + "(Operand input, Operand other, *, Scalar alpha=1, Tensor? out=None)").c_str(),
        adds ? +[](const Operand& a, const Operand& b, Scalar alpha) { return add(first(a, b), b, alpha); }
             : +[](const Operand& a, const Operand& b, Scalar alpha) { return sub(first(a, b), b, alpha); });
    def_op((name + "(Tensor input, Scalar alpha, Tensor other) deprecated").c_str(),
           adds ? +[](const Tensor& a, Scalar alpha, const Tensor& b) { return add(a, b, alpha); }
                : +[](const Tensor& a, Scalar alpha, const Tensor& b) { return sub(a, b, alpha); });
    def_op((name + "_(Tensor input, Operand other, *, Scalar alpha=1)").c_str(), adds ? add_ : sub_);
    def_op((name + "_(Tensor input, Scalar alpha, Tensor other) deprecated").c_str(),
           adds ? +[](const Tensor& a, Scalar alpha, const Tensor& b) { return add_(a, b, alpha); }
                : +[](const Tensor& a, Scalar alpha, const Tensor& b) { return sub_(a, b, alpha); });
  }
  def_op("rsub(Tensor input, Operand other, *, Scalar alpha=1)", rsub);
  for (const std::string name : {"div", "divide"}) {
    const std::string mode = ", *, str? rounding_mode=None";
    def_op((name + "(Operand input, Operand other" + mode + ", Tensor? out=None)").c_str(),
           [](const Operand& a, const Operand& b, std::optional<std::string_view> rounding) {
             return divide(first(a, b), b, rounding);
           });
    def_op((name + "_(Tensor input, Operand other" + mode + ")").c_str(), divide_);
  }
  define_named<Div>("true_divide");
  def_op("floor_divide(Operand input, Operand other, *, Tensor? out=None)",
         [](const Operand& a, const Operand& b) { return floor_divide(first(a, b), b); });
  def_op("floor_divide_(Tensor input, Operand other)", floor_divide_);
  def_op("remainder(Operand input, Operand other, *, Tensor? out=None)", [](const Operand& a,
                                                                            const Operand& b) {
    TG_CHECK_TYPE(a.is_tensor() || b.is_tensor(),
                  "remainder() received an invalid combination of arguments: one of them must be a Tensor");
    return remainder(first(a, b), b);
  });
  def_op("remainder_(Tensor input, Operand other)", remainder_);
  def_op("fmod(Tensor input, Operand other, *, Tensor? out=None)", fmod);
  def_op("fmod_(Tensor input, Operand other)", fmod_);
  def_op("pow(Operand input, Operand exponent, *, Tensor? out=None)", [](const Operand& a, const Operand& b) {
    TG_CHECK_TYPE(a.is_tensor() || b.is_tensor(),
                  "pow() received an invalid combination of arguments: one of them must be "
                  "a Tensor");
    return pow(a, b);
  });
  def_op("pow_(Tensor input, Operand exponent)", pow_);
  def_op("polygamma(Tensor input, int n, *, Tensor? out=None)",
         [](const Tensor& x, int64_t n) { return polygamma(n, x); });
  def_op("polygamma(int n, Tensor input, *, Tensor? out=None)", polygamma);
  def_op("polygamma_(Tensor input, int n)", polygamma_);
  def_op("square(Tensor input, *, Tensor? out=None)", square);
  def_op("square_(Tensor input)", square_);
  def_op("round(Tensor input, *, int decimals=0, Tensor? out=None)",
         [](const Tensor& x, int64_t decimals) { return round(x, decimals); });
  def_op("round_(Tensor input, *, int decimals=0)", round_);
  def_op("clamp_min(Tensor input, Operand min, *, Tensor? out=None)", with_out<ClampMin, Tensor, Operand>);
  def_op("clamp_min_(Tensor input, Operand min)",
         [](const Tensor& a, const Operand& b) { return elementwise_(ClampMin{}, a, b); });
  def_op("clamp_max(Tensor input, Operand max, *, Tensor? out=None)", with_out<ClampMax, Tensor, Operand>);
  def_op("clamp_max_(Tensor input, Operand max)",
         [](const Tensor& a, const Operand& b) { return elementwise_(ClampMax{}, a, b); });
  for (const std::string name : {"clamp", "clip"}) {
    def_op((name + "(Tensor input, Tensor? min=None, Tensor? max=None, *, Tensor? out=None)").c_str(),
           [](const Tensor& x, const Tensor& low, const Tensor& high) { return clamp(x, low, high); });
    def_op((name + "(Tensor input, Scalar? min=None, Scalar? max=None, *, Tensor? out=None)").c_str(),
           [](const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
             return clamp(x, low, high);
           });
    def_op((name + "_(Tensor input, Tensor? min=None, Tensor? max=None)").c_str(),
           [](const Tensor& x, const Tensor& low, const Tensor& high) { return clamp_(x, low, high); });
    def_op((name + "_(Tensor input, Scalar? min=None, Scalar? max=None)").c_str(),
           [](const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
             return clamp_(x, low, high);
           });
  }
  def_op("lerp(Tensor input, Tensor end, Operand weight, *, Tensor? out=None)",
         [](const Tensor& a, const Tensor& b, const Operand& weight) {
           check_lerp(a, b, weight);
           return elementwise(Lerp{}, a, b, weight);
         });
  def_op("lerp_(Tensor input, Tensor end, Operand weight)",
         [](const Tensor& a, const Tensor& b, const Operand& weight) {
           check_lerp(a, b, weight);
           return elementwise_(Lerp{}, a, b, weight);
         });
  define_product_sum<addcmul, addcmul_>("addcmul");
  define_product_sum<addcdiv, addcdiv_>("addcdiv");
}

void define_activations() {
  define_activation<LeakyRelu, double>("leaky_relu", "float negative_slope=0.01");
  define_activation<Elu, double>("elu", "float alpha=1.0");
  define_activation<Silu>("silu", "");
  define_activation<Mish>("mish", "");
  define_activation<Hardtanh, double, double>("hardtanh", "float min_val=-1.0, float max_val=1.0");
  define_activation<Hardsigmoid>("hardsigmoid", "");
  define_activation<Hardswish>("hardswish", "");
  define_activation<Threshold, double, double>("threshold", "float threshold, float value");
  def_op(
      "relu6(Tensor input, bool inplace=False)",
      [](const Tensor& x, bool inplace) { return apply(Hardtanh{{}, 0, 6}, x, inplace); }, As::function);
  def_op(
      "selu(Tensor input, bool inplace=False)",
      [](const Tensor& x, bool inplace) {
        return apply(Elu{{}, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1}, x,
                     inplace);
      },
      As::function);
  def_op(
      "celu(Tensor input, float alpha=1.0, bool inplace=False)",
      [](const Tensor& x, double alpha, bool inplace) {
        TG_CHECK(alpha != 0, "ZeroDivisionError: alpha cannot be 0 for CELU");
        return apply(Celu{{{}, alpha, 1, 1 / alpha}}, x, inplace);
      },
      As::function);
  def_op(
      "softplus(Tensor input, float beta=1, float threshold=20)",
      [](const Tensor& x, double beta, double threshold) {
        return elementwise(Softplus{{}, beta, threshold}, x);
      },
      As::function);
  def_op(
      "gelu(Tensor input, *, str approximate=\"none\")",
      [](const Tensor& x, std::string_view approximate) {
        if (approximate == "none") return elementwise(Gelu{}, x);
        TG_CHECK(approximate == "tanh", "approximate argument must be either none or tanh.");
        return elementwise(GeluTanh{}, x);
      },
      As::function);
  def_op("hardshrink(Tensor input, float lambd=0.5)",
         [](const Tensor& x, double lambda) { return elementwise(Hardshrink{{}, lambda}, x); });
  def_op(
      "softshrink(Tensor input, float lambd=0.5)",
      [](const Tensor& x, double lambda) {
        TG_CHECK(lambda >= 0, "lambda must be greater or equal to 0, but found to be ", lambda, ".");
        return elementwise(Softshrink{{}, lambda}, x);
      },
      As::function);
  def_op("prelu(Tensor input, Tensor weight)", prelu);
}

void define_logic() {
  def_op(
      "where(Tensor condition, Operand input, Operand other, *, Tensor? out=None)",
      [](const Tensor& condition, const Operand& a, const Operand& b) {
        TG_CHECK(condition.dtype() == DType::bool_,
                 "where expected condition to be a boolean tensor, but got a tensor with "
                 "dtype ",
                 scalar_type_name(condition.dtype()));
        if (a.is_tensor() && !b.is_tensor()) return where(condition, a.tensor(), b.scalar());
        if (b.is_tensor() && !a.is_tensor()) return where(condition, a.scalar(), b.tensor());
        return elementwise(Where{}, condition, a, b);
      },
      As::function);
  def_op("bitwise_not(Tensor input, *, Tensor? out=None)", bitwise_not);
  def_op("bitwise_not_(Tensor input)", bitwise_not_);
  def_op("nan_to_num_(Tensor input, float? nan=None, float? posinf=None, float? neginf=None)",
         [](const Tensor& x, std::optional<double> nan, std::optional<double> positive,
            std::optional<double> negative) {
           return copy_(x, nan_to_num(value_before_write(x), nan, positive, negative));
         });
  def_op(
      "nan_to_num(Tensor input, float? nan=None, float? posinf=None, float? neginf=None, *, Tensor? "
      "out=None)",
      nan_to_num);
}

}  // namespace

void define_elementwise_ops() {
  define_all(NamedElementwise{});
  // PyTorch's other names.
  define_named<Mul>("multiply");
  define_named<Neg>("negative");
  define_named<Abs>("absolute");
  define_named<Sign>("sgn");
  define_named<Trunc>("fix");
  define_named<Asin>("arcsin");
  define_named<Acos>("arccos");
  define_named<Atan>("arctan");
  define_named<Atan2>("arctan2");
  define_named<Asinh>("arcsinh");
  define_named<Acosh>("arccosh");
  define_named<Atanh>("arctanh");
  define_named<Ne>("not_equal");
  define_named<Lt>("less");
  define_named<Le>("less_equal");
  define_named<Gt>("greater");
  define_named<Ge>("greater_equal");
  define_arithmetic();
  define_activations();
  define_logic();
}

}  // namespace tapegrad::python
