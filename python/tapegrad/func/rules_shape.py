"""Batching rules of operations that name dimensions: reductions, scans, sorting, views, joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _C
from .batched import BatchedTensor, Level, decomposition_for, rule_for, words
from .signatures import bind

Tensor = _C.Tensor


def wrap_dim(dim: int, rank: int) -> int:
    """A dimension of an example as a dimension of the batch; that of a number is its only one."""
    rank = max(rank, 1)
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {dim})"
        )
    return dim % rank + 1


def _wrap(dim: Any, rank: int) -> Any:
    if isinstance(dim, (tuple, list)):
        return [wrap_dim(d, rank) for d in dim]
    return wrap_dim(int(dim), rank)


def _first(bound: dict[str, Any]) -> str:
    return next(iter(bound))


def _call(func: Any, bound: dict[str, Any]) -> Any:
    return func(**bound)


def _members(result: Any, change: Any) -> Any:
    if isinstance(result, Tensor):
        return change(result)
    return type(result)([change(member) for member in result])


# The dimensions that operations name: their parameters, with what they mean when they are left out.

SAME_RANK: dict[str, dict[str, int | None]] = {
    "softmax": {"dim": None},
    "log_softmax": {"dim": None},
    "cumsum": {"dim": None},
    "cumprod": {"dim": None},
    "logcumsumexp": {"dim": None},
    "cummax": {"dim": None},
    "cummin": {"dim": None},
    "sort": {"dim": -1},
    "argsort": {"dim": -1},
    "topk": {"dim": -1},
    "flip": {"dims": None},
    "transpose": {"dim0": None, "dim1": None},
    "swapaxes": {"axis0": None, "axis1": None},
    "swapdims": {"dim0": None, "dim1": None},
    "movedim": {"source": None, "destination": None},
    "moveaxis": {"source": None, "destination": None},
    "narrow": {"dim": None},
    "split": {"dim": 0},
    "split_with_sizes": {"dim": 0},
    "chunk": {"dim": 0},
    "tensor_split": {"dim": 0},
}
OTHER_RANK: dict[str, dict[str, int | None]] = {
    "select": {"dim": None},
    "unbind": {"dim": 0},
    "diagonal": {"dim1": 0, "dim2": 1},
    "unfold": {"dimension": None},
    "unflatten": {"dim": None},
    "flatten": {"start_dim": 0, "end_dim": -1},
}


@rule_for(*SAME_RANK, *OTHER_RANK)
def along_dims(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """The same operation on the dimensions behind that of the batch."""
    bound = bind(func, args, kwargs)
    first = _first(bound)
    x = bound[first]
    rank = x.dim()
    value = level.batch(x)
    bound[first] = value.unsqueeze(-1) if rank == 0 else value
    defaults = (SAME_RANK if func.__name__ in SAME_RANK else OTHER_RANK)[func.__name__]
    for name, default in defaults.items():
        dim = bound.get(name, default)
        if dim is not None:
            bound[name] = _wrap(dim, rank)
    result = _call(func, bound)
    if rank == 0 and func.__name__ in SAME_RANK:
        return _members(result, lambda member: member.squeeze(-1))
    return result


# Reductions

OVER_DIMS = words(
    """
