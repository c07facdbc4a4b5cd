// _ModuleBase, the base class of tapegrad.nn.Module: looks up parameters, buffers and submodules, and calls
// forward, without a detour through Python functions. What needs more than that (hooks) is left to
// Module._call_with_hooks.
#include <array>

#include "bindings/register.h"

namespace tapegrad::python {

namespace {

PyTypeObject* module_base = nullptr;

/// Interned names: the tables of members in the order in which they are searched, and the tables of hooks.
std::array<PyObject*, 3> member_tables;
std::array<PyObject*, 4> hook_tables;
PyObject *forward_name, *call_with_hooks_name;
PyObject* global_hooks = nullptr;  // a tuple of dictionaries, see watch_global_hooks

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
  for (PyObject* name : hook_tables) {
    PyObject* table = table_of(attributes, name);
    if (!table || PyDict_GET_SIZE(table) > 0)
      return true;  // without tables: the slow way reports what is wrong
  }
  for (Py_ssize_t i = 0; global_hooks && i < PyTuple_GET_SIZE(global_hooks); ++i)
    if (PyDict_GET_SIZE(PyTuple_GET_ITEM(global_hooks, i)) > 0) return true;
  return false;
}

/// self.forward(*args, **kwargs), without making a bound method in the common case.
PyObject* call_forward(PyObject* self, PyObject* attributes, PyObject* args, PyObject* kwargs) {
  constexpr Py_ssize_t kMaxArguments = 7;
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  PyObject* function = _PyType_Lookup(Py_TYPE(self), forward_name);
  const bool is_method = function && PyFunction_Check(function) && count <= kMaxArguments;
  if (!is_method || PyDict_Contains(attributes, forward_name) != 0) {
    Object forward = Object::steal(PyObject_GetAttr(self, forward_name));
    return forward ? PyObject_Call(forward.get(), args, kwargs) : nullptr;
  }
  std::array<PyObject*, kMaxArguments + 1> stack = {self};
  for (Py_ssize_t i = 0; i < count; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  Object keep = Object::borrow(function);
  return PyObject_VectorcallDict(function, stack.data(), static_cast<size_t>(count) + 1, kwargs);
}

PyObject* call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* attributes = attributes_of(self);
  if (!attributes || has_hooks(attributes)) {
    Object no_keywords = kwargs ? Object() : Object::steal(PyDict_New());
    return PyObject_CallMethodObjArgs(self, call_with_hooks_name, args, kwargs ? kwargs : no_keywords.get(),
                                      nullptr);
  }
  return call_forward(self, attributes, args, kwargs);
}

/// A subclass with Python's own look-up of __getattr__ gets ours, unless it (or a base) defines another one.
PyObject* use_fast_lookup(PyObject* cls, PyObject*) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  Object own = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(module_base), "__getattr__"));
  Object used = Object::steal(PyObject_GetAttrString(cls, "__getattr__"));
  Object own_first =
      Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(module_base), "__getattribute__"));
  Object used_first = Object::steal(PyObject_GetAttrString(cls, "__getattribute__"));
  if (!own || !used || !own_first || !used_first) return nullptr;
  if (own.get() == used.get() && own_first.get() == used_first.get()) type->tp_getattro = get_attribute;
  Py_RETURN_NONE;
}

PyObject* watch_global_hooks(PyObject*, PyObject* tables) {
  Py_XSETREF(global_hooks, Py_NewRef(tables));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"__getattr__", get_member, METH_O, "Returns the parameter, buffer or submodule with that name."},
    {"_use_fast_lookup", use_fast_lookup, METH_NOARGS | METH_CLASS, "Prepares a new subclass."},
    {"_watch_global_hooks", watch_global_hooks, METH_O | METH_CLASS,
     "Takes the tables of hooks of all modules."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void register_module_base(PyObject* module) {
  member_tables = {PyUnicode_InternFromString("_parameters"), PyUnicode_InternFromString("_buffers"),
                   PyUnicode_InternFromString("_modules")};
  hook_tables = {
      PyUnicode_InternFromString("_forward_hooks"), PyUnicode_InternFromString("_forward_pre_hooks"),
      PyUnicode_InternFromString("_backward_hooks"), PyUnicode_InternFromString("_backward_pre_hooks")};
  forward_name = PyUnicode_InternFromString("forward");
  call_with_hooks_name = PyUnicode_InternFromString("_call_with_hooks");
  PyType_Slot slots[] = {{Py_tp_methods, methods},
                         {Py_tp_call, reinterpret_cast<void*>(call)},
                         {Py_tp_doc, const_cast<char*>("Looks up members and calls forward for nn.Module.")},
                         {0, nullptr}};
  PyType_Spec spec = {"tapegrad._C._ModuleBase", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Object type = checked(PyType_FromSpec(&spec));
  module_base = reinterpret_cast<PyTypeObject*>(type.get());
  checked(PyModule_AddObjectRef(module, "_ModuleBase", type.get()));
  type.release();
}

}  // namespace tapegrad::python
