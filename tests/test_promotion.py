"""The dtype of every result: the tables below were recorded from PyTorch.

One letter stands for a dtype: b bool, u uint8, 1 int8, 2 int16, 4 int32, 8 int64, f float32, d float64, and a
dot for a combination that raises an error. A table has a row for each first and a letter for each second
operand, both in the order of `LETTERS`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

import tapegrad as torch

LETTERS = "bu1248fd"
NAMES = dict(
    zip(LETTERS, ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"], strict=True)
)
DTYPES = {letter: getattr(torch, name) for letter, name in NAMES.items()}
LETTER_OF = {dtype: letter for letter, dtype in DTYPES.items()}

TENSORS = "bu1248fd uu2248fd 121248fd 222248fd 444448fd 888888fd fffffffd dddddddd"
TENSOR_WITH_NUMBER = "bu1248fd uuuuuufd 111111fd 222222fd 444444fd 888888fd ffffffff dddddddd"
NUMBER_WITH_TENSOR = "bu1248fd uu1248fd 1u1248fd 2u1248fd 4u1248fd 8u1248fd fffffffd ddddddfd"
TRUE_DIVISION = "fffffffd fffffffd fffffffd fffffffd fffffffd fffffffd fffffffd dddddddd"
TRUE_DIVISION_BY_NUMBER = "fffffffd fffffffd fffffffd fffffffd fffffffd fffffffd ffffffff dddddddd"
ALWAYS_BOOL = " ".join(["bbbbbbbb"] * 8)

CONDITION = [True, False, True]


def without_bools(table: str) -> str:
    """The table with an error where both operands are bool."""
    return "." + table[1:]


def integers_only(table: str) -> str:
    rows = [row[:6] + ".." for row in table.split()[:6]]
    return " ".join([*rows, "........", "........"])


def no_bool_operand(table: str) -> str:
    rows = ["." + row[1:] for row in table.split()[1:]]
    return " ".join(["........", *rows])


def operand(letter: str, kind: str) -> Any:
    """A 1-D tensor ("t") or a 0-dim one ("0")."""
    return torch.ones((3,) if kind == "t" else (), dtype=DTYPES[letter])


def letter_of(function: Callable[..., Any], *args: Any) -> str:
    """The letter of the result's dtype, or a dot where the combination is refused."""
    try:
        return LETTER_OF[function(*args).dtype]
    except (RuntimeError, TypeError, NotImplementedError):
        return "."


def where(a: Any, b: Any) -> Any:
    return torch.where(torch.tensor(CONDITION), a, b)


BINARY: list[tuple[Any, str, str]] = [
    *[(f, "tt", TENSORS) for f in (operator.add, operator.mul, torch.maximum, torch.minimum, where)],
    *[(f, "t0", TENSOR_WITH_NUMBER) for f in (operator.add, operator.mul, torch.maximum, where)],
    *[(f, "0t", NUMBER_WITH_TENSOR) for f in (operator.add, operator.mul)],
    *[(f, "00", TENSORS) for f in (operator.add, operator.mul)],
    (operator.sub, "tt", no_bool_operand(TENSORS)),
    (operator.sub, "t0", no_bool_operand(TENSOR_WITH_NUMBER)),
    *[(f, "tt", TRUE_DIVISION) for f in (operator.truediv, torch.atan2)],
    *[(f, "t0", TRUE_DIVISION_BY_NUMBER) for f in (operator.truediv, torch.atan2)],
    *[(f, "tt", without_bools(TENSORS)) for f in (operator.floordiv, operator.mod, operator.pow)],
    *[(f, "t0", without_bools(TENSOR_WITH_NUMBER)) for f in (operator.floordiv, operator.mod, operator.pow)],
    *[
        (f, kinds, ALWAYS_BOOL)
        for f in (operator.eq, operator.lt, torch.logical_and)
        for kinds in ("tt", "t0")
    ],
    *[(f, "tt", integers_only(TENSORS)) for f in (operator.and_, operator.or_, operator.xor)],
    (operator.and_, "t0", integers_only(TENSOR_WITH_NUMBER)),
    (operator.lshift, "tt", without_bools(integers_only(TENSORS))),
    (lambda a, b: torch.cat([a, b]), "tt", TENSORS),
    (lambda a, b: torch.stack([a, b]), "00", TENSORS),
]


@pytest.mark.parametrize(
    ("function", "kinds", "table"),
    BINARY,
    ids=[f"{getattr(f, '__name__', 'join')}-{k}-{i}" for i, (f, k, _) in enumerate(BINARY)],
)
def test_two_tensors(function: Callable[..., Any], kinds: str, table: str) -> None:
    found = [
        "".join(letter_of(function, operand(a, kinds[0]), operand(b, kinds[1])) for b in LETTERS)
        for a in LETTERS
    ]
    assert " ".join(found) == table


