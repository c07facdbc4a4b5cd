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
  Object pair =
      checked(PySequence_Fast(dims, "tensordot expects dims to be an int or two sequences of ints"));
  TG_CHECK(PySequence_Fast_GET_SIZE(pair.get()) == 2,
           "tensordot expects dims to be an int or two sequences of ints");
  return tensordot(a, b, get_integers(PySequence_Fast_GET_ITEM(pair.get(), 0)),
                   get_integers(PySequence_Fast_GET_ITEM(pair.get(), 1)));
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
  def_op("tensordot(Tensor a, Tensor b, any dims=2)", call_tensordot, As::function);
  def_op("kron(Tensor input, Tensor other, *, Tensor? out=None)", kron);
  def_op("trace(Tensor input)", trace);
  def_op("cross(Tensor input, Tensor other, int dim=-1, *, Tensor? out=None)", cross);
}

}  // namespace tapegrad::python
