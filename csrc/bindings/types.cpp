#include "bindings/types.h"

#include <cstring>
#include <string_view>

#include "bindings/tensor_type.h"

namespace tapegrad::python {

PyTypeObject* size_type = nullptr;

namespace {

// A type that PyTorch has and tensors here have not: programs name such types in conditions and tables.
struct ForeignType {
  const char* name;
  int item_size;
  bool floating, complex, is_signed;
};
constexpr ForeignType foreign_types[] = {
    {"torch.float16", 2, true, false, true},   {"torch.bfloat16", 2, true, false, true},
    {"torch.complex64", 8, false, true, true}, {"torch.complex128", 16, false, true, true},
    {"torch.uint16", 2, false, false, false},  {"torch.uint32", 4, false, false, false},
    {"torch.uint64", 8, false, false, false},
};

struct DTypeObject {
  PyObject_HEAD DType dtype;
  const ForeignType* foreign;  // null for the types of tensors
};
PyTypeObject* dtype_type = nullptr;
PyObject* dtype_objects[kDTypeCount];

DType self_dtype(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->dtype; }
const ForeignType* self_foreign(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->foreign; }
const char* self_name(PyObject* self) {
  return self_foreign(self) ? self_foreign(self)->name : dtype_name(self_dtype(self));
}
PyObject* dtype_repr(PyObject* self) { return PyUnicode_FromString(self_name(self)); }
PyObject* dtype_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(self_name(self) + 6); }
PyObject* dtype_is_floating(PyObject* self, void*) {
  return PyBool_FromLong(self_foreign(self) ? self_foreign(self)->floating : is_floating(self_dtype(self)));
}
PyObject* dtype_is_complex(PyObject* self, void*) {
  return PyBool_FromLong(self_foreign(self) && self_foreign(self)->complex);
}
PyObject* dtype_is_signed(PyObject* self, void*) {
  return PyBool_FromLong(self_foreign(self) ? self_foreign(self)->is_signed : is_signed(self_dtype(self)));
}
PyObject* dtype_itemsize(PyObject* self, void*) {
  return PyLong_FromLong(self_foreign(self) ? self_foreign(self)->item_size : item_size(self_dtype(self)));
}

PyGetSetDef dtype_attributes[] = {
    {"is_floating_point", dtype_is_floating, nullptr, "Whether the type is a floating-point type.", nullptr},
    {"is_complex", dtype_is_complex, nullptr, "Whether the type is complex.", nullptr},
    {"is_signed", dtype_is_signed, nullptr, "Whether the type has negative values.", nullptr},
    {"itemsize", dtype_itemsize, nullptr, "Bytes per element.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyObject* dtype_to_real(PyObject* self, PyObject*) {
  const std::string_view name = self_name(self);
  return Py_NewRef(name == "torch.complex64"    ? dtype_object(DType::float32)
                   : name == "torch.complex128" ? dtype_object(DType::float64)
                                                : self);
}
PyMethodDef dtype_methods[] = {
    {"to_real", dtype_to_real, METH_NOARGS, "The type of the real part: the type itself if it is real."},
    {"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyObject* size_repr(PyObject* self) {
  Object list = Object::steal(PySequence_List(self));
  if (!list) return nullptr;
  return PyUnicode_FromFormat("torch.Size(%R)", list.get());
}
PyObject* size_numel(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromLongLong(count_elements(get_integers(self))); });
}
PyObject* size_from_tuple(PyObject* tuple) {
  if (!tuple) return nullptr;
  Object owned = Object::steal(tuple);
  if (!PyTuple_Check(tuple)) return owned.release();
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple);
  PyObject* size = size_type->tp_alloc(size_type, count);
  for (Py_ssize_t i = 0; size && i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    Py_INCREF(item);
    PyTuple_SET_ITEM(size, i, item);
  }
  return size;
}
PyObject* size_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Object tuple = checked(PyTuple_Type.tp_new(&PyTuple_Type, args, kwargs));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(tuple.get(), i);
      if (PyLong_CheckExact(item)) continue;
      TG_CHECK_TYPE(is_integer(item) || PyBool_Check(item), "torch.Size() takes an iterable of 'int' (item ",
                    i, " is '", Py_TYPE(item)->tp_name, "')");
      PyTuple_SET_ITEM(tuple.get(), i, checked(PyNumber_Long(item)).release());
      Py_DECREF(item);
    }
    return size_from_tuple(tuple.release());
  });
}
PyObject* size_subscript(PyObject* self, PyObject* key) {
  return size_from_tuple(PyTuple_Type.tp_as_mapping->mp_subscript(self, key));
}
PyObject* size_concat(PyObject* a, PyObject* b) {
  return size_from_tuple(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}
/// tuple + Size: Python asks the number slot of the right operand before it concatenates.
PyObject* size_add(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return size_concat(a, b);
}
PyObject* size_repeat(PyObject* a, Py_ssize_t n) {
  return size_from_tuple(PyTuple_Type.tp_as_sequence->sq_repeat(a, n));
}
PyObject* size_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("O(N)", reinterpret_cast<PyObject*>(size_type), PySequence_List(self));
}
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "The product of the sizes."},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

