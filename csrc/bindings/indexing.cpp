#include "bindings/indexing.h"

#include <algorithm>
#include <cstring>

#include "bindings/types.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/index.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

[[noreturn]] void fail_index_type() {
  fail(ErrorKind::index, "tensors used as indices must be long, int, byte or bool tensors");
}

[[noreturn]] void fail_key(PyObject* key) {
  fail(ErrorKind::index,
       "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
       "(got ",
       Py_TYPE(key)->tp_name, ")");
}

/// The type of a buffer's items; false for types that cannot be indices.
bool buffer_dtype(const Py_buffer& buffer, DType& dtype) {
  const char code = buffer.format ? buffer.format[std::strspn(buffer.format, "@=<|")] : 'B';
  if (code == '?') {
    dtype = DType::bool_;
    return true;
  }
  if (!std::strchr("bhilqnBHILQN", code)) return false;
  switch (buffer.itemsize) {
    case 1:
      dtype = std::strchr("B", code) ? DType::uint8 : DType::int8;
      return true;
    case 2:
      dtype = DType::int16;
      return true;
    case 4:
      dtype = DType::int32;
      return true;
    default:
      dtype = DType::int64;
      return true;
  }
}

/// Copies an array (anything with the buffer protocol) into a tensor.
Tensor tensor_from_buffer(PyObject* object) {
  Py_buffer buffer;
  checked(PyObject_GetBuffer(object, &buffer, PyBUF_FORMAT | PyBUF_STRIDES));
  struct Release {
    Py_buffer* buffer;
    ~Release() { PyBuffer_Release(buffer); }
  } release{&buffer};
  DType dtype;
  if (!buffer_dtype(buffer, dtype)) fail_index_type();
  Dims shape(buffer.ndim);
  for (int i = 0; i < buffer.ndim; ++i) shape[i] = buffer.shape[i];
  Tensor tensor = empty(shape, dtype);
  checked(PyBuffer_ToContiguous(tensor.raw(), &buffer, buffer.len, 'C'));
  // NumPy's small integers are plain indices here; only bool and uint8 are masks.
  return dtype == DType::int8 || dtype == DType::int16 ? cast_values(tensor, DType::int64) : tensor;
}

struct SequenceReader {
  Dims shape;
  std::vector<int64_t> values;
  bool all_bool = true;

  void read(PyObject* object, int depth) {
    if (PyList_Check(object) || PyTuple_Check(object) || PyRange_Check(object)) {
      const Object items = checked(PySequence_Fast(object, ""));
      const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.get());
      if (depth == shape.size()) {
        TG_CHECK_VALUE(values.empty(), "expected sequence of equal length at dim ", depth);
        shape.push_back(count);
      }
      TG_CHECK_VALUE(shape[depth] == count, "expected sequence of length ", shape[depth], " at dim ", depth,
                     " (got ", count, ")");
      for (Py_ssize_t i = 0; i < count; ++i) read(PySequence_Fast_GET_ITEM(items.get(), i), depth + 1);
      return;
    }
    TG_CHECK_VALUE(depth == shape.size(), "expected sequence of equal length at dim ", depth);
    TG_CHECK_TYPE(!PyUnicode_Check(object), "new(): invalid data type 'str'");
    if (!PyBool_Check(object) && !is_integer(object)) fail_index_type();
    all_bool = all_bool && PyBool_Check(object);
    values.push_back(get_integer(object));
  }
};

Tensor tensor_from_sequence(PyObject* object) {
  SequenceReader reader;
  reader.read(object, 0);
  const bool mask = reader.all_bool && !reader.values.empty();
  Tensor tensor = empty(reader.shape, mask ? DType::bool_ : DType::int64);
  for (size_t i = 0; i < reader.values.size(); ++i) {
    if (mask)
      tensor.data<bool>()[i] = reader.values[i] != 0;
    else
      tensor.data<int64_t>()[i] = reader.values[i];
  }
  return tensor;
}

/// Something with the buffer protocol, other than NumPy's numbers.
bool is_index_array(PyObject* object) {
  return PyObject_CheckBuffer(object) && !PyBytes_Check(object) && !is_tensor(object) && !is_number(object);
}

