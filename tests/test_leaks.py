"""Patterns that leak in PyTorch leave nothing behind: counted in tensors, nodes and bytes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import tapegrad as torch
from memory_counts import held

Program = Callable[[], None]


def parameter() -> Any:
    return torch.nn.Parameter(torch.ones(64))


def gradient_with_a_history() -> None:
    """A parameter, its gradient, and the graph of the gradient that leads back to the parameter."""
    w = parameter()
    (w**3).sum().backward(create_graph=True)


def gradient_with_a_history_of_a_plain_tensor() -> None:
    w = torch.ones(64, requires_grad=True)
    (w.exp() * w).sum().backward(create_graph=True)


def gradients_that_lead_to_each_other() -> None:
    w, v = parameter(), parameter()
    (w.sin() * v.exp()).sum().backward(create_graph=True)
    del w
    assert v.grad.grad_fn is not None


def gradient_of_a_gradient_penalty() -> None:
    w = parameter()
    (w**3).sum().backward(create_graph=True)
    w.grad.square().sum().backward()


def written_in_place_and_differentiated() -> None:
    w = parameter()
    x = w * 1
    x[:8].mul_(w[8:16])
    (x**2).sum().backward(create_graph=True)


def loss_dies_after_its_parameter() -> None:
    w = parameter()
    loss = (w**3).sum()
    loss.backward(create_graph=True)
    del w
    assert loss.grad_fn is not None


class KeepsOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (y,) = ctx.saved_tensors
        return y * grad


def context_that_saves_its_output() -> None:
    KeepsOutput.apply(parameter()).sum()


class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        raise ValueError("no gradient today")


def exception_inside_backward() -> None:
    w = parameter()
    loss = (Fails.apply(w.exp()) * w).sum()
    with pytest.raises(ValueError, match="no gradient today"):
        loss.backward()


def wrong_use_of_a_freed_graph() -> None:
    loss = parameter().exp().sum()
    loss.backward()
    with pytest.raises(RuntimeError):
        loss.backward()


def saved_attributes_of_a_node() -> None:
    y = parameter().exp()
    assert y.grad_fn._saved_result is not None


def retained_gradients() -> None:
    y = parameter().exp()
    y.retain_grad()
    y.sum().backward()
    assert y.grad is not None


COUNTED = [
    gradient_with_a_history,
    gradient_with_a_history_of_a_plain_tensor,
    gradients_that_lead_to_each_other,
    gradient_of_a_gradient_penalty,
    written_in_place_and_differentiated,
    context_that_saves_its_output,
    exception_inside_backward,
    wrong_use_of_a_freed_graph,
    saved_attributes_of_a_node,
    retained_gradients,
]


@pytest.mark.parametrize("program", COUNTED, ids=lambda program: program.__name__)
def test_reference_counts_are_enough(program: Program, without_collector: None) -> None:
    program()
    before = held()
    for _ in range(5):
        program()
    assert held() == before


def test_cycles_left_behind_are_bounded(without_collector: None) -> None:
    """Where no Python object tells that a cycle was left, the next ones find it."""
    for _ in range(500):
        loss_dies_after_its_parameter()
    before = held()
    for _ in range(500):
        loss_dies_after_its_parameter()
    size, tensors, nodes = (now - then for now, then in zip(held(), before, strict=True))
    assert tensors < 600 and nodes < 600 and size < 600 * 1024


def hook_that_refers_to_its_tensor() -> None:
    w = parameter()
    y = w * 2
    y.register_hook(lambda grad: grad * y.detach())
    w.register_hook(lambda grad: grad + w.detach())
    y.sum().backward()


def context_that_holds_its_output() -> None:
    class Holds(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.result = x * 2
            return ctx.result

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    Holds.apply(parameter()).sum().backward()


def module_with_gradients_that_have_a_history() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    model.register_full_backward_hook(lambda module, inputs, outputs: None)
    model(torch.ones(2, 4)).sum().backward(create_graph=True)


def tensor_that_refers_to_itself() -> None:
    y = parameter() * 2
    y.me = y


def collect() -> None:
    """A cycle whose tensor is also held by the graph of another cycle takes a second round."""
    gc.collect()
    gc.collect()


@pytest.mark.parametrize(
    "program",
    [
        hook_that_refers_to_its_tensor,
        context_that_holds_its_output,
        module_with_gradients_that_have_a_history,
        tensor_that_refers_to_itself,
    ],
    ids=lambda program: program.__name__,
)
def test_cycles_through_python_are_collected(program: Program) -> None:
    program()
    collect()
    before = held()
    for _ in range(5):
        program()
    collect()
    assert held() == before


def test_kept_gradients_keep_their_history() -> None:
    """The search frees nothing that is in use: third derivatives still come out right afterwards."""
    w = torch.tensor([2.0], requires_grad=True)
    (w**4).sum().backward(create_graph=True)
    gradient = w.grad
    for _ in range(100):
        gradient_with_a_history()
    (second,) = torch.autograd.grad(gradient, w, create_graph=True)
    (third,) = torch.autograd.grad(second, w)
    assert (second.item(), third.item()) == (48.0, 48.0)


def test_gradient_outlives_its_parameter() -> None:
    w = torch.tensor([2.0], requires_grad=True)
    (w**3).sum().backward(create_graph=True)
    gradient = w.grad
    del w
    gradient_with_a_history()
    assert gradient.grad_fn is not None and gradient.item() == 12.0
