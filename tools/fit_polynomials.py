"""Derives the polynomial coefficients of csrc/kernels/vec_math*.h.

`fit` is the Remez exchange algorithm in multiple precision: it finds sum(c[k] * x**powers[k]) whose weighted
distance from f on [a, b] has the smallest possible maximum. The coefficients are then rounded to the working
precision.
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
    grid = [
        (a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / grid_size) for i in range(grid_size)
    ]
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
        errors = [
            (x, (sum(c * x**p for c, p in zip(coefficients, powers)) - fx) * w) for x, fx, w in grid_values
        ]
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
    f: Function,
    a: float,
    b: float,
    powers: Sequence[int],
    *,
    weight: Function = lambda x: mp.mpf(1),
    single: bool,
) -> tuple[list[float], float]:
    """Rounded coefficients and the weighted error of the polynomial that has them.

    Leading terms that must be exact are factored out of f by the caller: rounding the others is harmless.
    """
    rounding = round_float32 if single else round_float64
    coefficients, _ = remez(f, weight, a, b, powers)
    coefficients = [rounding(c) for c in coefficients]
    samples = [mp.mpf(a) + (mp.mpf(b) - mp.mpf(a)) * i / 500 for i in range(501)]
    error = max(
        abs((f(x) - sum(c * x**p for c, p in zip(coefficients, powers))) * weight(x)) for x in samples
    )
    return [float(c) for c in coefficients], float(error)


def near_zero(f: Function, series: Sequence[mp.mpf], threshold: str = "1e-8") -> Function:
    """f, except that close to 0, where its formula cancels, the first terms of its power series are used."""
    return lambda x: (
        f(x) if abs(x) > mp.mpf(threshold) else sum(mp.mpf(c) * x**k for k, c in enumerate(series))
    )


def of_square(f: Function, series: Sequence[mp.mpf]) -> Function:
    """(f(x) / x - 1) / x^2 as a function of z = x^2."""
    return near_zero(lambda z: (f(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, series, "1e-12")


def bounded(weight: Function) -> Function:
    """A weight that is never 0, as the Remez algorithm needs."""
    return lambda x: max(abs(weight(x)), mp.mpf("1e-4"))


def order(n: int) -> Function:
    """The weight of a polynomial that the result has times x^n."""
    return bounded(lambda x: x**n)


def inverse(n: int) -> mp.mpf:
    """1 / n in full precision."""
    return mp.mpf(1) / n


def erfcx(x: mp.mpf) -> mp.mpf:
    """exp(x^2) erfc(x)."""
    return mp.exp(x * x) * mp.erfc(x)


def log_gamma_quotient(t: mp.mpf) -> mp.mpf:
    """log(gamma(2 + t)) / (t (1 + t)): the two zeros divided out."""
    if abs(t) < mp.mpf("1e-12"):
        return mp.digamma(2) + t * (mp.psi(1, 2) / 2 - mp.digamma(2))
    if abs(t + 1) < mp.mpf("1e-12"):
        return -mp.digamma(1)
    return mp.loggamma(2 + t) / (t * (1 + t))


def stirling_tail(z: mp.mpf) -> mp.mpf:
    """x (log(gamma(x)) - Stirling's formula) with z = 1 / x^2."""
    if z < mp.mpf("1e-10"):
        return inverse(12) - z / 360 + z * z / 1260
    x = 1 / mp.sqrt(z)
    return x * (mp.loggamma(x) - ((x - mp.mpf("0.5")) * mp.log(x) - x + mp.log(2 * mp.pi) / 2))


def erfinv_quotient(w: mp.mpf) -> mp.mpf:
    """erfinv(x) / x with w = -log(1 - x^2)."""
    if w < mp.mpf("1e-12"):
        return ERFINV_SLOPE
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


ERFINV_SLOPE = mp.sqrt(mp.pi) / 2
LOG2 = float(mp.log(2) / 2) * 1.0005
OCTANT = float(mp.pi / 4) * 1.01
SQRT2 = mp.sqrt(2)


def erfc_scaled(center: int) -> Function:
    """(1 + 2 x) erfcx(x) in t = (x - center) / (x + center)."""

    def scaled(t: mp.mpf) -> mp.mpf:
        x = center * (1 + t) / (1 - t)
        return (1 + 2 * x) * erfcx(x)

    return scaled


# name: (function, interval, weight that makes the error relative, terms in float32, terms in float64)
FITS: dict[str, tuple[Function, float, float, Function, int | None, int | None]] = {
    "expm1: (e^r - 1 - r) / r^2": (
        near_zero(lambda r: (mp.expm1(r) - r) / r**2, [inverse(2), inverse(6), inverse(24)]),
        -LOG2, LOG2, order(1), 5, 11,
    ),
    "log, float32: (log(1 + f) - f + f^2 / 2) / f^3": (
        near_zero(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, [inverse(3), -inverse(4), inverse(5)]),
        float(1 / SQRT2 - 1), float(SQRT2 - 1), order(2), 8, None,
    ),
    "log, float64: (2 atanh(s) / s - 2) / z, z = s^2": (
        near_zero(
            lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
            [2 * inverse(3), 2 * inverse(5), 2 * inverse(7)],
        ),
        0, float(((SQRT2 - 1) / (SQRT2 + 1)) ** 2), order(1), None, 7,
    ),
    "pow: (2 atanh(s) / s - 2 - 2 z / 3) / z^2, z = s^2": (
        near_zero(
            lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2 - 2 * z / 3) / z**2,
            [2 * inverse(5), 2 * inverse(7), 2 * inverse(9)],
        ),
        0, float(((SQRT2 - 1) / (SQRT2 + 1)) ** 2), order(2), None, 9,
    ),
    "tanh": (of_square(mp.tanh, [-inverse(3), 2 * inverse(15)]), 0, 0.55**2, order(1), 5, 10),
    "sinh": (of_square(mp.sinh, [inverse(6), inverse(120)]), 0, 1, order(1), 4, 8),
    "sin": (of_square(mp.sin, [-inverse(6), inverse(120)]), 0, OCTANT**2, order(1), 4, 7),
    "cos: (cos(r) - 1 + z / 2) / z^2, z = r^2": (
        near_zero(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, [inverse(24), -inverse(720)], "1e-10"),
        0, OCTANT**2, order(2), 4, 7,
    ),
    "tan": (of_square(mp.tan, [inverse(3), 2 * inverse(15)]), 0, OCTANT**2, order(1), 7, None),
    "atan": (of_square(mp.atan, [-inverse(3), inverse(5)]), 0, float(SQRT2 - 1) ** 2, order(1), 6, 13),
    "asin": (of_square(mp.asin, [inverse(6), 3 * inverse(40)]), 0, 0.25, order(1), 6, 13),
    "atanh": (of_square(mp.atanh, [inverse(3), inverse(5)]), 0, 0.25, order(1), 7, None),
    "erf near 0: erf(x) / x - 1 in z = x^2": (
        near_zero(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, [2 / mp.sqrt(mp.pi) - 1], "1e-30"),
        0, 1, lambda z: mp.mpf(1), 7, 14,
    ),
    "erf beyond 1, float32: erfc(u + 2.5)": (
        lambda u: mp.erfc(u + mp.mpf("2.5")), -1.5, 1.5, lambda u: mp.mpf(1), 16, None,
    ),
    "erf beyond 1, float64: erfcx(u + 3)": (
        lambda u: erfcx(u + 3), -2, 2.95, lambda u: mp.exp(-((u + 3) ** 2)) + mp.mpf("1e-13"), None, 22,
    ),
    "erfc, float32: (1 + 2 x) erfcx(x) in t = (x - 2) / (x + 2)": (
        erfc_scaled(2), -0.6, 0.68, lambda t: 1 / erfc_scaled(2)(t), 11, None,
    ),
    "erfc, float64: (1 + 2 x) erfcx(x) in t = (x - 3) / (x + 3)": (
        erfc_scaled(3), -5 / 7, 25 / 31, lambda t: 1 / erfc_scaled(3)(t), None, 22,
    ),
    "lgamma on [1, 3]": (log_gamma_quotient, -1, 1, lambda t: 1 / log_gamma_quotient(t), None, 30),
    "lgamma beyond 8, in 1 / x^2": (stirling_tail, 0, 1 / 64, lambda z: mp.mpf(1), None, 7),
    "erfinv for w <= 5: (erfinv(x) / x - slope) / w": (
        near_zero(lambda w: (erfinv_quotient(w) - ERFINV_SLOPE) / w, [ERFINV_SLOPE * mp.pi / 12], "1e-12"),
        0, 5, bounded(lambda w: w / erfinv_quotient(w)), 9, 21,
    ),
    "erfinv for w >= 5, float32, in u = sqrt(w) - 3": (
        lambda u: erfinv_quotient((u + 3) ** 2),
        -0.77, 1, lambda u: 1 / erfinv_quotient((u + 3) ** 2), 11, None,
    ),
    "erfinv for w >= 5, float64, in u = sqrt(w) - 4": (
        lambda u: erfinv_quotient((u + 4) ** 2),
        -1.8, 2.05, lambda u: 1 / erfinv_quotient((u + 4) ** 2), None, 36,
    ),
}  # fmt: skip


def main() -> None:
    """Prints the fits whose name contains an argument, or all of them."""
    for name, (f, a, b, weight, *terms) in FITS.items():
        if sys.argv[1:] and not any(argument in name for argument in sys.argv[1:]):
            continue
        for single, n in zip((True, False), terms):
            if n is not None:
                coefficients, error = fit(f, a, b, range(n), weight=weight, single=single)
                print(f"{name}, float{32 if single else 64}: error 2^{float(mp.log(error, 2)):.1f}")
                print("  " + ", ".join(map(repr, coefficients)), flush=True)


if __name__ == "__main__":
    main()
