"""Tensors from Python data: inferred types, ragged data, conversion limits, sharing with arrays, DLPack."""

from __future__ import annotations

import array
import fractions
import io
from typing import Any

import numpy as np
import pytest

import tapegrad as torch


@pytest.mark.parametrize("wrap", [list, tuple], ids=["list", "tuple"])
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.0, 2.0], "float32"),
        ([1, 2], "int64"),
        ([True, False], "bool"),
        ([True, 2], "int64"),
        ([1, 2.5], "float32"),
        ([2.5, True], "float32"),
        ([np.float64(1), 2.0], "float64"),
        ([np.int32(1)], "int32"),
        ([np.int32(1), 2], "int64"),
        ([np.bool_(True)], "bool"),
    ],
    ids=repr,
)
def test_type_of_a_list(values: list[Any], dtype: str, wrap: Any) -> None:
    made = torch.tensor(wrap(values))
    assert str(made.dtype) == f"torch.{dtype}" and made.tolist() == [
        x.item() if hasattr(x, "item") else x for x in values
    ]


def test_nesting_mixes_lists_tuples_arrays_tensors_and_ranges() -> None:
    data = [[1, 2], (3, 4), range(5, 7), torch.tensor([7, 8]).tolist(), array.array("i", [9, 10])]
    assert torch.tensor(data).tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert torch.tensor([[torch.tensor(1.5), 2], [3, np.float32(4)]]).tolist() == [[1.5, 2], [3, 4]]
    assert torch.tensor([torch.tensor([[1.0]])]).shape == (1,)


def test_element_types_promote_among_tensors_and_numbers() -> None:
    assert torch.tensor([1, torch.tensor(2.0, dtype=torch.float64)]).dtype is torch.float64
    assert torch.tensor([torch.tensor(1), 2.0]).dtype is torch.float32
    assert torch.tensor([torch.tensor(True), torch.tensor(1, dtype=torch.int8)]).dtype is torch.int8


def test_default_dtype_decides_what_floats_become() -> None:
    assert torch.get_default_dtype() is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.tensor([1.0]).dtype is torch.tensor(1.0).dtype is torch.float64
        assert torch.zeros(1).dtype is torch.Tensor(1).dtype is torch.rand(1).dtype is torch.float64
        assert torch.tensor([1]).dtype is torch.int64
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises(TypeError, match="^only floating-point types are supported as the default type"):
        torch.set_default_dtype(torch.int64)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([[1, 2], 3], TypeError, "not a sequence"),
        ([1, [2]], TypeError, "'list' object cannot be interpreted as an integer"),
        ([1.0, [2.0]], TypeError, "must be real number, not list"),
        ([[1, 2], [3, 4, 5]], ValueError, r"expected sequence of length 2 at dim 1 \(got 3\)"),
        ([[[1], [2]], [[3], [4, 5]]], ValueError, r"expected sequence of length 1 at dim 2 \(got 2\)"),
        (["a", "b"], ValueError, "too many dimensions 'str'"),
        (
            [torch.ones(2), torch.ones(2)],
            ValueError,
            "only one element tensors can be converted to Python scalars",
        ),
        ({1: 2}, RuntimeError, "Could not infer dtype of dict"),
        ({1, 2}, RuntimeError, "Could not infer dtype of set"),
        ([1, None], RuntimeError, "Could not infer dtype of NoneType"),
        ([object()], RuntimeError, "Could not infer dtype of object"),
    ],
    ids=repr,
)
def test_data_that_is_no_tensor(data: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match="^" + words):
        torch.tensor(data)


def test_a_list_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="^too many dimensions 'list'"):
        torch.tensor(loop)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (torch.uint8, 256),
        (torch.uint8, -256),
        (torch.int8, 128),
        (torch.int8, -129),
        (torch.int16, 40_000),
        (torch.int32, 2**31),
        (torch.int32, 1e10),
        (torch.int64, float("inf")),
        (torch.int64, float("nan")),
    ],
)
def test_numbers_that_do_not_fit_are_refused(dtype: Any, value: Any) -> None:
    for data in (value, [value], [[0], [value]]):
        with pytest.raises(RuntimeError, match="^value cannot be converted to type .* without overflow"):
            torch.tensor(data, dtype=dtype)


def test_numbers_that_fit_are_converted() -> None:
    assert torch.tensor([255, -1, -255], dtype=torch.uint8).tolist() == [255, 255, 1]
    assert torch.tensor([1e40], dtype=torch.float32).tolist() == [float("inf")]
    assert torch.tensor([2.9, -2.9, True], dtype=torch.int32).tolist() == [2, -2, 1]
    assert torch.tensor([0.0, 0.5, 3], dtype=torch.bool).tolist() == [False, True, True]
    assert torch.tensor([2**70], dtype=torch.float64).tolist() == [2.0**70]
    assert torch.tensor([fractions.Fraction(1, 4)], dtype=torch.float64).tolist() == [0.25]
    assert torch.tensor([True, None], dtype=torch.bool).tolist() == [True, False]


