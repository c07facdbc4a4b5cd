// Saved-tensor hooks written in Python: autograd.graph.saved_tensors_hooks, grad_fn._raw_saved_self.
#include <memory>
#include <optional>

#include "autograd/saved_tensor.h"
#include "bindings/arg_parser.h"
#include "bindings/node_type.h"
#include "bindings/register.h"
#include "bindings/saved_attributes.h"

namespace tapegrad::python {

namespace {

/// What the pack hook returned.
struct PythonPacked final : autograd::PackedTensor {
  PythonPacked(Object packed, Object unpack_hook)
      : packed(std::move(packed)), unpack_hook(std::move(unpack_hook)) {}
  Tensor unpack() override {
    const Object result = checked(PyObject_CallOneArg(unpack_hook.get(), packed.get()));
    TG_CHECK_TYPE(is_tensor(result.get()),
                  "Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
                  Py_TYPE(result.get())->tp_name);
    return get_tensor(result.get());
  }
  Object packed, unpack_hook;
};

struct PythonSavedTensorHooks final : autograd::SavedTensorHooks {
  PythonSavedTensorHooks(PyObject* pack, PyObject* unpack)
      : pack_hook(Object::borrow(pack)), unpack_hook(Object::borrow(unpack)) {}
  Ref<autograd::PackedTensor> pack(const Tensor& tensor) override {
    const uint32_t version = tensor.version();
    const Object argument = Object::steal(wrap(tensor));
    Object packed = checked(PyObject_CallOneArg(pack_hook.get(), argument.get()));
    TG_CHECK(
        tensor.version() == version,
        "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
        "cannot be modified by in-place operations as this can lead to unexpected side-effects: let the "
        "hook change a clone().");
    return Ref<autograd::PackedTensor>(new PythonPacked(std::move(packed), unpack_hook));
  }
  Object pack_hook, unpack_hook;
};

using Stack = std::vector<std::unique_ptr<PythonSavedTensorHooks>>;
Stack& stack() {
  // Never destroyed: a thread may end after the interpreter.
  static thread_local auto* hooks = new Stack;
  return *hooks;
}
thread_local std::optional<std::string> disabled;  // the message of disable_saved_tensors_hooks

void activate_top() { autograd::modes.saved_tensor_hooks = stack().empty() ? nullptr : stack().back().get(); }

PyObject* push_hooks(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *pack, *unpack;
    if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) throw PythonError{};
    TG_CHECK_TYPE(PyCallable_Check(pack) && PyCallable_Check(unpack),
                  "saved_tensors_hooks expects two functions, pack_hook and unpack_hook");
    TG_CHECK(!disabled, *disabled);
    stack().push_back(std::make_unique<PythonSavedTensorHooks>(pack, unpack));
    activate_top();
    Py_RETURN_NONE;
  });
}

PyObject* pop_hooks(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    TG_CHECK(!stack().empty(), "there are no saved-tensor hooks to remove");
    const auto removed = std::move(stack().back());  // may run Python code when it dies
    stack().pop_back();
    activate_top();
    Py_RETURN_NONE;
  });
}

/// Sets the message with which saved-tensor hooks are refused (None: they are allowed); returns the old one.
PyObject* disable_hooks(PyObject*, PyObject* message) {
  return guarded([&]() -> PyObject* {
    Object previous = disabled ? Object::steal(to_python(*disabled)) : Object::borrow(Py_None);
    if (message == Py_None) {
      disabled.reset();
    } else {
      const char* text = PyUnicode_AsUTF8(message);
      if (!text) throw PythonError{};
      TG_CHECK(stack().empty(), text);
      disabled = text;
    }
    return previous.release();
  });
}

/// A saved tensor of a node, for _raw_saved_*.
struct SavedTensorObject {
  PyObject_HEAD autograd::Node* node;  // owned
  autograd::SavedTensor* saved;
};
PyTypeObject* saved_tensor_type = nullptr;

PyObject* register_hooks(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *pack, *unpack;
    if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) throw PythonError{};
    auto* object = reinterpret_cast<SavedTensorObject*>(self);
    if (object->node->saved_released) autograd::fail_backward_twice(*object->node);
    PythonSavedTensorHooks hooks(pack, unpack);
    object->saved->register_hooks(hooks, object->node);
    Py_RETURN_NONE;
  });
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<SavedTensorObject*>(self)->node->release();
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {{"register_hooks", register_hooks, METH_VARARGS,
                          "Keeps pack_hook(tensor) instead of the tensor; the derivative gets "
                          "unpack_hook(what was kept)."},
                         {nullptr, nullptr, 0, nullptr}};

PyMethodDef functions[] = {{"_push_saved_tensor_hooks", push_hooks, METH_VARARGS, nullptr},
                           {"_pop_saved_tensor_hooks", pop_hooks, METH_NOARGS, nullptr},
                           {"_disable_saved_tensor_hooks", disable_hooks, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* wrap_saved_tensor(autograd::Node& node, autograd::SavedTensor& saved) {
  auto* object = reinterpret_cast<SavedTensorObject*>(saved_tensor_type->tp_alloc(saved_tensor_type, 0));
  if (!object) throw PythonError{};
  node.retain();
  object->node = &node;
  object->saved = &saved;
  return reinterpret_cast<PyObject*>(object);
}

int register_saved_hooks(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)}, {Py_tp_methods, methods}, {0, nullptr}};
  PyType_Spec spec = {"tapegrad.autograd.SavedTensor", sizeof(SavedTensorObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  saved_tensor_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return saved_tensor_type ? PyModule_AddFunctions(module, functions) : -1;
}

}  // namespace tapegrad::python
