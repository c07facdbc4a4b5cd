#include "bindings/python_function.h"

#include "autograd/forward.h"
#include "autograd/gradient_ops.h"
#include "autograd/variable.h"
#include "bindings/function_context.h"
#include "bindings/python_hooks.h"
#include "bindings/tensor_type.h"

namespace tapegrad::python {

using autograd::Node;

namespace {

bool contains(PyObject* tuple_or_null, PyObject* item) {
  if (!tuple_or_null) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple_or_null); ++i)
    if (PyTuple_GET_ITEM(tuple_or_null, i) == item) return true;
  return false;
}

}  // namespace

PythonNode::PythonNode(ContextObject* context, PyObject* const* inputs, Py_ssize_t count)
    : context_(context) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    input_is_tensor_.push_back(is_tensor(inputs[i]));
    if (!input_is_tensor_.back()) continue;
    edge_storage_.push_back(autograd::gradient_edge(get_tensor(inputs[i])));
    if (const auto& node = edge_storage_.back().node) depth = std::max(depth, node->depth + 1);
  }
  set_edges(edge_storage_.data(), edge_storage_.size());
}

std::string PythonNode::name() const { return Py_TYPE(context_)->tp_name; }

Object PythonNode::context() {
  PyObject* object = context_object();
  if (!owns_context_) return Object::borrow(object);
  owns_context_ = false;
  retain();  // the context owns this node again; the caller gets the reference that the node had
  return Object::steal(object);
}

void PythonNode::on_zero() {
  if (!owns_context_) return Node::on_zero();
  references = 1;
  owns_context_ = false;
  Py_DECREF(context_object());  // takes this node with it, unless it finds a new owner meanwhile
}

void PythonNode::release_saved() {
  if (saved.empty()) return;
  for (autograd::SavedTensor& tensor : saved) tensor.reset();
  saved_released = true;
}

void PythonNode::visit_saved(autograd::SavedVisitor& visitor) {
  for (autograd::SavedTensor& tensor : saved) visitor.tensor("", tensor);
}

void PythonNode::save(PyObject* tensors, PyObject* dirty) {
  const Py_ssize_t count = PyTuple_GET_SIZE(tensors);
  saved.reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tensors, i);
    if (item == Py_None) {
      saved.emplace_back();
      continue;
    }
    TG_CHECK_TYPE(is_tensor(item), "save_for_backward can only save variables, but argument ", i,
                  " is of type ", Py_TYPE(item)->tp_name, "; keep other values as attributes of ctx");
    const Tensor& tensor = get_tensor(item);
    saved.emplace_back(tensor, autograd::grad_fn(tensor) == this || contains(dirty, item));
  }
}

Object PythonNode::call_backward(std::span<Tensor> gradients) {
  const Object context = this->context();
  const size_t count = output_is_tensor.size();
  PyObject* arguments[16];
  std::vector<PyObject*> many;
  PyObject** all = arguments;
  if (count + 1 > 16) {
    many.resize(count + 1);
    all = many.data();
  }
  all[0] = context.get();
  size_t made = 0;
  struct Release {
    PyObject** all;
    size_t& made;
    ~Release() {
      for (size_t i = 1; i <= made; ++i) Py_DECREF(all[i]);
    }
  } release{all, made};
  for (; made < count; ++made) {
    Tensor& gradient = gradients[made];
    if (!gradient.defined() && context_->materialize_grads && output_is_tensor[made])
      gradient = autograd::gradient_ops.zeros(output(static_cast<uint32_t>(made)).shape,
                                              output(static_cast<uint32_t>(made)).dtype);
    all[made + 1] = wrap(gradient);
  }
  const Object function = backward_of(context.get());
  return checked(PyObject_Vectorcall(function.get(), all, count + 1, nullptr));
}

void PythonNode::apply(std::span<Tensor> gradients, std::span<Tensor> results) {
  Object returned = call_backward(gradients);
  if (!PyTuple_Check(returned.get())) returned = checked(PyTuple_Pack(1, returned.get()));
  const Py_ssize_t expected = static_cast<Py_ssize_t>(input_is_tensor_.size());
  Py_ssize_t count = PyTuple_GET_SIZE(returned.get());
  while (count > expected && PyTuple_GET_ITEM(returned.get(), count - 1) == Py_None) --count;
  TG_CHECK(count == expected, "function ", name(), " returned an incorrect number of gradients (expected ",
           expected, ", got ", count, "); backward returns one for each argument of forward, None for those ",
           "without");
  size_t edge = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(returned.get(), i);
    if (!input_is_tensor_[static_cast<size_t>(i)]) {
      TG_CHECK(item == Py_None, "function ", name(), " returned a gradient different than None at position ",
               i + 1, ", but the corresponding forward input was not a Variable");
      continue;
    }
    TG_CHECK(item == Py_None || is_tensor(item), "expected Variable or None (got ", Py_TYPE(item)->tp_name,
             ") as the gradient at position ", i + 1, " returned by ", name());
    if (item != Py_None) results[edge] = get_tensor(item);
    ++edge;
  }
}

