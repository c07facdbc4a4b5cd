"""Hooks of tensors and nodes; the tests that take `torch` also run on PyTorch where it is installed."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType


def leaf(torch: Torch) -> Any:
    return torch.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_hook_sees_and_replaces_the_gradient(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 2
    seen: list[Any] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert seen == [[1, 1, 1], [10, 10, 10]]
    assert x.grad.tolist() == [20, 20, 20]


def test_hook_of_a_leaf_gets_the_sum_once(torch: Torch) -> None:
    x = leaf(torch)
    seen: list[Any] = []

    def hook(g: Any) -> Any:
        seen.append(g.tolist())
        return g * 2

    x.register_hook(hook)
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5, 5, 5]] and x.grad.tolist() == [10, 10, 10]


def test_hooks_change_what_grad_returns(torch: Torch) -> None:
    x = leaf(torch)
    x.register_hook(lambda g: g * 10)
    y = x * 2
    y.register_hook(lambda g: g * 5)
    assert torch.autograd.grad(y.sum(), x, retain_graph=True)[0].tolist() == [100] * 3
    assert torch.autograd.grad(y.sum(), y, retain_graph=True)[0].tolist() == [5] * 3
    found = torch.autograd.grad(y.sum(), [x, y])
    assert [g.tolist() for g in found] == [[100] * 3, [1] * 3]


def test_handles(torch: Torch) -> None:
    x = leaf(torch)
    calls: list[str] = []
    first = x.register_hook(lambda g: calls.append("first"))
    assert isinstance(first, torch.utils.hooks.RemovableHandle)
    with x.register_hook(lambda g: calls.append("second")):
        x.sum().backward()
    x.sum().backward()
    first.remove()
    first.remove()
    x.sum().backward()
    assert calls == ["first", "second", "first"]


def test_removal_inside_a_hook_takes_effect_in_the_next_pass(torch: Torch) -> None:
    x = leaf(torch)
    calls: list[str] = []
    handles: list[Any] = []

    def first(g: Any) -> None:
        calls.append("first")
        handles[1].remove()

    handles += [x.register_hook(first), x.register_hook(lambda g: calls.append("second"))]
    x.sum().backward()
    x.sum().backward()
    assert calls == ["first", "second", "first"]


def test_table_of_hooks(torch: Torch) -> None:
    x = leaf(torch)
    assert x._backward_hooks is None
    handle = x.register_hook(print)
    assert list(x._backward_hooks.items()) == [(handle.id, print)]
    x._backward_hooks = None
    assert x._backward_hooks is None
    handle = x.register_post_accumulate_grad_hook(print)
    assert list(x._post_accumulate_grad_hooks.items()) == [(handle.id, print)]


def test_hook_belongs_to_the_value_it_was_registered_on(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 2
    seen: list[Any] = []
    y.register_hook(lambda g: seen.append(("before", g.tolist())))
    y.mul_(3)
    assert y._backward_hooks is None
    y.register_hook(lambda g: seen.append(("after", g.tolist())))
    y.sum().backward()
    assert seen == [("after", [1, 1, 1]), ("before", [3, 3, 3])]


def test_hook_is_called_with_none_where_no_gradient_arrives(torch: Torch) -> None:
    x = leaf(torch)
    first, second, _ = (x * 1).unbind(0)
    seen: list[Any] = []
    first.register_hook(seen.append)
    second.backward()
    assert seen == [None]


def test_hooks_under_create_graph(torch: Torch) -> None:
    x = leaf(torch)
    x.register_hook(lambda g: g * x)
    (g,) = torch.autograd.grad((x * x).sum(), x, create_graph=True)
    assert g.tolist() == [2, 8, 18]
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [4, 16, 36]


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        (lambda g: 3, TypeError, "expected Variable, but hook returned 'int'"),
        (lambda g: (g,), TypeError, "expected Variable, but hook returned 'tuple'"),
        (lambda g: g[:2], RuntimeError, "hook '<lambda>' has changed the size of value"),
        (lambda g: g.expand(2, 3), RuntimeError, "hook '<lambda>' has changed the size of value"),
        (
            lambda g: g.double(),
            RuntimeError,
            "hook '<lambda>' has changed the type of value (was torch.FloatTensor got torch.DoubleTensor)",
        ),
    ],
    ids=["number", "tuple", "shape", "broadcast", "dtype"],
)
@pytest.mark.parametrize("is_leaf", [True, False])
def test_words_of_wrong_results(torch: Torch, is_leaf: bool, result: Any, kind: type, words: str) -> None:
    x = leaf(torch)
    y = x * 2
    (x if is_leaf else y).register_hook(result)
    with pytest.raises(kind) as caught:
        y.sum().backward()
    assert str(caught.value).startswith(words)


def test_words_of_wrong_registrations(torch: Torch) -> None:
    plain, x = torch.ones(2), leaf(torch)
    words = "^cannot register a hook on a tensor that doesn't require gradient"
    with pytest.raises(RuntimeError, match=words):
        plain.register_hook(print)
    with pytest.raises(RuntimeError, match=words):
        plain.register_post_accumulate_grad_hook(print)
    with pytest.raises(
        RuntimeError, match="^post accumulate grad hooks cannot be registered on non-leaf tensors"
    ):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_post_accumulate_grad_hooks(torch: Torch) -> None:
    x = leaf(torch)
    seen: list[Any] = []

    def step(p: Any) -> None:
        seen.append((p is x, p.grad.tolist()))
        p.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    for _ in range(2):
        (x * 2 + x * 3).sum().backward()
        assert x.grad is None
    assert seen == [(True, [5, 5, 5])] * 2
    torch.autograd.grad((x * 2).sum(), x)
    assert len(seen) == 2
    (x * 2).sum().backward(inputs=[x])
    assert len(seen) == 3
    handle.remove()
    (x * 2).sum().backward()
    assert len(seen) == 3 and x.grad.tolist() == [2, 2, 2]


def test_post_accumulate_grad_hooks_return_none(torch: Torch) -> None:
    x = leaf(torch)
    x.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(2))
    with pytest.raises(RuntimeError, match="^Tensor post accumulate grad hooks should return None"):
        x.sum().backward()


def test_optimizer_in_the_backward_pass(torch: Torch) -> None:
    """Each parameter is stepped as soon as its gradient is there, and the gradient is freed."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def step(p: Any) -> None:
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(step)
    data = torch.randn(16, 4)
    losses = []
    for _ in range(20):
        loss = (model(data) - data.sum(1, keepdim=True)).square().mean()
        loss.backward()
        losses.append(loss.item())
        assert all(p.grad is None for p in model.parameters())
    assert losses[-1] < 0.5 * losses[0]


