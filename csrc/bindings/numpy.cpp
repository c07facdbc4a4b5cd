// Zero-copy exchange with NumPy through the buffer protocol: NumPy's headers are not needed, and arrays of
// any other library work as well.
#include "bindings/numpy.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "bindings/arg_parser.h"
#include "bindings/overrides.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"

namespace tapegrad::python {

namespace {

constexpr const char* kSupported =
    "The only supported types are: float64, float32, int64, int32, int16, int8, uint8, and bool.";

const char* format_of(DType dtype) {
  constexpr const char* formats[] = {"?", "B", "b", "h", "i", sizeof(long) == 8 ? "l" : "q", "f", "d"};
  return formats[static_cast<int>(dtype)];
}

std::optional<DType> dtype_of_format(const char* format, Py_ssize_t item_size) {
  if (!format) return DType::uint8;
  if (std::strchr("@=<|", *format) && *format) ++format;
  if (*format == '\0' || format[1] != '\0') return std::nullopt;
  switch (*format) {
    case '?':
      return DType::bool_;
    case 'B':
      return DType::uint8;
    case 'f':
      return DType::float32;
    case 'd':
      return DType::float64;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
      return item_size == 1   ? DType::int8
             : item_size == 2 ? DType::int16
             : item_size == 4 ? DType::int32
                              : DType::int64;
    default:
      return std::nullopt;
  }
}

bool has_foreign_byte_order(const Py_buffer& buffer) {
  return buffer.format && (*buffer.format == '>' || *buffer.format == '!') && buffer.itemsize > 1;
}

/// Holds a buffer of somebody else; the deleter of the storage that shows it.
struct BorrowedBuffer {
  Py_buffer view{};
  bool held = false;
  ~BorrowedBuffer() {
    if (held) PyBuffer_Release(&view);
  }
  bool acquire(PyObject* object, int flags) {
    held = PyObject_GetBuffer(object, &view, flags) == 0;
    if (!held) PyErr_Clear();
    return held;
  }
};

Tensor tensor_on(std::unique_ptr<BorrowedBuffer> buffer, DType dtype, const Dims& shape, const Dims& strides,
                 char* data, size_t bytes) {
  Tensor tensor = empty({{0}}, dtype);
  tensor->storage = Storage::wrap(
      data, bytes, [](void* context) { delete static_cast<BorrowedBuffer*>(context); }, buffer.release());
  set_geometry(tensor, shape, strides, data);
  return tensor;
}

std::string dtype_text(PyObject* array) {
  Object dtype = Object::steal(PyObject_GetAttrString(array, "dtype"));
  Object type = dtype ? Object::steal(PyObject_GetAttrString(dtype.get(), "type")) : Object();
  PyErr_Clear();
  return type && PyType_Check(type.get()) ? reinterpret_cast<PyTypeObject*>(type.get())->tp_name
                                          : Py_TYPE(array)->tp_name;
}

PyTypeObject* array_type() {
  static PyTypeObject* type = nullptr;
  if (!type) {
    Object name = checked(PyUnicode_FromString("numpy"));
    Object numpy = Object::steal(PyImport_GetModule(name.get()));
    if (!numpy) {
      PyErr_Clear();
      return nullptr;
    }
    type = reinterpret_cast<PyTypeObject*>(PyObject_GetAttrString(numpy.get(), "ndarray"));
    PyErr_Clear();  // NumPy is being imported
  }
  return type;
}

Tensor from_numpy(PyObject* array) {
  TG_CHECK_TYPE(is_array(array), "expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")");
  return share_array(array, true);
}

PyObject* to_numpy(const Tensor& self, bool force) {
  TG_CHECK(force || !autograd::requires_grad(self),
           "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
  Object shown = checked(wrap(autograd::requires_grad(self) ? autograd::detach(self) : self));
  Object memory = checked(PyMemoryView_FromObject(shown.get()));
  return as_array(memory.get()).release();
}

/// The array of numpy.asarray(tensor, dtype): shares memory where it can, and copies where `copy` asks for
/// it.
PyObject* array_protocol(const Tensor& self, PyObject* dtype, PyObject* copy) {
  Object array = checked(to_numpy(self, false));
  if (dtype != Py_None) {
    Object arguments = checked(PyTuple_Pack(1, dtype));
    Object keywords = checked(Py_BuildValue("{s:O}", "copy", copy == Py_True ? Py_True : Py_False));
    Object convert = checked(PyObject_GetAttrString(array.get(), "astype"));
    return PyObject_Call(convert.get(), arguments.get(), keywords.get());
  }
  return copy == Py_True ? PyObject_CallMethod(array.get(), "copy", nullptr) : array.release();
}

Tensor from_buffer(PyObject* object, DType dtype, int64_t count, int64_t offset) {
  auto buffer = std::make_unique<BorrowedBuffer>();
  bool writable = buffer->acquire(object, PyBUF_WRITABLE);
  TG_CHECK_TYPE(writable || buffer->acquire(object, PyBUF_SIMPLE), "a bytes-like object is required, not '",
                Py_TYPE(object)->tp_name, "'");
  if (!writable)
    warn(
        "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you "
        "can write to the "
        "underlying (supposedly non-writable) buffer using the tensor.");
  const int64_t size = item_size(dtype), length = buffer->view.len;
  TG_CHECK_VALUE(length > 0 && count != 0, "both buffer length (", length, ") and count (", count,
                 ") must not be 0");
  TG_CHECK_VALUE(offset >= 0 && offset < length, "offset (", offset,
                 " bytes) must be non-negative and no greater than buffer length (", length,
                 " bytes) minus 1");
  TG_CHECK_VALUE(count > 0 || (length - offset) % size == 0, "buffer length (", length - offset,
                 " bytes) after offset (", offset, " bytes) must be a multiple of element size (", size, ")");
  const int64_t available = (length - offset) / size, elements = count < 0 ? available : count;
  TG_CHECK_VALUE(elements <= available, "requested buffer length (", elements, " * ", size,
                 " bytes) after offset (", offset, " bytes) must not be greater than actual buffer length (",
                 length, " bytes)");
  char* data = static_cast<char*>(buffer->view.buf) + offset;
  return tensor_on(std::move(buffer), dtype, Dims{elements}, Dims{1}, data,
                   static_cast<size_t>(elements * size));
}

/// What a memoryview of a tensor holds: the memory itself, because the tensor may be given another one.
struct ExportedBuffer {
  Ref<Storage> storage;
  Dims shape;
  Dims byte_strides;
};

}  // namespace

bool is_array(PyObject* object) {
  PyTypeObject* type = array_type();
  return type && PyObject_TypeCheck(object, type);
}

std::optional<DType> buffer_dtype(PyObject* object) {
  BorrowedBuffer buffer;
  if (!buffer.acquire(object, PyBUF_STRIDES | PyBUF_FORMAT)) return std::nullopt;
  return dtype_of_format(buffer.view.format, buffer.view.itemsize);
}

namespace {

/// The array's own strides where a dimension of size 1 makes them irrelevant: a buffer has made-up ones
/// there, but PyTorch shows these.
void read_unused_strides(PyObject* array, IntSpan shape, Py_ssize_t item_size, Dims& strides) {
  if (std::none_of(shape.begin(), shape.end(), [](int64_t size) { return size == 1; })) return;
  const Object own = Object::steal(PyObject_GetAttrString(array, "strides"));
  if (!own || !PyTuple_Check(own.get()) || PyTuple_GET_SIZE(own.get()) != strides.size())
    return PyErr_Clear();
  for (int i = 0; i < strides.size(); ++i)
    strides[i] = std::max<int64_t>(get_integer(PyTuple_GET_ITEM(own.get(), i)) / item_size, 0);
}

}  // namespace

Tensor share_array(PyObject* array, bool writable) {
  auto buffer = std::make_unique<BorrowedBuffer>();
  constexpr int flags = PyBUF_STRIDES | PyBUF_FORMAT;
  if (!buffer->acquire(array, flags | (writable ? PyBUF_WRITABLE : 0))) {
    TG_CHECK_TYPE(buffer->acquire(array, flags), "can't convert np.ndarray of type ", dtype_text(array), ". ",
                  kSupported);
    if (writable)
      warn(
          "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This "
          "means writing to this "
          "tensor will result in undefined behavior. Copy the array first: torch.from_numpy(array.copy()).");
  }
  const Py_buffer& view = buffer->view;
  TG_CHECK_VALUE(!has_foreign_byte_order(view),
                 "given numpy array has byte order different from the native byte order. Conversion between "
                 "byte orders is "
                 "currently not supported.");
  const std::optional<DType> dtype = dtype_of_format(view.format, view.itemsize);
  TG_CHECK_TYPE(dtype, "can't convert np.ndarray of type ", dtype_text(array), ". ", kSupported);
  Dims shape(view.ndim), strides(view.ndim);
  int64_t extent = 1;
  for (int i = 0; i < view.ndim; ++i) {
    shape[i] = view.shape[i];
    TG_CHECK_VALUE(
        view.strides[i] >= 0,
        "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
        "currently "
        "supported. (You can probably work around this by making a copy of your array  with array.copy().) ");
    TG_CHECK_VALUE(view.strides[i] % view.itemsize == 0,
                   "given numpy array strides not a multiple of the element byte size. Copy the numpy array "
                   "to reallocate the memory.");
    strides[i] = view.strides[i] / view.itemsize;
    extent += (shape[i] - 1) * strides[i];
  }
  if (count_elements(shape) == 0) {
    extent = 0;
    strides = contiguous_strides(shape);
  } else {
    read_unused_strides(array, shape, view.itemsize, strides);
  }
  char* data = static_cast<char*>(view.buf);
  const auto bytes = static_cast<size_t>(extent * view.itemsize);
  return tensor_on(std::move(buffer), *dtype, shape, strides, data, bytes);
}

Object as_array(PyObject* object) {
  static PyObject* asarray = nullptr;
  if (!asarray)
    asarray =
        checked(PyObject_GetAttrString(checked(PyImport_ImportModule("numpy")).get(), "asarray")).release();
  return checked(PyObject_CallOneArg(asarray, object));
}

int get_tensor_buffer(PyObject* self, Py_buffer* view, int flags) {
  return guarded([&]() -> int {
    view->obj = nullptr;
    const Tensor& tensor = get_tensor(self);
    const bool row_major = tensor.is_contiguous();
    const char* problem = nullptr;
    if (has_own_handler(self))
      problem = "the class of the tensor decides with __torch_function__ what its values are";
    else if (autograd::requires_grad(tensor))
      problem = "a Tensor that requires grad has no buffer. Use tensor.detach() instead.";
    else if (!row_major &&
             ((flags & PyBUF_STRIDES) != PyBUF_STRIDES || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS))
      problem = "the tensor is not contiguous";
    else if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && tensor.dim() > 1)
      problem = "the tensor is not Fortran-contiguous";
    if (problem) {
      PyErr_SetString(PyExc_BufferError, problem);
      throw PythonError{};
    }
    auto* exported = new ExportedBuffer{tensor->storage, tensor.shape(), tensor.strides()};
    for (int64_t& stride : exported->byte_strides) stride *= tensor.item_size();
    view->obj = Py_NewRef(self);
    view->buf = tensor.raw();
    view->len = tensor.bytes();
    view->readonly = 0;
    view->itemsize = tensor.item_size();
    view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format_of(tensor.dtype())) : nullptr;
    view->ndim = tensor.dim();
    static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
    view->shape = flags & PyBUF_ND ? reinterpret_cast<Py_ssize_t*>(exported->shape.data()) : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES
                        ? reinterpret_cast<Py_ssize_t*>(exported->byte_strides.data())
                        : nullptr;
    view->suboffsets = nullptr;
    view->internal = exported;
    return 0;
  });
}

void release_tensor_buffer(PyObject*, Py_buffer* view) {
  delete static_cast<ExportedBuffer*>(view->internal);
}

void define_numpy_ops() {
  def_op("from_numpy(any ndarray)", from_numpy, As::function,
         "A tensor on the memory of an array: writes to one are seen by the other.");
  def_op("frombuffer(any buffer, *, dtype dtype, int count=-1, int offset=0, bool requires_grad=False)",
         from_buffer, As::function,
         "A 1-dimensional tensor on the memory of an object with the buffer protocol.");
  def_op("numpy(Tensor self, *, bool force=False)", to_numpy, As::method,
         "An array on the memory of this tensor.");
  def_op("__array__(Tensor self, any dtype=None, any copy=None)", array_protocol, As::method);
}

}  // namespace tapegrad::python
