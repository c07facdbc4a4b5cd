"""Results do not depend on the number of threads; forks and graphs of several Python threads are safe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tapegrad as torch
from python_threads import THREADS, in_threads

LARGE: dict[str, Callable[[Any], Any]] = {
    "add": lambda x: x + x,
    "tanh": lambda x: x.tanh(),
    "sum": lambda x: x.sum(),
    "mean of rows": lambda x: x.mean(1),
    "mean of columns": lambda x: x.mean(0),
    "var": lambda x: x.var(),
    "norm": lambda x: x.norm(),
    "softmax": lambda x: x.softmax(1),
    "matmul": lambda x: x @ x.t(),
    "thin matmul": lambda x: x @ x[:3].t(),
    "cumsum": lambda x: x.cumsum(1),
    "sort": lambda x: x.sort(0).values,
    "copy": lambda x: x.t().contiguous(),
    "layer_norm": lambda x: torch.nn.functional.layer_norm(x, (x.shape[1],)),
    "index": lambda x: x[torch.arange(0, 1500, 7) % x.shape[0]],
    "conv2d of small images": lambda x: torch.nn.functional.conv2d(
        x[:512].reshape(-1)[: 16 * 16 * 64].reshape(16, 16, 8, 8),
        x[512:, :576].reshape(-1)[: 32 * 144].reshape(32, 16, 3, 3),
    ),
    "conv2d": lambda x: torch.nn.functional.conv2d(
        x[:64, :512].reshape(2, 16, 32, 32), x[0, :144].reshape(1, 16, 3, 3)
    ),
}


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("function", LARGE.values(), ids=LARGE)
def test_results_do_not_depend_on_threads(function: Callable[[Any], Any]) -> None:
    """Bit for bit, values and gradients."""
    data = torch.randn(600, 1000)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        x = data.clone().requires_grad_()
        y = function(x)
        (y * y).sum().backward()
        results.append((y.detach(), x.grad))
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0]) and torch.equal(gradient, results[0][1])


def test_number_of_threads() -> None:
    torch.set_num_threads(3)
    assert torch.get_num_threads() == 3
    with pytest.raises(RuntimeError, match=r"^set_num_threads expects a positive integer"):
        torch.set_num_threads(0)


def test_fork_after_use() -> None:
    """A child made after the pool was used computes with a pool of its own."""
    torch.set_num_threads(2)
    x = torch.randn(1000, 1000)
    expected = (x @ x).sum().item()
    child = os.fork()
    if child == 0:
        y = x.clone().requires_grad_()
        (y @ y).sum().backward()
        os._exit(0 if (x @ x).sum().item() == expected and bool(y.grad.isfinite().all()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (x @ x).sum().item() == expected


def test_graphs_in_several_python_threads() -> None:
    """Threads train on their own graphs, with a shared read-only input, at the same time."""
    shared = torch.randn(200, 200)

    def train(number: int) -> list[float]:
        w = torch.full((200,), float(number), requires_grad=True)
        losses = []
        for _ in range(30):
            loss = (shared @ w).tanh().square().mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
            losses.append(loss.item())
        return losses

    assert in_threads(train) == [train(number) for number in range(THREADS)]


def test_large_graphs_of_several_threads() -> None:
    """Each thread's results are those that it gets alone, bit for bit."""

    def train(number: int) -> Any:
        x = torch.full((500, 500), 0.01 * (number + 1), requires_grad=True)
        for _ in range(3):
            loss = ((x @ x).tanh() + x.softmax(1)).square().sum()
            loss.backward()
            with torch.no_grad():
                x -= 0.001 * x.grad
            x.grad = None
        return x.detach()

    for number, together in enumerate(in_threads(train)):
        assert torch.equal(together, train(number))


def test_modes_belong_to_their_thread() -> None:
    with torch.no_grad():
        assert in_threads(lambda _: torch.is_grad_enabled()) == [True] * THREADS


def test_interpreter_without_its_lock_is_refused() -> None:
    """Reference counts and the graph are guarded by the interpreter lock: see Note [Interpreter lock]."""
    program = "import sys; sys._is_gil_enabled = lambda: False; import tapegrad"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ImportError: tapegrad needs the global interpreter lock" in result.stderr
