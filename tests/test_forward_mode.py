"""Forward mode: tangents of every operation, of views and in-place writes, and derivatives of tangents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as torch
import tapegrad.autograd.forward_ad as fwAD
from gradient_checker import differentiable_outputs
from op_table import Case
from test_ops import every_case, gradient_problem, has_in_place, is_differentiable, replace_tensors


def directions(tensors: Any, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.uniform(-1, 1, tuple(t.shape))) for t in tensors]


def assert_adjoint(function: Any, leaves: Any) -> None:
    """<J tangent, cotangent> computed in forward mode equals <tangent, J' cotangent> of reverse mode."""
    outputs = differentiable_outputs(function(*leaves))
    cotangents, tangents = directions(outputs, 1), directions(leaves, 2)
    gradients = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
    backward = sum(float((g * t).sum()) for g, t in zip(gradients, tangents, strict=True) if g is not None)
    with fwAD.dual_level():
        duals = [fwAD.make_dual(x.detach(), t) for x, t in zip(leaves, tangents, strict=True)]
        results = function(*duals)
        results = results if isinstance(results, (tuple, list)) else [results]
        results = [r for r in results if r.is_floating_point()]
        found = [fwAD.unpack_dual(r).tangent for r in results]
        for result, derivative in zip(results, found, strict=True):
            if derivative is not None:
                assert derivative.shape == result.shape and derivative.dtype == result.dtype
                assert not derivative.requires_grad and not result.requires_grad
        carried = [d for d in found if d is not None][: len(cotangents)]
        forward = sum(float((d * c).sum()) for d, c in zip(carried, cotangents, strict=True))
    assert forward == pytest.approx(backward, rel=1e-9, abs=1e-10)


@every_case(lambda op, sample: is_differentiable(op, sample) and not op.random)
def test_forward_agrees_with_reverse(case: Case) -> None:
    assert_adjoint(*gradient_problem(case))


@every_case(lambda op, sample: has_in_place(op, sample) and is_differentiable(op, sample) and op.inplace)
def test_in_place_forward_agrees_with_out_of_place(case: Case) -> None:
    _, leaves = gradient_problem(case)
    args, kwargs = case.tensors(torch, "float64", requires_grad=True)
    outputs = []
    for in_place in (False, True):
        with fwAD.dual_level():
            tangents = iter(directions(leaves, 2))
            new_args, new_kwargs = replace_tensors(
                (args, kwargs),
                lambda t, rest=tangents: fwAD.make_dual(t.detach(), next(rest)) if t.requires_grad else t,
            )
            first = new_args[0]
            if not isinstance(first, torch.Tensor):
                return
            name = case.op.short_name
            if not in_place:
                plain = getattr(torch.Tensor, name)(*new_args, **new_kwargs)
                if plain.shape != first.shape:
                    return
                outputs.append(fwAD.unpack_dual(plain).tangent)
            else:
                written = first * 1
                getattr(torch.Tensor, f"{name}_")(written, *new_args[1:], **new_kwargs)
                outputs.append(fwAD.unpack_dual(written).tangent)
    expected, found = (None if t is None else t.numpy() for t in outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def jvp(function: Any, x: Any, direction: Any) -> Any:
    with fwAD.dual_level():
        return fwAD.unpack_dual(function(fwAD.make_dual(x, direction))).tangent


X = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], dtype=torch.float64)
T = torch.tensor([[1.0, 0.5, -1.0], [2.0, 1.0, 0.0]], dtype=torch.float64)


def test_write_through_a_view_reaches_base_and_other_views() -> None:
    def function(x: Any) -> Any:
        y = x * 1
        row, column = y[0], y[:, 0]
        row.mul_(x[1])
        return torch.cat([y.flatten(), column, row])

    y, t = X.clone(), T.clone()
    t[0] = T[0] * X[1] + X[0] * T[1]
    expected = torch.cat([t.flatten(), t[:, 0], t[0]])
    np.testing.assert_allclose(jvp(function, y, T).numpy(), expected.numpy(), rtol=1e-14)


def test_constant_writes_clear_the_tangent() -> None:
    def function(x: Any) -> Any:
        y = x * 2
        y[0] = 7.0
        y[1].zero_()
        return y

    assert jvp(function, X, T).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_view_of_a_transposed_base() -> None:
    def function(x: Any) -> Any:
        y = (x * 1).t()
        y[0] *= x[:, 1]
        return y

    expected = T.t().clone()
    expected[0] = T[:, 0] * X[:, 1] + X[:, 0] * T[:, 1]
    np.testing.assert_allclose(jvp(function, X, T).numpy(), expected.numpy(), rtol=1e-14)


def test_forward_over_reverse_is_the_hessian_times_the_direction() -> None:
    x = X.clone().requires_grad_()
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, T)
        (gradient,) = torch.autograd.grad((dual.exp() * dual.sum()).sum(), dual, create_graph=True)
        found = fwAD.unpack_dual(gradient).tangent
    y = X.clone().requires_grad_()
    (g,) = torch.autograd.grad((y.exp() * y.sum()).sum(), y, create_graph=True)
    (expected,) = torch.autograd.grad(g, y, T)
    np.testing.assert_allclose(found.detach().numpy(), expected.numpy(), rtol=1e-12)


