// Matrix products in Python.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

Tensor call_tensordot(const Tensor& a, const Tensor& b, PyObject* dims) {
  if (is_integer(dims)) {
    const int64_t count = get_integer(dims);
    TG_CHECK(count >= 0, "tensordot expects dims >= 0, but got dims=", count);
    TG_CHECK(count <= std::min(a.dim(), b.dim()),
             "tensordot expects dims < ndim_a or ndim_b, but got dims=", count);
    Dims dims_a(static_cast<int>(count)), dims_b(static_cast<int>(count));
    for (int i = 0; i < count; ++i) {
      dims_a[i] = i - count;
      dims_b[i] = i;
    }
    return tensordot(a, b, dims_a, dims_b);
  }
  TG_CHECK((PyTuple_Check(dims) || PyList_Check(dims)) && PySequence_Fast_GET_SIZE(dims) == 2,
           "tensordot expects dims to be int or two sequences of ints");
  return tensordot(a, b, get_integers(PySequence_Fast_GET_ITEM(dims, 0)),
                   get_integers(PySequence_Fast_GET_ITEM(dims, 1)));
}

using Sum = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, Scalar, Scalar);

/// beta * input + alpha * product, and its in-place form.
template <Sum function>
void define_sum(const std::string& name, const std::string& first, const std::string& second) {
  const std::string head =
      "(Tensor input, Tensor " + first + ", Tensor " + second + ", *, Scalar beta=1, Scalar alpha=1";
  def_op((name + head + ", Tensor? out=None)").c_str(), function);
  def_op((name + "_" + head + ")").c_str(),
         [](const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
           return copy_(input, function(input, a, b, beta, alpha));
         },
         As::method);
}

/// The letters of a list of subscripts; their order is that of the numbers.
std::string letters_of(PyObject* sublist) {
  TG_CHECK_TYPE(PyList_Check(sublist) || PyTuple_Check(sublist),
                "einsum(): expected a list of subscripts after each operand, got ",
                Py_TYPE(sublist)->tp_name);
  std::string letters;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sublist); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(sublist, i);
    if (item == Py_Ellipsis) {
      letters += "...";
      continue;
    }
    TG_CHECK_VALUE(is_integer(item), "einsum(): subscript in subscript list must be an int or Ellipsis, got ",
                   Py_TYPE(item)->tp_name);
    const int64_t label = get_integer(item);
    TG_CHECK_VALUE(label >= 0 && label < 52,
                   "einsum(): subscript in subscript list is not within the valid range [0, 52)");
    letters += static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26);
  }
  return letters;
}

/// einsum(operand, subscripts, operand, subscripts, ..., subscripts of the result).
Tensor einsum_of_sublists(PyObject* arguments) {
  const Py_ssize_t count = PyTuple_Check(arguments) ? PyTuple_GET_SIZE(arguments) : 0;
  TG_CHECK_VALUE(
      count >= 2,
      "einsum(): must specify the equation string and at least one operand, or at least one operand "
      "and its subscripts list");
  const auto tensor_at = [&](Py_ssize_t i, Py_ssize_t number) {
    PyObject* item = PyTuple_GET_ITEM(arguments, i);
    TG_CHECK_TYPE(is_tensor(item), "expected Tensor as element ", number, " in argument 1, but got ",
                  Py_TYPE(item)->tp_name);
    return get_tensor(item);
  };
  if (PyUnicode_Check(PyTuple_GET_ITEM(arguments, 0)))  // the other overload did not take its operands
    for (Py_ssize_t i = 1; i < count; ++i) tensor_at(i, i - 1);
  std::string equation;
  std::vector<Tensor> operands;
  for (Py_ssize_t i = 0; i + 1 < count; i += 2) {
    operands.push_back(tensor_at(i, i / 2));
    equation += (i ? "," : "") + letters_of(PyTuple_GET_ITEM(arguments, i + 1));
  }
  if (count % 2) equation += "->" + letters_of(PyTuple_GET_ITEM(arguments, count - 1));
  return einsum(equation, operands);
}

}  // namespace

void define_matmul_ops() {
  def_op("matmul(Tensor input, Tensor other, *, Tensor? out=None)", matmul);
  def_op("mm(Tensor input, Tensor mat2, *, Tensor? out=None)", mm);
  def_op("bmm(Tensor input, Tensor mat2, *, Tensor? out=None)", bmm);
  def_op("mv(Tensor input, Tensor vec, *, Tensor? out=None)", mv);
  def_op("dot(Tensor input, Tensor tensor, *, Tensor? out=None)", dot);
  def_op("vdot(Tensor input, Tensor other, *, Tensor? out=None)", dot);
  def_op("outer(Tensor input, Tensor vec2, *, Tensor? out=None)", outer);
  def_op("ger(Tensor input, Tensor vec2, *, Tensor? out=None)", outer);
  def_op("inner(Tensor input, Tensor other, *, Tensor? out=None)", inner);
  def_op("linear(Tensor input, Tensor weight, Tensor? bias=None)", linear, As::function);
  def_op("bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None)", bilinear, As::function);
  define_sum<addmm>("addmm", "mat1", "mat2");
  define_sum<baddbmm>("baddbmm", "batch1", "batch2");
  define_sum<addbmm>("addbmm", "batch1", "batch2");
  define_sum<addmv>("addmv", "mat", "vec");
  define_sum<addr>("addr", "vec1", "vec2");
  def_op("einsum(str equation, Tensor[*] operands)", einsum, As::function);
  def_op("einsum(any[*] operands_and_sublists=None)", einsum_of_sublists, As::function);
  def_op("tensordot(Tensor a, Tensor b, any dims=2)", call_tensordot, As::function);
  def_op("kron(Tensor input, Tensor other, *, Tensor? out=None)", kron);
  def_op("trace(Tensor input)", trace);
  def_op("cross(Tensor input, Tensor other, int dim=-1, *, Tensor? out=None)", cross);
}

}  // namespace tapegrad::python
