"""Elementwise operations of one tensor: arithmetic, exponentials, activations, rounding, tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .row import ALL, FLOATS, INTS, REALS, UNARY_CALLS, Error, Op, T, call

SPECIAL_VALUES = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e-30, -1e-30, 80.0, -80.0, 1.0, -1.0]
SPECIAL = call(T(values=SPECIAL_VALUES)).only(*FLOATS).without_gradient()


def smooth(
    name: str, reference: Callable[..., Any], domain: tuple[float, float] = (-2.0, 2.0), **fields: Any
) -> Op:
    """A function of real numbers that turns integers and booleans into float32."""
    options: dict[str, Any] = {
        "dtypes": ALL,
        "result": "float",
        "inplace": True,
        "out": True,
        "calls": (*UNARY_CALLS, SPECIAL),
        "errors": [no_arguments(name)],
    }
    return Op(name, reference, domain=domain, **{**options, **fields})


def activation(name: str, reference: Callable[..., Any], *extra: Any, **fields: Any) -> Op:
    """A float-only function of `torch.nn.functional`."""
    options: dict[str, Any] = {"calls": (*UNARY_CALLS, SPECIAL, *extra), "method": False, "avoid": (0.0,)}
    return Op(f"nn.functional.{name}", reference, **{**options, **fields})


def no_arguments(name: str) -> Error:
    return Error(call(), TypeError, f"{name}() missing 1 required positional argument")


def integer_only(name: str, reference: Callable[..., Any], **fields: Any) -> Op:
    return Op(
        name, reference, dtypes=(*INTS, "bool"), differentiable=False, domain=(-100, 100), out=True, **fields
    )


def rounding(name: str, reference: Callable[..., Any], dtypes: tuple[str, ...] = REALS, **fields: Any) -> Op:
    calls = (
        *UNARY_CALLS,
        call(T(values=[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e9])).only(*FLOATS).without_gradient(),
        SPECIAL,
    )
    options: dict[str, Any] = {
        "calls": calls,
        "dtypes": dtypes,
        "avoid": (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2),
    }
    return Op(name, reference, inplace=True, out=True, **{**options, **fields})


def leaky_relu(x, negative_slope=0.01):
    return np.where(x > 0, x, negative_slope * x)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def frac(x):
    return x - np.trunc(x)


def sign(x):
    """PyTorch calls the sign of nan 0 and leaves booleans alone."""
    return x if x.dtype == bool else np.where(np.isnan(x), 0, np.sign(x))


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def hardshrink(x, lambd=0.5):
    return np.where(np.abs(x) > lambd, x, 0)


def softshrink(x, lambd=0.5):
    return np.sign(x) * np.maximum(np.abs(x) - lambd, 0)


def threshold(x, threshold, value):
    return np.where(x > threshold, x, value)


def celu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def hardswish(x):
    return x * np.clip(x / 6 + 0.5, 0, 1)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


KINKS = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)


OPS = [
    Op(
        "neg",
        np.negative,
        dtypes=REALS,
        inplace=True,
        out=True,
        operator="neg",
        aliases=("negative",),
        calls=(*UNARY_CALLS, SPECIAL),
        errors=[
            Error(
                call(T(2)),
                RuntimeError,
                "Negation, the `-` operator, on a bool tensor is not supported",
                "bool",
            )
        ],
    ),
    Op(
        "abs",
        np.abs,
        dtypes=REALS,
        avoid=(0.0,),
        inplace=True,
        out=True,
        operator="abs",
        aliases=("absolute",),
        calls=(*UNARY_CALLS, SPECIAL),
    ),
    Op(
        "sign",
        sign,
        aliases=("sgn",),
        dtypes=ALL,
        avoid=(0.0,),
        inplace=True,
        out=True,
        calls=(*UNARY_CALLS, SPECIAL),
    ),
    Op("square", np.square, dtypes=REALS, inplace=True, calls=(*UNARY_CALLS, SPECIAL)),
    smooth("reciprocal", lambda x: 1 / x, avoid=(0.0,)),
    smooth("sqrt", np.sqrt, (0.1, 4.0)),
    smooth("rsqrt", lambda x: 1 / np.sqrt(x), (0.1, 4.0)),
    smooth("exp", np.exp),
    smooth("exp2", np.exp2),
    smooth("expm1", np.expm1),
    smooth("log", np.log, (0.1, 4.0)),
    smooth("log2", np.log2, (0.1, 4.0)),
    smooth("log10", np.log10, (0.1, 4.0)),
    smooth("log1p", np.log1p, (-0.8, 4.0)),
    smooth("sin", np.sin, (-6.0, 6.0)),
    smooth("cos", np.cos, (-6.0, 6.0)),
    smooth("tan", np.tan, (-1.2, 1.2), tolerance=4),
    smooth("asin", np.arcsin, (-0.9, 0.9), aliases=("arcsin",)),
    smooth("acos", np.arccos, (-0.9, 0.9), aliases=("arccos",)),
    smooth("atan", np.arctan, aliases=("arctan",)),
    smooth("sinh", np.sinh),
    smooth("cosh", np.cosh),
    smooth("tanh", np.tanh, aliases=("nn.functional.tanh",)),
    smooth("sigmoid", special.expit, aliases=("nn.functional.sigmoid",)),
    smooth("erf", special.erf),
    Op(
        "relu",
        lambda x: np.maximum(x, 0),
        dtypes=REALS,
        avoid=(0.0,),
        inplace=True,
        aliases=("nn.functional.relu",),
        calls=(*UNARY_CALLS, SPECIAL),
    ),
    activation("leaky_relu", leaky_relu, call(T(4), negative_slope=0.2), call(T(4), 0.3)),
    activation("elu", elu, call(T(4), alpha=0.5)),
    activation("softplus", softplus, call(T(4), beta=2.0), call(T(8), 1, 0.5), avoid=(0.5,)),
    activation("gelu", gelu, call(T(4), approximate="tanh"), calls=UNARY_CALLS, avoid=()),
    activation("silu", lambda x: x * special.expit(x), calls=UNARY_CALLS, avoid=()),
    rounding("floor", np.floor, aliases=()),
    rounding("ceil", np.ceil),
    rounding("trunc", np.trunc, aliases=("fix",)),
    rounding("frac", frac, FLOATS, calls=(*UNARY_CALLS, call(T(values=[-2.5, 2.25])))),
    rounding(
        "round",
        lambda x, decimals=0: np.round(x, decimals),
        calls=(
            *UNARY_CALLS,
            call(T(values=[-2.5, -1.5, -0.5, 0.5, 1.5])).without_gradient(),
            SPECIAL,
            call(T(values=[1.2345, -6.789]), decimals=2).only(*FLOATS),
            call(T(values=[1234.5, 6789.0]), decimals=-2).only(*FLOATS),
        ),
    ),
    Op("isnan", np.isnan, dtypes=ALL, result="bool", differentiable=False, calls=(*UNARY_CALLS, SPECIAL)),
    Op("isinf", np.isinf, dtypes=ALL, result="bool", differentiable=False, calls=(*UNARY_CALLS, SPECIAL)),
    Op(
        "isfinite",
        np.isfinite,
        dtypes=ALL,
        result="bool",
        differentiable=False,
        calls=(*UNARY_CALLS, SPECIAL),
    ),
    Op(
        "logical_not",
        np.logical_not,
        dtypes=ALL,
        result="bool",
        differentiable=False,
        out=True,
        calls=(*UNARY_CALLS, SPECIAL),
    ),
    integer_only(
        "bitwise_not",
        np.bitwise_not,
        inplace=True,
        operator="invert",
        errors=[Error(call(T(2)), NotImplementedError, "\"bitwise_not_cpu\" not implemented for 'Float'")],
    ),
    smooth("erfc", special.erfc, tolerance=4),
    smooth("erfinv", special.erfinv, (-0.95, 0.95), tolerance=4),
    # PyTorch's trigamma, the derivative of digamma, has ten right digits.
    smooth(
        "lgamma", lambda x: np.where(np.isneginf(x), np.inf, special.gammaln(x)), (0.2, 4.0), tolerance=10
    ),
    smooth("digamma", special.digamma, (0.2, 4.0), tolerance=10),
    smooth(
        "polygamma",
        lambda x, n: special.polygamma(n, x),
        (1.0, 4.0),
        calls=[call(T(2, 3), 0), call(T(2, 3), 1), call(T(), 2), call(T(0, 3), 3), call(T(37), 4)],
        function=False,
        out=False,
        tolerance=10,
        errors=[Error(call(T(3), -1), RuntimeError, "polygamma(n, x) does not support negative n.")],
    ),
    smooth("asinh", np.arcsinh, aliases=("arcsinh",)),
    smooth("acosh", np.arccosh, (1.1, 4.0), aliases=("arccosh",)),
    smooth("atanh", np.arctanh, (-0.9, 0.9), aliases=("arctanh",)),
    activation("celu", celu, call(T(4), alpha=0.5), calls=UNARY_CALLS),
    activation("selu", selu, calls=UNARY_CALLS, tolerance=2),
    activation("relu6", lambda x: np.clip(x, 0, 6), domain=(-3.0, 9.0), avoid=(0.0, 6.0)),
    activation("mish", lambda x: x * np.tanh(np.logaddexp(0, x)), calls=UNARY_CALLS, avoid=(), tolerance=4),
    activation("logsigmoid", lambda x: -np.logaddexp(0, -x), avoid=()),
    activation(
        "hardtanh", lambda x, low=-1.0, high=1.0: np.clip(x, low, high), call(T(5), -0.5, 0.75), avoid=KINKS
    ),
    activation("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), domain=(-5.0, 5.0), avoid=(-3.0, 3.0)),
    activation("hardswish", hardswish, calls=UNARY_CALLS, domain=(-5.0, 5.0), avoid=(-3.0, 3.0)),
    activation("hardshrink", hardshrink, calls=(*UNARY_CALLS, call(T(5), 0.25)), avoid=KINKS),
    activation("softshrink", softshrink, calls=(*UNARY_CALLS, call(T(5), 0.25)), avoid=KINKS),
    activation("threshold", threshold, calls=[call(T(2, 3), 0.5, -1.0), call(T(), 0.5, 2.0)], avoid=KINKS),
    Op(
        "nan_to_num",
        nan_to_num,
        [call(T(2, 3)), call(T(values=SPECIAL_VALUES), 1.0, 2.0, -2.0).without_gradient()],
        inplace=True,
        out=True,
    ),
    Op(
        "signbit",
        np.signbit,
        [*UNARY_CALLS, call(T(values=[0.0, -0.0, -1.0, float("-inf")])).only(*FLOATS)],
        dtypes=REALS,
        result="bool",
        differentiable=False,
    ),
]
