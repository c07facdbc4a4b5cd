"""Wrong arguments end in an ordinary exception: never a crash, a hang or an internal error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import tapegrad as torch
from op_table import OPS, Case, Op, resolve
from op_table.row import substitute

EXPECTED = (
    TypeError,
    RuntimeError,
    IndexError,
    ValueError,
    NotImplementedError,
    OverflowError,
    AttributeError,
)


def wrong_values() -> list[Any]:
    """What a confused program may pass: fresh each time, since a call may change them."""
    return [
        None,
        "text",
        object(),
        -7,
        0,
        2**62,
        -(2**63),
        2**70,
        1.5,
        float("nan"),
        True,
        [],
        (),
        [[1, "a"]],
        (-1, -1),
        (2**40, 2**40),
        torch.float64,
        torch.zeros(0),
        torch.zeros(2, 0, 3),
        torch.ones(5),
        torch.ones(()),
        torch.ones(2, 3, 4, 5, 6),
        torch.ones(3, dtype=torch.int64) * 100,
        torch.zeros(3, dtype=torch.bool),
        torch.ones(1).expand(7, 3),
        [torch.ones(2), None],
        [torch.ones(2), torch.ones(3, 3)],
    ]


def spoiled_calls(case: Case) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The call with each argument replaced by each wrong value or dropped, and with one too many."""
    args, kwargs = case.tensors(torch, case.dtypes[0])
    for position in range(len(args)):
        for wrong in wrong_values():
            yield [*args[:position], wrong, *args[position + 1 :]], kwargs
        yield args[:position] + args[position + 1 :], kwargs
    for name in kwargs:
        for wrong in wrong_values():
            yield args, {**kwargs, name: wrong}
    yield [*args, None], kwargs
    yield args, {**kwargs, "no_such_argument": 1}


def all_operations() -> list[Any]:
    """The functions of the C++ module, the methods of Tensor, and the functions of nn.functional."""
    builtin = type(torch.add)
    found = {
        operation.__name__: operation
        for namespace in (torch._C, torch.Tensor)
        for operation in vars(namespace).values()
        if isinstance(operation, builtin)
    }
    functional = torch.nn.functional
    return [*found.values(), *(getattr(functional, name) for name in functional.__all__)]


def too_large(arguments: Any) -> bool:
    """A request for gigabytes is honest work for an allocator, not a wrong argument."""
    sizes: list[int] = []
    substitute(arguments, int, lambda value: sizes.append(value) or value)
    return any(value >= 2**40 for value in sizes)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("op", [op for op in OPS if op.calls], ids=lambda op: op.name)
def test_wrong_arguments_raise(op: Op) -> None:
    function = resolve(torch, op.name if op.function else f"Tensor.{op.name}")
    for index, sample in enumerate(op.calls):
        for args, kwargs in spoiled_calls(Case(op, sample, index)):
            note = f"{op.name} {[type(a).__name__ for a in args]} {kwargs}"
            try:
                function(*args, **kwargs)
            except EXPECTED as error:
                assert str(error) and "INTERNAL ASSERT" not in str(error), note
            except MemoryError:
                assert too_large((args, kwargs)), note


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_unknown_keyword_is_a_type_error(op: Op) -> None:
    function = resolve(torch, op.name if op.function else f"Tensor.{op.name}")
    args, kwargs = Case(op, op.calls[0], 0).tensors(
        torch, op.calls[0].dtypes[0] if op.calls[0].dtypes else op.dtypes[0]
    )
    with pytest.raises(TypeError):
        function(*args, **kwargs, no_such_argument=1)


def sentences(text: str) -> str:
    """A documentation text without the signatures at its head."""
    return "\n".join(line for line in text.split("\n") if not re.match(r"\w+\(.*\)( -> .*)?$", line)).strip()


OPERATIONS = [operation for operation in all_operations() if not operation.__name__.startswith("_")]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_documentation(operation: Any) -> None:
    """Every public operation says in a sentence what it does."""
    assert sentences(operation.__doc__)[-1:] == ".", operation.__doc__
