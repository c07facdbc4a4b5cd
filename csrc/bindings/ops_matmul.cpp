// Matrix products in Python.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

Tensor call_tensordot(const Tensor& a, const Tensor& b, PyObject* dims) {
  if (is_integer(dims)) {
    const int64_t count = get_integer(dims);
    TG_CHECK(count >= 0, "tensordot expects dims >= 0, but got dims=", count);
    TG_CHECK(count <= std::min(a.dim(), b.dim()), "tensordot expects dims < ndim_a or ndim_b, but got dims=", count);
    Dims dims_a(static_cast<int>(count)), dims_b(static_cast<int>(count));
    for (int i = 0; i < count; ++i) {
      dims_a[i] = i - count;
      dims_b[i] = i;
    }
    return tensordot(a, b, dims_a, dims_b);
  }
  Object pair = checked(PySequence_Fast(dims, "tensordot expects dims to be an int or two sequences of ints"));
  TG_CHECK(PySequence_Fast_GET_SIZE(pair.get()) == 2, "tensordot expects dims to be an int or two sequences of ints");
  return tensordot(a, b, get_integers(PySequence_Fast_GET_ITEM(pair.get(), 0)), get_integers(PySequence_Fast_GET_ITEM(pair.get(), 1)));
}

}  // namespace

void define_matmul_ops() {
  def_op("matmul(Tensor input, Tensor other, *, Tensor? out=None)", matmul);
  def_op("__matmul__(Tensor input, Tensor other)", matmul, As::method);
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
  def_op("addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)", addmm);
  def_op("baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)", baddbmm);
  def_op("addbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)", addbmm);
  def_op("addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)", addmv);
  def_op("addr(Tensor input, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)", addr);
  def_op("einsum(str equation, Tensor[*] operands)", einsum, As::function);
  def_op("tensordot(Tensor a, Tensor b, any dims=2)", call_tensordot, As::function);
  def_op("kron(Tensor input, Tensor other, *, Tensor? out=None)", kron);
  def_op("trace(Tensor input)", trace);
  def_op("cross(Tensor input, Tensor other, int dim=-1, *, Tensor? out=None)", cross);
}

}  // namespace tapegrad::python
