"""Batching rules of products of matrices and of convolutions."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from .. import _C
from .batched import Level, decomposition_for, rule_for
from .signatures import bind

Tensor = _C.Tensor


@rule_for("matmul", "__matmul__", "__rmatmul__", "mm", "bmm")
def matmul(level: Level, func: Any, a: Any, b: Any) -> Any:
    """Vectors become matrices, so that every dimension in front of the last two is one of batches."""
    if func.__name__ == "__rmatmul__":
        a, b = b, a
    for x, rank in zip((a, b), {"mm": (2, 2), "bmm": (3, 3)}.get(func.__name__, (a.dim(), b.dim()))):
        if x.dim() != rank:
            raise RuntimeError(f"{func.__name__}: expected a tensor with {rank} dimensions, got {x.dim()}D")
    left, right = a.dim() == 1, b.dim() == 1
    if left:
        a = a.unsqueeze(0)
    if right:
        b = b.unsqueeze(1)
    rank = max(a.dim(), b.dim())
    product = _C.matmul(level.aligned(a, rank), level.aligned(b, rank))
    if right:
        product = product.squeeze(-1)
    return product.squeeze(-1 if right else -2) if left else product


@decomposition_for("mv")
def mv(matrix: Any, vector: Any) -> Any:
    return _C.matmul(matrix, vector)


@decomposition_for("dot", "vdot")
def dot(a: Any, b: Any) -> Any:
    if a.dim() != 1 or b.dim() != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.dim()}D and {b.dim()}D tensors")
    return _C.matmul(a, b)


@decomposition_for("outer", "ger")
def outer(a: Any, b: Any) -> Any:
    return a.unsqueeze(1) * b.unsqueeze(0)


@decomposition_for("inner")
def inner(a: Any, b: Any) -> Any:
    return a * b if a.dim() == 0 or b.dim() == 0 else _C.tensordot(a, b, ([-1], [-1]))


@decomposition_for("addmm", "addmv", "baddbmm")
def add_product(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return beta * x + alpha * _C.matmul(a, b)


@decomposition_for("addbmm")
def addbmm(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return beta * x + alpha * _C.matmul(a, b).sum(0)


@decomposition_for("addr")
def addr(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return beta * x + alpha * _C.outer(a, b)


@rule_for("linear")
def linear(level: Level, func: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    if not level.has(weight) and not level.has(bias):
        return func(level.value(x), weight, bias)
    product = _C.matmul(x, weight.transpose(-2, -1) if weight.dim() > 1 else weight)
    return product if bias is None else product + bias


@decomposition_for("bilinear")
def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    product = _C.einsum("...i,kij,...j->...k", x1, weight, x2)
    return product if bias is None else product + bias


@rule_for("einsum")
def einsum(level: Level, func: Any, equation: str, *operands: Any) -> Any:
    """One more letter, in front, for the batch."""
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    equation = equation.replace(" ", "")
    letter = next(c for c in string.ascii_letters if c not in equation)
    left, arrow, right = equation.partition("->")
    if not arrow:
        right = "..." if "..." in left else ""
        right += "".join(sorted(c for c in set(left) - {",", "."} if left.count(c) == 1))
    terms = [letter + t if level.has(x) else t for t, x in zip(left.split(","), operands)]
    return func(f"{','.join(terms)}->{letter}{right}", *level.values(*operands))


@decomposition_for("tensordot")
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    if isinstance(dims, int):
        dims = (list(range(a.dim() - dims, a.dim())), list(range(dims)))
    pairs = [(i % a.dim(), j % b.dim()) for i, j in zip(*dims)]
    letters = string.ascii_letters
    left = list(letters[: a.dim()])
    right = list(letters[a.dim() : a.dim() + b.dim()])
    for i, j in pairs:
        right[j] = left[i]
    kept = [c for k, c in enumerate(left) if k not in [i for i, _ in pairs]]
    kept += [c for k, c in enumerate(right) if k not in [j for _, j in pairs]]
    return _C.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", a, b)


@decomposition_for("kron")
def kron(a: Any, b: Any) -> Any:
    rank = max(a.dim(), b.dim())
    a = a.reshape([1] * (rank - a.dim()) + list(a.shape))
    b = b.reshape([1] * (rank - b.dim()) + list(b.shape))
    interleave = lambda x, before: x.reshape(
        [n for size in x.shape for n in ((1, size) if before else (size, 1))]
    )
    shape = [m * n for m, n in zip(a.shape, b.shape)]
    return (interleave(a, False) * interleave(b, True)).reshape(shape)


@decomposition_for("cross")
def cross(a: Any, b: Any, dim: int = -1) -> Any:
    a, b = _C.broadcast_tensors(a, b)
    return a.roll(-1, dim) * b.roll(-2, dim) - a.roll(-2, dim) * b.roll(-1, dim)


# Convolution: the batch becomes more images, or more groups of channels


def _fold(x: Tensor, dim: int) -> Tensor:
    """(B, ..., n, ...) -> (..., B * n, ...) at `dim` of an example."""
    return x.movedim(0, dim).flatten(dim, dim + 1)


def _unfold(x: Tensor, dim: int, batch_size: int) -> Tensor:
    """The inverse of _fold."""
    return x.unflatten(dim, (batch_size, x.shape[dim] // batch_size)).movedim(dim, 0)


CONVOLUTIONS = [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)]


@rule_for(*CONVOLUTIONS)
def convolution(
    level: Level, func: Any, x: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any
) -> Any:
    bound = bind(func, (x, weight, bias, *args), kwargs)
    options = {name: value for name, value in bound.items() if name not in ("input", "weight", "bias")}
    groups = options.pop("groups", 1)
    transposed = "transpose" in func.__name__
    single = x.dim() == weight.dim() - 1  # an image without a dimension for images
    if single:
        x = x.unsqueeze(0)
    inner_bias = None if level.has(bias) or level.has(weight) else bias
    if not level.has(weight):
        images = _fold(level.batch(x), 0)
        out = _unfold(func(images, weight, inner_bias, groups=groups, **options), 0, level.batch_size)
    else:
        size = level.batch_size
        filters = _fold(weight._value, 0)
        if not level.has(x) and groups == 1 and not transposed:
            out = func(x, filters, None, **options)
        else:
            out = func(_fold(level.batch(x), 1), filters, None, groups=size * groups, **options)
        out = _unfold(out, 1, size)
    result = level.wrap(out)
    if bias is not None and inner_bias is None:
        result = result + bias.reshape(-1, *[1] * (result.dim() - 2))
    return result.squeeze(0) if single else result


# Operations on images: the batch becomes more images

ON_IMAGES = [
    f"{kind}_pool{n}d{ending}"
    for kind, endings in {
        "avg": ("",),
        "max": ("", "_with_indices"),
        "adaptive_avg": ("",),
        "adaptive_max": ("",),
    }.items()
    for ending in endings
    for n in (1, 2, 3)
]


def _as_images(x: Tensor, rank: int) -> Tensor:
    """(B, N, C, ...) -> (B * N, C, ...); (B, C, ...) is a batch of images already."""
    return x.flatten(0, 1) if x.dim() == rank + 3 else x


def _from_images(result: Any, x: Tensor, rank: int) -> Any:
    if isinstance(result, (tuple, list)):
        return type(result)([_from_images(member, x, rank) for member in result])
    return result.unflatten(0, tuple(x.shape[:2])) if x.dim() == rank + 3 else result


def _on_images(
    level: Level, func: Any, rank: int, x: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    value = level.value(x)
    return _from_images(func(_as_images(value, rank), *args, **kwargs), value, rank)


@rule_for(*ON_IMAGES)
def on_images(level: Level, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    return _on_images(level, func, _rank_in(func.__name__), x, args, kwargs)


def _rank_in(name: str) -> int:
    """The number in avg_pool2d."""
    return int(next(c for c in name if c.isdigit()))


@rule_for("im2col")
def im2col(level: Level, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    return _on_images(level, func, 2, x, args, kwargs)


@rule_for("col2im")
def col2im(level: Level, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Columns have one dimension where images have two."""
    return _on_images(level, func, 1, x, args, kwargs)


@rule_for("_max_unpool1d", "_max_unpool2d", "_max_unpool3d")
def max_unpool(level: Level, func: Any, x: Any, indices: Any, output_size: Any) -> Any:
    rank, value = _rank_in(func.__name__), level.batch(x)
    result = func(_as_images(value, rank), _as_images(level.batch(indices), rank), output_size)
    return _from_images(result, value, rank)


@rule_for("constant_pad_nd")
def constant_pad_nd(level: Level, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Padding counts dimensions from the last."""
    return func(level.value(x), *args, **kwargs)
