// The graph as Python sees it: backward, grad, and what autograd.graph needs.
#include <pybind11/pybind11.h>

#include "autograd/engine.h"
#include "autograd/record.h"
#include "autograd/variable.h"
#include "bindings/arg_parser.h"
#include "bindings/node_type.h"
#include "bindings/python_hooks.h"
#include "bindings/register.h"

namespace tapegrad::python {

namespace py = pybind11;
using autograd::Endpoint;

namespace {

/// A tensor, or a GradientEdge: the tuple (node, output_nr, ...).
Endpoint endpoint_from(PyObject* object) {
  if (is_tensor(object)) return {autograd::gradient_edge(get_tensor(object)), get_tensor(object)};
  TG_CHECK_TYPE(
      PyTuple_Check(object) && PyTuple_GET_SIZE(object) >= 2 && is_node(PyTuple_GET_ITEM(object, 0)),
      "expected a Tensor or a GradientEdge, but got ", Py_TYPE(object)->tp_name);
  autograd::Node& node = get_node(PyTuple_GET_ITEM(object, 0));
  const int64_t output = get_integer(PyTuple_GET_ITEM(object, 1));
  TG_CHECK_INDEX(output >= 0 && output < node.output_count(), "GradientEdge: ", node.name(), " has ",
                 node.output_count(), " outputs, there is no output ", output);
  return {{Ref<autograd::Node>(&node), static_cast<uint32_t>(output)}, {}};
}

bool is_gradient_edge(PyObject* object) {
  return PyTuple_Check(object) && PyTuple_GET_SIZE(object) >= 2 && is_node(PyTuple_GET_ITEM(object, 0));
}

/// One tensor or GradientEdge, a sequence of them, or None.
std::vector<Endpoint> endpoints_from(PyObject* object) {
  if (object == Py_None) return {};
  if (is_tensor(object) || is_gradient_edge(object)) return {endpoint_from(object)};
  Object sequence = checked(PySequence_Fast(object, "expected a Tensor or a sequence of Tensors"));
  std::vector<Endpoint> endpoints;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i)
    endpoints.push_back(endpoint_from(PySequence_Fast_GET_ITEM(sequence.get(), i)));
  return endpoints;
}

std::vector<Tensor> tensors_from(PyObject* object) {
  if (object == Py_None) return {};
  if (is_tensor(object)) return {get_tensor(object)};
  Object sequence = checked(PySequence_Fast(object, "expected a Tensor or a sequence of Tensors"));
  std::vector<Tensor> tensors;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(sequence.get(), i);
    TG_CHECK_TYPE(item == Py_None || is_tensor(item), "gradients can be either Tensors or None, but got ",
                  Py_TYPE(item)->tp_name);
    tensors.push_back(item == Py_None ? Tensor() : get_tensor(item));
  }
  return tensors;
}

/// A Python object that a node or a backward pass may own.
struct OwnedObject : RefCounted {
  explicit OwnedObject(PyObject* object) : object(Object::borrow(object)) {}
  Object object;
};

/// The tensors themselves, passed through one node: when gradients arrive, `callback` gets the tuple of them
/// (None where nothing arrived, zeros for inputs that require none) and returns the tuple that is passed on.
std::vector<Tensor> hooked_identity(const std::vector<Tensor>& inputs, PyObject* callback) {
  std::vector<Tensor> outputs;
  std::vector<bool> tracked;
  for (const Tensor& input : inputs) {
    tracked.push_back(autograd::requires_grad(input));
    outputs.push_back(autograd::detach(input));
    autograd::set_view_of(outputs.back(), input, ViewKind::custom_function);
  }
  const Ref<OwnedObject> holder(new OwnedObject(callback));
  autograd::record_outputs(
      "BackwardHookFunctionBackward", outputs, inputs, {}, [holder, tracked](autograd::Backward& b) {
        std::vector<Tensor> arrived;
        for (int i = 0; i < b.input_count(); ++i)
          arrived.push_back(tracked[static_cast<size_t>(i)] ? b.grad(i) : b.grad_or_zeros(i));
        const Object gradients = tuple_of(arrived);
        const Object result = checked(PyObject_CallOneArg(holder->object.get(), gradients.get()));
        const std::vector<Tensor> passed_on = tensors_from(result.get());
        for (size_t i = 0; i < passed_on.size(); ++i) b.give(static_cast<int>(i), passed_on[i]);
      });
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!tracked[i]) outputs[i]->grad_fn = nullptr;
  return outputs;
}

