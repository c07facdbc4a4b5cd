"""Backward passes in several threads: hooks, Functions, shared leaves, shared graphs, errors."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import tapegrad as torch
from python_threads import THREADS, in_threads


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        assert x.shape == g.shape
        return g * ctx.factor, None


def test_functions_and_hooks_on_separate_graphs() -> None:
    def add_one(p: Any) -> None:
        p.grad.add_(1)

    def work(i: int) -> list[float]:
        found = []
        for _ in range(100):
            x = torch.ones(5, requires_grad=True)
            y = Scale.apply(x, i + 1)
            y.register_hook(lambda g: g * 2)
            x.register_post_accumulate_grad_hook(add_one)
            y.sum().backward()
            found.append(x.grad[0].item())
        return found

    assert in_threads(work) == [[2.0 * (i + 1) + 1] * 100 for i in range(THREADS)]


@pytest.mark.parametrize("size", [3, 2_000_000])
def test_no_gradient_is_lost_on_a_shared_leaf(size: int) -> None:
    x = torch.ones(size, requires_grad=True)
    x.grad = torch.zeros(size)
    grad = x.grad
    repeats = 10

    def work(i: int) -> None:
        for _ in range(repeats):
            Scale.apply(x, 2.0).sum().backward()

    assert in_threads(work) == [None] * THREADS
    assert x.grad is grad
    total = 2.0 * repeats * THREADS
    assert x.grad.min().item() == total and x.grad.max().item() == total


@pytest.mark.parametrize("size", [1000, 160_000])
def test_shared_graph(size: int) -> None:
    """Two paths lead to the leaf, so that its gradient waits while another thread's run comes by."""
    x = torch.ones(size, requires_grad=True)
    y = (Scale.apply(x.exp(), 3.0).tanh() * x).sum()
    (expected,) = torch.autograd.grad(y, x, retain_graph=True)

    def work(i: int) -> bool:
        return all(torch.autograd.grad(y, x, retain_graph=True)[0].equal(expected) for _ in range(50))

    assert in_threads(work) == [True] * THREADS


def test_error_in_one_thread_is_its_own() -> None:
    def work(i: int) -> float:
        x = torch.ones(3, requires_grad=True)
        for _ in range(50):
            y = Scale.apply(x, 1.0)
            if i == 0:
                y.register_hook(lambda g: {}["missing"])
            x.grad = None
            y.sum().backward()
        return x.grad.sum().item()

    found = in_threads(work)
    assert isinstance(found[0], KeyError) and found[1:] == [3.0] * (THREADS - 1)


def test_saved_tensor_hooks_belong_to_their_thread() -> None:
    calls: list[int] = []

    def work(i: int) -> int:
        x = torch.ones(3, requires_grad=True)
        if i > 0:
            return sum(x.exp().requires_grad for _ in range(100))
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (calls.append(1), t)[1], lambda t: t):
            return sum(x.exp().requires_grad for _ in range(100))

    assert in_threads(work) == [100] * THREADS
    assert len(calls) == 100


@pytest.mark.parametrize("create_graph", [False, True])
def test_collections_at_any_moment(create_graph: bool) -> None:
    """Contexts that keep their outputs and hooks that keep their tensors, also with gradients that have a
    history, while Python's collector runs all the time."""

    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * 2
            ctx.save_for_backward(x, y)
            ctx.output, ctx.itself = y, ctx
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            assert len(ctx.saved_tensors) == 2
            return g * 2

    def work(i: int) -> float:
        for repeat in range(200):
            x = torch.ones(4, requires_grad=True)
            y = x
            for _ in range(1 + repeat % 5):
                y = Kept.apply(y).tanh()
            y.register_hook(lambda g, y=y: g * 1)
            y.sum().backward(create_graph=create_graph)
        return x.grad.sum().item()

    gc.collect()
    before = torch._C.memory_stats()["live_nodes"]
    thresholds = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        found = in_threads(work)
    finally:
        gc.set_threshold(*thresholds)
    assert found == [found[0]] * THREADS and isinstance(found[0], float)
    if create_graph:
        return  # a cycle through such a gradient and through Python objects is seen by no collector
    for _ in range(6):  # each collection finds the outermost context of a chain
        gc.collect()
    assert torch._C.memory_stats()["live_nodes"] == before
