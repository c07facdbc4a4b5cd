// Losses and normalisation, as functions only. Most argument lists of torch.nn.functional are in Python; the
// losses of class indices, which nearly every training step calls once, have theirs here.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

/// `reduction`, unless the old arguments `size_average` and `reduce` stand for another one.
std::string chosen_reduction(PyObject* size_average, PyObject* reduce, std::string_view reduction) {
  if (size_average == Py_None && reduce == Py_None) return std::string(reduction);
  const Object module = checked(PyImport_ImportModule("tapegrad._reduction"));
  const Object text =
      checked(PyObject_CallMethod(module.get(), "legacy_reduction", "OO", size_average, reduce));
  return std::string(Argument<std::string_view>::get(text.get()));
}

}  // namespace

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
      "nll_loss(Tensor input, Tensor target, Tensor? weight=None, any size_average=None, int "
      "ignore_index=-100, any reduce=None, str reduction=\"mean\")",
      [](const Tensor& input, const Tensor& target, const Tensor& weight, PyObject* size_average,
         int64_t ignore_index, PyObject* reduce, std::string_view reduction) {
        return nll_loss(input, target, weight, chosen_reduction(size_average, reduce, reduction),
                        ignore_index);
      },
      kFunction);
  def_op(
      "cross_entropy(Tensor input, Tensor target, Tensor? weight=None, any size_average=None, int "
      "ignore_index=-100, any reduce=None, str reduction=\"mean\", float label_smoothing=0.0)",
      [](const Tensor& input, const Tensor& target, const Tensor& weight, PyObject* size_average,
         int64_t ignore_index, PyObject* reduce, std::string_view reduction, double label_smoothing) {
        return cross_entropy(input, target, weight, chosen_reduction(size_average, reduce, reduction),
                             ignore_index, label_smoothing);
      },
      kFunction);

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
