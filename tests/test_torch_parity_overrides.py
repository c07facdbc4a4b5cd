"""__torch_function__ against PyTorch itself, where it is installed: who is asked, for which function."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tapegrad

pytorch = pytest.importorskip("torch")


class Setup:
    """Subclasses of a library's Tensor, tensors of them, and a log of the functions that they override."""

    def __init__(self, library: ModuleType) -> None:
        log: list[tuple[str, list[str], int]] = []

        class Logging(library.Tensor):
            @classmethod
            def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                log.append((func.__name__, [t.__name__ for t in types], len(args)))
                return super().__torch_function__(func, types, args, kwargs or {})

        class Plain(library.Tensor):
            pass

        class Derived(Plain):
            pass

        class Foreign:
            @classmethod
            def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> str:
                log.append((func.__name__, [t.__name__ for t in types], len(args)))
                return "foreign"

        class Refusing:
            @classmethod
            def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                return NotImplemented

        self.lib, self.log = library, log
        self.t = library.ones(2, 2)
        self.x, self.p, self.d = (self.t.as_subclass(cls) for cls in (Logging, Plain, Derived))
        self.parameter = library.nn.Parameter(self.t)
        self.f, self.n = Foreign(), Refusing()

    def run(self, call: Callable[[Any], Any]) -> Any:
        self.log.clear()
        try:
            result = call(self)
        except TypeError as error:
            return str(error).split(";")[0]
        return type(result).__name__, list(self.log)


def assign(target: Any, key: Any, value: Any) -> None:
    target[key] = value


CALLS: dict[str, Callable[[Any], Any]] = {
    "x + t": lambda s: s.x + s.t,
    "t + x": lambda s: s.t + s.x,
    "1 - x": lambda s: 1 - s.x,
    "2 ** x": lambda s: 2**s.x,
    "x // 2": lambda s: s.x // 2,
    "2 // x": lambda s: 2 // s.x,
    "x % 2": lambda s: s.x % 2,
    "x / 2": lambda s: s.x / 2,
    "x ** 2": lambda s: s.x**2,
    "t @ x": lambda s: s.t @ s.x,
    "-x": lambda s: -s.x,
    "abs(x)": lambda s: abs(s.x),
    "~x": lambda s: ~s.x.bool(),
    "x & x": lambda s: s.x.bool() & s.t.bool(),
    "t < x": lambda s: s.t < s.x,
    "x += 1": lambda s: s.x.clone().__iadd__(1),
    "add": lambda s: s.lib.add(s.t, s.x),
    "add, keyword": lambda s: s.lib.add(s.t, other=s.x),
    "method": lambda s: s.t.add(s.x),
    "sum": lambda s: s.x.sum(dim=0),
    "max": lambda s: s.x.max(0).values,
    "cat": lambda s: s.lib.cat([s.t, s.x]),
    "stack": lambda s: s.lib.stack((s.t, s.x)),
    "where": lambda s: s.lib.where(s.t > 0, s.x, s.t),
    "out": lambda s: s.lib.add(s.t, s.t, out=s.x),
    "mul_": lambda s: s.x.mul_(1),
    "x[0]": lambda s: s.x[0],
    "x[0] = 1": lambda s: assign(s.x, 0, 1),
    "t[0] = x": lambda s: assign(s.t.clone(), 0, s.x[0]),
    "t[x]": lambda s: s.t[s.x > 0],
    "shape": lambda s: s.x.shape,
    "T": lambda s: s.x.T,
    "grad": lambda s: s.x.grad,
    "dtype": lambda s: s.x.dtype,
    "requires_grad": lambda s: s.x.requires_grad,
    "set requires_grad": lambda s: setattr(s.x, "requires_grad", False),
    "len": lambda s: len(s.x),
    "bool": lambda s: bool(s.x.sum()),
    "float": lambda s: float(s.x.sum()),
    "int": lambda s: int(s.x.sum()),
    "in": lambda s: 1 in s.x,
    "item": lambda s: s.x.sum().item(),
    "size": lambda s: s.x.size(),
    "dim": lambda s: s.x.dim(),
    "numpy": lambda s: s.x.numpy(),
    "tolist": lambda s: s.x.tolist(),
    "linear": lambda s: s.lib.nn.functional.linear(s.x, s.t),
    "zeros_like": lambda s: s.lib.zeros_like(s.x),
    "new_zeros": lambda s: s.x.new_zeros(2),
    "to": lambda s: s.x.to(s.lib.float64),
    "detach": lambda s: s.x.detach(),
    "clone": lambda s: s.x.clone(),
    "as_subclass": lambda s: s.x.as_subclass(s.lib.Tensor),
    "hash": lambda s: hash(s.x),
    "__dict__": lambda s: s.x.__dict__,
    "hasattr": lambda s: hasattr(s.x, "anything"),
    "disabled": lambda s: disabled(s, lambda: s.x + s.p),
    "plain": lambda s: s.p + 1,
    "plain.sum": lambda s: s.p.sum(),
    "plain[0]": lambda s: s.p[0],
    "plain.split": lambda s: s.p.split(1)[0],
    "plain.T": lambda s: s.p.T,
    "plain in a list": lambda s: next(iter(s.p)),
    "plain, logging": lambda s: s.lib.add(s.p, s.x),
    "plain with derived": lambda s: s.p + s.d,
    "parameter": lambda s: s.parameter + 1,
    "parameter and plain": lambda s: s.parameter * s.p,
    "linear of plain": lambda s: s.lib.nn.Linear(2, 2)(s.p),
    "foreign": lambda s: s.lib.add(s.t, s.f),
    "t + foreign": lambda s: s.t + s.f,
    "foreign + t": lambda s: s.f + s.t,
    "t == foreign": lambda s: s.t == s.f,
    "t.add(foreign)": lambda s: s.t.add(s.f),
    "cat of foreign": lambda s: s.lib.cat([s.t, s.f]),
    "foreign keyword": lambda s: s.lib.sum(input=s.f),
    "foreign option": lambda s: s.lib.sum(s.t, dim=s.f),
    "logging and foreign": lambda s: s.lib.add(s.x, s.f),
    "refusing": lambda s: s.lib.add(s.t, s.n),
    "t + refusing": lambda s: s.t + s.n,
    "refusing and foreign": lambda s: s.lib.add(s.n, s.f),
    "cat of refusing": lambda s: s.lib.cat([s.t, s.n]),
    "unrelated": lambda s: s.lib.add(s.x.as_subclass(type(s.x)), s.p),
}


def disabled(setup: Any, call: Callable[[], Any]) -> Any:
    with setup.lib._C.DisableTorchFunctionSubclass():
        return call()


@pytest.mark.parametrize("name", CALLS)
def test_overriding(name: str) -> None:
    mine, theirs = (Setup(library).run(CALLS[name]) for library in (tapegrad, pytorch))
    assert mine == theirs
