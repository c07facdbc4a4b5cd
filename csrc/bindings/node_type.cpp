#include "bindings/node_type.h"

#include <structmember.h>

#include <unordered_map>

#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "bindings/arg_parser.h"
#include "bindings/device.h"
#include "bindings/python_function.h"
#include "bindings/python_hooks.h"
#include "bindings/saved_attributes.h"

namespace tapegrad::python {

using autograd::Node;

PyTypeObject* node_type = nullptr;

namespace {

/// The user's dictionary: grad_fn.metadata.
struct Metadata : RefCounted {
  Object dict = checked(PyDict_New());
};

/// The class of the nodes with this name. PyTorch's C++ names are shown without their namespace.
PyTypeObject* type_for(const std::string& name) {
  static auto& types = *new std::unordered_map<std::string, PyTypeObject*>;
  PyTypeObject*& type = types[name];
  if (!type) {
    const size_t colons = name.rfind("::");
    const std::string short_name = colons == std::string::npos ? name : name.substr(colons + 2);
    Object made =
        checked(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(O){s:s,s:()}",
                                      short_name.c_str(), node_type, "__module__", "builtins", "__slots__"));
    type = reinterpret_cast<PyTypeObject*>(made.release());
  }
  return type;
}

NodeObject* as_object(PyObject* self) { return reinterpret_cast<NodeObject*>(self); }

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  NodeObject* object = as_object(self);
  if (object->weak_references) PyObject_ClearWeakRefs(self);
  if (Node* node = std::exchange(object->node, nullptr)) {
    node->extras().python_object = nullptr;
    node->release();
  }
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Node* node = as_object(self)->node;
  return node && node->references == 1 ? visit_owned(node, visit, arg) : 0;
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(self)->tp_name, self);
}

template <class F>
PyObject* with_node(PyObject* self, F f) {
  return guarded([&]() -> PyObject* { return to_python(f(get_node(self))); });
}

PyObject* name(PyObject* self, PyObject*) {
  return with_node(self, [](Node& node) { return node.name(); });
}

PyObject* next_functions(PyObject* self, void*) {
  return with_node(self, [](Node& node) {
    const auto edges = node.edges();
    Object functions = checked(PyTuple_New(static_cast<Py_ssize_t>(edges.size())));
    for (size_t i = 0; i < edges.size(); ++i)
      PyTuple_SET_ITEM(functions.get(), static_cast<Py_ssize_t>(i),
                       checked(Py_BuildValue("(Nk)", wrap_node(edges[i].node.get()),
                                             static_cast<unsigned long>(edges[i].input_nr)))
                           .release());
    return functions.release();
  });
}

PyObject* metadata(PyObject* self, void*) {
  return with_node(self, [](Node& node) {
    auto& slot = node.extras().metadata;
    if (!slot) slot = Ref<RefCounted>(new Metadata);
    return Py_NewRef(static_cast<Metadata*>(slot.get())->dict.get());
  });
}

PyObject* input_metadata(PyObject* self, void*) {
  return with_node(self, [](Node& node) {
    const Object types = checked(PyImport_ImportModule("types"));
    const Object make = checked(PyObject_GetAttrString(types.get(), "SimpleNamespace"));
    const Object no_arguments = checked(PyTuple_New(0));
    Object result = checked(PyTuple_New(node.output_count()));
    for (uint32_t i = 0; i < node.output_count(); ++i) {
      const autograd::OutputMeta& meta = node.output(i);
      const Object fields = checked(Py_BuildValue("{s:N,s:O,s:O}", "shape", make_size(meta.shape), "dtype",
                                                  dtype_object(meta.dtype), "device", cpu_device()));
      PyTuple_SET_ITEM(result.get(), i,
                       checked(PyObject_Call(make.get(), no_arguments.get(), fields.get())).release());
    }
    return result.release();
  });
}

PyObject* requires_grad(PyObject*, void*) { Py_RETURN_TRUE; }

PyObject* register_hook(PyObject* self, PyObject* hook) {
  return with_node(self, [&](Node& node) { return register_node_hook(node, hook, false); });
}
PyObject* register_prehook(PyObject* self, PyObject* hook) {
  return with_node(self, [&](Node& node) { return register_node_hook(node, hook, true); });
}

