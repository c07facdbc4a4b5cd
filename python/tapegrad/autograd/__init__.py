"""Differentiation: backward, grad, and the switches that decide what is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _C
from .._C import is_grad_enabled
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

Tensors = _C.Tensor | Sequence[_C.Tensor]

__all__ = [
    "Variable",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]


def _as_tuple(tensors: Any) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, _C.Tensor) else tuple(tensors)


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
            "'grad_tensors' and 'grad_variables' (deprecated) arguments both passed to backward(). "
            "Please only use 'grad_tensors'."
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
    """The gradients of the sum of `outputs`, weighted by `grad_outputs`, with respect to `inputs`."""
    if is_grads_batched:
        raise NotImplementedError(
            "grad(): is_grads_batched=True is not supported; call grad once for each vector"
        )
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    inputs = _as_tuple(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    keep_graph = create_graph if retain_graph is None else retain_graph
    unused = bool(allow_unused) or materialize_grads
    gradients = _C._run_backward(
        _as_tuple(outputs), grad_outputs, keep_graph, create_graph, inputs, unused, False
    )
    if materialize_grads:
        pairs = zip(gradients, inputs, strict=True)
        return tuple(_C.zeros_like(x) if g is None else g for g, x in pairs)
    return gradients


class _VariableMeta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _C.Tensor)


class Variable(metaclass=_VariableMeta):
    """The name that tensors had when only some of them were recorded: Variable(x, requires_grad) is x."""

    def __new__(
        cls, data: Any = None, requires_grad: bool | None = None, volatile: bool | None = None
    ) -> Any:
        if data is None:
            return _C.tensor([])
        if not isinstance(data, _C.Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(bool(requires_grad))
