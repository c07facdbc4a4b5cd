// _sgd_step and _adam_step: one call moves all parameters of a group. Lists of tensors come first, options
// after them.
#include "ops/optim.h"

#include "bindings/register.h"
#include "bindings/tensor_type.h"

namespace tapegrad::python {

namespace {

/// The arguments of a call: lists of tensors (None is an undefined tensor) and numbers, by position.
class Arguments {
 public:
  Arguments(const char* name, PyObject* const* args, Py_ssize_t count, Py_ssize_t expected) : args_(args) {
    TG_CHECK_TYPE(count == expected, name, "() takes ", expected, " positional arguments but ", count,
                  " were given");
  }
  Py_ssize_t length(int position) const { return PyList_GET_SIZE(list(position)); }
  PyObject* object(int position, Py_ssize_t i) const {
    PyObject* items = list(position);
    TG_CHECK(i < PyList_GET_SIZE(items), "expected as many tensors in list ", position,
             " as there are parameters");
    return PyList_GET_ITEM(items, i);
  }
  Tensor tensor(int position, Py_ssize_t i) const {
    PyObject* item = object(position, i);
    if (item == Py_None) return {};
    TG_CHECK_TYPE(is_tensor(item), "expected a list of Tensors, but found ", Py_TYPE(item)->tp_name);
    return get_tensor(item);
  }
  double number(int position) const {
    const double value = PyFloat_AsDouble(args_[position]);
    if (value == -1.0 && PyErr_Occurred()) throw PythonError{};
    return value;
  }
  bool flag(int position) const { return PyObject_IsTrue(args_[position]) == 1; }

 private:
  PyObject* list(int position) const {
    TG_CHECK_TYPE(PyList_Check(args_[position]), "expected a list, not ", Py_TYPE(args_[position])->tp_name);
    return args_[position];
  }
  PyObject* const* args_;
};

PyObject* call_sgd_step(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&] {
    const Arguments a("_sgd_step", args, count, 9);
    const SgdStep step{.lr = a.number(3),
                       .momentum = a.number(4),
                       .dampening = a.number(5),
                       .weight_decay = a.number(6),
                       .nesterov = a.flag(7),
                       .maximize = a.flag(8),
                       .first = false};
    const Py_ssize_t buffers = step.momentum != 0 ? a.length(0) : 0;
    Object result = checked(PyList_New(buffers));
    for (Py_ssize_t i = 0; i < a.length(0); ++i) {
      Tensor buffer = buffers ? a.tensor(2, i) : Tensor();
      sgd_step(a.tensor(0, i), a.tensor(1, i), buffer, step);
      if (buffers) PyList_SET_ITEM(result.get(), i, wrap(std::move(buffer)));
    }
    return result.release();
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
  return guarded([&] {
    const Arguments a("_adam_step", args, count, 14);
    const AdamStep step{.lr = a.number(6),
                        .beta1 = a.number(7),
                        .beta2 = a.number(8),
                        .eps = a.number(9),
                        .weight_decay = a.number(10),
                        .step_size = 0,
                        .root = 0,
                        .decoupled = a.flag(11),
                        .maximize = a.flag(13)};
    const bool amsgrad = a.flag(12);
    for (Py_ssize_t i = 0; i < a.length(0); ++i)
      adam_step(a.tensor(0, i), a.tensor(1, i), a.tensor(2, i), a.tensor(3, i),
                amsgrad ? a.tensor(4, i) : Tensor(), advance(a.tensor(5, i)), step);
    return Py_NewRef(Py_None);
  });
}

template <class Function>
PyCFunction as_c_function(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {
    {"_sgd_step", as_c_function(call_sgd_step), METH_FASTCALL,
     "_sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize) "
     "-> "
     "momentum buffers"},
    {"_adam_step", as_c_function(call_adam_step), METH_FASTCALL,
     "_adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, eps, "
     "weight_decay, "
     "decoupled, amsgrad, maximize); counts the steps, too"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void register_optim(PyObject* module) { checked(PyModule_AddFunctions(module, functions)); }

}  // namespace tapegrad::python
