// _layer_forward(operation, *names, inplace=None): the `forward` of a layer that is one operation on its
// input and on attributes of the layer. It does what
//
//     def forward(self, input):
//         return operation(input, self.name, ...)
//
// does, without a Python function in between: at the size of a batch a tenth of a training step are calls of
// layers. With `inplace`, that operation takes the place of the first when the layer's attribute `inplace`
// is true.
#include "bindings/layer_forward.h"

#include <Python.h>
#include <structmember.h>

#include <array>

#include "autograd/node.h"
#include "bindings/arg_parser.h"
#include "bindings/module_slots.h"
#include "bindings/overrides.h"
#include "bindings/register.h"
#include "core/profiler.h"

namespace tapegrad::python {

namespace {

constexpr Py_ssize_t kMaxNames = 6;

struct LayerForward {
  PyObject_HEAD vectorcallfunc call;
  PyObject* operation;
  PyObject* in_place;       // or null
  PyObject* names;          // a tuple of interned strings
  TensorFunction function;  // of in_place, or of operation if there is none
  PyObject* qualname;       // "Linear.forward"; null until a class has it
};
PyTypeObject* layer_forward_type = nullptr;
PyObject *input_name, *inplace_name;

LayerForward* as_layer_forward(PyObject* object) { return reinterpret_cast<LayerForward*>(object); }
const char* name_of(PyObject* object) {
  PyObject* qualname = as_layer_forward(object)->qualname;
  return qualname ? PyUnicode_AsUTF8(qualname) : "forward";
}

PyObject* call_layer_forward(PyObject* object, PyObject* const* args, size_t flags, PyObject* keywords) {
  const LayerForward& forward = *as_layer_forward(object);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  PyObject* input = count == 2 && !keywords ? args[1] : single_input(name_of(object), args, count, keywords);
  if (!input) return nullptr;
  PyObject* layer = args[0];
  PyObject* operation = forward.operation;
  if (forward.in_place) {
    const Object chosen = Object::steal(PyObject_GetAttr(layer, inplace_name));
    const int in_place = chosen ? PyObject_IsTrue(chosen.get()) : -1;
    if (in_place < 0) return nullptr;
    if (in_place) operation = forward.in_place;
  }
  // The first place is for the callee: PY_VECTORCALL_ARGUMENTS_OFFSET.
  std::array<PyObject*, kMaxNames + 2> stack = {nullptr, input};
  std::array<Object, kMaxNames> attributes;
  const Py_ssize_t names = PyTuple_GET_SIZE(forward.names);
  if (!get_attributes(layer, &PyTuple_GET_ITEM(forward.names, 0), attributes.data(), names)) return nullptr;
  for (Py_ssize_t i = 0; i < names; ++i) stack[i + 2] = attributes[i].get();
  return PyObject_Vectorcall(operation, stack.data() + 1,
                             static_cast<size_t>(names + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

PyObject* make_layer_forward(PyObject*, PyObject* args, PyObject* keywords) {
  return guarded([&] {
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    TG_CHECK_TYPE(count >= 1 && count <= kMaxNames + 1, "_layer_forward() takes an operation and names");
    PyObject* in_place = keywords ? PyDict_GetItemWithError(keywords, inplace_name) : nullptr;
    const Object names = checked(PyTuple_GetSlice(args, 1, count));
    auto* forward = reinterpret_cast<LayerForward*>(
        checked(layer_forward_type->tp_alloc(layer_forward_type, 0)).release());
    forward->call = call_layer_forward;
    forward->operation = Py_NewRef(PyTuple_GET_ITEM(args, 0));
    forward->in_place = Py_XNewRef(in_place);
    forward->names = Py_NewRef(names.get());
    if (count <= TensorFunction::kMaxTensors)
      forward->function = TensorFunction(in_place ? in_place : forward->operation);
    return reinterpret_cast<PyObject*>(forward);
  });
}

void deallocate(PyObject* object) {
  LayerForward& forward = *as_layer_forward(object);
  Py_XDECREF(forward.operation);
  Py_XDECREF(forward.in_place);
  Py_XDECREF(forward.names);
  Py_XDECREF(forward.qualname);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* bind_to_layer(PyObject* self, PyObject* layer, PyObject*) {
  return layer && layer != Py_None ? PyMethod_New(self, layer) : Py_NewRef(self);
}

/// Called when a class gets it as an attribute.
PyObject* set_name(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "__set_name__() takes a class and a name");
  const Object class_name = Object::steal(PyObject_GetAttrString(args[0], "__qualname__"));
  if (!class_name) return nullptr;
  PyObject* qualname = PyUnicode_FromFormat("%U.%U", class_name.get(), args[1]);
  if (!qualname) return nullptr;
  Py_XSETREF(as_layer_forward(self)->qualname, qualname);
  Py_RETURN_NONE;
}

PyObject* get_qualname(PyObject* self, void*) { return PyUnicode_FromString(name_of(self)); }
PyObject* get_name(PyObject*, void*) { return PyUnicode_FromString("forward"); }
PyObject* get_signature(PyObject*, void*) { return PyUnicode_FromString("($self, input)"); }
PyObject* represent(PyObject* self) { return PyUnicode_FromFormat("<function %s>", name_of(self)); }

PyGetSetDef attributes[] = {{"__name__", get_name, nullptr, nullptr, nullptr},
                            {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
                            {"__text_signature__", get_signature, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef methods[] = {{"__set_name__", as_c_function(set_name), METH_FASTCALL, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(LayerForward, call), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyMethodDef functions[] = {
    {"_layer_forward", as_c_function(make_layer_forward), METH_VARARGS | METH_KEYWORDS,
     "_layer_forward(operation, *names, inplace=None): forward(self, input) of a layer that is "
     "operation(input, self.name, ...)."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* single_input(const char* function, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* input = count > 1 ? args[1] : nullptr;
  for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); ++k) {
    PyObject* name = PyTuple_GET_ITEM(keywords, k);
    if (PyUnicode_Compare(name, input_name) != 0)
      return PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
    if (input)
      return PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument 'input'", function);
    input = args[count + k];
  }
  if (count > 2)
    return PyErr_Format(PyExc_TypeError, "%s() takes 2 positional arguments but %zd were given", function,
                        count);
  if (!input || count == 0)
    return PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", function,
                        count == 0 ? "self" : "input");
  return input;
}

namespace {

/// Whether nobody but the owner of this handle could see a write to the tensor.
bool is_unseen(const Tensor& tensor) {
  const auto* node = static_cast<const autograd::Node*>(tensor->grad_fn.get());
  return tensor.is_unshared() && !tensor->autograd && !(node && node->has_extras()) &&
         !tensor->is_inference && tensor.is_floating();
}

}  // namespace

bool is_tensor_forward(PyObject* forward) {
  return Py_TYPE(forward) == layer_forward_type && as_layer_forward(forward)->function;
}

bool forward_tensor(PyObject* forward, PyObject* layer, Tensor& value) {
  const Object keep = Object::borrow(forward);  // from what looking up attributes may run
  const LayerForward& layer_forward = *as_layer_forward(forward);
  if (overriding_types_exist || profiler::active || (layer_forward.in_place && !is_unseen(value)))
    return false;
  const Py_ssize_t names = PyTuple_GET_SIZE(layer_forward.names);
  std::array<Object, TensorFunction::kMaxTensors> attributes;
  if (!get_attributes(layer, &PyTuple_GET_ITEM(layer_forward.names, 0), attributes.data(), names))
    throw PythonError{};
  std::array<Tensor, TensorFunction::kMaxTensors> tensors;
  for (Py_ssize_t i = 0; i < names; ++i) {
    PyObject* attribute = attributes[i].get();
    if (is_tensor(attribute))
      tensors[i + 1] = get_tensor(attribute);
    else if (attribute != Py_None || i + 1 < layer_forward.function.required())
      return false;
  }
  tensors[0] = std::move(value);
  value = layer_forward.function(tensors);
  return true;
}

void register_layer_forward(PyObject* module) {
  input_name = PyUnicode_InternFromString("input");
  inplace_name = PyUnicode_InternFromString("inplace");
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(bind_to_layer)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
                         {Py_tp_repr, reinterpret_cast<void*>(represent)},
                         {Py_tp_getset, attributes},
                         {Py_tp_methods, methods},
                         {Py_tp_members, members},
                         {0, nullptr}};
  PyType_Spec spec = {"tapegrad._C.layer_forward", sizeof(LayerForward), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                          Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  layer_forward_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)).release());
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace tapegrad::python
