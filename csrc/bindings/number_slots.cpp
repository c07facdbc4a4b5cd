// The operators of Tensor. They bypass the argument parser: an operator has two operands and no keywords.
#include "bindings/arg_parser.h"
#include "bindings/numpy.h"
#include "bindings/overrides.h"
#include "bindings/profiler.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

bool is_operand(PyObject* object) { return is_tensor(object) || is_number(object); }

/// a (op) b where at least one is a Tensor; NotImplemented lets Python try the other operand.
template <class Op>
PyObject* binary(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    const Op op{};
    if (is_tensor(a)) {
      if (is_tensor(b)) return wrap(elementwise(op, get_tensor(a), get_tensor(b)));
      if (!is_number(b)) Py_RETURN_NOTIMPLEMENTED;
      return wrap(elementwise(op, get_tensor(a), get_scalar(b)));
    }
    if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
    return wrap(elementwise(op, get_scalar(a), get_tensor(b)));
  });
}

template <class Op>
PyObject* inplace(PyObject* a, PyObject* b) {
  if (!is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    if (is_tensor(b))
      elementwise_(Op{}, get_tensor(a), get_tensor(b));
    else
      elementwise_(Op{}, get_tensor(a), get_scalar(b));
    return Py_NewRef(a);
  });
}

/// The same for operators that are functions of their own.
template <auto Function>
PyObject* binary_function(PyObject* a, PyObject* b) {
  if (!is_tensor(a) || !is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return to_python(Function(get_tensor(a), Argument<Operand>::get(b))); });
}
template <auto Function>
PyObject* inplace_function(PyObject* a, PyObject* b) {
  if (!is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    Function(get_tensor(a), Argument<Operand>::get(b));
    return Py_NewRef(a);
  });
}
/// number (op) tensor, for the operators above: the number becomes a tensor.
template <auto Function>
PyObject* reflected(PyObject* a, PyObject* b) {
  if (is_tensor(a) || !is_tensor(b)) return binary_function<Function>(a, b);
  if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] {
    const Tensor number = wrap_scalar(get_scalar(a), get_tensor(b));
    return to_python(Function(number, Operand(get_tensor(b))));
  });
}

PyObject* subtract(PyObject* a, PyObject* b) {
  if (is_tensor(a) || !is_number(a)) return binary<Sub>(a, b);
  return guarded([&] { return wrap(rsub(get_tensor(b), get_scalar(a))); });
}
PyObject* divide(PyObject* a, PyObject* b) {
  if (is_tensor(a)) return binary<Div>(a, b);
  if (is_array(a)) {  // as for numbers: the reciprocal times the array
    return guarded([&] {
      const Object factor = checked(wrap(reciprocal(get_tensor(b))));
      return PyNumber_Multiply(factor.get(), a);
    });
  }
  if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return wrap(div(get_scalar(a), get_tensor(b))); });
}
PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None || !is_operand(a) || !is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return wrap(pow(Argument<Operand>::get(a), Argument<Operand>::get(b))); });
}
PyObject* inplace_power(PyObject* a, PyObject* b, PyObject*) { return inplace_function<pow_>(a, b); }
PyObject* invert(PyObject* a) {
  return guarded([&] {
    TG_CHECK_TYPE(!get_tensor(a).is_floating(),
                  "~ (operator.invert) is only implemented on integer and Boolean-type tensors");
    return wrap(bitwise_not(get_tensor(a)));
  });
}
PyObject* multiply_matrices(PyObject* a, PyObject* b) {
  if (!is_tensor(a) || !is_tensor(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return wrap(matmul(get_tensor(a), get_tensor(b))); });
}

template <class Op>
PyObject* unary(PyObject* a) {
  return guarded([&] { return wrap(elementwise(Op{}, get_tensor(a))); });
}

