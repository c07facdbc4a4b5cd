// Forward mode: tangents that travel beside values.
//
// Note [Forward mode]
// An operation declares its derivative once, as the function from the gradient of its results to the
// gradients of its inputs. That function is linear in the gradient, and its transpose takes the tangents of
// the inputs to the tangents of the results. So a tangent is computed by differentiating the derivative: it
// is recorded at a probe gradient and run backward with the tangents of the inputs. A linear operation comes
// back as itself that way. The derivative of an elementwise operation is its own transpose and is applied to
// the tangent as it is. (Townsend, "A new trick for calculating Jacobian vector products", 2017.)
#pragma once
#include "autograd/variable.h"

namespace tapegrad::autograd {

/// Opens the level on which tensors can have tangents, and returns its number; RuntimeError when one is open.
int64_t enter_forward_level();
/// Closes the level: no tensor has a tangent any more.
void exit_forward_level(int64_t level);
/// The number of the level that this thread has open; -1 when there is none.
int64_t forward_level();

/// The tangent of a tensor at the open level; undefined when it has none.
Tensor tangent(const Tensor& tensor);
/// Gives a new tensor its tangent, or takes it away.
void make_dual(const Tensor& tensor, const Tensor& tangent);
/// The same after a write to `tensor`: what it is a view of gets the tangent in its part too.
void write_tangent(const Tensor& tensor, const Tensor& tangent);
/// Whether an operation on `tensor` has to carry a tangent on.
bool is_dual(const Tensor& tensor);
/// Refuses out= where a derivative of `source`, which is read or copied, or of `out` is asked for.
void check_out(std::string_view name, const Tensor& out, const Tensor& source);

/// Computes no tangents for a scope.
class NoForward {
 public:
  NoForward() : previous_(modes.forward) { modes.forward = false; }
  NoForward(const NoForward&) = delete;
  NoForward& operator=(const NoForward&) = delete;
  ~NoForward() { modes.forward = previous_; }

 private:
  bool previous_;
};

template <class Inputs>
bool any_dual(const Inputs& inputs) {
  if (!modes.forward) [[likely]]
    return false;
  for (const Tensor& input : inputs)
    if (input.defined() && is_dual(input)) return true;
  return false;
}

/// The tangents of `inputs`, and stand-ins for those that have one: leaves, through which a probe node is
/// told whose gradients are wanted.
struct DualInputs {
  std::vector<Tensor> tangents;
  std::vector<Tensor> stand_ins;
  void add(const Tensor& input);
  bool any() const { return any_; }

 private:
  bool any_ = false;
};

/// The tangents of an operation's results. `probe` is a node of the operation on the stand-ins; `recorded`
/// the one that was recorded, if any.
std::vector<Tensor> tangents_of_results(std::span<const Tensor> outputs, Node& probe, Node* recorded,
                                        const DualInputs& inputs);
/// The tangent of `output` from terms that broadcast to it; undefined terms are zero.
Tensor sum_of_terms(const Tensor& output, std::span<const Tensor> terms);

}  // namespace tapegrad::autograd
