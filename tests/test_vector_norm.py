"""torch.norm: values, dimensions and gradients."""

import math

import numpy as np
import pytest

import tapegrad as torch

ORDERS = [2, 1, 0, 3, 0.5, -1, math.inf, -math.inf]


def reference(x, p, axis):
    size = np.abs(x)
    if p == 0:
        return (x != 0).sum(axis).astype(x.dtype)
    if math.isinf(p):
        return size.max(axis) if p > 0 else size.min(axis)
    return (size**p).sum(axis) ** (1 / p)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("dim", [0, 1, (0, 1)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_values(p, dim, keepdim):
    x = np.random.default_rng(0).standard_normal((4, 5))
    y = torch.tensor(x).norm(p, dim, keepdim)
    np.testing.assert_allclose(y.numpy().squeeze(), reference(x, p, dim), rtol=1e-12)
    assert y.dim() == (2 if keepdim else 2 - len(np.atleast_1d(dim)))


@pytest.mark.parametrize("p", [2, 1, 3, 0.5, math.inf, -math.inf])
def test_gradient(p):
    values = np.random.default_rng(1).standard_normal(6)
    x = torch.tensor(values, requires_grad=True)
    x.norm(p).backward()
    step = 1e-6
    for i, slope in enumerate(x.grad.tolist()):
        shifted = [values.copy(), values.copy()]
        shifted[0][i] += step
        shifted[1][i] -= step
        expected = (reference(shifted[0], p, 0) - reference(shifted[1], p, 0)) / (2 * step)
        assert slope == pytest.approx(expected, abs=1e-6)


def test_second_derivative():
    x = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(x.norm(), x, create_graph=True)
    (h,) = torch.autograd.grad(g[0], x)
    np.testing.assert_allclose(h.numpy(), [16 / 125, -12 / 125])


@pytest.mark.parametrize("p", [2, 1, 3, math.inf])
def test_gradient_of_zeros_is_zero(p):
    x = torch.zeros(3, requires_grad=True)
    x.norm(p).backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_spellings():
    x = torch.tensor([[3.0, 4.0]])
    assert torch.norm(x).item() == torch.norm(x, "fro").item() == x.norm(p=None).item() == 5
    assert x.norm(dtype=torch.float64).dtype == torch.float64
    with pytest.raises(RuntimeError, match="linalg.vector_norm: Expected a floating point or complex tensor"):
        torch.ones(2, dtype=torch.int64).norm()
    with pytest.raises(RuntimeError, match="linalg.matrix_norm"):
        x.norm("nuc")