PyObject* get_attribute(PyObject* self, PyObject* key) {
  PyObject* found = PyObject_GenericGetAttr(self, key);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  Node* node = as_object(self)->node;
  if (!node) return nullptr;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyObject* saved = guarded([&]() -> PyObject* {
    const std::string_view name = PyUnicode_AsUTF8(key);
    if (name == "variable" && node->is_accumulator())
      return wrap(static_cast<autograd::AccumulateGrad*>(node)->variable);
    return saved_attribute(*node, std::string(name));
  });
  if (saved || PyErr_Occurred()) {
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return saved;
  }
  PyErr_Restore(type, value, traceback);
  return nullptr;
}

PyObject* list_attributes(PyObject* self, PyObject*) {
  return guarded([&] {
    Object names =
        checked(PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyBaseObject_Type), "__dir__", "O", self));
    Node* node = as_object(self)->node;
    if (node && node->is_accumulator())
      checked(PyList_Append(names.get(), Object::steal(to_python(std::string("variable"))).get()));
    if (node)
      for (const std::string& saved : saved_attribute_names(*node))
        checked(PyList_Append(names.get(), Object::steal(to_python(saved)).get()));
    return names.release();
  });
}

PyMethodDef methods[] = {
    {"name", name, METH_NOARGS, "The name of the operation's backward function."},
    {"register_hook", register_hook, METH_O,
     "Calls hook(grad_inputs, grad_outputs) after the node has run; a tuple replaces grad_inputs."},
    {"register_prehook", register_prehook, METH_O,
     "Calls hook(grad_outputs) before the node runs; a tuple replaces grad_outputs."},
    {"__dir__", list_attributes, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef attributes[] = {
    {"next_functions", next_functions, nullptr, "(node, which of its outputs) for each input.", nullptr},
    {"metadata", metadata, nullptr, "A dictionary for notes of the user.", nullptr},
    {"requires_grad", requires_grad, nullptr, "True.", nullptr},
    {"_input_metadata", input_metadata, nullptr, "Shape, dtype and device of each gradient that arrives.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

}  // namespace

Node& get_node(PyObject* object) {
  Node* node = as_object(object)->node;
  TG_CHECK(node, "This context belongs to a function that recorded nothing: no input required a gradient.");
  return *node;
}

PyObject* wrap_node(Node* node) {
  if (!node) Py_RETURN_NONE;
  if (auto* function = dynamic_cast<PythonNode*>(node)) return function->context().release();
  void*& python_object = node->extras().python_object;
  if (python_object) return Py_NewRef(static_cast<PyObject*>(python_object));
  PyTypeObject* type = type_for(node->name());
  PyObject* object = type->tp_alloc(type, 0);
  if (!object) throw PythonError{};
  as_object(object)->node = node;
  node->retain();
  python_object = object;
  return object;
}

namespace {

int visit_below(std::vector<Node*> pending, const Node* context_of, visitproc visit, void* arg) {
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    if (auto* function = dynamic_cast<PythonNode*>(node);
        function && function->owns_context() && node != context_of) {
      Py_VISIT(function->context_object());
      continue;
    }
    if (node->has_extras()) {
      const autograd::NodeExtras& extras = node->extras();
      for (const auto& [output, hooks] : extras.tensor_hooks)
        if (hooks && hooks->references == 1)
          Py_VISIT(static_cast<const PythonTensorHooks*>(hooks.get())->table.get());
      for (const auto& hooks : {extras.pre_hooks, extras.post_hooks})
        if (hooks) Py_VISIT(static_cast<const PythonNodeHooks*>(hooks.get())->table.get());
      if (extras.metadata) Py_VISIT(static_cast<Metadata*>(extras.metadata.get())->dict.get());
    }
    for (autograd::Edge& edge : node->edges())
      if (edge.node && edge.node->references == 1) pending.push_back(edge.node.get());
  }
  return 0;
}

}  // namespace

int visit_owned(Node* node, visitproc visit, void* arg) { return visit_below({node}, nullptr, visit, arg); }
int visit_owned_by_context(Node* node, visitproc visit, void* arg) {
  return visit_below({node}, node, visit, arg);
}

int add_node_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_repr, reinterpret_cast<void*>(represent)},
      {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_members, members},
      {Py_tp_doc, const_cast<char*>("An operation in the graph; grad_fn of the tensors it made.")},
      {0, nullptr}};
  PyType_Spec spec = {"tapegrad.autograd.graph.Node", sizeof(NodeObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  node_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return node_type ? PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(node_type)) : -1;
}

}  // namespace tapegrad::python
