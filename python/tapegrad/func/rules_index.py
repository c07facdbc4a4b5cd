"""Batching rules of indexing, gathering and scattering."""

from __future__ import annotations

from typing import Any

from .. import _C
from .batched import RULES, Level, check_writable, decomposition_for, innermost, rule_for, words
from .rules_shape import wrap_dim
from .signatures import bind

Tensor = _C.Tensor
NO_SHAPE = (
    "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over "
    "indexing with a boolean mask. Use torch.where(mask, x, 0)."
)


# Keys: integers, slices, None and ... make a view; then tensors choose elements of it.


def _as_tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (_C.bool, _C.uint8)


def _is_basic(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice) or type(item) is int


def _as_index(item: Any) -> Tensor:
    return item if isinstance(item, Tensor) else _C.as_tensor(item)


def _split_key(x: Tensor, key: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[tuple[int, Tensor]]]:
    """A key of basic items, and (dimension of the view, index) for the tensors."""
    items = [item if _is_basic(item) else _as_index(item) for item in key]
    named = sum(
        0 if item is None or item is Ellipsis else item.dim() if _is_mask(item) else 1 for item in items
    )
    if named > x.dim():
        raise IndexError(f"too many indices for tensor of dimension {x.dim()}")
    basic: list[Any] = []
    chosen: list[tuple[int, Tensor]] = []
    dim, expanded = 0, False
    for item in items:
        if item is Ellipsis:
            count = 0 if expanded else x.dim() - named
            expanded = True
            basic += [slice(None)] * count
            dim += count
        elif isinstance(item, Tensor):
            # A mask stands for the indices of its true elements.
            indices = item.nonzero(as_tuple=True) if _is_mask(item) and item.dim() else (item,)
            for index in indices:
                basic.append(slice(None))
                chosen.append((dim, index))
                dim += 1
        else:
            basic.append(item)
            dim += type(item) is not int
    return tuple(basic), chosen


class _Selection:
    """Elements of a view chosen by tensors: the batch, the indices and the rest, in this order."""

    def __init__(self, level: Level, x: Tensor, chosen: list[tuple[int, Tensor]]) -> None:
        dims = [dim for dim, _ in chosen]
        self.level = level
        self.rank = max(index.dim() for _, index in chosen)
        adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
        self.start = dims[0] if adjacent else 0  # where an example has the dimensions of the indices
        moved = x.movedim(dims, list(range(len(dims))))
        indices = [level.aligned(index.long(), self.rank) for _, index in chosen]
        if not level.has(x):
            self.value, self.key = moved, tuple(indices)
        elif any(level.has(index) for _, index in chosen):
            every = _C.arange(level.batch_size).reshape(-1, *[1] * self.rank)
            self.value, self.key = level.value(moved), (every, *indices)
        else:
            self.value, self.key = level.value(moved), (slice(None), *indices)
        index_shape = _C.broadcast_tensors(*(_C.empty(i.shape, dtype=_C.bool) for _, i in chosen))[0].shape
        rest = moved.shape[len(dims) :]
        self.shape = (*rest[: self.start], *index_shape, *rest[self.start :])

    def get(self) -> Tensor:
        result = self.value[self.key]
        return result.movedim(self._front(), self._inside())

    def arranged(self, value: Tensor) -> Tensor:
        """A value for the selected elements, in the order that they have here."""
        spread = self.level.batch(value.expand(self.shape))
        return spread.movedim(self._inside(), self._front())

    def _front(self) -> list[int]:
        return [1 + k for k in range(self.rank)]

    def _inside(self) -> list[int]:
        return [1 + self.start + k for k in range(self.rank)]


def _reject_masks(level: Level, key: tuple[Any, ...]) -> None:
    if any(level.has(item) and _is_mask(item) for item in key):
        raise RuntimeError(NO_SHAPE)


def _plain_key(key: Any) -> tuple[Any, ...]:
    """A tuple; a list with anything but numbers in it means one, too."""
    if isinstance(key, list) and any(
        isinstance(item, (Tensor, slice, list, tuple)) or item is None for item in key
    ):
        return tuple(key)
    return _as_tuple(key)


@rule_for("__getitem__")
def get_item(level: Level, func: Any, x: Any, key: Any) -> Any:
    key = _plain_key(key)
    if level.has(x) and all(map(_is_basic, key)):
        if sum(item is not None and item is not Ellipsis for item in key) > x.dim():
            raise IndexError(f"too many indices for tensor of dimension {x.dim()}")
        inner: tuple[Any, ...] = (slice(None), *key)
        return x._value[inner]
    _reject_masks(level, key)
    basic, chosen = _split_key(x, key)
    return _Selection(level, x[basic], chosen).get()


@rule_for("__setitem__")
def set_item(level: Level, func: Any, x: Any, key: Any, value: Any) -> None:
    check_writable(level, x)
    key = _plain_key(key)
    value = value if isinstance(value, Tensor) else _C.as_tensor(value, dtype=x.dtype)
    if len(key) == 1 and level.has(key[0]) and _is_mask(key[0]):
        mask = key[0]
        if value.numel() != 1:
            raise RuntimeError(NO_SHAPE)
        mask = mask.reshape(*mask.shape, *[1] * (x.dim() - mask.dim())).bool()
        x.copy_(_C.where(mask, value.reshape(()).to(x.dtype), x))
        return
    _reject_masks(level, key)
    basic, chosen = _split_key(x, key)
    part = x[basic]
    if chosen:
        selection = _Selection(level, part, chosen)
        while value.dim() > len(selection.shape) and value.shape[0] == 1:
            value = value.squeeze(0)
        selection.value[selection.key] = selection.arranged(value.to(x.dtype))
    else:
        while value.dim() > part.dim() and value.shape[0] == 1:
            value = value.squeeze(0)
        part.copy_(value)


