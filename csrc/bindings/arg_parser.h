// Binding a C++ function from one line: a signature in PyTorch's notation.
//
//   def_op("sum(Tensor input, int[]? dim, bool keepdim=False, *, dtype? dtype=None)", sum_dims);
//
// makes a callable that is both the function tapegrad.sum and the method Tensor.sum (when the first parameter
// is a Tensor), parses its arguments, explains wrong ones as PyTorch does and feeds the docstring and the
// type stub. Several def_op lines with one name are overloads, tried in order.
//
// Types of parameters: Tensor, Tensor[], Operand (Tensor or number), Scalar, int, int[], float, bool, str,
// dtype, any (PyObject*); with "?" they may be None (a Tensor is then undefined, others std::nullopt).
// "int[1]" is a list that may also be one int. "int[*]" may be written as several positional arguments:
// view(2, 3); "Tensor[*]" and "any[*]" likewise. A signature that ends with " deprecated" is only tried after
// the others. Leading parameters go to the C++ function in order; further ones are handled here for every
// operation: out, requires_grad, device, layout, pin_memory, memory_format, non_blocking. After the signature
// "-> (values, indices)" names the results: a named tuple.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "bindings/tensor_type.h"
#include "bindings/types.h"
#include "ops/elementwise.h"

namespace tapegrad::python {

enum class Kind : uint8_t {
  tensor,
  tensors,
  operand,
  scalar,
  integer,
  integers,
  real,
  boolean,
  string,
  dtype,
  any
};

struct Parameter {
  Kind kind;
  bool optional = false;      // "?": None is accepted
  bool varargs = false;       // "[*]"
  bool takes_single = false;  // "[1]": one int is a list of one
  bool keyword_only = false;
  PyObject* name = nullptr;   // interned
  PyObject* alias = nullptr;  // NumPy's spelling: axis, keepdims, x
  PyObject* value = nullptr;  // default; null for required parameters
  std::string text;           // as PyTorch prints it: "int dim=None"
};

struct Overload {
  std::string signature;
  std::vector<Parameter> parameters;
  int positional = 0;  // parameters that may be passed by position
  int required = 0;    // parameters without a default
  bool deprecated = false;
  PyTypeObject* result_type = nullptr;
  using Invoke = PyObject* (*)(const Overload& overload, PyObject* const* slots);
  Invoke invoke = nullptr;
  void (*function)() = nullptr;
};

struct Operation {
  std::string name;
  std::string doc;
  bool overridable = true;  // by __torch_function__
  bool random = false;      // has a parameter `generator`, or is a kind of dropout
  std::vector<Overload> overloads;
};

constexpr int kMaxParameters = 24;

enum class As { function_and_method, function, method };

/// Adds an overload under the name in the signature; see the head of this file.
void add_overload(const char* signature, Overload::Invoke invoke, void (*function)(), int arity, As where,
                  const char* doc);
/// Makes the operations callable; called once after all def_op lines of the module have run.
int publish_operations(PyObject* module);
/// The sentence that says what the operation does, or "".
std::string op_doc(std::string_view name);
/// (name, has a method, has an in-place method) of each operation.
PyObject* operation_names();

/// A C++ function whose arguments are tensors, for calls that have no Python objects to parse.
class TensorFunction {
 public:
  static constexpr int kMaxTensors = 3;
  TensorFunction() = default;
  /// That of an operation's first form; false when that takes or returns anything else.
  explicit TensorFunction(PyObject* operation);
  explicit operator bool() const { return count_ > 0; }
  /// How many of the tensors have to be given.
  int required() const { return required_; }
  /// Optional tensors that are not given are undefined.
  Tensor operator()(const std::array<Tensor, kMaxTensors>& tensors) const;

