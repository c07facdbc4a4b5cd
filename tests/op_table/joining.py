"""Joining, splitting and rearranging beyond the basic views."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import ALL, Error, Op, T, call
from .views import sizes, split


def joined(name: str, reference: Any, *shapes: tuple[int, ...], **fields: Any) -> Op:
    return Op(
        name,
        reference,
        [call([T(*shape), T(*shape)]) for shape in shapes],
        dtypes=ALL,
        method=False,
        out=True,
        **fields,
    )


def splitter(name: str, axis: int) -> Op:
    """`hsplit` and its kin: equal sections or positions."""

    def reference(x: np.ndarray, sections: Any) -> tuple[np.ndarray, ...]:
        return tuple(np.split(x, sections, 0 if x.ndim == 1 and axis == 1 else axis))

    return Op(name, reference, [call(T(4, 4, 4), 2), call(T(4, 4, 4), [1, 3])], dtypes=ALL, view=True)


def tensor_split(x, sections, dim=0):
    return tuple(np.array_split(x, list(sections) if isinstance(sections, tuple) else sections, dim))


def unfold(x, dimension, size, step):
    windows = np.lib.stride_tricks.sliding_window_view(x, size, dimension, writeable=True)
    return windows[(slice(None),) * (dimension % x.ndim) + (slice(None, None, step),)]


def unflatten(x, dim, shape):
    dim = dim % x.ndim
    return x.reshape(*x.shape[:dim], *shape, *x.shape[dim + 1 :])


def as_strided(x, size, stride, storage_offset=0):
    return np.lib.stride_tricks.as_strided(
        x.reshape(-1)[storage_offset:], size, [step * x.itemsize for step in stride]
    )


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    side = x.shape[-1] + abs(offset)
    made = np.zeros((*x.shape[:-1], side, side), x.dtype)
    steps = np.arange(x.shape[-1])
    made[..., steps + max(-offset, 0), steps + max(offset, 0)] = x
    return np.moveaxis(made, (-2, -1), (dim1, dim2))


def diagflat(x, offset=0):
    return np.diagflat(x, offset)


def rot90(x, k=1, dims=(0, 1)):
    return np.rot90(x, k, dims)


def repeat_interleave(x, repeats, dim=None):
    return np.repeat(x, repeats, dim)


def sum_to_size(x, *size):
    size = sizes(size)
    x = x.sum(tuple(range(x.ndim - len(size))))
    return x.sum(tuple(d for d, n in enumerate(size) if n == 1), keepdims=True)


OPS = [
    joined("hstack", np.hstack, (3,), (2, 3), (2, 2, 2)),
    joined("vstack", np.vstack, (3,), (2, 3), aliases=("row_stack",)),
    joined("dstack", np.dstack, (3,), (2, 3), (2, 2, 2)),
    joined("column_stack", np.column_stack, (3,), (2, 3)),
    splitter("hsplit", 1),
    splitter("vsplit", 0),
    splitter("dsplit", 2),
    Op("tensor_split", tensor_split, [call(T(7), 3), call(T(2, 6), (1, 4), dim=1)], dtypes=ALL, view=True),
    Op(
        "split_with_sizes",
        split,
        [call(T(5), [2, 3]), call(T(2, 5), [1, 4], dim=1)],
        dtypes=ALL,
        function=False,
        view=True,
    ),
    Op("unfold", unfold, [call(T(7), 0, 3, 2), call(T(2, 6), 1, 2, 2)], dtypes=ALL, function=False),
    Op("unflatten", unflatten, [call(T(6), 0, (2, 3)), call(T(2, 6), -1, (3, 2))], dtypes=ALL, view=True),
    Op(
        "as_strided",
        as_strided,
        [call(T(2, 3), (2, 2), (1, 2)), call(T(6), (2, 2), (2, 1), 1)],
        dtypes=ALL,
        layout_free=False,
    ),
    Op("ravel", np.ravel, [call(T(2, 3)), call(T())], dtypes=ALL),
    Op(
        "view_as",
        lambda x, y: x.reshape(y.shape),
        [call(T(2, 3), T(3, 2, grad=False))],
        dtypes=ALL,
        function=False,
        layout_free=False,
    ),
    Op(
        "reshape_as",
        lambda x, y: x.reshape(y.shape),
        [call(T(2, 3), T(3, 2, grad=False))],
        dtypes=ALL,
        function=False,
    ),
    Op(
        "expand_as",
        lambda x, y: np.broadcast_to(x, y.shape),
        [call(T(3), T(2, 3, grad=False))],
        dtypes=ALL,
        function=False,
    ),
    Op("adjoint", lambda x: np.swapaxes(x, -1, -2), [call(T(2, 3)), call(T(2, 3, 4))], dtypes=ALL, view=True),
    Op(
        "diag_embed",
        diag_embed,
        [call(T(3)), call(T(2, 3), 1), call(T(2, 2), offset=-1, dim1=0, dim2=1)],
        dtypes=ALL,
    ),
    Op("diagflat", diagflat, [call(T(3)), call(T(2, 2), -1)], dtypes=ALL),
    Op("fliplr", np.fliplr, [call(T(2, 3))], dtypes=ALL),
    Op("flipud", np.flipud, [call(T(3)), call(T(2, 3))], dtypes=ALL),
    Op("rot90", rot90, [call(T(2, 3)), call(T(2, 3), 2), call(T(2, 3, 2), -1, (1, 2))], dtypes=ALL),
    Op(
        "tile",
        lambda x, *dims: np.tile(x, sizes(dims)),
        [call(T(3), (2,)), call(T(2, 3), (2, 1)), call(T(2, 3), (2,))],
        dtypes=ALL,
    ),
    Op(
        "repeat_interleave",
        repeat_interleave,
        [call(T(2, 3), 2), call(T(2, 3), 2, dim=1), call(T(3), T(values=[1, 0, 2], dtype="int64"), 0)],
        dtypes=ALL,
    ),
    Op("sum_to_size", sum_to_size, [call(T(2, 3), 1, 3), call(T(4, 2, 3), 2, 1)], function=False),
    Op("combinations", None, [call(T(4))], dtypes=ALL, method=False),
    Op(
        "meshgrid",
        lambda *axes, indexing: tuple(np.meshgrid(*axes, indexing=indexing)),
        [call(T(2), T(3), indexing="ij"), call(T(2), T(3), indexing="xy")],
        dtypes=ALL,
        method=False,
    ),
    Op(
        "cartesian_prod",
        lambda *axes: np.stack([g.reshape(-1) for g in np.meshgrid(*axes, indexing="ij")], -1),
        [call(T(2), T(3))],
        dtypes=ALL,
        method=False,
    ),
    Op(
        "broadcast_tensors",
        lambda *tensors: tuple(np.broadcast_arrays(*tensors)),
        [call(T(3), T(2, 1))],
        dtypes=ALL,
        method=False,
    ),
    Op(
        "trace",
        np.trace,
        [call(T(3, 3)), call(T(2, 4))],
        dtypes=("float32", "float64"),
        errors=[Error(call(T(3)), RuntimeError, "trace: expected a matrix, but got tensor with dim 1")],
    ),
    *[
        Op(
            f"atleast_{n}d",
            reference,
            [call(T()), call(T(3)), call(T(2, 3)), call(T(2, 2, 2))],
            dtypes=ALL,
            method=False,
        )
        for n, reference in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), 1)
    ],
]