bool is_python_type(PyObject* object) {
  return object == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
         object == reinterpret_cast<PyObject*>(&PyLong_Type) ||
         object == reinterpret_cast<PyObject*>(&PyBool_Type);
}

// NumPy's scalar classes, for numbers that are not Python's.
bool is_numpy_scalar(PyObject* object) {
  static PyObject* generic = nullptr;
  if (std::strncmp(Py_TYPE(object)->tp_name, "numpy.", 6) != 0) return false;
  if (!generic) {
    Object numpy = Object::steal(PyImport_ImportModule("numpy"));
    generic = numpy ? PyObject_GetAttrString(numpy.get(), "generic") : nullptr;
    PyErr_Clear();
  }
  return generic && PyObject_IsInstance(object, generic) == 1 && PyNumber_Check(object);
}

}  // namespace

PyObject* dtype_object(DType dtype) { return dtype_objects[static_cast<int>(dtype)]; }
bool is_dtype(PyObject* object) { return Py_TYPE(object) == dtype_type || is_python_type(object); }
DType get_dtype(PyObject* object) {
  if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::float64;
  if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::int64;
  if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::bool_;
  TG_CHECK_TYPE(is_dtype(object), "expected a torch.dtype, not ", Py_TYPE(object)->tp_name);
  TG_CHECK_TYPE(!self_foreign(object), "there are no tensors of type ", self_name(object),
                " in tapegrad; use torch.float32 or another type");
  return self_dtype(object);
}

PyObject* make_size(IntSpan shape) {
  PyObject* size = size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(shape.size()));
  if (!size) throw PythonError{};
  for (size_t i = 0; i < shape.size(); ++i)
    PyTuple_SET_ITEM(size, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  return size;
}

bool is_number(PyObject* object) {
  return PyFloat_Check(object) || PyLong_Check(object) || is_numpy_scalar(object);
}

bool is_integer(PyObject* object) {
  if (PyLong_Check(object)) return !PyBool_Check(object);
  if (is_tensor(object)) {
    const Tensor& tensor = get_tensor(object);
    return tensor.numel() == 1 && !tensor.is_floating();
  }
  return PyIndex_Check(object) && is_numpy_scalar(object);
}

bool is_integer_sequence(PyObject* object) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!is_integer(PySequence_Fast_GET_ITEM(object, i))) return false;
  return true;
}

Scalar number_of(const Tensor& tensor) {
  TG_CHECK(tensor.numel() == 1, "a Tensor with ", tensor.numel(), " elements cannot be converted to Scalar");
  return dispatch(tensor.dtype(), [&](auto tag) -> Scalar {
    using T = typename decltype(tag)::type;
    const T value = *tensor.data<T>();
    if constexpr (std::is_same_v<T, bool>)
      return Scalar(value);
    else if constexpr (std::is_floating_point_v<T>)
      return Scalar(static_cast<double>(value));
    else
      return Scalar(static_cast<int64_t>(value));
  });
}

Scalar get_scalar(PyObject* object) {
  if (PyFloat_Check(object)) return Scalar(PyFloat_AS_DOUBLE(object));
  if (PyBool_Check(object)) return Scalar(object == Py_True);
  if (PyLong_Check(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow > 0) {  // the upper half of uint64 wraps, as PyTorch's numbers do
      const unsigned long long bits = PyLong_AsUnsignedLongLong(object);
      if (!PyErr_Occurred()) return Scalar(static_cast<int64_t>(bits));
      PyErr_Clear();
    }
    if (overflow != 0) {
      PyErr_SetString(PyExc_OverflowError, "int too big to convert");
      throw PythonError{};
    }
    return Scalar(int64_t{value});
  }
  if (is_tensor(object)) return number_of(get_tensor(object));
  TG_CHECK_TYPE(is_numpy_scalar(object), "expected a number, not ", Py_TYPE(object)->tp_name);
  if (PyIndex_Check(object)) return get_scalar(checked(PyNumber_Index(object)).get());
  if (std::strcmp(Py_TYPE(object)->tp_name, "numpy.bool") == 0 ||
      std::strcmp(Py_TYPE(object)->tp_name, "numpy.bool_") == 0)
    return Scalar(PyObject_IsTrue(object) == 1);
  return get_scalar(checked(PyNumber_Float(object)).get());
}