# Nodes


def test_node_hooks(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 3
    seen: list[Any] = []

    def after(grad_inputs: Any, grad_outputs: Any) -> Any:
        seen.append([None if g is None else g.tolist() for g in (*grad_inputs, *grad_outputs)])
        return (grad_inputs[0] * 2, None)

    handle = y.grad_fn.register_hook(after)
    y.grad_fn.register_prehook(lambda grad_outputs: (grad_outputs[0] * 5,))
    assert isinstance(handle, torch.utils.hooks.RemovableHandle)
    y.sum().backward(retain_graph=True)
    assert seen == [[[15] * 3, None, [5] * 3]] and x.grad.tolist() == [30] * 3
    handle.remove()
    y.sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [45] * 3


def test_hooks_of_the_accumulator(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 2
    (accumulate, _), *_ = y.grad_fn.next_functions
    seen: list[Any] = []
    accumulate.register_prehook(lambda grads: seen.append(grads[0].tolist()))
    accumulate.register_hook(
        lambda inputs, outputs: seen.append((inputs, outputs[0].tolist(), x.grad.tolist()))
    )
    y.sum().backward()
    assert seen == [[2, 2, 2], ((), [2, 2, 2], [2, 2, 2])]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        (lambda *g: 3, TypeError, "expected tuple, but hook returned 'int'"),
        (lambda *g: [g[0][0]], TypeError, "expected tuple, but hook returned 'list'"),
        (
            lambda *g: (),
            RuntimeError,
            "hook '<lambda>' has returned an incorrect number of values (got 0, but expected",
        ),
        (lambda *g: (3, *g[0][1:]), TypeError, "expected Variable, but hook returned 'int'"),
        (lambda *g: (g[0][0][:2], *g[0][1:]), RuntimeError, "hook '<lambda>' has changed the size of value"),
        (
            lambda *g: (g[0][0].double(), *g[0][1:]),
            RuntimeError,
            "hook '<lambda>' has changed the type of value",
        ),
    ],
    ids=["number", "list", "count", "item", "shape", "dtype"],
)
def test_words_of_wrong_node_hooks(torch: Torch, before: bool, result: Any, kind: type, words: str) -> None:
    y = leaf(torch) * 3
    (y.grad_fn.register_prehook if before else y.grad_fn.register_hook)(result)
    with pytest.raises(kind) as caught:
        y.sum().backward()
    assert str(caught.value).startswith(words)


