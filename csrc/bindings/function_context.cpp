#include "bindings/function_context.h"

#include <structmember.h>

#include "autograd/record.h"
#include "bindings/arg_parser.h"
#include "bindings/overrides.h"
#include "bindings/python_hooks.h"
#include "bindings/saved_attributes.h"

namespace tapegrad::python {

namespace {

PyTypeObject* context_type = nullptr;

// The placeholders of the base class Function: a method that is one of them is not implemented.
PyObject *base_setup_context = nullptr, *base_backward = nullptr, *base_vjp = nullptr;

ContextObject* as_context(PyObject* self) { return reinterpret_cast<ContextObject*>(self); }
PythonNode* node_of(PyObject* self) { return static_cast<PythonNode*>(as_context(self)->base.node); }

Object attribute(PyObject* object, const char* name) { return checked(PyObject_GetAttrString(object, name)); }
template <const char* name>
Object attribute(PyObject* object) {
  static PyObject* const interned = PyUnicode_InternFromString(name);
  return checked(PyObject_GetAttr(object, interned));
}

int clear(PyObject* self) {
  ContextObject* context = as_context(self);
  Py_CLEAR(context->dict);
  Py_CLEAR(context->to_save);
  Py_CLEAR(context->saved_for_forward);
  Py_CLEAR(context->dirty);
  Py_CLEAR(context->non_differentiable);
  return 0;
}

void deallocate(PyObject* self) {
  ContextObject* context = as_context(self);
  PythonNode* node = node_of(self);
  if (node && node->references > 1) {
    // See Note [Function context]: the graph still needs the context.
    Py_SET_REFCNT(self, 1);
    node->adopt_context();
    node->release();
    return;
  }
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (context->base.weak_references) PyObject_ClearWeakRefs(self);
  clear(self);
  Py_CLEAR(context->needs_input_grad);
  if (node) {
    node->forget_context();
    context->base.node = nullptr;
    node->release();
  }
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  ContextObject* context = as_context(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(context->dict);
  Py_VISIT(context->to_save);
  Py_VISIT(context->saved_for_forward);
  Py_VISIT(context->dirty);
  Py_VISIT(context->non_differentiable);
  PythonNode* node = node_of(self);
  return node && node->references == 1 ? visit_owned_by_context(node, visit, arg) : 0;
}

// A tensor kept by the context is often a result of the call, and so part of a cycle that only the collector
// can find.
int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  if (value && is_tensor(value)) track(value);
  return PyObject_GenericSetAttr(self, name, value);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<torch.autograd.function.%s object at %p>", Py_TYPE(self)->tp_name, self);
}

template <PyObject* ContextObject::* member>
PyObject* keep_tuple(PyObject* self, PyObject* const* items, Py_ssize_t count) {
  Object tuple = Object::steal(PyTuple_New(count));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (is_tensor(items[i])) track(items[i]);
    PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(items[i]));
  }
  Py_XSETREF(as_context(self)->*member, tuple.release());
  Py_RETURN_NONE;
}

template <PyObject* ContextObject::* member>
PyObject* get_member(PyObject* self, void*) {
  PyObject* value = as_context(self)->*member;
  return Py_NewRef(value ? value : Py_None);
}
template <PyObject* ContextObject::* member>
int set_member(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_context(self)->*member, Py_XNewRef(value == Py_None ? nullptr : value));
  return 0;
}

PyObject* set_materialize_grads(PyObject* self, PyObject* value) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return nullptr;
  as_context(self)->materialize_grads = truth;
  Py_RETURN_NONE;
}
int assign_materialize_grads(PyObject* self, PyObject* value, void*) {
  return Object::steal(set_materialize_grads(self, value ? value : Py_False)) ? 0 : -1;
}

PyObject* saved_tensors(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    if (PyObject* for_jvp = as_context(self)->saved_for_forward) return Py_NewRef(for_jvp);
    PythonNode* node = node_of(self);
    if (!node) return PyTuple_New(0);
    if (node->saved_released) autograd::fail_backward_twice(*node);
    Object tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(node->saved.size())));
    for (size_t i = 0; i < node->saved.size(); ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap(node->saved[i].unpack(node)));
    return tuple.release();
  });
}

