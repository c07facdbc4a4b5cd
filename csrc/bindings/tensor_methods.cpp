// Methods of Tensor that compute nothing: sizes, conversions to Python values, copies.
#include "bindings/tensor_methods.h"

#include "bindings/arg_parser.h"
#include "bindings/device.h"
#include "bindings/tensor_data.h"
#include "ops/closeness.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

// (self) -> value
template <auto function>
PyObject* getter(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(function(get_tensor(self))); });
}

PyObject* item(PyObject* self, PyObject*) {
  return guarded([&] { return from_scalar(get_scalar(self)); });
}

/// size() and stride(): all of them, or one of them.
template <bool sizes>
PyObject* one_or_all(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = get_tensor(self);
    constexpr const char* name = sizes ? "size" : "stride";
    const Dims& values = sizes ? tensor.shape() : tensor.strides();
    const Py_ssize_t given = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    TG_CHECK_TYPE(given <= 1 && (given == count ||
                                 PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "dim") == 0),
                  name, "() takes at most one argument, 'dim'");
    if (given == 1 && args[0] != Py_None) {
      TG_CHECK_TYPE(is_integer(args[0]), name, "(): argument 'dim' (position 1) must be int, not ",
                    Py_TYPE(args[0])->tp_name);
      const int64_t dim = get_integer(args[0]);
      TG_CHECK_INDEX(tensor.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
      return to_python(values[wrap_dim(dim, tensor.dim())]);
    }
    if (sizes) return make_size(values);
    Object tuple = checked(PyTuple_New(values.size()));
    for (int i = 0; i < values.size(); ++i) PyTuple_SET_ITEM(tuple.get(), i, PyLong_FromLongLong(values[i]));
    return tuple.release();
  });
}

template <class T>
PyObject* number(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return PyBool_FromLong(value);
  else if constexpr (std::is_floating_point_v<T>)
    return PyFloat_FromDouble(static_cast<double>(value));
  else
    return PyLong_FromLongLong(value);
}

template <class T>
PyObject* nested_list(const Tensor& tensor, int dim, const T* data) {
  if (dim == tensor.dim()) return number(*data);
  const int64_t size = tensor.shape()[dim], stride = tensor.strides()[dim];
  Object list = checked(PyList_New(size));
  for (int64_t i = 0; i < size; ++i)
    PyList_SET_ITEM(list.get(), i, checked(nested_list(tensor, dim + 1, data + i * stride)).release());
  return list.release();
}
PyObject* to_list(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& tensor = get_tensor(self);
    return dispatch(tensor.dtype(), [&](auto tag) {
      return nested_list(tensor, 0, tensor.data<typename decltype(tag)::type>());
    });
  });
}

/// Whether a memory format lets the channels vary fastest.
bool names_channels_last(PyObject* format) {
  if (format == Py_None) return false;
  const Object text = checked(PyObject_Str(format));
  return Argument<std::string_view>::get(text.get()).starts_with("torch.channels_last");
}
bool wants_channels_last(PyObject* format, int rank) {
  if (!names_channels_last(format)) return false;
  TG_CHECK(rank == 4 || rank == 5,
           "required rank 4 tensor to use channels_last format, or rank 5 for channels_last_3d");
  return true;
}
Dims channels_last_order(int rank) {
  Dims order(rank);
  for (int i = 0; i < rank; ++i) order[i] = i == 0 ? 0 : i + 1 < rank ? i + 1 : 1;
  return order;
}
Tensor channels_last_view(const Tensor& x) { return permute(x, channels_last_order(x.dim())); }
Tensor channels_first_view(const Tensor& x) {
  Dims order(x.dim());
  for (int i = 0; i < x.dim(); ++i) order[i] = i == 0 ? 0 : i == 1 ? x.dim() - 1 : i - 1;
  return permute(x, order);
}

bool is_contiguous_as(const Tensor& self, PyObject* format) {
  if (!names_channels_last(format)) return self.is_contiguous();
  if (self.dim() != 4 && self.dim() != 5) return false;
  const Dims order = channels_last_order(self.dim());
  Dims shape(self.dim()), strides(self.dim());
  for (int i = 0; i < self.dim(); ++i) {
    shape[i] = self.shape()[static_cast<int>(order[i])];
    strides[i] = self.strides()[static_cast<int>(order[i])];
  }
  return is_row_major(shape, strides);
}
Tensor contiguous_as(const Tensor& self, PyObject* format) {
  if (!wants_channels_last(format, self.dim())) return contiguous(self);
  return is_contiguous_as(self, format) ? self : channels_first_view(contiguous(channels_last_view(self)));
}
Tensor clone_as(const Tensor& self, PyObject* format) {
  if (wants_channels_last(format, self.dim()))
    return channels_first_view(clone_contiguous(channels_last_view(self)));
  if (format == Py_None) return clone(self);
  const Object text = checked(PyObject_Str(format));
  return Argument<std::string_view>::get(text.get()) == "torch.contiguous_format" ? clone_contiguous(self)
                                                                                  : clone(self);
}

