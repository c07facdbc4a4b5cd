"""Tensors with a hidden batch dimension, and the levels of vmap that hide it.

A BatchedTensor of a level looks like one example; its `value` has the batch dimension in front. Nested vmaps
nest values: that of an inner level may be a BatchedTensor of an outer one. An operation is computed by the
rule of the innermost level among its arguments, whose own calls then meet the next level.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import FunctionType, MethodDescriptorType, MethodWrapperType, WrapperDescriptorType
from typing import Any

from .. import _C

Tensor = _C.Tensor

__all__ = ["BatchedTensor", "Level", "RULES", "active_levels", "physical_of_all_levels"]

Rule = Callable[..., Any]

RULES: dict[str, Rule] = {}
"""Operation -> rule(level, function, *args, **kwargs), which returns values with the batch in front.

What a rule returns is wrapped by the level, except numbers and tensors that are wrapped already.
"""

DECOMPOSITIONS: set[Rule] = set()
"""Rules whose results are those of an example already."""


class _State(threading.local):
    """The levels in progress in a thread, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


_state = _State()
_PAYLOAD = _C.empty(0)


class Level:
    """One vmap in progress: the size of its batch, and how random operations behave."""

    def __init__(self, batch_size: int, randomness: str) -> None:
        self.depth = len(_state.levels) + 1
        self.batch_size, self.randomness = batch_size, randomness
        self.alive = True

    def __enter__(self) -> Level:
        _state.levels.append(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _state.levels.pop()
        self.alive = False

    def has(self, x: Any) -> bool:
        """Whether x is batched at this level."""
        return isinstance(x, BatchedTensor) and x._level is self

    def value(self, x: Any) -> Any:
        """The tensor behind a batched x; anything else as it is."""
        return x._value if self.has(x) else x

    def values(self, *xs: Any) -> list[Any]:
        return [self.value(x) for x in xs]

    def rank(self, x: Tensor) -> int:
        """The number of dimensions that one example has: x.dim(), without the way through the rules."""
        return x._value.dim() - 1 if self.has(x) else x.dim()

    def batch(self, x: Tensor) -> Tensor:
        """The tensor with the batch dimension in front, expanded if x is the same for all examples."""
        return x._value if self.has(x) else x.unsqueeze(0).expand(self.batch_size, *x.shape)

    def aligned(self, x: Any, rank: int) -> Any:
        """The value, to broadcast with those of examples of that rank; anything else as it is."""
        if not self.has(x):
            return x
        value = x._value
        missing = rank - (value.dim() - 1)
        if missing <= 0:
            return value
        return value.reshape(value.shape[0], *[1] * missing, *value.shape[1:])

    def wrap(self, value: Tensor) -> BatchedTensor:
        """A tensor with the batch dimension in front as an example of this level."""
        batched = _C._make_subclass(BatchedTensor, _PAYLOAD)
        batched._value, batched._level = value, self
        return batched

    def wrap_all(self, result: Any) -> Any:
        """The tensors of a result of a rule, wrapped."""
        if isinstance(result, Tensor):
            return result if self.has(result) else self.wrap(result)
        if isinstance(result, (tuple, list)) and any(isinstance(r, (Tensor, tuple, list)) for r in result):
            return type(result)([self.wrap_all(member) for member in result])
        return result


class BatchedTensor(Tensor):
    """What the function given to vmap sees of its inputs: one example, computed for the whole batch."""

    _value: Tensor
    _level: Level

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return compute(innermost([*args, *kwargs.values()]), func, args, kwargs)


def active_levels() -> list[Level]:
    """The levels in progress in this thread, outermost first."""
    return _state.levels


def innermost(arguments: list[Any]) -> Level:
    """The innermost level at which one of the arguments is batched."""
    level: Level | None = None
    for argument in arguments:
        for member in argument if isinstance(argument, (tuple, list)) else (argument,):
            if isinstance(member, BatchedTensor) and (level is None or member._level.depth > level.depth):
                level = member._level
    assert level is not None
    if not level.alive:
        raise RuntimeError(
            "Your tensor may have escaped from inside a function being vmapped: return it from the function "
            "instead of keeping it elsewhere."
        )
    return level


def compute(level: Level, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """func(*args, **kwargs) with arguments that are batched at `level`."""
    name = operation_name(func)
    rule = RULES.get(name)
    if rule is None and name.endswith("_") and not name.endswith("__"):
        rule = _in_place
    if rule is None:
        # Methods written in Python consist of operations.
        rule = _composite if isinstance(func, FunctionType) else RULES["fallback"]
    if kwargs.get("out") is not None:
        raise RuntimeError(
            f"Batching rule not implemented for {name} with out=: use the result of the function instead"
        )
    result = rule(level, _for_values(func), *args, **kwargs)
    return result if rule in DECOMPOSITIONS else level.wrap_all(result)


def _for_values(func: Any) -> Any:
    """The function as rules may call it: attributes and methods of Tensor are looked up in the value again.

    The value may be a BatchedTensor of an outer level, which those of Tensor itself would not notice.
    """
    kind = type(func)
    if kind is MethodWrapperType:
        attribute = func.__self__.__name__
        look_up: Any = lambda x, *args: setattr(x, attribute, *args) if args else getattr(x, attribute)
    elif kind in (MethodDescriptorType, WrapperDescriptorType):
        look_up = lambda x, *args, **kwargs: getattr(x, func.__name__)(*args, **kwargs)
    else:
        return func
    look_up.__name__ = func.__name__
    return look_up


def operation_name(func: Any) -> str:
    """The key in RULES: "add" for torch.add and Tensor.add, "get:shape" for an attribute."""
    name = func.__name__
    if name == "__get__":
        return f"get:{func.__self__.__name__}"
    return f"set:{func.__self__.__name__}" if name == "__set__" else name


def _composite(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def check_writable(level: Level, target: Any) -> Tensor:
    """The value of the tensor that an operation writes to; an error unless it is batched."""
    if not level.has(target):
        raise RuntimeError(
            "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor "
            "`other` "
            "in extra_args that has more elements than `self`. This happened due to `other` being vmapped "
            "over but `self` not being vmapped over in a vmap. Please try to use out-of-place operators "
            "instead of inplace arithmetic, or make `self` with a function such as other.new_zeros(...)."
        )
    return target._value


DECOMPOSITIONS.add(_composite)


def _in_place(level: Level, func: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
    """Computes from a copy, which the derivative may keep, and writes the result."""
    value = check_writable(level, target)
    name = operation_name(func)
    rule, function = RULES.get(name[:-1]), getattr(Tensor, name[:-1], None)
    if rule is None or function is None:
        return RULES["fallback"](level, func, target, *args, **kwargs)
    copy = level.wrap(value.clone())
    result = level.value(rule(level, function, copy, *args, **kwargs))
    if result.shape != value.shape:
        raise RuntimeError(
            f"vmap: output with shape {target.shape} doesn't match the broadcast shape {result.shape[1:]} of "
            f"{name}"
        )
    value.copy_(result)
    return target


def words(text: str) -> list[str]:
    """The names in a text."""
    return text.split()


def rule_for(*names: str) -> Callable[[Rule], Rule]:
    """Makes a function the rule of these operations."""

    def add(rule: Rule) -> Rule:
        for name in names:
            RULES[name] = rule
        return rule

    return add


def decomposition_for(*names: str) -> Callable[[Rule], Rule]:
    """Makes a function of batched tensors, written in other operations, the rule of these operations."""

    def add(function: Rule) -> Rule:
        @functools.wraps(function)
        def rule(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        for name in names:
            RULES[name] = rule
        DECOMPOSITIONS.add(rule)
        return function

    return add


def physical_of_all_levels(x: Tensor, levels: list[Level]) -> Tensor:
    """The plain tensor behind x, with the batch dimensions of `levels` in front, outermost first."""
    for level in reversed(levels):
        x = level.batch(x)
    return x
