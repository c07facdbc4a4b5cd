// The two hottest methods of tapegrad.nn.Module, __getattr__ (parameters, buffers, submodules) and __call__,
// and slots that reach them without a detour through Python. Calls with hooks are left to
// Module._call_with_hooks.
//
// They are attributes of an ordinary Python class, not a base class written in C: `module.__class__ = Other`
// works only between classes with the same bases in C.
#include "bindings/module_slots.h"

#include <array>

#include "bindings/layer_forward.h"
#include "bindings/register.h"
#include "bindings/tensor_type.h"

namespace tapegrad::python {

namespace {

/// Interned names: the tables of members in the order in which they are searched, and the tables of hooks.
std::array<PyObject*, 3> member_tables;
std::array<PyObject*, 4> hook_tables;
PyObject *forward_name, *call_with_hooks_name, *getattr_name, *getattribute_name, *call_name;
PyObject *getattr_method, *call_method;  // what Module has as __getattr__ and __call__
PyObject* global_hooks = nullptr;        // a tuple of dictionaries, see watch_global_hooks
bool any_hooks = false;                  // whether a module, or all of them, ever got a hook

PyObject* table_of(PyObject* attributes, PyObject* name) {
  PyObject* table = PyDict_GetItemWithError(attributes, name);
  return table && PyDict_Check(table) ? table : nullptr;
}

/// A borrowed reference to the instance's attributes; null without an exception if it has none.
PyObject* attributes_of(PyObject* self) {
  PyObject** slot = _PyObject_GetDictPtr(self);
  return slot ? *slot : nullptr;
}

/// The member with that name, or null without an exception.
PyObject* find_member(PyObject* self, PyObject* name) {
  PyObject* attributes = attributes_of(self);
  if (!attributes) return nullptr;
  for (PyObject* table_name : member_tables) {
    PyObject* table = table_of(attributes, table_name);
    PyObject* member = table ? PyDict_GetItemWithError(table, name) : nullptr;
    if (member) return Py_NewRef(member);
    if (PyErr_Occurred()) return nullptr;
  }
  return nullptr;
}

/// Module.__getattr__(name): what is tried after the ordinary look-up has failed.
PyObject* get_member(PyObject* self, PyObject* name) {
  PyObject* member = find_member(self, name);
  if (!member && !PyErr_Occurred())
    PyErr_Format(PyExc_AttributeError, "'%.200s' object has no attribute '%U'", Py_TYPE(self)->tp_name, name);
  return member;
}

/// Ordinary look-up, then the members: what Python does for a class with __getattr__, without raising in
/// between.
PyObject* get_attribute(PyObject* self, PyObject* name) {
  PyObject* found = _PyObject_GenericGetAttrWithDict(self, name, nullptr, /*suppress=*/1);
  if (found || PyErr_Occurred()) return found;
  return get_member(self, name);
}

bool has_hooks(PyObject* attributes) {
  if (!any_hooks) return false;
  for (PyObject* name : hook_tables) {
    PyObject* table = table_of(attributes, name);
    if (!table || PyDict_GET_SIZE(table) > 0)
      return true;  // without tables: the slow way reports what is wrong
  }
  for (Py_ssize_t i = 0; global_hooks && i < PyTuple_GET_SIZE(global_hooks); ++i)
    if (PyDict_GET_SIZE(PyTuple_GET_ITEM(global_hooks, i)) > 0) return true;
  return false;
}

/// The function of a method that takes the instance as its first argument; null for other attributes.
PyObject* method_function(PyObject* attribute) {
  if (PyInstanceMethod_Check(attribute)) return PyInstanceMethod_GET_FUNCTION(attribute);
  return PyType_HasFeature(Py_TYPE(attribute), Py_TPFLAGS_METHOD_DESCRIPTOR) ? attribute : nullptr;
}

/// The `forward` of the instance's class as such a function, a borrowed reference; null when it is none or
/// the instance has one of its own.
PyObject* forward_of_class(PyObject* self, PyObject* attributes) {
  PyObject* attribute = _PyType_Lookup(Py_TYPE(self), forward_name);
  PyObject* function = attribute ? method_function(attribute) : nullptr;
  return function && PyDict_Contains(attributes, forward_name) == 0 ? function : nullptr;
}

/// self.forward(*args), without making a bound method if `function` is forward_of_class; `stack` is self and
/// the arguments.
PyObject* call_forward(PyObject* function, PyObject* const* stack, Py_ssize_t count, PyObject* kwargs) {
  if (!function) {
    Object forward = Object::steal(PyObject_GetAttr(stack[0], forward_name));
    return forward ? PyObject_VectorcallDict(forward.get(), stack + 1, static_cast<size_t>(count) - 1, kwargs)
                   : nullptr;
  }
  Object keep = Object::borrow(function);
  return PyObject_VectorcallDict(function, stack, static_cast<size_t>(count), kwargs);
}

PyObject* call(PyObject* self, PyObject* args, PyObject* kwargs) {
  constexpr Py_ssize_t kMaxArguments = 7;
  PyObject* attributes = attributes_of(self);
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (!attributes || has_hooks(attributes) || count > kMaxArguments) {
    Object no_keywords = kwargs ? Object() : Object::steal(PyDict_New());
    return PyObject_CallMethodObjArgs(self, call_with_hooks_name, args, kwargs ? kwargs : no_keywords.get(),
                                      nullptr);
  }
  std::array<PyObject*, kMaxArguments + 1> stack = {self};
  for (Py_ssize_t i = 0; i < count; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  return call_forward(forward_of_class(self, attributes), stack.data(), count + 1, kwargs);
}

/// Sequential.forward(self, input): calls the modules of a dictionary in turn.
PyObject* forward_in_turn(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* input = single_input("Sequential.forward", args, count, keywords);
  if (!input) return nullptr;
  const Object modules = Object::steal(PyObject_GetAttr(args[0], member_tables.back()));
  if (!modules) return nullptr;
  return guarded([&] {
    const Object list = checked(PyMapping_Values(modules.get()));
    // What goes from layer to layer: an object, or a tensor that has none if only this function knows of it.
    Object object = Object::borrow(input);
    Tensor tensor;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
      PyObject* module = PyList_GET_ITEM(list.get(), i);
      PyObject* attributes = Py_TYPE(module)->tp_call == call ? attributes_of(module) : nullptr;
      const bool is_plain = attributes && !has_hooks(attributes);
      PyObject* forward = is_plain ? forward_of_class(module, attributes) : nullptr;
      if (forward && is_tensor_forward(forward)) {
        if (object && is_exact_tensor(object.get())) {
          tensor = get_tensor(object.get());
          object = {};
        }
        if (tensor.defined() && forward_tensor(forward, module, tensor)) continue;
      }
      if (!object) object = checked(wrap(std::move(tensor)));
      const std::array<PyObject*, 2> stack = {module, object.get()};
      object = checked(is_plain ? call_forward(forward, stack.data(), 2, nullptr)
                                : PyObject_CallOneArg(module, object.get()));
    }
    return object ? object.release() : wrap(std::move(tensor));
  });
}

/// Module.__getattr__(self, name)
PyObject* getattr_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "__getattr__() takes 1 argument, the name");
  return get_member(args[0], args[1]);
}

