#include "bindings/overrides.h"

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "bindings/tensor_type.h"
#include "ops/views.h"

namespace tapegrad::python {

bool overriding_types_exist = false;
PyObject *disabled_handler = nullptr, *default_handler = nullptr;
thread_local PyObject* random_override = nullptr;

namespace {

namespace py = pybind11;

enum class Disabled { nothing, subclasses, everything };
thread_local Disabled disabled = Disabled::nothing;

struct Disable {
  explicit Disable(Disabled what) : previous(disabled) { disabled = std::max(disabled, what); }
  ~Disable() { disabled = previous; }
  Disable(const Disable&) = delete;
  Disabled previous;
};

PyObject* handler_name() {
  static PyObject* name = PyUnicode_InternFromString("__torch_function__");
  return name;
}

/// The overriding arguments, one of each type, subclasses before their bases and else in order.
class Overriding {
 public:
  void add(PyObject* object) {
    if (PyTuple_Check(object) || PyList_Check(object)) {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i)
        add_one(PySequence_Fast_GET_ITEM(object, i));
    } else {
      add_one(object);
    }
  }
  const std::vector<PyObject*>& objects() const { return objects_; }

  Object types() const {
    Object types = checked(PyTuple_New(static_cast<Py_ssize_t>(objects_.size())));
    for (size_t i = 0; i < objects_.size(); ++i)
      PyTuple_SET_ITEM(types.get(), static_cast<Py_ssize_t>(i),
                       Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(objects_[i]))));
    return types;
  }

 private:
  void add_one(PyObject* object) {
    if (!overrides(object)) return;
    for (PyObject* known : objects_)
      if (Py_TYPE(known) == Py_TYPE(object)) return;
    auto position = objects_.begin();
    while (position != objects_.end() && !PyType_IsSubtype(Py_TYPE(object), Py_TYPE(*position))) ++position;
    objects_.insert(position, object);
  }
  std::vector<PyObject*> objects_;
};

/// A tensor as an instance of a subclass. A tensor that nobody else has seen changes its class; of others a
/// view is made.
PyObject* convert_tensor(Object tensor, PyTypeObject* type) {
  PyObject* object = tensor.get();
  Tensor handle = get_tensor(object);
  const auto* instance = reinterpret_cast<TensorObject*>(object);
  const bool fresh =
      is_exact_tensor(object) && Py_REFCNT(object) == 1 && !instance->dict && !instance->weak_references;
  if (!fresh) return wrap_as(type, alias(handle));
  Py_DECREF(tensor.release());
  return wrap_as(type, std::move(handle));
}

/// The tensors in a result, also those in tuples and lists, as instances of a subclass.
PyObject* convert_result(Object result, PyTypeObject* type) {
  PyObject* object = result.get();
  if (is_tensor(object))
    return PyType_IsSubtype(Py_TYPE(object), type) ? result.release()
                                                   : convert_tensor(std::move(result), type);
  if (!PyTuple_Check(object) && !PyList_Check(object)) return result.release();
  const Object container = Object::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)));
  const Object list = checked(PySequence_List(object));
  result = Object();  // so that its members are fresh
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    Object member = Object::steal(PyList_GET_ITEM(list.get(), i));
    PyList_SET_ITEM(list.get(), i, nullptr);
    PyList_SET_ITEM(list.get(), i, convert_result(std::move(member), type));
  }
  return checked(PyObject_CallOneArg(container.get(), list.get())).release();
}

/// Attributes whose values are other tensors, which keep their own class: Tensor.grad.__get__...
bool keeps_class(PyObject* function) {
  if (Py_TYPE(function) != &_PyMethodWrapper_Type) return false;
  const Object descriptor = Object::steal(PyObject_GetAttrString(function, "__self__"));
  const Object name =
      Object::steal(descriptor ? PyObject_GetAttrString(descriptor.get(), "__name__") : nullptr);
  PyErr_Clear();
  if (!name) return false;
  for (const char* kept : {"grad", "_grad", "_base"})
    if (PyUnicode_CompareWithASCIIString(name.get(), kept) == 0) return true;
  return false;
}

/// What Tensor.__torch_function__ does: computes without overriding, and converts the results.
PyObject* default_function(PyTypeObject* type, PyObject* function, PyObject* types, PyObject* args,
                           PyObject* kwargs) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); ++i) {
    const int related = PyObject_IsSubclass(reinterpret_cast<PyObject*>(type), PyTuple_GET_ITEM(types, i));
    checked(related);
    if (!related) Py_RETURN_NOTIMPLEMENTED;
  }
  Object result;
  {
    const Disable computing(Disabled::subclasses);
    result = checked(PyObject_Call(function, args, kwargs));
  }
  if (type == tensor_type || keeps_class(function)) return result.release();
  return convert_result(std::move(result), type);
}

/// (func, types, args=(), kwargs=None)
struct HandlerArguments {
  PyObject *function = nullptr, *kwargs = nullptr;
  Object types, args;

