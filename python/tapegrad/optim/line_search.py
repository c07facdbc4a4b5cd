"""Line search for the strong Wolfe conditions (Nocedal & Wright, 2006, algorithms 3.5 and 3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .._C import Tensor

Point = tuple[float, float, Tensor, Any]  # position, value, gradient, slope


def cubic_minimum(
    x1: float,
    f1: float,
    g1: float,
    x2: float,
    f2: float,
    g2: float,
    bounds: tuple[float, float] | None = None,
) -> float:
    """Return the minimiser, within bounds, of the cubic with the given values and slopes at two points."""
    low, high = bounds or (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if square < 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    if x1 <= x2:
        minimum = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        minimum = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(minimum, low), high)


def strong_wolfe(
    evaluate: Callable[[float, Tensor], tuple[float, Tensor]],
    amount: float,
    direction: Tensor,
    loss: float,
    grad: Tensor,
    slope: Any,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_calls: int = 25,
) -> tuple[float, Tensor, float, int]:
    """Return loss, gradient, step length and number of evaluations of an acceptable point along
    `direction`."""
    norm = float(direction.abs().max())
    start_loss, start_slope = loss, float(slope)

    def at(t: float) -> Point:
        value, gradient = evaluate(t, direction)
        return t, value, gradient.clone(), float(gradient.dot(direction))

    def too_high(point: Point) -> bool:
        return point[1] > start_loss + c1 * point[0] * start_slope

    previous: Point = (0.0, loss, grad.clone(), start_slope)
    point = at(amount)
    calls = 1
    bracket: list[Point] = []
    done = False
    searches = 0
    while searches < max_calls:
        if too_high(point) or (searches > 1 and point[1] >= previous[1]):
            bracket = [previous, point]
            break
        if abs(point[3]) <= -c2 * start_slope:
            bracket, done = [point], True
            break
        if point[3] >= 0:
            bracket = [previous, point]
            break
        t, before = point[0], previous[0]
        bounds = (t + 0.01 * (t - before), t * 10)
        t = cubic_minimum(before, previous[1], previous[3], t, point[1], point[3], bounds)
        previous, point = point, at(t)
        calls += 1
        searches += 1
    if searches == max_calls:
        bracket = [(0.0, loss, grad, start_slope), point]

    crept = False
    low, high = (0, 1) if len(bracket) == 1 or bracket[0][1] <= bracket[1][1] else (1, 0)
    while not done and searches < max_calls:
        left, right = sorted(p[0] for p in bracket)
        if (right - left) * norm < tolerance_change:
            break
        first, second = bracket
        t = cubic_minimum(first[0], first[1], first[3], second[0], second[1], second[3])
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # close to an end: move away, at the second time in a row
            if crept or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                crept = False
            else:
                crept = True
        else:
            crept = False
        point = at(t)
        calls += 1
        searches += 1
        if too_high(point) or point[1] >= bracket[low][1]:
            bracket[high] = point
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(point[3]) <= -c2 * start_slope:
                done = True
            elif point[3] * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    best = bracket[low if len(bracket) > 1 else 0]
    return best[1], best[2], best[0], calls