def test_long_lists_convert_element_by_element() -> None:
    floats = [i / 7 for i in range(10_000)]
    assert torch.tensor(floats, dtype=torch.float64).tolist() == floats
    assert torch.tensor(floats).tolist() == np.array(floats, np.float32).tolist()
    assert torch.tensor(list(range(-5000, 5000))).tolist() == list(range(-5000, 5000))
    assert torch.tensor([*floats, 1]).dtype is torch.float32


def test_objects_that_are_arrays() -> None:
    class Columns:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.arange(6.0).reshape(2, 3)

    assert torch.tensor(Columns()).tolist() == torch.as_tensor(Columns()).tolist() == [[0, 1, 2], [3, 4, 5]]
    order = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert (
        torch.tensor(order).stride() == (1, 2)
        and torch.tensor(order, dtype=torch.float32).tolist() == order.tolist()
    )
    assert torch.tensor(np.array(3)).dtype is torch.int64 and torch.tensor(np.zeros((0, 3))).shape == (0, 3)


def test_as_tensor_keeps_history_and_memory() -> None:
    x = torch.ones(2, requires_grad=True)
    assert torch.as_tensor(x) is x and torch.as_tensor(x, dtype=torch.float64).requires_grad
    data = np.zeros(3, np.float32)
    shared = torch.as_tensor(data)
    shared[0] = 1
    assert data[0] == 1
    assert torch.asarray(data, copy=True).data_ptr() != shared.data_ptr()
    with pytest.raises(ValueError, match="^can't alias memory"):
        torch.asarray([1, 2], copy=False)


def test_memory_of_an_array_lives_as_long_as_the_tensor() -> None:
    tensor = torch.from_numpy(np.arange(1000.0))
    again = np.arange(1000.0) + 1
    assert tensor.tolist() == list(range(1000)) and again[0] == 1
    view = torch.arange(5.0).numpy()[1:]
    assert view.tolist() == [1, 2, 3, 4]


def test_memory_of_a_tensor_lives_as_long_as_its_views_outside() -> None:
    x = torch.arange(4.0)
    shown = memoryview(x)
    x.data = torch.zeros(2)
    torch.full((100,), 9.0)
    assert shown.tolist() == [0, 1, 2, 3]


def test_buffers_that_need_what_a_tensor_has_not() -> None:
    columns = torch.arange(6.0).reshape(2, 3).t()
    with pytest.raises(BufferError, match="^the tensor is not contiguous"):
        io.BytesIO().write(columns)
    with pytest.raises(BufferError, match="^a Tensor that requires grad has no buffer"):
        memoryview(torch.ones(2, requires_grad=True))
    assert memoryview(columns).strides == (4, 12) and bytes(columns) == bytes(columns.contiguous())
    assert bytes(torch.tensor([1, 2], dtype=torch.uint8)) == b"\1\2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"offset": 4}, r"offset \(4 bytes\) must be non-negative and no greater than buffer length"),
        (
            {"count": 3},
            r"requested buffer length \(3 \* 2 bytes\) after offset \(0 bytes\) must not be greater",
        ),
        (
            {"offset": 1},
            r"buffer length \(3 bytes\) after offset \(1 bytes\) must be a multiple of element size",
        ),
        ({"count": 0}, r"both buffer length \(4\) and count \(0\) must not be 0"),
    ],
)
def test_frombuffer_checks_its_bounds(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match="^" + words):
        torch.frombuffer(bytearray(4), dtype=torch.int16, **arguments)


