"""`torch.special`: the same functions under SciPy's names, and those that are made of others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import tapegrad as torch


@pytest.mark.parametrize("name", ["digamma", "erf", "erfc", "erfinv", "exp2", "expm1", "log1p", "xlogy"])
def test_alias(name: str) -> None:
    assert getattr(torch.special, name) is getattr(torch, name)


def test_other_names() -> None:
    assert torch.special.psi is torch.digamma and torch.special.gammaln is torch.lgamma
    assert torch.special.expit is torch.sigmoid and torch.logit is torch.special.logit


@pytest.mark.parametrize("name", ["entr", "logit", "ndtr", "ndtri"])
def test_composed(name: str) -> None:
    x = np.linspace(0.05, 0.95, 19)
    found = getattr(torch.special, name)(torch.tensor(x))
    np.testing.assert_allclose(found.numpy(), getattr(special, name)(x), 1e-13, 1e-15)


def test_limits() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0])
    assert torch.special.entr(x).tolist() == [-math.inf, 0, 0]
    assert torch.logit(x, eps=0.5).tolist() == [0, 0, 0] and torch.logit(x[1:]).tolist() == [
        -math.inf,
        math.inf,
    ]
    assert torch.special.xlog1py(torch.zeros(2), torch.tensor([-1.0, 3.0])).tolist() == [0, 0]
    assert torch.special.xlog1py(torch.zeros(1), torch.tensor([math.nan])).isnan().all()


@pytest.mark.parametrize("n", range(7))
def test_polygamma(n: int) -> None:
    x = np.array([0.01, 0.5, 1, 2.5, 9, 10.5, 33, 1000, 1e7, -0.5, -1.75, -20.3])
    zeta = special.zeta(n + 1, np.where(x > 0, x, 1)) * math.factorial(n) * (-1) ** (n + 1)
    expected = special.digamma(x) if n == 0 else np.where(x > 0, zeta, special.polygamma(n, x))
    positive = x > 0
    found = torch.polygamma(n, torch.tensor(x)).numpy()
    np.testing.assert_allclose(found[positive], expected[positive], 1e-13)
    np.testing.assert_allclose(found[~positive], derivative_of_digamma(n, x[~positive]), 1e-10)
    assert torch.tensor(x).polygamma(n).tolist() == found.tolist()


def derivative_of_digamma(n: int, x: np.ndarray) -> np.ndarray:
    """By the recurrence from the positive side."""
    steps = np.arange(40)[:, None]
    shifted = x + 40
    head = special.digamma(shifted) if n == 0 else special.polygamma(n, shifted)
    return head - (-1) ** n * math.factorial(n) * ((x + steps) ** -(n + 1.0)).sum(0)


def test_poles_and_limits_of_polygamma() -> None:
    x = torch.tensor([0.0, -3.0, math.inf, math.nan], dtype=torch.float64)
    assert str(torch.polygamma(1, x).tolist()) == "[inf, inf, 0.0, nan]"
    assert torch.polygamma(2, x[:2]).tolist() == [-math.inf, -math.inf]
    with pytest.raises(RuntimeError, match=r"^polygamma\(n, x\) does not support negative n"):
        torch.polygamma(-1, x)
