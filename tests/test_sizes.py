"""Sizes that do not fit into memory or into 64 bits are refused at once, with PyTorch's class of error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tapegrad as torch
import tapegrad.nn.functional as F

HUGE = 2**62
POINT = torch.ones(1)
ROW = torch.ones(3)
LINE = torch.ones(1, 1, 3)
PAIR = torch.ones(1, 1, 2)

TOO_LARGE: dict[str, Callable[[], Any]] = {
    "zeros": lambda: torch.zeros(HUGE),
    "zeros of two sizes": lambda: torch.zeros(2**32, 2**32),
    "zeros of no elements": lambda: torch.zeros(0, 2**40, 2**40),
    "full": lambda: torch.full((HUGE,), 1),
    "rand": lambda: torch.rand(HUGE),
    "randperm": lambda: torch.randperm(HUGE),
    "arange": lambda: torch.arange(0, 1e18),
    "arange of integers": lambda: torch.arange(-(2**63), 2**63 - 1),
    "linspace": lambda: torch.linspace(0, 1, HUGE),
    "eye": lambda: torch.eye(2**40),
    "repeat": lambda: ROW.repeat(HUGE),
    "tile": lambda: ROW.tile((HUGE, HUGE)),
    "repeat_interleave": lambda: torch.repeat_interleave(ROW, HUGE),
    "repeat_interleave by counts": lambda: torch.repeat_interleave(torch.tensor([HUGE, HUGE])),
    "expand": lambda: POINT.expand(HUGE, HUGE),
    "clone": lambda: POINT.expand(HUGE).clone(),
    "add": lambda: POINT.expand(HUGE) + 1,
    "sum": lambda: POINT.expand(HUGE).sum(),
    "stack": lambda: torch.stack([POINT.expand(HUGE)] * 4),
    "matmul": lambda: torch.ones(1, 1).expand(2**32, 1) @ torch.ones(1, 1).expand(1, 2**32),
    "outer": lambda: POINT.expand(2**40).outer(POINT.expand(2**40)),
    "kron": lambda: torch.kron(POINT.expand(2**40), POINT.expand(2**40)),
    "meshgrid": lambda: torch.meshgrid(*[torch.ones(10000)] * 6, indexing="ij"),
    "reshape": lambda: torch.zeros(0).reshape(2**32, 2**32),
    "as_strided": lambda: ROW.as_strided((2,), (HUGE,)),
    "as_strided at an offset": lambda: ROW.as_strided((2,), (1,), HUGE),
    "tensor_split": lambda: ROW.tensor_split(HUGE),
    "tensor_split in many": lambda: ROW.tensor_split(2**40),
    "chunk": lambda: torch.zeros(0).chunk(HUGE),
    "diag": lambda: torch.diag(ROW, HUGE),
    "bincount": lambda: torch.bincount(torch.tensor([HUGE])),
    "one_hot": lambda: F.one_hot(torch.tensor([1, 2]), HUGE),
    "pad": lambda: F.pad(ROW, (2**63 - 1, 2**63 - 1)),
    "avg_pool": lambda: F.avg_pool1d(LINE, HUGE),
    "adaptive_avg_pool": lambda: F.adaptive_avg_pool1d(LINE, HUGE),
    "conv": lambda: F.conv1d(LINE, PAIR, padding=2**40),
    "conv_transpose": lambda: F.conv_transpose1d(LINE, PAIR, stride=HUGE),
    "fold": lambda: F.fold(torch.ones(1, 4, 1), (2**40, 2**40), 2),
}


@pytest.mark.parametrize("call", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large(call: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError):
        call()


def test_views_of_any_size_take_no_memory() -> None:
    assert POINT.expand(HUGE).numel() == HUGE
    assert [len(part) for part in ROW.chunk(HUGE)] == [1, 1, 1]
    assert ROW.split(HUGE)[0].shape == (3,)
    assert torch.zeros(0, 3).reshape(0, HUGE, HUGE).shape == (0, HUGE, HUGE)


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.ones([1] * 65),
        lambda: torch.ones([1] * 64).unsqueeze(0),
        lambda: torch.stack([torch.ones([1] * 64)]),
        lambda: ROW[(None,) * 300],
        lambda: torch.tensordot(torch.ones([1] * 40), torch.ones([1] * 40), 0),
    ],
)
def test_too_many_dimensions(call: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match="at most 64 dimensions"):
        call()


def test_repeat_along_many_dimensions() -> None:
    many = torch.ones([1] * 38 + [2, 3])
    assert many.repeat([1] * 39 + [2]).shape == (*[1] * 38, 2, 6)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: torch.eye(2**70), ValueError),
        (lambda: ROW.sum(2**70, True), ValueError),
        (lambda: ROW.sum((2**70,)), TypeError),
        (lambda: torch.zeros(2, 2**70), TypeError),
        (lambda: torch.full((2,), 2**70), OverflowError),
        (lambda: ROW + 2**70, OverflowError),
    ],
)
def test_numbers_of_more_than_64_bits(call: Callable[[], Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call()
    assert F.smooth_l1_loss(ROW, ROW, beta=2**70).item() == 0
