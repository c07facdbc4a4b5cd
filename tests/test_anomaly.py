"""Anomaly mode; the tests that take `torch` also run on PyTorch where it is installed."""

from __future__ import annotations

import threading
import warnings
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType
NAN_IN_SQRT = "^Function 'SqrtBackward0' returned nan values in its 0th output."


def nan_in_backward(torch: Torch) -> Any:
    """0 * inf in the derivative of sqrt, though every value in the forward pass is a number."""
    x = torch.zeros(2, requires_grad=True)
    return (x.sqrt() * 0).sum()


def test_nan_is_an_error(torch: Torch) -> None:
    with torch.autograd.detect_anomaly(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss = nan_in_backward(torch)
        with pytest.raises(RuntimeError, match=NAN_IN_SQRT):
            loss.backward()
    traceback = "".join(str(w.message) for w in caught if "Error detected in SqrtBackward0" in str(w.message))
    assert "Traceback of forward call that caused the error:" in traceback
    assert "return (x.sqrt() * 0).sum()" in traceback and "in nan_in_backward" in traceback


@pytest.mark.filterwarnings("ignore:Error detected")
def test_nan_error_names_the_forward_line() -> None:
    with tapegrad.autograd.detect_anomaly():
        loss = nan_in_backward(tapegrad)
        with pytest.raises(
            RuntimeError, match=r"recorded at .*test_anomaly.py:\d+: return \(x.sqrt\(\) \* 0\)"
        ):
            loss.backward()


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_nan_is_let_through_on_request_and_by_default(torch: Torch) -> None:
    nan_in_backward(torch).backward()
    with torch.autograd.detect_anomaly(check_nan=False):
        nan_in_backward(torch).backward()


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_forward_outside_of_the_mode(torch: Torch) -> None:
    loss = nan_in_backward(torch)
    with (
        torch.autograd.detect_anomaly(),
        pytest.warns(
            UserWarning, match="Error detected in SqrtBackward0. No forward pass information available"
        ),
        pytest.raises(RuntimeError, match=NAN_IN_SQRT),
    ):
        loss.backward()


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_errors_in_backward_warn_with_the_forward_lines(torch: Torch) -> None:
    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("inside")

    with torch.autograd.detect_anomaly():
        y = Failing.apply(torch.ones(1, requires_grad=True))
        with (
            pytest.warns(UserWarning, match="Error detected in FailingBackward.*") as caught,
            pytest.raises(KeyError, match="inside"),
        ):
            y.backward()
    assert any("y = Failing.apply(" in str(w.message) for w in caught)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_nodes_recorded_in_backward_name_what_induced_them(torch: Torch) -> None:
    with torch.autograd.detect_anomaly():
        x = torch.zeros(1, requires_grad=True)
        (g,) = torch.autograd.grad(x**1.5, x, create_graph=True)
        with (
            pytest.warns(UserWarning, match="Error detected in (Pow|Sqrt)Backward0") as caught,
            pytest.raises(
                RuntimeError, match="^Function '(Pow|Sqrt)Backward0' returned nan values in its 0th"
            ),
        ):
            (g * 0).backward()
    induced = [
        str(w.message) for w in caught if "Previous calculation was induced by PowBackward0" in str(w.message)
    ]
    assert len(induced) == 1 and "torch.autograd.grad(x**1.5, x, create_graph=True)" in induced[0]


def test_switches(torch: Torch) -> None:
    enabled = torch.is_anomaly_enabled
    assert not enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            assert enabled() and torch.is_anomaly_check_nan_enabled()
            with torch.autograd.set_detect_anomaly(False):
                assert not enabled()
            assert enabled()
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            assert enabled() and not torch.is_anomaly_check_nan_enabled()
        assert not enabled() and torch.is_anomaly_check_nan_enabled()
        torch.autograd.set_detect_anomaly(True)
        assert enabled()
        torch.autograd.set_detect_anomaly(False)
    assert not enabled()


def test_in_place_error_names_the_line() -> None:
    with tapegrad.autograd.detect_anomaly():
        x = tapegrad.ones(2, requires_grad=True)
        y = x.exp()
        y.add_(1)
        with (
            pytest.warns(UserWarning, match="Error detected in ExpBackward0"),
            pytest.raises(
                RuntimeError, match=r"The operation was recorded at .*test_anomaly.py:\d+: y = x.exp\(\)"
            ),
        ):
            y.sum().backward()


def test_second_backward_names_the_line() -> None:
    with tapegrad.autograd.detect_anomaly():
        x = tapegrad.ones(2, requires_grad=True)
        y = x.exp().sum()
        y.backward()
        with (
            pytest.warns(UserWarning, match="Error detected in ExpBackward0"),
            pytest.raises(RuntimeError, match=r"recorded at .*test_anomaly.py:\d+: y = x.exp\(\).sum\(\)"),
        ):
            y.backward()


def test_other_errors_tell_of_the_mode() -> None:
    x = tapegrad.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"autograd.detect_anomaly\(\)"):
        y.sum().backward()


def test_views_and_views_with_gaps_are_checked() -> None:
    for transpose in (False, True):
        x = tapegrad.zeros(3, 2, requires_grad=True)
        with tapegrad.autograd.detect_anomaly():
            y = x.sqrt()
            loss = ((y.t() if transpose else y) * 0).sum()
            with pytest.warns(UserWarning), pytest.raises(RuntimeError, match=NAN_IN_SQRT):
                loss.backward()


def test_traces_die_with_their_graph() -> None:
    with tapegrad.autograd.detect_anomaly():
        before = tapegrad._C.memory_stats()["live_nodes"]
        for _ in range(3):
            (tapegrad.ones(3, requires_grad=True) * 2).sum().backward()
    assert tapegrad._C.memory_stats()["live_nodes"] == before


def test_mode_belongs_to_the_thread() -> None:
    seen: list[bool] = []
    with tapegrad.autograd.detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append(tapegrad.is_anomaly_enabled()))
        thread.start()
        thread.join()
    assert seen == [False]
