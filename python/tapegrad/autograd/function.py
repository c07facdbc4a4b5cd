"""autograd.Function: operations whose derivative is written in Python."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import FunctionCtx

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]


class Function:
    """Base of operations with a derivative of their own; called with `apply`, never instantiated.

    A subclass has the static methods ``forward(ctx, *args)`` and ``backward(ctx, *grad_outputs)``, which
    returns a gradient (or None) for each argument of forward. Or forward does without the context, and
    ``setup_context(ctx, inputs, output)`` keeps what backward needs.
    """

    _backward_cls: type[FunctionCtx]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._backward_cls = _C._backward_class(cls.__name__ + "Backward", cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so "
            "you should invoke them on the class itself.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style "
            f"autograd function with static forward method: {type(self).__name__}.apply(...)."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The operation itself."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keeps what backward needs, when forward does not take the context."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the inputs from the gradients of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use "
            "it with backward mode AD."
        )

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Another name for backward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use "
            "it with backward mode AD."
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the outputs from the tangents of the inputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The operation on a batch."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    apply = classmethod(_C._apply_function)


Function._backward_cls = _C._backward_class("FunctionBackward", Function)
_C._set_function_base(Function)


def _bind(cls: type[Function], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """The arguments of `apply` by position; with setup_context also the defaults of forward."""
    import inspect  # half of tapegrad's own import time, and needed for keyword arguments only

    if cls.setup_context is not Function.setup_context:
        bound = inspect.signature(cls.forward).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args
    bound = inspect.signature(cls.forward).bind(None, *args, **kwargs)
    if bound.kwargs:
        raise TypeError(
            f"{cls.__name__}.apply() takes positional arguments; it got the keywords "
            f"{', '.join(bound.kwargs)} after arguments that were left out"
        )
    return bound.args[1:]


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A backward that is not itself recorded: differentiating its result is an error instead of silently
    wrong."""

    @functools.wraps(function)
    def backward(ctx: Any, *args: Any) -> Any:
        with _C._no_grad():
            outputs = function(ctx, *args)
        if not _C.is_grad_enabled():
            return outputs
        if not any(isinstance(arg, _C.Tensor) and arg.requires_grad for arg in args):
            return outputs
        several = isinstance(outputs, tuple)
        values = list(outputs) if several else [outputs]
        positions = [i for i, value in enumerate(values) if isinstance(value, _C.Tensor)]
        refusing = _C._undifferentiable(
            "trying to differentiate twice a function that was marked with @once_differentiable",
            [values[i] for i in positions],
        )
        for position, tensor in zip(positions, refusing, strict=True):
            values[position] = tensor
        return tuple(values) if several else values[0]

    return backward


class InplaceFunction(Function):
    """A Function with a flag that says whether it works in place; kept for older programs."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace
