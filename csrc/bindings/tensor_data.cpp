// torch.tensor, torch.as_tensor and the constructors of old: numbers, nested sequences and arrays become
// tensors.
#include "bindings/tensor_data.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "bindings/arg_parser.h"
#include "bindings/numpy.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/create.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

bool is_text(PyObject* object) { return PyUnicode_Check(object) || PyBytes_Check(object); }
bool is_list(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }
/// What has elements; a tensor counts as a number, as in PyTorch.
bool is_sequence(PyObject* object) {
  return is_list(object) || (!is_tensor(object) && PySequence_Check(object));
}

/// The elements of a sequence as an array of borrowed references.
class Items {
 public:
  explicit Items(PyObject* sequence)
      : list_(is_list(sequence) ? Object::borrow(sequence)
                                : checked(PySequence_Fast(sequence, "not a sequence"))) {}
  Py_ssize_t size() const { return PySequence_Fast_GET_SIZE(list_.get()); }
  PyObject* operator[](Py_ssize_t i) const { return PySequence_Fast_GET_ITEM(list_.get(), i); }

 private:
  Object list_;
};

/// The shape, judged by the first element of each level.
Dims find_shape(PyObject* data) {
  Dims shape;
  Object current = Object::borrow(data);
  while (true) {
    if (is_array(current.get())) {
      const Tensor array = share_array(current.get(), false);
      for (int64_t size : array.shape()) shape.push_back(size);
      break;
    }
    if (PyUnicode_Check(current.get()) && !shape.empty())
      fail(ErrorKind::value, "too many dimensions '", Py_TYPE(current.get())->tp_name, "'");
    if (is_text(current.get()) || !is_sequence(current.get())) break;
    const Items items(current.get());
    shape.push_back(items.size());
    TG_CHECK_VALUE(shape.size() <= kMaxDims, "too many dimensions '", Py_TYPE(current.get())->tp_name, "'");
    if (items.size() == 0) break;
    current = Object::borrow(items[0]);
  }
  return shape;
}

DType find_dtype(PyObject* object) {
  if (PyFloat_CheckExact(object)) return default_dtype();
  if (PyBool_Check(object)) return DType::bool_;
  if (PyLong_Check(object)) return DType::int64;
  if (is_tensor(object)) return get_tensor(object).dtype();
  if (is_array(object)) return share_array(object, false).dtype();
  if (is_number(object)) {  // of NumPy
    if (const auto dtype = buffer_dtype(object)) return *dtype;
    if (PyFloat_Check(object)) return default_dtype();
  }
  TG_CHECK_TYPE(!is_text(object), "new(): invalid data type '", Py_TYPE(object)->tp_name, "'");
  TG_CHECK(is_sequence(object), "Could not infer dtype of ", Py_TYPE(object)->tp_name);
  const Items items(object);
  if (items.size() == 0) return default_dtype();
  DType dtype = find_dtype(items[0]);
  for (Py_ssize_t i = 1; i < items.size(); ++i) dtype = promote(dtype, find_dtype(items[i]));
  return dtype;
}

constexpr const char* type_words(DType dtype) {
  constexpr const char* words[] = {"bool", "uint8", "int8", "int16", "int32", "int64", "float", "double"};
  return words[static_cast<int>(dtype)];
}

template <class T>
[[noreturn]] void fail_overflow() {
  fail(ErrorKind::runtime, "value cannot be converted to type ", type_words(dtype_of<T>()),
       " without overflow");
}

template <class T>
T from_real(double value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_integral_v<T>) {
    // Unsigned types take negative numbers as their two's complement.
    constexpr auto largest = static_cast<double>(std::numeric_limits<T>::max());
    constexpr auto smallest =
        std::is_unsigned_v<T> ? -largest : static_cast<double>(std::numeric_limits<T>::min());
    if (!(value >= smallest && value <= largest)) fail_overflow<T>();
    return static_cast<T>(static_cast<int64_t>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
T from_integer(PyObject* object) {
  if constexpr (std::is_floating_point_v<T>) {
    const double value = PyLong_AsDouble(object);
    if (value == -1 && PyErr_Occurred()) throw PythonError{};
    return static_cast<T>(value);
  } else {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    TG_CHECK_VALUE(overflow == 0, "Overflow when unpacking long long");
    if constexpr (std::is_same_v<T, bool>) return value != 0;
    constexpr long long largest = std::numeric_limits<T>::max();
    constexpr long long smallest = std::is_unsigned_v<T> ? -largest : std::numeric_limits<T>::min();
    if (value < smallest || value > largest) fail_overflow<T>();
    return static_cast<T>(value);
  }
}

/// One element from a number, a tensor of one element, or what float() or int() accept.
template <class T>
T from_object(PyObject* object) {
  if (PyFloat_CheckExact(object)) return from_real<T>(PyFloat_AS_DOUBLE(object));
  if (PyLong_Check(object)) return from_integer<T>(object);
  if (is_tensor(object)) {
    TG_CHECK_VALUE(get_tensor(object).numel() == 1,
                   "only one element tensors can be converted to Python scalars");
    const Object number = checked(from_scalar(get_scalar(object)));
    return from_object<T>(number.get());
  }
  if (is_array(object)) return from_object<T>(checked(PyObject_CallMethod(object, "item", nullptr)).get());
  if (std::is_floating_point_v<T> || PyFloat_Check(object)) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1 && PyErr_Occurred()) throw PythonError{};
    return from_real<T>(value);
  }
  if (is_number(object) && !PyIndex_Check(object)) {
    const Scalar value = get_scalar(object);
    return value.is_floating() ? from_real<T>(value.to_double()) : static_cast<T>(value.to_int());
  }
  if (std::is_same_v<T, bool> && !is_sequence(object)) {
    const int truth = PyObject_IsTrue(object);
    checked(truth);
    return static_cast<T>(truth);
  }
  return from_integer<T>(checked(PyNumber_Index(object)).get());
}

