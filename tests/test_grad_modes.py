"""`no_grad`, `enable_grad`, `set_grad_enabled` and `inference_mode` as contexts, decorators, calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tapegrad as torch


def recorded() -> bool:
    """Whether an operation is on the tape right now."""
    return (torch.ones(1, requires_grad=True) * 2).requires_grad


def test_no_grad_block() -> None:
    assert recorded() and torch.is_grad_enabled()
    with torch.no_grad():
        assert not recorded() and not torch.is_grad_enabled()
        x = torch.ones(2, requires_grad=True)
        assert x.requires_grad and x.is_leaf
    assert recorded()


def test_result_made_without_grad_is_a_leaf() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        y = x * 2
    assert y.is_leaf and not y.requires_grad and y.grad_fn is None


def test_blocks_nest() -> None:
    with torch.no_grad():
        with torch.enable_grad():
            assert recorded()
            with torch.no_grad():
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_mode_is_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="inside"), torch.no_grad():
        raise ValueError("inside")
    assert recorded()


@pytest.mark.parametrize("flag", [True, False])
def test_set_grad_enabled(flag: bool) -> None:
    with torch.set_grad_enabled(flag):
        assert recorded() is flag
    assert recorded()
    torch.set_grad_enabled(flag)
    assert recorded() is flag


def test_decorators() -> None:
    @torch.no_grad()
    def called(value: int, *, keyword: int = 0) -> tuple[bool, int]:
        """Documentation."""
        return recorded(), value + keyword

    @torch.no_grad
    def without_call() -> bool:
        return recorded()

    @torch.enable_grad()
    def enabled() -> bool:
        return recorded()

    @torch.set_grad_enabled(False)
    def chosen() -> bool:
        return recorded()

    assert called(1, keyword=2) == (False, 3)
    assert called.__name__ == "called" and called.__doc__ == "Documentation."
    assert not without_call() and not chosen()
    with torch.no_grad():
        assert enabled()
    assert recorded()


def test_decorated_method() -> None:
    class Model:
        @torch.no_grad()
        def predict(self, x: Any) -> Any:
            return x * 2

    assert not Model().predict(torch.ones(1, requires_grad=True)).requires_grad


def test_decorated_generator_keeps_its_mode_to_itself() -> None:
    seen = []

    @torch.no_grad()
    def generate() -> Iterator[int]:
        for number in range(3):
            seen.append(recorded())
            yield number

    for _ in generate():
        assert recorded()
    assert seen == [False, False, False]


def test_decorated_generator_receives_and_returns() -> None:
    @torch.no_grad()
    def echo() -> Any:
        got = yield recorded()
        try:
            yield got
        except KeyError:
            yield "caught"
        return "done"

    stream = echo()
    assert next(stream) is False
    assert stream.send("hello") == "hello"
    assert stream.throw(KeyError("x")) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(stream)
    assert stop.value.value == "done"


def test_inference_mode() -> None:
    with torch.inference_mode():
        assert not recorded() and torch.is_inference_mode_enabled()
        made = torch.ones(3)
        assert made.is_inference()
    assert not torch.is_inference_mode_enabled() and not torch.ones(1).is_inference()

    x = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^Inference tensors cannot be saved for backward\."):
        x * made
    with pytest.raises(
        RuntimeError, match=r"^Inplace update to inference tensor outside InferenceMode is not allowed"
    ):
        made.add_(1)
    assert (x + made.clone()).requires_grad


def test_inference_mode_as_decorator_and_switch() -> None:
    @torch.inference_mode()
    def predict() -> bool:
        return recorded()

    assert predict() is False
    with torch.inference_mode(False):
        assert recorded()


def test_mode_belongs_to_the_thread() -> None:
    seen: list[bool] = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(recorded()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_may_run_without_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    with torch.no_grad():
        y.backward()
    assert x.grad.tolist() == [2, 2]