Scalar only_value(PyObject* self) {
  TG_CHECK_VALUE(get_tensor(self).numel() == 1,
                 "only one element tensors can be converted to Python scalars");
  return get_scalar(self);
}
PyObject* to_integer(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Scalar value = only_value(self);
    if (value.is_floating()) return PyLong_FromDouble(value.to_double());
    return PyLong_FromLongLong(value.to_int());
  });
}
PyObject* to_real(PyObject* self) {
  return guarded([&] { return PyFloat_FromDouble(only_value(self).to_double()); });
}
PyObject* to_index(PyObject* self) {
  return guarded([&] {
    TG_CHECK_TYPE(get_tensor(self).numel() == 1 && !get_tensor(self).is_floating(),
                  "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(get_scalar(self).to_int());
  });
}
PyObject* positive(PyObject* self) { return Py_NewRef(self); }

int tensor_is_true(PyObject* self) {
  return guarded([&]() -> int {
    const int64_t count = get_tensor(self).numel();
    TG_CHECK(count != 0, "Boolean value of Tensor with no values is ambiguous");
    TG_CHECK(
        count == 1,
        "Boolean value of Tensor with more than one value is ambiguous. Use .any() or .all(), or compare "
        "element by element.");
    return get_scalar(self).to<bool>();
  });
}

// Operands that override the operator: see Note [Overriding types]

struct Method {
  int slot;
  const char* name;       // tensor (op) other is tensor.name(other)
  const char* reflected;  // and other (op) tensor is tensor.reflected(other)
};
constexpr Method methods[] = {
    {Py_nb_add, "add", "add"},
    {Py_nb_subtract, "sub", "__rsub__"},
    {Py_nb_multiply, "mul", "mul"},
    {Py_nb_true_divide, "div", "__rtruediv__"},
    {Py_nb_floor_divide, "__floordiv__", "__rfloordiv__"},
    {Py_nb_remainder, "remainder", "__rmod__"},
    {Py_nb_power, "pow", "__rpow__"},
    {Py_nb_matrix_multiply, "matmul", "__rmatmul__"},
    {Py_nb_and, "__and__", "__rand__"},
    {Py_nb_or, "__or__", "__ror__"},
    {Py_nb_xor, "__xor__", "__rxor__"},
    {Py_nb_lshift, "__lshift__", "__rlshift__"},
    {Py_nb_rshift, "__rshift__", "__rrshift__"},
    {Py_nb_inplace_add, "add_", nullptr},
    {Py_nb_inplace_subtract, "sub_", nullptr},
    {Py_nb_inplace_multiply, "mul_", nullptr},
    {Py_nb_inplace_true_divide, "div_", nullptr},
    {Py_nb_inplace_floor_divide, "floor_divide_", nullptr},
    {Py_nb_inplace_remainder, "remainder_", nullptr},
    {Py_nb_inplace_power, "pow_", nullptr},
    {Py_nb_inplace_and, "__iand__", nullptr},
    {Py_nb_inplace_or, "__ior__", nullptr},
    {Py_nb_inplace_xor, "__ixor__", nullptr},
    {Py_nb_inplace_lshift, "__ilshift__", nullptr},
    {Py_nb_inplace_rshift, "__irshift__", nullptr},
};

PyObject* overridden(int slot, PyObject* a, PyObject* b) {
  return guarded([&] {
    const Method* method = methods;
    while (method->slot != slot) ++method;
    return is_tensor(a) || !method->reflected ? call_operator_override(method->name, a, b)
                                              : call_operator_override(method->reflected, b, a);
  });
}

/// The name of an operator in a profile.
const char* recorded_name(int slot, PyObject* a) {
  if (slot == Py_nb_floor_divide) return "floor_divide";
  if (slot == Py_nb_subtract && !is_tensor(a)) return "rsub";
  const Method* method = methods;
  while (method->slot != slot) ++method;
  return method->name;
}

template <int slot, auto compute, class... Modulus>
PyObject* recordable(PyObject* a, PyObject* b, Modulus... modulus) {
  profiler::Handle event = profiler::kNothing;
  if (profiler::active) [[unlikely]] {
    PyObject* const operands[] = {a, b};
    event = begin_operation(recorded_name(slot, a), operands, 2);
  }
  return leave_operation(event, compute(a, b, modulus...));
}

/// The name of an operation as a template's argument.
template <size_t size>
struct Name {
  consteval Name(const char (&given)[size]) { std::copy_n(given, size, text); }
  char text[size];
};
template <Name name, auto compute>
PyObject* recordable_unary(PyObject* a) {
  const profiler::Handle event = enter_operation(name.text, &a, 1);
  return leave_operation(event, compute(a));
}

bool either_overrides(PyObject* a, PyObject* b) { return overrides(a) || overrides(b); }

/// The operator, unless an operand overrides it. Objects that are no tensors are looked at last.
template <int slot, auto compute, class... Modulus>
PyObject* overridable(PyObject* a, PyObject* b, Modulus... modulus) {
  if (overriding_types_exist && either_overrides(a, b)) [[unlikely]]
    return overridden(slot, a, b);
  PyObject* result = recordable<slot, compute>(a, b, modulus...);
  if (result == Py_NotImplemented && either_overrides(a, b)) [[unlikely]]
    return overridden(slot, a, b);
  return result;
}

/// tensor == array, which is the one comparison that PyTorch has for arrays.
PyObject* equals_array(PyObject* a, PyObject* array) {
  if (!buffer_dtype(array)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return wrap(elementwise(Eq{}, get_tensor(a), share_array(array, false))); });
}