/// Lists that hold anything but numbers mean the tuple of their entries, as in old NumPy.
bool means_tuple(PyObject* key) {
  if (PyTuple_Check(key)) return true;
  if (!PyList_Check(key) || PyList_GET_SIZE(key) >= 32) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(key); ++i) {
    PyObject* item = PyList_GET_ITEM(key, i);
    if (is_tensor(item) || PySlice_Check(item) || item == Py_None || item == Py_Ellipsis ||
        (PySequence_Check(item) && !PyUnicode_Check(item)))
      return true;
  }
  return false;
}

/// Applies a key one entry at a time: views at once, tensors collected for index().
class KeyReader {
 public:
  explicit KeyReader(const Tensor& x) : part_(x), source_(x) {}

  void read(PyObject* const* items, Py_ssize_t count) {
    int64_t named = 0;
    for (Py_ssize_t i = 0; i < count; ++i) named += dims_of(items[i]);
    TG_CHECK_INDEX(named <= source_.dim(), "too many indices for tensor of dimension ", source_.dim());
    bool expanded = false;
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (items[i] == Py_Ellipsis) {
        // A second one stands for nothing.
        skip(expanded ? 0 : source_.dim() - named);
        expanded = true;
      } else {
        apply(items[i]);
      }
    }
  }

  const Tensor& part() const { return part_; }
  const std::vector<Tensor>& indices() const { return indices_; }
  bool has_indices() const { return has_indices_; }
  bool has_only_a_mask() const {
    const auto is_given = [](const Tensor& index) { return index.defined(); };
    const auto first = std::find_if(indices_.begin(), indices_.end(), is_given);
    return first != indices_.end() && first->dtype() == DType::bool_ &&
           std::none_of(first + 1, indices_.end(), is_given);
  }

 private:
  static int64_t dims_of(PyObject* item) {
    if (item == Py_None || item == Py_Ellipsis || PyBool_Check(item)) return 0;
    if (is_tensor(item)) {
      const Tensor& index = get_tensor(item);
      return index.dtype() == DType::bool_ || index.dtype() == DType::uint8 ? index.dim() : 1;
    }
    return 1;  // sequences and arrays are counted again when they are applied
  }

  void skip(int64_t count) {
    dim_ += static_cast<int>(count);
    source_dim_ += static_cast<int>(count);
    indices_.resize(indices_.size() + static_cast<size_t>(count));
  }

  void apply(PyObject* item) {
    if (PyBool_Check(item)) return apply_bool(item == Py_True);
    if (PyLong_Check(item)) return apply_integer(get_integer(item));
    if (PySlice_Check(item)) return apply_slice(item);
    if (item == Py_None) {
      part_ = unsqueeze(part_, dim_++);
      indices_.emplace_back();
      return;
    }
    if (is_tensor(item)) return apply_tensor(get_tensor(item));
    TG_CHECK_TYPE(!PyUnicode_Check(item), "new(): invalid data type 'str'");
    if (is_index_array(item)) return apply_tensor(tensor_from_buffer(item));
    if (PyList_Check(item) || PyTuple_Check(item) || PyRange_Check(item))
      return apply_tensor(tensor_from_sequence(item));
    if (is_number(item) && PyIndex_Check(item)) return apply_integer(get_integer(item));
    if (PySequence_Check(item)) {
      const Object list = checked(PySequence_List(item));
      return apply_tensor(tensor_from_sequence(list.get()));
    }
    fail_key(item);
  }

  void apply_integer(int64_t value) {
    TG_CHECK_INDEX(dim_ < part_.dim(), "too many indices for tensor of dimension ", source_.dim());
    const int64_t size = part_.shape()[dim_];
    TG_CHECK_INDEX(value >= -size && value < size, "index ", value, " is out of bounds for dimension ",
                   source_dim_, " with size ", size);
    part_ = select(part_, dim_, value);
    ++source_dim_;
  }

  void apply_slice(PyObject* item) {
    Py_ssize_t start, stop, step;
    checked(PySlice_Unpack(item, &start, &stop, &step));
    TG_CHECK_VALUE(step > 0, "step must be greater than zero; use flip() to reverse a dimension");
    TG_CHECK_INDEX(dim_ < part_.dim(), "slice() cannot be applied to a 0-dim tensor.");
    const int64_t size = part_.shape()[dim_];
    PySlice_AdjustIndices(size, &start, &stop, step);
    if (start != 0 || stop < size || step != 1)
      part_ = slice(part_, dim_, start, std::max(start, stop), step);
    skip(1);
  }

  void apply_bool(bool value) {
    part_ = unsqueeze(part_, dim_++);
    Tensor index = empty({{value ? 1 : 0}}, DType::int64);
    if (value) *index.data<int64_t>() = 0;
    add_index(std::move(index));
  }

  void apply_tensor(const Tensor& index) {
    const bool mask = index.dtype() == DType::bool_ || index.dtype() == DType::uint8;
    if (index.is_floating()) fail_index_type();
    if (index.dtype() == DType::uint8)
      warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.");
    if (index.dim() == 0) {
      const int64_t value = dispatch(index.dtype(), [&](auto tag) {
        return static_cast<int64_t>(*index.data<typename decltype(tag)::type>());
      });
      return mask ? apply_bool(value != 0) : apply_integer(value);
    }
    const int used = mask ? index.dim() : 1;
    TG_CHECK_INDEX(dim_ + used <= part_.dim(), "too many indices for tensor of dimension ", source_.dim());
    dim_ += used;
    source_dim_ += used;
    add_index(index);
  }

  void add_index(Tensor index) {
    indices_.push_back(std::move(index));
    has_indices_ = true;
  }

  Tensor part_;
  const Tensor& source_;
  std::vector<Tensor>
      indices_;  // one entry per dimension of part_ so far; a mask takes one for all of its dimensions
  bool has_indices_ = false;
  int dim_ = 0;         // the next dimension of part_
  int source_dim_ = 0;  // and of the whole tensor
};

