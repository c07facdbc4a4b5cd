"""Order statistics, counting, running extrema and sums that skip nan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .reduce import OUT_OF_RANGE, TIES, over_axes
from .row import FLOATS, REALS, Op, T, call

PAIR = ("same", "int64")
DISTINCT = (-100.0, 100.0)
HOLES = T(values=[[1.0, np.nan, 3.0], [np.nan, np.nan, 2.5]])
SORTED = T(values=[-1.0, 0.0, 0.5, 2.0])


def kth(x, k, dim=-1, keepdim=False):
    order = np.take(np.argsort(x, dim, kind="stable"), [k - 1], dim)
    values = np.take_along_axis(x, order, dim)
    return (values, order) if keepdim else (values.squeeze(dim), order.squeeze(dim))


def median(x, dim=None, keepdim=False):
    """The lower of the two middle values."""
    if dim is None:
        return np.sort(x.reshape(-1))[(x.size - 1) // 2]
    return kth(x, (x.shape[dim] + 1) // 2, dim, keepdim)


def running(name: str, reference: Callable[..., Any]) -> Op:
    def values_and_indices(x: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
        values = reference.accumulate(x, dim)  # type: ignore[attr-defined]
        steps = np.arange(x.shape[dim]).reshape([-1 if d == dim % x.ndim else 1 for d in range(x.ndim)])
        return values, np.maximum.accumulate(np.where(values == x, steps, 0), dim)

    return Op(
        name,
        values_and_indices,
        [call(T(6), 0), call(T(3, 4), 1), call(T(3, 4), 0)],
        dtypes=REALS,
        result=PAIR,
        domain=DISTINCT,
    )


def nan_median(x):
    return median(x[~np.isnan(x)])


def aminmax(x, dim=None, keepdim=False):
    return np.min(x, axis=dim, keepdims=keepdim), np.max(x, axis=dim, keepdims=keepdim)


def diff(x, n=1, dim=-1):
    return np.diff(x, n, dim)


def bincount(x, weights=None, minlength=0):
    return np.bincount(x, weights, minlength)


def histc(x, bins=100, min=0, max=0):
    limits = (x.min(), x.max()) if min == max == 0 else (min, max)
    return np.histogram(x, bins, limits)[0]


def logcumsumexp(x, dim):
    return np.logaddexp.accumulate(x, dim)


def mode(x, dim=-1):
    def last_of_most_frequent(row: np.ndarray) -> tuple[Any, int]:
        values, counts = np.unique(row, return_counts=True)
        best = values[counts.argmax()]
        return best, int(np.flatnonzero(row == best)[-1])

    found = [last_of_most_frequent(row) for row in np.moveaxis(x, dim, -1).reshape(-1, x.shape[dim])]
    shape = np.delete(np.array(x.shape), dim)
    return np.array([value for value, _ in found]).reshape(shape), np.array([at for _, at in found]).reshape(
        shape
    )


OPS = [
    Op(
        "median",
        median,
        [call(T(5)), call(T(6)), call(T(3, 4), 1).gives(PAIR), call(T(3, 4), 0, True).gives(PAIR)],
        dtypes=REALS,
        domain=DISTINCT,
    ),
    Op("nanmedian", nan_median, [call(T(5)), call(HOLES).without_gradient()], domain=DISTINCT),
    Op(
        "kthvalue",
        kth,
        [call(T(6), 2), call(T(3, 4), 3, 1), call(T(3, 4), k=1, dim=0, keepdim=True)],
        result=PAIR,
        domain=DISTINCT,
        errors=[],
    ),
    Op(
        "mode",
        mode,
        [call(T(values=[[3.0, 1.0, 3.0], [2.0, 2.0, 1.0]]))],
        dtypes=(*FLOATS, "int64"),
        result=PAIR,
        differentiable=False,
    ),
    running("cummax", np.maximum),
    running("cummin", np.minimum),
    Op(
        "logcumsumexp",
        logcumsumexp,
        [call(T(6), 0), call(T(3, 4), 1), call(T(3, 4), 0)],
        out=True,
        tolerance=4,
        errors=[OUT_OF_RANGE],
    ),
    Op(
        "nansum",
        over_axes(np.nansum),
        [call(HOLES).without_gradient(), call(HOLES, 1).without_gradient(), call(T(2, 3), 0)],
        tolerance=2,
    ),
    Op(
        "nanmean",
        over_axes(np.nanmean),
        [call(HOLES).without_gradient(), call(HOLES, 1).without_gradient(), call(T(2, 3), 0)],
        tolerance=2,
    ),
    Op(
        "aminmax",
        aminmax,
        [call(T(2, 3)), call(T(2, 3), dim=1), call(T(2, 3), dim=0, keepdim=True)],
        dtypes=REALS,
        result=("same", "same"),
        domain=DISTINCT,
    ),
    Op(
        "count_nonzero",
        lambda x, dim=None: np.count_nonzero(x, axis=dim),
        [call(TIES), call(T(3, 4, dtype="bool"), 1), call(T(values=[0.0, 1.0, 0.0]))],
        result="int64",
        differentiable=False,
    ),
    Op(
        "bincount",
        bincount,
        [call(T(8, dtype="int64", low=0, high=4)), call(T(5, dtype="int64", low=0, high=4), minlength=7)],
        dtypes=("int64",),
        differentiable=False,
    ),
    Op("histc", histc, [call(T(20), 5, -2, 2), call(T(20), bins=4, min=-1, max=1)], differentiable=False),
    Op("diff", diff, [call(T(6)), call(T(3, 4), 2), call(T(3, 4), dim=0)], dtypes=(*FLOATS, "int64")),
    Op("msort", lambda x: np.sort(x, 0), [call(T(6)), call(T(4, 3))], domain=DISTINCT),
    Op(
        "unique_consecutive",
        lambda x: x[np.insert(np.diff(x) != 0, 0, True)],
        [call(T(values=[1.0, 1.0, 2.0, 1.0]))],
        dtypes=(*FLOATS, "int64"),
        differentiable=False,
    ),
    Op(
        "searchsorted",
        lambda edges, x, right=False: np.searchsorted(edges, x, "right" if right else "left"),
        [call(SORTED, T(2, 3)), call(SORTED, T(4), right=True), call(SORTED, T(values=[0.0, 2.0]))],
        result="int64",
        differentiable=False,
        method=False,
    ),
    Op(
        "bucketize",
        lambda x, edges, right=False: np.searchsorted(edges, x, "right" if right else "left"),
        [call(T(2, 3), SORTED), call(T(values=[0.0, 2.0]), SORTED, right=True)],
        result="int64",
        differentiable=False,
        method=False,
    ),
    Op(
        "isin",
        np.isin,
        [call(TIES, T(values=[1.0, 2.0])), call(T(2, 3), T(2))],
        dtypes=(*FLOATS, "int64"),
        result="bool",
        differentiable=False,
        method=False,
    ),
]
