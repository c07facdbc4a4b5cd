"""vmap: a function of one example becomes one of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _C
from . import (  # noqa: F401
    fallback,
    pytree,
    rules_autograd,
    rules_elementwise,
    rules_index,
    rules_linear,
    rules_nn,
    rules_random,
    rules_shape,
)
from .batched import Level

Tensor = _C.Tensor

__all__ = ["vmap"]


def _name(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", None) or repr(func)


def _check_in_dims(
    func: Callable[..., Any], in_dims: Any, args: tuple[Any, ...]
) -> tuple[list[Any], Any, Any]:
    """The in_dim of each leaf of the inputs, the leaves, and their structure."""
    start = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{start}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of "
            f"inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to "
            "vmap over a function with no inputs. The latter is unsupported."
        )
    leaves, spec = pytree.flatten(args)
    dims = pytree.broadcast_prefix(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{start}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{pytree.flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    for i, (leaf, dim) in enumerate(zip(leaves, dims)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{start}Got in_dim={dim} for an input but in_dim must be either an integer dimension or "
                "None."
            )
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{start}Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot "
                "vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        rank = leaf.dim()
        if not -rank <= dim < rank:
            raise ValueError(
                f"{start}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
                f"{rank} so "
                f"expected in_dim to satisfy -{rank} <= in_dim < {rank}."
            )
        dims[i] = dim % rank
    return dims, leaves, spec


def _batch_size(dims: list[Any], leaves: list[Any]) -> int:
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, dims) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def _unwrap(level: Level, result: Any, out_dims: Any, func: Callable[..., Any]) -> Any:
    """The results with the batch dimension where out_dims says."""
    leaves, spec = pytree.flatten(result)
    start = f"vmap({_name(func)}, ..., out_dims={out_dims})"
    dims = pytree.broadcast_prefix(out_dims, spec)
    if any(dim is not None and not isinstance(dim, int) for dim in pytree.flatten(out_dims)[0]):
        raise ValueError(
            f"{start}: `out_dims` must be an int, None or a python collection of ints representing where "
            "in the "
            "outputs the vmapped dimension should appear."
        )
    if dims is None and isinstance(out_dims, tuple) and len(out_dims) == 1 and spec.kind is None:
        dims = list(out_dims)
    if dims is None:
        raise ValueError(
            f"{start}(<inputs>): out_dims is not compatible with the structure of `outputs`. out_dims has "
            f"structure {pytree.flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    outputs = []
    for leaf, dim in zip(leaves, dims):
        if dim is None:
            if level.has(leaf):
                raise ValueError(
                    f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when "
                    "out_dim is None"
                )
            outputs.append(leaf)
        elif not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type "
                f"{type(leaf)}. Did "
                "you mean to set out_dims= to None for output?"
            )
        else:
            outputs.append(level.batch(leaf).movedim(0, dim))
    return pytree.unflatten(outputs, spec)


def _call(
    func: Callable[..., Any],
    dims: list[Any],
    leaves: list[Any],
    spec: Any,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
) -> Any:
    with Level(_batch_size(dims, leaves), randomness) as level:
        if level.depth == 1:
            _C._set_random_override(rules_random.compute_random)
        try:
            wrapped = [
                leaf if dim is None else level.wrap(leaf.movedim(dim, 0)) for leaf, dim in zip(leaves, dims)
            ]
            result = func(*pytree.unflatten(wrapped, spec), **kwargs)
            return _unwrap(level, result, out_dims, func)
        finally:
            if level.depth == 1:
                _C._set_random_override(None)


def _call_in_chunks(
    func: Callable[..., Any],
    dims: list[Any],
    leaves: list[Any],
    spec: Any,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
    chunk_size: int,
) -> Any:
    """The same, a part of the batch at a time."""
    size = _batch_size(dims, leaves)
    results = []
    for start in range(0, max(size, 1), chunk_size):
        count = min(chunk_size, size - start)
        part = [x if dim is None else x.narrow(dim, start, count) for x, dim in zip(leaves, dims)]
        results.append(_call(func, dims, part, spec, out_dims, randomness, kwargs))
    columns, out_spec = zip(*(pytree.flatten(result) for result in results))
    out_leaves = pytree.broadcast_prefix(out_dims, out_spec[0]) or [0]
    joined = [
        column[0] if dim is None else _C.cat(list(column), dim)
        for column, dim in zip(zip(*columns), out_leaves)
    ]
    return pytree.unflatten(joined, out_spec[0])


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that applies `func` to every example of a batch at once.

    `in_dims` says which dimension of each input counts the examples: an int, None for an input that is the
    same for all of them, or tuples of these as the inputs are nested; `out_dims` says where that dimension
    goes in the outputs. Keyword arguments are passed on as they are. Random operations raise an error unless
    ``randomness`` is "same" or "different" (numbers for each example). `chunk_size` examples are computed at
    a time.

    The function runs once, with tensors that stand for one example: it cannot ask for their values
    (``.item()``, ``if``), nor write to tensors that are not batched; both are a RuntimeError. Wrong
    `in_dims`, sizes that differ and outputs that are no tensors are a ValueError.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func, updated=())
    def batched(*args: Any, **kwargs: Any) -> Any:
        dims, leaves, spec = _check_in_dims(func, in_dims, args)
        if chunk_size is not None:
            return _call_in_chunks(func, dims, leaves, spec, out_dims, randomness, kwargs, chunk_size)
        return _call(func, dims, leaves, spec, out_dims, randomness, kwargs)

    return batched
