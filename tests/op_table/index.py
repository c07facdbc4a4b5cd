"""Indexing, gathering, masking, sorting."""

from __future__ import annotations

import numpy as np

from .row import ALL, FLOATS, REALS, Error, Op, T, TensorSpec, call

WRONG_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"


def indices(*shape: int, below: int) -> TensorSpec:
    return T(*shape, dtype="int64", low=0, high=below - 1)


def mask(*shape: int) -> TensorSpec:
    return T(*shape, dtype="bool")


def index_select(x, dim, index):
    return np.take(x, index.reshape(-1), axis=dim)


def gather(x, dim, index):
    kept = x[tuple(slice(None) if d == dim % x.ndim else slice(size) for d, size in enumerate(index.shape))]
    return np.take_along_axis(kept, index, dim)


def places(x, dim, index):
    """The positions in `x` that `scatter` writes for each element of `index`."""
    grid = list(np.indices(index.shape))
    grid[dim % x.ndim] = index
    return tuple(grid)


def scatter(x, dim, index, src=None, value=None):
    src = value if src is None else src
    written = x.copy()
    written[places(x, dim, index)] = (
        src[tuple(slice(size) for size in index.shape)] if isinstance(src, np.ndarray) else src
    )
    return written


def scatter_add(x, dim, index, src):
    written = x.copy()
    np.add.at(written, places(x, dim, index), src[tuple(slice(size) for size in index.shape)])
    return written


def index_add(x, dim, index, source, alpha=1):
    written = x.copy()
    np.add.at(np.moveaxis(written, dim, 0), index, alpha * np.moveaxis(source, dim, 0))
    return written


def masked_fill(x, mask, value):
    return np.where(mask, value, x).astype(x.dtype)


def masked_select(x, mask):
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape))[
        np.broadcast_to(mask, np.broadcast_shapes(x.shape, mask.shape))
    ]


def take_along_dim(x, index, dim=None):
    return np.take_along_axis(
        x.reshape(-1) if dim is None else x,
        index.reshape(-1) if dim is None else index,
        0 if dim is None else dim,
    )


def order_of(x, dim=-1, descending=False, stable=False):
    if x.ndim == 0:
        return np.zeros((), np.int64)
    kept = -x.astype(np.float64) if descending else x
    return np.argsort(kept, axis=dim, kind="stable")


def sort(x, dim=-1, descending=False, stable=False):
    order = order_of(x, dim, descending)
    return (np.take_along_axis(x, order, dim), order) if x.ndim else (x, order)


def topk(x, k, dim=-1, largest=True, sorted=True):
    values, order = sort(x, dim, largest)
    return (np.take(values, range(k), dim), np.take(order, range(k), dim)) if x.ndim else (values, order)


def nonzero(x):
    return np.argwhere(x)


def unique(x, sorted=True, return_inverse=False, return_counts=False):
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    results = [values] + [inverse.reshape(x.shape)] * return_inverse + [counts] * return_counts
    return tuple(results) if len(results) > 1 else values


def embedding(index, weight, padding_idx=None):
    return weight[index]


DISTINCT = {"domain": (-100.0, 100.0)}
PERMUTED = T(values=[2, 0, 1], dtype="int64")
BAD_INDEX = T(values=[0, 7], dtype="int64")
TIES = T(values=[3.0, 1.0, 3.0, 1.0, 2.0])
PAIR = ("same", "int64")

