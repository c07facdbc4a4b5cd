// In-place changes of a tensor's geometry.
#include "ops/copy.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

/// Gives `self` the geometry and the history of make(self), a view of all of it.
template <class Make>
const Tensor& become_view(const Tensor& self, Make make) {
  const bool tracked = autograd::any_tracked(autograd::TensorRefs{self});
  autograd::check_inplace(self, tracked);
  const Tensor view = make(self);
  // What was saved under the old geometry must not be used with the new one.
  self.bump_version();
  set_geometry(self, view.shape(), view.strides(), view.raw());
  if (autograd::modes.forward) autograd::make_dual(self, autograd::tangent(view));
  if (tracked && !self->base) {  // a view reads its history from its base again
    self->grad_fn = view->grad_fn;
    self->output_nr = view->output_nr;
  }
  return self;
}

}  // namespace

const Tensor& squeeze_(const Tensor& x) {
  return become_view(x, [](const Tensor& self) { return squeeze(self); });
}
const Tensor& squeeze_(const Tensor& x, int64_t dim) {
  return become_view(x, [dim](const Tensor& self) { return squeeze(self, dim); });
}
const Tensor& squeeze_dims_(const Tensor& x, IntSpan dims) {
  return become_view(x, [dims](const Tensor& self) { return squeeze_dims(self, dims); });
}
const Tensor& unsqueeze_(const Tensor& x, int64_t dim) {
  return become_view(x, [dim](const Tensor& self) { return unsqueeze(self, dim); });
}
const Tensor& t_(const Tensor& x) {
  return become_view(x, [](const Tensor& self) { return t(self); });
}
const Tensor& transpose_(const Tensor& x, int64_t dim0, int64_t dim1) {
  return become_view(x, [=](const Tensor& self) { return transpose(self, dim0, dim1); });
}

const Tensor& resize_(const Tensor& x, IntSpan shape) {
  TG_CHECK(!autograd::requires_grad(x), "cannot resize variables that require grad");
  check_shape(shape, x.dtype());
  const size_t offset = static_cast<size_t>(x.raw() - x->storage->data());
  const size_t needed = offset + static_cast<size_t>(count_elements(shape) * x.item_size());
  if (needed > x->storage->bytes()) {
    TG_CHECK(x->storage->owns_memory() && !x->base && x->storage->unique(),
             "Trying to resize storage that is not resizable: it is shared with other tensors or with "
             "another library. "
             "clone() the tensor first.");
    Ref<Storage> grown = Storage::create(needed);
    std::copy_n(x->storage->data(), x->storage->bytes(), grown->data());
    x->storage = std::move(grown);
  }
  set_geometry(x, shape, contiguous_strides(shape), x->storage->data() + offset);
  return x;
}

const Tensor& set_(const Tensor& x, const Tensor& source) {
  TG_CHECK(x.dtype() == source.dtype(), "Could not set tensor of type ", cpp_type_name(source.dtype()),
           " to a tensor of type ", cpp_type_name(x.dtype()));
  autograd::check_inplace(x, autograd::any_tracked(autograd::TensorRefs{x, source}));
  TG_CHECK(!autograd::any_tracked(autograd::TensorRefs{x, source}),
           "set_(): tensors that require grad cannot change their storage; assign to .data instead.");
  x->storage = source->storage;
  x->detached_version = source->detached_version;
  set_geometry(x, source.shape(), source.strides(), source.raw());
  return x;
}

}  // namespace tapegrad