sum mean nansum nanmean logsumexp amax amin any all count_nonzero var std var_mean std_mean norm
_linalg_vector_norm prod max min argmax argmin median nanmedian mode kthvalue aminmax
"""
)
PAIRS_ALONG_A_DIM = {"max", "min", "median", "nanmedian"}  # which return one tensor for the whole input
LAST_DIM = {"mode", "kthvalue"}


@rule_for(*OVER_DIMS)
def over_dims(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Over all dimensions of an example: over the batch with these as one dimension."""
    bound = bind(func, args, kwargs)
    name, first = func.__name__, _first(bound)
    if "other" in bound:  # max(a, b) and min(a, b) compare element by element
        return (_C.maximum if name == "max" else _C.minimum)(*args, **kwargs)
    x = bound[first]
    value, rank = level.value(x), x.dim()
    dim = bound.get("dim", -1 if name in LAST_DIM else None)
    if dim is None or dim == [] or dim == ():
        bound[first], bound["dim"] = value.reshape(value.shape[0], -1), 1
        keepdim = bound.pop("keepdim", False)
        if x.numel() == 0 and level.batch_size == 0:
            bound[first] = value.reshape(0, *x.shape).flatten(1) if rank else value.unsqueeze(-1)
        result = _call(func, bound)
        if name in PAIRS_ALONG_A_DIM:
            result = result[0]
        return _members(result, lambda m: m.reshape(-1, *[1] * rank)) if keepdim else result
    bound["dim"] = _wrap(dim, rank)
    if rank:
        bound[first] = value
        return _call(func, bound)
    bound[first] = value.unsqueeze(-1)
    bound.pop("keepdim", None)
    return _call(func, bound)


@decomposition_for("msort")
def msort(x: Any) -> Any:
    return x.sort(0)[0]


@decomposition_for("diff")
def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    parts = [part for part in (prepend, x, append) if part is not None]
    x = _C.cat(parts, dim) if len(parts) > 1 else x
    for _ in range(n):
        size = x.shape[dim]
        after, before = x.narrow(dim, 1, size - 1), x.narrow(dim, 0, size - 1)
        x = after ^ before if x.dtype == _C.bool else after - before
    return x


@decomposition_for("trace")
def trace(x: Any) -> Any:
    return x.diagonal().sum()


# Views whose sizes are given


def _sizes(sizes: tuple[Any, ...]) -> list[int]:
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)


@rule_for("view", "reshape")
def with_shape(level: Level, func: Any, x: Any, *shape: Any, **kwargs: Any) -> Any:
    value = level.value(x)
    if kwargs:
        shape = tuple(kwargs.values())
    if len(shape) == 1 and isinstance(shape[0], _C.dtype):
        return func(value, shape[0])
    return func(value, (value.shape[0], *_sizes(shape)))


@decomposition_for("view_as", "reshape_as")
def with_shape_of(x: Any, other: Any) -> Any:
    return x.reshape(other.shape)


@rule_for("expand", "broadcast_to")
def expand(level: Level, func: Any, x: Any, *size: Any, implicit: bool = False, **kwargs: Any) -> Any:
    sizes = _sizes(size or tuple(kwargs.values()))
    value = level.aligned(x, len(sizes))
    return value.expand(value.shape[0], *sizes)


@decomposition_for("expand_as")
def expand_as(x: Any, other: Any) -> Any:
    return x.expand(other.shape)


@rule_for("repeat")
def repeat(level: Level, func: Any, x: Any, *repeats: Any) -> Any:
    counts = _sizes(repeats)
    return level.aligned(x, len(counts)).repeat(1, *counts)


@decomposition_for("tile")
def tile(x: Any, *dims: Any) -> Any:
    counts = _sizes(dims)
    return x.repeat([1] * (x.dim() - len(counts)) + counts)


@rule_for("permute")
def permute(level: Level, func: Any, x: Any, *dims: Any, **kwargs: Any) -> Any:
    order = _sizes(dims or tuple(kwargs.values()))
    return level.value(x).permute(0, *(wrap_dim(d, x.dim()) for d in order))


@rule_for("unsqueeze")
def unsqueeze(level: Level, func: Any, x: Any, dim: int) -> Any:
    return level.value(x).unsqueeze(wrap_dim(dim, x.dim() + 1))


@rule_for("squeeze")
def squeeze(level: Level, func: Any, x: Any, dim: Any = None) -> Any:
    value = level.value(x)
    if dim is None:
        dim = [d for d in range(x.dim()) if x.shape[d] == 1]
    dims = _wrap(dim, x.dim())
    return value if x.dim() == 0 else value.squeeze(dims)


