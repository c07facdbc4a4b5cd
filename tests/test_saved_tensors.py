"""Saved-tensor hooks; the tests that take `torch` also run on PyTorch where it is installed."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType


def leaf(torch: Torch) -> Any:
    return torch.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_hooks_stand_between_forward_and_backward(torch: Torch) -> None:
    packed: list[Any] = []

    def pack(tensor: Any) -> int:
        packed.append((torch.is_grad_enabled(), tensor.detach().clone()))
        return len(packed) - 1

    x = leaf(torch)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda i: packed[i][1] * 10):
        y = x * x
    y.sum().backward()
    assert [grad for grad, _ in packed] == [False, False]
    assert x.grad.tolist() == [20, 40, 60]


def test_hooks_are_off_outside_and_nest(torch: Torch) -> None:
    order: list[str] = []
    x = leaf(torch)
    graph = torch.autograd.graph

    def hooks(name: str) -> Any:
        return graph.saved_tensors_hooks(lambda t: (order.append(name), t)[1], lambda t: t)

    with hooks("outer"):
        x.exp()
        with hooks("inner"):
            x.exp()
        x.exp()
    x.exp()
    assert order == ["outer", "inner", "outer"]


@pytest.mark.parametrize("identity", [True, False])
def test_higher_orders(torch: Torch, identity: bool) -> None:
    x = leaf(torch)
    unpack = (lambda t: t) if identity else (lambda t: t.clone())
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t if identity else t.detach().clone(), unpack):
        y = (x.exp() * x).tanh() @ x
        found = y
        for _ in range(2):
            (found,) = torch.autograd.grad(found.sum(), x, create_graph=True)
    expected = (x.exp() * x).tanh() @ x
    for _ in range(2):
        (expected,) = torch.autograd.grad(expected.sum(), x, create_graph=True)
    assert torch.allclose(found, expected)


def test_parameters_arrive_as_they_are(torch: Torch) -> None:
    seen: list[type] = []
    linear = torch.nn.Linear(3, 2)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(type(t)), t)[1], lambda t: t):
        linear(leaf(torch)).sum().backward()
    assert torch.nn.Parameter in seen or torch.Tensor in seen
    assert linear.weight.grad is not None


def test_versions_are_not_checked_with_hooks(torch: Torch) -> None:
    x = leaf(torch)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = x.exp()
    y.mul_(0)
    torch.autograd.grad(y.sum(), x)


def test_custom_functions_save_through_hooks(torch: Torch) -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    x = leaf(torch)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 100, lambda t: t):
        Square.apply(x).sum().backward()
    assert x.grad.tolist() == [200, 400, 600]


def test_words_of_wrong_hooks(torch: Torch) -> None:
    x, graph = leaf(torch), torch.autograd.graph
    with graph.saved_tensors_hooks(lambda t: 3, lambda t: t):
        y = x.exp()
    with pytest.raises(
        TypeError,
        match="^Output of saved tensor unpack_hook expected to be a Tensor but got result of type int",
    ):
        y.sum().backward()
    with (
        graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t),
        pytest.raises(RuntimeError, match="^A saved tensor pack hook is modifying its input in place."),
    ):
        (x * 1).exp()
    with pytest.raises(TypeError), graph.saved_tensors_hooks(1, 2):
        pass
    with graph.saved_tensors_hooks(lambda t: 1 / 0, lambda t: t), pytest.raises(ZeroDivisionError):
        x.exp()
    assert x.exp().requires_grad


def test_disabled_hooks(torch: Torch) -> None:
    graph, x = torch.autograd.graph, leaf(torch)
    with graph.disable_saved_tensors_hooks("not here"):
        with (
            pytest.raises(RuntimeError, match="^not here"),
            graph.saved_tensors_hooks(lambda t: t, lambda t: t),
        ):
            pass
        with graph.disable_saved_tensors_hooks("nor here"):
            pass
        with (
            pytest.raises(RuntimeError, match="^not here"),
            graph.saved_tensors_hooks(lambda t: t, lambda t: t),
        ):
            pass
    with (
        graph.saved_tensors_hooks(lambda t: t, lambda t: t),
        pytest.raises(RuntimeError, match="^inside"),
        graph.disable_saved_tensors_hooks("inside"),
    ):
        pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        x.exp()


def test_save_on_cpu(torch: Torch) -> None:
    x = leaf(torch)
    with torch.autograd.graph.save_on_cpu():
        y = x * x
    y.sum().backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_raw_saved_tensors(torch: Torch) -> None:
    x = leaf(torch)
    y = x.exp()
    calls: list[str] = []
    saved = y.grad_fn._raw_saved_result
    saved.register_hooks(lambda t: (calls.append("pack"), t)[1], lambda t: (calls.append("unpack"), t)[1])
    with pytest.raises(
        RuntimeError, match="^Calling register_hooks on a saved tensor whose hooks have already been"
    ):
        saved.register_hooks(lambda t: t, lambda t: t)
    with pytest.raises(
        RuntimeError, match="^Calling register_hooks on a saved tensor with value None is forbidden"
    ):
        (x * 2).grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)
    y.sum().backward()
    assert calls == ["pack", "unpack"]


def test_mutation_of_saved_tensors(torch: Torch) -> None:
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        x = torch.ones(2, 3, requires_grad=True)
        y = x.clone()
        out = (y**2).sum()
        y.sin_()
        out.backward()
    assert x.grad.tolist() == [[2, 2, 2]] * 2
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        y = x.clone()
        out = (y**2).sum()
        y.sin_()
    with pytest.raises(
        AssertionError, match="^Trying to backward outside of the 'allow_mutation_on_saved_tensors'"
    ):
        out.backward()
    with (
        torch.autograd.graph.allow_mutation_on_saved_tensors(),
        pytest.raises(RuntimeError, match="^allow_mutation_on_saved_tensors contexts cannot be nested"),
        torch.autograd.graph.allow_mutation_on_saved_tensors(),
    ):
        pass


def test_what_hooks_keep_is_freed_with_the_graph() -> None:
    def program(backward: bool) -> None:
        x = leaf(tapegrad)
        with tapegrad.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            y = (x.exp() * x).softmax(0).sum()
        if backward:
            y.backward()

    gc.disable()
    try:
        before = tapegrad._C.memory_stats()
        for backward in (True, False):
            program(backward)
        after = tapegrad._C.memory_stats()
    finally:
        gc.enable()
    for what in ("live_tensors", "live_nodes", "allocated_bytes"):
        assert after[what] == before[what]