/// Writes the elements of `data`, which fill dimensions dim, dim + 1... of `out`, from element `position` on.
template <class T>
void fill(const Tensor& out, int dim, int64_t& position, PyObject* data) {
  const Dims& shape = out.shape();
  if (dim == shape.size()) {
    out.data<T>()[position++] = from_object<T>(data);
    return;
  }
  if (is_array(data)) {
    const Tensor array = share_array(data, false);
    const IntSpan rest(shape.data() + dim, static_cast<size_t>(shape.size() - dim));
    TG_CHECK_VALUE(array.shape() == Dims(rest), "expected sequence of length ", shape[dim], " at dim ", dim,
                   " (got ", array.dim() > 0 ? array.shape()[0] : 0, ")");
    copy_values(make_view(out, rest, contiguous_strides(rest), position), array);
    position += array.numel();
    return;
  }
  TG_CHECK_TYPE(is_sequence(data) && !is_text(data), "not a sequence");
  const Items items(data);
  TG_CHECK_VALUE(items.size() == shape[dim], "expected sequence of length ", shape[dim], " at dim ", dim,
                 " (got ", items.size(), ")");
  if (dim + 1 < shape.size()) {
    for (Py_ssize_t i = 0; i < items.size(); ++i) fill<T>(out, dim + 1, position, items[i]);
  } else {
    T* values = out.data<T>() + position;
    for (Py_ssize_t i = 0; i < items.size(); ++i) values[i] = from_object<T>(items[i]);
    position += items.size();
  }
}

/// A flat list of Python floats, by far the most frequent kind of data.
Tensor from_floats(PyObject* list) {
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
  PyObject** items = PySequence_Fast_ITEMS(list);
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!PyFloat_CheckExact(items[i])) return Tensor();
  Tensor out = empty({{count}}, default_dtype());
  dispatch_floating(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = out.data<T>();
    for (Py_ssize_t i = 0; i < count; ++i) values[i] = static_cast<T>(PyFloat_AS_DOUBLE(items[i]));
  });
  return out;
}

bool becomes_array(PyObject* object) {
  return !is_list(object) && !is_number(object) && !is_text(object) &&
         PyObject_HasAttrString(object, "__array__");
}

Tensor tensor(PyObject* data, std::optional<DType> dtype) {
  if (is_tensor(data))
    warn(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
        "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).");
  return tensor_from_data(data, dtype ? &*dtype : nullptr);
}

Tensor as_tensor(PyObject* data, std::optional<DType> dtype) {
  if (is_tensor(data)) return to(get_tensor(data), dtype.value_or(get_tensor(data).dtype()));
  if (is_array(data)) {
    const Tensor shared = share_array(data, true);
    return to(shared, dtype.value_or(shared.dtype()));
  }
  return tensor_from_data(data, dtype ? &*dtype : nullptr);
}

Tensor as_array_tensor(PyObject* data, std::optional<DType> dtype, std::optional<bool> copy) {
  Tensor result = as_tensor(data, dtype);
  const bool shares = is_tensor(data) ? result->storage == get_tensor(data)->storage
                                      : is_array(data) && !result->storage->owns_memory();
  TG_CHECK_VALUE(copy.value_or(true) || shares, "can't alias memory of ", Py_TYPE(data)->tp_name,
                 " as a tensor of type ", dtype_name(result.dtype()), "; drop copy=False");
  return copy.value_or(false) && shares ? clone(result) : result;
}

Tensor new_tensor(const Tensor& self, PyObject* data, std::optional<DType> dtype) {
  return tensor(data, dtype.value_or(self.dtype()));
}

}  // namespace

