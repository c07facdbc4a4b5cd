// The backward pass.
#pragma once
#include "autograd/node.h"

namespace tapegrad::autograd {

/// Runs the graph backward from `roots` (edges with their gradients).
/// With `inputs`, only what leads to them is executed; their gradients are returned instead of accumulated
/// unless `accumulate`. A gradient that never arrived is undefined.
std::vector<Tensor> run_backward(std::vector<Edge> roots, std::vector<Tensor> gradients, bool keep_graph,
                                 bool create_graph, std::span<const Edge> inputs, bool accumulate);

/// Fits a computed gradient to the shape and type of the tensor that it belongs to, so that formulas need not
/// care about broadcasting and promotion. `position` is that of `edge` in `source`, for the error.
void fit_gradient(const Node& source, int position, const Edge& edge, Tensor& gradient);

/// backward() of tensors: `gradients` may hold undefined tensors for scalars. Errors with PyTorch's words.
std::vector<Tensor> backward(std::span<const Tensor> tensors, std::span<const Tensor> gradients,
                             bool keep_graph, bool create_graph, std::span<const Tensor> inputs,
                             bool accumulate);

}  // namespace tapegrad::autograd
