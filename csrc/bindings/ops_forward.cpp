// Forward-mode differentiation: levels and dual tensors.
#include "autograd/forward.h"
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

void define_forward_ops() {
  def_op("_enter_dual_level()", autograd::enter_forward_level, As::function,
         "Opens the level on which tensors can have tangents.");
  def_op("_forward_level()", autograd::forward_level, As::function,
         "The number of the level that this thread has open; -1 when there is none.");
  def_op("_exit_dual_level(int level)", autograd::exit_forward_level, As::function,
         "Closes the level: no tensor has a tangent any more.");
  def_op(
      "_make_dual(Tensor tensor, Tensor tangent)",
      [](const Tensor& tensor, const Tensor& tangent) {
        TG_CHECK(tangent.shape() == tensor.shape(),
                 "Trying to set a forward gradient that has a different size than that of the original "
                 "Tensor, this is not supported. Tensor is of size ",
                 to_string(tensor.shape()), " while the given forward gradient is of size ",
                 to_string(tangent.shape()), ".");
        const autograd::NoForward off;
        const Tensor dual = expand(tensor, tensor.shape());
        autograd::make_dual(dual, to(tangent, tensor.dtype()));
        return dual;
      },
      As::function, "A view of `tensor` with `tangent`, of the same shape and dtype, beside it.");
  def_op(
      "_unpack_dual(Tensor tensor) -> (primal, tangent)",
      [](const Tensor& dual) -> std::tuple<Tensor, Tensor> {
        const Tensor tangent = autograd::tangent(dual);
        if (!tangent.defined()) return {dual, tangent};
        const autograd::NoForward off;
        return {expand(dual, dual.shape()), tangent};
      },
      As::function, "The value and the tangent (None where there is none) of a tensor.");
}

}  // namespace tapegrad::python