 private:
  int count_ = 0, required_ = 0;
  void (*function_)() = nullptr;
};

/// Handles the parameters after those of the C++ function: slots[arity...].
PyObject* finish_result(const Overload& overload, int arity, PyObject* const* slots, PyObject* result);

/// How a slot becomes an argument of type T. Undefined for types that no signature has.
template <class T>
struct Argument;

template <>
struct Argument<Tensor> {
  static const Tensor& get(PyObject* object) {
    static const Tensor undefined;
    return object == Py_None ? undefined : get_tensor(object);
  }
};
template <>
struct Argument<Operand> {
  static Operand get(PyObject* object) {
    if (is_tensor(object)) return Operand(get_tensor(object));
    return Operand(get_scalar(object));
  }
};
template <>
struct Argument<Scalar> {
  static Scalar get(PyObject* object) { return get_scalar(object); }
};
template <>
struct Argument<int64_t> {
  static int64_t get(PyObject* object) { return get_integer(object); }
};
template <>
struct Argument<double> {
  static double get(PyObject* object) { return get_real(object); }
};
template <>
struct Argument<bool> {
  static bool get(PyObject* object) { return PyObject_IsTrue(object) == 1; }
};
template <>
struct Argument<Dims> {
  static Dims get(PyObject* object) { return get_integers(object); }
};
template <>
struct Argument<IntSpan> : Argument<Dims> {};
template <>
struct Argument<DType> {
  static DType get(PyObject* object) { return get_dtype(object); }
};
template <>
struct Argument<std::string_view> {
  static std::string_view get(PyObject* object) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text) throw PythonError{};
    return {text, static_cast<size_t>(size)};
  }
};
template <>
struct Argument<PyObject*> {
  static PyObject* get(PyObject* object) { return object; }
};
template <>
struct Argument<std::vector<Tensor>> {
  static std::vector<Tensor> get(PyObject* object);
};
template <class T>
struct Argument<std::optional<T>> {
  static std::optional<T> get(PyObject* object) {
    if (object == Py_None) return std::nullopt;
    return Argument<T>::get(object);
  }
};

inline PyObject* to_python(Tensor tensor) { return wrap(std::move(tensor)); }
inline PyObject* to_python(bool value) { return PyBool_FromLong(value); }
inline PyObject* to_python(int64_t value) { return PyLong_FromLongLong(value); }
inline PyObject* to_python(double value) { return PyFloat_FromDouble(value); }
inline PyObject* to_python(Scalar value) { return from_scalar(value); }
inline PyObject* to_python(DType dtype) { return Py_NewRef(dtype_object(dtype)); }
inline PyObject* to_python(const Dims& dims) { return make_size(dims); }
inline PyObject* to_python(const std::string& text) {
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}
inline PyObject* to_python(PyObject* object) {
  if (!object) throw PythonError{};
  return object;
}
PyObject* to_python(const std::vector<Tensor>& tensors);
/// A named tuple when the signature names its members.
PyObject* make_tuple(const Overload& overload, std::vector<Object> members);

template <class Result>
PyObject* result_to_python(const Overload&, Result&& result) {
  return to_python(std::forward<Result>(result));
}
template <class... Members>
PyObject* result_to_python(const Overload& overload, std::tuple<Members...>&& result) {
  std::vector<Object> members;
  std::apply([&](const auto&... member) { (members.push_back(checked(to_python(member))), ...); }, result);
  return make_tuple(overload, std::move(members));
}

template <class Result, class... Arguments, size_t... I>
PyObject* invoke_with(const Overload& overload, PyObject* const* slots, std::index_sequence<I...>) {
  auto* function = reinterpret_cast<Result (*)(Arguments...)>(overload.function);
  PyObject* result;
  if constexpr (std::is_void_v<Result>) {
    function(Argument<std::remove_cvref_t<Arguments>>::get(slots[I])...);
    result = Py_NewRef(Py_None);
  } else {
    result = result_to_python(overload, function(Argument<std::remove_cvref_t<Arguments>>::get(slots[I])...));
  }
  if (overload.parameters.size() > sizeof...(Arguments))
    return finish_result(overload, sizeof...(Arguments), slots, result);
  return result;
}
template <class Result, class... Arguments>
PyObject* invoke(const Overload& overload, PyObject* const* slots) {
  return invoke_with<Result, Arguments...>(overload, slots, std::index_sequence_for<Arguments...>{});
}

template <class Result, class... Arguments>
void def_op(const char* signature, Result (*function)(Arguments...), As where, const char* doc = "") {
  add_overload(signature, invoke<Result, Arguments...>, reinterpret_cast<void (*)()>(function),
               sizeof...(Arguments), where, doc);
}
template <class Result, class... Arguments>
void def_op(const char* signature, Result (*function)(Arguments...), const char* doc = "") {
  def_op(signature, function, As::function_and_method, doc);
}
/// For lambdas without captures: def_op("...", +[](const Tensor& x) {...}) works without the plus, too.
template <class F, class... Rest>
  requires std::is_class_v<F>
void def_op(const char* signature, F function, Rest... rest) {
  def_op(signature, +function, rest...);
}

// One function per family, called by the module: see ops_*.cpp.
void define_elementwise_ops();
void define_create_ops();
void define_autograd_ops();
void define_forward_ops();
void define_hook_ops();
void define_matmul_ops();
void define_view_ops();
void define_index_ops();
void define_data_ops();
void define_dlpack_ops();
void define_numpy_ops();
void define_random_ops();
void define_tensor_methods();
void define_reduce_ops();
void define_loss_ops();
void define_conv_ops();

}  // namespace tapegrad::python
