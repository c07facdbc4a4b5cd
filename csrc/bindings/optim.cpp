// _forget_gradients, _sgd_step and _adam_step: one call clears or moves all parameters of a group, reading
// its options and the optimizer's state where Python keeps them.
#include "ops/optim.h"

#include "autograd/variable.h"
#include "bindings/register.h"
#include "bindings/tensor_type.h"
#include "ops/create.h"

namespace tapegrad::python {

namespace {

/// A key of the dictionaries, made once.
class Key {
 public:
  explicit Key(const char* name) : name_(name), text_(PyUnicode_InternFromString(name)) {}
  const char* name() const { return name_; }
  /// A borrowed reference; null when the key is missing.
  PyObject* find(PyObject* dict) const {
    PyObject* value = PyDict_GetItemWithError(dict, text_);
    if (!value && PyErr_Occurred()) throw PythonError{};
    return value;
  }
  void set(PyObject* dict, Tensor tensor) const {
    checked(PyDict_SetItem(dict, text_, Object::steal(wrap(std::move(tensor))).get()));
  }

 private:
  const char* name_;
  PyObject* text_;
};

double number(PyObject* object) {
  const double value = PyFloat_AsDouble(object);
  if (value == -1.0 && PyErr_Occurred()) throw PythonError{};
  return value;
}

/// The arguments of a step: a parameter group, and the optimizer's state by parameter.
class Group {
 public:
  Group(const char* name, PyObject* const* args, Py_ssize_t count) : group_(args[0]), state_(args[1]) {
    TG_CHECK_TYPE(count == 2 && PyDict_Check(group_) && PyDict_Check(state_), name,
                  "() takes a parameter group and the state of an optimizer, two dictionaries");
  }
  PyObject* option(const Key& key) const {
    PyObject* value = key.find(group_);
    TG_CHECK_VALUE(value, "a parameter group lacks the option '", key.name(), "'");
    return value;
  }
  double number(const Key& key) const { return python::number(option(key)); }
  bool flag(const Key& key) const { return PyObject_IsTrue(option(key)) == 1; }

