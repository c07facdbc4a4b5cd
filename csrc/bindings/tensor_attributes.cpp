// Attributes of Tensor: shape, dtype, grad...
#include "autograd/gradient_ops.h"
#include "autograd/variable.h"
#include "bindings/arg_parser.h"
#include "bindings/device.h"
#include "bindings/node_type.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

template <class F>
PyObject* get(PyObject* self, F f) {
  return guarded([&] { return to_python(f(get_tensor(self))); });
}

PyObject* shape(PyObject* self, void*) {
  return get(self, [](const Tensor& t) -> const Dims& { return t.shape(); });
}
PyObject* dtype(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return t.dtype(); });
}
PyObject* rank(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return int64_t{t.dim()}; });
}
PyObject* is_leaf(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return autograd::is_leaf(t); });
}
PyObject* output_nr(PyObject* self, void*) {
  return get(self, [](const Tensor& t) {
    autograd::grad_fn(t);  // a view may have to be read again from its base
    return int64_t{t->output_nr};
  });
}
PyObject* version(PyObject* self, void*) {
  return get(self, [](const Tensor& t) {
    TG_CHECK(!t->is_inference, "Inference tensors do not track version counter.");
    return int64_t{t.version()};
  });
}
PyObject* retains_grad(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return autograd::retains_gradient(t); });
}
PyObject* base(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return t->base ? Tensor(t->base) : Tensor(); });
}
PyObject* item_size(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return int64_t{t.item_size()}; });
}
PyObject* bytes(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return t.bytes(); });
}
PyObject* itself(PyObject* self, void*) { return Py_NewRef(self); }

PyObject* grad_fn(PyObject* self, void*) {
  return guarded([&] { return wrap_node(autograd::grad_fn(get_tensor(self))); });
}
PyObject* constant_false(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* is_cpu(PyObject*, void*) { Py_RETURN_TRUE; }
PyObject* device(PyObject*, void*) { return Py_NewRef(cpu_device()); }
PyObject* array_priority(PyObject*, void*) { return PyLong_FromLong(1000); }

PyObject* get_requires_grad(PyObject* self, void*) {
  return PyBool_FromLong(autograd::requires_grad(get_tensor(self)));
}
int set_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    TG_CHECK(value && PyBool_Check(value), "requires_grad must be a bool");
    TG_CHECK(value == Py_False || get_tensor(self).is_floating(),
             "only Tensors of floating point and complex dtype can require gradients. This one has dtype ",
             dtype_name(get_tensor(self).dtype()));
    autograd::set_requires_grad(get_tensor(self), value == Py_True);
    return 0;
  });
}

PyObject* get_grad_quietly(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return autograd::gradient(t); });
}
PyObject* get_grad(PyObject* self, void*) {
  return get(self, [](const Tensor& t) {
    const Tensor& gradient = autograd::gradient(t);
    if (!gradient.defined() && !autograd::is_leaf(t) && !autograd::retains_gradient(t)) [[unlikely]]
      checked(PyErr_WarnEx(
          PyExc_UserWarning,
          "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: backward() fills "
          "only the .grad of leaves. Call retain_grad() on this tensor before backward() to keep its "
          "gradient, or read the .grad of the leaf.",
          1));
    return gradient;
  });
}
int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    const bool none = !value || value == Py_None;
    TG_CHECK_TYPE(none || is_tensor(value),
                  "assigned grad expected to be a Tensor or None but got grad of type ",
                  Py_TYPE(value)->tp_name);
    autograd::set_gradient(get_tensor(self), none ? Tensor() : get_tensor(value));
    return 0;
  });
}

Tensor transposed(const Tensor& x) {
  if (x.dim() != 2)
    warn(
        "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated. "
        "Consider "
        "`x.mT` to transpose batches of matrices or `x.permute(*range(x.ndim)[::-1])` to reverse the "
        "dimensions.");
  return reverse_dims(x);
}

template <Tensor (*make)(const Tensor&)>
PyObject* view_attribute(PyObject* self, void*) {
  return guarded([&] { return wrap(make(get_tensor(self))); });
}

