// The hidden base of overriding subclasses of Tensor: see Note [Overriding types].
//
// It has the attributes, methods and unary operators of Tensor again. Each asks __torch_function__ if there
// is one in force, and else does what that of Tensor does. What has several operands looks at them in Tensor.
#include "bindings/intercept.h"

#include <structmember.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "bindings/overrides.h"
#include "bindings/tensor_type.h"

namespace tapegrad::python {

namespace {

PyObject* type_object() { return reinterpret_cast<PyObject*>(tensor_type); }

template <class Function>
Function slot_of_tensor(int slot) {
  return reinterpret_cast<Function>(PyType_GetSlot(tensor_type, slot));
}

/// Tensor.<method>(*objects), by those of them that override.
template <size_t count>
PyObject* call_method(const char* method, const std::array<PyObject*, count>& objects) {
  const Object function = checked(PyObject_GetAttrString(type_object(), method));
  return call_override(function.get(), objects.data(), count);
}

// Operators

struct Operator {
  int slot;
  const char* method;
};
constexpr Operator operators[] = {
    {Py_nb_negative, "neg"},      {Py_nb_positive, "__pos__"}, {Py_nb_absolute, "abs"},
    {Py_nb_invert, "__invert__"}, {Py_nb_int, "__int__"},      {Py_nb_float, "__float__"},
    {Py_nb_index, "__index__"},
};

template <size_t index>
PyObject* unary(PyObject* a) {
  return guarded([&] {
    constexpr Operator op = operators[index];
    return overrides(a) ? call_method(op.method, std::array{a}) : slot_of_tensor<unaryfunc>(op.slot)(a);
  });
}
int is_true(PyObject* self) {
  return guarded([&]() -> int {
    if (!overrides(self)) return slot_of_tensor<inquiry>(Py_nb_bool)(self);
    const Object answer = checked(call_method("__bool__", std::array{self}));
    return PyObject_IsTrue(answer.get());
  });
}
Py_ssize_t length(PyObject* self) {
  return guarded([&]() -> Py_ssize_t {
    if (!overrides(self)) return slot_of_tensor<lenfunc>(Py_mp_length)(self);
    const Object answer = checked(call_method("__len__", std::array{self}));
    return PyLong_AsSsize_t(answer.get());
  });
}
PyObject* iterate(PyObject* self) {
  return guarded([&] {
    if (!overrides(self)) return slot_of_tensor<getiterfunc>(Py_tp_iter)(self);
    const Object rank = checked(call_method("dim", std::array{self}));
    TG_CHECK_TYPE(PyObject_IsTrue(rank.get()) == 1, "iteration over a 0-d tensor");
    const Object rows = checked(call_method("unbind", std::array{self}));
    return PyObject_GetIter(rows.get());
  });
}
// Methods and attributes

struct MethodObject {
  PyObject_HEAD vectorcallfunc call;
  PyObject* function;
};
PyTypeObject* method_type = nullptr;

PyObject* call_intercepted(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
  PyObject* function = reinterpret_cast<MethodObject*>(self)->function;
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  if (!any_overrides(args, total)) return PyObject_Vectorcall(function, args, flags, keywords);
  return guarded([&] { return call_override(function, args, count, keywords); });
}
PyObject* bind_intercepted(PyObject* self, PyObject* instance, PyObject*) {
  return instance ? PyMethod_New(self, instance) : Py_NewRef(reinterpret_cast<MethodObject*>(self)->function);
}
PyMemberDef method_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(MethodObject, call), READONLY, nullptr},
    {"__wrapped__", T_OBJECT, offsetof(MethodObject, function), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

struct AttributeObject {
  PyObject_HEAD PyObject* descriptor;
};
PyTypeObject* attribute_type = nullptr;

PyObject* get_attribute(PyObject* self, PyObject* instance, PyObject* type) {
  PyObject* descriptor = reinterpret_cast<AttributeObject*>(self)->descriptor;
  if (!instance) return Py_NewRef(descriptor);
  if (!overrides(instance)) return Py_TYPE(descriptor)->tp_descr_get(descriptor, instance, type);
  return guarded([&] {
    const Object function = checked(PyObject_GetAttrString(descriptor, "__get__"));
    return call_override(function.get(), &instance, 1);
  });
}
int set_attribute(PyObject* self, PyObject* instance, PyObject* value) {
  PyObject* descriptor = reinterpret_cast<AttributeObject*>(self)->descriptor;
  if (!value || !overrides(instance)) return Py_TYPE(descriptor)->tp_descr_set(descriptor, instance, value);
  return guarded([&]() -> int {
    const Object function = checked(PyObject_GetAttrString(descriptor, "__set__"));
    const std::array operands{instance, value};
    checked(call_override(function.get(), operands.data(), 2));
    return 0;
  });
}

// The hidden base itself

template <class Function>
PyType_Slot slot(int id, Function* function) {
  return {id, reinterpret_cast<void*>(function)};
}

template <size_t... index>
std::vector<PyType_Slot> operator_slots(std::index_sequence<index...>) {
  return {slot(operators[index].slot, unary<index>)...};
}

PyTypeObject* make_type(const char* name, size_t size, unsigned long flags, std::vector<PyType_Slot> slots,
                        PyObject* bases = nullptr) {
  slots.push_back({0, nullptr});
  PyType_Spec spec = {name, static_cast<int>(size), 0, static_cast<unsigned int>(flags), slots.data()};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&spec, bases)).release());
}