WITH_PYTHON_NUMBERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "t * True": (lambda t: t * True, "bu1248fd"),
    "t * 2": (lambda t: t * 2, "8u1248fd"),
    "t * 2.5": (lambda t: t * 2.5, "fffffffd"),
    "t // 2": (lambda t: t // 2, "8u1248fd"),
    "t % 2": (lambda t: t % 2, "8u1248fd"),
    "t % 2.5": (lambda t: t % 2.5, "fffffffd"),
    "t ** 2": (lambda t: t**2, "8u1248fd"),
    "t ** 2.0": (lambda t: t**2.0, "fffffffd"),
    "2 ** t": (lambda t: 2**t, "8u1248fd"),
    "1 / t": (lambda t: 1 / t, "fffffffd"),
    "1 - t": (lambda t: 1 - t, ".u1248fd"),
    "1 // t": (lambda t: 1 // t, "8u1248fd"),
    "t == 1.5": (lambda t: t == 1.5, "bbbbbbbb"),
    "clamp(0, 1)": (lambda t: t.clamp(0, 1), "8u1248fd"),
    "clamp(0.5, 1.5)": (lambda t: t.clamp(0.5, 1.5), "fffffffd"),
    "masked_fill(2)": (lambda t: t.masked_fill(torch.tensor(CONDITION), 2), "bu1248fd"),
}

ONE_TENSOR: dict[str, str] = {
    **dict.fromkeys(["sum", "prod"], "888888fd"),
    **dict.fromkeys(["mean", "std", "var", "norm", "frac"], "......fd"),
    **dict.fromkeys(["sqrt", "exp", "log", "sin", "tanh", "sigmoid", "reciprocal", "erf"], "fffffffd"),
    **dict.fromkeys(["abs", "neg", "floor", "ceil", "round", "trunc", "relu"], ".u1248fd"),
    **dict.fromkeys(["max", "min", "sign", "clone", "flip"], "bu1248fd"),
    **dict.fromkeys(["any", "all"], "bubbbbbb"),
    "argmax": ".8888888",
    "isnan": "bbbbbbbb",
    "bitwise_not": "bu1248..",
}

ALONG_A_DIM: dict[str, str] = {
    **dict.fromkeys(["cumsum", "cumprod", "sum"], "888888fd"),
    **dict.fromkeys(["amax", "amin"], "bu1248fd"),
    **dict.fromkeys(["softmax", "log_softmax", "mean"], "......fd"),
    "logsumexp": "fffffffd",
    "flip": "bu1248fd",
}


@pytest.mark.parametrize(("function", "row"), WITH_PYTHON_NUMBERS.values(), ids=WITH_PYTHON_NUMBERS)
@pytest.mark.parametrize("kind", ["t", "0"])
def test_python_number(function: Callable[[Any], Any], row: str, kind: str) -> None:
    assert "".join(letter_of(function, operand(letter, kind)) for letter in LETTERS) == row


@pytest.mark.parametrize(("name", "row"), ONE_TENSOR.items(), ids=ONE_TENSOR)
def test_one_tensor(name: str, row: str) -> None:
    function = (lambda t: t.flip(0)) if name == "flip" else operator.methodcaller(name)
    assert "".join(letter_of(function, operand(letter, "t")) for letter in LETTERS) == row


@pytest.mark.parametrize(("name", "row"), ALONG_A_DIM.items(), ids=ALONG_A_DIM)
def test_along_a_dim(name: str, row: str) -> None:
    function = operator.methodcaller(name, 0)
    assert "".join(letter_of(function, operand(letter, "t")) for letter in LETTERS) == row


IN_PLACE = "b....... uuuuuu.. 111111.. 222222.. 444444.. 888888.. ffffffff dddddddd"


def test_in_place_keeps_the_dtype_or_refuses() -> None:
    found = [
        "".join(letter_of(operator.iadd, operand(a, "t"), operand(b, "t")) for b in LETTERS) for a in LETTERS
    ]
    assert " ".join(found) == IN_PLACE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda: operand("8", "t").div_(2),
            "result type Float can't be cast to the desired output type Long",
        ),
        (
            lambda: operand("8", "t").add_(1.5),
            "result type Float can't be cast to the desired output type Long",
        ),
        (
            lambda: operand("8", "t").sqrt_(),
            "result type Float can't be cast to the desired output type Long",
        ),
        (lambda: operand("b", "t").add_(1), "result type Long can't be cast to the desired output type Bool"),
        (
            lambda: operand("4", "t").mul_(operand("d", "t")),
            "result type Double can't be cast to the desired output type Int",
        ),
    ],
)
def test_words_of_the_refusal(change: Callable[[], Any], words: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        change()
    assert str(caught.value).startswith(words)


def test_promote_types_and_result_type() -> None:
    table = " ".join(
        "".join(LETTER_OF[torch.promote_types(DTYPES[a], DTYPES[b])] for b in LETTERS) for a in LETTERS
    )
    assert table == TENSORS
    assert torch.result_type(torch.ones(2, dtype=torch.int32), 1.5) is torch.float32
    assert torch.result_type(torch.ones(2, dtype=torch.uint8), 300) is torch.uint8
    assert torch.can_cast(torch.int64, torch.float32) and not torch.can_cast(torch.float32, torch.int64)


def test_default_dtype_rules_float_results() -> None:
    torch.set_default_dtype(torch.float64)
    assert torch.get_default_dtype() is torch.float64
    assert torch.tensor(1.5).dtype is torch.float64
    assert (torch.ones(2, dtype=torch.int64) / 2).dtype is torch.float64
    assert torch.tensor([1, 2]).sqrt().dtype is torch.float64
    assert torch.zeros(2).dtype is torch.rand(2).dtype is torch.float64


def test_number_does_not_widen_float32() -> None:
    """A 0-dim float64 or a NumPy number leaves float32 alone, as a Python float does."""
    x = torch.ones(3)
    assert (x * torch.tensor(2.0, dtype=torch.float64)).dtype is torch.float32
    assert (x * 2.0).dtype is (2.0 * x).dtype is torch.float32
    assert (x + torch.ones(3, dtype=torch.float64)).dtype is torch.float64


def test_gradient_has_the_dtype_of_its_input() -> None:
    single = torch.ones(3, requires_grad=True)
    double = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (single * double).sum().backward()
    assert single.grad.dtype is torch.float32 and double.grad.dtype is torch.float64
