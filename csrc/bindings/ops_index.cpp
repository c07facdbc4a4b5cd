// Picking, writing, masks and sorting in Python.
#include "bindings/arg_parser.h"
#include "ops/index.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

void define_rows() {
  def_op("index_select(Tensor input, int dim, Tensor index, *, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index) { return index_select(x, dim, index); });
  def_op("index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1, Tensor? out=None)",
         index_add);
  def_op("index_add_(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1)", index_add_,
         As::method);
  def_op("index_copy(Tensor input, int dim, Tensor index, Tensor source, *, Tensor? out=None)", index_copy);
  def_op("index_copy_(Tensor input, int dim, Tensor index, Tensor source)", index_copy_, As::method);
  def_op("index_fill(Tensor input, int dim, Tensor index, Tensor value)",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
           return index_fill(x, dim, index, value);
         });
  def_op("index_fill(Tensor input, int dim, Tensor index, Scalar value)",
         [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
           return index_fill(x, dim, index, value);
         });
  def_op(
      "index_fill_(Tensor input, int dim, Tensor index, Tensor value)",
      [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
        return index_fill_(x, dim, index, value);
      },
      As::method);
  def_op(
      "index_fill_(Tensor input, int dim, Tensor index, Scalar value)",
      [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
        return index_fill_(x, dim, index, value);
      },
      As::method);
  def_op("index_put(Tensor input, Tensor[] indices, Tensor values, bool accumulate=False)", index_put);
  def_op("index_put_(Tensor input, Tensor[] indices, Tensor values, bool accumulate=False)", index_put_);
  def_op("take(Tensor input, Tensor index, *, Tensor? out=None)", take);
  def_op("put(Tensor input, Tensor index, Tensor source, bool accumulate=False)", put);
  def_op("put_(Tensor input, Tensor index, Tensor source, bool accumulate=False)", put_, As::method);
  def_op("_embedding(Tensor weight, Tensor input, int padding_idx=-1, bool scale_grad_by_freq=False)",
         embedding, As::function);
  def_op("_embedding_renorm_(Tensor weight, Tensor input, float max_norm, float norm_type=2.0)",
         embedding_renorm_, As::function);
}

void define_scatter() {
  def_op("gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index, bool) { return gather(x, dim, index); });
  def_op("take_along_dim(Tensor input, Tensor indices, int? dim=None, *, Tensor? out=None)", take_along_dim);

  def_op("scatter(Tensor input, int dim, Tensor index, Tensor src)",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
           return scatter(x, dim, index, source);
         });
  def_op("scatter(Tensor input, int dim, Tensor index, Scalar value)",
         [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
           return scatter(x, dim, index, value);
         });
  def_op("scatter(Tensor input, int dim, Tensor index, Tensor src, *, str reduce)",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
            std::string_view reduce) { return scatter(x, dim, index, source, reduce); });
  def_op("scatter(Tensor input, int dim, Tensor index, Scalar value, *, str reduce)",
         [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value, std::string_view reduce) {
           return scatter(x, dim, index, value, reduce);
         });
  def_op(
      "scatter_(Tensor input, int dim, Tensor index, Tensor src)",
      [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
        return scatter_(x, dim, index, source);
      },
      As::method);
  def_op(
      "scatter_(Tensor input, int dim, Tensor index, Scalar value)",
      [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
        return scatter_(x, dim, index, value);
      },
      As::method);
  def_op(
      "scatter_(Tensor input, int dim, Tensor index, Tensor src, *, str reduce)",
      [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce) {
        return scatter_(x, dim, index, source, reduce);
      },
      As::method);
  def_op(
      "scatter_(Tensor input, int dim, Tensor index, Scalar value, *, str reduce)",
      [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value, std::string_view reduce) {
        return scatter_(x, dim, index, value, reduce);
      },
      As::method);
  def_op("scatter_add(Tensor input, int dim, Tensor index, Tensor src)", scatter_add);
  def_op("scatter_add_(Tensor input, int dim, Tensor index, Tensor src)", scatter_add_, As::method);
  def_op(
      "scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool "
      "include_self=True)",
      scatter_reduce);
  def_op(
      "scatter_reduce_(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool "
      "include_self=True)",
      scatter_reduce_, As::method);
}

void define_masks() {
  def_op(
      "masked_fill(Tensor input, Tensor mask, Tensor value)",
      [](const Tensor& x, const Tensor& mask, const Tensor& value) { return masked_fill(x, mask, value); });
  def_op("masked_fill(Tensor input, Tensor mask, Scalar value)",
         [](const Tensor& x, const Tensor& mask, Scalar value) { return masked_fill(x, mask, value); });
  def_op(
      "masked_fill_(Tensor input, Tensor mask, Tensor value)",
      [](const Tensor& x, const Tensor& mask, const Tensor& value) { return masked_fill_(x, mask, value); },
      As::method);
  def_op(
      "masked_fill_(Tensor input, Tensor mask, Scalar value)",
      [](const Tensor& x, const Tensor& mask, Scalar value) { return masked_fill_(x, mask, value); },
      As::method);
  def_op("masked_select(Tensor input, Tensor mask, *, Tensor? out=None)", masked_select);
  def_op("masked_scatter(Tensor input, Tensor mask, Tensor source)", masked_scatter);
  def_op("masked_scatter_(Tensor input, Tensor mask, Tensor source)", masked_scatter_, As::method);
  def_op("nonzero(Tensor input, *, bool as_tuple=False, Tensor? out=None)",
         [](const Tensor& x, bool as_tuple) {
           return as_tuple ? to_python(nonzero_tuple(x)) : to_python(nonzero(x));
         });
  def_op("argwhere(Tensor input)", argwhere);
  def_op("where(Tensor condition)", nonzero_tuple, As::function);
}

}  // namespace

void define_index_ops() {
  define_rows();
  define_scatter();
  define_masks();
}

}  // namespace tapegrad::python
