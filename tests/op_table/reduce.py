"""Reductions and scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .row import ALL, FLOATS, REALS, Call, D, Error, Op, T, call

WRONG_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"
OUT_OF_RANGE = Error(call(T(2, 3), 2), IndexError, WRONG_DIM)
TIES = T(values=[[3.0, 1.0, 3.0], [2.0, 2.0, 1.0]])


def over_axes(reduce: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A NumPy reduction with PyTorch's argument names."""

    def reference(x: np.ndarray, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
        axis = None if dim in ((), []) or x.ndim == 0 else tuple(dim) if isinstance(dim, list) else dim
        options = {**fixed, **({"dtype": dtype} if dtype else {})}
        return reduce(x, axis=axis, keepdims=keepdim, **options)

    return reference


def several_dims() -> list[Call]:
    """Calls of a reduction that takes one dimension, several, or none."""
    return [
        call(T(2, 3)),
        call(T()),
        call(T(5)),
        call(T(2, 3), 0),
        call(T(2, 3), -1),
        call(T(2, 3), dim=1, keepdim=True),
        call(T(2, 3, 4), (0, 2)),
        call(T(2, 3, 4), [-1, 0], True),
        call(T(2, 3, 4), dim=(1, 2), keepdim=True),
        call(T(2, 3, 4), 1),
        call(T(4, 70), 1),
        call(T(70, 4), 0),
        call(T(), 0),
    ]


def one_dim() -> list[Call]:
    """Calls of an operation along a single dimension."""
    return [call(T(5), 0), call(T(2, 3), 0), call(T(2, 3), -1), call(T(2, 3, 4), 1), call(T(3, 40), dim=1)]


def extremum(name: str, reference: Callable[..., Any], arg: Callable[..., Any]) -> Op:
    def along(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return reference(x)
        return reference(x, axis=dim, keepdims=keepdim), arg(x, axis=dim, keepdims=keepdim)

    pair = ("same", "int64")
    calls = [
        call(T(2, 3)),
        call(T()),
        call(T(40)),
        call(T(2, 3), 0).gives(pair),
        call(T(2, 3), 1, True).gives(pair),
        call(T(2, 3, 4), dim=1).gives(pair),
        call(T(2, 3, 4), -1, keepdim=True).gives(pair),
        call(T(), 0).gives(pair),
        call(TIES, 1).gives(pair).without_gradient(),
        call(T(values=[1.0, np.nan, 2.0])).only(*FLOATS).without_gradient(),
    ]
    empty = f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
    return Op(
        name,
        along,
        calls,
        dtypes=REALS,
        domain=(-9, 9),
        errors=[OUT_OF_RANGE, Error(call(T(0)), RuntimeError, empty)],
    )


def arg_extremum(name: str, reference: Callable[..., Any]) -> Op:
    calls = [
        call(T(2, 3)),
        call(T()),
        call(T(2, 3), 0),
        call(T(2, 3), -1),
        call(T(2, 3), dim=1, keepdim=True),
        call(T(2, 3, 4), 1),
        call(TIES),
        call(TIES, dim=1),
    ]
    words = f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
    return Op(
        name,
        over_axes(reference),
        calls,
        dtypes=REALS,
        result="int64",
        differentiable=False,
        domain=(-9, 9),
        out=True,
        errors=[OUT_OF_RANGE, Error(call(T(0)), IndexError, words)],
    )


def logic(name: str, reference: Callable[..., Any]) -> Op:
    def as_bool(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> Any:
        found = over_axes(reference)(x, dim, keepdim)
        return found.astype(np.uint8) if x.dtype == np.uint8 else found

    calls = [
        call(T(2, 3)),
        call(T()),
        call(T(0)),
        call(T(2, 3), 0),
        call(T(2, 3), 1, True),
        call(T(3, 4, 2), (0, 2)),
    ]
    dtypes = tuple(name for name in ALL if name != "uint8")
    return Op(
        name,
        as_bool,
        calls,
        dtypes=dtypes,
        result="bool",
        differentiable=False,
        domain=(0, 1.5),
        errors=[OUT_OF_RANGE],
    )


def spread(name: str, reference: Callable[..., Any]) -> Op:
    def computed(
        x: np.ndarray,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        correction: int | None = None,
    ) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = int(unbiased) if correction is None else correction
        return reference(x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim, ddof=ddof)

    calls = [
        call(T(5)),
        call(T(2, 3)),
        call(T(2, 3), 0),
        call(T(2, 3), 1, keepdim=True),
        call(T(2, 3, 4), (0, 2)),
        call(T(6), unbiased=False),
        call(T(6), False),
        call(T(3, 4), 1, False),
        call(T(3, 4), dim=1, correction=0),
        call(T(3, 4), dim=0, unbiased=False, keepdim=True),
        call(T(1)).without_gradient(),
    ]
    words = f"{name}: input dtype should be either floating point or complex"
    words = "std and var only support floating point and complex dtypes"
    return Op(
        name,
        computed,
        calls,
        errors=[OUT_OF_RANGE, Error(call(T(3)), RuntimeError, words, "int64")],
        tolerance=4,
    )


def with_mean(name: str, reference: Callable[..., Any]) -> Op:
    def both(x: np.ndarray, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Any:
        return reference(x, axis=dim, ddof=correction, keepdims=keepdim), np.mean(
            x, axis=dim, keepdims=keepdim
        )

    calls = [
        call(T(5)),
        call(T(2, 3), 1),
        call(T(2, 3, 4), (0, 2), keepdim=True),
        call(T(2, 3), dim=0, correction=0),
    ]
    return Op(name, both, calls, result=("same", "same"), tolerance=4, method=False)


def prod(x, dim=None, keepdim=False, dtype=None):
    return np.prod(x, axis=dim, keepdims=keepdim, dtype=dtype)


def norm(x, p="fro", dim=None, keepdim=False):
    axes = tuple(dim) if isinstance(dim, list) else dim
    order = 2 if p == "fro" else p
    if order == 0:
        return np.sum(x != 0, axis=axes, keepdims=keepdim).astype(float)
    if np.isinf(order):
        pick = np.max if order > 0 else np.min
        return pick(np.abs(x), axis=axes, keepdims=keepdim)
    return np.sum(np.abs(x) ** order, axis=axes, keepdims=keepdim) ** (1 / order)


def scan(name: str, reference: Callable[..., Any], **fields: Any) -> Op:
    calls = [
        *one_dim(),
        call(T(), 0),
        call(T(0), 0),
        call(T(3), 0, dtype=D("float64")).gives("float64").without_gradient(),
    ]
    return Op(
        name,
        lambda x, dim, dtype=None: reference(x, axis=dim if x.ndim else None, dtype=dtype).reshape(x.shape),
        calls,
        dtypes=REALS,
        result="sum",
        inplace=True,
        out=True,
        errors=[OUT_OF_RANGE],
        **fields,
    )


OPS = [
    Op(
        "sum",
        over_axes(np.sum),
        [
            *several_dims(),
            call(T(0, 3)),
            call(T(0, 3), 0),
            call(T(2, 3), ()),
            call(T(3), dtype=D("float64")).gives("float64").without_gradient(),
        ],
        dtypes=ALL,
        result="sum",
        errors=[
            OUT_OF_RANGE,
            Error(call(T(2, 3), (0, 0)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
        ],
    ),
    Op(
        "mean",
        over_axes(np.mean),
        [*several_dims(), call(T(3), dtype=D("float64")).gives("float64").without_gradient()],
        errors=[
            OUT_OF_RANGE,
            Error(
                call(T(3)),
                RuntimeError,
                "mean(): could not infer output dtype. Input dtype must be either",
                "int64",
            ),
        ],
    ),
    Op(
        "prod",
        prod,
        [
            call(T(2, 3)),
            call(T()),
            call(T(0)),
            call(T(2, 3), 0),
            call(T(2, 3), 1, True),
            call(T(2, 3, 4), dim=-1),
            call(T(values=[0.0, 2.0, 3.0])),
            call(T(values=[0.0, 2.0, 0.0])),
            call(T(values=[[0.0, 2.0], [1.5, 3.0]]), 1),
        ],
        dtypes=REALS,
        result="sum",
        domain=(0.5, 2.5),
        errors=[OUT_OF_RANGE],
    ),
    spread("std", np.std),
    spread("var", np.var),
    extremum("max", np.max, np.argmax),
    extremum("min", np.min, np.argmin),
    Op(
        "amax",
        over_axes(np.max),
        [*several_dims(), call(TIES, 1).without_gradient()],
        dtypes=REALS,
        out=True,
        errors=[OUT_OF_RANGE],
    ),
    Op(
        "amin",
        over_axes(np.min),
        [*several_dims(), call(TIES, 1).without_gradient()],
        dtypes=REALS,
        out=True,
        errors=[OUT_OF_RANGE],
    ),
    arg_extremum("argmax", np.argmax),
    arg_extremum("argmin", np.argmin),
    logic("all", np.all),
    logic("any", np.any),
    Op(
        "norm",
        norm,
        [
            call(T(2, 3)),
            call(T(5), 2),
            call(T(5), 1),
            call(T(5), 3),
            call(T(5), float("inf")),
            call(T(5), 0).without_gradient(),
            call(T(2, 3), 2, 1),
            call(T(2, 3), p=1, dim=0, keepdim=True),
            call(T(2, 3, 4), 2, (0, 2)),
            call(T(2, 3), dim=1),
            call(T()),
        ],
        avoid=(0.0,),
        errors=[Error(call(T(2, 3), 2, 2), IndexError, WRONG_DIM)],
    ),
    Op(
        "logsumexp",
        lambda x, dim, keepdim=False: special.logsumexp(
            x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim
        ),
        [
            call(T(5), 0),
            call(T(2, 3), 1),
            call(T(2, 3), -1, True),
            call(T(2, 3, 4), (0, 2)),
            call(T(values=[1000.0, 1000.0]), 0),
            call(T(values=[-np.inf, -np.inf]), 0).without_gradient(),
        ],
        out=True,
        errors=[OUT_OF_RANGE],
    ),
    scan("cumsum", np.cumsum),
    scan("cumprod", np.cumprod),
    with_mean("std_mean", np.std),
    with_mean("var_mean", np.var),
]