/// Module.__call__(self, *args, **kwargs)
PyObject* call_function(PyObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) == 0) return PyErr_Format(PyExc_TypeError, "__call__() needs a module");
  Object rest = Object::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  return rest ? call(PyTuple_GET_ITEM(args, 0), rest.get(), kwargs) : nullptr;
}

/// Gives a class whose __getattr__ and __call__ are Module's the slots written here. Python puts its own ones
/// back when the class gets other methods.
PyObject* use_module_slots(PyObject*, PyObject* cls) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  const bool looks_up_as_object =
      _PyType_Lookup(type, getattribute_name) == _PyType_Lookup(&PyBaseObject_Type, getattribute_name);
  if (looks_up_as_object && _PyType_Lookup(type, getattr_name) == getattr_method)
    type->tp_getattro = get_attribute;
  if (_PyType_Lookup(type, call_name) == call_method) type->tp_call = call;
  Py_RETURN_NONE;
}

/// From now on a call of a module looks for hooks; before the first hook of the program there is no need to.
PyObject* use_module_hooks(PyObject*, PyObject*) {
  any_hooks = true;
  Py_RETURN_NONE;
}

PyObject* watch_global_hooks(PyObject*, PyObject* tables) {
  Py_XSETREF(global_hooks, Py_NewRef(tables));
  Py_RETURN_NONE;
}

