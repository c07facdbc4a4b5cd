"""The elementary functions against correctly rounded values, for every instruction set of this machine.

Errors are in units in the last place (ULP) of the exact result. The bounds hold over the whole range of
arguments: dense logarithmic grids, ordinary numbers, neighbours of 1 and of multiples of pi / 2, random bit
patterns.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

import tapegrad

INSTRUCTION_SETS = tapegrad._C._build_info()["available_instruction_sets"]
DTYPES = ("float32", "float64")
INF, NAN = float("inf"), float("nan")

# name: (exact function, values at -inf, -0, 0 and inf)
UNARY: dict[str, tuple[Callable, tuple[float, float, float, float]]] = {
    "exp": (mp.exp, (0.0, 1, 1, INF)),
    "exp2": (lambda x: mp.power(2, x), (0.0, 1, 1, INF)),
    "expm1": (mp.expm1, (-1, -0.0, 0.0, INF)),
    "log": (mp.log, (NAN, -INF, -INF, INF)),
    "log2": (lambda x: mp.log(x, 2), (NAN, -INF, -INF, INF)),
    "log10": (mp.log10, (NAN, -INF, -INF, INF)),
    "log1p": (mp.log1p, (NAN, -0.0, 0.0, INF)),
    "sqrt": (mp.sqrt, (NAN, -0.0, 0.0, INF)),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), (NAN, -INF, INF, 0.0)),
    "sin": (mp.sin, (NAN, -0.0, 0.0, NAN)),
    "cos": (mp.cos, (NAN, 1, 1, NAN)),
    "tan": (mp.tan, (NAN, -0.0, 0.0, NAN)),
    "asin": (mp.asin, (NAN, -0.0, 0.0, NAN)),
    "acos": (mp.acos, (NAN, mp.pi / 2, mp.pi / 2, NAN)),
    "atan": (mp.atan, (-mp.pi / 2, -0.0, 0.0, mp.pi / 2)),
    "sinh": (mp.sinh, (-INF, -0.0, 0.0, INF)),
    "cosh": (mp.cosh, (INF, 1, 1, INF)),
    "tanh": (mp.tanh, (-1, -0.0, 0.0, 1)),
    "asinh": (mp.asinh, (-INF, -0.0, 0.0, INF)),
    "acosh": (mp.acosh, (NAN, NAN, NAN, INF)),
    "atanh": (mp.atanh, (NAN, -0.0, 0.0, NAN)),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), (0.0, 0.5, 0.5, 1)),
    "erf": (mp.erf, (-1, -0.0, 0.0, 1)),
    "erfc": (lambda x: mp.erfc(max(-40, min(x, 40))), (2, 1, 1, 0.0)),  # 0 or 2 beyond
    "erfinv": (mp.erfinv, (NAN, -0.0, 0.0, NAN)),
    "lgamma": (lambda x: log_abs_gamma(x), (INF, INF, INF, INF)),
    "digamma": (mp.digamma, (NAN, INF, -INF, INF)),
}
BINARY: dict[str, Callable] = {
    "pow": mp.power,
    "atan2": mp.atan2,
    "hypot": mp.hypot,
    "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
}
BOUNDS = {"float32": 2.0, "float64": 4.0}
# These cross zero where larger terms cancel: their error is in ULPs of numbers of at least this magnitude.
SMALLEST_SCALE = {"lgamma": 1.0, "digamma": 1.0, "logaddexp": 1.0}
OTHER_BOUNDS = {("lgamma", "float64"): 8.0, ("digamma", "float64"): 16.0, ("pow", "float32"): 2.0}


def log_abs_gamma(x: mp.mpf) -> mp.mpf:
    """log |gamma(x)|."""
    if x > 0:
        return mp.loggamma(x)
    if mp.isint(x):
        return mp.inf
    return mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.loggamma(-x)


def signs(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values, -values])


def arguments(dtype: str) -> np.ndarray:
    """Finite arguments of every kind, but zero."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(20)
    pattern_type = np.dtype(f"u{info.bits // 8}")
    patterns = rng.integers(0, 2**info.bits, 150, dtype=pattern_type).view(dtype)
    parts = [
        patterns[np.isfinite(patterns)],
        signs(
            2.0 ** np.linspace(np.log2(float(info.smallest_subnormal)), np.log2(float(info.max)) - 1e-6, 150)
        ),
        signs(2.0 ** np.linspace(-8, 8, 150)),
        rng.uniform(-1, 1, 300),
        rng.uniform(-12, 12, 300),
        rng.uniform(-110, 110, 150),
        rng.uniform(-760, 760, 100),
        1 + signs(2.0 ** -np.arange(1.0, info.nmant + 1)),
        signs(np.arange(1, 61) / 2),
        rng.integers(1, 2**20, 100) * (np.pi / 2),
        signs(
            np.array([info.max, info.tiny, info.smallest_subnormal, 1e10, 1e22 if info.bits == 64 else 3e38])
        ),
    ]
    return np.concatenate([part.astype(dtype) for part in parts])


