// The backward pass.
#pragma once
#include "autograd/node.h"

namespace tapegrad::autograd {

/// Runs the graph backward from `roots` with their `gradients`, which are moved from.
/// With `inputs`, only what leads to them is executed; their gradients are returned instead of accumulated
/// unless `accumulate`. A gradient that never arrived is undefined.
std::vector<Tensor> run_backward(std::span<const Edge> roots, std::span<Tensor> gradients, bool keep_graph,
                                 bool create_graph, std::span<const Edge> inputs, bool accumulate);

/// Fits a computed gradient to the shape and type of the tensor that it belongs to, so that formulas need not
/// care about broadcasting and promotion. `position` is that of `edge` in `source`, for the error.
void fit_gradient(const Node& source, int position, const Edge& edge, Tensor& gradient);

/// Where a backward pass begins or ends: a tensor, or (`tensor` is undefined) a place in the graph.
struct Endpoint {
  Edge edge;
  Tensor tensor;
};

/// backward() and grad(): `gradients` may hold undefined tensors for scalars. Errors with PyTorch's words.
std::vector<Tensor> backward(std::span<const Endpoint> outputs, std::span<const Tensor> gradients,
                             bool keep_graph, bool create_graph, std::span<const Endpoint> inputs,
                             bool accumulate);

/// The number of the backward pass that this thread is in, counted from 1; 0 outside. A pass started by a
/// hook has its own.
uint64_t current_run();
/// Whether the current pass, which is executing a hook, will come to `node` after it or is at it now.
bool will_execute(Node* node);

/// Whether the current pass computes the gradients of given inputs only.
bool run_has_inputs();
/// Keeps an object until the current pass ends, also if that fails. There has to be one.
void keep_until_run_ends(Ref<RefCounted> object);

}  // namespace tapegrad::autograd
