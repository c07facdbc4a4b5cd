"""__torch_function__: how other classes take over tapegrad's functions.

A class that defines ``__torch_function__(cls, func, types, args=(), kwargs=None)`` as a class method is
called instead of `func` wherever one of its instances is an argument; a subclass of Tensor also for its
operators, methods and attributes. ``super().__torch_function__(func, types, args, kwargs)`` computes as usual
and makes the results instances of the class. NotImplemented leaves the call to the next class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import _C

__all__ = [
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments overrides functions."""
    return _C._has_torch_function(*relevant_args)


def has_torch_function_variadic(*args: Any) -> bool:
    """Whether one of the arguments overrides functions."""
    return _C._has_torch_function(*args)


def has_torch_function_unary(arg: Any) -> bool:
    """Whether the argument overrides functions."""
    return _C._has_torch_function(arg)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """What the overriding ones of `relevant_args` make of ``public_api(*args, **kwargs)``.

    For functions of your own that should be overridable::

        def mine(x, scale=1):
            if has_torch_function_unary(x):
                return handle_torch_function(mine, (x,), x, scale=scale)
            ...
    """
    return _C._override(public_api, tuple(relevant_args), args, kwargs)


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a Tensor or has a __torch_function__."""
    return isinstance(inp, _C.Tensor) or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether the `func` that a __torch_function__ got is a method or an attribute of Tensor."""
    name = getattr(func, "__qualname__", "")
    return name.startswith("Tensor.") or getattr(func, "__name__", "") in ("__get__", "__set__")
