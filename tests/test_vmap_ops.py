"""Every operation of the table under vmap, against one call for each example."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as torch
from op_table import OPS, Case, cases, resolve
from op_table.row import substitute
from tapegrad.func import vmap

BATCH = 3
REFUSALS = (
    "dynamic shape", "data-dependent control flow", "differently shaped", "out=", "Cannot access data",
    "is not supported", "randomness error mode",
)  # fmt: skip


def is_deterministic(op: Any, sample: Any) -> bool:
    return op.reference is not None and not op.random


def tensors_in(value: Any) -> list[Any]:
    found: list[Any] = []
    substitute(value, torch.Tensor, lambda tensor: found.append(tensor) or tensor)
    return found


def examples(tensor: Any, position: int) -> Any:
    """A batch: the tensor, and its elements in other orders, so that values stay where they are allowed."""
    flat = tensor.reshape(-1)
    rows = [flat.roll(i + i * position) if flat.numel() else flat for i in range(BATCH)]
    return torch.stack([row.reshape(tensor.shape) for row in rows])


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [leaf for member in result for leaf in flat(member)]
    return [result]


def one_by_one(function: Callable[..., Any], batches: list[Any]) -> list[Any]:
    rows = [flat(function(*(b if single else b[i] for b, single in batches))) for i in range(BATCH)]
    return [torch.stack(column) for column in zip(*rows)]


def prepared(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """The operation as a function of its tensors, which returns a tuple; and the tensors."""
    dtype = "float64" if "float64" in case.dtypes else case.dtypes[0]
    args, kwargs = case.tensors(torch, dtype)
    function = resolve(torch, case.op.name if case.op.function else f"Tensor.{case.op.name}")

    def call(*tensors: Any) -> Any:
        remaining = iter(tensors)
        new_args, new_kwargs = substitute((args, kwargs), torch.Tensor, lambda _: next(remaining))
        return tuple(flat(function(*new_args, **new_kwargs)))

    return call, tensors_in((args, kwargs))


def assert_alike(found: Any, expected: Any) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-9, 1e-12)


def check(case: Case, batched: list[bool]) -> None:
    """The operation with some of its tensors batched."""
    call, originals = prepared(case)
    batches = [
        (examples(tensor, i), False) if batch else (tensor, True)
        for i, (tensor, batch) in enumerate(zip(originals, batched))
    ]
    writes = case.op.name.endswith("_")
    fresh = lambda: [(b.clone(), single) for b, single in batches]
    try:
        expected = one_by_one(call, fresh())
    except (RuntimeError, TypeError):
        return  # not a call that gives tensors for every example
    in_dims = tuple(None if single else 0 for _, single in batches)
    try:
        found = vmap(call, in_dims)(*(b for b, _ in fresh()))
    except RuntimeError as error:
        assert any(words in str(error) for words in REFUSALS) or (writes and "inplace" in str(error)), error
        return
    assert_alike(found, expected)


def check_nested(case: Case) -> None:
    """The operation under two levels: the first tensor batched at both, every second one at one of them."""
    call, originals = prepared(case)
    outer = tuple(0 if i % 3 != 1 else None for i in range(len(originals)))
    inner = tuple(0 if i % 3 != 2 else None for i in range(len(originals)))
    if case.op.name.endswith("_"):
        outer = inner = (0,) * len(originals)  # what is written to must be batched

    def spread(tensor: Any, i: int) -> Any:
        if outer[i] is None or inner[i] is None:
            return examples(tensor, i)
        return (
            torch.stack([examples(tensor, i), examples(tensor, i + 1)])
            if i == 0
            else torch.stack([examples(tensor, i)] * 2)
        )

    def sized(tensor: Any, i: int) -> Any:
        batch = spread(tensor, i)
        return batch[:2] if inner[i] is None else batch

    batches = [sized(tensor, i) for i, tensor in enumerate(originals)]
    pick = lambda k, b, i, dims: b if dims[i] is None else b[k]
    try:
        rows = []
        for k in range(2):
            part = [pick(k, b, i, outer) for i, b in enumerate(batches)]
            examples_of = [
                flat(call(*(pick(j, b, i, inner).clone() for i, b in enumerate(part)))) for j in range(BATCH)
            ]
            rows.append([torch.stack(column) for column in zip(*examples_of)])
        expected = [torch.stack(column) for column in zip(*rows)]
    except (RuntimeError, TypeError):
        return  # not a call that gives tensors for every example
    try:
        found = vmap(vmap(call, inner), outer)(*(b.clone() for b in batches))
    except RuntimeError as error:
        assert any(words in str(error) for words in REFUSALS), error
        return
    assert_alike(found, expected)


@pytest.mark.parametrize("case", list(cases(OPS, is_deterministic)), ids=str)
def test_operation(case: Case) -> None:
    count = len(prepared(case)[1])
    if count == 0:
        return
    choices = {(True,) * count, *(tuple(i == k for k in range(count)) for i in range(min(count, 4)))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of operations without a rule
        for batched in sorted(choices):
            check(case, list(batched))
        check_nested(case)
