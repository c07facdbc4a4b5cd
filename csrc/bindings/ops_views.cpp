// Views, copies, joining and rearranging in Python.
#include "bindings/arg_parser.h"
#include "ops/copy_ops.h"
#include "ops/join.h"
#include "ops/rearrange.h"
#include "ops/views.h"

namespace tapegrad::python {

namespace {

using Tensors = std::vector<Tensor>;

void define_shapes() {
  def_op("as_strided(Tensor input, int[] size, int[] stride, int? storage_offset=None)",
         [](const Tensor& x, IntSpan size, IntSpan stride, std::optional<int64_t> offset) {
           return as_strided(x, size, stride, offset.value_or(x.storage_offset()));
         });
  def_op(
      "expand(Tensor input, int[*] size, *, bool implicit=False)",
      [](const Tensor& x, IntSpan size) { return expand(x, size); }, As::method);
  def_op("expand_as(Tensor input, Tensor other)", expand_as, As::method);
  def_op("broadcast_to(Tensor input, int[] size)", broadcast_to);
  def_op("view(Tensor input, dtype dtype)", view_dtype, As::method);
  def_op("view(Tensor input, int[*] size)", view, As::method);
  def_op("view_as(Tensor input, Tensor other)", view_as, As::method);
  def_op("reshape(Tensor input, int[*] shape)", reshape);
  def_op("reshape_as(Tensor input, Tensor other)", reshape_as, As::method);
  def_op("flatten(Tensor input, int start_dim=0, int end_dim=-1)", flatten);
  def_op("ravel(Tensor input)",
         [](const Tensor& x) { return x.dim() == 1 ? contiguous(x) : view(contiguous(x), {{-1}}); });
  def_op("unflatten(Tensor input, int dim, int[] sizes)", unflatten);

  def_op("transpose(Tensor input, int dim0, int dim1)", transpose);
  def_op("swapaxes(Tensor input, int axis0, int axis1)", transpose);
  def_op("swapdims(Tensor input, int dim0, int dim1)", transpose);
  def_op("permute(Tensor input, int[*] dims)", permute);
  for (const std::string name : {"movedim", "moveaxis"}) {
    def_op((name + "(Tensor input, int source, int destination)").c_str(),
           [](const Tensor& x, int64_t source, int64_t destination) {
             return movedim(x, {{source}}, {{destination}});
           });
    def_op((name + "(Tensor input, int[] source, int[] destination)").c_str(), movedim);
  }
  def_op("t(Tensor input)", t);
  def_op("adjoint(Tensor input)", adjoint);

  def_op("unsqueeze(Tensor input, int dim)", unsqueeze);
  def_op("squeeze(Tensor input)", [](const Tensor& x) { return squeeze(x); });
  def_op("squeeze(Tensor input, int dim)", [](const Tensor& x, int64_t dim) { return squeeze(x, dim); });
  def_op("squeeze(Tensor input, int[*] dim)", squeeze_dims);
  def_op("squeeze_(Tensor input)", [](const Tensor& x) { return squeeze_(x); }, As::method);
  def_op(
      "squeeze_(Tensor input, int dim)", [](const Tensor& x, int64_t dim) { return squeeze_(x, dim); },
      As::method);
  def_op("squeeze_(Tensor input, int[*] dim)", squeeze_dims_, As::method);
  def_op("unsqueeze_(Tensor input, int dim)", unsqueeze_, As::method);
  def_op("t_(Tensor input)", t_, As::method);
  def_op("transpose_(Tensor input, int dim0, int dim1)", transpose_, As::method);
  def_op("swapaxes_(Tensor input, int axis0, int axis1)", transpose_, As::method);
  def_op("swapdims_(Tensor input, int dim0, int dim1)", transpose_, As::method);
  def_op("resize_(Tensor input, int[*] size, *, any memory_format=None)", resize_, As::method);
  def_op(
      "resize_as_(Tensor input, Tensor the_template, *, any memory_format=None)",
      [](const Tensor& x, const Tensor& like) -> const Tensor& { return resize_(x, like.shape()); },
      As::method);
  def_op(
      "set_(Tensor input)", [](const Tensor& x) -> const Tensor& { return set_(x, empty({{0}}, x.dtype())); },
      As::method);
  def_op("set_(Tensor input, Tensor source)", set_, As::method);
}

void define_parts() {
  def_op("select(Tensor input, int dim, int index)", select);
  def_op("narrow(Tensor input, int dim, int start, int length)", narrow);
  def_op("narrow(Tensor input, int dim, Tensor start, int length)",
         [](const Tensor&, int64_t, const Tensor& start, int64_t) -> Tensor {
           fail(ErrorKind::runtime, "start must be an 0-dim integral Tensor, got one of type ",
                scalar_type_name(start.dtype()), " and shape ", to_string(start.shape()));
         });
  def_op("diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1)", diagonal);
  def_op("unfold(Tensor input, int dimension, int size, int step)", unfold, As::method);

  def_op("split(Tensor tensor, int split_size_or_sections, int dim=0)", split);
  def_op("split(Tensor tensor, int[] split_size_or_sections, int dim=0)", split_with_sizes);
  def_op("split(Tensor input, int split_size, int dim=0)", split);
  def_op("split(Tensor input, int[] split_size, int dim=0)", split_with_sizes);
  def_op("split_with_sizes(Tensor input, int[] split_sizes, int dim=0)", split_with_sizes);
  def_op("chunk(Tensor input, int chunks, int dim=0)", chunk);
  def_op("tensor_split(Tensor input, int sections, int dim=0)", tensor_split);
  def_op("tensor_split(Tensor input, int[] indices, int dim=0)", tensor_split_at);
  def_op("tensor_split(Tensor input, any indices_or_sections, int dim=0)",
         [](const Tensor& x, PyObject* sections, int64_t dim) {
           return is_integer(sections) ? tensor_split(x, get_integer(sections), dim)
                                       : tensor_split_at(x, get_integers(sections), dim);
         });
  def_op("unbind(Tensor input, int dim=0)", unbind);
  def_op("hsplit(Tensor input, int sections)", hsplit);
  def_op("hsplit(Tensor input, int[] indices)", hsplit_at);
  def_op("vsplit(Tensor input, int sections)", vsplit);
  def_op("vsplit(Tensor input, int[] indices)", vsplit_at);
  def_op("dsplit(Tensor input, int sections)", dsplit);
  def_op("dsplit(Tensor input, int[] indices)", dsplit_at);
}

void define_joins() {
  for (const char* name : {"cat", "concat", "concatenate"})
    def_op((std::string(name) + "(Tensor[] tensors, int dim=0, *, Tensor? out=None)").c_str(),
           [](const Tensors& tensors, int64_t dim) { return cat(tensors, dim); });
  def_op("stack(Tensor[] tensors, int dim=0, *, Tensor? out=None)",
         [](const Tensors& tensors, int64_t dim) { return stack(tensors, dim); });
  def_op("hstack(Tensor[] tensors, *, Tensor? out=None)", hstack);
  def_op("vstack(Tensor[] tensors, *, Tensor? out=None)", vstack);
  def_op("row_stack(Tensor[] tensors, *, Tensor? out=None)", vstack);
  def_op("dstack(Tensor[] tensors, *, Tensor? out=None)", dstack);
  def_op("column_stack(Tensor[] tensors, *, Tensor? out=None)", column_stack);
#define TG_ATLEAST(name)                                                                 \
  def_op(#name "(Tensor input)", [](const Tensor& x) { return name(x); }, As::function); \
  def_op(#name "(Tensor[*] tensors)", [](const Tensors& tensors) { return name(tensors); }, As::function);
  TG_ATLEAST(atleast_1d)
  TG_ATLEAST(atleast_2d)
  TG_ATLEAST(atleast_3d)
#undef TG_ATLEAST
  def_op("broadcast_tensors(Tensor[*] tensors)", broadcast_tensors);
  def_op("meshgrid(Tensor[*] tensors, *, str? indexing=None)",
         [](const Tensors& tensors, std::optional<std::string_view> indexing) {
           if (!indexing)
             warn(
                 "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument; "
                 "pass indexing=\"ij\" for what happens now.");
           return meshgrid(tensors, std::string(indexing.value_or("ij")));
         });
  def_op("cartesian_prod(Tensor[*] tensors)", cartesian_prod);
  def_op("block_diag(Tensor[*] tensors)", block_diag);
  def_op("combinations(Tensor input, int r=2, bool with_replacement=False)", combinations, As::function);
}

void define_arrangements() {
  def_op("flip(Tensor input, int[*] dims)", flip);
  def_op("fliplr(Tensor input)", fliplr);
  def_op("flipud(Tensor input)", flipud);
  def_op("roll(Tensor input, int[1] shifts, int[1] dims=())", roll);
  def_op("rot90(Tensor input, int k=1, int[] dims=(0, 1))", rot90);
  def_op("repeat(Tensor input, int[*] repeats)", repeat, As::method);
  def_op("tile(Tensor input, int[*] dims)", tile);
  def_op("repeat_interleave(Tensor input, int repeats, int? dim=None, *, int? output_size=None)",
         [](const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
           return repeat_interleave(x, repeats, dim);
         });
  def_op("repeat_interleave(Tensor input, Tensor repeats, int? dim=None, *, int? output_size=None)",
         [](const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim) {
           return repeat_interleave(x, repeats, dim);
         });
  def_op("repeat_interleave(Tensor repeats, *, int? output_size=None)",
         [](const Tensor& repeats) { return repeat_interleave(repeats); });
  def_op("slice_scatter(Tensor input, Tensor src, int dim=0, int? start=None, int? end=None, int step=1)",
         slice_scatter);
  def_op("select_scatter(Tensor input, Tensor src, int dim, int index)", select_scatter);
  def_op("diagonal_scatter(Tensor input, Tensor src, int offset=0, int dim1=0, int dim2=1)",
         diagonal_scatter);

  def_op("tril(Tensor input, int diagonal=0, *, Tensor? out=None)", tril);
  def_op("triu(Tensor input, int diagonal=0, *, Tensor? out=None)", triu);
  def_op("tril_(Tensor input, int diagonal=0)", tril_, As::method);
  def_op("triu_(Tensor input, int diagonal=0)", triu_, As::method);
#define TG_FACTORY_OPTIONS "any dtype=None, any device=None, any layout=None"
  def_op("tril_indices(int row, int col, int offset=0, *, " TG_FACTORY_OPTIONS ")", tril_indices);
  def_op("triu_indices(int row, int col, int offset=0, *, " TG_FACTORY_OPTIONS ")", triu_indices);
#undef TG_FACTORY_OPTIONS
  def_op("diag(Tensor input, int diagonal=0, *, Tensor? out=None)", diag);
  def_op("diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1)", diag_embed);
  def_op("diagflat(Tensor input, int offset=0)", diagflat);
  def_op("fill_diagonal_(Tensor input, Scalar fill_value, bool wrap=False)", fill_diagonal_, As::method);
}

}  // namespace

void define_view_ops() {
  define_shapes();
  define_parts();
  define_joins();
  define_arrangements();
}

}  // namespace tapegrad::python
