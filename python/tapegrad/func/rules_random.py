"""Random operations inside vmap: an error, the same numbers for all examples, or different ones."""

from __future__ import annotations

from typing import Any

from .. import _C
from .batched import Level, active_levels

Tensor = _C.Tensor

__all__ = ["compute_random"]


def compute_random(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a random operation gives inside the vmaps that are active."""
    return _at(len(active_levels()), func, args, kwargs)


def _at(depth: int, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The operation at the first `depth` levels."""
    if depth == 0:
        return func(*args, **kwargs)
    level = active_levels()[depth - 1]
    if _is_certain(func, args, kwargs):
        return level.wrap_all(func(*level.values(*args), **kwargs)) if level.has(args[0]) else args[0]
    if level.randomness == "error":
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
            "'different' randomness flags on vmap or perform the randomness operation out of vmap"
        )
    batched = any(level.has(x) for x in [*args, *kwargs.values()])
    if level.randomness == "same":
        return _same(level, func, args, kwargs) if batched else _at(depth - 1, func, args, kwargs)
    return _different(level, func, args, kwargs, batched)


def _is_certain(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it is a dropout that drops nothing."""
    if "dropout" not in func.__name__:
        return False
    p, train = [*args[1:], *kwargs.values()][:2]
    return not train or p == 0


def _run(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    return _at(level.depth - 1, func, args, kwargs)


def _same(level: Level, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The same numbers where values of the batch only lend their shape; what depends on them cannot be."""
    name, first = func.__name__, args[0] if args else None
    if name.endswith("_like"):
        return _run(level, func, level.value(first)[0], *args[1:], **kwargs)
    if name in ("dropout", "feature_dropout"):
        example = level.value(first).detach()[0]
        return first * _run(level, func, _C.ones_like(example), *args[1:], **kwargs)
    if name.endswith("_") and level.has(first) and not any(level.has(x) for x in args[1:]):
        example = _run(level, func, level.value(first).detach()[0].clone(), *args[1:], **kwargs)
        level.value(first).copy_(example)
        return first
    raise RuntimeError(
        f"Vmap does not currently support same randomness with a batched tensor input: {name}() draws from "
        "another distribution for every example"
    )


def _different(level: Level, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], batched: bool) -> Any:
    name = func.__name__
    if name.endswith("_"):
        if not level.has(args[0]):
            raise RuntimeError(
                "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear "
                "like same randomness. Use the operation that makes a new tensor."
            )
        rank = args[0].dim()
        _run(level, func, *(level.aligned(x, rank) for x in args), **kwargs)
        return args[0]
    tensors = [x for x in [*args, *kwargs.values()] if isinstance(x, Tensor)]
    if name == "multinomial":
        weights = level.batch(args[0])
        drawn = _run(level, func, weights.reshape(-1, weights.shape[-1]), *args[1:], **kwargs)
        return level.wrap(drawn.reshape(*weights.shape[:-1], drawn.shape[-1]))
    if tensors:
        rank = max(x.dim() for x in tensors)
        spread = lambda x: _spread(level, x, rank) if isinstance(x, Tensor) else x
        named = {key: spread(value) for key, value in kwargs.items()}
        return level.wrap(_run(level, func, *map(spread, args), **named))
    rows = [_run(level, func, *args, **kwargs) for _ in range(level.batch_size)]
    return level.wrap(_C.stack(rows))


def _spread(level: Level, x: Tensor, rank: int) -> Tensor:
    value = level.batch(x)
    return value.reshape(value.shape[0], *[1] * (rank - x.dim()), *x.shape)
