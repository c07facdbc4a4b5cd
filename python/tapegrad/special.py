"""`torch.special`: the special functions under the names that SciPy gives them."""

from __future__ import annotations

import math

from . import _C
from ._C import (
    Tensor,
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    log_softmax,
    logsumexp,
    polygamma,
    round,
    softmax,
    xlogy,
)

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "softmax",
    "xlog1py",
    "xlogy",
]

expit = _C.sigmoid
gammaln = _C.lgamma
psi = digamma


def entr(input: Tensor) -> Tensor:
    """-x log(x), the terms of an entropy: 0 at 0, minus infinity below."""
    return _C.where(input >= 0, -xlogy(input, input), -math.inf)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), with x limited to [eps, 1 - eps] when `eps` is given; NaN outside of [0, 1]."""
    x = input if eps is None else input.clamp(eps, 1 - eps)
    return (x / (1 - x)).log()


def ndtr(input: Tensor) -> Tensor:
    """The normal distribution function."""
    return 0.5 * erfc(input * -math.sqrt(0.5))


def ndtri(input: Tensor) -> Tensor:
    """The inverse of `ndtr`: the argument at which the normal distribution reaches a probability."""
    return math.sqrt(2) * erfinv(2 * input - 1)


def xlog1py(input: Tensor, other: Tensor) -> Tensor:
    """input * log(1 + other), 0 where input is 0 unless other is NaN."""
    return _C.where((input == 0) & ~other.isnan(), 0.0, input * log1p(other))
