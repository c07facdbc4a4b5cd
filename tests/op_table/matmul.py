"""Matrix products and contractions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from .row import FLOATS, Call, Error, Op, T, call

DTYPES = (*FLOATS, "int64")


def expects(*shapes: tuple[int, ...], words: str) -> Error:
    return Error(call(*(T(*shape) for shape in shapes)), RuntimeError, words)


def shapes(*groups: tuple[tuple[int, ...], ...]) -> list[Call]:
    """A call for each group of shapes."""
    return [call(*(T(*shape) for shape in group)) for group in groups]


def addmm(c, a, b, beta=1, alpha=1):
    return beta * c + alpha * (a @ b)


def linear(x, weight, bias=None):
    product = x @ weight.T
    return product if bias is None else product + bias


def einsum(equation, *operands):
    operands = operands[0] if isinstance(operands[0], list) else operands
    return np.einsum(equation, *operands)


def tensordot(a, b, dims=2):
    return np.tensordot(a, b, axes=dims)


MATMUL_SHAPES = shapes(
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((2, 3, 4), (4,)),
    ((3,), (2, 3, 4)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 2)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((1, 1), (1, 1)),
    ((17, 9), (9, 33)),
    ((2, 0, 3), (3, 2)),
    ((2, 3, 0), (0, 2)),
)
MIXED = Error(
    call(T(2, 2), T(2, 2, dtype="float64")), RuntimeError, "expected m1 and m2 to have the same dtype"
)

EINSUM: list[tuple[Any, ...]] = [
    ("i,i->", (3,), (3,)),
    ("i,j->ij", (2,), (3,)),
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("ij->ji", (2, 3)),
    ("ii->", (3, 3)),
    ("ii->i", (3, 3)),
    ("ij->", (2, 3)),
    ("ij,kj", (2, 3), (4, 3)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
    ("bhqd,bhkd->bhqk", (1, 2, 3, 2), (1, 2, 4, 2)),
    ("i,ij,j->", (2,), (2, 3), (3,)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("b...->...", (2, 3)),
]


def addbmm(c, a, b, beta=1, alpha=1):
    return beta * c + alpha * (a @ b).sum(0)


def addr(c, a, b, beta=1, alpha=1):
    return beta * c + alpha * np.outer(a, b)


def bilinear(a, b, weight, bias=None):
    return np.einsum("...i,oij,...j->...o", a, weight, b) + (0 if bias is None else bias)


def cross(a, b, dim=-1):
    return np.cross(a, b, axis=dim)


OPS = [
    Op(
        "matmul",
        np.matmul,
        MATMUL_SHAPES,
        dtypes=DTYPES,
        operator="matmul",
        out=True,
        tolerance=4,
        errors=[
            expects((2, 3), (4, 5), words="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
            expects((2, 3), (4,), words="size mismatch, got input (2), mat (2x3), vec (4)"),
            expects(
                (3,),
                (4,),
                words="inconsistent tensor size, expected tensor [3] and src [4] to have",
            ),
            expects(
                (), (3,), words="both arguments to matmul need to be at least 1D, but they are 0D and 1D"
            ),
            expects(
                (2, 3, 4),
                (2, 5, 4),
                words="Expected size for first two dimensions of batch2 tensor to be: [2, 4]",
            ),
            MIXED,
        ],
    ),
    Op(
        "mm",
        np.matmul,
        shapes(((2, 3), (3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((40, 30), (30, 20))),
        dtypes=DTYPES,
        out=True,
        tolerance=4,
        errors=[
            expects((2, 3), (4, 5), words="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
            expects((2, 3), (3,), words="mat2 must be a matrix"),
        ],
    ),
    Op(
        "bmm",
        np.matmul,
        shapes(((2, 3, 4), (2, 4, 5)), ((1, 2, 2), (1, 2, 1)), ((0, 2, 3), (0, 3, 2))),
        dtypes=DTYPES,
        out=True,
        errors=[
            expects((2, 3), (3, 2), words="batch1 must be a 3D tensor"),
            expects(
                (2, 3, 4),
                (2, 5, 4),
                words="Expected size for first two dimensions of batch2 tensor to be: [2, 4]",
            ),
        ],
    ),
    Op(
        "mv",
        np.matmul,
        shapes(((2, 3), (3,)), ((0, 3), (3,)), ((20, 30), (30,))),
        dtypes=DTYPES,
        out=True,
        tolerance=4,
        errors=[expects((2, 3), (4,), words="size mismatch, got input (2), mat (2x3), vec (4)")],
    ),
    Op(
        "dot",
        np.dot,
        shapes(((3,), (3,)), ((0,), (0,)), ((100,), (100,))),
        dtypes=DTYPES,
        out=True,
        tolerance=20,
        errors=[
            expects(
                (3,),
                (4,),
                words="inconsistent tensor size, expected tensor [3] and src [4] to have",
            ),
            expects((2, 2), (2,), words="1D tensors expected, but got 2D and 1D tensors"),
        ],
    ),
    Op(
        "outer",
        np.outer,
        shapes(((2,), (3,)), ((0,), (3,))),
        aliases=("ger",),
        dtypes=DTYPES,
        out=True,
        errors=[expects((2, 2), (2,), words="outer: Expected 1-D argument self, but got 2-D")],
    ),
    Op(
        "addmm",
        addmm,
        [
            *shapes(
                ((2, 4), (2, 3), (3, 4)),
                ((4,), (2, 3), (3, 4)),
                ((2, 1), (2, 3), (3, 4)),
                ((), (2, 3), (3, 4)),
            ),
            call(T(2, 4), T(2, 3), T(3, 4), beta=2, alpha=3),
        ],
        dtypes=DTYPES,
        inplace=True,
        out=True,
        errors=[
            expects((2, 4), (2, 3), (4, 4), words="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x4)")
        ],
    ),
    Op(
        "baddbmm",
        addmm,
        [
            *shapes(((2, 3, 5), (2, 3, 4), (2, 4, 5)), ((5,), (2, 3, 4), (2, 4, 5))),
            call(T(2, 3, 5), T(2, 3, 4), T(2, 4, 5), beta=0.5, alpha=2.0).only(*FLOATS),
        ],
        dtypes=DTYPES,
        inplace=True,
        out=True,
    ),
    Op(
        "nn.functional.linear",
        linear,
        shapes(
            ((2, 3), (4, 3)),
            ((2, 3), (4, 3), (4,)),
            ((3,), (4, 3), (4,)),
            ((2, 5, 3), (4, 3), (4,)),
            ((0, 3), (4, 3), (4,)),
            ((2, 3), (3,)),
            ((33, 20), (10, 20), (10,)),
        ),
        method=False,
        tolerance=4,
        errors=[expects((2, 3), (4, 5), words="mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)")],
    ),
    Op(
        "einsum",
        einsum,
        [call(equation, *(T(*shape) for shape in operands)) for equation, *operands in EINSUM]
        + [call("ij,jk->ik", [T(2, 3), T(3, 2)])],
        dtypes=DTYPES,
        method=False,
        errors=[
            Error(
                call("ij,jk->ik", T(2, 3), T(4, 5)),
                RuntimeError,
                "einsum(): subscript j has size 4 for operand 1 which does not broadcast with previously "
                "seen size 3",
            ),
            Error(
                call("ijk->ij", T(2, 3)),
                RuntimeError,
                "einsum(): the number of subscripts in the equation (3) does not match the number of "
                "dimensions (2)",
            ),
        ],
    ),
    Op(
        "tensordot",
        tensordot,
        [
            call(T(2, 3), T(2, 3)),
            call(T(2, 3, 4), T(3, 4, 2)),
            call(T(2, 3), T(3, 4), dims=1),
            call(T(2, 3), T(4), dims=0),
            call(T(2, 3, 4), T(4, 2, 3), dims=([1, 2], [2, 0])),
        ],
        dtypes=DTYPES,
        method=False,
    ),
    Op(
        "addbmm",
        addbmm,
        [*shapes(((3, 5), (2, 3, 4), (2, 4, 5))), call(T(3, 5), T(2, 3, 4), T(2, 4, 5), beta=2, alpha=3)],
        dtypes=DTYPES,
        inplace=True,
        out=True,
        tolerance=4,
    ),
    Op(
        "addmv",
        addmm,
        [*shapes(((3,), (3, 4), (4,))), call(T(3), T(3, 4), T(4), beta=2, alpha=3)],
        dtypes=DTYPES,
        inplace=True,
        out=True,
        tolerance=4,
    ),
    Op(
        "addr",
        addr,
        [*shapes(((3, 4), (3,), (4,))), call(T(3, 4), T(3), T(4), beta=2, alpha=3)],
        dtypes=DTYPES,
        inplace=True,
        out=True,
    ),
    Op(
        "nn.functional.bilinear",
        bilinear,
        shapes(((2, 3), (2, 4), (5, 3, 4)), ((2, 3), (2, 4), (5, 3, 4), (5,))),
        method=False,
        tolerance=8,
    ),
    Op("block_diag", linalg.block_diag, shapes(((2, 3), (1, 2)), ((2, 2),)), dtypes=DTYPES, method=False),
    Op(
        "cross",
        cross,
        [*shapes(((3,), (3,)), ((2, 3), (2, 3))), call(T(3, 2), T(3, 2), dim=0)],
        dtypes=DTYPES,
        out=True,
        tolerance=2,
    ),
    Op("inner", np.inner, shapes(((3,), (3,)), ((2, 3), (4, 3))), dtypes=DTYPES, out=True, tolerance=4),
    Op("kron", np.kron, shapes(((2,), (3,)), ((2, 3), (2, 2))), dtypes=DTYPES, out=True),
    Op("vdot", np.vdot, shapes(((3,), (3,))), dtypes=DTYPES, out=True, tolerance=4),
]