int64_t get_integer(PyObject* object) {
  if (PyLong_Check(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    TG_CHECK_VALUE(overflow == 0, "Overflow when unpacking long long: the number needs more than 64 bits");
    return value;
  }
  TG_CHECK_TYPE(is_integer(object), "expected an int, not ", Py_TYPE(object)->tp_name);
  return get_scalar(object).to_int();
}

double get_real(PyObject* object) {
  if (!PyLong_Check(object)) return get_scalar(object).to_double();
  const double value = PyLong_AsDouble(object);
  if (value == -1 && PyErr_Occurred()) throw PythonError{};
  return value;
}

namespace {

int64_t get_size(PyObject* object, Py_ssize_t position) {
  int overflow = 0;
  if (PyLong_Check(object)) PyLong_AsLongLongAndOverflow(object, &overflow);
  TG_CHECK_TYPE(overflow == 0, "failed to unpack the object at pos ", position + 1,
                " with error \"Overflow when unpacking long long\"");
  return get_integer(object);
}

}  // namespace

Dims get_integers(PyObject* object) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return Dims{get_integer(object)};
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  TG_CHECK(count <= kMaxDims, "tensors have at most ", kMaxDims, " dimensions, got ", count);
  Dims values(static_cast<int>(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    values[static_cast<int>(i)] = get_size(PySequence_Fast_GET_ITEM(object, i), i);
  return values;
}

PyObject* from_scalar(Scalar scalar) {
  if (scalar.is_floating()) return PyFloat_FromDouble(scalar.to_double());
  if (scalar.is_boolean()) return PyBool_FromLong(scalar.to_int());
  return PyLong_FromLongLong(scalar.to_int());
}

int add_types(PyObject* module) {
  PyType_Slot dtype_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(dtype_repr)},
                               {Py_tp_getset, dtype_attributes},
                               {Py_tp_methods, dtype_methods},
                               {0, nullptr}};
  PyType_Spec dtype_spec = {"tapegrad.dtype", sizeof(DTypeObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, dtype_slots};
  dtype_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&dtype_spec));
  if (!dtype_type || PyModule_AddObjectRef(module, "dtype", reinterpret_cast<PyObject*>(dtype_type)) < 0)
    return -1;
  constexpr std::pair<const char*, DType> aliases[] = {{"float", DType::float32},
                                                       {"double", DType::float64},
                                                       {"long", DType::int64},
                                                       {"int", DType::int32},
                                                       {"short", DType::int16}};
  auto add = [&](DType dtype, const ForeignType* foreign) -> PyObject* {
    auto* object = PyObject_New(DTypeObject, dtype_type);
    if (!object) return nullptr;
    object->dtype = dtype;
    object->foreign = foreign;
    auto* result = reinterpret_cast<PyObject*>(object);
    return PyModule_AddObjectRef(module, self_name(result) + 6, result) < 0 ? nullptr : result;
  };
  for (int i = 0; i < kDTypeCount; ++i)
    if (!(dtype_objects[i] = add(static_cast<DType>(i), nullptr))) return -1;
  for (const ForeignType& foreign : foreign_types) {
    PyObject* object = add(DType::float32, &foreign);
    if (!object) return -1;
    if (foreign.name == std::string_view("torch.float16") &&
        PyModule_AddObjectRef(module, "half", object) < 0)
      return -1;
    if (foreign.name == std::string_view("torch.complex64") &&
        PyModule_AddObjectRef(module, "cfloat", object) < 0)
      return -1;
    if (foreign.name == std::string_view("torch.complex128") &&
        PyModule_AddObjectRef(module, "cdouble", object) < 0)
      return -1;
  }
  for (auto [name, dtype] : aliases)
    if (PyModule_AddObjectRef(module, name, dtype_object(dtype)) < 0) return -1;

  PyType_Slot size_slots[] = {{Py_tp_base, &PyTuple_Type},
                              {Py_tp_new, reinterpret_cast<void*>(size_new)},
                              {Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                              {Py_tp_methods, size_methods},
                              {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                              {Py_sq_concat, reinterpret_cast<void*>(size_concat)},
                              {Py_nb_add, reinterpret_cast<void*>(size_add)},
                              {Py_sq_repeat, reinterpret_cast<void*>(size_repeat)},
                              {0, nullptr}};
  PyType_Spec size_spec = {"tapegrad.Size", 0, 0, Py_TPFLAGS_DEFAULT, size_slots};
  size_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&size_spec));
  return size_type ? PyModule_AddObjectRef(module, "Size", reinterpret_cast<PyObject*>(size_type)) : -1;
}

}  // namespace tapegrad::python
