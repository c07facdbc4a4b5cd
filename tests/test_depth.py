"""Deep, wide and widely shared graphs: linear time and a constant C stack in all that walks them.

A walk that was quadratic would not end at these sizes, a recursive one would overflow the small stack that
each program gets.
"""

from __future__ import annotations

import functools
import gc
import operator
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tapegrad as torch
from memory_counts import held
from tapegrad.utils.viz import make_dot, tree

MILLION = 1_000_000


def on_a_small_stack(function: Callable[..., None], *args: Any) -> None:
    """Run where a recursion over the graph would overflow at once."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            function(*args)
        except BaseException as error:
            failures.append(error)

    previous = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(previous)
    if failures:
        raise failures[0]


def leaf() -> torch.Tensor:
    return torch.zeros((), requires_grad=True)


def chain(x: torch.Tensor, length: int = MILLION) -> torch.Tensor:
    y = x
    for _ in range(length):
        y = y + 1.0
    return y


def backward_through_a_chain(length: int = MILLION) -> None:
    x = leaf()
    y = chain(x, length)
    y.backward()
    assert x.grad.item() == 1.0 and y.item() == float(length)


def a_chain_freed_without_backward() -> None:
    x = leaf()
    y = x
    for _ in range(MILLION):
        y = y * x


def an_error_in_the_middle_of_a_chain() -> None:
    x = leaf()
    middle = chain(x, MILLION // 2)

    def fail(gradient: torch.Tensor) -> None:
        raise KeyError("stop")

    middle.register_hook(fail)
    y = chain(middle, MILLION // 2)
    with pytest.raises(KeyError):
        y.backward()


def the_same_chain_twice() -> None:
    x = leaf()
    y = chain(x, MILLION // 2)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 2.0


def second_derivative_of_a_chain() -> None:
    x = torch.ones((), dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0 + x * x
    (first,) = torch.autograd.grad(y, x, create_graph=True)
    first.backward()
    assert x.grad.item() == 200_000.0


def gradient_of_the_start_and_the_middle_of_a_chain() -> None:
    x = leaf()
    middle = chain(x, MILLION // 2)
    y = chain(middle, MILLION // 2) * 3
    gradients = torch.autograd.grad(y, [middle, x])
    assert [gradient.item() for gradient in gradients] == [3.0, 3.0]
    assert x.grad is None


def backward_with_inputs_through_a_chain() -> None:
    x, w = leaf(), leaf()
    y = chain(x) * torch.ones(()) + w
    y.backward(inputs=[x])
    assert x.grad.item() == 1.0 and w.grad is None


def a_chain_of_views() -> None:
    x = torch.zeros(2, 3, requires_grad=True)
    y = x * 1
    for _ in range(200_000):
        y = y.t()
    y.sum().backward()
    assert x.grad.tolist() == [[1, 1, 1], [1, 1, 1]]


def a_chain_of_writes() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    for _ in range(200_000):
        y.add_(1.0)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def a_chain_of_writes_to_a_view() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    for _ in range(100_000):
        y[0].mul_(1.0)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def a_chain_of_functions_in_python() -> None:
    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient

    x = leaf()
    y = x
    for _ in range(100_000):
        y = Identity.apply(y)
    y.backward()
    assert x.grad.item() == 1.0
    for _ in range(100_000):
        y = Identity.apply(y)


def a_million_terms() -> None:
    x = leaf()
    functools.reduce(operator.add, [x] * MILLION).backward()
    assert x.grad.item() == MILLION


def a_stack_of_a_million() -> None:
    x = torch.zeros(MILLION, requires_grad=True)
    (torch.stack(x.unbind()) * 2).sum().backward()
    assert torch.equal(x.grad, torch.full((MILLION,), 2.0))


def a_stack_of_one_tensor_a_million_times() -> None:
    x = leaf()
    torch.stack([x] * MILLION).sum().backward()
    assert x.grad.item() == MILLION


def gradients_of_a_hundred_thousand_leaves() -> None:
    leaves = [leaf() for _ in range(100_000)]
    gradients = torch.autograd.grad(torch.stack(leaves).sum(), leaves)
    assert all(gradient.item() == 1.0 for gradient in gradients)


def a_graph_with_a_hundred_thousand_results() -> None:
    x = leaf()
    shared = chain(x, 1000)
    results = [shared * 2.0 for _ in range(100_000)]
    torch.autograd.backward(results, retain_graph=True)
    assert x.grad.item() == 200_000.0
    (gradient,) = torch.autograd.grad(results, x)
    assert gradient.item() == 200_000.0


def backward_from_many_results_in_turn() -> None:
    x = leaf()
    shared = x * 1.0
    for result in [shared * 2.0 for _ in range(100_000)]:
        result.backward(retain_graph=True)
    assert x.grad.item() == 200_000.0


def walking_by_hand() -> None:
    x = leaf()
    y = chain(x)
    assert repr(y) == "tensor(1000000., grad_fn=<AddBackward0>)"
    assert str(y.grad_fn).startswith("<AddBackward0 object at ")
    count, node = 0, y.grad_fn
    while node is not None:
        count += 1
        node = node.next_functions[0][0] if node.next_functions else None
    assert count == MILLION + 1


def the_garbage_collector_meets_a_chain() -> None:
    node = chain(leaf()).grad_fn  # nothing else owns it
    gc.collect()
    assert node.name() == "AddBackward0"


def a_drawing_of_a_chain() -> None:
    x = leaf()
    dot = make_dot(chain(x), {"x": x})
    assert dot.source.count("AddBackward0") == MILLION
    assert dot.source.count(" -> ") == MILLION + 1


def a_drawing_of_a_million_arrows() -> None:
    x = leaf()
    dot = make_dot(torch.stack([x] * MILLION), {"x": x})
    assert dot.source.count(" -> ") == MILLION + 1


def a_tree_of_a_chain() -> None:
    x = leaf()
    text = tree(chain(x), {"x": x})
    assert text.count("AddBackward0") == MILLION + text.count("below")
    assert max(map(len, text.splitlines())) < 120


def the_top_of_a_tree() -> None:
    assert tree(chain(leaf()), max_depth=1).count("\n") == 1


def a_tree_of_a_million_branches() -> None:
    x = leaf()
    text = tree(torch.stack([x] * MILLION), {"x": x})
    assert text.count("─ x ()") == MILLION


PROGRAMS = [
    backward_through_a_chain,
    a_chain_freed_without_backward,
    an_error_in_the_middle_of_a_chain,
    the_same_chain_twice,
    second_derivative_of_a_chain,
    gradient_of_the_start_and_the_middle_of_a_chain,
    backward_with_inputs_through_a_chain,
    a_chain_of_views,
    a_chain_of_writes,
    a_chain_of_writes_to_a_view,
    a_chain_of_functions_in_python,
    a_million_terms,
    a_stack_of_a_million,
    a_stack_of_one_tensor_a_million_times,
    gradients_of_a_hundred_thousand_leaves,
    a_graph_with_a_hundred_thousand_results,
    backward_from_many_results_in_turn,
    walking_by_hand,
    the_garbage_collector_meets_a_chain,
    a_drawing_of_a_chain,
    a_drawing_of_a_million_arrows,
    a_tree_of_a_chain,
    the_top_of_a_tree,
    a_tree_of_a_million_branches,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_large_graph(program: Callable[[], None]) -> None:
    gc.collect()
    before = held()
    on_a_small_stack(program)
    gc.collect()
    assert held() == before


@pytest.mark.slow
def test_ten_million_operations() -> None:
    on_a_small_stack(backward_through_a_chain, 10 * MILLION)