namespace {

/// The arguments of one call and what has been made of them.
struct Call {
  PyObject* const* inputs;
  Py_ssize_t count;
  ContextObject* context;
  Ref<Node> node;  // null when nothing is recorded
};

bool is_input(const Call& call, PyObject* item) {
  return std::find(call.inputs, call.inputs + call.count, item) != call.inputs + call.count;
}

/// The same values as a view of the input that the function returned unchanged.
Tensor alias_of_input(const Tensor& input) {
  Tensor alias = autograd::detach(input);
  autograd::set_view_of(alias, input, ViewKind::custom_function);
  return alias;
}

void mark_written(const Call& call, const Tensor& tensor, bool is_input, int tensors_returned) {
  TG_CHECK(!(autograd::is_leaf(tensor) && autograd::requires_grad(tensor)),
           "a leaf Variable that requires grad has been used in an in-place operation.");
  if (!is_input)
    checked(
        PyErr_WarnEx(PyExc_UserWarning,
                     "Only input Tensors should be given to ctx.mark_dirty(). If a Tensor is not an input, "
                     "there is no need to pass it to mark_dirty().",
                     1));
  tensor.bump_version();
  if (!call.node) return;
  if (tensor->base) {
    autograd::check_inplace(tensor, true);
    TG_CHECK(
        tensors_returned == 1,
        "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot "
        "return more than one Tensor. Give it a clone() of the view, or split it into two Functions.");
  }
  autograd::rebase_history(tensor, call.node);
}

/// Gives one result of forward its place in the graph; returns what the caller gets.
Object connect(const Call& call, PyObject* item, int tensors_returned) {
  auto* node = static_cast<PythonNode*>(call.node.get());
  if (node) node->output_is_tensor.push_back(is_tensor(item));
  if (!is_tensor(item)) {
    if (node) node->add_output();
    return Object::borrow(item);
  }
  Tensor tensor = get_tensor(item);
  const bool input = is_input(call, item), dirty = contains(call.context->dirty, item);
  const bool differentiable =
      node && tensor.is_floating() && !contains(call.context->non_differentiable, item);
  if (dirty && (differentiable || !node)) {
    mark_written(call, tensor, input, tensors_returned);
    return Object::borrow(item);
  }
  if (input) tensor = node && !differentiable ? autograd::detach(tensor) : alias_of_input(tensor);
  if (!node) return Object::steal(wrap(std::move(tensor)));
  if (!differentiable) {
    node->add_output(tensor);
    if (autograd::requires_grad(tensor)) {
      tensor->grad_fn = nullptr;
      tensor->requires_grad = false;
    }
    return Object::steal(wrap(std::move(tensor)));
  }
  if (tensor->base)
    tensor->view_kind = tensors_returned > 1 ? ViewKind::multi_output : ViewKind::custom_function;
  autograd::set_history(tensor, call.node);
  Object result = Object::steal(wrap(std::move(tensor)));
  track(result.get());  // the context may refer to it
  return result;
}

void check_marks(PyObject* marked, const char* words) {
  for (Py_ssize_t i = 0; marked && i < PyTuple_GET_SIZE(marked); ++i)
    TG_CHECK(is_tensor(PyTuple_GET_ITEM(marked, i)), words, i, " is of type ",
             Py_TYPE(PyTuple_GET_ITEM(marked, i))->tp_name);
}

/// Gives the results of forward their places in the graph.
Object connect_all(const Call& call, const Object& returned) {
  const bool is_tuple = PyTuple_Check(returned.get());
  const Py_ssize_t count = is_tuple ? PyTuple_GET_SIZE(returned.get()) : 1;
  const auto item = [&](Py_ssize_t i) {
    return is_tuple ? PyTuple_GET_ITEM(returned.get(), i) : returned.get();
  };
  int tensors_returned = 0, dirty_returned = 0;
  PyObject* dirty = call.context->dirty;
  for (Py_ssize_t i = 0; i < count; ++i) {
    tensors_returned += is_tensor(item(i));
    dirty_returned += contains(dirty, item(i));
  }
  check_marks(dirty, "mark_dirty can only accept variables, but argument ");
  check_marks(call.context->non_differentiable,
              "mark_non_differentiable only accepts variable arguments, but argument ");
  TG_CHECK(!dirty || dirty_returned >= PyTuple_GET_SIZE(dirty),
           "Some elements marked as dirty during the forward method were not returned as output. The inputs "
           "that are modified inplace must all be outputs of the Function.");
  if (!is_tuple) return connect(call, returned.get(), tensors_returned);
  Object results = checked(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    PyTuple_SET_ITEM(results.get(), i, connect(call, item(i), tensors_returned).release());
  return results;
}

bool records(PyObject* const* inputs, Py_ssize_t count) {
  if (!autograd::grad_enabled()) return false;
  for (Py_ssize_t i = 0; i < count; ++i)
    if (is_tensor(inputs[i]) && autograd::requires_grad(get_tensor(inputs[i]))) return true;
  return false;
}

PyObject* needs_input_grad(PyObject* const* inputs, Py_ssize_t count) {
  Object flags = checked(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    PyTuple_SET_ITEM(flags.get(), i,
                     PyBool_FromLong(is_tensor(inputs[i]) && autograd::requires_grad(get_tensor(inputs[i]))));
  return flags.release();
}

/// forward(ctx, *inputs), or forward(*inputs) and setup_context(ctx, inputs, output).
Object run_forward(const Call& call, const FunctionMethods& methods) {
  const autograd::NoGrad no_grad;
  std::vector<PyObject*> arguments = {reinterpret_cast<PyObject*>(call.context)};
  arguments.insert(arguments.end(), call.inputs, call.inputs + call.count);
  if (!methods.setup_context)
    return checked(PyObject_Vectorcall(methods.forward.get(), arguments.data(), arguments.size(), nullptr));
  Object output = checked(
      PyObject_Vectorcall(methods.forward.get(), arguments.data() + 1, arguments.size() - 1, nullptr));
  Object inputs = checked(PyTuple_New(call.count));
  for (Py_ssize_t i = 0; i < call.count; ++i) PyTuple_SET_ITEM(inputs.get(), i, Py_NewRef(call.inputs[i]));
  checked(PyObject_CallFunctionObjArgs(methods.setup_context.get(), arguments[0], inputs.get(), output.get(),
                                       nullptr));
  return output;
}

/// In forward mode: gives the results the tangents that jvp computes from those of the inputs.
void carry_tangents(const Call& call, PyObject* cls, PyObject* results) {
  std::vector<Object> tangents;
  bool any = false;
  for (Py_ssize_t i = 0; i < call.count; ++i) {
    Tensor tangent;
    if (is_tensor(call.inputs[i])) {
      const Tensor& input = get_tensor(call.inputs[i]);
      tangent = autograd::tangent(input);
      any |= tangent.defined();
      if (!tangent.defined() && call.context->materialize_grads)
        tangent = autograd::gradient_ops.zeros(input.shape(), input.dtype());
    }
    tangents.push_back(Object::steal(wrap(std::move(tangent))));
  }
  if (!any) return;
  std::vector<PyObject*> arguments = {reinterpret_cast<PyObject*>(call.context)};
  for (const Object& tangent : tangents) arguments.push_back(tangent.get());
  Object computed;
  {
    const autograd::NoForward off;
    computed = checked(PyObject_Vectorcall(jvp_of(cls).get(), arguments.data(), arguments.size(), nullptr));
  }
  const Object outputs = PyTuple_Check(results) ? Object::borrow(results) : checked(PyTuple_Pack(1, results));
  if (!PyTuple_Check(computed.get())) computed = checked(PyTuple_Pack(1, computed.get()));
  TG_CHECK(PyTuple_GET_SIZE(computed.get()) == PyTuple_GET_SIZE(outputs.get()), "jvp of ",
           reinterpret_cast<PyTypeObject*>(cls)->tp_name, " returned ", PyTuple_GET_SIZE(computed.get()),
           " tangents, but forward ", PyTuple_GET_SIZE(outputs.get()), " outputs");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs.get()); ++i) {
    PyObject *output = PyTuple_GET_ITEM(outputs.get(), i), *tangent = PyTuple_GET_ITEM(computed.get(), i);
    if (!is_tensor(output) || tangent == Py_None) continue;
    TG_CHECK_TYPE(is_tensor(tangent), "jvp returned ", Py_TYPE(tangent)->tp_name,
                  " where it returns a Tensor or None");
    TG_CHECK(get_tensor(tangent).shape() == get_tensor(output).shape(), "jvp returned a tangent of shape ",
             to_string(get_tensor(tangent).shape()), " for an output of shape ",
             to_string(get_tensor(output).shape()));
    autograd::make_dual(get_tensor(output), get_tensor(tangent));
  }
}

}  // namespace

/// Function.apply(cls, *inputs): runs forward and records the call.
PyObject* apply_function(PyObject* cls, const FunctionMethods& methods, PyObject* const* inputs,
                         Py_ssize_t count) {
  const Object owner = new_context(cls);
  auto* context = reinterpret_cast<ContextObject*>(owner.get());
  Call call{inputs, count, context, {}};
  context->needs_input_grad = needs_input_grad(inputs, count);
  if (records(inputs, count)) {
    call.node = Ref<Node>(new PythonNode(context, inputs, count));
    context->base.node = Ref<Node>(call.node).detach();
  }
  const Object output = run_forward(call, methods);
  Object results = connect_all(call, output);
  if (call.node && context->to_save)
    static_cast<PythonNode*>(call.node.get())->save(context->to_save, context->dirty);
  if (autograd::modes.forward) carry_tangents(call, cls, results.get());
  Py_CLEAR(context->saved_for_forward);
  Py_CLEAR(context->to_save);
  Py_CLEAR(context->dirty);
  Py_CLEAR(context->non_differentiable);
  return results.release();
}

}  // namespace tapegrad::python
