"""Writing at indices, and slices written into copies."""

from __future__ import annotations

import numpy as np

from .index import indices, mask, places
from .row import ALL, REALS, Error, Op, T, call

ROWS = T(values=[2, 0], dtype="int64")


def with_dim(x, dim, index, value):
    """A copy of `x` whose slices `index` along `dim` are `value`."""
    written = x.copy()
    written[(slice(None),) * (dim % x.ndim) + (index,)] = value
    return written


def index_put(x, index, values, accumulate=False):
    written = x.copy()
    if accumulate:
        np.add.at(written, tuple(index), values)
    else:
        written[tuple(index)] = values
    return written


def put(x, index, source, accumulate=False):
    return index_put(x.reshape(-1), [index], source, accumulate).reshape(x.shape)


def masked_scatter(x, mask, source):
    written = x.copy()
    mask = np.broadcast_to(mask, x.shape)
    written[mask] = source.reshape(-1)[: mask.sum()]
    return written


def scatter_reduce(x, dim, index, src, reduce, include_self=True):
    combine = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[reduce]
    written = x.copy()
    combine.at(written, places(x, dim, index), src)
    return written


def slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    return with_dim(x, dim, slice(start, end, step), src)


def diagonal_scatter(x, src, offset=0):
    written = x.copy()
    np.fill_diagonal(written[:, offset:], src)
    return written


def fill_diagonal(x, value):
    written = x.copy()
    np.fill_diagonal(written, value)
    return written


OPS = [
    Op(
        "index_copy",
        with_dim,
        [call(T(3, 4), 0, ROWS, T(2, 4)), call(T(4, 3), 1, ROWS, T(4, 2))],
        dtypes=ALL,
        inplace=True,
        out=True,
    ),
    Op(
        "index_fill",
        with_dim,
        [call(T(3, 4), 0, ROWS, 2.0).only("float32", "float64"), call(T(4, 3), 1, ROWS, T())],
        dtypes=ALL,
        inplace=True,
    ),
    Op(
        "index_put",
        index_put,
        [
            call(T(3, 4), [ROWS, ROWS], T(2)),
            call(T(3, 4), [ROWS], T(4)),
            call(T(3), [T(values=[1, 1], dtype="int64")], T(2), accumulate=True),
        ],
        dtypes=REALS,
        inplace=True,
    ),
    Op(
        "put",
        put,
        [
            call(T(2, 3), T(values=[4, 1], dtype="int64"), T(2)),
            call(T(2, 3), T(values=[1, 1], dtype="int64"), T(2), True),
        ],
        dtypes=REALS,
        function=False,
        inplace=True,
    ),
    Op(
        "take",
        lambda x, index: x.reshape(-1)[index],
        [call(T(2, 3), indices(4, below=6)), call(T(2, 3), indices(2, 2, below=6))],
        dtypes=ALL,
        out=True,
        errors=[
            Error(
                call(T(3), T(values=[7], dtype="int64")), IndexError, "out of range: tried to access index 7"
            )
        ],
    ),
    Op(
        "masked_scatter",
        masked_scatter,
        [call(T(2, 3), mask(2, 3), T(6)), call(T(2, 3), mask(3), T(3, 2))],
        dtypes=ALL,
        inplace=True,
    ),
    Op(
        "scatter_reduce",
        scatter_reduce,
        [
            call(T(5), 0, T(values=[0, 2, 0, 1], dtype="int64"), T(4), reduce=name)
            for name in ("sum", "prod", "amax", "amin")
        ],
        avoid=(0.0,),
        inplace=True,
        out=True,
    ),
    Op(
        "select_scatter",
        lambda x, src, dim, index: with_dim(x, dim, index, src),
        [call(T(2, 3), T(3), 0, 1), call(T(2, 3), T(2), 1, -1)],
        dtypes=ALL,
    ),
    Op(
        "slice_scatter",
        slice_scatter,
        [call(T(4, 2), T(2, 2), 0, 1, 3), call(T(2, 5), T(2, 2), dim=1, start=0, end=4, step=2)],
        dtypes=ALL,
    ),
    Op("diagonal_scatter", diagonal_scatter, [call(T(3, 3), T(3)), call(T(3, 4), T(3), 1)], dtypes=ALL),
    Op(
        "fill_diagonal_",
        fill_diagonal,
        [call(T(3, 3), 2), call(T(4, 3), 1)],
        dtypes=REALS,
        function=False,
        differentiable=False,
    ),
    Op(
        "fill_",
        lambda x, value: np.full_like(x, value),
        [call(T(2, 3), 2), call(T(3), T())],
        dtypes=ALL,
        function=False,
        differentiable=False,
    ),
    Op("zero_", np.zeros_like, [call(T(2, 3)), call(T())], dtypes=ALL, function=False, differentiable=False),
    Op(
        "copy_",
        lambda x, src: np.broadcast_to(src, x.shape),
        [call(T(2, 3), T(3)), call(T(2), T())],
        dtypes=ALL,
        function=False,
        differentiable=False,
    ),
    Op(
        "argwhere",
        np.argwhere,
        [call(T(2, 3)), call(mask(3, 4))],
        dtypes=ALL,
        result="int64",
        differentiable=False,
    ),
]
