"""Every row of the operation table against PyTorch itself, where it is installed.

Values, dtypes, shapes, strides of views, random streams, gradients, second gradients, and the class and first
words of errors.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tapegrad
from op_table import OPS, Case, Error, Op, cases, resolve
from op_table.row import FLOATS, substitute

pytorch = pytest.importorskip("torch")
TOLERANCE = {"float32": (2e-5, 2e-6), "float64": (1e-10, 1e-11)}
WORDS = 6


def every_case(wanted: Callable[[Op, Any], bool]) -> Any:
    return pytest.mark.parametrize("case", list(cases(OPS, wanted)), ids=str)


def function_of(library: ModuleType, op: Op) -> Callable[..., Any]:
    return resolve(library, op.name if op.function else f"Tensor.{op.name}")


def flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def values_of(tensor: Any) -> np.ndarray:
    return np.array((tensor.detach() + 0).tolist())  # PyTorch's lazy zeros become values only in a sum


def assert_alike(mine: Any, theirs: Any, scale: float, note: str) -> None:
    """The same shape and dtype, and values within the dtype's tolerance."""
    assert tuple(mine.shape) == tuple(theirs.shape), note
    assert dtype_name(mine) == dtype_name(theirs), note
    rtol, atol = TOLERANCE.get(dtype_name(mine), (0, 0))
    np.testing.assert_allclose(values_of(mine), values_of(theirs), rtol * scale, atol * scale, err_msg=note)


@every_case(lambda op, sample: op.reference is not None or op.random)
def test_values(case: Case) -> None:
    for dtype in case.dtypes:
        results = []
        for library in (tapegrad, pytorch):
            args, kwargs = case.tensors(library, dtype)
            library.manual_seed(11)
            results.append(flat(function_of(library, case.op)(*args, **kwargs)))
        for mine, theirs in zip(*results, strict=True):
            assert_alike(mine, theirs, case.op.tolerance, f"{case} {dtype}")


@every_case(lambda op, sample: op.view)
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
def test_strides_of_views(case: Case, layout: str) -> None:
    results = []
    for library in (tapegrad, pytorch):
        args, kwargs = case.tensors(library, "float32", layout)
        try:
            results.append(flat(function_of(library, case.op)(*args, **kwargs)))
        except RuntimeError as error:
            results.append(str(error).split()[:WORDS])
    for mine, theirs in zip(*results, strict=True):
        if isinstance(theirs, str):
            assert mine == theirs
        else:
            assert (mine.stride(), mine.storage_offset()) == (theirs.stride(), theirs.storage_offset())


def gradients(library: ModuleType, case: Case, dtype: str, order: int) -> list[Any]:
    """The gradient of a weighted sum of the results, or the gradient of a weighted sum of that gradient."""
    args, kwargs = case.tensors(library, dtype, requires_grad=True)
    leaves: list[Any] = []
    substitute((args, kwargs), library.Tensor, leaves.append)
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    outputs = flat(function_of(library, case.op)(*args, **kwargs))
    for _ in range(order):
        outputs = [output for output in outputs if output is not None and output.requires_grad]
        if not outputs:
            return []
        total = sum((output * weights(library, output)).sum() for output in outputs)
        outputs = list(library.autograd.grad(total, leaves, create_graph=True, allow_unused=True))
    return outputs


def weights(library: ModuleType, tensor: Any) -> Any:
    count = tensor.numel()
    return library.linspace(0.5, 1.5, count, dtype=tensor.dtype).reshape(tensor.shape)


@every_case(lambda op, sample: op.differentiable and sample.gradient)
@pytest.mark.parametrize("order", [1, 2], ids=["first", "second"])
def test_gradients(case: Case, order: int) -> None:
    for dtype in [name for name in case.dtypes if name in FLOATS]:
        found = gradients(tapegrad, case, dtype, order)
        try:
            expected = gradients(pytorch, case, dtype, order)
        except RuntimeError as error:
            assert "not implemented" in str(error)  # PyTorch stops at the first order here; tapegrad does not
            continue
        for mine, theirs in zip(
            found or [None] * len(expected), expected or [None] * len(found), strict=True
        ):
            note = f"{case} {dtype} order {order}"
            if mine is None or theirs is None:
                present = mine if theirs is None else theirs
                assert present is None or not values_of(present).any(), note
            else:
                assert_alike(mine, theirs, case.op.tolerance, note)


@every_case(lambda op, sample: op.differentiable and op.inplace and sample.gradient)
def test_name_of_the_node(case: Case) -> None:
    """`grad_fn` prints as PyTorch's does."""
    names = []
    for library in (tapegrad, pytorch):
        args, kwargs = case.tensors(library, case.dtypes[0], requires_grad=True)
        names.append(
            [
                out.grad_fn.name()
                for out in flat(function_of(library, case.op)(*args, **kwargs))
                if out.grad_fn
            ]
        )
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("op", "error"),
    [
        pytest.param(op, error, id=f"{op.name}-{number}")
        for op in OPS
        for number, error in enumerate(op.errors)
    ],
)
def test_errors(op: Op, error: Error) -> None:
    raised = []
    for library in (tapegrad, pytorch):
        args, kwargs = Case(op, error.call, 0).tensors(library, error.dtype)
        with pytest.raises(error.kind) as caught:
            function_of(library, op)(*args, **kwargs)
        raised.append((caught.type, str(caught.value).split()[:WORDS]))
    (my_class, my_words), (their_class, their_words) = raised
    assert (my_class, my_words[: len(their_words)]) == (their_class, their_words)