OPS = [
    Op(
        "index_select",
        index_select,
        [
            call(T(4, 3), 0, indices(5, below=4)),
            call(T(4, 3), 1, indices(2, below=3)),
            call(T(4), -1, indices(3, below=4)),
            call(T(2, 3, 4), 1, indices(0, below=3)),
        ],
        dtypes=ALL,
        out=True,
        errors=[
            Error(call(T(3), 0, BAD_INDEX), IndexError, "index out of range in self"),
            Error(
                call(T(3), 0, T(2)), RuntimeError, "index_select(): Expected dtype int32 or int64 for index"
            ),
            Error(
                call(T(3), 0, indices(2, 2, below=3)),
                IndexError,
                "index_select(): Index is supposed to be a vector",
            ),
        ],
    ),
    Op(
        "gather",
        gather,
        [
            call(T(3, 4), 1, indices(3, 2, below=4)),
            call(T(3, 4), 0, indices(2, 4, below=3)),
            call(T(5), 0, indices(7, below=5)),
            call(T(2, 3, 4), -1, indices(2, 3, 1, below=4)),
            call(T(3, 4), 1, indices(2, 3, below=4)),
        ],
        dtypes=ALL,
        out=True,
        errors=[
            Error(
                call(T(3), 0, BAD_INDEX), RuntimeError, "index 7 is out of bounds for dimension 0 with size 3"
            ),
            Error(
                call(T(3, 4), 1, indices(3, below=3)),
                RuntimeError,
                "Index tensor must have the same number of dimensions as input tensor",
            ),
            Error(call(T(3), 0, T(3)), RuntimeError, "gather(): Expected dtype int32/int64 for index"),
        ],
    ),
    Op(
        "scatter",
        scatter,
        [
            call(T(3, 4), 1, T(values=[[0, 2], [1, 3], [3, 0]], dtype="int64"), T(3, 2)),
            call(T(3), 0, PERMUTED, T(3)),
            call(T(3, 4), 0, T(values=[[0, 2, 1, 0]], dtype="int64"), T(1, 4)),
            call(T(3, 4), 1, T(values=[[1], [0], [3]], dtype="int64"), 2.0).only(*FLOATS, "int64"),
            call(T(4), 0, T(values=[1, 2], dtype="int64"), value=1).only(*REALS),
        ],
        dtypes=ALL,
        inplace=True,
        out=True,
        errors=[
            Error(
                call(T(3), 0, BAD_INDEX, T(2)),
                RuntimeError,
                "index 7 is out of bounds for dimension 0 with size 3",
            )
        ],
    ),
    Op(
        "scatter_add",
        scatter_add,
        [
            call(T(3, 4), 1, indices(3, 2, below=4), T(3, 2)),
            call(T(3), 0, T(values=[0, 0, 2], dtype="int64"), T(3)),
            call(T(3, 4), 0, indices(1, 4, below=3), T(1, 4)),
        ],
        dtypes=REALS,
        inplace=True,
        out=True,
        errors=[
            Error(
                call(T(3), 0, BAD_INDEX, T(2)),
                RuntimeError,
                "index 7 is out of bounds for dimension 0 with size 3",
            )
        ],
    ),
    Op(
        "index_add",
        index_add,
        [
            call(T(3, 2), 0, T(values=[0, 2, 0], dtype="int64"), T(3, 2)),
            call(T(2, 3), 1, T(values=[1], dtype="int64"), T(2, 1), alpha=2),
        ],
        dtypes=("float32", "float64", "int64"),
        inplace=True,
    ),
    Op(
        "masked_fill",
        masked_fill,
        [
            call(T(2, 3), mask(2, 3), 1.0).only(*FLOATS),
            call(T(2, 3), mask(3), 2),
            call(T(2, 3), mask(2, 1), T()),
            call(T(), mask(), 1),
            call(T(2, 3), mask(2, 3), float("-inf")).only(*FLOATS).without_gradient(),
        ],
        dtypes=REALS,
        inplace=True,
        errors=[
            Error(
                call(T(3), T(3), 1.0),
                RuntimeError,
                "masked_fill_ only supports boolean masks, but got mask with dtype",
            ),
            Error(
                call(T(2, 3), mask(2, 4), 1.0),
                RuntimeError,
                "The size of tensor a (4) must match the size of tensor b (3) at non-singleton dimension 1",
            ),
            Error(
                call(T(3), mask(3), T(2)),
                RuntimeError,
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with 1 "
                "dimension(s).",
            ),
        ],
    ),
    Op(
        "masked_select",
        masked_select,
        [call(T(2, 3), mask(2, 3)), call(T(2, 3), mask(3)), call(T(3), mask(2, 1)), call(T(), mask())],
        dtypes=ALL,
        out=True,
        errors=[Error(call(T(3), T(3)), RuntimeError, "masked_select: expected BoolTensor for mask")],
    ),
    Op(
        "take_along_dim",
        take_along_dim,
        [
            call(T(3, 4), indices(3, 2, below=4), 1),
            call(T(12), indices(5, below=12)),
            call(T(3, 4), indices(2, 4, below=3), dim=0),
        ],
        dtypes=ALL,
        errors=[
            Error(
                call(T(3, 4), T(3, 4), 1),
                RuntimeError,
                "torch.take_along_dim(): dtype of indices should be Long but got Float",
            )
        ],
    ),
    Op(
        "sort",
        sort,
        [
            call(T(6)),
            call(T(3, 4)),
            call(T(3, 4), 0),
            call(T(3, 4), -1, True),
            call(T(3, 4), dim=1, descending=True),
            call(T()),
            call(T(0)),
            call(TIES, stable=True).without_gradient(),
        ],
        dtypes=("float32", "float64", "int32", "int64"),
        result=PAIR,
        out=True,
        **DISTINCT,
        errors=[Error(call(T(2, 3), 2), IndexError, WRONG_DIM)],
    ),
    Op(
        "argsort",
        order_of,
        [
            call(T(6)),
            call(T(3, 4)),
            call(T(3, 4), 0),
            call(T(3, 4), -1, True),
            call(T(3, 4), dim=1, descending=True),
            call(T()),
            call(TIES, stable=True),
        ],
        dtypes=FLOATS,
        result="int64",
        differentiable=False,
        **DISTINCT,
        errors=[Error(call(T(2, 3), 2), IndexError, WRONG_DIM)],
    ),
    Op(
        "topk",
        topk,
        [
            call(T(6), 2),
            call(T(3, 4), 3),
            call(T(3, 4), 2, 0),
            call(T(3, 4), 1, -1, False),
            call(T(3, 4), k=2, dim=1, largest=True, sorted=True),
        ],
        dtypes=("float32", "float64"),
        result=PAIR,
        out=True,
        **DISTINCT,
        errors=[
            Error(call(T(3), 4), RuntimeError, "selected index k out of range"),
            Error(call(T(2, 3), 1, 2), IndexError, WRONG_DIM),
        ],
    ),
    Op(
        "nonzero",
        nonzero,
        [
            call(T(2, 3)),
            call(T(5)),
            call(T(values=[[0.0, 1.0], [2.0, 0.0]])),
            call(T(0, 3)),
            call(mask(3, 4)),
        ],
        dtypes=ALL,
        result="int64",
        differentiable=False,
    ),
    Op(
        "unique",
        unique,
        [
            call(TIES),
            call(T(values=[[3, 1], [1, 2]])),
            call(TIES, return_inverse=True).gives(PAIR),
            call(TIES, return_counts=True).gives(PAIR),
            call(T(values=[[3, 1], [1, 2]]), return_inverse=True, return_counts=True).gives(
                ("same", "int64", "int64")
            ),
            call(T(0)),
        ],
        dtypes=("float32", "float64", "int32", "int64"),
        differentiable=False,
    ),
    Op(
        "nn.functional.embedding",
        embedding,
        [
            call(indices(5, below=4), T(4, 3)),
            call(indices(2, 3, below=4), T(4, 2)),
            call(T(values=[0, 0, 1], dtype="int64"), T(2, 3)),
            call(T(values=2, dtype="int64"), T(4, 3)),
        ],
        method=False,
        errors=[Error(call(BAD_INDEX, T(3, 2)), IndexError, "index out of range in self")],
    ),
]