// .data shares memory but neither history nor version: writes through it are invisible to autograd.
PyObject* get_data(PyObject* self, void*) {
  return get(self, [](const Tensor& t) { return autograd::detach(t, true); });
}
int set_data(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    TG_CHECK_TYPE(value && is_tensor(value), "Variable data has to be a tensor, but got ",
                  value ? Py_TYPE(value)->tp_name : "nothing");
    const Tensor &target = get_tensor(self), &source = get_tensor(value);
    TG_CHECK(!autograd::requires_grad(target) || source.is_floating(),
             "data set to a tensor that requires gradients must be floating point or complex dtype");
    target->storage = source->storage;
    target->dtype = source->dtype;
    target->detached_version = source->detached_version;
    set_geometry(target, source.shape(), source.strides(), source.raw());
    return 0;
  });
}

}  // namespace

PyGetSetDef tensor_attributes[] = {
    {"__dict__", tensor_dict, PyObject_GenericSetDict, nullptr, nullptr},
    {"shape", shape, nullptr, "The size of each dimension.", nullptr},
    {"dtype", dtype, nullptr, "The element type.", nullptr},
    {"ndim", rank, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", item_size, nullptr, "Bytes per element.", nullptr},
    {"nbytes", bytes, nullptr, "Bytes of all elements.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "Whether operations on this tensor are recorded.",
     nullptr},
    {"grad", get_grad, set_grad, "The accumulated gradient, or None.", nullptr},
    {"_grad", get_grad_quietly, set_grad, "The accumulated gradient, or None.", nullptr},
    {"real", itself, nullptr, "The tensor itself: there are no complex types.", nullptr},
    {"grad_fn", grad_fn, nullptr, "The operation that produced this tensor, or None.", nullptr},
    {"is_leaf", is_leaf, nullptr, "Whether no recorded operation produced this tensor.", nullptr},
    {"output_nr", output_nr, nullptr, "Which output of grad_fn this is.", nullptr},
    {"retains_grad", retains_grad, nullptr, "Whether a non-leaf keeps its gradient.", nullptr},
    {"_backward_hooks", get_backward_hooks, set_backward_hooks, "The hooks on the gradient by id, or None.",
     nullptr},
    {"_post_accumulate_grad_hooks", get_post_accumulate_hooks, set_post_accumulate_hooks,
     "The hooks after accumulation by id, or None.", nullptr},
    {"data", get_data, set_data, "The values without history, sharing memory.", nullptr},
    {"_version", version, nullptr, "How often the memory was written to in place.", nullptr},
    {"_base", base, nullptr, "The tensor that this is a view of, or None.", nullptr},
    {"device", device, nullptr, "Where the memory is: the CPU.", nullptr},
    {"T", view_attribute<transposed>, nullptr, "The tensor with its dimensions reversed.", nullptr},
    {"mT", view_attribute<matrix_transpose>, nullptr, "The last two dimensions exchanged.", nullptr},
    {"H", view_attribute<conjugate_transpose>, nullptr, "A matrix transposed.", nullptr},
    {"mH", view_attribute<adjoint>, nullptr, "The last two dimensions exchanged.", nullptr},
    {"is_cpu", is_cpu, nullptr, "True: tensors live in main memory.", nullptr},
    {"is_cuda", constant_false, nullptr, "False: there is no GPU support.", nullptr},
    {"is_mps", constant_false, nullptr, "False: there is no GPU support.", nullptr},
    {"is_meta", constant_false, nullptr, "False: every tensor has memory.", nullptr},
    {"is_sparse", constant_false, nullptr, "False: every tensor is dense.", nullptr},
    {"is_mkldnn", constant_false, nullptr, "False: there are no layouts of other libraries.", nullptr},
    {"is_quantized", constant_false, nullptr, "False: there are no quantized types.", nullptr},
    {"is_nested", constant_false, nullptr, "False: there are no nested tensors.", nullptr},
    {"__array_priority__", array_priority, nullptr, "NumPy leaves mixed operations to Tensor.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace tapegrad::python
