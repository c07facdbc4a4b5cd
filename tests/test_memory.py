"""Nothing leaks, nothing waits for the garbage collector."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable

import pytest

import tapegrad as torch
from memory_counts import held

pytestmark = pytest.mark.usefixtures("without_collector")


def linear_step() -> None:
    w = torch.randn(8, 8, requires_grad=True)
    loss = (torch.randn(4, 8) @ w).tanh().sum()
    loss.backward()


def double_backward() -> None:
    x = torch.randn(5, requires_grad=True)
    (gradient,) = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
    gradient.sum().backward()


def graph_never_run() -> None:
    x = torch.randn(5, requires_grad=True)
    y = x
    for _ in range(50):
        y = y.sin() * x


def views_and_writes() -> None:
    x = torch.randn(4, 4, requires_grad=True)
    base = x * 1
    base[0].mul_(2)
    base[:, 1] = base[:, 2].exp()
    base.t()[3].add_(1)
    base.sum().backward()


def failed_backward() -> None:
    x = torch.randn(3, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError):
        y.backward()


def failed_operation() -> None:
    x = torch.randn(3, requires_grad=True)
    with pytest.raises(RuntimeError):
        x.exp() @ torch.randn(4, 2)


def attributes_and_numpy() -> None:
    x = torch.randn(100)
    x.note = [1, 2, 3]
    array = x.numpy()
    del x
    torch.from_numpy(array).add_(1)


def retained_graph() -> None:
    x = torch.randn(3, requires_grad=True)
    y = x.tanh()
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    y.sum().backward()


def several_results() -> None:
    x = torch.randn(6, 4, requires_grad=True)
    values, _ = x.sort()
    first, second = values.split(3)
    torch.cat([first, second.flip((0,))]).max(1).values.sum().backward()


PROGRAMS = [
    linear_step,
    double_backward,
    graph_never_run,
    views_and_writes,
    failed_backward,
    failed_operation,
    attributes_and_numpy,
    retained_graph,
    several_results,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_everything_is_returned(program: Callable[[], None]) -> None:
    program()
    before = held()
    for _ in range(20):
        program()
    assert held() == before


def test_statistics_count_what_lives() -> None:
    bytes_before, tensors_before, nodes_before = held()
    x = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
    y = (x * 2).exp()
    allocated, tensors, nodes = held()
    assert allocated - bytes_before >= 2 * 8000
    assert tensors - tensors_before >= 2 and nodes - nodes_before >= 2
    del x, y
    assert held() == (bytes_before, tensors_before, nodes_before)


def test_backward_frees_the_saved_tensors() -> None:
    x = torch.zeros(100_000, requires_grad=True)
    before = held()[0]
    loss = x.exp().sin().cos().sum()
    saved = held()[0] - before
    loss.backward()
    x.grad = None
    assert saved >= 2 * 400_000  # exp and sin; an input that is an output is kept once
    assert held()[0] - before < 10_000


def test_tensor_dies_with_its_last_reference() -> None:
    x = torch.ones(3)
    watcher = weakref.ref(x)
    assert watcher() is x
    del x
    assert watcher() is None


def test_one_python_object_per_tensor() -> None:
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    x.grad.note = "kept"
    assert x.grad is x.grad and x.grad.note == "kept"


def test_tensor_in_a_cycle_is_collected() -> None:
    x = torch.ones(3)
    x.itself = x
    watcher = weakref.ref(x)
    del x
    assert watcher() is not None
    gc.collect()
    assert watcher() is None


def test_memory_of_numpy_outlives_the_array() -> None:
    import numpy as np

    array = np.arange(4.0)
    x = torch.from_numpy(array)
    del array
    assert x.tolist() == [0, 1, 2, 3]
    view = x[1:]
    del x
    assert view.sum().item() == 6


def test_freed_memory_is_reused() -> None:
    torch.empty_cache()
    for _ in range(100):
        x = torch.zeros(250_000)
        x = x + 1
        del x
    stats = torch.memory_stats()
    assert 0 < stats["cached_bytes"] < 20_000_000


EMPTY_CACHE = """
import tapegrad as torch

def cached():
    torch.empty_cache()
    return torch.memory_stats()["cached_bytes"]

model = torch.nn.Linear(10, 10)
model(torch.ones(5, 10)).sum().backward()
large = torch.zeros(250_000) + 1
assert torch.memory_stats()["cached_bytes"] > 1_000_000
del model, large
assert cached() == 0
small = torch.zeros(1)
# A slab of 64 KB goes back only when all its blocks are free: those of a tensor and of its memory stay.
assert 0 < cached() < 2 * 65536
del small
assert cached() == 0
"""


def test_empty_cache_returns_all_that_is_free() -> None:
    """In a process of its own, where no other tensors are alive."""
    subprocess.run([sys.executable, "-c", EMPTY_CACHE], check=True, timeout=60)


def test_long_training_does_not_grow() -> None:
    w = torch.zeros(64, 64, requires_grad=True)
    x = torch.randn(32, 64)

    def steps(count: int) -> None:
        for _ in range(count):
            loss = (x @ w).tanh().square().mean()
            loss.backward()
            with torch.no_grad():
                w.sub_(w.grad)
            w.grad = None

    steps(200)
    peak, before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, held()
    steps(2000)
    assert held() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 20_000


def test_products_keep_only_what_their_derivatives_use() -> None:
    """A frozen layer keeps no activations, and one on constant data no weights."""
    frozen, trained = torch.nn.Linear(4, 4).requires_grad_(False), torch.nn.Linear(4, 4)
    through = frozen(torch.ones(2, 4, requires_grad=True)).grad_fn
    first = trained(torch.ones(2, 4)).grad_fn
    assert (through._saved_mat1, through._saved_mat2 is None) == (None, False)
    assert (first._saved_mat1 is None, first._saved_mat2) == (False, None)


def test_inference_tensors_are_refused_only_where_they_are_saved() -> None:
    with torch.inference_mode():
        weight = torch.ones(1, 2)
    bias = torch.zeros(1, requires_grad=True)
    torch.nn.functional.linear(torch.ones(3, 2), weight, bias).sum().backward()
    assert bias.grad.tolist() == [3.0]
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        torch.nn.functional.linear(torch.ones(3, 2, requires_grad=True), weight, bias)