/// to(dtype), to(device), to(device, dtype), to(other), each followed by non_blocking and copy.
PyObject* convert(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = get_tensor(self);
    std::optional<DType> dtype;
    bool copy = false;
    PyObject* format = Py_None;
    int flags = 0;
    auto refuse = [](PyObject* value) {
      fail(ErrorKind::type, "to() received an invalid combination of arguments - got (",
           Py_TYPE(value)->tp_name,
           "), but expected one of:\n * (torch.device device = None, torch.dtype dtype = None, bool "
           "non_blocking = False, bool copy = "
           "False)\n * (torch.dtype dtype, bool non_blocking = False, bool copy = False)\n * (Tensor other, "
           "bool non_blocking = False, "
           "bool copy = False)");
    };
    auto take = [&](PyObject* value) {
      if (is_dtype(value) && dtype) refuse(value);
      if (is_dtype(value))
        dtype = get_dtype(value);
      else if (is_tensor(value))
        dtype = get_tensor(value).dtype();
      else if (value != Py_None && !is_device(value) && !PyLong_Check(value))
        refuse(value);
      else
        check_device(value);
    };
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (PyBool_Check(args[i]))
        copy = flags++ == 1 && args[i] == Py_True;
      else if (i > 0 && PyLong_Check(args[i]))
        refuse(args[i]);
      else
        take(args[i]);
    }
    for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); ++k) {
      const std::string_view name = Argument<std::string_view>::get(PyTuple_GET_ITEM(keywords, k));
      PyObject* value = args[count + k];
      if (name == "device" || name == "dtype" || name == "other")
        take(value);
      else if ((name == "copy" || name == "non_blocking") && !PyBool_Check(value))
        refuse(value);
      else if (name == "copy")
        copy = value == Py_True;
      else if (name == "memory_format")
        format = value;
      else
        TG_CHECK_TYPE(name == "non_blocking", "to() got an unexpected keyword argument '", name, "'");
    }
    if (!copy && format == Py_None && (!dtype || *dtype == tensor.dtype())) return Py_NewRef(self);
    Tensor result = to(tensor, dtype.value_or(tensor.dtype()), copy);
    return wrap(names_channels_last(format) ? contiguous_as(result, format) : std::move(result));
  });
}

template <auto function>
PyMethodDef no_arguments(const char* name, const char* doc) {
  return {name, getter<function>, METH_NOARGS, doc};
}
template <class Function>
PyMethodDef fast(const char* name, Function* function, const char* doc) {
  return {name, as_c_function(function), METH_FASTCALL | METH_KEYWORDS, doc};
}

constexpr auto rank_of = [](const Tensor& t) { return int64_t{t.dim()}; };
constexpr auto numel_of = [](const Tensor& t) { return t.numel(); };
constexpr auto element_size_of = [](const Tensor& t) { return int64_t{t.item_size()}; };
constexpr auto offset_of = [](const Tensor& t) { return t.storage_offset(); };
constexpr auto address_of = [](const Tensor& t) {
  return static_cast<int64_t>(reinterpret_cast<intptr_t>(t.raw()));
};
constexpr auto is_floating_of = [](const Tensor& t) { return t.is_floating(); };
constexpr auto is_signed_of = [](const Tensor& t) { return is_signed(t.dtype()); };
constexpr auto never = [](const Tensor&) { return false; };
constexpr auto is_view_of = [](const Tensor& t) { return static_cast<bool>(t->base); };
constexpr auto is_inference_of = [](const Tensor& t) { return t->is_inference; };

/// A tensor of a subclass on the memory of `data`, without its history.
PyObject* make_subclass(PyObject* type, const Tensor& data, bool requires_grad) {
  TG_CHECK_TYPE(PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), tensor_type),
                "cls must be a type derived from Tensor");
  Tensor tensor = autograd::detach(data);
  TG_CHECK(!requires_grad || tensor.is_floating(),
           "Only Tensors of floating point and complex dtype can require gradients; this one has dtype ",
           dtype_name(tensor.dtype()));
  autograd::set_requires_grad(tensor, requires_grad);
  return wrap_as(reinterpret_cast<PyTypeObject*>(type), std::move(tensor));
}