PyObject* compare_values(PyObject* a, PyObject* b, int operation) {
  if (!is_operand(b)) {
    if (operation == Py_EQ && is_array(b)) return equals_array(a, b);
    Py_RETURN_NOTIMPLEMENTED;
  }
  switch (operation) {
    case Py_EQ:
      return binary<Eq>(a, b);
    case Py_NE:
      return binary<Ne>(a, b);
    case Py_LT:
      return binary<Lt>(a, b);
    case Py_LE:
      return binary<Le>(a, b);
    case Py_GT:
      return binary<Gt>(a, b);
    default:
      return binary<Ge>(a, b);
  }
}

PyObject* compare(PyObject* a, PyObject* b, int operation) {
  constexpr const char* names[] = {"lt", "le", "eq", "ne", "gt", "ge"};  // in the order of Py_LT...
  if (overriding_types_exist && either_overrides(a, b)) [[unlikely]]
    return guarded([&] { return call_operator_override(names[operation], a, b); });
  PyObject* const operands[] = {a, b};
  const profiler::Handle event = enter_operation(names[operation], operands, 2);
  PyObject* result = leave_operation(event, compare_values(a, b, operation));
  if (result == Py_NotImplemented && overrides(b)) [[unlikely]]
    return guarded([&] { return call_operator_override(names[operation], a, b); });
  return result;
}

template <int id, auto compute>
PyType_Slot operator_slot() {
  return {id, reinterpret_cast<void*>(overridable<id, compute>)};
}
template <int id, auto compute>
PyType_Slot power_slot() {
  return {id, reinterpret_cast<void*>(overridable<id, compute, PyObject*>)};
}
template <class Function>
PyType_Slot slot(int id, Function* function) {
  return {id, reinterpret_cast<void*>(function)};
}

}  // namespace

std::vector<PyType_Slot> tensor_number_slots() {
  return {
      operator_slot<Py_nb_add, binary<Add>>(),
      operator_slot<Py_nb_subtract, subtract>(),
      operator_slot<Py_nb_multiply, binary<Mul>>(),
      operator_slot<Py_nb_true_divide, divide>(),
      operator_slot<Py_nb_floor_divide, reflected<floor_divide>>(),
      operator_slot<Py_nb_remainder, reflected<remainder>>(),
      power_slot<Py_nb_power, power>(),
      operator_slot<Py_nb_matrix_multiply, multiply_matrices>(),
      operator_slot<Py_nb_and, binary<BitwiseAnd>>(),
      operator_slot<Py_nb_or, binary<BitwiseOr>>(),
      operator_slot<Py_nb_xor, binary<BitwiseXor>>(),
      operator_slot<Py_nb_lshift, binary<BitwiseLeftShift>>(),
      operator_slot<Py_nb_rshift, binary<BitwiseRightShift>>(),
      slot(Py_nb_absolute, recordable_unary<"abs", unary<Abs>>),
      slot(Py_nb_invert, recordable_unary<"bitwise_not", invert>),
      slot(Py_nb_negative, recordable_unary<"neg", unary<Neg>>),
      slot(Py_nb_positive, positive),
      slot(Py_nb_bool, tensor_is_true),
      slot(Py_nb_int, to_integer),
      slot(Py_nb_float, to_real),
      slot(Py_nb_index, to_index),
      operator_slot<Py_nb_inplace_add, inplace<Add>>(),
      operator_slot<Py_nb_inplace_subtract, inplace<Sub>>(),
      operator_slot<Py_nb_inplace_multiply, inplace<Mul>>(),
      operator_slot<Py_nb_inplace_true_divide, inplace<Div>>(),
      operator_slot<Py_nb_inplace_floor_divide, inplace_function<floor_divide_>>(),
      operator_slot<Py_nb_inplace_remainder, inplace_function<remainder_>>(),
      power_slot<Py_nb_inplace_power, inplace_power>(),
      operator_slot<Py_nb_inplace_and, inplace<BitwiseAnd>>(),
      operator_slot<Py_nb_inplace_or, inplace<BitwiseOr>>(),
      operator_slot<Py_nb_inplace_xor, inplace<BitwiseXor>>(),
      operator_slot<Py_nb_inplace_lshift, inplace<BitwiseLeftShift>>(),
      operator_slot<Py_nb_inplace_rshift, inplace<BitwiseRightShift>>(),
      slot(Py_tp_richcompare, compare),
  };
}

}  // namespace tapegrad::python
