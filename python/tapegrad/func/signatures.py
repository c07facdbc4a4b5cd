"""The arguments of an operation by name, from the signature that it was declared with."""

from __future__ import annotations

import functools
import re
from typing import Any

from .. import _C

__all__ = ["bind"]

Parameter = tuple[str, str]  # type and name


@functools.cache
def _overloads(func: Any) -> list[tuple[list[Parameter], int]]:
    """The parameters of each overload, and how many of them may be positional."""
    overloads = []
    for signature in func._signatures:
        inside = signature[signature.index("(") + 1 : signature.split(" -> ")[0].rindex(")")]
        parameters: list[Parameter] = []
        positional = None
        for text in re.split(r",\s*(?![^(\[]*[)\]])", inside):
            if text == "*":
                positional = len(parameters)
            elif text:
                kind, name = text.split("=")[0].split(" ")
                parameters.append((kind, name))
        overloads.append((parameters, len(parameters) if positional is None else positional))
    return overloads


def _fits(kind: str, value: Any) -> bool:
    is_tensor = isinstance(value, _C.Tensor)
    if kind.startswith("Tensor["):
        return isinstance(value, (tuple, list))
    if kind.startswith("Tensor"):
        return is_tensor or (value is None and kind.endswith("?"))
    if kind.startswith("int"):
        is_list = isinstance(value, (tuple, list))
        return (
            not isinstance(value, bool)
            and (not is_tensor or value.dim() == 0)
            and (not is_list or "[" in kind)
        )
    return True


def bind(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments given, by the names that the first fitting overload has for them."""
    for parameters, positional in _overloads(func):
        names = {name: kind for kind, name in parameters}
        bound: dict[str, Any] = {}
        rest = list(args)
        for kind, name in parameters[:positional]:
            if not rest:
                break
            is_member = isinstance(rest[0], _C.Tensor if kind == "Tensor[*]" else int)
            if kind.endswith("[*]") and is_member:
                bound[name], rest = tuple(rest), []
            else:
                bound[name] = rest.pop(0)
        if rest or not set(kwargs) <= set(names) - set(bound):
            continue
        bound |= kwargs
        if all(_fits(names[name], value) for name, value in bound.items()):
            return bound
    given = ", ".join(type(value).__name__ for value in [*args, *kwargs.values()])
    raise TypeError(f"{func.__name__}() received an invalid combination of arguments - got ({given})")
