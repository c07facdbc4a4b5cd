"""autograd.functional, gradcheck and batches of gradients against PyTorch itself, where it is installed."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad
from functional_calls import CALLS

pytorch = pytest.importorskip("torch")
WORDS = 7


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result, as nested tuples of lists; or the class and first words of the error."""
    try:
        return plain(function(*args, **kwargs))
    except Exception as error:
        return type(error).__name__, str(error).split()[:WORDS]


def plain(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return tuple(plain(part) for part in result)
    if hasattr(result, "tolist"):
        return {"shape": tuple(result.shape), "values": result.detach().tolist(), "dtype": str(result.dtype)}
    return result


def compare(mine: Any, theirs: Any) -> None:
    assert type(mine) is type(theirs), (mine, theirs)
    if isinstance(theirs, tuple):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs):
            compare(a, b)
    elif isinstance(theirs, dict):
        assert mine["shape"] == theirs["shape"]
        assert mine["dtype"] == theirs["dtype"]
        np.testing.assert_allclose(mine["values"], theirs["values"], 1e-6)
    else:
        assert mine == theirs


@pytest.mark.parametrize("name", CALLS)
def test_functional(name: str) -> None:
    results = []
    for library in (tapegrad, pytorch):
        functional = importlib.import_module(f"{library.__name__}.autograd.functional")
        x, y = library.tensor([0.5, 2.0]), library.tensor([1.0, -1.0, 3.0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of PyTorch's own use of torch.jit
            results.append(outcome(CALLS[name], functional, x, y))
    compare(*results)


GRADCHECKS: dict[str, Callable[[Any, Callable[..., Any], Any], Any]] = {
    "right": lambda torch, check, x: check(torch.sin, x),
    "right, tuple": lambda torch, check, x: check(torch.mul, (x, x.detach().clone().requires_grad_())),
    "fast": lambda torch, check, x: check(torch.exp, x, fast_mode=True),
    "batched": lambda torch, check, x: check(torch.exp, x, check_batched_grad=True),
    "detached": lambda torch, check, x: check(lambda x: x * x.detach(), x),
    "detached, fast": lambda torch, check, x: check(lambda x: x * x.detach(), x, fast_mode=True),
    "detached, quiet": lambda torch, check, x: check(lambda x: x * x.detach(), x, raise_exception=False),
    "tangent": lambda torch, check, x: check(lambda x: x.detach().cos() * (x - x.detach()), x),
    "not tracked": lambda torch, check, x: check(torch.sin, x.detach()),
    "output not tracked": lambda torch, check, x: check(lambda x: x.detach() * 2, x),
    "constant": lambda torch, check, x: check(lambda x: x.detach() * 0, x),
    "overlapping": lambda torch, check, x: check(
        torch.sin, torch.ones(1, 2, dtype=torch.float64).expand(2, 2).requires_grad_()
    ),
    "other arguments": lambda torch, check, x: check(lambda x, n, s: x * n, (x, 3, "s")),
}


# PyTorch's gradgradcheck fails in its own code without a differentiable output.
GRADGRADCHECKS = set(GRADCHECKS) - {"output not tracked", "constant", "not tracked"}


@pytest.mark.parametrize(
    ("check", "name"),
    [("gradcheck", name) for name in GRADCHECKS]
    + [("gradgradcheck", name) for name in sorted(GRADGRADCHECKS)],
)
def test_gradcheck(check: str, name: str) -> None:
    results = []
    for library in (tapegrad, pytorch):
        x = library.tensor([[0.5, 2.0], [-1.0, 0.1]], dtype=library.float64, requires_grad=True)
        results.append(outcome(GRADCHECKS[name], library, getattr(library.autograd, check), x))
    assert results[0] == results[1]


def test_batches_of_gradients() -> None:
    results = []
    for library in (tapegrad, pytorch):
        x = library.tensor([0.0, 1.0, 2.0], requires_grad=True)
        unused = library.ones(2, requires_grad=True)
        y, z = x * x, x.sum()
        eye, ones = library.eye(3), library.ones(3)

        grad = functools.partial(outcome, library.autograd.grad, is_grads_batched=True, retain_graph=True)
        results.append(
            (
                grad(y, x, eye),
                grad((y, z), x, (eye, ones)),
                grad(y, (x, unused), eye, allow_unused=True),
                grad(y, (x, unused), eye, materialize_grads=True),
                grad(y, (x, unused), eye),
                grad(y, x, ones),
                grad(y, x, library.ones(3, 2)),
                grad(z, x, library.tensor(1.0))[0],
                grad(z, x)[0],
                grad((y, z), x, (eye, library.ones(2)))[0],
                grad(y, x, library.ones(0, 3))[0],
            )
        )
    compare(*results)