  HandlerArguments(PyObject* given, PyObject* named) {
    static const char* names[] = {"func", "types", "args", "kwargs", nullptr};
    PyObject *type_sequence = nullptr, *arg_sequence = nullptr;
    if (!PyArg_ParseTupleAndKeywords(given, named, "OO|OO:__torch_function__", const_cast<char**>(names),
                                     &function, &type_sequence, &arg_sequence, &kwargs))
      throw PythonError{};
    types = checked(PySequence_Tuple(type_sequence));
    args = checked(arg_sequence ? PySequence_Tuple(arg_sequence) : PyTuple_New(0));
    if (kwargs == Py_None) kwargs = nullptr;
  }
};

PyObject* default_torch_function(PyObject* type, PyObject* given, PyObject* named) {
  return guarded([&] {
    const HandlerArguments call(given, named);
    return default_function(reinterpret_cast<PyTypeObject*>(type), call.function, call.types.get(),
                            call.args.get(), call.kwargs);
  });
}

PyObject* disabled_torch_function(PyObject*, PyObject* given, PyObject* named) {
  return guarded([&] {
    const HandlerArguments call(given, named);
    const Disable computing(Disabled::subclasses);
    return PyObject_Call(call.function, call.args.get(), call.kwargs);
  });
}

PyMethodDef default_definition = {
    "__torch_function__", as_c_function(default_torch_function), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
    "Computes func(*args, **kwargs) on the tensors as they are; results become instances of the class."};
PyMethodDef disabled_definition = {"_disabled_torch_function_impl", as_c_function(disabled_torch_function),
                                   METH_VARARGS | METH_KEYWORDS,
                                   "As __torch_function__ of a class: its instances override nothing."};

/// Asks the overriding arguments in turn; NotImplemented if all of them return that.
Object ask(PyObject* function, const Overriding& overriding, PyObject* args, PyObject* kwargs) {
  const Object types = overriding.types();
  for (PyObject* object : overriding.objects()) {
    Object result;
    if (_PyType_Lookup(Py_TYPE(object), handler_name()) == default_handler) {
      result = checked(default_function(Py_TYPE(object), function, types.get(), args, kwargs));
    } else {
      const Object handler = checked(PyObject_GetAttr(object, handler_name()));
      result =
          checked(PyObject_CallFunctionObjArgs(handler.get(), function, types.get(), args, kwargs, nullptr));
    }
    if (result.get() != Py_NotImplemented) return result;
  }
  return Object::borrow(Py_NotImplemented);
}

/// The arguments of a vectorcall as a tuple and, if there are any names, a dictionary.
Object positional_arguments(PyObject* const* args, Py_ssize_t count) {
  Object tuple = checked(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
  return tuple;
}
Object named_arguments(PyObject* const* values, PyObject* names) {
  if (!names || PyTuple_GET_SIZE(names) == 0) return {};
  Object dict = checked(PyDict_New());
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k)
    checked(PyDict_SetItem(dict.get(), PyTuple_GET_ITEM(names, k), values[k]));
  return dict;
}

[[noreturn]] void fail_dispatch(PyObject* function, const Overriding& overriding) {
  std::string types, name = "a function";
  const Object qualified = Object::steal(PyObject_GetAttrString(function, "__qualname__"));
  if (qualified && PyUnicode_Check(qualified.get())) name = PyUnicode_AsUTF8(qualified.get());
  PyErr_Clear();
  for (PyObject* object : overriding.objects()) {
    const Object type = checked(PyObject_Repr(reinterpret_cast<PyObject*>(Py_TYPE(object))));
    types += std::string("\n  - tensor subclass ") + PyUnicode_AsUTF8(type.get());
  }
  fail(ErrorKind::type, "Multiple dispatch failed for 'torch.", name,
       "'; all __torch_function__ handlers returned NotImplemented:\n", types,
       "\n\nA class without a handler of its own accepts only instances of its bases and subclasses.");
}

PyObject* is_overriding(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return PyBool_FromLong(any_overrides(args, count));
}
PyMethodDef is_overriding_definition = {
    "_has_torch_function", as_c_function(is_overriding), METH_FASTCALL,
    "Whether one of the arguments has a __torch_function__ that is in force."};

/// _override(function, relevant arguments, args, kwargs)
PyObject* override_explicitly(PyObject*, PyObject* given) {
  return guarded([&] {
    PyObject *function, *relevant, *args, *kwargs;
    if (!PyArg_ParseTuple(given, "OOO!O!", &function, &relevant, &PyTuple_Type, &args, &PyDict_Type, &kwargs))
      throw PythonError{};
    const Object sequence = checked(PySequence_Tuple(relevant));
    Overriding overriding;
    overriding.add(sequence.get());
    Object result = ask(function, overriding, args, kwargs);
    if (result.get() == Py_NotImplemented) fail_dispatch(function, overriding);
    return result.release();
  });
}
PyMethodDef override_definition = {"_override", override_explicitly, METH_VARARGS,
                                   "Lets the relevant arguments compute function(*args, **kwargs)."};

