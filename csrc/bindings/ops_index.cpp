// Picking, writing, masks and sorting in Python.
#include "bindings/arg_parser.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/sort.h"
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
  def_op(
      "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool "
      "sparse=False)",
      [](const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq, bool) {
        return embedding(weight, indices, padding_idx, scale_grad_by_freq);
      },
      As::function);
}

void define_scatter() {
  def_op("gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index, bool) { return gather(x, dim, index); });
  def_op("take_along_dim(Tensor input, Tensor indices, int? dim=None, *, Tensor? out=None)", take_along_dim);

  def_op("scatter(Tensor input, int dim, Tensor index, Tensor src, *, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
           return scatter(x, dim, index, source);
         });
  def_op("scatter(Tensor input, int dim, Tensor index, Scalar value, *, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
           return scatter(x, dim, index, value);
         });
  def_op("scatter(Tensor input, int dim, Tensor index, Tensor src, *, str reduce, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
            std::string_view reduce) { return scatter(x, dim, index, source, reduce); });
  def_op("scatter(Tensor input, int dim, Tensor index, Scalar value, *, str reduce, Tensor? out=None)",
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
  def_op("scatter_add(Tensor input, int dim, Tensor index, Tensor src, *, Tensor? out=None)", scatter_add);
  def_op("scatter_add_(Tensor input, int dim, Tensor index, Tensor src)", scatter_add_, As::method);
  def_op(
      "scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool "
      "include_self=True, Tensor? out=None)",
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

/// Values alone, or with what was asked for besides.
PyObject* unique_to_python(const UniqueResult& result, bool inverse, bool counts) {
  std::vector<Tensor> members = {result.values};
  if (inverse) members.push_back(result.inverse);
  if (counts) members.push_back(result.counts);
  return members.size() == 1 ? to_python(members[0]) : to_python(members);
}

/// A number as a 0-dim tensor of the default type of its kind.
Tensor as_tensor(PyObject* object) {
  if (is_tensor(object)) return get_tensor(object);
  const Scalar scalar = get_scalar(object);
  return full_values({}, scalar, scalar.dtype());
}

bool searches_right(bool right, std::optional<std::string_view> side) {
  TG_CHECK(!side || *side == "left" || *side == "right",
           "torch.searchsorted(): side can only be 'left' or 'right' but got ", *side);
  TG_CHECK(!side || !right || *side == "right",
           "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was "
           "True");
  return right || (side && *side == "right");
}

void define_sorting() {
  def_op(
      "sort(Tensor input, int dim=-1, bool descending=False, bool stable=False, *, any out=None) -> (values, "
      "indices)",
      [](const Tensor& x, int64_t dim, bool descending, bool) { return sort(x, dim, descending); });
  def_op(
      "sort(Tensor input, *, bool stable=False, int dim=-1, bool descending=False, any out=None) -> (values, "
      "indices)",
      [](const Tensor& x, bool, int64_t dim, bool descending) { return sort(x, dim, descending); });
  def_op("argsort(Tensor input, int dim=-1, bool descending=False, bool stable=False)",
         [](const Tensor& x, int64_t dim, bool descending, bool) { return argsort(x, dim, descending); });
  def_op("msort(Tensor input, *, Tensor? out=None)", [](const Tensor& x) { return std::get<0>(sort(x, 0)); });
  def_op(
      "topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True, *, any out=None) -> "
      "(values, indices)",
      topk);
  def_op(
      "kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False, *, any out=None) -> (values, indices)",
      kthvalue);
  def_op(
      "unique(Tensor input, bool sorted=True, bool return_inverse=False, bool return_counts=False, int? "
      "dim=None)",
      [](const Tensor& x, bool, bool inverse, bool counts, std::optional<int64_t> dim) {
        return unique_to_python(unique(x, dim), inverse, counts);
      });
  def_op(
      "unique_consecutive(Tensor input, bool return_inverse=False, bool return_counts=False, int? dim=None)",
      [](const Tensor& x, bool inverse, bool counts, std::optional<int64_t> dim) {
        return unique_to_python(unique_consecutive(x, dim), inverse, counts);
      });
  def_op(
      "searchsorted(Tensor sorted_sequence, any input, *, bool out_int32=False, bool right=False, str? "
      "side=None, "
      "Tensor? sorter=None, Tensor? out=None)",
      [](const Tensor& sequence, PyObject* values, bool int32, bool right,
         std::optional<std::string_view> side, const Tensor& sorter) {
        return searchsorted(sequence, as_tensor(values), searches_right(right, side), int32, sorter);
      },
      As::function);
  def_op(
      "bucketize(Operand input, Tensor boundaries, *, bool out_int32=False, bool right=False, Tensor? "
      "out=None)",
      [](const Operand& values, const Tensor& boundaries, bool int32, bool right) {
        const Tensor tensor =
            values.is_tensor() ? values.tensor() : full_values({}, values.scalar(), values.scalar().dtype());
        return bucketize(tensor, boundaries, right, int32);
      },
      As::function);
  def_op("bincount(Tensor input, Tensor? weights=None, int minlength=0)", bincount);
  def_op("histc(Tensor input, int bins=100, float min=0, float max=0, *, Tensor? out=None)", histc);
  def_op(
      "isin(any elements, any test_elements, *, bool assume_unique=False, bool invert=False)",
      [](PyObject* elements, PyObject* candidates, bool, bool invert) {
        return isin(as_tensor(elements), as_tensor(candidates), invert);
      },
      As::function);
}

}  // namespace

void define_index_ops() {
  define_rows();
  define_scatter();
  define_masks();
  define_sorting();
}

}  // namespace tapegrad::python