PyObject* raw_saved_tensors(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    PythonNode* node = node_of(self);
    if (!node) return PyTuple_New(0);
    if (node->saved_released) autograd::fail_backward_twice(*node);
    Object tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(node->saved.size())));
    for (size_t i = 0; i < node->saved.size(); ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap_saved_tensor(*node, node->saved[i]));
    return tuple.release();
  });
}

PyObject* new_unbound_context(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self) as_context(self)->materialize_grads = true;
  return self;
}

template <PyObject* ContextObject::* member>
PyCFunction keeper() {
  return as_c_function(keep_tuple<member>);
}

PyMethodDef* context_methods() {
  static PyMethodDef methods[] = {
      {"save_for_backward", keeper<&ContextObject::to_save>(), METH_FASTCALL,
       "Keeps tensors for backward, which finds them in ctx.saved_tensors; to be called once, in forward or "
       "setup_context."},
      {"save_for_forward", keeper<&ContextObject::saved_for_forward>(), METH_FASTCALL,
       "Keeps tensors for jvp, which finds them in ctx.saved_tensors."},
      {"mark_dirty", keeper<&ContextObject::dirty>(), METH_FASTCALL,
       "Says which inputs forward writes to in place; all of them must be returned."},
      {"mark_non_differentiable", keeper<&ContextObject::non_differentiable>(), METH_FASTCALL,
       "Says which outputs have no gradient."},
      {"set_materialize_grads", set_materialize_grads, METH_O,
       "With False, backward gets None instead of zeros for outputs without a gradient."},
      {nullptr, nullptr, 0, nullptr}};
  return methods;
}

PyGetSetDef context_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"saved_tensors", saved_tensors, nullptr, "What save_for_backward kept.", nullptr},
    {"_raw_saved_tensors", raw_saved_tensors, nullptr, "The same, for saved-tensor hooks.", nullptr},
    {"needs_input_grad", get_member<&ContextObject::needs_input_grad>,
     set_member<&ContextObject::needs_input_grad>, "Which inputs need a gradient.", nullptr},
    {"to_save", get_member<&ContextObject::to_save>, set_member<&ContextObject::to_save>, nullptr, nullptr},
    {"saved_for_forward", get_member<&ContextObject::saved_for_forward>,
     set_member<&ContextObject::saved_for_forward>, nullptr, nullptr},
    {"dirty_tensors", get_member<&ContextObject::dirty>, set_member<&ContextObject::dirty>, nullptr, nullptr},
    {"non_differentiable", get_member<&ContextObject::non_differentiable>,
     set_member<&ContextObject::non_differentiable>, nullptr, nullptr},
    {"materialize_grads", nullptr, assign_materialize_grads, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef context_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(ContextObject, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyTypeObject* make_context_type() {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
      {Py_tp_repr, reinterpret_cast<void*>(represent)},
      {Py_tp_new, reinterpret_cast<void*>(new_unbound_context)},
      {Py_tp_methods, context_methods()},
      {Py_tp_getset, context_attributes},
      {Py_tp_members, context_members},
      {Py_tp_doc, const_cast<char*>("What forward keeps for backward: the ctx of an autograd.Function.")},
      {0, nullptr}};
  PyType_Spec spec = {"tapegrad.autograd.function.FunctionCtx", sizeof(ContextObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  const Object bases = checked(PyTuple_Pack(1, node_type));
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&spec, bases.get())).release());
}

/// The class of the contexts of a Function class: _backward_class(name, cls).
PyObject* make_backward_class(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *name, *cls;
    if (!PyArg_ParseTuple(args, "UO", &name, &cls)) throw PythonError{};
    Object made = checked(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "O(O){s:O,s:s}",
                                                name, context_type, "_forward_cls", cls, "__module__",
                                                "torch.autograd.function"));
    // CPython's deallocator would clear the attributes before ours could call the deallocation off.
    reinterpret_cast<PyTypeObject*>(made.get())->tp_dealloc = deallocate;
    return made.release();
  });
}

PyObject* set_function_base(PyObject*, PyObject* cls) {
  return guarded([&] {
    base_setup_context = attribute(cls, "setup_context").release();
    base_backward = attribute(cls, "backward").release();
    base_vjp = attribute(cls, "vjp").release();
    return Py_NewRef(Py_None);
  });
}

