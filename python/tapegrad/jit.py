"""There is no compiler: decorators and converters return what they are given."""

from __future__ import annotations

from typing import Any, TypeVar

Function = TypeVar("Function")


def script(obj: Function, *args: Any, **kwargs: Any) -> Function:
    """The function or module itself."""
    return obj


def trace(func: Function, *args: Any, **kwargs: Any) -> Function:
    """The function or module itself."""
    return func


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator that changes nothing."""
    return drop if callable(drop) else script


export = unused = script_method = script


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting
