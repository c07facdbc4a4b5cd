"""__torch_function__: subclasses of Tensor and other classes that take over functions."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest

import tapegrad as torch
from tapegrad import overrides
from tapegrad.nn import functional


class Plain(torch.Tensor):
    """A subclass that defines nothing."""


class Logging(torch.Tensor):
    """A subclass that remembers what was called."""

    log: list[str] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        Logging.log.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs)


class Foreign:
    """No tensor, but functions of tensors are left to it."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func.__name__, len(args), sorted(kwargs or {})


class Refusing:
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return NotImplemented


@pytest.fixture
def t() -> torch.Tensor:
    return torch.arange(4.0).reshape(2, 2)


@pytest.fixture
def x(t: torch.Tensor) -> Any:
    Logging.log.clear()
    return t.as_subclass(Logging)


def test_results_of_a_plain_subclass(t: torch.Tensor) -> None:
    p = t.as_subclass(Plain)
    for result in (
        p + 1, t + p, 1 - p, p @ t, -p, p[0], p.sum(), torch.relu(p), torch.cat([t, p]), p.T, p.data, p > 0,
        p.split(1)[0], p.max(0).values, next(iter(p)), p.detach(), p.to(torch.float64), torch.zeros_like(p),
        p.new_ones(2), functional.softmax(p, -1), torch.nn.Linear(2, 2)(p), copy.deepcopy(p), copy.copy(p),
        pickle.loads(pickle.dumps(p)),
    ):  # fmt: skip
        assert type(result) is Plain
    assert p.max(0).n_fields == 2
    assert p.shape == (2, 2) and type(p.shape) is torch.Size
    assert p.tolist() == t.tolist() and p.sum().item() == 6
    assert repr(p).startswith("Plain(")


def test_parameters_make_ordinary_tensors(t: torch.Tensor) -> None:
    parameter = torch.nn.Parameter(t)
    assert type(parameter + 1) is torch.Tensor
    assert type(parameter.data) is torch.Tensor
    assert type(parameter * t.as_subclass(Plain)) is Plain
    assert torch.nn.Parameter.__torch_function__ is torch._C._disabled_torch_function_impl


def test_the_most_derived_class_wins(t: torch.Tensor) -> None:
    class Derived(Plain):
        pass

    class Stranger(torch.Tensor):
        pass

    p, d, s = (t.as_subclass(cls) for cls in (Plain, Derived, Stranger))
    assert type(p + d) is type(d + p) is type(torch.cat([t, p, d])) is Derived
    with pytest.raises(TypeError, match="unsupported operand"):
        p + s
    with pytest.raises(TypeError, match=r"Multiple dispatch failed for 'torch.add'; all __torch_function__"):
        torch.add(p, s)


def test_what_is_intercepted(t: torch.Tensor, x: Any) -> None:
    def called(function: Any) -> list[str]:
        Logging.log.clear()
        function()
        return list(Logging.log)

    def assign(target: Any, key: Any, value: Any) -> None:
        target[key] = value

    assert called(lambda: x + t) == called(lambda: t + x) == called(lambda: torch.add(t, other=x)) == ["add"]
    assert called(lambda: 1 - x) == ["__rsub__"]
    assert called(lambda: t < x) == ["gt"]
    assert called(lambda: x.sum(dim=0)) == ["sum"]
    assert called(lambda: torch.stack((t, x))) == ["stack"]
    assert called(lambda: torch.where(t > 0, x, t)) == ["where"]
    assert called(lambda: x[0]) == called(lambda: t[x > 9])[1:] == ["__getitem__"]
    assert (
        called(lambda: assign(x, 0, 1)) == called(lambda: assign(t.clone(), 0, x[0]))[1:] == ["__setitem__"]
    )
    assert called(lambda: x.shape) == called(lambda: x.requires_grad) == called(lambda: x.T) == ["__get__"]
    assert called(lambda: setattr(x, "requires_grad", False)) == ["__set__"]
    assert called(lambda: len(x)) == ["__len__"]
    assert called(lambda: list(x))[:2] == ["dim", "unbind"]
    assert called(lambda: float(x.sum())) == ["sum", "__float__"]
    assert called(lambda: x.size()) == ["size"]
    assert called(lambda: x.item() if x.dim() == 0 else None) == ["dim"]
    assert called(lambda: repr(x))[0] == "__repr__"
    assert called(lambda: x.mul_(1)) == ["mul_"]
    assert called(lambda: torch.add(t, t, out=x)) == ["add"]
    assert called(lambda: functional.relu(x)) == ["relu"]
    assert called(lambda: np.asarray(x)) == ["__array__"]
    assert called(lambda: (x.__dict__, hash(x), isinstance(x, torch.Tensor))) == []


def test_func_is_what_was_called(t: torch.Tensor) -> None:
    seen: list[Any] = []

    class Seeing(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append((func, types, len(args), sorted(kwargs or {})))
            return super().__torch_function__(func, types, args, kwargs)

    x = t.as_subclass(Seeing)
    torch.add(t, x, alpha=2)
    x.add(1)
    x + 1
    assert seen == [
        (torch.add, (Seeing,), 2, ["alpha"]),
        (torch.Tensor.add, (Seeing,), 2, []),
        (torch.Tensor.add, (Seeing,), 2, []),
    ]
    seen.clear()
    assert x.shape == (2, 2)
    assert seen[0][0] == torch.Tensor.shape.__get__


def test_a_class_that_replaces_results(t: torch.Tensor) -> None:
    class Metres(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (torch.Tensor.add, torch.add) and not all(isinstance(a, Metres) for a in args):
                raise TypeError("only metres can be added to metres")
            return super().__torch_function__(func, types, args, kwargs)

    m = t.as_subclass(Metres)
    assert type(m + m) is Metres
    with pytest.raises(TypeError, match="only metres"):
        m + 1


def test_other_objects(t: torch.Tensor, x: Any) -> None:
    f = Foreign()
    assert torch.add(t, f) == ("add", 2, [])
    assert t + f == f + t == ("add", 2, [])
    assert f - t == ("__rsub__", 2, [])
    assert t.matmul(f) == ("matmul", 2, [])
    assert t @ f == ("matmul", 2, [])
    assert torch.cat([t, f]) == ("cat", 1, [])
    assert torch.sum(t, dim=f) == ("sum", 1, ["dim"])
    assert torch.sum(input=f) == ("sum", 0, ["input"])
    assert functional.linear(f, t) == ("linear", 2, [])
    assert torch.add(x, f) == ("add", 2, [])
    with pytest.raises(TypeError, match="Multiple dispatch failed for 'torch.add'"):
        torch.add(t, Refusing())
    with pytest.raises(TypeError, match="unsupported operand"):
        t + Refusing()
    assert torch.add(Refusing(), f) == ("add", 2, [])


def test_switching_off(t: torch.Tensor, x: Any) -> None:
    f = Foreign()
    with torch._C.DisableTorchFunctionSubclass():
        assert type(x + 1) is torch.Tensor
        assert torch.add(t, f) == ("add", 2, [])
        with torch._C.DisableTorchFunction(), pytest.raises(TypeError):
            torch.add(t, f)
    assert type(x + 1) is Logging


def test_gradients_flow_through_subclasses() -> None:
    leaf = torch.ones(2, requires_grad=True)
    p = leaf.as_subclass(Plain)
    assert p.grad_fn is not None
    (p * 3).sum().backward()
    assert leaf.grad.tolist() == [3, 3] and type(leaf.grad) is torch.Tensor
    own = torch.ones(2).as_subclass(Plain).requires_grad_()
    (own * 2).sum().backward()
    assert own.grad.tolist() == [2, 2]


def test_a_subclass_with_getattr_and_state(t: torch.Tensor) -> None:
    class WithState(torch.Tensor):
        unit = "m"

        def __getattr__(self, name: str) -> str:
            return f"no {name}"

        def norm(self, *args: Any, **kwargs: Any) -> Any:
            return super().norm(*args, **kwargs) * 2

    w = t.as_subclass(WithState)
    w.note = "kept"
    assert (w.note, w.unit, w.anything) == ("kept", "m", "no anything")
    assert w.shape == (2, 2)
    assert w.norm().item() == pytest.approx(2 * t.norm().item())


def test_overrides_module(t: torch.Tensor, x: Any) -> None:
    p = t.as_subclass(Plain)
    assert overrides.has_torch_function((t, p)) and overrides.has_torch_function_unary(Foreign())
    assert not overrides.has_torch_function_variadic(t, torch.nn.Parameter(t), 3)
    assert overrides.is_tensor_like(Foreign()) and not overrides.is_tensor_like([1.0])
    assert overrides.is_tensor_method_or_property(torch.Tensor.add)
    assert not overrides.is_tensor_method_or_property(torch.add)

    def mine(a: Any, scale: float = 1) -> Any:
        if overrides.has_torch_function_unary(a):
            return overrides.handle_torch_function(mine, (a,), a, scale=scale)
        return a * scale

    assert mine(t, scale=2).tolist() == (t * 2).tolist()
    assert mine(Foreign(), scale=2) == ("mine", 1, ["scale"])
    assert type(mine(x, scale=2)) is Logging


def test_no_leaks(t: torch.Tensor) -> None:
    def work() -> None:
        x, p = t.as_subclass(Logging), t.as_subclass(Plain)
        for _ in range(50):
            (
                x + t,
                t + x,
                x.shape,
                x[0],
                torch.cat([t, x]),
                p.max(0),
                p.split(1),
                p.T,
                torch.add(t, Foreign()),
            )

    work()
    gc.collect()
    before = torch.memory_stats()["live_tensors"], len(gc.get_objects())
    work()
    Logging.log.clear()
    gc.collect()
    assert torch.memory_stats()["live_tensors"] == before[0]
    assert len(gc.get_objects()) <= before[1] + 5