Tensor tensor_from_data(PyObject* data, const DType* dtype) {
  if (is_list(data) && !dtype)
    if (Tensor floats = from_floats(data); floats.defined()) return floats;
  if (is_tensor(data)) return cast_values(get_tensor(data), dtype ? *dtype : get_tensor(data).dtype());
  if (is_array(data)) {
    const Tensor shared = share_array(data, false);
    return cast_values(shared, dtype ? *dtype : shared.dtype());
  }
  if (becomes_array(data)) return tensor_from_data(as_array(data).get(), dtype);
  const Dims shape = find_shape(data);
  if (is_list(data) && PySequence_Fast_GET_SIZE(data) > 0 && is_array(PySequence_Fast_GET_ITEM(data, 0)))
    warn(
        "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the "
        "list to a single "
        "numpy.ndarray with numpy.array() before converting to a tensor.");
  const DType type = dtype ? *dtype : find_dtype(data);
  TG_CHECK_TYPE(!is_text(data), "new(): invalid data type '", Py_TYPE(data)->tp_name, "'");
  Tensor out = empty(shape, type);
  dispatch(type, [&](auto tag) {
    int64_t position = 0;
    fill<typename decltype(tag)::type>(out, 0, position, data);
  });
  return out;
}

Tensor legacy_new(PyObject* args, PyObject* kwargs, DType dtype, bool any_type) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  PyObject* first = count > 0 ? PyTuple_GET_ITEM(args, 0) : nullptr;
  PyObject *key, *value;
  for (Py_ssize_t position = 0; kwargs && PyDict_Next(kwargs, &position, &key, &value);) {
    const std::string_view name = Argument<std::string_view>::get(key);
    TG_CHECK_TYPE(name == "device" || (!first && (name == "data" || name == "size" || name == "other")),
                  "new() received an invalid combination of arguments - got an unexpected keyword argument '",
                  name, "'");
    if (name != "device") first = value;
  }
  if (!first) return empty({{0}}, dtype);
  if (count <= 1 && is_tensor(first)) {
    const Tensor& other = get_tensor(first);
    TG_CHECK_TYPE(any_type || other.dtype() == dtype, "expected TensorOptions(dtype=", type_words(dtype),
                  ") (got TensorOptions(dtype=", type_words(other.dtype()), ")); convert with .to(",
                  dtype_name(dtype), ")");
    return autograd::detach(other);
  }
  const bool is_size = Py_TYPE(first) == size_type;
  if (count <= 1 && !is_size && (!is_integer(first) || PyBool_Check(first))) {
    TG_CHECK_TYPE(!is_text(first), "new(): invalid data type '", Py_TYPE(first)->tp_name, "'");
    TG_CHECK_TYPE(is_sequence(first) || becomes_array(first), "new(): data must be a sequence (got ",
                  Py_TYPE(first)->tp_name, ")");
    return tensor_from_data(first, &dtype);
  }
  PyObject* sizes = is_size ? first : args;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(sizes); ++i)
    TG_CHECK_TYPE(is_integer(PyTuple_GET_ITEM(sizes, i)),
                  "new(): argument 'size' failed to unpack the object at pos ", i + 1,
                  " with error \"type must be tuple of ints,but got ",
                  Py_TYPE(PyTuple_GET_ITEM(sizes, i))->tp_name, "\"");
  const Dims shape = count == 0 ? Dims{get_integer(first)} : get_integers(sizes);
  check_shape(shape, dtype);
  return empty(shape, dtype);
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&] { return wrap_as(type, legacy_new(args, kwargs, default_dtype(), true)); });
}

void define_data_ops() {
  def_op(
      "tensor(any data, *, dtype? dtype=None, any device=None, bool requires_grad=False, bool "
      "pin_memory=False, any names=None)",
      tensor, As::function,
      "A new leaf tensor with the values of a number, a nested sequence, an array or a tensor.");
  def_op(
      "scalar_tensor(Scalar s, *, dtype? dtype=None, any device=None, bool requires_grad=False)",
      [](Scalar value, std::optional<DType> dtype) {
        return full({}, value, dtype.value_or(default_dtype()));
      },
      As::function);
  def_op("as_tensor(any data, dtype? dtype=None, any device=None)", as_tensor, As::function,
         "The values of `data` as a tensor; shares memory with tensors and arrays where it can.");
  def_op("asarray(any obj, *, dtype? dtype=None, bool? copy=None, any device=None, bool requires_grad=False)",
         as_array_tensor, As::function, "Like as_tensor; copy=True always copies, copy=False never.");
  def_op(
      "new_tensor(Tensor self, any data, *, dtype? dtype=None, any device=None, bool requires_grad=False, "
      "bool pin_memory=False)",
      new_tensor, As::method, "torch.tensor(data) of this tensor's type.");
}

}  // namespace tapegrad::python