def test_none_cannot_be_replaced_and_may_replace(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 3
    handle = y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0], inputs[0]))
    with pytest.raises(RuntimeError, match="^can't replace a None gradient with a non-None value"):
        y.sum().backward(retain_graph=True)
    handle.remove()
    y.grad_fn.register_hook(lambda inputs, outputs: (None, None))
    y.sum().backward()
    assert x.grad is None


def test_order_of_hooks(torch: Torch) -> None:
    x = leaf(torch)
    y = x * 2
    order: list[str] = []
    y.retain_grad()
    y.grad_fn.register_hook(lambda *g: order.append("node"))
    y.grad_fn.register_prehook(lambda g: order.append("node before"))
    y.register_hook(lambda g: order.append("tensor"))
    y.register_hook(lambda g: g * 2)
    x.register_post_accumulate_grad_hook(lambda p: order.append("accumulated"))
    x.register_hook(lambda g: order.append("leaf"))
    y.sum().backward()
    assert order == ["tensor", "node before", "node", "leaf", "accumulated"]
    assert y.grad.tolist() == [2, 2, 2]


def test_exception_in_a_hook_leaves_the_graph_usable(torch: Torch) -> None:
    x = leaf(torch)
    y = x.exp() * 2
    handle = y.register_hook(lambda g: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            y.sum().backward()
    handle.remove()
    y.sum().backward()
    assert torch.allclose(x.grad, 2 * x.detach().exp())


def test_backward_inside_a_hook(torch: Torch) -> None:
    x, other = leaf(torch), leaf(torch)
    y = x * 2

    def hook(g: Any) -> None:
        with torch.enable_grad():
            (other * g).sum().backward()

    y.register_hook(hook)
    y.sum().backward()
    assert other.grad.tolist() == [1, 1, 1] and x.grad.tolist() == [2, 2, 2]


# No leaks: of tapegrad only, whose live tensors and nodes can be counted.


def alive() -> tuple[int, int]:
    stats = tapegrad._C.memory_stats()
    return stats["live_tensors"], stats["live_nodes"]


def hook_on_leaf() -> None:
    x = leaf(tapegrad)
    x.register_hook(lambda g: g * x)
    (x * 2).sum().backward()


def hook_on_inner_tensor() -> None:
    y = leaf(tapegrad) * 2
    y.register_hook(lambda g: g * y.detach())
    y.sum().backward()


def post_accumulate_hook() -> None:
    x = leaf(tapegrad)
    x.register_post_accumulate_grad_hook(lambda p: x.detach_ and None)
    (x * 2).sum().backward()


def node_hook() -> None:
    y = leaf(tapegrad) * 2
    node = y.grad_fn
    node.register_hook(lambda *g: node and None)
    y.sum().backward()


@pytest.mark.parametrize("program", [hook_on_leaf, hook_on_inner_tensor, post_accumulate_hook, node_hook])
def test_hooks_that_refer_to_their_tensor_are_collected(program: Any) -> None:
    program()
    gc.collect()
    before = alive()
    for _ in range(10):
        program()
    gc.collect()
    assert alive() == before


def test_error_in_a_hook_leaks_nothing() -> None:
    def program() -> None:
        y = leaf(tapegrad).exp() * 2
        y.register_hook(lambda g: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            y.sum().backward()

    program()
    gc.collect()
    before = alive()
    program()
    gc.collect()
    assert alive() == before
