// The graph as lists, for the tools that draw it: see utils/viz.py.
#include <unordered_map>
#include <vector>

#include "autograd/variable.h"
#include "bindings/arg_parser.h"
#include "bindings/node_type.h"
#include "bindings/register.h"

namespace tapegrad::python {

namespace {

using autograd::Node;

/// "(2, 3)"; those of several outputs are separated by commas.
std::string shapes_of(const Node& node) {
  std::string text;
  for (uint32_t i = 0; i < node.output_count(); ++i) {
    text += i ? ", (" : "(";
    const IntSpan shape(node.output(i).shape);
    for (size_t d = 0; d < shape.size(); ++d) text += (d ? ", " : "") + std::to_string(shape[d]);
    text += ")";
  }
  return text;
}

/// The nodes that lead to some tensors, in the order in which a breadth-first search meets them.
class Walk {
 public:
  uint32_t number(Node* node) {
    const auto [place, is_new] = numbers_.try_emplace(node, static_cast<uint32_t>(nodes_.size()));
    if (is_new) nodes_.push_back(node);
    return place->second;
  }

  /// A tuple (name, shapes of the outputs, the tensor if it is a leaf's node, numbers of the inputs, the node
  /// itself if it was asked for) for each node.
  Object describe(bool with_nodes) {
    Object list = checked(PyList_New(0));
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = *nodes_[i];
      std::vector<uint32_t> inputs;
      for (const autograd::Edge& edge : node.edges())
        if (edge.node) inputs.push_back(number(edge.node.get()));
      Object input_tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(inputs.size())));
      for (size_t k = 0; k < inputs.size(); ++k)
        PyTuple_SET_ITEM(input_tuple.get(), static_cast<Py_ssize_t>(k), PyLong_FromUnsignedLong(inputs[k]));
      Object leaf = node.is_accumulator()
                        ? checked(wrap(static_cast<autograd::AccumulateGrad&>(node).variable))
                        : Object::borrow(Py_None);
      Object itself = with_nodes ? checked(wrap_node(&node)) : Object::borrow(Py_None);
      const Object row = checked(Py_BuildValue("(ssNNN)", node.name().c_str(), shapes_of(node).c_str(),
                                               leaf.release(), input_tuple.release(), itself.release()));
      checked(PyList_Append(list.get(), row.get()));
    }
    return list;
  }

 private:
  std::vector<Node*> nodes_;
  std::unordered_map<Node*, uint32_t> numbers_;
};

/// _walk_graph(tensors, with_nodes): the numbers of the tensors' nodes, and the list of all nodes.
PyObject* walk_graph(PyObject*, PyObject* args) {
  return guarded([&] {
    PyObject* tensors;
    int with_nodes;
    if (!PyArg_ParseTuple(args, "O!p", &PyTuple_Type, &tensors, &with_nodes)) throw PythonError{};
    Walk walk;
    Object outputs = checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tensors); ++i) {
      const Tensor& tensor = get_tensor(PyTuple_GET_ITEM(tensors, i));
      TG_CHECK(autograd::requires_grad(tensor), "element ", i,
               " of tensors does not require grad and does not have a grad_fn: there is no graph to draw.");
      const Object number =
          checked(PyLong_FromUnsignedLong(walk.number(autograd::gradient_edge(tensor).node.get())));
      checked(PyList_Append(outputs.get(), number.get()));
    }
    return Py_BuildValue("(NN)", outputs.release(), walk.describe(with_nodes != 0).release());
  });
}

PyMethodDef functions[] = {{"_walk_graph", walk_graph, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

int register_graph_walk(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace tapegrad::python