void read_key(KeyReader& reader, PyObject* key) {
  if (means_tuple(key)) {
    if (PyList_Check(key))
      warn(
          "Using a non-tuple sequence for multidimensional indexing is deprecated; write x[tuple(seq)] "
          "instead of x[seq].");
    const Object items = checked(PySequence_Fast(key, ""));
    reader.read(PySequence_Fast_ITEMS(items.get()), PySequence_Fast_GET_SIZE(items.get()));
  } else {
    reader.read(&key, 1);
  }
}

void check_key_of_scalar(const Tensor& x, PyObject* key) {
  if (x.dim() > 0) [[likely]]
    return;
  TG_CHECK_INDEX(
      !PyLong_CheckExact(key),
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
      "to convert a 0-dim tensor to a number");
  TG_CHECK_INDEX(!PySlice_Check(key), "slice() cannot be applied to a 0-dim tensor.");
}

/// Without leading dimensions of size 1; broadcasting puts back those that are needed.
Tensor without_leading_ones(const Tensor& value) {
  int ones = 0;
  while (ones < value.dim() && value.shape()[ones] == 1) ++ones;
  return ones == 0 ? value : reshape(value, IntSpan(value.shape()).subspan(ones));
}

}  // namespace

Tensor get_item(const Tensor& x, PyObject* key) {
  check_key_of_scalar(x, key);
  if (PyLong_CheckExact(key)) {
    const int64_t index = get_integer(key), size = x.shape()[0];
    TG_CHECK_INDEX(index >= -size && index < size, "index ", index,
                   " is out of bounds for dimension 0 with size ", size);
    return select(x, 0, index);
  }
  KeyReader reader(x);
  read_key(reader, key);
  if (reader.has_indices()) return index(reader.part(), reader.indices());
  if (!reader.part().is_same(x)) return reader.part();
  return PySlice_Check(key) ? slice(x, 0, 0, x.shape()[0]) : alias(x);
}

void set_item(const Tensor& x, PyObject* key, PyObject* value) {
  check_key_of_scalar(x, key);
  if (key == Py_False) return;  // nothing is written, whatever the shape of the value
  const bool is_scalar = !is_tensor(value);
  TG_CHECK_TYPE(!is_scalar || is_number(value), "can't assign a ", Py_TYPE(value)->tp_name, " to a torch.",
                scalar_type_name(x.dtype()), "Tensor; convert it with torch.tensor first");
  KeyReader reader(x);
  read_key(reader, key);
  const Tensor& part = reader.part();
  if (!reader.has_indices() && is_scalar) {
    fill_(part, get_scalar(value));
  } else if (!reader.has_indices()) {
    Tensor values = get_tensor(value);
    if (values.dim() > part.dim()) values = without_leading_ones(values);
    copy_(part, values.shape() == part.shape() ? values : expand(values, part.shape()));
  } else {
    Tensor values = is_scalar ? full_values({}, get_scalar(value), x.dtype()) : get_tensor(value);
    if (values.numel() == 1 && reader.has_only_a_mask()) values = to(values, x.dtype());
    index_put_(part, reader.indices(), without_leading_ones(values));
  }
}

}  // namespace tapegrad::python