@rule_for("get:T")
def reversed_dims(level: Level, func: Any, x: Any) -> Any:
    return level.value(x).permute(0, *range(x.dim(), 0, -1))


@rule_for("t")
def t(level: Level, func: Any, x: Any) -> Any:
    if x.dim() > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {x.dim()}D")
    return reversed_dims(level, func, x)


@decomposition_for("get:mT", "get:mH", "get:H", "adjoint")
def matrix_transpose(x: Any) -> Any:
    return x.transpose(-2, -1)


@decomposition_for("ravel")
def ravel(x: Any) -> Any:
    return x.flatten()


@decomposition_for("atleast_1d")
def atleast_1d(*tensors: Any) -> Any:
    return _at_least(_C.atleast_1d, tensors)


@decomposition_for("atleast_2d")
def atleast_2d(*tensors: Any) -> Any:
    return _at_least(_C.atleast_2d, tensors)


@decomposition_for("atleast_3d")
def atleast_3d(*tensors: Any) -> Any:
    return _at_least(_C.atleast_3d, tensors)


def _at_least(func: Any, tensors: tuple[Any, ...]) -> Any:
    """With the shape that the function gives to an example."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    results = [x.reshape(func(_C.empty(x.shape)).shape) for x in tensors]
    return results[0] if len(results) == 1 else tuple(results)


@decomposition_for("diag")
def diag(x: Any, diagonal: int = 0) -> Any:
    return x.diag_embed(diagonal) if x.dim() == 1 else x.diagonal(diagonal)


@decomposition_for("diagflat")
def diagflat(x: Any, offset: int = 0) -> Any:
    return x.flatten().diag_embed(offset)


@rule_for("diag_embed")
def diag_embed(level: Level, func: Any, x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    rank = x.dim() + 1
    return func(level.value(x), offset, wrap_dim(dim1, rank), wrap_dim(dim2, rank))


@decomposition_for("roll")
def roll(x: Any, shifts: Any, dims: Any = ()) -> Any:
    if dims == () or dims == []:
        return x.flatten().roll(shifts, 0).reshape(x.shape)
    pairs = zip(shifts, dims) if isinstance(shifts, (tuple, list)) else [(shifts, dims)]
    for shift, dim in pairs:
        dim = dim[0] if isinstance(dim, (tuple, list)) else dim
        size = x.shape[dim]
        cut = -shift % size if size else 0
        x = _C.cat([x.narrow(dim, cut, size - cut), x.narrow(dim, 0, cut)], dim)
    return x


@decomposition_for("fliplr")
def fliplr(x: Any) -> Any:
    return x.flip(1)


@decomposition_for("flipud")
def flipud(x: Any) -> Any:
    return x.flip(0)


@decomposition_for("rot90")
def rot90(x: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    for _ in range(k % 4):
        x = x.flip(dims[1]).transpose(*dims)
    return x


@decomposition_for("take_along_dim")
def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Any:
    if dim is None:
        return x.flatten().gather(0, indices.flatten())
    sizes = [1 if d == dim % x.dim() else max(a, b) for d, (a, b) in enumerate(zip(x.shape, indices.shape))]
    widened = lambda y: y.expand([y.shape[d] if d == dim % x.dim() else n for d, n in enumerate(sizes)])
    return widened(x).gather(dim, widened(indices))


@decomposition_for("hsplit")
def hsplit(x: Any, parts: Any) -> Any:
    return x.tensor_split(parts, 0 if x.dim() == 1 else 1)


@decomposition_for("vsplit")
def vsplit(x: Any, parts: Any) -> Any:
    return x.tensor_split(parts, 0)


@decomposition_for("dsplit")
def dsplit(x: Any, parts: Any) -> Any:
    return x.tensor_split(parts, 2)


@decomposition_for("sum_to_size")
def sum_to_size(x: Any, *size: Any) -> Any:
    sizes = _sizes(size)
    extra = x.dim() - len(sizes)
    stretched = [d for d in range(x.dim()) if d < extra or (sizes[d - extra] == 1 and x.shape[d] != 1)]
    return x.sum(stretched, keepdim=True).reshape(sizes) if stretched else x


@decomposition_for("repeat_interleave")
def repeat_interleave(
    x: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    if repeats is None or isinstance(repeats, BatchedTensor):
        raise RuntimeError(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap "
            "over "
            "the repeats of repeat_interleave: the result would have another shape for every example."
        )
    if dim is None:
        x, dim = x.flatten(), 0
    index = _C.arange(x.shape[dim]).repeat_interleave(repeats, output_size=output_size)
    return x.index_select(dim, index)


# Joins


def _joined(level: Level, tensors: Sequence[Any]) -> list[Tensor]:
    return [level.batch(x) for x in tensors]


@rule_for("cat", "concat", "concatenate")
def cat(level: Level, func: Any, tensors: Sequence[Any], dim: int = 0) -> Any:
    """Empty vectors may be joined with anything, and change nothing."""
    kept = [x for x in tensors if x.dim() != 1 or x.numel()] or tensors
    return _C.cat(_joined(level, kept), wrap_dim(dim, kept[0].dim()))


@rule_for("stack")
def stack(level: Level, func: Any, tensors: Sequence[Any], dim: int = 0) -> Any:
    return _C.stack(_joined(level, tensors), wrap_dim(dim, tensors[0].dim() + 1))


@decomposition_for("hstack")
def hstack(tensors: Sequence[Any]) -> Any:
    parts = [_C.atleast_1d(x) for x in tensors]
    return _C.cat(parts, 0 if parts[0].dim() == 1 else 1)


@decomposition_for("vstack", "row_stack")
def vstack(tensors: Sequence[Any]) -> Any:
    return _C.cat([_C.atleast_2d(x) for x in tensors], 0)


@decomposition_for("dstack")
def dstack(tensors: Sequence[Any]) -> Any:
    return _C.cat([_C.atleast_3d(x) for x in tensors], 2)


@decomposition_for("column_stack")
def column_stack(tensors: Sequence[Any]) -> Any:
    return _C.cat([x.reshape(x.numel(), 1) if x.dim() <= 1 else x for x in tensors], 1)


@decomposition_for("broadcast_tensors")
def broadcast_tensors(*tensors: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = _C.broadcast_tensors(*(_C.empty(x.shape, dtype=_C.bool) for x in tensors))[0].shape
    return tuple(x.expand(shape) for x in tensors)


@decomposition_for("meshgrid")
def meshgrid(*tensors: Any, indexing: str | None = None) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    grids = []
    for i, x in enumerate(tensors):
        shape = [y.numel() for y in tensors]
        alone = [1] * len(tensors)
        alone[i] = x.numel()
        grid = x.reshape(alone).expand(shape)
        grids.append(grid.transpose(0, 1) if indexing == "xy" and len(tensors) > 1 else grid)
    return tuple(grids)


# Tensors made after the example of another


@rule_for("new_zeros", "new_ones", "new_empty")
def new_filled(level: Level, func: Any, x: Any, *size: Any, **kwargs: Any) -> Any:
    """One for each example, so that they can be written to."""
    sizes = _sizes(size or (kwargs.pop("size"),))
    return func(level.value(x), (level.batch_size, *sizes), **kwargs)


@rule_for("new_full")
def new_full(level: Level, func: Any, x: Any, size: Any, fill_value: Any, **kwargs: Any) -> Any:
    if isinstance(fill_value, Tensor):
        zeros = level.value(x).new_zeros((level.batch_size, *size), **kwargs)
        return zeros + level.aligned(fill_value, len(size))
    return func(level.value(x), (level.batch_size, *size), fill_value, **kwargs)