template <DType dtype>
Tensor cast(const Tensor& self, PyObject* format) {
  Tensor result = to(self, dtype);
  return names_channels_last(format) ? contiguous_as(result, format) : result;
}

bool same_values(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return false;
  const DType dtype = promote(a.dtype(), b.dtype());
  auto dense = [dtype](const Tensor& x) {
    return x.dtype() != dtype  ? contiguous(cast_values(x, dtype))
           : x.is_contiguous() ? x
                               : contiguous_values(x);
  };
  const Tensor left = dense(a), right = dense(b);
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return std::equal(left.data<T>(), left.data<T>() + left.numel(), right.data<T>());
  });
}

/// A tensor of any type and geometry on the memory of `bytes`, for unpickling and deepcopy.
Tensor rebuild(const Tensor& bytes, DType dtype, int64_t offset, IntSpan shape, IntSpan strides) {
  check_shape(shape, dtype);
  TG_CHECK(bytes.dtype() == DType::uint8 && bytes.is_contiguous(), "expected the bytes of a storage");
  TG_CHECK(shape.size() == strides.size(), "expected one stride for each of the ", shape.size(),
           " dimensions, got ", strides.size());
  const bool fits = offset >= 0 &&
                    std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride >= 0; }) &&
                    storage_bytes_needed(shape, strides, offset, dtype) <= bytes.numel();
  TG_CHECK(fits, "a tensor of shape ", to_string(shape), " with strides ", to_string(strides),
           " does not fit its storage of ", bytes.numel(), " bytes");
  Tensor tensor = make_view(bytes, Dims{0}, Dims{1}, 0);
  tensor->dtype = dtype;
  set_geometry(tensor, shape, strides, bytes.raw() + offset * item_size(dtype));
  return tensor;
}
/// All bytes of the storage as a 1-dimensional tensor.
Tensor storage_bytes(const Tensor& self) {
  Tensor bytes = make_view(self, Dims{0}, Dims{1}, 0);
  bytes->dtype = DType::uint8;
  set_geometry(bytes, Dims{static_cast<int64_t>(self->storage->bytes())}, Dims{1}, self->storage->data());
  return bytes;
}

}  // namespace

PyMethodDef tensor_methods[] = {
    {"item", item, METH_NOARGS, "The value of a tensor of one element as a Python number."},
    {"tolist", to_list, METH_NOARGS, "The values as nested lists; a number for a 0-dimensional tensor."},
    fast("size", one_or_all<true>, "The shape, or the size of one dimension."),
    fast("stride", one_or_all<false>, "The strides in elements, or that of one dimension."),
    fast("to", convert, "The tensor with another type; the tensor itself when it has that type already."),
    no_arguments<rank_of>("dim", "The number of dimensions."),
    no_arguments<rank_of>("ndimension", "The number of dimensions."),
    no_arguments<numel_of>("numel", "The number of elements."),
    no_arguments<numel_of>("nelement", "The number of elements."),
    no_arguments<element_size_of>("element_size", "Bytes per element."),
    no_arguments<offset_of>("storage_offset", "The first element's position in the storage, in elements."),
    no_arguments<address_of>("data_ptr", "The address of the first element."),
    no_arguments<is_floating_of>("is_floating_point", "Whether the type is a floating-point type."),
    no_arguments<is_signed_of>("is_signed", "Whether the type has negative values."),
    no_arguments<never>("is_complex", "False: there are no complex types."),
    no_arguments<never>("is_conj", "False: there are no complex types."),
    no_arguments<never>("is_neg", "False: negation is always computed."),
    no_arguments<never>("is_pinned", "False: memory is never pinned."),
    no_arguments<never>("is_shared", "False: memory is never shared between processes."),
    no_arguments<is_view_of>("_is_view", "Whether this is a differentiable view of another tensor."),
    no_arguments<is_inference_of>("is_inference", "Whether the tensor was made in inference mode."),
    {nullptr, nullptr, 0, nullptr},
};