  /// Calls f(parameter, gradient, Python object of the parameter) for all that have a gradient.
  template <class F>
  void for_each_parameter(F f) const {
    static const Key params("params");
    const Object sequence = checked(PySequence_Fast(option(params), "the parameters of a group are a list"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i) {
      PyObject* object = PySequence_Fast_GET_ITEM(sequence.get(), i);
      TG_CHECK_TYPE(is_tensor(object), "optimizer can only optimize Tensors, but one of the params is ",
                    Py_TYPE(object)->tp_name);
      if (Tensor gradient = autograd::gradient(get_tensor(object)); gradient.defined())
        f(get_tensor(object), gradient, object);
    }
  }
  /// The dictionary of one parameter's state; made by the optimizer's defaultdict when it is missing.
  Object state(PyObject* parameter) const {
    PyObject* found = PyDict_GetItemWithError(state_, parameter);
    if (!found && PyErr_Occurred()) throw PythonError{};
    Object entry = found ? Object::borrow(found) : checked(PyObject_GetItem(state_, parameter));
    TG_CHECK_TYPE(PyDict_Check(entry.get()), "the state of a parameter is a dictionary, not ",
                  Py_TYPE(entry.get())->tp_name);
    return entry;
  }

 private:
  PyObject *group_, *state_;
};

/// A tensor of a parameter's state; undefined when there is none, or None.
Tensor state_tensor(const Object& entry, const Key& key) {
  PyObject* item = key.find(entry.get());
  if (!item || item == Py_None) return {};
  TG_CHECK_TYPE(is_tensor(item), "the state '", key.name(), "' of a parameter is a Tensor, not ",
                Py_TYPE(item)->tp_name);
  return get_tensor(item);
}

/// The same for a tensor without which no step can be made.
Tensor required_state(const Object& entry, const Key& key) {
  Tensor tensor = state_tensor(entry, key);
  TG_CHECK_VALUE(tensor.defined(), "the state of a parameter lacks '", key.name(),
                 "'; load a complete state_dict, or clear the optimizer's state");
  return tensor;
}

const Key lr("lr"), weight_decay("weight_decay"), maximize("maximize");

PyObject* call_sgd_step(PyObject*, PyObject* const* args, Py_ssize_t count) {
  static const Key momentum("momentum"), dampening("dampening"), nesterov("nesterov"),
      momentum_buffer("momentum_buffer");
  return guarded([&] {
    const Group group("_sgd_step", args, count);
    SgdStep step{.lr = group.number(lr),
                 .momentum = group.number(momentum),
                 .dampening = group.number(dampening),
                 .weight_decay = group.number(weight_decay),
                 .nesterov = group.flag(nesterov),
                 .maximize = group.flag(maximize),
                 .first = false};
    group.for_each_parameter([&](const Tensor& param, const Tensor& gradient, PyObject* object) {
      Tensor buffer;
      if (step.momentum == 0) return sgd_step(param, gradient, buffer, step);
      const Object state = group.state(object);
      buffer = state_tensor(state, momentum_buffer);
      const bool first = !buffer.defined();
      sgd_step(param, gradient, buffer, step);
      if (first) momentum_buffer.set(state.get(), buffer);
    });
    return Py_NewRef(Py_None);
  });
}

/// Counts one step more and returns the new number.
double advance(const Tensor& steps) {
  TG_CHECK(steps.defined() && steps.dtype() == DType::float32 && steps.numel() == 1,
           "Adam expects the step counter of a parameter to be a float32 tensor with one element");
  steps.bump_version();
  return *steps.data<float>() += 1;
}

PyObject* call_adam_step(PyObject*, PyObject* const* args, Py_ssize_t count) {
  static const Key betas("betas"), eps("eps"), decoupled("decoupled_weight_decay"), amsgrad("amsgrad"),
      steps("step"), mean("exp_avg"), mean_square("exp_avg_sq"), largest("max_exp_avg_sq");
  return guarded([&] {
    const Group group("_adam_step", args, count);
    const Object pair = checked(PySequence_Tuple(group.option(betas)));
    TG_CHECK_VALUE(PyTuple_GET_SIZE(pair.get()) == 2, "betas of Adam are two numbers");
    const AdamStep step{.lr = group.number(lr),
                        .beta1 = number(PyTuple_GET_ITEM(pair.get(), 0)),
                        .beta2 = number(PyTuple_GET_ITEM(pair.get(), 1)),
                        .eps = group.number(eps),
                        .weight_decay = group.number(weight_decay),
                        .step_size = 0,
                        .root = 0,
                        .decoupled = group.flag(decoupled),
                        .maximize = group.flag(maximize)};
    const bool keeps_largest = group.flag(amsgrad);
    group.for_each_parameter([&](const Tensor& param, const Tensor& gradient, PyObject* object) {
      const Object state = group.state(object);
      if (PyDict_GET_SIZE(state.get()) == 0) {
        steps.set(state.get(), zeros({}, DType::float32));
        mean.set(state.get(), zeros_like(param));
        mean_square.set(state.get(), zeros_like(param));
        if (keeps_largest) largest.set(state.get(), zeros_like(param));
      }
      adam_step(param, gradient, required_state(state, mean), required_state(state, mean_square),
                keeps_largest ? required_state(state, largest) : Tensor(),
                advance(required_state(state, steps)), step);
    });
    return Py_NewRef(Py_None);
  });
}

PyObject* forget_gradients(PyObject*, PyObject* tensors) {
  return guarded([&] {
    const Object iterator = checked(PyObject_GetIter(tensors));
    while (const Object item = Object::steal(PyIter_Next(iterator.get()))) {
      TG_CHECK_TYPE(is_tensor(item.get()), "gradients are those of Tensors, not of ",
                    Py_TYPE(item.get())->tp_name);
      autograd::set_gradient(get_tensor(item.get()), {});
    }
    if (PyErr_Occurred()) throw PythonError{};
    return Py_NewRef(Py_None);
  });
}

PyMethodDef functions[] = {
    {"_forget_gradients", forget_gradients, METH_O, "_forget_gradients(tensors): sets their .grad to None."},
    {"_sgd_step", as_c_function(call_sgd_step), METH_FASTCALL,
     "_sgd_step(group, state): moves the parameters of a group that have gradients, and keeps their "
     "velocities."},
    {"_adam_step", as_c_function(call_adam_step), METH_FASTCALL,
     "_adam_step(group, state): moves the parameters of a group that have gradients, and keeps their means."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void register_optim(PyObject* module) { checked(PyModule_AddFunctions(module, functions)); }

}  // namespace tapegrad::python
