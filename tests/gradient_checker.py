"""Gradients checked against central differences, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tapegrad as torch
from tapegrad.autograd import gradcheck

RTOL, ATOL = 1e-5, 1e-6


def differentiable_outputs(result: Any) -> list[Any]:
    """The results that carry a gradient, in order."""
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    return [out for out in outputs if out.requires_grad]


def check_gradients(function: Callable[..., Any], inputs: Sequence[Any], order: int = 1) -> None:
    """Compare the gradient of `function` (tensors to a tensor or tensors) with central differences.

    The outputs are contracted with fixed random cotangents, which takes one backward instead of one for each
    element; for a higher order the gradient, as a function of the inputs and of the cotangents, is checked in
    the same way.
    """
    outputs = differentiable_outputs(function(*inputs))
    assert outputs, "no output requires a gradient"
    rng = np.random.default_rng(order)
    cotangents = [
        torch.tensor(rng.uniform(0.5, 1.5, tuple(out.shape)) * rng.choice([-1, 1], tuple(out.shape)))
        for out in outputs
    ]

    def contracted(*values: Any) -> Any:
        return sum((out * c).sum() for out, c in zip(differentiable_outputs(function(*values)), cotangents))

    assert gradcheck(contracted, tuple(inputs), atol=ATOL, rtol=RTOL)

    gradient = gradient_function(function, len(inputs))
    arguments = [*inputs, *(cotangent.clone().requires_grad_() for cotangent in cotangents)]
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