def argument_pairs(name: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that keep the result mostly within range."""
    rng = np.random.default_rng(21)
    n = 1500
    if name == "pow":
        x = 2 ** rng.uniform(-40, 40, n)
        exponent = rng.uniform(-150, 128, n) if dtype == "float32" else rng.uniform(-1080, 1024, n)
        return x.astype(dtype), (exponent / np.log2(x)).astype(dtype)
    scale = 2.0 ** rng.uniform(-30, 30, n)
    x = rng.normal(size=n) * (1 if name == "logaddexp" else scale)
    return x.astype(dtype), (rng.normal(size=n) * (5 if name == "logaddexp" else scale)).astype(dtype)


def exact(function: Callable, *numbers: float) -> mp.mpf:
    """The value with 60 digits; NaN outside the domain."""
    with mp.workdps(60):
        try:
            value = function(*map(mp.mpf, numbers))
        except (ValueError, ZeroDivisionError):
            return mp.nan
        return mp.nan if isinstance(value, mp.mpc) else value


@cache
def exact_values(name: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """The exact results as unevaluated sums of two float64."""
    if name in UNARY:
        values = [exact(UNARY[name][0], float(x)) for x in arguments(dtype)]
    else:
        values = [exact(BINARY[name], float(x), float(y)) for x, y in zip(*argument_pairs(name, dtype))]
    high = np.array([float(v) for v in values])
    low = np.array([float(v - mp.mpf(h)) if np.isfinite(h) else 0.0 for v, h in zip(values, high)])
    return high, low


def ulp_errors(name: str, dtype: str, got: np.ndarray) -> np.ndarray:
    """Distances from the exact values; infinity where one of the two is NaN or the overflow is wrong."""
    high, low = exact_values(name, dtype)
    info = np.finfo(dtype)
    largest = float(info.max)
    scale = np.maximum(np.abs(high), SMALLEST_SCALE.get(name, float(info.tiny)))
    ulp = 2.0 ** (np.floor(np.log2(np.minimum(scale, largest))) - info.nmant)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = high.astype(dtype)
        errors = np.abs((got.astype(np.float64) - high) - low) / np.maximum(
            ulp, float(info.smallest_subnormal)
        )
    agree = (rounded == got) | (np.isnan(rounded) & np.isnan(got))
    errors = np.where(agree & ~np.isfinite(rounded), 0.0, errors)
    return np.where(np.isnan(errors), INF, errors)


COMPUTE = """
import sys
import numpy as np
import tapegrad as torch

inputs = np.load(sys.argv[1])
outputs = {}
for key in inputs:
    if key.endswith("/0"):
        name = key.split("/")[0]
        operands = [torch.from_numpy(inputs[key])]
        if key[:-1] + "1" in inputs:
            operands.append(torch.from_numpy(inputs[key[:-1] + "1"]))
        outputs[key[:-2]] = getattr(torch, name)(*operands).numpy()
np.savez(sys.argv[2], **outputs)
"""


@pytest.fixture(scope="module", params=INSTRUCTION_SETS)
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """All results of one instruction set, computed by a process that is forced to use it."""
    folder = tmp_path_factory.mktemp("accuracy")
    inputs = {}
    for dtype in DTYPES:
        specials = np.array([-INF, -0.0, 0.0, INF, NAN], dtype)
        grid = [axis.ravel() for axis in np.meshgrid(*[special_operands(dtype)] * 2)]
        for name in UNARY:
            inputs[f"{name}/{dtype}/0"] = arguments(dtype)
            inputs[f"{name}/{dtype}/special/0"] = specials
        for name in BINARY:
            operands, special = argument_pairs(name, dtype), grid
            for i in range(2):
                inputs[f"{name}/{dtype}/{i}"] = operands[i]
                inputs[f"{name}/{dtype}/special/{i}"] = special[i]
    np.savez(folder / "in.npz", **inputs)
    environment = dict(os.environ, TAPEGRAD_ISA=request.param)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", COMPUTE, str(folder / "in.npz"), str(folder / "out.npz")]
    subprocess.run(command, env=environment, cwd=Path(__file__).parent, check=True)
    return dict(np.load(folder / "out.npz"))


def special_operands(dtype: str) -> np.ndarray:
    return np.array([-INF, -3, -2.5, -2, -1, -0.5, -0.0, 0.0, 0.5, 1, 2, 2.5, 3, INF, NAN], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_error_in_ulps(results: dict[str, np.ndarray], name: str, dtype: str) -> None:
    got = results[f"{name}/{dtype}"]
    assert got.dtype == dtype
    errors = ulp_errors(name, dtype, got)
    worst = int(np.argmax(errors))
    at = (
        arguments(dtype)[worst]
        if name in UNARY
        else [operand[worst] for operand in argument_pairs(name, dtype)]
    )
    bound = OTHER_BOUNDS.get((name, dtype), BOUNDS[dtype])
    assert errors[worst] <= bound, f"{name}({at!r}) = {got[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_zeros_and_infinities(results: dict[str, np.ndarray], name: str, dtype: str) -> None:
    *got, of_nan = results[f"{name}/{dtype}/special"]
    expected = np.array([float(value) for value in UNARY[name][1]]).astype(dtype)
    assert np.isnan(of_nan)
    np.testing.assert_array_max_ulp(np.array(got), expected, maxulp=1, dtype=dtype)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(got)[zero], np.signbit(expected)[zero])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, reference", [("pow", np.power), ("atan2", np.arctan2), ("hypot", np.hypot)])
def test_special_operands(results: dict[str, np.ndarray], name: str, reference: Callable, dtype: str) -> None:
    first, second = (axis.ravel() for axis in np.meshgrid(*[special_operands(dtype)] * 2))
    with np.errstate(all="ignore"):
        expected = reference(first, second)
    got = results[f"{name}/{dtype}/special"]
    np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == "float32" else 1e-15)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(got)[zero], np.signbit(expected)[zero])
