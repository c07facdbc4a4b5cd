// SavedTensor: a tensor kept by a node for its derivative.
#pragma once
#include "autograd/variable.h"

namespace tapegrad::autograd {

class SavedTensor {
 public:
  SavedTensor() = default;
  /// `is_output`: the tensor is a result of the node that saves it.
  SavedTensor(const Tensor& tensor, bool is_output);

  bool defined() const { return tensor_.defined(); }
  /// The tensor with its history; RuntimeError when it was written to since. `owner` is the node that saved
  /// it.
  Tensor unpack(Node* owner) const;
  void reset() { tensor_.reset(); }
  /// Gives a saved output the tangent that it has got since: its alias does not know it.
  void carry_tangent(const Tensor& output) const;

 private:
  // An input is kept as it is. An output is kept as an alias without history, because it owns the node that
  // saves it; the history is put back by unpack.
  Tensor tensor_;
  uint32_t version_ = 0;
  uint16_t output_nr_ = 0;
  bool is_output_ = false;
};

/// Throws PyTorch's error for a graph that was freed.
[[noreturn]] void fail_backward_twice(const Node& node);

}  // namespace tapegrad::autograd
