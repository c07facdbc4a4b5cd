"""There is no compiler: functions run as they are."""

from __future__ import annotations

from typing import Any


def disable(fn: Any = None, recursive: bool = True, **kwargs: Any) -> Any:
    """The function itself; also a decorator."""
    return fn if fn is not None else disable


allow_in_graph = disable


def is_compiling() -> bool:
    """False."""
    return False


is_dynamo_compiling = is_compiling


def reset() -> None:
    """Does nothing."""


cudagraph_mark_step_begin = reset
