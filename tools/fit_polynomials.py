"""Derives the polynomial coefficients of csrc/kernels/vec_math*.h.

`fit` is the Remez exchange algorithm in multiple precision: it finds sum(c[k] * x**powers[k]) whose weighted distance
from f on [a, b] has the smallest possible maximum. The coefficients are then rounded to the working precision.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence

import mpmath as mp

mp.mp.dps = 45
Function = Callable[[mp.mpf], mp.mpf]


def round_float32(value: mp.mpf) -> mp.mpf:
    """The float32 nearest to value (by way of a float64, which is harmless here)."""
    return mp.mpf(struct.unpack("f", struct.pack("f", float(value)))[0])


def round_float64(value: mp.mpf) -> mp.mpf:
    """The float64 nearest to value."""
    return mp.mpf(float(value))


def remez(
    f: Function, weight: Function, a: float, b: float, powers: Sequence[int], iterations: int = 12
) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients of the weighted minimax approximation, and the largest weighted error."""
    a, b = mp.mpf(a), mp.mpf(b)
    n = len(powers)
    points = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / n) for i in range(n + 1)]
    grid_size = 24 * (n + 1)
    grid = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / grid_size) for i in range(grid_size)]
    grid = [a, *grid, b]
    grid_values = [(x, f(x), weight(x)) for x in grid]
    coefficients: list[mp.mpf] = []
    largest = mp.inf
    for _ in range(iterations):
        matrix = mp.matrix(n + 1, n + 1)
        right = mp.matrix(n + 1, 1)
        for i, x in enumerate(points):
            for j, p in enumerate(powers):
                matrix[i, j] = x**p
            matrix[i, n] = (-1) ** i / weight(x)
            right[i] = f(x)
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[j] for j in range(n)]
        level = abs(solution[n])
        errors = [(x, (sum(c * x**p for c, p in zip(coefficients, powers)) - fx) * w) for x, fx, w in grid_values]
        # One extremum of each run of equal sign; then keep the n + 1 neighbours with the largest errors.
        extrema: list[tuple[mp.mpf, mp.mpf]] = []
        for x, e in errors:
            if extrema and (extrema[-1][1] > 0) == (e > 0):
                if abs(e) > abs(extrema[-1][1]):
                    extrema[-1] = (x, e)
            else:
                extrema.append((x, e))
        while len(extrema) > n + 1:
            extrema.pop(0 if abs(extrema[0][1]) < abs(extrema[-1][1]) else -1)
        largest = max(abs(e) for _, e in errors)
        if len(extrema) < n + 1:
            break
        points = [x for x, _ in extrema]
        if largest < level * mp.mpf("1.001"):
            break
    return coefficients, largest


def fit(
    f: Function, a: float, b: float, powers: Sequence[int], *, weight: Function = lambda x: mp.mpf(1), single: bool
) -> tuple[list[float], float]:
    """Rounded coefficients and the weighted error of the polynomial that has them.

    Leading terms that must be exact are factored out of f by the caller, so that rounding what is fitted is harmless.
    """
    rounding = round_float32 if single else round_float64
    coefficients, _ = remez(f, weight, a, b, powers)
    coefficients = [rounding(c) for c in coefficients]
    samples = [mp.mpf(a) + (mp.mpf(b) - mp.mpf(a)) * i / 500 for i in range(501)]
    error = max(abs((f(x) - sum(c * x**p for c, p in zip(coefficients, powers))) * weight(x)) for x in samples)
    return [float(c) for c in coefficients], float(error)
