#include "autograd/forward.h"

#include <unordered_set>

#include "autograd/engine.h"
#include "autograd/view_window.h"

namespace tapegrad::autograd {

namespace {

thread_local int64_t open_level = -1;
// Those that hold a tangent now. Levels are few and short, so that leaving one may walk over all of them.
thread_local std::unordered_set<AutogradMeta*> holders;

}  // namespace

int64_t forward_level() { return open_level; }

int64_t enter_forward_level() {
  TG_CHECK(open_level < 0,
           "Nested forward mode AD is not supported at the moment. Leave the open dual_level() first, or "
           "differentiate the inner function in reverse mode.");
  modes.forward = true;
  return open_level = 0;
}

void exit_forward_level(int64_t level) {
  TG_CHECK(level == open_level,
           "Trying to exit a forward AD level that was not the last one that was created. This is not "
           "supported.");
  modes.forward = false;
  open_level = -1;
  std::unordered_set<AutogradMeta*> leaving;
  leaving.swap(holders);
  std::vector<Tensor> dropped;  // tangents may own further holders
  for (AutogradMeta* meta : leaving) {
    meta->holds_tangent = false;
    dropped.push_back(std::move(meta->tangent));
  }
}

void forget_tangent(AutogradMeta& meta) {
  if (!meta.holds_tangent) return;
  holders.erase(&meta);
  meta.holds_tangent = false;
}

namespace {

// A write to the base of a view, or to another view of it, leaves the view with the tangent of its part.
bool tangent_is_stale(const Tensor& tensor) {
  if (!tensor->base) return false;
  const AutogradMeta* meta = autograd_meta_or_null(tensor);
  return tensor.version() != (meta && meta->holds_tangent ? meta->tangent_version : tensor->view_version) &&
         is_dual(Tensor(tensor->base));
}

void store(const Tensor& tensor, const Tensor& tangent) {
  AutogradMeta& meta = autograd_meta(tensor);
  meta.tangent = tangent;
  meta.tangent_version = tensor.version();
  if (tangent.defined() && !meta.holds_tangent) {
    meta.holds_tangent = true;
    holders.insert(&meta);
  } else if (!tangent.defined()) {
    forget_tangent(meta);
  }
}

}  // namespace

bool is_dual(const Tensor& tensor) {
  const AutogradMeta* meta = autograd_meta_or_null(tensor);
  return (meta && meta->holds_tangent) || tangent_is_stale(tensor);
}

void check_out(std::string_view name, const Tensor& out, const Tensor& source) {
  if (modes.forward && (is_dual(source) || is_dual(out)))
    fail(ErrorKind::not_implemented, "Trying to use forward AD with ", name,
         "_out that does not support it because it is an out= function");
  TG_CHECK(!is_tracked(source) && !is_tracked(out), name,
           "(): functions with out=... arguments don't support automatic differentiation, but one of the "
           "arguments requires grad.");
}

Tensor tangent(const Tensor& tensor) {
  if (tangent_is_stale(tensor)) {
    const NoForward off;
    const Tensor base(tensor->base);
    const ViewWindow window(base, tensor);
    store(tensor, window.part(window.lay_out(tangent(base), tensor.dtype())));
  }
  const AutogradMeta* meta = autograd_meta_or_null(tensor);
  return meta && meta->holds_tangent ? meta->tangent : Tensor();
}

void make_dual(const Tensor& tensor, const Tensor& tangent) { store(tensor, tangent); }

void write_tangent(const Tensor& tensor, const Tensor& tangent) {
  if (tensor->base) {
    const Tensor base(tensor->base);
    if (tangent.defined() || is_dual(base)) {
      const ViewWindow window(base, tensor);
      const Tensor memory = window.lay_out(autograd::tangent(base), base.dtype());
      gradient_ops.copy_in_place(
          window.part(memory),
          tangent.defined() ? tangent : gradient_ops.zeros(tensor.shape(), tensor.dtype()));
      store(base, window.whole(memory));
    }
  }
  store(tensor, tangent);
}

void DualInputs::add(const Tensor& input) {
  tangents.push_back(input.defined() ? tangent(input) : Tensor());
  Tensor stand_in;
  if (tangents.back().defined()) {
    stand_in = detach(input);
    stand_in->requires_grad = true;
    any_ = true;
  }
  stand_ins.push_back(stand_in);
}

std::vector<Tensor> tangents_of_results(std::span<const Tensor> outputs, Node& probe, Node* recorded,
                                        const DualInputs& inputs) {
  const NoForward off;
  bool tracked = modes.grad && recorded;
  for (const Tensor& tangent : inputs.tangents) tracked |= tangent.defined() && is_tracked(tangent);
  probe.extras().outputs_of = recorded;

  std::vector<Tensor> gradients, results(probe.edges().size());
  std::vector<Edge> roots, wanted;
  std::vector<Tensor> root_gradients;
  {
    const GradModeGuard on(true);
    const Node::WantedScope all(nullptr);
    for (const Tensor& output : outputs) {
      probe.add_output(output);
      Tensor gradient;
      if (is_floating(output.dtype())) {
        gradient = gradient_ops.zeros(output.shape(), output.dtype());
        gradient->requires_grad = true;
        wanted.push_back(gradient_edge(gradient));
      }
      gradients.push_back(gradient);
    }
    std::vector<Tensor> arriving = gradients;
    probe.apply(arriving, results);
    for (size_t i = 0; i < results.size(); ++i) {
      const Tensor& tangent = inputs.tangents[i];
      if (!results[i].defined() || !tangent.defined()) continue;
      fit_gradient(probe, static_cast<int>(i), probe.edges()[i], results[i]);
      if (!requires_grad(results[i])) continue;
      roots.push_back(gradient_edge(results[i]));
      root_gradients.push_back(tangent);
    }
  }
  std::vector<Tensor> found(wanted.size());
  if (!roots.empty()) found = run_backward(roots, root_gradients, false, tracked, wanted, false);
  std::vector<Tensor> tangents(outputs.size());
  for (size_t i = 0, next = 0; i < outputs.size(); ++i) {
    if (!gradients[i].defined()) continue;
    tangents[i] = std::move(found[next++]);
    if (!tangents[i].defined()) tangents[i] = gradient_ops.zeros(outputs[i].shape(), outputs[i].dtype());
  }
  return tangents;
}

Tensor sum_of_terms(const Tensor& output, std::span<const Tensor> terms) {
  Tensor total;
  for (const Tensor& term : terms) {
    if (!term.defined()) continue;
    total = total.defined() ? gradient_ops.add(total, term) : term;
  }
  if (!total.defined()) return gradient_ops.zeros(output.shape(), output.dtype());
  if (!(total.shape() == output.shape()))
    total = gradient_ops.add(total, gradient_ops.zeros(output.shape(), output.dtype()));
  return total.dtype() == output.dtype() ? total : gradient_ops.cast(total, output.dtype());
}

}  // namespace tapegrad::autograd
