#include "bindings/python_hooks.h"

#include "autograd/variable.h"
#include "bindings/arg_parser.h"

namespace tapegrad::python {

namespace {

std::string name_of(PyObject* hook) {
  Object name = Object::steal(PyObject_GetAttrString(hook, "__name__"));
  if (!name) PyErr_Clear();
  return name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : Py_TYPE(hook)->tp_name;
}

/// "torch.FloatTensor".
std::string type_name(const Tensor& tensor) {
  return concat("torch.", scalar_type_name(tensor.dtype()), "Tensor");
}

/// Puts what a hook returned in the place of `gradient`, if it fits.
void replace(Tensor& gradient, PyObject* returned, PyObject* hook) {
  TG_CHECK_TYPE(is_tensor(returned), "expected Variable, but hook returned '", Py_TYPE(returned)->tp_name,
                "'; a hook returns a Tensor, or None to leave the gradient as it is");
  TG_CHECK(gradient.defined(), "can't replace a None gradient with a non-None value");
  const Tensor& replacement = get_tensor(returned);
  TG_CHECK(replacement.dtype() == gradient.dtype(), "hook '", name_of(hook),
           "' has changed the type of value (was ", type_name(gradient), " got ", type_name(replacement),
           ")");
  TG_CHECK(replacement.shape() == gradient.shape(), "hook '", name_of(hook),
           "' has changed the size of value: was ", to_string(gradient.shape()), ", got ",
           to_string(replacement.shape()));
  gradient = replacement;
}

/// A copy of the callables, because a hook may add or remove hooks.
Object hooks_in(PyObject* table) { return checked(PyMapping_Values(table)); }

template <class F>
void for_each_hook(PyObject* table, F&& call) {
  const Object hooks = hooks_in(table);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) call(PyList_GET_ITEM(hooks.get(), i));
}

}  // namespace

Object tuple_of(std::span<const Tensor> tensors) {
  Object tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
  for (size_t i = 0; i < tensors.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap(tensors[i]));
  return tuple;
}

void PythonTensorHooks::call(Tensor& gradient) {
  for_each_hook(table.get(), [&](PyObject* hook) {
    const Object argument = Object::steal(wrap(gradient));
    const Object returned = checked(PyObject_CallOneArg(hook, argument.get()));
    if (returned.get() == Py_None) return;
    TG_CHECK(!takes_leaf, "Tensor post accumulate grad hooks should return None.");
    replace(gradient, returned.get(), hook);
  });
}

void PythonNodeHooks::call(std::span<Tensor> gradients, std::span<const Tensor> arrived) {
  const Object second = arrived.empty() ? Object() : tuple_of(arrived);
  for_each_hook(table.get(), [&](PyObject* hook) {
    const Object first = tuple_of(gradients);
    const Object returned = checked(PyObject_CallFunctionObjArgs(hook, first.get(), second.get(), nullptr));
    if (returned.get() == Py_None) return;
    TG_CHECK_TYPE(PyTuple_Check(returned.get()), "expected tuple, but hook returned '",
                  Py_TYPE(returned.get())->tp_name,
                  "'; a hook of a node returns a tuple of Tensors, or None");
    const Py_ssize_t count = PyTuple_GET_SIZE(returned.get());
    TG_CHECK(count == static_cast<Py_ssize_t>(gradients.size()), "hook '", name_of(hook),
             "' has returned an incorrect number of values (got ", count, ", but expected ", gradients.size(),
             ")");
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* item = PyTuple_GET_ITEM(returned.get(), i);
      if (item == Py_None)
        gradients[i].reset();
      else
        replace(gradients[i], item, hook);
    }
  });
}

Object new_hook_table() {
  const Object collections = checked(PyImport_ImportModule("collections"));
  return checked(PyObject_CallMethod(collections.get(), "OrderedDict", nullptr));
}

