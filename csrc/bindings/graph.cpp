#include "bindings/graph.h"

#include <pybind11/pybind11.h>

#include "autograd/engine.h"
#include "autograd/record.h"
#include "autograd/variable.h"
#include "bindings/arg_parser.h"
#include "bindings/register.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, tapegrad::Ref<T>, true)

namespace tapegrad::python {

namespace py = pybind11;
using autograd::Node;

PyObject* wrap_node(Node* node) {
  if (!node) Py_RETURN_NONE;
  return py::cast(Ref<Node>(node)).release().ptr();
}

namespace {

std::string node_repr(const Node& node) {
  return concat("<", node.name(), " object at ", static_cast<const void*>(&node), ">");
}

py::tuple next_functions(Node& node) {
  py::list functions;
  for (const autograd::Edge& edge : node.edges())
    functions.append(py::make_tuple(edge.node ? py::cast(edge.node) : py::none(), edge.input_nr));
  return py::tuple(functions);
}

py::object saved_attribute(Node& node, const std::string& name) {
  py::object found;
  node.visit_saved([&](const char* key, const Tensor& tensor) {
    if (name == std::string("_saved_") + key) found = py::reinterpret_steal<py::object>(wrap(tensor));
  });
  if (!found) throw py::attribute_error("'" + node.name() + "' object has no attribute '" + name + "'");
  return found;
}

py::object variable(Node& node) {
  if (!node.is_accumulator())
    throw py::attribute_error("'" + node.name() + "' object has no attribute 'variable'");
  return py::reinterpret_steal<py::object>(wrap(static_cast<autograd::AccumulateGrad&>(node).variable));
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

PyObject* to_tuple(std::span<const Tensor> tensors) {
  Object tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
  for (size_t i = 0; i < tensors.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap(tensors[i]));
  return tuple.release();
}

/// A Python callable as a C++ object that a node may own.
struct Callable : RefCounted {
  explicit Callable(PyObject* function) : function(Object::borrow(function)) {}
  Object function;
};

/// The tensors themselves, passed through one node: when gradients arrive, `callback` gets the tuple of them
/// (None where nothing arrived) and returns the tuple that is passed on.
std::vector<Tensor> hooked_identity(const std::vector<Tensor>& inputs, PyObject* callback) {
  std::vector<Tensor> outputs;
  for (const Tensor& input : inputs) outputs.push_back(autograd::detach(input));
  const Ref<Callable> holder(new Callable(callback));
  autograd::record_outputs(
      "BackwardHookFunctionBackward", outputs, inputs, {}, [holder](autograd::Backward& b) {
        std::vector<Tensor> arrived;
        for (int i = 0; i < b.input_count(); ++i) arrived.push_back(b.grad(i));
        Object gradients = Object::steal(to_tuple(arrived));
        Object result = checked(PyObject_CallOneArg(holder->function.get(), gradients.get()));
        const std::vector<Tensor> passed_on = tensors_from(result.get());
        for (size_t i = 0; i < passed_on.size(); ++i) b.give(static_cast<int>(i), passed_on[i]);
      });
  return outputs;
}

/// hook(gradients of the inputs, gradients of the outputs); what it returns replaces the former.
struct PythonNodeHook : autograd::NodeHook {
  explicit PythonNodeHook(PyObject* function) : function(Object::borrow(function)) {}
  void call(std::vector<Tensor>& results, const std::vector<Tensor>& gradients) override {
    Object computed = Object::steal(to_tuple(results)), arrived = Object::steal(to_tuple(gradients));
    Object replaced =
        checked(PyObject_CallFunctionObjArgs(function.get(), computed.get(), arrived.get(), nullptr));
    if (replaced.get() != Py_None) results = tensors_from(replaced.get());
  }
  Object function;
};

/// Takes a hook out of its node again.
struct NodeHookHandle {
  Ref<Node> node;
  uint64_t id;
  void remove() {
    std::erase_if(node->extras().post_hooks, [&](const auto& entry) { return entry.first == id; });
  }
};

NodeHookHandle register_node_hook(Node& node, const py::function& hook) {
  static uint64_t next_id = 0;
  node.extras().post_hooks.push_back({++next_id, Ref<autograd::NodeHook>(new PythonNodeHook(hook.ptr()))});
  return {Ref<Node>(&node), next_id};
}

}  // namespace

void define_autograd_ops() {
  def_op("_hooked_identity(Tensor[] tensors, any callback)", hooked_identity, As::function);
  def_op(
      "backward(Tensor self, any gradient=None, bool? retain_graph=None, bool create_graph=False, any "
      "inputs=None)",
      [](const Tensor& self, PyObject* gradient, std::optional<bool> retain_graph, bool create_graph,
         PyObject* inputs) {
        const std::vector<Tensor> leaves = tensors_from(inputs);
        TG_CHECK(inputs == Py_None || !leaves.empty(), "`inputs` argument to `backward()` cannot be empty.");
        const std::vector<Tensor> gradients = tensors_from(gradient);
        autograd::backward({&self, 1}, gradients, retain_graph.value_or(create_graph), create_graph, leaves,
                           true);
      },
      As::method,
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
  def_op("detach_(Tensor input)", [](const Tensor& self) -> const Tensor& {
    TG_CHECK(!self->base,
             "Can't detach views in-place. Use detach() instead. A view takes its history from its base.");
    if (autograd::AutogradMeta* meta = autograd::autograd_meta_or_null(self)) autograd::stop_retaining(*meta);
    self->grad_fn = nullptr;
    self->requires_grad = false;
    self->output_nr = 0;
    return self;
  });
}

void register_graph(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  py::class_<NodeHookHandle>(module, "_NodeHookHandle", "Removes a hook of a node.")
      .def("remove", &NodeHookHandle::remove);
  py::class_<Node, Ref<Node>>(module, "Node", "An operation in the graph; grad_fn of the tensors it made.")
      .def("name", &Node::name)
      .def("__repr__", node_repr)
      .def_property_readonly("next_functions", next_functions)
      .def_property_readonly("variable", variable)
      .def("register_hook", register_node_hook,
           "Calls hook(grad_inputs, grad_outputs) after the node has run.")
      .def("__getattr__", saved_attribute);

  module.def("_run_backward", [](py::object tensors, py::object gradients, bool keep_graph, bool create_graph,
                                 py::object inputs, bool allow_unused, bool accumulate) {
    const auto outputs = tensors_from(tensors.ptr());
    const auto wanted = tensors_from(inputs.ptr());
    const auto captured = autograd::backward(outputs, tensors_from(gradients.ptr()), keep_graph, create_graph,
                                             wanted, accumulate);
    py::list results;
    for (size_t i = 0; i < captured.size() && !accumulate; ++i) {
      TG_CHECK(allow_unused || captured[i].defined(), "The differentiated Tensor at index ", i,
               " appears to not have been used in the graph. Set allow_unused=True if this is the desired "
               "behavior.");
      results.append(py::reinterpret_steal<py::object>(wrap(captured[i])));
    }
    return py::tuple(results);
  });
  module.def(
      "is_grad_enabled", [] { return autograd::modes.grad; }, "Whether operations are being recorded.");
  module.def("_set_grad_mode", [](bool enabled) { autograd::modes.grad = enabled; });
  module.def("is_inference_mode_enabled", [] { return autograd::modes.inference; });
  module.def("_set_inference_mode", [](bool enabled) { autograd::modes.inference = enabled; });
}

}  // namespace tapegrad::python
