"""Gradients checked against central differences, to any order, with nothing but `autograd.grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tapegrad as torch

STEP = 1e-6
RTOL, ATOL = 1e-5, 1e-6


def differentiable_outputs(result: Any) -> list[Any]:
    """The results that carry a gradient, in order."""
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    return [out for out in outputs if out.requires_grad]


def check_gradients(function: Callable[..., Any], inputs: Sequence[Any], order: int = 1) -> None:
    """Compare the gradient of `function` (tensors to a tensor or tensors) with central differences.

    The outputs are contracted with fixed random cotangents; for a higher order the gradient, as a function of
    the inputs and of the cotangents, is checked in the same way.
    """
    outputs = differentiable_outputs(function(*inputs))
    assert outputs, "no output requires a gradient"
    rng = np.random.default_rng(order)
    cotangents = [
        torch.tensor(rng.uniform(0.5, 1.5, tuple(out.shape)) * rng.choice([-1, 1], tuple(out.shape)))
        for out in outputs
    ]

    analytic = torch.autograd.grad(outputs, inputs, cotangents, allow_unused=True)
    for position, (tensor, found) in enumerate(zip(inputs, analytic, strict=True)):
        found = np.zeros(tuple(tensor.shape)) if found is None else found.detach().numpy()
        expected = central_differences(function, inputs, position, cotangents)
        np.testing.assert_allclose(
            found, expected, RTOL, ATOL, err_msg=f"gradient of order {order} of input {position}"
        )

    gradient = gradient_function(function, len(inputs))
    arguments = [*inputs, *(cotangent.requires_grad_() for cotangent in cotangents)]
    if order > 1 and differentiable_outputs(gradient(*arguments)):
        check_gradients(gradient, arguments, order - 1)


def gradient_function(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The map from inputs and cotangents to the gradients of the inputs."""

    def gradient(*arguments: Any) -> list[Any]:
        inputs, cotangents = arguments[:count], arguments[count:]
        outputs = differentiable_outputs(function(*inputs))
        gradients = torch.autograd.grad(outputs, inputs, cotangents, create_graph=True, allow_unused=True)
        return [g for g in gradients if g is not None]

    return gradient


def central_differences(
    function: Callable[..., Any], inputs: Sequence[Any], position: int, cotangents: Sequence[Any]
) -> np.ndarray:
    """The gradient of the contracted outputs with respect to one input, element by element."""
    base = inputs[position].detach().numpy().copy()
    gradient = np.zeros(base.shape)

    def contracted(value: np.ndarray) -> float:
        moved = torch.tensor(value).requires_grad_()
        outputs = differentiable_outputs(function(*inputs[:position], moved, *inputs[position + 1 :]))
        return sum(
            float((out.detach().numpy() * c.detach().numpy()).sum())
            for out, c in zip(outputs, cotangents, strict=True)
        )

    for index in np.ndindex(base.shape):
        up, down = base.copy(), base.copy()
        up[index] += STEP
        down[index] -= STEP
        gradient[index] = (contracted(up) - contracted(down)) / (2 * STEP)
    return gradient
