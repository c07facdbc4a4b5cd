"""backward and grad: gradients accumulated in leaves, and gradients returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _C
from .graph import GradientEdge

Tensors = _C.Tensor | Sequence[_C.Tensor]


def _as_tuple(tensors: Any) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, (_C.Tensor, GradientEdge)) else tuple(tensors)


def backward(
    tensors: Tensors,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds the gradients of the sum of `tensors`, weighted by `grad_tensors`, to ``.grad`` of the leaves."""
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    if grad_tensors is None:
        grad_tensors = grad_variables
    elif grad_variables is not None:
        raise RuntimeError(
            "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. "
            "Please only use `grad_tensors`."
        )
    keep_graph = create_graph if retain_graph is None else retain_graph
    _C._run_backward(_as_tuple(tensors), grad_tensors, keep_graph, create_graph, inputs, True, True)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of `outputs`, weighted by `grad_outputs`, with respect to `inputs`.

    With ``is_grads_batched=True`` the first dimension of each of `grad_outputs` counts vectors: the graph is
    traversed for each of them, and each gradient gets the same first dimension.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    cotangents = grad_outputs if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    if _C._has_torch_function(outputs, inputs, cotangents):
        options = {
            "retain_graph": retain_graph,
            "create_graph": create_graph,
            "allow_unused": allow_unused,
            "is_grads_batched": is_grads_batched,
            "materialize_grads": materialize_grads,
        }
        everything = (*outputs, *inputs, *cotangents)
        return _C._override(grad, everything, (outputs, inputs, grad_outputs), options)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if grad_outputs is not None and len(cotangents) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(cotangents)} gradients")
    keep_graph = create_graph if retain_graph is None else retain_graph
    unused = bool(allow_unused) or materialize_grads
    run = _run_batched if is_grads_batched else _C._run_backward
    gradients = run(outputs, grad_outputs, keep_graph, create_graph, inputs, unused, False)
    if materialize_grads:
        pairs = zip(gradients, inputs, strict=True)
        return tuple(_C.zeros_like(x) if g is None else g for g, x in pairs)
    return gradients


def _check_batch(outputs: tuple[Any, ...], batches: tuple[Any, ...]) -> int:
    """The number of vectors in each of `batches`; an error unless they fit the outputs."""
    if len(batches) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(batches)} gradients")
    for i, (out, batch) in enumerate(zip(outputs, batches)):
        if batch is None or batch.dim() == 0:
            raise (ValueError if batch is None else IndexError)(
                "grad(): with is_grads_batched=True each of grad_outputs needs a batch dimension in front, "
                f"but grad_output[{i}] is {'None' if batch is None else 'a tensor without dimensions'}"
            )
        if batch.shape[1:] != out.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the "
                "batch dimension. The sizes of the remaining dimensions are expected to match the shape of "
                f"corresponding output, but a mismatch was detected: grad_output[{i}] has a shape of "
                f"{batch.shape} and output[{i}] has a shape of {out.shape}."
            )
    sizes = {batch.shape[0] for batch in batches}
    if len(sizes) != 1:
        raise ValueError(
            "grad(): with is_grads_batched=True all grad_outputs have the same first size, got "
            f"{[batch.shape[0] for batch in batches]}"
        )
    if sizes == {0}:
        raise IndexError("grad(): with is_grads_batched=True grad_outputs need at least one vector, got none")
    return sizes.pop()


def _run_batched(
    outputs: tuple[Any, ...],
    grad_outputs: Any,
    keep_graph: bool,
    create_graph: bool,
    inputs: tuple[Any, ...],
    unused: bool,
    accumulate: bool,
) -> tuple[Any, ...]:
    """_run_backward for each row of `grad_outputs`, stacked."""
    batches: tuple[Any, ...] = (None,) * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    count = _check_batch(outputs, batches)
    rows = [
        _C._run_backward(
            outputs,
            tuple(batch[i] for batch in batches),
            keep_graph or i + 1 < count,
            create_graph,
            inputs,
            unused,
            accumulate,
        )
        for i in range(count)
    ]
    return tuple(None if column[0] is None else _C.stack(column) for column in zip(*rows))
