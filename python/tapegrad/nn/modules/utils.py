"""Helpers for the arguments of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from types import FunctionType
from typing import Any


def _ntuple(n: int) -> Callable[[Any], tuple[Any, ...]]:
    def parse(value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, Iterable) else tuple(repeat(value, n))

    return parse


_single = _ntuple(1)
_pair = _ntuple(2)
_triple = _ntuple(3)
_quadruple = _ntuple(4)


def _reverse_repeat_tuple(values: Iterable[Any], n: int) -> tuple[Any, ...]:
    """(3, 5), 2 -> (5, 5, 3, 3): padding per dimension in the order that `F.pad` reads it."""
    return tuple(value for value in reversed(tuple(values)) for _ in range(n))


def name_constructor(cls: type) -> None:
    """Give a class that inherits its constructor one of its own name, so that errors name the class in
    use."""
    inherited: Any = cls.__init__  # type: ignore[misc]
    if "__init__" in vars(cls) or not isinstance(inherited, FunctionType):
        return
    own = FunctionType(
        inherited.__code__, inherited.__globals__, "__init__", inherited.__defaults__, inherited.__closure__
    )
    own.__kwdefaults__ = inherited.__kwdefaults__
    own.__annotations__ = inherited.__annotations__
    own.__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = own  # type: ignore[misc]
