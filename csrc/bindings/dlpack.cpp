// DLPack, the exchange of tensors between libraries without copies: https://dmlc.github.io/dlpack/latest/
#include <memory>

#include "bindings/arg_parser.h"
#include "bindings/register.h"

namespace tapegrad::python {

namespace {

// The structures of DLPack 1.0, whose layout is fixed.
struct DLDevice {
  int32_t type, id;
};
constexpr int32_t kCpu = 1;
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
constexpr uint8_t kInt = 0, kUnsigned = 1, kFloat = 2, kBool = 6;
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t rank;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct Managed {
  DLTensor tensor;
  void* context;
  void (*deleter)(Managed*);
  static constexpr const char *fresh = "dltensor", *used = "used_dltensor";
};
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  DLTensor tensor;
  static constexpr const char *fresh = "dltensor_versioned", *used = "used_dltensor_versioned";
};
constexpr uint64_t kReadOnly = 1;

DLDataType data_type(DType dtype) {
  const uint8_t code = dtype == DType::bool_ ? kBool
                       : is_floating(dtype)  ? kFloat
                       : is_signed(dtype)    ? kInt
                                             : kUnsigned;
  return {code, static_cast<uint8_t>(item_size(dtype) * 8), 1};
}

DType dtype_of_data(DLDataType type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DLDataType known = data_type(static_cast<DType>(i));
    if (known.code == type.code && known.bits == type.bits && type.lanes == 1) return static_cast<DType>(i);
  }
  fail(ErrorKind::type, "from_dlpack: there are no tensors of the DLPack type with code ", int{type.code},
       " and ", int{type.bits}, " bits");
}

/// What an exported capsule owns.
template <class M>
struct Export {
  M managed{};
  Ref<Storage> storage;
  Dims shape, strides;
};

template <class M>
void delete_export(M* managed) {
  const PyGILState_STATE state = PyGILState_Ensure();  // consumers may delete on any thread
  delete static_cast<Export<M>*>(managed->context);
  PyGILState_Release(state);
}

template <class M>
PyObject* make_capsule(const Tensor& self) {
  auto* exported = new Export<M>{{}, self->storage, self.shape(), self.strides()};
  M& managed = exported->managed;
  if constexpr (std::is_same_v<M, ManagedVersioned>) managed.major = 1;
  managed.context = exported;
  managed.deleter = delete_export<M>;
  managed.tensor = {self.raw(),
                    {kCpu, 0},
                    self.dim(),
                    data_type(self.dtype()),
                    exported->shape.data(),
                    exported->strides.data(),
                    0};
  return to_python(PyCapsule_New(&managed, M::fresh, [](PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, M::fresh)) return;  // a consumer has taken it
    auto* owned = static_cast<M*>(PyCapsule_GetPointer(capsule, M::fresh));
    owned->deleter(owned);
  }));
}

PyObject* export_tensor(const Tensor& self, PyObject*, PyObject* max_version) {
  if (autograd::requires_grad(self)) {
    PyErr_SetString(PyExc_BufferError, "Can't export tensors that require gradient, use tensor.detach()");
    throw PythonError{};
  }
  const bool versioned = PyTuple_Check(max_version) && PyTuple_GET_SIZE(max_version) > 0 &&
                         get_integer(PyTuple_GET_ITEM(max_version, 0)) >= 1;
  return versioned ? make_capsule<ManagedVersioned>(self) : make_capsule<Managed>(self);
}

template <class M>
Tensor take_capsule(PyObject* capsule) {
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, M::fresh));
  if (!managed) throw PythonError{};
  const DLTensor& source = managed->tensor;
  TG_CHECK(source.device.type == kCpu, "from_dlpack: the tensor is not in main memory");
  if constexpr (std::is_same_v<M, ManagedVersioned>) {
    if (managed->flags & kReadOnly) {
      PyErr_SetString(PyExc_BufferError,
                      "from_dlpack: the memory is read-only and tensors are always writable; copy it first");
      throw PythonError{};
    }
  }
  const DType dtype = dtype_of_data(source.dtype);
  const Dims shape(IntSpan(source.shape, static_cast<size_t>(source.rank)));
  const Dims strides = source.strides ? Dims(IntSpan(source.strides, static_cast<size_t>(source.rank)))
                                      : contiguous_strides(shape);
  check_shape(shape, dtype);
  int64_t last = 0;
  for (int i = 0; i < shape.size(); ++i) {
    TG_CHECK_VALUE(strides[i] >= 0,
                   "from_dlpack: tensors with negative strides are not supported; copy the array first");
    last += (shape[i] - 1) * strides[i];
  }
  char* data = static_cast<char*>(source.data) + source.byte_offset;
  const auto bytes =
      count_elements(shape) == 0 ? size_t{0} : static_cast<size_t>((last + 1) * item_size(dtype));
  Tensor tensor = empty(Dims{0}, dtype);
  tensor->storage = Storage::wrap(
      data, bytes,
      [](void* context) {
        auto* owned = static_cast<M*>(context);
        if (owned->deleter) owned->deleter(owned);
      },
      managed);
  checked(PyCapsule_SetName(capsule, M::used));
  set_geometry(tensor, shape, strides, data);
  return tensor;
}

Tensor import_capsule(PyObject* capsule) {
  return PyCapsule_IsValid(capsule, ManagedVersioned::fresh) ? take_capsule<ManagedVersioned>(capsule)
                                                             : take_capsule<Managed>(capsule);
}

/// __dlpack__(max_version=(1, 0)), or without arguments for libraries from before DLPack 1.0.
Object request_capsule(PyObject* object) {
  Object method = checked(PyObject_GetAttrString(object, "__dlpack__"));
  Object keywords = checked(Py_BuildValue("{s:(ii)}", "max_version", 1, 0));
  Object nothing = checked(PyTuple_New(0));
  Object capsule = Object::steal(PyObject_Call(method.get(), nothing.get(), keywords.get()));
  if (capsule) return capsule;
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw PythonError{};
  PyErr_Clear();
  return checked(PyObject_CallNoArgs(method.get()));
}

Tensor from_dlpack(PyObject* object) {
  if (PyCapsule_CheckExact(object)) return import_capsule(object);
  TG_CHECK_TYPE(PyObject_HasAttrString(object, "__dlpack__"),
                "from_dlpack: expected an object with __dlpack__, got ", Py_TYPE(object)->tp_name);
  return import_capsule(request_capsule(object).get());
}

}  // namespace

void define_dlpack_ops() {
  def_op(
      "__dlpack__(Tensor self, *, any stream=None, any max_version=None, any dl_device=None, bool? "
      "copy=None)",
      export_tensor, As::method);
  def_op(
      "__dlpack_device__(Tensor self)", [](const Tensor&) { return Py_BuildValue("(ii)", kCpu, 0); },
      As::method);
  def_op("from_dlpack(any ext_tensor)", from_dlpack, As::function,
         "A tensor on the memory of an object that speaks DLPack.");
}

}  // namespace tapegrad::python
