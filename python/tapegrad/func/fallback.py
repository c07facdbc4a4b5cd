"""Operations without a batching rule: one call for each example."""

from __future__ import annotations

import warnings
from typing import Any

from .. import _C
from . import pytree
from .batched import Level, check_writable, operation_name, rule_for

__all__ = ["each_example", "loop"]


@rule_for("fallback")
def loop(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """The results of func for each example, stacked; an in-place operation writes to each example."""
    name = operation_name(func)
    warnings.warn(
        f"There is a performance drop because we have not yet implemented the batching rule for {name}: it "
        "runs "
        "once for each example.",
        UserWarning,
        stacklevel=4,
    )
    if name.endswith("_") and not name.endswith("__"):
        check_writable(level, args[0])
        _rows(level, func, args, kwargs)
        return args[0]
    return each_example(level, func, *args, **kwargs)


def each_example(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """The results of func for each example, stacked."""
    rows = _rows(level, func, args, kwargs)
    if not rows:
        raise RuntimeError(
            f"vmap: there is no batching rule for {operation_name(func)}, and no example to run it on"
        )
    return _stack(rows)


def _rows(level: Level, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    leaves, spec = pytree.flatten((args, kwargs))
    rows = []
    for i in range(level.batch_size):
        row = [leaf._value.select(0, i) if level.has(leaf) else leaf for leaf in leaves]
        row_args, row_kwargs = pytree.unflatten(row, spec)
        rows.append(func(*row_args, **row_kwargs))
    return rows


def _stack(rows: list[Any]) -> Any:
    first = rows[0]
    if isinstance(first, _C.Tensor):
        return _C.stack(rows)
    if isinstance(first, (tuple, list)):
        return type(first)([_stack(list(members)) for members in zip(*rows)])
    if any(row != first for row in rows):
        raise RuntimeError(f"vmap: the examples gave different values, {rows[:3]}..., where one is needed")
    return first