PyMethodDef getattr_definition = {"__getattr__", as_c_function(getattr_function), METH_FASTCALL,
                                  "Returns the parameter, buffer or submodule with that name."};
PyMethodDef call_definition = {"__call__", as_c_function(call_function), METH_VARARGS | METH_KEYWORDS,
                               "Calls forward, with the hooks around it if there are any."};
PyMethodDef in_turn_definition = {
    "forward", as_c_function(forward_in_turn), METH_FASTCALL | METH_KEYWORDS,
    "Calls the modules one after the other, each on the result of the one before."};
PyMethodDef functions[] = {
    {"_use_module_slots", use_module_slots, METH_O, "Prepares a new subclass of Module."},
    {"_use_module_hooks", use_module_hooks, METH_NOARGS, "Makes calls of modules look for hooks."},
    {"_watch_global_hooks", watch_global_hooks, METH_O, "Takes the tables of hooks of all modules."},
    {nullptr, nullptr, 0, nullptr},
};

/// A function that binds to instances, as functions written in Python do.
PyObject* add_method(PyObject* module, const char* name, PyMethodDef& definition) {
  Object function = checked(PyCFunction_New(&definition, nullptr));
  Object method = checked(PyInstanceMethod_New(function.get()));
  checked(PyModule_AddObjectRef(module, name, method.get()));
  return method.release();
}

}  // namespace

bool get_attributes(PyObject* self, PyObject* const* names, Object* values, Py_ssize_t count) {
  // Of a layer they are parameters, which are looked for at once in their table: neither the class nor the
  // instance has an attribute of that name then.
  PyTypeObject* type = Py_TYPE(self);
  // Held, because a property may replace them.
  const Object attributes =
      Object::borrow(type->tp_getattro == get_attribute ? attributes_of(self) : nullptr);
  const Object parameters =
      Object::borrow(attributes ? table_of(attributes.get(), member_tables.front()) : nullptr);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* found = parameters ? PyDict_GetItemWithError(parameters.get(), names[i]) : nullptr;
    const bool hidden =
        found && (_PyType_Lookup(type, names[i]) || PyDict_Contains(attributes.get(), names[i]) != 0);
    values[i] = found && !hidden ? Object::borrow(found) : Object::steal(PyObject_GetAttr(self, names[i]));
    if (!values[i]) return false;
  }
  return true;
}

void register_module_slots(PyObject* module) {
  member_tables = {PyUnicode_InternFromString("_parameters"), PyUnicode_InternFromString("_buffers"),
                   PyUnicode_InternFromString("_modules")};
  hook_tables = {
      PyUnicode_InternFromString("_forward_hooks"), PyUnicode_InternFromString("_forward_pre_hooks"),
      PyUnicode_InternFromString("_backward_hooks"), PyUnicode_InternFromString("_backward_pre_hooks")};
  forward_name = PyUnicode_InternFromString("forward");
  call_with_hooks_name = PyUnicode_InternFromString("_call_with_hooks");
  getattr_name = PyUnicode_InternFromString("__getattr__");
  getattribute_name = PyUnicode_InternFromString("__getattribute__");
  call_name = PyUnicode_InternFromString("__call__");
  getattr_method = add_method(module, "_module_getattr", getattr_definition);
  call_method = add_method(module, "_module_call", call_definition);
  Py_DECREF(add_method(module, "_forward_in_turn", in_turn_definition));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace tapegrad::python
