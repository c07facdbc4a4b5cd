"""autograd.functional by itself: values against derivatives by hand, higher orders, structure."""

from __future__ import annotations

import pytest

import tapegrad as torch
from tapegrad.autograd import functional


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)


@pytest.fixture
def a() -> torch.Tensor:
    return torch.arange(6.0, dtype=torch.float64).reshape(2, 3)


def test_jacobian_of_a_matrix_product(a: torch.Tensor, x: torch.Tensor) -> None:
    assert close(functional.jacobian(lambda x: a @ x, x), a)
    by_matrix = functional.jacobian(lambda m: m @ x, a)
    assert by_matrix.shape == (2, 2, 3)
    assert close(by_matrix, torch.einsum("ij,k->ijk", torch.eye(2, dtype=torch.float64), x))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_both_strategies_give_the_same(strategy: str, a: torch.Tensor, x: torch.Tensor) -> None:
    function = lambda a, x: (torch.tanh(a @ x), a.sum() * x, x.new_ones(2))
    expected = functional.jacobian(function, (a, x))
    found = functional.jacobian(function, (a, x), vectorize=True, strategy=strategy)
    assert [[block.shape for block in row] for row in found] == [
        [(2, 2, 3), (2, 3)],
        [(3, 2, 3), (3, 3)],
        [(2, 2, 3), (2, 3)],
    ]
    assert all(close(f, e) for rows in zip(found, expected) for f, e in zip(*rows))


def test_hessian_and_its_products(x: torch.Tensor) -> None:
    function = lambda x: (x**3).sum() * x[0]
    h = functional.hessian(function, x)
    s = (x**3).sum()
    by_hand = torch.diag(6 * x * x[0])
    by_hand[0] += 3 * x**2
    by_hand[:, 0] += 3 * x**2
    assert close(h, by_hand)
    v = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)
    for product in (functional.hvp, functional.vhp):
        value, found = product(function, x, v)
        assert close(value, s * x[0])
        assert close(found, h @ v)
    for strategy in ("reverse-mode", "forward-mode"):
        assert close(
            functional.hessian(function, x, vectorize=True, outer_jacobian_strategy=strategy), by_hand
        )


def test_products_agree_with_the_jacobian(a: torch.Tensor, x: torch.Tensor) -> None:
    function = lambda x: torch.sin(a @ x)
    jacobian = functional.jacobian(function, x)
    u, v = torch.randn(2, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    out, product = functional.vjp(function, x, u)
    assert close(out, function(x)) and close(product, u @ jacobian)
    out, product = functional.jvp(function, x, v)
    assert close(out, function(x)) and close(product, jacobian @ v)


def test_create_graph_gives_higher_orders(x: torch.Tensor) -> None:
    x.requires_grad_()
    for third in (
        functional.jacobian(lambda x: functional.hessian(lambda x: (x**4).sum(), x, create_graph=True), x),
        functional.jacobian(
            lambda x: functional.jvp(lambda x: 4 * x**3, x, torch.ones_like(x), create_graph=True)[1], x
        ),
    ):
        total = third if third.dim() == 2 else third.sum(1)
        assert close(total, torch.diag(24 * x.detach()))
    h = functional.hessian(lambda x: (x**3).sum(), x, create_graph=True)
    (gradient,) = torch.autograd.grad(h.sum(), x)
    assert close(gradient, torch.full_like(x, 6.0).detach())


def test_results_without_create_graph_have_no_history(x: torch.Tensor) -> None:
    x.requires_grad_()
    assert not functional.jacobian(lambda x: x**2, x).requires_grad
    assert not any(t.requires_grad for t in functional.vjp(lambda x: x**2, x, torch.ones_like(x)))
    assert x.grad is None


def test_no_grad_does_not_hinder(x: torch.Tensor) -> None:
    with torch.no_grad():
        assert close(functional.jacobian(lambda x: x**2, x), torch.diag(2 * x))
        assert close(functional.hessian(lambda x: (x**2).sum(), x), 2 * torch.eye(3, dtype=torch.float64))


def test_no_elements(x: torch.Tensor) -> None:
    assert functional.jacobian(lambda x: x[:0], x).shape == (0, 3)
    assert functional.jacobian(lambda x: x.exp(), x[:0]).shape == (0, 0)


def test_strict_rejects_what_does_not_depend(x: torch.Tensor) -> None:
    with pytest.raises(
        RuntimeError, match="Output 1 of the user-provided function is independent of input 0"
    ):
        functional.jacobian(lambda x, y: (x * y, y.exp()), (x, x), strict=True)
    with pytest.raises(RuntimeError, match="does not require gradients"):
        functional.jvp(lambda x: x.detach(), x, x, strict=True)


def test_batches_of_gradients(x: torch.Tensor) -> None:
    x.requires_grad_()
    eye = torch.eye(3, dtype=torch.float64)
    (rows,) = torch.autograd.grad(x**3, x, eye, is_grads_batched=True, create_graph=True)
    assert close(rows.detach(), torch.diag(3 * x.detach() ** 2))
    (second,) = torch.autograd.grad(rows.sum(), x)
    assert close(second, 6 * x.detach())
    y = x.exp()
    torch.autograd.grad(y, x, eye, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y, x, eye, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="If `is_grads_batched=True`, we interpret the first dimension"):
        torch.autograd.grad(x**2, x, torch.ones(2, 2), is_grads_batched=True)
