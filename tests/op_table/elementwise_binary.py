"""Elementwise operations of two or three tensors: arithmetic, comparison, logic, bits, selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .row import ALL, FLOATS, INTS, REALS, Call, Error, Op, T, call

SIZES_DIFFER = "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"


def broadcasting(**second: Any) -> list[Call]:
    """Two tensors in the shape combinations that broadcast; `second` holds the domain of the second one."""
    pairs = [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((3,), (2, 3)),
        ((2, 1, 3), (4, 1)),
        ((), (2, 2)),
        ((2, 2), ()),
        ((), ()),
        ((0, 3), (3,)),
        ((1,), (0,)),
        ((33,), (33,)),
    ]
    return [call(T(*a), T(*b, **second)) for a, b in pairs]


def mismatch(*more: Any, dtype: str = "float32") -> list[Error]:
    return [Error(call(T(2, 3), T(2, 4), *more), RuntimeError, SIZES_DIFFER, dtype)]


def comparison(name: str, reference: Callable[..., Any], operator: str, **fields: Any) -> Op:
    calls = [
        *broadcasting(),
        call(T(2, 3), 1),
        call(T(2, 3), 0.5),
        call(T(values=[1, 2, 3]), T(values=[3, 2, 1])),
        call(T(values=[np.nan, np.inf, -np.inf, 0.0]), T(values=[np.nan, np.inf, 0.0, -0.0])).only(*FLOATS),
    ]
    return Op(
        name,
        reference,
        calls,
        dtypes=ALL,
        result="bool",
        differentiable=False,
        out=True,
        operator=operator,
        errors=mismatch(),
        **fields,
    )


def logical(name: str, reference: Callable[..., Any]) -> Op:
    return Op(
        name,
        reference,
        broadcasting(),
        dtypes=ALL,
        result="bool",
        differentiable=False,
        out=True,
        errors=mismatch(),
    )


def bitwise(name: str, reference: Callable[..., Any], operator: str, **fields: Any) -> Op:
    calls = [*broadcasting(), call(T(2, 3), 1).only(*INTS)]
    words = f"\"{name}_cpu\" not implemented for 'Float'"
    options: dict[str, Any] = {
        "dtypes": (*INTS, "bool"),
        "domain": (-50, 50),
        "out": True,
        "inplace": True,
        "calls": calls,
        "errors": [*mismatch(dtype="int64"), Error(call(T(2), T(2)), NotImplementedError, words)],
    }
    return Op(name, reference, differentiable=False, operator=operator, **{**options, **fields})


def extremum(name: str, reference: Callable[..., Any]) -> Op:
    nans = (
        call(T(values=[np.nan, 1.0, np.inf]), T(values=[1.0, np.nan, -np.inf]))
        .only(*FLOATS)
        .without_gradient()
    )
    return Op(name, reference, [*broadcasting(), nans], dtypes=ALL, out=True, errors=mismatch())


def add(x, y, alpha=1):
    return x | y if x.dtype.kind == "b" else (x + alpha * y).astype(np.result_type(x, y))


def mul(x, y):
    return x & y if np.result_type(x) == np.bool_ else x * y


def div(x, y, rounding_mode=None):
    if rounding_mode is None:
        return np.true_divide(x, y, dtype=np.float64)
    if rounding_mode == "floor":
        return np.floor_divide(x, y)
    return np.trunc(np.true_divide(x, y, dtype=np.float64))


def clamp(x, min=None, max=None):
    return np.clip(x, min, max) if min is not None or max is not None else x


def addcmul(x, a, b, value=1):
    return x + value * a * b


def addcdiv(x, a, b, value=1):
    return x + value * a / b


def lerp(x, end, weight):
    return x + weight * (end - x)


ARITHMETIC: dict[str, Any] = {"dtypes": ALL, "inplace": True, "out": True, "errors": mismatch()}
AWAY_FROM_ZERO = {"low": 0.5, "high": 3.0}


def isclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False):
    return np.isclose(x, y, rtol, atol, equal_nan)


def prelu(x, weight):
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    return np.where(x > 0, x, (weight.reshape(shape) if weight.size > 1 else weight) * x)


def xlogy(x, y):
    return np.where(x == 0, np.where(np.isnan(y), y, 0), x * np.log(y))


NO_UINT8 = ("float32", "float64", "int8", "int32", "int64")


OPS = [
    Op(
        "add",
        add,
        [
            *broadcasting(),
            call(T(2, 3), 2).only(*REALS),
            call(T(2, 3), 2.5).only(*FLOATS),
            call(T(3), T(3), alpha=2).only(*REALS),
            call(T(3), T(3), alpha=0.5).only(*FLOATS),
        ],
        operator="add",
        **ARITHMETIC,
    ),
    Op(
        "sub",
        lambda x, y, alpha=1: add(x, y, -alpha),
        [*broadcasting(), call(T(2, 3), 1), call(T(2, 3), 2.5).only(*FLOATS), call(T(3), T(3), alpha=2)],
        operator="sub",
        aliases=("subtract",),
        inplace=True,
        out=True,
        dtypes=("float32", "float64", "int8", "int32", "int64"),
        errors=[
            *mismatch(),
            Error(
                call(T(2), T(2)), RuntimeError, "Subtraction, the `-` operator, with two bool tensors", "bool"
            ),
        ],
    ),
    Op(
        "mul",
        mul,
        [*broadcasting(), call(T(2, 3), 3).only(*REALS), call(T(2, 3), -0.5).only(*FLOATS)],
        operator="mul",
        aliases=("multiply",),
        **ARITHMETIC,
    ),
    Op(
        "div",
        div,
        [
            *broadcasting(**AWAY_FROM_ZERO),
            call(T(2, 3), 4),
            call(T(2, 3), 2.5),
            call(T(5), T(5, **AWAY_FROM_ZERO), rounding_mode="floor")
            .only(*REALS)
            .gives("same")
            .without_gradient(),
            call(T(5), T(5, **AWAY_FROM_ZERO), rounding_mode="trunc")
            .only(*REALS)
            .gives("same")
            .without_gradient(),
            call(T(values=[1.0, -1.0, 0.0]), T(values=[0.0, 0.0, 0.0])).only(*FLOATS).without_gradient(),
        ],
        operator="truediv",
        aliases=("divide",),
        dtypes=ALL,
        result="float",
        inplace=True,
        out=True,
        errors=[
            *mismatch(),
            Error(
                call(T(2), T(2), rounding_mode="up"), RuntimeError, "div expected rounding_mode to be one of"
            ),
            Error(
                call(T(values=[1, 2]), T(values=[0, 1]), rounding_mode="floor"),
                RuntimeError,
                "ZeroDivisionError",
                "int64",
            ),
        ],
    ),
    Op(
        "floor_divide",
        np.floor_divide,
        [
            call(T(2, 3), T(3, **AWAY_FROM_ZERO)),
            call(T(7), 2),
            call(T(7), -3),
            call(T(values=[7.0, -7.0, 6.0, -6.0]), T(values=[2.0, 2.0, -4.0, 3.0])).only("float32", "int64"),
        ],
        dtypes=("float32", "float64", "int8", "int32", "int64"),
        domain=(-20, 20),
        differentiable=False,
        inplace=True,
        out=True,
        operator="floordiv",
        errors=[
            *mismatch(),
            Error(call(T(values=[1, 2]), T(values=[0, 1])), RuntimeError, "ZeroDivisionError", "int64"),
        ],
    ),
    Op(
        "remainder",
        np.remainder,
        [call(T(2, 3), T(3, **AWAY_FROM_ZERO)), call(T(7), 3), call(T(7), -3), call(T(5), 2.5).only(*FLOATS)],
        dtypes=("float32", "float64", "int8", "int32", "int64"),
        domain=(-20, 20),
        inplace=True,
        out=True,
        operator="mod",
        errors=[
            *mismatch(),
            Error(call(T(values=[1, 2]), T(values=[0, 1])), RuntimeError, "ZeroDivisionError", "int64"),
        ],
    ),
    Op(
        "pow",
        np.power,
        [
            *broadcasting(low=0.0, high=3.0),
            call(T(2, 3), 2),
            call(T(2, 3), 3),
            call(T(4), 0),
            call(T(4), 1),
            call(T(4), 0.5).only(*FLOATS),
            call(T(4), -1).only(*FLOATS),
            call(T(4), -2.5).only(*FLOATS),
            call(2.0, T(3)).only(*FLOATS),
            call(T(3, low=-3.0, high=-1.0), 3).only("float64", "int64"),
            call(T(values=[0.0, -0.0, 2.0]), T(values=[0.0, 3.0, -1.0])).only(*FLOATS).without_gradient(),
        ],
        dtypes=REALS,
        domain=(0.3, 3.0),
        inplace=True,
        out=True,
        operator="pow",
        tolerance=4,
        errors=[
            *mismatch(),
            Error(
                call(T(2), -1), RuntimeError, "Integers to negative integer powers are not allowed", "int64"
            ),
        ],
    ),
    Op(
        "atan2",
        np.arctan2,
        [*broadcasting(), call(T(values=[0.0, -0.0, 1.0]), T(values=[-1.0, -1.0, 0.0])).without_gradient()],
        dtypes=FLOATS,
        avoid=(0.0,),
        inplace=True,
        out=True,
        aliases=("arctan2",),
        errors=mismatch(),
    ),
    extremum("maximum", np.maximum),
    extremum("minimum", np.minimum),
    Op(
        "clamp",
        clamp,
        [
            call(T(2, 3), -1, 1),
            call(T(2, 3), min=0),
            call(T(2, 3), max=1),
            call(T(), 0, 1),
            call(T(0), 0, 1),
            call(T(6), -0.5, 0.75).only(*FLOATS),
            call(T(2, 3), T(3, low=-2, high=0), T(1, 1, low=0, high=2)),
            call(T(4), max=T(4)),
            call(T(4), min=T(4)),
            call(T(values=[np.nan, np.inf, -np.inf]), -1.0, 1.0).only(*FLOATS).without_gradient(),
        ],
        dtypes=("float32", "float64", "int8", "int32", "int64"),
        avoid=(-1.0, -0.5, 0.0, 0.75, 1.0),
        inplace=True,
        out=True,
        aliases=("clip",),
        errors=[
            Error(call(T(2)), RuntimeError, "torch.clamp: At least one of 'min' or 'max' must not be None")
        ],
    ),
    Op(
        "lerp",
        lerp,
        [
            call(T(2, 3), T(2, 3), 0.3),
            call(T(2, 3), T(3), 0.8),
            call(T(2, 3), T(2, 3), T(3, low=0.0, high=1.0)),
            call(T(), T(), 1.5),
            call(T(0), T(0), 0.5),
        ],
        inplace=True,
        out=True,
        errors=mismatch(0.5),
    ),
    Op(
        "addcmul",
        addcmul,
        [
            call(T(2, 3), T(2, 3), T(2, 3)),
            call(T(2, 3), T(3), T(2, 1), value=2),
            call(T(2, 3), T(3), T(), value=0.5).only(*FLOATS),
        ],
        dtypes=("float32", "float64", "int64"),
        inplace=True,
        out=True,
    ),
    Op(
        "addcdiv",
        addcdiv,
        [
            call(T(2, 3), T(2, 3), T(2, 3, **AWAY_FROM_ZERO)),
            call(T(2, 3), T(3), T(2, 1, **AWAY_FROM_ZERO), value=-0.1),
        ],
        inplace=True,
        out=True,
        errors=[
            Error(
                call(T(2), T(2), T(2)),
                RuntimeError,
                "Integer division with addcdiv is no longer supported",
                "int64",
            )
        ],
    ),
    Op(
        "where",
        np.where,
        [
            call(T(2, 3, dtype="bool"), T(2, 3), T(2, 3)),
            call(T(3, dtype="bool"), T(2, 1), T()),
            call(T(2, 3, dtype="bool"), T(2, 3), 0).only(*FLOATS, "int64"),
            call(T(2, dtype="bool"), 1.0, T(2)).only(*FLOATS),
        ],
        dtypes=ALL,
        method=False,
        errors=[
            Error(call(T(2), T(2), T(2)), RuntimeError, "where expected condition to be a boolean tensor")
        ],
    ),
    comparison("eq", np.equal, "eq"),
    comparison("ne", np.not_equal, "ne", aliases=("not_equal",)),
    comparison("lt", np.less, "lt", aliases=("less",)),
    comparison("le", np.less_equal, "le", aliases=("less_equal",)),
    comparison("gt", np.greater, "gt", aliases=("greater",)),
    comparison("ge", np.greater_equal, "ge", aliases=("greater_equal",)),
    logical("logical_and", np.logical_and),
    logical("logical_or", np.logical_or),
    logical("logical_xor", np.logical_xor),
    bitwise("bitwise_and", np.bitwise_and, "and_"),
    bitwise("bitwise_or", np.bitwise_or, "or_"),
    bitwise("bitwise_xor", np.bitwise_xor, "xor"),
    bitwise(
        "bitwise_left_shift",
        np.left_shift,
        "lshift",
        dtypes=INTS,
        domain=(0, 5),
        errors=mismatch(dtype="int64"),
    ),
    bitwise(
        "bitwise_right_shift",
        np.right_shift,
        "rshift",
        dtypes=INTS,
        domain=(0, 5),
        errors=mismatch(dtype="int64"),
    ),
    Op(
        "rsub",
        lambda x, y, alpha=1: y - alpha * x,
        [call(T(2, 3), T(3)), call(T(2, 3), 2), call(T(3), 1, alpha=2)],
        dtypes=NO_UINT8,
        method=False,
    ),
    Op(
        "fmod",
        np.fmod,
        [call(T(2, 3), T(3, **AWAY_FROM_ZERO)), call(T(7), 3), call(T(7), -3), call(T(5), 2.5).only(*FLOATS)],
        dtypes=NO_UINT8,
        domain=(-20, 20),
        inplace=True,
        out=True,
    ),
    Op("hypot", np.hypot, broadcasting(), avoid=(0.0,), inplace=True, out=True, tolerance=2),
    Op("copysign", np.copysign, [*broadcasting(), call(T(3), -1.0)], avoid=(0.0,), inplace=True, out=True),
    Op(
        "logaddexp",
        np.logaddexp,
        [*broadcasting(), call(T(values=[1000.0, -np.inf]), T(values=[1000.0, 0.0])).without_gradient()],
        out=True,
        tolerance=2,
    ),
    Op(
        "xlogy",
        xlogy,
        [
            *broadcasting(**AWAY_FROM_ZERO),
            call(T(3), 2.0),
            call(T(values=[0.0, 0.0]), T(values=[0.0, 2.0])).without_gradient(),
        ],
        avoid=(0.0,),
        inplace=True,
        out=True,
    ),
    Op(
        "isclose",
        isclose,
        [
            call(T(2, 3), T(3)),
            call(T(values=[1.0, 2.0, np.nan]), T(values=[1.0 + 1e-6, 2.1, np.nan])),
            call(T(values=[1.0, np.nan]), T(values=[1.2, np.nan]), rtol=0.3, equal_nan=True),
        ],
        result="bool",
        differentiable=False,
    ),
    Op("clamp_min", np.maximum, [call(T(2, 3), 0.5), call(T(4), T(4))], avoid=(0.5,), inplace=True, out=True),
    Op("clamp_max", np.minimum, [call(T(2, 3), 0.5), call(T(4), T(4))], avoid=(0.5,), inplace=True, out=True),
    Op(
        "nn.functional.prelu",
        prelu,
        [call(T(2, 3), T(1)), call(T(2, 3), T(3)), call(T(2, 3, 2), T(3))],
        avoid=(0.0,),
        method=False,
    ),
    extremum("fmax", np.fmax),
    extremum("fmin", np.fmin),
    Op(
        "true_divide",
        np.true_divide,
        [*broadcasting(**AWAY_FROM_ZERO), call(T(2, 3), 4)],
        inplace=True,
        out=True,
    ),
]