PyObject* add_to_table(PyObject* table, PyObject* hook) {
  const Object module = checked(PyImport_ImportModule("tapegrad.utils.hooks"));
  Object handle = checked(PyObject_CallMethod(module.get(), "RemovableHandle", "O", table));
  const Object id = checked(PyObject_GetAttrString(handle.get(), "id"));
  checked(PyObject_SetItem(table, id.get(), hook));
  return handle.release();
}

PyObject* register_node_hook(autograd::Node& node, PyObject* hook, bool before) {
  auto& slot = before ? node.extras().pre_hooks : node.extras().post_hooks;
  if (!slot) slot = Ref<autograd::NodeHooks>(new PythonNodeHooks(new_hook_table().get()));
  return add_to_table(static_cast<PythonNodeHooks*>(slot.get())->table.get(), hook);
}

namespace {

PyObject* add_hook(const Tensor& tensor, Ref<autograd::TensorHooks>& slot, PyObject* hook, bool takes_leaf) {
  if (!slot) slot = Ref<autograd::TensorHooks>(new PythonTensorHooks(new_hook_table().get(), takes_leaf));
  track(static_cast<PyObject*>(tensor->python_object));  // a hook often refers to its tensor
  return add_to_table(static_cast<PythonTensorHooks*>(slot.get())->table.get(), hook);
}

PyObject* register_hook(const Tensor& tensor, PyObject* hook) {
  TG_CHECK(autograd::requires_grad(tensor),
           "cannot register a hook on a tensor that doesn't require gradient");
  return add_hook(tensor, *autograd::hooks_of(tensor, true), hook, false);
}

PyObject* register_post_accumulate_grad_hook(const Tensor& tensor, PyObject* hook) {
  TG_CHECK(autograd::requires_grad(tensor),
           "cannot register a hook on a tensor that doesn't require gradient");
  TG_CHECK(autograd::is_leaf(tensor), "post accumulate grad hooks cannot be registered on non-leaf tensors");
  return add_hook(tensor, autograd::autograd_meta(tensor).post_accumulate_hooks, hook, true);
}

PyObject* table_or_none(const Ref<autograd::TensorHooks>* slot) {
  if (!slot || !*slot) Py_RETURN_NONE;
  return Py_NewRef(static_cast<PythonTensorHooks*>(slot->get())->table.get());
}

int set_table(Ref<autograd::TensorHooks>& slot, PyObject* table, bool takes_leaf) {
  slot = !table || table == Py_None ? nullptr
                                    : Ref<autograd::TensorHooks>(new PythonTensorHooks(table, takes_leaf));
  return 0;
}

}  // namespace

PyObject* get_backward_hooks(PyObject* self, void*) {
  return guarded([&] { return table_or_none(autograd::hooks_of(get_tensor(self), false)); });
}
int set_backward_hooks(PyObject* self, PyObject* table, void*) {
  return guarded([&] { return set_table(*autograd::hooks_of(get_tensor(self), true), table, false); });
}
PyObject* get_post_accumulate_hooks(PyObject* self, void*) {
  return guarded([&] {
    auto* meta = autograd::autograd_meta_or_null(get_tensor(self));
    return table_or_none(meta ? &meta->post_accumulate_hooks : nullptr);
  });
}
int set_post_accumulate_hooks(PyObject* self, PyObject* table, void*) {
  return guarded([&] {
    return set_table(autograd::autograd_meta(get_tensor(self)).post_accumulate_hooks, table, true);
  });
}

void define_hook_ops() {
  def_op("register_hook(Tensor self, any hook)", register_hook, As::method,
         "Calls hook(gradient) in each backward pass; what it returns, unless None, replaces the gradient. "
         "Returns a handle whose remove() takes the hook out.");
  def_op(
      "register_post_accumulate_grad_hook(Tensor self, any hook)", register_post_accumulate_grad_hook,
      As::method,
      "Calls hook(leaf) after each backward pass that has added to the leaf's .grad. Returns a handle whose "
      "remove() takes the hook out.");
}

}  // namespace tapegrad::python
