"""Results do not depend on the number of threads; forks and Python threads are safe."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tapegrad as torch

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
    "conv2d": lambda x: torch.nn.functional.conv2d(
        x[:64, :512].reshape(2, 16, 32, 32), x[0, :144].reshape(1, 16, 3, 3)
    ),
}


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run_in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs work(0), work(1)... at the same time, and raises what one of them raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


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
    results: dict[int, list[float]] = {}

    def work(number: int) -> None:
        w = torch.full((200,), float(number), requires_grad=True)
        losses = []
        for _ in range(30):
            loss = (shared @ w).tanh().square().mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
            losses.append(loss.item())
        results[number] = losses

    for group in ((1, 2, 3, 4), (4, 3, 2, 1)):
        run_in_threads(4, lambda position, group=group: work(group[position]))
        if group[0] == 1:
            first, results = results, {}
    assert results == first


def test_backward_of_a_shared_leaf_from_several_threads() -> None:
    """Gradients of one leaf that arrive from several threads all count."""
    w = torch.ones(1000, requires_grad=True)

    def work(number: int) -> None:
        for _ in range(50):
            (w * 2).sum().backward()

    run_in_threads(4, work)
    assert w.grad.tolist() == [400.0] * 1000


def test_long_additions_to_a_shared_gradient_are_not_lost() -> None:
    """Kernels on large tensors let other threads run, also in the middle of an accumulation."""
    w = torch.zeros(600, 600, requires_grad=True)

    def work(number: int) -> None:
        for _ in range(20):
            (w * float(number + 1)).sum().backward()

    run_in_threads(4, work)
    assert torch.equal(w.grad, torch.full((600, 600), 20.0 * (1 + 2 + 3 + 4)))


def test_backward_through_one_graph_from_several_threads() -> None:
    w = torch.randn(400, 400, requires_grad=True)
    loss = (w.tanh() @ w).square().mean()
    (expected,) = torch.autograd.grad(loss, w, retain_graph=True)
    found: list[Any] = []

    def work(number: int) -> None:
        for _ in range(5):
            found.extend(torch.autograd.grad(loss, w, retain_graph=True))

    run_in_threads(4, work)
    assert len(found) == 20
    assert all(torch.equal(gradient, expected) for gradient in found)


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

    alone = [train(number) for number in range(4)]
    together: dict[int, Any] = {}
    run_in_threads(4, lambda number: together.update({number: train(number)}))
    assert all(torch.equal(together[number], value) for number, value in enumerate(alone))


def test_modes_belong_to_their_thread() -> None:
    seen: list[bool] = []
    with torch.no_grad():
        run_in_threads(1, lambda _: seen.append(torch.is_grad_enabled()))
    assert seen == [True]


def test_interpreter_without_its_lock_is_refused() -> None:
    """Reference counts and the graph are guarded by the interpreter lock: see Note [Interpreter lock]."""
    program = "import sys; sys._is_gil_enabled = lambda: False; import tapegrad"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ImportError: tapegrad needs the global interpreter lock" in result.stderr
