"""no_grad, enable_grad, set_grad_enabled, inference_mode; autograd.grad and autograd.backward."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import tapegrad as torch
from tapegrad.autograd import Variable

MODES = [
    (torch.no_grad, (), False),
    (torch.enable_grad, (), True),
    (torch.set_grad_enabled, (False,), False),
    (torch.set_grad_enabled, (True,), True),
    (torch.inference_mode, (), False),
    (torch.inference_mode, (False,), True),
]


@pytest.mark.parametrize(("mode", "arguments", "expected"), MODES)
@pytest.mark.parametrize("outside", [False, True])
def test_context_sets_the_mode_and_restores_it(
    mode: Any, arguments: Any, expected: bool, outside: bool
) -> None:
    with torch.set_grad_enabled(outside):
        with mode(*arguments):
            assert torch.is_grad_enabled() is expected
        assert torch.is_grad_enabled() is outside
        with pytest.raises(KeyError), mode(*arguments):
            raise KeyError
        assert torch.is_grad_enabled() is outside
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("mode", "arguments", "expected"), MODES)
def test_decorator_runs_the_function_in_the_mode(mode: Any, arguments: Any, expected: bool) -> None:
    @mode(*arguments)
    def ask(a: int, *, b: int = 2) -> tuple[bool, int]:
        """Documented."""
        return torch.is_grad_enabled(), a + b

    with torch.set_grad_enabled(not expected):
        assert ask(1, b=3) == (expected, 4) and ask(1) == (expected, 3)
        assert torch.is_grad_enabled() is not expected
    assert torch.is_grad_enabled() and ask.__doc__ == "Documented." and ask.__name__ == "ask"
    assert list(inspect.signature(ask).parameters) == ["a", "b"]


def test_decorator_without_parentheses_and_on_methods() -> None:
    class Model:
        @torch.no_grad
        def plain(self) -> bool:
            return torch.is_grad_enabled()

        @torch.no_grad()
        def called(self) -> bool:
            return torch.is_grad_enabled()

    assert not Model().plain() and not Model().called() and torch.is_grad_enabled()


def test_decorated_functions_nest_and_recur() -> None:
    @torch.no_grad()
    def outer(depth: int) -> list[bool]:
        with torch.enable_grad():
            inner = outer(depth - 1) if depth else []
            inside = torch.is_grad_enabled()
        return [*inner, inside, torch.is_grad_enabled()]

    assert outer(2) == [True, False] * 3 and torch.is_grad_enabled()


def test_one_context_object_serves_again() -> None:
    context = torch.no_grad()
    for _ in range(2):
        with context:
            assert not torch.is_grad_enabled()
        assert torch.is_grad_enabled()


def test_generators_hold_the_mode_only_while_they_run() -> None:
    seen: list[Any] = []

    @torch.no_grad()
    def numbers() -> Iterator[Any]:
        received = None
        for value in range(3):
            try:
                seen.append(torch.is_grad_enabled())
                received = yield value, received
            except KeyError:
                seen.append("thrown")
        return "end"

    generator = numbers()
    assert next(generator) == (0, None) and torch.is_grad_enabled()
    assert generator.send("a") == (1, "a") and torch.is_grad_enabled()
    assert generator.throw(KeyError) == (2, "a") and torch.is_grad_enabled()
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "end" and seen == [False, False, "thrown", False]
    closing = numbers()
    next(closing)
    closing.close()
    assert torch.is_grad_enabled() and [value for value, _ in numbers()] == [0, 1, 2]


def test_set_grad_enabled_acts_when_called() -> None:
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(mode=True)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: torch.set_grad_enabled(),
            "set_grad_enabled.__init__\\(\\) missing 1 required positional argument: 'mode'",
        ),
        (lambda: torch.no_grad(1), "no_grad\\(\\) takes no arguments"),
        (lambda: torch.no_grad(mode=True), "no_grad\\(\\) got an unexpected keyword argument"),
        (lambda: torch.inference_mode(True, False), "inference_mode\\(\\) takes one argument"),
    ],
)
def test_wrong_arguments(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()
    assert torch.is_grad_enabled()


def test_nothing_is_recorded_without_grad_mode() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        y = x * 2
        assert not y.requires_grad and y.grad_fn is None
        assert torch.ones(1, requires_grad=True).requires_grad
    assert (x * 2).requires_grad and torch.is_inference_mode_enabled() is False
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not (x * 2).requires_grad
        with torch.inference_mode(False):
            assert not torch.is_inference_mode_enabled() and (x * 2).requires_grad


def test_grad_returns_gradients_and_leaves_the_fields_alone() -> None:
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)
    z = x * y
    gx, gy = torch.autograd.grad(z, (x, y), torch.tensor([1.0, 10.0]))
    assert gx.tolist() == [3, 40] and gy.tolist() == [1, 20] and x.grad is None and y.grad is None
    (only,) = torch.autograd.grad([x * 2, x * 3], x, [torch.ones(2), torch.ones(2)])
    assert only.tolist() == [5, 5]


def test_grad_of_grad() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x * x * x, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    assert [first.item(), second.item(), third.item()] == [12, 12, 6] and not third.requires_grad


def test_inputs_that_were_not_used() -> None:
    x, unused = torch.ones((), requires_grad=True), torch.ones(3, requires_grad=True)
    with pytest.raises(
        RuntimeError,
        match="^One of the differentiated Tensors appears to not have been used|^The differentiated",
    ):
        torch.autograd.grad(x * 2, [x, unused])
    assert torch.autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None
    assert torch.autograd.grad(x * 2, [x, unused], materialize_grads=True)[1].tolist() == [0, 0, 0]
    with pytest.raises(
        ValueError, match="^Expected allow_unused to be True or not passed when materialize_grads=True"
    ):
        torch.autograd.grad(x * 2, [x, unused], allow_unused=False, materialize_grads=True)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda x: torch.autograd.grad(x.detach(), x),
            RuntimeError,
            "element 0 of tensors does not require grad and does not have",
        ),
        (
            lambda x: torch.autograd.grad(x * 2, x),
            RuntimeError,
            "grad can be implicitly created only for scalar outputs",
        ),
        (
            lambda x: torch.autograd.grad(x * 2, []),
            RuntimeError,
            "`inputs` argument to `grad\\(\\)` cannot be empty",
        ),
        (
            lambda x: torch.autograd.backward(x * 2, inputs=[]),
            RuntimeError,
            "`inputs` argument to `backward\\(\\)` cannot be empty",
        ),
    ],
)
def test_words_of_wrong_calls(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match="^" + words):
        call(torch.ones(2, requires_grad=True))


def test_backward_of_several_tensors() -> None:
    x = torch.ones(2, requires_grad=True)
    torch.autograd.backward([x * 2, (x * 3)[0]], [torch.ones(2), None])
    assert x.grad.tolist() == [5, 2]
    y = torch.ones(2, requires_grad=True)
    product = (x * y)[0]
    torch.autograd.backward(product, inputs=y, retain_graph=True)
    assert y.grad.tolist() == [1, 0] and x.grad.tolist() == [5, 2]
    product.backward()
    assert x.grad.tolist() == [6, 2]
    with pytest.raises(RuntimeError, match="^Trying to backward through the graph a second time"):
        product.backward()


def test_variable() -> None:
    x = torch.ones(2, requires_grad=True)
    assert isinstance(x, Variable) and not isinstance([1], Variable)
    same = Variable(x)
    assert not same.requires_grad and same.data_ptr() == x.data_ptr()
    assert (
        Variable(torch.ones(1), requires_grad=True).requires_grad
        and not Variable(torch.ones(1), volatile=True).requires_grad
    )
    with pytest.raises(TypeError, match="^Variable data has to be a tensor, but got list"):
        Variable([1.0])
