// New tensors from Python: factories, and tensors from nested sequences.
#include "bindings/arg_parser.h"
#include "ops/copy.h"
#include "ops/create.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

#define TG_FACTORY_OPTIONS                                                                           \
  "any out=None, dtype? dtype=None, any layout=None, any device=None, bool? pin_memory=None, bool? " \
  "requires_grad=None, any memory_format=None, any names=None"

/// The result of a factory: written into out= when that is given.
Tensor place(Tensor tensor, PyObject* out) {
  if (out == Py_None) return tensor;
  TG_CHECK_TYPE(is_tensor(out), "out= expects a Tensor, not ", Py_TYPE(out)->tp_name);
  const Tensor& target = get_tensor(out);
  if (!(target.shape() == tensor.shape())) resize_output(target, tensor.shape());
  copy_values(target, tensor);
  target.bump_version();
  return target;
}

DType type_of_value(Scalar value) {
  return value.is_floating() ? default_dtype() : value.is_boolean() ? DType::bool_ : DType::int64;
}

/// An end of a range, which may be a 0-dim tensor.
Scalar bound(const char* op, const char* name, const Operand& operand) {
  if (!operand.is_tensor()) return operand.scalar();
  TG_CHECK(operand.tensor().dim() == 0, op, " only supports 0-dimensional start and end tensors, but got ",
           name, " with ", operand.tensor().dim(), " dimension(s).");
  return number_of(operand.tensor());
}

DType arange_type(std::optional<DType> dtype, Scalar start, Scalar end, Scalar step) {
  if (dtype) return *dtype;
  return start.is_floating() || end.is_floating() || step.is_floating() ? default_dtype() : DType::int64;
}

}  // namespace

void define_create_ops() {
  def_op("zeros(int[*] size, *, " TG_FACTORY_OPTIONS ")",
         [](IntSpan size, PyObject* out, std::optional<DType> dtype) {
           for (int64_t length : size) TG_CHECK(length >= 0, "zeros: Dimension size must be non-negative.");
           return place(zeros(size, dtype.value_or(default_dtype())), out);
         });
  def_op("ones(int[*] size, *, " TG_FACTORY_OPTIONS ")",
         [](IntSpan size, PyObject* out, std::optional<DType> dtype) {
           return place(ones(size, dtype.value_or(default_dtype())), out);
         });
  def_op("empty(int[*] size, *, " TG_FACTORY_OPTIONS ")",
         [](IntSpan size, PyObject* out, std::optional<DType> dtype) {
           check_shape(size, dtype.value_or(default_dtype()));
           return place(empty(size, dtype.value_or(default_dtype())), out);
         });
  def_op("full(int[] size, Scalar fill_value, *, " TG_FACTORY_OPTIONS ")",
         [](IntSpan size, Scalar value, PyObject* out, std::optional<DType> dtype) {
           return place(full(size, value, dtype.value_or(type_of_value(value))), out);
         });
  def_op("eye(int n, int? m=None, *, " TG_FACTORY_OPTIONS ")",
         [](int64_t n, std::optional<int64_t> m, PyObject* out, std::optional<DType> dtype) {
           return place(eye(n, m.value_or(n), dtype.value_or(default_dtype())), out);
         });
  def_op("arange(Scalar end, *, " TG_FACTORY_OPTIONS ")",
         [](Scalar end, PyObject* out, std::optional<DType> dtype) {
           return place(arange(0, end, 1, arange_type(dtype, 0, end, 1)), out);
         });
  def_op("arange(Scalar start, Scalar end, Scalar step=1, *, " TG_FACTORY_OPTIONS ")",
         [](Scalar start, Scalar end, Scalar step, PyObject* out, std::optional<DType> dtype) {
           return place(arange(start, end, step, arange_type(dtype, start, end, step)), out);
         });
  def_op(
      "linspace(Operand start, Operand end, int steps, *, " TG_FACTORY_OPTIONS ")",
      [](const Operand& start, const Operand& end, int64_t steps, PyObject* out, std::optional<DType> dtype) {
        return place(linspace(bound("linspace", "start", start), bound("linspace", "end", end), steps,
                              dtype.value_or(default_dtype())),
                     out);
      });
  def_op("logspace(Operand start, Operand end, int steps, float base=10.0, *, " TG_FACTORY_OPTIONS ")",
         [](const Operand& start, const Operand& end, int64_t steps, double base, PyObject* out,
            std::optional<DType> dtype) {
           return place(logspace(bound("logspace", "start", start), bound("logspace", "end", end), steps,
                                 base, dtype.value_or(default_dtype())),
                        out);
         });
#define TG_LIKE_OPTIONS                                                                                    \
  "dtype? dtype=None, any layout=None, any device=None, bool? pin_memory=None, bool requires_grad=False, " \
  "any memory_format=None"
  def_op(
      "zeros_like(Tensor input, *, " TG_LIKE_OPTIONS ")",
      [](const Tensor& like, std::optional<DType> dtype) {
        return dtype && *dtype != like.dtype() ? zeros(like.shape(), *dtype) : zeros_like(like);
      },
      As::function);
  def_op(
      "ones_like(Tensor input, *, " TG_LIKE_OPTIONS ")",
      [](const Tensor& like, std::optional<DType> dtype) {
        return dtype && *dtype != like.dtype() ? ones(like.shape(), *dtype) : ones_like(like);
      },
      As::function);
  def_op(
      "empty_like(Tensor input, *, " TG_LIKE_OPTIONS ")",
      [](const Tensor& like, std::optional<DType> dtype) {
        return empty_like_layout(like, dtype.value_or(like.dtype()));
      },
      As::function);
  def_op(
      "full_like(Tensor input, Scalar fill_value, *, " TG_LIKE_OPTIONS ")",
      [](const Tensor& like, Scalar value, std::optional<DType> dtype) {
        Tensor tensor = empty_like_layout(like, dtype.value_or(like.dtype()));
        fill_values(tensor, value);
        return tensor;
      },
      As::function);
#define TG_NEW_OPTIONS \
  "dtype? dtype=None, any layout=None, any device=None, bool? pin_memory=None, bool requires_grad=False"
  def_op(
      "new_zeros(Tensor self, int[*] size, *, " TG_NEW_OPTIONS ")",
      [](const Tensor& like, IntSpan size, std::optional<DType> dtype) {
        return zeros(size, dtype.value_or(like.dtype()));
      },
      As::method);
  def_op(
      "new_ones(Tensor self, int[*] size, *, " TG_NEW_OPTIONS ")",
      [](const Tensor& like, IntSpan size, std::optional<DType> dtype) {
        return ones(size, dtype.value_or(like.dtype()));
      },
      As::method);
  def_op(
      "new_empty(Tensor self, int[*] size, *, " TG_NEW_OPTIONS ")",
      [](const Tensor& like, IntSpan size, std::optional<DType> dtype) {
        check_shape(size, dtype.value_or(like.dtype()));
        return empty(size, dtype.value_or(like.dtype()));
      },
      As::method);
  def_op(
      "new_full(Tensor self, int[] size, Scalar fill_value, *, " TG_NEW_OPTIONS ")",
      [](const Tensor& like, IntSpan size, Scalar value, std::optional<DType> dtype) {
        return full(size, value, dtype.value_or(like.dtype()));
      },
      As::method);
}

}  // namespace tapegrad::python