def test_forward_over_reverse_without_create_graph() -> None:
    with fwAD.dual_level():
        dual = fwAD.make_dual(X.clone().requires_grad_(), T)
        (gradient,) = torch.autograd.grad(dual.tanh().softmax(1).square().sum(), dual)
        found = fwAD.unpack_dual(gradient).tangent
    y = X.clone().requires_grad_()
    (g,) = torch.autograd.grad(y.tanh().softmax(1).square().sum(), y, create_graph=True)
    (expected,) = torch.autograd.grad(g, y, T)
    np.testing.assert_allclose(found.detach().numpy(), expected.numpy(), rtol=1e-11)


def test_tangents_can_be_differentiated_in_reverse() -> None:
    x, direction = X.clone().requires_grad_(), T.clone().requires_grad_()
    derivative = jvp(lambda z: (z.tanh() @ z.t()).logsumexp(0), x, direction)
    weight = torch.tensor([1.0, -2.0], dtype=torch.float64)
    found = torch.autograd.grad(derivative, (x, direction), weight)

    def contracted(p: Any, d: Any) -> Any:
        q = p.detach().requires_grad_()
        (g,) = torch.autograd.grad((q.tanh() @ q.t()).logsumexp(0), q, weight)
        return float((g * d).sum())

    np.testing.assert_allclose(
        found[1].numpy(),
        torch.autograd.grad((x.tanh() @ x.t()).logsumexp(0), x, weight)[0].numpy(),
        rtol=1e-12,
    )
    step = 1e-6
    for index in np.ndindex(2, 3):
        moved = [X.clone(), X.clone()]
        moved[0][index] += step
        moved[1][index] -= step
        slope = (contracted(moved[0], T) - contracted(moved[1], T)) / (2 * step)
        assert found[0][index].item() == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_no_grad_does_not_stop_tangents() -> None:
    with torch.no_grad():
        assert jvp(torch.square, X, T).tolist() == (2 * X * T).tolist()


def test_constants_have_no_tangent_and_flat_functions_a_zero_one() -> None:
    with fwAD.dual_level():
        dual = fwAD.make_dual(X, T)
        assert fwAD.unpack_dual(X + 1).tangent is None
        assert fwAD.unpack_dual(dual.detach()).tangent is None
        assert fwAD.unpack_dual(dual > 0).tangent is None
        assert fwAD.unpack_dual(dual.floor()).tangent.tolist() == [[0, 0, 0], [0, 0, 0]]
        primal, tangent = fwAD.unpack_dual(dual)
        assert primal.tolist() == X.tolist() and tangent is T
        assert fwAD.unpack_dual(primal).tangent is None
        assert "tangent=tensor(" in repr(dual)


def test_tangents_end_with_their_level() -> None:
    with fwAD.dual_level():
        kept = fwAD.make_dual(X, T) * 2
    assert fwAD.unpack_dual(kept) == (kept, None)
    with fwAD.dual_level():
        assert fwAD.unpack_dual(kept).tangent is None


def test_levels_leave_nothing_behind() -> None:
    def run() -> None:
        with fwAD.dual_level():
            dual = fwAD.make_dual(X, T)
            for _ in range(10):
                dual = (dual.sin() @ dual.t()) @ dual

    run()
    before = torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]
    run()
    assert (torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]) == before


@pytest.mark.parametrize(
    ("misuse", "kind", "words"),
    [
        (
            lambda: fwAD.make_dual(X, T[0]),
            RuntimeError,
            "Trying to set a forward gradient that has a different",
        ),
        (lambda: fwAD.make_dual(X.long(), T), ValueError, "Expected primal to be floating point"),
        (lambda: fwAD.make_dual(X, T.long()), ValueError, "Expected tangent to be floating point"),
        (
            lambda: fwAD.make_dual(1.0, T),
            AttributeError,
            "'float' object has no attribute 'is_floating_point'",
        ),
        (lambda: fwAD.enter_dual_level(), RuntimeError, "Nested forward mode AD is not supported"),
        (
            lambda: fwAD.exit_dual_level(level=3),
            RuntimeError,
            "Trying to exit a forward AD level that was",
        ),
        (
            lambda: torch.add(fwAD.make_dual(X, T), 1, out=X.clone()),
            NotImplementedError,
            "Trying to use forward AD with",
        ),
    ],
)
def test_misuse(misuse: Any, kind: type[Exception], words: str) -> None:
    with fwAD.dual_level(), pytest.raises(kind, match=words):
        misuse()


def test_make_dual_needs_a_level() -> None:
    with pytest.raises(RuntimeError, match="Trying to create a dual Tensor for forward AD but no level"):
        fwAD.make_dual(X, T)
    with pytest.raises(RuntimeError, match="Dual level must be a positive number"):
        fwAD.exit_dual_level()
