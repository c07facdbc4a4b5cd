"""The NumPy engine of the benchmarks: right by itself, and the same program gives the same losses on it."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tapegrad

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import numpy_reference  # noqa: E402

ENGINES = [tapegrad, numpy_reference]


def training_script(engine_name):
    """The training script as a module, with its one import line naming the engine."""
    source = (BENCHMARKS / "train_script.py").read_text()
    changed = source.replace("import tapegrad as torch", f"import {engine_name} as torch")
    assert changed.count(f"import {engine_name} as torch") == 1
    module = ModuleType(f"train_script_on_{engine_name}")
    exec(compile(changed, "train_script.py", "exec"), module.__dict__)
    return module


def test_the_same_script_gives_the_same_losses():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 320)
    images = (2 * np.eye(64)[labels] + rng.normal(0, 0.3, (320, 64))).astype("float32")
    runs = [
        training_script(name).train(images, labels, epochs=5, lr=0.05)
        for name in ("tapegrad", "numpy_reference")
    ]
    (model, losses), (reference_model, reference_losses) = runs
    assert len(losses) == 50
    assert losses[-1] < losses[0] / 2
    np.testing.assert_allclose(losses, reference_losses, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(model.parameters(), reference_model.parameters(), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 7])
def test_random_numbers_are_the_same(seed):
    draws = []
    for torch in ENGINES:
        torch.manual_seed(seed)
        draws.append(
            [
                torch.rand(3, 5),
                torch.randperm(100),
                torch.randn(16),
                torch.randn(3, 7),
                torch.nn.Linear(4, 3).weight,
            ]
        )
    for ours, theirs in zip(*draws, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


EXPRESSIONS = {
    "arithmetic": lambda torch, a, b: a * b + a / b - (2 - a) * 3 + b / 2 + 1 / b - (-a),
    "powers": lambda torch, a, b: b**3 + b**0.5 + b.square() + torch.sqrt(b),
    "functions": lambda torch, a, b: (
        torch.tanh(a) + torch.exp(a) * torch.log(b) + torch.sigmoid(a) + torch.relu(a)
    ),
    "matmul": lambda torch, a, b: a @ b.T + torch.matmul(a, b[0]).reshape(3, 1) + a[1] @ b.T,
    "reductions": lambda torch, a, b: (
        a.sum() * b.mean(dim=0) + a.mean() + b.sum(dim=1, keepdim=True) + a.max()
    ),
    "indexing": lambda torch, a, b: a[1:] * b[[0, 0]] + b[-1, 2] + a[:, [1]][:2],
    "log_softmax": lambda torch, a, b: torch.log_softmax(a, 1) * b,
    "cross_entropy": lambda torch, a, b: torch.nn.functional.cross_entropy(a, torch.tensor([0, 3, 2])) * b,
    "reused": lambda torch, a, b: (a * a + a) * (a + b),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values_and_gradients(name):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(3, 4)), rng.uniform(0.5, 2, (3, 4))
    results = []
    for torch in ENGINES:
        a = torch.tensor(first.astype("float32"), requires_grad=True)
        b = torch.tensor(second.astype("float32"), requires_grad=True)
        out = EXPRESSIONS[name](torch, a, b)
        (out * out).sum().backward()
        results.append([out.detach().numpy(), a.grad, b.grad])
    for ours, theirs in zip(*results, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(
                np.asarray(ours), getattr(theirs, "data", theirs), rtol=2e-4, atol=1e-4
            )


def test_gradients_accumulate_and_no_grad_records_nothing():
    for torch in ENGINES:
        w = torch.ones(4, requires_grad=True)
        for _ in range(2):
            (w * 3).sum().backward()
        assert w.grad.tolist() == [6.0] * 4
        w.grad.zero_()
        assert w.grad.tolist() == [0.0] * 4
        with torch.no_grad():
            assert not (w * 3).requires_grad
        with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
            (w * 3).backward()
