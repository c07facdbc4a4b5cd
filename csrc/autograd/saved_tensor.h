// SavedTensor: a tensor kept by a node for its derivative.
#pragma once
#include "autograd/variable.h"

namespace tapegrad::autograd {

/// What saved-tensor hooks made of a tensor.
struct PackedTensor : RefCounted {
  virtual Tensor unpack() = 0;
};
/// A pair of functions that stand between what an operation saves and what its derivative gets.
struct SavedTensorHooks {
  virtual Ref<PackedTensor> pack(const Tensor& tensor) = 0;

 protected:
  ~SavedTensorHooks() = default;
};

class SavedTensor {
 public:
  SavedTensor() = default;
  /// `is_output`: the tensor is a result of the node that saves it. The saved-tensor hooks of this thread get
  /// to see it.
  SavedTensor(const Tensor& tensor, bool is_output);
  /// The same for output `tensor` of the node, whose shape and type the node keeps anyway.
  static SavedTensor of_output(const Tensor& tensor);

  bool defined() const { return tensor_.defined() || memory_; }
  /// The tensor with its history; RuntimeError when it was written to since. `owner` is the node that saved
  /// it.
  Tensor unpack(Node* owner) const;
  /// Puts a pair of hooks around this tensor of `owner`; RuntimeError when it has one already.
  void register_hooks(SavedTensorHooks& hooks, Node* owner);
  /// What hooks made of the tensor; null when there are none.
  PackedTensor* packed() const;
  void reset() {
    tensor_.reset();
    memory_ = nullptr;
  }
  /// The tensor that is kept as it is, without checks; null when there is none, or hooks have it.
  const Tensor* kept() const { return tensor_.defined() && !is_packed_ ? &tensor_ : nullptr; }
  /// Gives a saved output the tangent that it has got since: its alias does not know it.
  void carry_tangent(const Tensor& output) const;

 private:
  void pack(SavedTensorHooks& hooks);
  Tensor unpack_packed(Node* owner) const;
  Tensor values(Node* owner) const;

  // An input is kept as it is. An output is kept as an alias without history, because it owns the node that
  // saves it; the history is put back by unpack. Of most outputs the memory is enough. A packed tensor is
  // kept as the autograd part (a PackedSave) of a tensor without memory, so that those who use no hooks pay
  // no space for them.
  Tensor tensor_;
  Ref<Storage> memory_;
  uint32_t version_ = 0;
  uint16_t output_nr_ = 0;
  bool is_output_ = false;
  bool is_packed_ = false;
};

/// Throws PyTorch's error for a graph that was freed.
[[noreturn]] void fail_backward_twice(Node& node);

}  // namespace tapegrad::autograd