py::object run_backward(py::object outputs, py::object gradients, bool keep_graph, bool create_graph,
                        py::object inputs, bool allow_unused, bool accumulate) {
  const auto captured =
      autograd::backward(endpoints_from(outputs.ptr()), tensors_from(gradients.ptr()), keep_graph,
                         create_graph, endpoints_from(inputs.ptr()), accumulate);
  if (accumulate) return py::tuple();
  for (size_t i = 0; i < captured.size(); ++i)
    TG_CHECK(allow_unused || captured[i].defined(), "The differentiated Tensor at index ", i,
             " appears to not have been used in the graph. Set allow_unused=True if this is the desired "
             "behavior.");
  return py::reinterpret_steal<py::object>(tuple_of(captured).release());
}

void backward(const Tensor& self, PyObject* gradient, std::optional<bool> retain_graph, bool create_graph,
              PyObject* inputs) {
  const std::vector<Endpoint> leaves = endpoints_from(inputs);
  TG_CHECK(inputs == Py_None || !leaves.empty(), "`inputs` argument to `backward()` cannot be empty.");
  const Endpoint output{autograd::gradient_edge(self), self};
  autograd::backward({&output, 1}, tensors_from(gradient), retain_graph.value_or(create_graph), create_graph,
                     leaves, true);
}

const Tensor& detach_(const Tensor& self) {
  TG_CHECK(!self->base,
           "Can't detach views in-place. Use detach() instead. A view takes its history from its base.");
  if (autograd::AutogradMeta* meta = autograd::autograd_meta_or_null(self)) autograd::stop_retaining(*meta);
  self->grad_fn = nullptr;
  self->requires_grad = false;
  self->output_nr = 0;
  return self;
}

/// (node, output_nr) of a tensor that requires a gradient.
PyObject* gradient_edge(const Tensor& tensor) {
  const autograd::Edge edge = autograd::gradient_edge(tensor);
  TG_CHECK(edge.node,
           "It is not possible to get the gradient edge for a Tensor that does not require gradients");
  return Py_BuildValue("(Nk)", wrap_node(edge.node.get()), static_cast<unsigned long>(edge.input_nr));
}

}  // namespace

void define_autograd_ops() {
  def_op("_hooked_identity(Tensor[] tensors, any callback)", hooked_identity, As::function);
  def_op("_gradient_edge(Tensor tensor)", gradient_edge, As::function);
  def_op(
      "_increment_version(Tensor tensor)", [](const Tensor& tensor) { tensor.bump_version(); }, As::function);
  def_op(
      "backward(Tensor self, any gradient=None, bool? retain_graph=None, bool create_graph=False, any "
      "inputs=None)",
      backward, As::method,
      "Computes the gradient of this tensor with respect to the leaves and adds it to their .grad.");
  def_op(
      "requires_grad_(Tensor self, bool requires_grad=True)",
      [](const Tensor& self, bool value) -> const Tensor& {
        autograd::set_requires_grad(self, value);
        return self;
      },
      As::method);
  def_op("retain_grad(Tensor self)", autograd::retain_gradient, As::method);
  def_op(
      "detach(Tensor input)", [](const Tensor& self) { return autograd::detach(self); },
      "The same values without history, sharing memory: writes to one are seen by the other.");
  def_op("detach_(Tensor input)", detach_);
}

void register_graph(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  module.def("_run_backward", run_backward);
  module.def("_current_backward_run", autograd::current_run);
  module.def("_backward_has_inputs", autograd::run_has_inputs);
  module.def("_keep_until_backward_ends", [](py::object object) {
    autograd::keep_until_run_ends(Ref<RefCounted>(new OwnedObject(object.ptr())));
  });
  module.def("_will_execute", [](py::object node) { return autograd::will_execute(&get_node(node.ptr())); });
  module.def(
      "is_grad_enabled", [] { return autograd::modes.grad; }, "Whether operations are being recorded.");
  module.def("_set_grad_mode", [](bool enabled) { autograd::modes.grad = enabled; });
  module.def("is_inference_mode_enabled", [] { return inference_mode; });
  module.def("_set_inference_mode", [](bool enabled) { inference_mode = enabled; });
}

}  // namespace tapegrad::python