def test_frombuffer_shares_memory() -> None:
    data = bytearray(8)
    values = torch.frombuffer(data, dtype=torch.int16, offset=2, count=2)
    values[1] = 513
    assert data == bytes([0, 0, 0, 0, 1, 2, 0, 0]) and values.tolist() == [0, 513]
    with pytest.warns(UserWarning, match="The given buffer is not writable"):
        torch.frombuffer(b"abcd", dtype=torch.uint8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"])
def test_dlpack_shares_memory_both_ways(dtype: str) -> None:
    data = np.ones((2, 3), dtype)
    tensor = torch.from_dlpack(data)
    tensor[0, 1] = 0
    assert data[0, 1] == 0 and str(tensor.dtype) == f"torch.{dtype}"
    back = np.from_dlpack(tensor.t())
    assert back.shape == (3, 2) and back.__array_interface__["data"][0] == data.__array_interface__["data"][0]


def test_dlpack_capsules_are_used_once_and_freed_unused() -> None:
    before = torch.memory_stats()["allocated_bytes"]
    capsule = torch.arange(1000.0).__dlpack__()
    taken = torch.from_dlpack(capsule)
    assert taken.tolist() == list(range(1000))
    with pytest.raises(ValueError, match="PyCapsule"):
        torch.from_dlpack(capsule)
    unused = torch.arange(1000.0).__dlpack__(max_version=(1, 0))
    del capsule, taken, unused
    assert torch.memory_stats()["allocated_bytes"] - before < 1000


def test_dlpack_refuses_what_it_cannot_show() -> None:
    with pytest.raises(BufferError, match="^Can't export tensors that require gradient"):
        torch.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(TypeError, match="^from_dlpack: expected an object with __dlpack__, got list"):
        torch.from_dlpack([1, 2])
    with pytest.raises(TypeError, match="^from_dlpack: there are no tensors of the DLPack type"):
        torch.from_dlpack(np.zeros(2, np.uint32))


def test_types_of_pytorch_that_do_not_exist_here_are_named() -> None:
    assert (
        str(torch.bfloat16) == "torch.bfloat16"
        and torch.half is torch.float16
        and torch.float16.itemsize == 2
    )
    assert torch.complex64.is_complex and not torch.uint16.is_signed and torch.float16.is_floating_point
    for use in (lambda: torch.zeros(2, dtype=torch.bfloat16), lambda: torch.ones(2).half()):
        with pytest.raises(TypeError, match="^there are no tensors of type torch.b?float16"):
            use()


def test_typed_constructors_check_the_type_of_tensors() -> None:
    x = torch.ones(2)
    assert torch.FloatTensor(x).data_ptr() == x.data_ptr() and torch.Tensor(x.long()).dtype is torch.int64
    with pytest.raises(TypeError, match="^expected TensorOptions"):
        torch.LongTensor(x)
    with pytest.raises(TypeError, match="^new\\(\\): argument 'size' failed to unpack the object at pos 2"):
        torch.FloatTensor(2, 3.5)
    with pytest.raises(RuntimeError, match="^Trying to create tensor with negative dimension -1"):
        torch.Tensor(-1)
    assert x.new(2, 3).shape == (2, 3) and x.double().new([1, 2]).dtype is torch.float64
    assert isinstance(torch.IntTensor([1]), torch.IntTensor) and torch.DoubleTensor.dtype is torch.float64


def test_random_fills_reach_every_element_of_any_layout() -> None:
    base = torch.full((6, 8), -1.0)
    base[::2, 1::3].uniform_(1, 2)
    filled = base >= 1
    expected = np.zeros((6, 8), bool)
    expected[::2, 1::3] = True
    assert filled.tolist() == expected.tolist()
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        torch.zeros(1).expand(4).normal_()


def test_gradient_of_overwritten_values_is_zero() -> None:
    for fill in ("normal_", "uniform_", "zero_", "exponential_", "random_"):
        x = torch.ones(3, requires_grad=True)
        y = x * 2
        getattr(y[:1], fill)()
        y.backward(torch.ones(3))
        assert x.grad.tolist() == [0, 2, 2], fill
    x, value = torch.ones(3, requires_grad=True), torch.tensor(4.0, requires_grad=True)
    y = x * 2
    y[1:].fill_(value)
    y.backward(torch.tensor([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [2, 0, 0] and value.grad.item() == 110


def test_dropout_scales_what_it_keeps() -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    y = torch.dropout(x, 0.25, True)
    assert set(y.tolist()) == {0.0, torch.tensor(1 / 0.75).item()} and 180 < y.tolist().count(0.0) < 320
    y.backward(torch.ones(1000))
    assert x.grad.tolist() == y.tolist()
    assert torch.dropout(x, 0.25, False) is x and torch.dropout(x, 1.0, True).tolist() == [0.0] * 1000
    channels = torch.feature_dropout(torch.ones(4, 5, 3), 0.5, True)
    assert all(row in ([0.0] * 3, [2.0] * 3) for image in channels.tolist() for row in image)
    with pytest.raises(RuntimeError, match="^dropout probability has to be between 0 and 1, but got 1.5"):
        torch.dropout(x, 1.5, True)


def test_generators_are_independent_and_repeatable() -> None:
    first, second = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    torch.manual_seed(5)
    a = torch.rand(3, generator=first)
    state = first.get_state()
    b = torch.rand(3, generator=first)
    assert torch.equal(torch.rand(6, generator=second), torch.tensor(a.tolist() + b.tolist()))
    assert torch.equal(torch.rand(3, generator=first.clone_state()), torch.rand(3, generator=second))
    first.set_state(state)
    assert torch.equal(torch.rand(3, generator=first), b)
    torch.manual_seed(5)
    assert torch.initial_seed() == 5 and first.initial_seed() == 1 and first.device == torch.device("cpu")
    with pytest.raises(TypeError, match="^argument 'generator' must be torch.Generator, not int"):
        torch.rand(2, generator=3)
