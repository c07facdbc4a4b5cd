"""gradcheck and gradgradcheck: right gradients pass, wrong ones are reported where they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tapegrad as torch
from tapegrad.autograd import gradcheck, gradgradcheck
from tapegrad.autograd.gradcheck import GradcheckError


def doubles(*shape: int) -> Any:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def with_backward(backward: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """sin, whose gradient passes through `backward`."""

    def function(x: Any) -> Any:
        return torch._C._hooked_identity([x.sin()], lambda gradients: (backward(gradients[0]),))[0]

    return function


GOOD = {
    "unary": (lambda x: x.sin(), (3,)),
    "two inputs": (lambda x, y: x @ y, (2, 3), (3, 2)),
    "two outputs": (lambda x: (x.exp(), x.sum()), (2, 2)),
    "reduction": (lambda x: x.logsumexp(0), (3, 2)),
    "0-dim": (lambda x: x**3, ()),
    "empty": (lambda x: x * 2, (0, 3)),
    "in place": (lambda x: x.clone().mul_(2).add_(x), (2,)),
    "view": (lambda x: x.t()[1:], (2, 3)),
    "an output without gradient": (lambda x: (x.detach(), x * 2), (2,)),
    "an integer output": (lambda x: (x.argmax(), x * 2), (3,)),
}


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", GOOD)
def test_right_gradients_pass(name: str, fast_mode: bool) -> None:
    function, *shapes = GOOD[name]
    inputs = tuple(doubles(*shape) for shape in shapes)
    assert gradcheck(function, inputs, fast_mode=fast_mode, check_batched_grad=True) is True
    assert gradcheck(function, inputs, fast_mode=fast_mode, check_forward_ad=True) is True
    assert gradcheck(function, inputs, check_forward_ad=True, check_backward_ad=False) is True
    assert gradgradcheck(function, inputs, fast_mode=fast_mode, check_batched_grad=True) is True


def test_inputs_of_every_layout_are_restored() -> None:
    base = torch.randn(4, 6, dtype=torch.float64)
    for view in (base.t(), base[::2, 1:5], base[:, 0]):
        x = view.detach().requires_grad_()
        before = x.tolist()
        assert gradcheck(torch.tanh, x)
        assert gradcheck(torch.tanh, x, fast_mode=True)
        assert x.tolist() == before


def test_inputs_that_are_not_differentiated_are_passed_on() -> None:
    assert gradcheck(lambda x, name, n, t: x * n + t, (doubles(2), "name", 3, torch.ones(2)))


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_gradient_names_the_element(fast_mode: bool) -> None:
    def spoil(gradient: Any) -> Any:
        spoiled = gradient.clone()
        spoiled[1, 0] += 2 * gradient[1, 0]
        return spoiled

    x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(
        GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"
    ) as caught:
        gradcheck(with_backward(spoil), x, fast_mode=fast_mode)
    assert "d output[1, 0] / d input[1, 0]: analytical 3, numerical 1" in str(caught.value)
    assert str(caught.value).count("d input[") == 1, "only the wrong element is listed"
    assert gradcheck(with_backward(spoil), x, fast_mode=fast_mode, raise_exception=False) is False


def test_the_wrong_input_and_output_are_named() -> None:
    def function(x: Any, y: Any) -> Any:
        return x * 2, x * y.detach()

    with pytest.raises(GradcheckError, match="output 1 with respect to input 1"):
        gradcheck(function, (doubles(2), doubles(2)))


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_tangent_names_the_mode(fast_mode: bool) -> None:
    def function(x: Any) -> Any:
        return x * x.detach() ** 2  # forward mode and backward miss a factor of three

    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="Jacobian computed with forward mode mismatch") as caught:
        gradcheck(function, x, check_forward_ad=True, check_backward_ad=False, fast_mode=fast_mode)
    assert "d output[0] / d input[0]: analytical 4, numerical 12" in str(caught.value)


def test_a_gradient_of_nan_is_wrong() -> None:
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(with_backward(lambda g: g * float("nan")), doubles(2))


def test_a_detached_output_that_varies_is_wrong() -> None:
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, doubles(2))
    assert gradcheck(lambda x: x.detach() * 0, doubles(2))


def test_random_backward() -> None:
    noisy = with_backward(lambda g: g + 1e-8 * torch.rand_like(g) * g)
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(noisy, doubles(3))
    assert gradcheck(noisy, doubles(3), nondet_tol=1e-5)


def test_backward_must_be_linear() -> None:
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(with_backward(lambda g: g + 1e-6), doubles(2))


def test_backward_must_accept_missing_gradients() -> None:
    def function(x: Any) -> Any:
        def backward(gradients: Any) -> Any:
            if sum(g is None for g in gradients) == 1:
                raise RuntimeError("a gradient is missing")
            return gradients

        return torch._C._hooked_identity([x * 2, x * 3, x * 4], backward)

    with pytest.raises(GradcheckError, match="Expected backward function to handle undefined output grads"):
        gradcheck(function, doubles(2), check_undefined_grad=True, fast_mode=True)


def test_second_derivative_that_is_wrong() -> None:
    def tangent(x: Any) -> Any:
        at = x.detach()
        return at.sin() + at.cos() * (x - at)

    x = doubles(2)
    assert gradcheck(tangent, x)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(tangent, x)


def test_float32_warns() -> None:
    x = torch.randn(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(torch.sin, x, eps=1e-2, atol=1e-2)


def test_gradgradcheck_with_given_and_strided_cotangents() -> None:
    x = doubles(2, 3)
    assert gradgradcheck(torch.exp, x, torch.ones(2, 3, dtype=torch.float64, requires_grad=True))
    assert gradgradcheck(torch.exp, x, gen_non_contig_grad_outputs=True)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor to require gradient"):
        gradcheck(torch.sin, torch.ones(2))
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        gradcheck(torch.sin, torch.ones(1, 2, dtype=torch.float64).expand(2, 2).requires_grad_())
    with pytest.raises(AssertionError, match="Expected at least one of check_forward_ad"):
        gradcheck(torch.sin, doubles(2), check_backward_ad=False)
    with pytest.raises(AssertionError, match="check_batched_forward_grad=True requires check_forward_ad"):
        gradcheck(torch.sin, doubles(2), check_batched_forward_grad=True)
    with pytest.raises(NotImplementedError, match="tangents are not batched"):
        gradcheck(torch.sin, doubles(2), check_forward_ad=True, check_batched_forward_grad=True)
    forward = {"check_forward_ad": True, "check_batched_grad": True}
    with pytest.raises(AssertionError, match="check_batched_grad=True requires check_backward_ad"):
        gradcheck(torch.sin, doubles(2), check_backward_ad=False, **forward)