/// What makes and identifies instances, and what the overriding itself needs.
bool is_never_overridden(const char* name) {
  for (const char* kept : {"__dict__", "__weakref__", "__new__", "__init__", "__dir__", "__torch_function__",
                           "as_subclass", "__array_priority__"})
    if (std::string_view(name) == kept) return true;
  return false;
}

void add_attributes(PyTypeObject* type) {
  Py_ssize_t position = 0;
  PyObject *name, *value;
  while (PyDict_Next(tensor_type->tp_dict, &position, &name, &value)) {
    if (is_never_overridden(PyUnicode_AsUTF8(name))) continue;
    Object interceptor;
    if (Py_IS_TYPE(value, &PyMethodDescr_Type) || PyFunction_Check(value)) {
      auto* method = PyObject_New(MethodObject, method_type);
      if (!method) throw PythonError{};
      method->call = call_intercepted;
      method->function = Py_NewRef(value);
      interceptor = Object::steal(reinterpret_cast<PyObject*>(method));
    } else if (Py_IS_TYPE(value, &PyGetSetDescr_Type) || Py_IS_TYPE(value, &PyProperty_Type)) {
      auto* attribute = PyObject_New(AttributeObject, attribute_type);
      if (!attribute) throw PythonError{};
      attribute->descriptor = Py_NewRef(value);
      interceptor = Object::steal(reinterpret_cast<PyObject*>(attribute));
    } else {
      continue;  // operations look at their arguments themselves
    }
    checked(PyObject_SetAttr(reinterpret_cast<PyObject*>(type), name, interceptor.get()));
  }
}

PyTypeObject* make_hidden_base() {
  method_type = make_type("tapegrad._C._overridable_method", sizeof(MethodObject),
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                              Py_TPFLAGS_DISALLOW_INSTANTIATION,
                          {slot(Py_tp_call, PyVectorcall_Call),
                           slot(Py_tp_descr_get, bind_intercepted),
                           {Py_tp_members, method_members}});
  attribute_type = make_type("tapegrad._C._overridable_attribute", sizeof(AttributeObject),
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             {slot(Py_tp_descr_get, get_attribute), slot(Py_tp_descr_set, set_attribute)});
  std::vector<PyType_Slot> slots = operator_slots(std::make_index_sequence<std::size(operators)>{});
  for (const PyType_Slot& more :
       {slot(Py_nb_bool, is_true), slot(Py_tp_iter, iterate), slot(Py_mp_length, length),
        slot(Py_tp_dealloc, tensor_type->tp_dealloc), slot(Py_tp_traverse, tensor_type->tp_traverse),
        slot(Py_tp_clear, tensor_type->tp_clear)})
    slots.push_back(more);
  const Object bases = checked(PyTuple_Pack(1, type_object()));
  PyTypeObject* type =
      make_type("tapegrad._C._OverridingTensor", sizeof(TensorObject),
                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots, bases.get());
  if (!Py_IS_TYPE(type_object(), Py_TYPE(type))) {  // before Python 3.12 bases do not decide the metatype
    Py_INCREF(Py_TYPE(type_object()));
    Py_SET_TYPE(reinterpret_cast<PyObject*>(type), Py_TYPE(type_object()));
  }
  add_attributes(type);
  return type;
}

/// The handler that a class with these bases has.
PyObject* find_handler(PyObject* order) {
  const Object name = checked(PyUnicode_InternFromString("__torch_function__"));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(order); ++i) {
    PyObject* attributes = reinterpret_cast<PyTypeObject*>(PyList_GET_ITEM(order, i))->tp_dict;
    PyObject* handler = attributes ? PyDict_GetItemWithError(attributes, name.get()) : nullptr;
    if (handler) return handler;
  }
  return nullptr;
}

}  // namespace

PyObject* resolution_order(PyObject* type, PyObject*) {
  static PyTypeObject* hidden_base = nullptr;
  static bool making_hidden_base = false;
  return guarded([&] {
    const Object plain = checked(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyType_Type), "mro"));
    Object order = checked(PyObject_CallOneArg(plain.get(), type));
    if (making_hidden_base || find_handler(order.get()) == disabled_handler) return order.release();
    if (!hidden_base) {
      making_hidden_base = true;
      hidden_base = make_hidden_base();
      making_hidden_base = false;
    }
    overriding_types_exist = true;
    const int known = PySequence_Contains(order.get(), reinterpret_cast<PyObject*>(hidden_base));
    checked(known);
    if (!known) {
      const Py_ssize_t position = PySequence_Index(order.get(), type_object());
      checked(static_cast<int>(position));
      checked(PyList_Insert(order.get(), position, reinterpret_cast<PyObject*>(hidden_base)));
    }
    return order.release();
  });
}

}  // namespace tapegrad::python