/// _set_random_override(handler or None)
PyObject* set_random_override(PyObject*, PyObject* handler) {
  PyObject* previous = std::exchange(random_override, handler == Py_None ? nullptr : Py_NewRef(handler));
  Py_XDECREF(previous);
  Py_RETURN_NONE;
}
PyMethodDef random_definition = {
    "_set_random_override", set_random_override, METH_O,
    "Lets handler(function, args, kwargs) compute random operations in this thread; None ends it."};

/// _as_subclass(tensor, cls)
PyObject* as_subclass(PyObject*, PyObject* given) {
  return guarded([&] {
    PyObject *tensor, *type;
    if (!PyArg_ParseTuple(given, "OO", &tensor, &type)) throw PythonError{};
    TG_CHECK_TYPE(PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), tensor_type),
                  "as_subclass(): argument 'cls' must be a class derived from Tensor");
    return wrap_as(reinterpret_cast<PyTypeObject*>(type), alias(get_tensor(tensor)));
  });
}
PyMethodDef as_subclass_definition = {"_as_subclass", as_subclass, METH_VARARGS,
                                      "The tensor as an instance of a subclass, sharing memory and history."};

template <Disabled what>
struct DisableContext {
  Disabled previous = Disabled::nothing;
  void enter() { previous = std::exchange(disabled, std::max(disabled, what)); }
  void exit(const py::args&) { disabled = previous; }
};

template <Disabled what>
void define_context(py::module_& module, const char* name, const char* doc) {
  using Context = DisableContext<what>;
  py::class_<Context>(module, name, doc)
      .def(py::init<>())
      .def("__enter__", &Context::enter)
      .def("__exit__", &Context::exit);
}

}  // namespace

bool overrides(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == tensor_type || !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return false;
  PyObject* handler = _PyType_Lookup(type, handler_name());
  if (!handler || handler == disabled_handler) return false;
  if (disabled == Disabled::nothing) [[likely]]
    return true;
  return disabled == Disabled::subclasses && !is_tensor(object);
}

bool has_own_handler(PyObject* object) {
  return overrides(object) && _PyType_Lookup(Py_TYPE(object), handler_name()) != default_handler;
}

bool any_overrides(PyObject* const* objects, Py_ssize_t count) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* object = objects[i];
    if (is_exact_tensor(object)) continue;
    if (PyTuple_Check(object) || PyList_Check(object)) {
      for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(object); ++k)
        if (overrides(PySequence_Fast_GET_ITEM(object, k))) return true;
    } else if (overrides(object)) {
      return true;
    }
  }
  return false;
}

PyObject* call_override(PyObject* function, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  Overriding overriding;
  const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  for (Py_ssize_t i = 0; i < total; ++i) overriding.add(args[i]);
  const Object tuple = positional_arguments(args, count), kwargs = named_arguments(args + count, keywords);
  Object result = ask(function, overriding, tuple.get(), kwargs.get());
  if (result.get() == Py_NotImplemented) fail_dispatch(function, overriding);
  return result.release();
}

PyObject* call_random_override(PyObject* function, PyObject* const* args, Py_ssize_t count,
                               PyObject* keywords) {
  struct Suspend {  // so that the handler can call the operation
    PyObject* handler = std::exchange(random_override, nullptr);
    ~Suspend() { random_override = handler; }
  } const suspended;
  const Object tuple = positional_arguments(args, count);
  Object kwargs = named_arguments(args + count, keywords);
  if (!kwargs) kwargs = checked(PyDict_New());
  return checked(
             PyObject_CallFunctionObjArgs(suspended.handler, function, tuple.get(), kwargs.get(), nullptr))
      .release();
}

PyObject* call_operator_override(const char* method, PyObject* a, PyObject* b) {
  Overriding overriding;
  overriding.add(a);
  overriding.add(b);
  const Object function = checked(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type), method));
  const Object args = checked(PyTuple_Pack(2, a, b));
  return ask(function.get(), overriding, args.get(), nullptr).release();
}

void register_overrides(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  Object handler = checked(PyDescr_NewClassMethod(tensor_type, &default_definition));
  checked(PyObject_SetAttr(reinterpret_cast<PyObject*>(tensor_type), handler_name(), handler.get()));
  default_handler = handler.release();
  disabled_handler = checked(PyCFunction_New(&disabled_definition, nullptr)).release();
  checked(PyModule_AddObjectRef(target, disabled_definition.ml_name, disabled_handler));
  for (PyMethodDef* definition :
       {&is_overriding_definition, &override_definition, &random_definition, &as_subclass_definition}) {
    const Object function = checked(PyCFunction_New(definition, nullptr));
    checked(PyModule_AddObjectRef(target, definition->ml_name, function.get()));
  }
  define_context<Disabled::subclasses>(module, "DisableTorchFunctionSubclass",
                                       "Inside, subclasses of Tensor override nothing.");
  define_context<Disabled::everything>(module, "DisableTorchFunction",
                                       "Inside, __torch_function__ is never called.");
}

}  // namespace tapegrad::python