@decomposition_for("index_select")
def index_select(x: Any, dim: int, index: Any) -> Any:
    return x[(slice(None),) * (dim % max(x.dim(), 1)) + (index.reshape(-1),)]


@decomposition_for("take")
def take(x: Any, index: Any) -> Any:
    return x.reshape(-1)[index]


@decomposition_for("index_put")
def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    if accumulate:
        raise RuntimeError(
            "vmap: index_put(accumulate=True) is not supported on batched tensors: use scatter_add"
        )
    return _replaced(x, values, tuple(slice(None) if index is None else index for index in indices))


@rule_for("embedding")
def embedding(level: Level, func: Any, weight: Any, indices: Any, *args: Any, **kwargs: Any) -> Any:
    if not level.has(weight):
        return func(weight, indices._value, *args, **kwargs)
    bound = bind(func, (weight, indices, *args), kwargs)
    padding = bound.get("padding_idx", -1)
    if padding is not None and padding != -1:
        row = _C.arange(weight.shape[0]).unsqueeze(1) == padding % weight.shape[0]
        weight = _C.where(row, weight.detach(), weight)
    return weight[indices]


# Along one dimension; every tensor gets the batch dimension

ALONG_A_DIM = words("gather scatter scatter_add scatter_reduce index_add index_copy index_fill")
INDEX_IS_SHARED = {"index_add", "index_copy", "index_fill"}


@rule_for(*ALONG_A_DIM)
def along_a_dim(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    bound = bind(func, args, kwargs)
    x = bound["input"]
    name, rank = func.__name__, x.dim()
    if name in INDEX_IS_SHARED and (level.has(bound["index"]) or rank == 0):
        return _scattered(name, **bound)
    if level.has(bound.get("value")):
        return _scattered(name, **bound)
    bound["dim"] = wrap_dim(bound["dim"], rank)
    for key in ("input", "index", "src", "source"):
        tensor = bound.get(key)
        if isinstance(tensor, Tensor) and not (key == "index" and name in INDEX_IS_SHARED):
            batched = level.batch(tensor)
            bound[key] = batched.unsqueeze(-1) if rank == 0 else batched
    result = func(**bound)
    return result.squeeze(-1) if rank == 0 else result


def _scattered(
    name: str, input: Any, dim: int, index: Any, source: Any = None, value: Any = None, alpha: Any = 1
) -> Any:
    """index_add, index_copy or index_fill: the same index for all of a slice, written out."""
    if input.dim() == 0:
        return _scattered(name, input.reshape(1), 0, index.reshape(-1), source, value, alpha).reshape(())
    dim = dim % input.dim()
    sizes = [n if d != dim else index.numel() for d, n in enumerate(input.shape)]
    index = index.reshape([-1 if d == dim else 1 for d in range(input.dim())]).expand(sizes)
    if name == "index_add":
        return input.scatter_add(dim, index, (source * alpha).expand(sizes))
    if source is None:
        source = value if isinstance(value, Tensor) else _C.full((), value, dtype=input.dtype)
    return input.scatter(dim, index, source.to(input.dtype).expand(sizes))


@decomposition_for("diagonal_scatter")
def diagonal_scatter(x: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    level = innermost([x, src])
    copy = level.wrap(level.batch(x).clone())
    copy.diagonal(offset, dim1, dim2).copy_(src)
    return copy


@rule_for("fill_diagonal_")
def fill_diagonal_(level: Level, func: Any, x: Any, fill_value: Any, wrap: bool = False) -> Any:
    if wrap or x.dim() != 2:
        return RULES["fallback"](level, func, x, fill_value, wrap)
    check_writable(level, x).diagonal(0, 1, 2).fill_(fill_value)
    return x


@rule_for("searchsorted")
def searchsorted(level: Level, func: Any, sequence: Any, values: Any, **kwargs: Any) -> Any:
    if not isinstance(values, Tensor):
        values = _C.as_tensor(values, dtype=sequence.dtype)
    if not level.has(sequence) and sequence.dim() == 1:
        return func(sequence, values._value, **kwargs)
    if sequence.dim() == 1:  # the values may have any shape
        flat = func(level.batch(sequence), level.batch(values.reshape(-1)), **kwargs)
        return flat.reshape(level.batch_size, *values.shape)
    return func(level.batch(sequence), level.batch(values), **kwargs)


@decomposition_for("bucketize")
def bucketize(values: Any, boundaries: Any, **kwargs: Any) -> Any:
    return _C.searchsorted(boundaries, values, **kwargs)


@decomposition_for("slice_scatter")
def slice_scatter(x: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return _replaced(x, src, (slice(None),) * (dim % x.dim()) + (slice(start, end, step),))


@decomposition_for("select_scatter")
def select_scatter(x: Any, src: Any, dim: int, index: int) -> Any:
    return _replaced(x, src, (slice(None),) * (dim % x.dim()) + (index,))


def _replaced(x: Any, part: Any, key: tuple[Any, ...]) -> Any:
    """x with another part at `key`; a copy that is batched if one of them is."""
    level = innermost([x, part, key])
    copy = level.wrap(level.batch(x).clone())
    copy[key] = part
    return copy