/// Whether a call with `count` positional arguments fills every parameter of a plain Python function.
bool takes_exactly(PyObject* function, Py_ssize_t count) {
  if (!PyFunction_Check(function)) return false;
  auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function));
  return code->co_argcount == count && code->co_kwonlyargcount == 0 &&
         (code->co_flags & (CO_VARARGS | CO_VARKEYWORDS)) == 0;
}

PyObject* apply(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    PyObject* cls = args[0];
    for (Py_ssize_t i = 1; overriding_types_exist && i < count; ++i)
      if (has_own_handler(args[i])) [[unlikely]]
        return call_override(attribute(cls, "apply").get(), args + 1, count - 1, keywords);
    const FunctionMethods methods = methods_of(cls);
    if (!keywords && (!methods.setup_context || takes_exactly(methods.forward.get(), count - 1)))
      return apply_function(cls, methods, args + 1, count - 1);
    // Defaults and keywords become positional arguments.
    const Object module = checked(PyImport_ImportModule("tapegrad.autograd.function"));
    const Object bind = attribute(module.get(), "_bind");
    std::vector<PyObject*> arguments(args, args + count + (keywords ? PyTuple_GET_SIZE(keywords) : 0));
    const Object bound =
        checked(PyObject_Vectorcall(bind.get(), arguments.data(), static_cast<size_t>(count), keywords));
    return apply_function(cls, methods, &PyTuple_GET_ITEM(bound.get(), 0), PyTuple_GET_SIZE(bound.get()));
  });
}

/// The tensors with a history that refuses to be differentiated.
PyObject* undifferentiable(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* message;
    PyObject* sequence;
    if (!PyArg_ParseTuple(args, "sO", &message, &sequence)) throw PythonError{};
    std::vector<Tensor> inputs = Argument<std::vector<Tensor>>::get(sequence), outputs;
    for (const Tensor& input : inputs) outputs.push_back(autograd::detach(input));
    for (const Tensor& output : outputs)
      if (output.is_floating()) autograd::set_requires_grad(output, true);
    std::vector<Tensor> results;
    for (const Tensor& output : outputs) results.push_back(autograd::detach(output));
    autograd::record_outputs(
        "Error", results, outputs, {},
        [text = std::string(message)](autograd::Backward&) { fail(ErrorKind::runtime, text); });
    return to_python(results);
  });
}

PyMethodDef functions[] = {{"_apply_function", as_c_function(apply), METH_FASTCALL | METH_KEYWORDS, nullptr},
                           {"_backward_class", make_backward_class, METH_VARARGS, nullptr},
                           {"_set_function_base", set_function_base, METH_O, nullptr},
                           {"_undifferentiable", undifferentiable, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

constexpr char kForward[] = "forward", kJvp[] = "jvp", kSetupContext[] = "setup_context",
               kBackward[] = "backward", kVjp[] = "vjp", kBackwardClass[] = "_backward_cls",
               kForwardClass[] = "_forward_cls";

}  // namespace

FunctionMethods methods_of(PyObject* cls) {
  FunctionMethods methods{attribute<kForward>(cls), attribute<kSetupContext>(cls)};
  if (methods.setup_context.get() == base_setup_context) methods.setup_context = Object();
  return methods;
}

Object backward_of(PyObject* context) {
  const Object cls = attribute<kForwardClass>(context);
  Object backward = attribute<kBackward>(cls.get()), vjp = attribute<kVjp>(cls.get());
  if (vjp.get() == base_vjp) return backward;
  TG_CHECK(backward.get() == base_backward,
           "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
           "implement one of them.");
  return vjp;
}

Object jvp_of(PyObject* cls) { return attribute<kJvp>(cls); }

Object new_context(PyObject* cls) {
  const Object type = attribute<kBackwardClass>(cls);
  return checked(new_unbound_context(reinterpret_cast<PyTypeObject*>(type.get()), nullptr, nullptr));
}

int add_function_types(PyObject* module) {
  return guarded([&] {
    context_type = make_context_type();
    checked(PyModule_AddObjectRef(module, "FunctionCtx", reinterpret_cast<PyObject*>(context_type)));
    return PyModule_AddFunctions(module, functions);
  });
}

}  // namespace tapegrad::python
