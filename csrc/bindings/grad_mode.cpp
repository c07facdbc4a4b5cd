// no_grad, enable_grad, set_grad_enabled, inference_mode: context managers in C++, because they stand around
// every optimizer step and evaluation. Python adds their use as decorators.
#include "autograd/grad_mode.h"

#include "bindings/register.h"
#include "core/tensor.h"

namespace tapegrad::python {

namespace {

using autograd::modes;

enum class Switch { no_grad, enable_grad, set_grad_enabled, inference_mode };

struct ModeObject {
  PyObject_HEAD bool mode;  // what the context asks for
  bool previous_grad;
  bool previous_inference;
};

void remember(ModeObject* object) {
  object->previous_grad = modes.grad;
  object->previous_inference = inference_mode;
}

void apply(Switch which, bool mode) {
  if (which == Switch::inference_mode) {
    inference_mode = mode;
    modes.grad = !mode;
  } else {
    modes.grad = mode && !inference_mode;  // what is computed in inference mode is never recorded
  }
}

/// Called without arguments, with a mode where the class takes one, or as a decorator with a function.
template <Switch which>
PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  constexpr bool takes_mode = which == Switch::set_grad_enabled || which == Switch::inference_mode;
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  PyObject* argument = count > 0 ? PyTuple_GET_ITEM(args, 0) : nullptr;
  if (kwargs && PyDict_GET_SIZE(kwargs) > 0) {
    argument = takes_mode && count == 0 && PyDict_GET_SIZE(kwargs) == 1 ? PyDict_GetItemString(kwargs, "mode")
                                                                        : nullptr;
    if (!argument)
      return PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument", type->tp_name);
  }
  if (which == Switch::set_grad_enabled && !argument)
    return PyErr_Format(PyExc_TypeError, "%s.__init__() missing 1 required positional argument: 'mode'",
                        type->tp_name);
  if (count > 1) return PyErr_Format(PyExc_TypeError, "%s() takes one argument, mode", type->tp_name);
  const bool decorates = argument && !PyBool_Check(argument) && PyCallable_Check(argument);
  bool mode = which == Switch::enable_grad || which == Switch::inference_mode;
  if (which == Switch::set_grad_enabled && argument && !decorates && !PyBool_Check(argument))
    return PyErr_Format(PyExc_TypeError,
                        "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not %s",
                        Py_TYPE(argument)->tp_name);
  if (takes_mode && argument && !decorates) {
    const int truth = PyObject_IsTrue(argument);
    if (truth < 0) return nullptr;
    mode = truth;
  } else if (argument && !decorates) {
    return PyErr_Format(PyExc_TypeError, "%s() takes no arguments; as a decorator it takes a function",
                        type->tp_name);
  }
  auto* self = reinterpret_cast<ModeObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->mode = mode;
  remember(self);
  Object owned = Object::steal(reinterpret_cast<PyObject*>(self));
  if (which == Switch::set_grad_enabled && !decorates) apply(which, mode);
  return decorates ? PyObject_CallOneArg(owned.get(), argument) : owned.release();
}

template <Switch which>
PyObject* enter(PyObject* self, PyObject*) {
  auto* object = reinterpret_cast<ModeObject*>(self);
  if (which != Switch::set_grad_enabled) {  // that one has set its mode already
    remember(object);
    apply(which, object->mode);
  }
  Py_RETURN_NONE;
}

PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) {
  const auto* object = reinterpret_cast<ModeObject*>(self);
  modes.grad = object->previous_grad;
  inference_mode = object->previous_inference;
  Py_RETURN_NONE;
}

PyObject* restore(PyObject* self, PyObject*) { return leave(self, nullptr, 0); }

PyObject* get_mode(PyObject* self, void*) {
  return PyBool_FromLong(reinterpret_cast<ModeObject*>(self)->mode);
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

template <Switch which>
int add_switch(PyObject* module, const char* name) {
  static PyMethodDef methods[] = {
      {"__enter__", enter<which>, METH_NOARGS, nullptr},
      {"__exit__", as_c_function(leave), METH_FASTCALL, nullptr},
      {"_restore", restore, METH_NOARGS, "Goes back to the mode of before the object was made or entered."},
      {nullptr, nullptr, 0, nullptr}};
  static PyGetSetDef attributes[] = {{"mode", get_mode, nullptr, "The mode that the context sets.", nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(make<which>)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, attributes},
                         {0, nullptr}};
  const std::string full_name = std::string("tapegrad._C.") + name;
  PyType_Spec spec = {full_name.c_str(), sizeof(ModeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                      slots};
  Object type = Object::steal(PyType_FromSpec(&spec));
  return type ? PyModule_AddObjectRef(module, name, type.get()) : -1;
}

}  // namespace

int register_grad_modes(PyObject* module) {
  if (add_switch<Switch::no_grad>(module, "_no_grad") < 0 ||
      add_switch<Switch::enable_grad>(module, "_enable_grad") < 0)
    return -1;
  if (add_switch<Switch::set_grad_enabled>(module, "_set_grad_enabled") < 0) return -1;
  return add_switch<Switch::inference_mode>(module, "_inference_mode");
}

}  // namespace tapegrad::python
