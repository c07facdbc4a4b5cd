"""What the benchmarks time: small operations, whole training steps, large arrays.

A case is a statement and a setup that makes the names it uses from a module with PyTorch's interface, so
the same case runs on tapegrad, PyTorch and the NumPy reference engine. `functional_cases.py` says the same
for JAX and HIPS autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

Setup = Callable[[Any, int], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """`setup(torch, size)` makes the names of `statement`; `targets` bound the ratios tapegrad / engine."""

    name: str
    statement: str
    setup: Setup
    size: int = 2
    smoke_size: int = 2
    targets: dict[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def two_tensors(torch: Any, size: int) -> dict[str, Any]:
    torch.manual_seed(0)
    a = torch.rand(size, size, requires_grad=True)
    b = torch.rand(size, size, requires_grad=True)
    return {"a": a, "b": b}


def chain(torch: Any, size: int) -> dict[str, Any]:
    names = two_tensors(torch, 2)
    a, b = names["a"], names["b"]

    def step() -> None:
        x = a
        for _ in range(size // 2):
            x = x * b
            x = x + a
        x.sum().backward()

    return {"step": step}


def single_layer(torch: Any, size: int) -> dict[str, Any]:
    torch.manual_seed(0)
    x, y = torch.rand(10), torch.zeros(5)
    W, b = torch.rand(10, 5, requires_grad=True), torch.rand(5, requires_grad=True)

    def step() -> None:
        h = torch.matmul(x, W) + b
        h = torch.tanh(h)
        loss = torch.sum(torch.square(y - h))
        loss.backward()

    return {"step": step}


def training_step(
    torch: Any, sizes: tuple[int, ...], batch: int, lr: float, momentum: float
) -> dict[str, Any]:
    torch.manual_seed(0)
    nn = torch.nn
    layers = [nn.Linear(sizes[0], sizes[1])]
    for inputs, outputs in zip(sizes[1:], sizes[2:], strict=False):
        layers += [nn.ReLU(), nn.Linear(inputs, outputs)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    # Several batches of both signs keep every unit alive: the velocity of a dead one decays into denormal
    # numbers, and the benchmark would measure how slow the processor is with those.
    labels = torch.tensor([i % sizes[-1] for i in range(batch)])
    batches = cycle([torch.randn(batch, sizes[0]) for _ in range(8)])
    cross_entropy = nn.functional.cross_entropy

    def step() -> None:
        images = next(batches)
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return {"step": step}


TINY_MLP = ((2, 16, 16, 2), 16, 0.01, 0.0)
DIGITS_MLP = ((64, 128, 64, 10), 32, 0.01, 0.9)


def tiny_mlp(torch: Any, size: int) -> dict[str, Any]:
    return training_step(torch, *TINY_MLP)


def digits_mlp(torch: Any, size: int) -> dict[str, Any]:
    return training_step(torch, *DIGITS_MLP)


def large_arrays(torch: Any, size: int) -> dict[str, Any]:
    torch.manual_seed(0)
    return {"x": torch.rand(size), "y": torch.rand(size), "torch": torch}


def matrices(torch: Any, size: int) -> dict[str, Any]:
    torch.manual_seed(0)
    return {"A": torch.rand(size, size), "B": torch.rand(size, size)}


def elementwise(name: str, statement: str) -> Case:
    return Case(name, statement, large_arrays, 10_000_000, 10_000, {"torch": 0.5}, ("large", "elementwise"))


def matmul(size: int) -> Case:
    return Case(f"matmul {size}", "A @ B", matrices, size, 16, {"torch": 1.0}, ("matmul",))


CASES = [
    Case("a * b, 2x2, with gradient", "a * b", two_tensors, targets={"torch": 0.08}, tags=("small",)),
    Case("a + 2.0, 2x2, with gradient", "a + 2.0", two_tensors, targets={"torch": 0.08}, tags=("small",)),
    Case("a.tanh(), 2x2, with gradient", "a.tanh()", two_tensors, targets={"torch": 0.08}, tags=("small",)),
    Case("100-op chain, forward + backward", "step()", chain, 100, 10, {"torch": 0.05}, ("small",)),
    Case(
        "single layer, forward + backward", "step()", single_layer, targets={"torch": 0.08}, tags=("small",)
    ),
    Case("tiny MLP training step", "step()", tiny_mlp, targets={"torch": 0.1}, tags=("training",)),
    Case(
        "digits MLP training step",
        "step()",
        digits_mlp,
        targets={"torch": 0.25, "numpy_reference": 0.1},
        tags=("training",),
    ),
    elementwise("add, 10M float32", "x + y"),
    elementwise("tanh, 10M float32", "torch.tanh(x)"),
    elementwise("exp, 10M float32", "torch.exp(x)"),
    matmul(64),
    matmul(256),
    matmul(1024),
]


def find(name: str) -> Case:
    """The case of that name; KeyError with the known names otherwise."""
    for case in CASES:
        if case.name == name:
            return case
    raise KeyError(f"no case named {name!r}; there are: {', '.join(case.name for case in CASES)}")