void define_tensor_methods() {
  def_op("is_contiguous(Tensor self, any memory_format=None)", is_contiguous_as, As::method,
         "Whether memory has no gaps and is row-major.");
  def_op("contiguous(Tensor self, any memory_format=None)", contiguous_as, As::method,
         "The tensor itself if it is contiguous, else a copy.");
  def_op("clone(Tensor input, *, any memory_format=None)", clone_as, "A copy that gradients flow through.");
  def_op(
      "copy_(Tensor self, Operand other, bool non_blocking=False)",
      [](const Tensor& self, const Operand& source) -> const Tensor& {
        return copy_(self, source.is_tensor() ? source.tensor() : wrap_scalar(source.scalar(), self));
      },
      As::method);
  def_op("fill_(Tensor input, Tensor value)",
         [](const Tensor& self, const Tensor& value) -> const Tensor& { return fill_(self, value); });
  def_op("fill_(Tensor input, Scalar value)",
         [](const Tensor& self, Scalar value) -> const Tensor& { return fill_(self, value); });
  def_op(
      "fill(Tensor input, Scalar value)",
      [](const Tensor& self, Scalar value) {
        Tensor filled = clone(self);
        fill_(filled, value);
        return filled;
      },
      As::function);
  def_op("zero_(Tensor input)", zero_, "Writes zeros.");
  def_op("float(Tensor self, any memory_format=None)", cast<DType::float32>, As::method);
  def_op("double(Tensor self, any memory_format=None)", cast<DType::float64>, As::method);
  def_op("long(Tensor self, any memory_format=None)", cast<DType::int64>, As::method);
  def_op("int(Tensor self, any memory_format=None)", cast<DType::int32>, As::method);
  def_op("short(Tensor self, any memory_format=None)", cast<DType::int16>, As::method);
  def_op("char(Tensor self, any memory_format=None)", cast<DType::int8>, As::method);
  def_op("byte(Tensor self, any memory_format=None)", cast<DType::uint8>, As::method);
  def_op("bool(Tensor self, any memory_format=None)", cast<DType::bool_>, As::method);
  def_op("cpu(Tensor self, any memory_format=None)", [](const Tensor& self) { return self; }, As::method);
  def_op(
      "type_as(Tensor self, Tensor other)",
      [](const Tensor& self, const Tensor& other) { return to(self, other.dtype()); }, As::method);
  def_op("equal(Tensor input, Tensor other)", same_values,
         "Whether two tensors have the same shape and values.");
  def_op("isclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)",
         isclose, "Where |input - other| <= atol + rtol * |other|.");
  def_op("allclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)",
         allclose, "Whether isclose holds everywhere.");
  def_op("is_same_size(Tensor input, Tensor other)",
         [](const Tensor& a, const Tensor& b) { return a.shape() == b.shape(); });
  def_op(
      "is_set_to(Tensor self, Tensor tensor)",
      [](const Tensor& a, const Tensor& b) {
        return a->storage == b->storage && a.raw() == b.raw() && a.shape() == b.shape() &&
               a.strides() == b.strides();
      },
      As::method);
  def_op("_make_subclass(any cls, Tensor data, bool require_grad=False)", make_subclass, As::function);
  def_op("_rebuild(Tensor bytes, dtype dtype, int offset, int[] shape, int[] stride)", rebuild, As::function);
  def_op("_storage_bytes(Tensor self)", storage_bytes, As::function);
  def_op(
      "_legacy_new(any args, any kwargs, dtype dtype)",
      [](PyObject* args, PyObject* kwargs, DType dtype) { return legacy_new(args, kwargs, dtype, false); },
      As::function);
  def_op("get_default_dtype()", [] { return default_dtype(); }, As::function);
  def_op(
      "set_default_dtype(any d)",
      [](PyObject* dtype) {
        TG_CHECK_TYPE(is_dtype(dtype) && !PyType_Check(dtype),
                      "invalid dtype object: only floating-point types are supported as the default type");
        TG_CHECK_TYPE(is_floating(get_dtype(dtype)),
                      "only floating-point types are supported as the default type");
        set_default_dtype(get_dtype(dtype));
      },
      As::function);
  def_op(
      "promote_types(dtype type1, dtype type2)", [](DType a, DType b) { return promote(a, b); },
      As::function);
  def_op(
      "can_cast(dtype from_, dtype to)", [](DType from, DType to) { return can_cast(from, to); },
      As::function);
  def_op(
      "result_type(Operand tensor1, Operand tensor2)",
      [](const Operand& a, const Operand& b) {
        const Operand operands[] = {a, b};
        return result_type(operands);
      },
      As::function);
}

}  // namespace tapegrad::python
