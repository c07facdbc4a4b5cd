// Losses and normalisation, as functions only: torch.nn.functional's argument lists are in Python.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

void define_loss_ops() {
  constexpr auto kFunction = As::function;
  def_op("mse_loss(Tensor input, Tensor target, str reduction=\"mean\")", mse_loss, kFunction);
  def_op("l1_loss(Tensor input, Tensor target, str reduction=\"mean\")", l1_loss, kFunction);
  def_op("smooth_l1_loss(Tensor input, Tensor target, str reduction=\"mean\", float beta=1.0)",
         smooth_l1_loss, kFunction);
  def_op("huber_loss(Tensor input, Tensor target, str reduction=\"mean\", float delta=1.0)", huber_loss,
         kFunction);
  def_op("binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, str reduction=\"mean\")",
         binary_cross_entropy, kFunction);
  def_op(
      "binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, Tensor? "
      "pos_weight=None, "
      "str reduction=\"mean\")",
      binary_cross_entropy_with_logits, kFunction);
  def_op("kl_div(Tensor input, Tensor target, str reduction=\"mean\", bool log_target=False)", kl_div,
         kFunction);
  def_op(
      "nll_loss(Tensor input, Tensor target, Tensor? weight=None, str reduction=\"mean\", int "
      "ignore_index=-100)",
      nll_loss, kFunction);
  def_op(
      "cross_entropy(Tensor input, Tensor target, Tensor? weight=None, str reduction=\"mean\", int "
      "ignore_index=-100, "
      "float label_smoothing=0.0)",
      cross_entropy, kFunction);

  def_op(
      "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float "
      "eps=1e-05)",
      layer_norm, kFunction);
  def_op("rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None)", rms_norm,
         kFunction);
  def_op(
      "batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight, Tensor? bias, "
      "bool training, "
      "float momentum, float eps)",
      batch_norm, kFunction);
  def_op("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05)",
         group_norm, kFunction);
  def_op(
      "instance_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight, Tensor? bias, "
      "bool use_input_stats, float momentum, float eps)",
      instance_norm, kFunction);
}

}  // namespace tapegrad::python
