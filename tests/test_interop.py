"""Data in and out: Python values, NumPy, buffers, pickle, copies, legacy constructors, named results."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as torch

NUMPY_DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("name", NUMPY_DTYPES)
def test_numpy_memory_is_shared_both_ways(name: str) -> None:
    array = np.ones((2, 3), name)
    tensor = torch.from_numpy(array)
    assert str(tensor.dtype) == f"torch.{name}" and tuple(tensor.shape) == (2, 3)
    array[0, 0] = 0
    assert tensor[0, 0].item() == 0
    tensor[1, 1] = 0
    assert array[1, 1] == 0
    back = tensor.numpy()
    assert back.dtype == array.dtype and back.__array_interface__["data"] == array.__array_interface__["data"]


def test_numpy_strides_are_kept() -> None:
    array = np.arange(24.0).reshape(4, 6)
    view = array[::2, 1::2].T
    tensor = torch.from_numpy(view)
    assert tensor.stride() == (2, 12) and tensor.tolist() == view.tolist()
    assert torch.from_numpy(array).t().numpy().strides == array.T.strides
    assert torch.arange(6.0).reshape(2, 3)[:, 1].numpy().tolist() == [1, 4]


def test_what_from_numpy_refuses() -> None:
    with pytest.raises(TypeError, match=r"^expected np.ndarray \(got list\)"):
        torch.from_numpy([1])
    with pytest.raises(TypeError, match=r"^can't convert np.ndarray of type numpy.str_\."):
        torch.from_numpy(np.array(["a"]))
    with pytest.raises(ValueError, match=r"^At least one stride in the given numpy array is negative"):
        torch.from_numpy(np.arange(3)[::-1])
    with pytest.raises(
        ValueError, match=r"^given numpy array has byte order different from the native byte order"
    ):
        torch.from_numpy(np.zeros(3, np.dtype(np.float32).newbyteorder()))


def test_read_only_array_warns() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="The given NumPy array is not writable"):
        torch.from_numpy(array)


def test_numpy_of_a_recorded_tensor_is_refused() -> None:
    x = torch.ones(2, requires_grad=True)
    words = r"^Can't call numpy\(\) on Tensor that requires grad. Use tensor.detach\(\).numpy\(\) instead."
    for action in (lambda: x.numpy(), lambda: (x * 2).numpy(), lambda: np.asarray(x)):
        with pytest.raises(RuntimeError, match=words):
            action()
    assert x.detach().numpy().tolist() == x.numpy(force=True).tolist() == [1, 1]


def test_array_protocol() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.array(x).dtype == np.float32 and np.array(x).tolist() == x.tolist()
    assert np.array(x, dtype=np.float64).dtype == np.float64
    copied = np.array(x)
    copied[0, 0] = 9
    assert x[0, 0].item() == 1
    assert np.sum(np.asarray(x)) == 10
    assert np.array([torch.tensor(1.0), torch.tensor(2.0)]).tolist() == [1, 2]
    assert np.allclose(x, [[1, 2], [3, 4]])


def test_numpy_scalars_mix_with_tensors() -> None:
    x = torch.ones(2)
    for scalar in (np.float64(2), np.float32(2), np.int64(2)):
        assert (x * scalar).dtype is torch.float32 and (x * scalar).tolist() == [2, 2]
        assert isinstance(scalar * x, torch.Tensor)
    assert torch.zeros(np.int64(2), np.int32(3)).shape == (2, 3)
    assert x[np.int64(1)].item() == 1 and x.reshape(np.int64(2), 1).shape == (2, 1)


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (1, "int64", ()),
        (1.0, "float32", ()),
        (True, "bool", ()),
        ([], "float32", (0,)),
        ([[]], "float32", (1, 0)),
        ([True, 2], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        ((1, (2)), "int64", (2,)),
        (range(3), "int64", (3,)),
        (np.float32(2), "float32", ()),
        (np.float64(2), "float64", ()),
        (np.int32(2), "int32", ()),
        (np.ones((2, 2)), "float64", (2, 2)),
        ([[1, 2], [3, 4]], "int64", (2, 2)),
        ([(1.0, 2.0), [3, 4]], "float32", (2, 2)),
    ],
    ids=repr,
)
def test_tensor_from_python_values(value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    tensor = torch.tensor(value)
    assert str(tensor.dtype) == f"torch.{dtype}" and tuple(tensor.shape) == shape
    assert tensor.tolist() == np.asarray(value).tolist()
    assert not tensor.requires_grad and tensor.is_leaf


def test_tensor_from_sequences_of_tensors_and_arrays() -> None:
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2)]).tolist() == [1, 2]
    assert torch.tensor(np.stack([np.ones(2), np.zeros(2)])).tolist() == [[1, 1], [0, 0]]
    with pytest.warns(UserWarning, match="Creating a tensor from a list of numpy.ndarrays is extremely slow"):
        assert torch.tensor([np.ones(2), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    with pytest.warns(UserWarning, match="To copy construct from a tensor, it is recommended to use"):
        assert torch.tensor(torch.ones(2)).tolist() == [1, 1]


def test_tensor_copies_and_as_tensor_shares() -> None:
    array = np.zeros(2)
    copied, shared = torch.tensor(array), torch.as_tensor(array)
    array[0] = 5
    assert copied.tolist() == [0, 0] and shared.tolist() == [5, 0]
    x = torch.ones(2)
    assert torch.as_tensor(x) is x and torch.as_tensor([1, 2.0]).dtype is torch.float32
    assert torch.as_tensor(array, dtype=torch.float32).tolist() == [5, 0]
    assert torch.asarray([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ([[1, 2], [3]], ValueError, "expected sequence of length 2 at dim 1 (got 1)"),
        ("abc", TypeError, "new(): invalid data type 'str'"),
        ([1, "a"], TypeError, "new(): invalid data type 'str'"),
        (None, RuntimeError, "Could not infer dtype of NoneType"),
        (2**63, (ValueError, RuntimeError, OverflowError), "Overflow when unpacking long"),
    ],
    ids=["ragged", "str", "mixed", "None", "huge"],
)
def test_what_tensor_refuses(value: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind) as caught:
        torch.tensor(value)
    assert str(caught.value).startswith(words)


def test_dtype_argument_converts() -> None:
    assert torch.tensor([1.7, -1.7], dtype=torch.int64).tolist() == [1, -1]
    assert torch.tensor([0, 2], dtype=torch.bool).tolist() == [False, True]
    assert torch.tensor([1, 2], dtype=torch.float64, requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match=r"^value cannot be converted to type uint8 without overflow"):
        torch.tensor([300], dtype=torch.uint8)


def test_to_python_numbers() -> None:
    assert torch.tensor(2.5).item() == 2.5 and isinstance(torch.tensor(2).item(), int)
    assert torch.tensor([[True]]).item() is True
    assert (
        int(torch.tensor([2.9])) == 2 and float(torch.tensor(3)) == 3.0 and bool(torch.tensor([0.0])) is False
    )
    assert math.sqrt(torch.tensor(9.0)) == 3.0 and round(float(torch.tensor(2.0)), 1) == 2.0
    assert list(range(torch.tensor(3))) == [0, 1, 2] and [10, 20][torch.tensor(1)] == 20
    assert f"{torch.tensor(1.23456):.2f}" == "1.23" and f"{torch.tensor(7):03d}" == "007"
    assert complex(torch.tensor(2.0)) == 2 + 0j


@pytest.mark.parametrize(
    ("action", "kind", "words"),
    [
        (lambda t: t.item(), RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar"),
        (float, ValueError, "only one element tensors can be converted to Python scalars"),
        (int, ValueError, "only one element tensors can be converted to Python scalars"),
        (bool, RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
        (lambda t: bool(t[:0]), RuntimeError, "Boolean value of Tensor with no values is ambiguous"),
        (range, TypeError, "only integer tensors of a single element can be converted to an index"),
        (lambda t: len(t[0]), TypeError, "len() of a 0-d tensor"),
        (lambda t: iter(t[0]), TypeError, "iteration over a 0-d tensor"),
        (lambda t: f"{t:.2f}", TypeError, "unsupported format string passed to Tensor.__format__"),
        (lambda t: t + None, TypeError, "unsupported operand type(s) for +: 'Tensor' and 'NoneType'"),
        (lambda t: t + "a", TypeError, "unsupported operand type(s) for +: 'Tensor' and 'str'"),
        (lambda t: t.no_such_name, AttributeError, "'Tensor' object has no attribute 'no_such_name'"),
        (
            lambda t: torch.zeros("a"),
            TypeError,
            "zeros(): argument 'size' (position 1) must be tuple of ints, not str",
        ),
        (
            lambda t: t.sum(dims=0),
            TypeError,
            "sum() received an invalid combination of arguments - got (dims=int, )",
        ),
        (
            lambda t: torch.add(t),
            TypeError,
            "add() received an invalid combination of arguments - got (Tensor), but expected (Tensor",
        ),
        (lambda t: t.add(t, t), TypeError, "add() takes 1 positional argument but 2 were given"),
        (lambda t: torch.max(1), TypeError, "max(): argument 'input' (position 1) must be Tensor, not int"),
        (lambda t: t.sum(0, True, 3), TypeError, "sum() takes from 1 to 2 positional arguments but 3 were"),
        (
            lambda t: torch.randint(0, 10),
            TypeError,
            "randint(): argument 'size' (position 2) must be tuple of ints, not int",
        ),
        (lambda t: torch.full(2, 3), TypeError, "full(): argument 'size' (position 1) must be tuple of ints"),
        (lambda t: torch.sum(t, 0, foo=1), TypeError, "sum() got an unexpected keyword argument 'foo'"),
        (
            lambda t: t.reshape("a"),
            TypeError,
            "reshape(): argument 'shape' (position 1) must be tuple of ints, not str",
        ),
    ],
)
def test_words_of_misuse(action: Callable[[Any], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        action(torch.tensor([1.0, 2.0]))
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("index", "kind", "words"),
    [
        (5, IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
        ((0, 0), IndexError, "too many indices for tensor of dimension 1"),
        (
            1.5,
            IndexError,
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
            "indices",
        ),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        ([7], IndexError, "index 7 is out of bounds for dimension 0 with size 3"),
        (
            [True, False],
            IndexError,
            "The shape of the mask [2] at index 0 does not match the shape of the indexed tensor [3]",
        ),
        (np.array([1.5]), IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
    ],
    ids=repr,
)
def test_words_of_index_errors(index: Any, kind: type[Exception], words: str) -> None:
    if isinstance(index, np.ndarray):
        index = torch.tensor(index)
    with pytest.raises(kind) as caught:
        torch.ones(3)[index]
    assert str(caught.value).startswith(words)
    with pytest.raises(IndexError, match=r"^invalid index of a 0-dim tensor."):
        torch.tensor(1.0)[0]


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, range], ids=lambda kind: kind.__name__)
def test_kinds_of_index(kind: Any) -> None:
    x = torch.arange(12).reshape(4, 3)
    rows = kind(3) if kind is range else kind([0, 1, 2])
    columns = torch.tensor([2, 0, 1])
    assert x[rows, columns].tolist() == [2, 3, 7]
    x[rows, columns] = 0
    assert x[0, 2] == x[1, 0] == x[2, 1] == 0
    if kind is not tuple:
        assert x[rows].shape == (3, 3)


def test_python_protocols() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == x.tolist()
    first, second = x
    assert second.tolist() == [3, 4] and first.data_ptr() == x.data_ptr()
    assert sum([x, x]).tolist() == (x + x).tolist() and sum(x).tolist() == [4, 6]
    assert 3.0 in x and 9.0 not in x
    assert hash(x) == hash(x) and x in {x} and {x: 1}[x] == 1
    assert (x == None) is False  # noqa: E711
    assert max(x.flatten()).item() == 4 and sorted(torch.tensor([3, 1, 2]))[0].item() == 1
    assert list(reversed(torch.arange(3)))[0].item() == 2


def test_pickle_and_copies() -> None:
    x = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    for made in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert made.tolist() == x.tolist() and made.requires_grad and made.is_leaf
        assert made.data_ptr() != x.data_ptr() and made.dtype is x.dtype and made.stride() == x.stride()
    x.grad = torch.ones(3, 2)
    assert copy.deepcopy(x).grad.tolist() == x.grad.tolist() and copy.deepcopy(x).grad is not x.grad
    shallow = copy.copy(x)
    assert shallow.data_ptr() == x.data_ptr() and shallow is not x
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(RuntimeError, match=r"^Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
    for value in (torch.float32, torch.Size([2, 3]), torch.device("cpu")):
        assert pickle.loads(pickle.dumps(value)) == value and copy.deepcopy(value) == value


def test_aliases_stay_aliases_in_deepcopy() -> None:
    x = torch.zeros(4)
    base, view = copy.deepcopy((x, x[1:3]))
    view.fill_(1)
    assert base.tolist() == [0, 1, 1, 0]


def test_size_is_a_tuple() -> None:
    size = torch.ones(2, 3).shape
    assert isinstance(size, torch.Size) and isinstance(size, tuple) and size == (2, 3)
    assert repr(size) == str(size) == "torch.Size([2, 3])" and size.numel() == 6
    assert repr(size[1:]) == "torch.Size([3])" and repr(size + (4,)) == "torch.Size([2, 3, 4])"
    assert size[0] == 2 and [*size] == [2, 3] and torch.Size([2]) * 2 == (2, 2)
    x = torch.ones(2, 3)
    assert x.size() == size and x.size(-1) == 3 and x.dim() == x.ndim == 2 and x.numel() == x.nelement() == 6


def test_dtype_objects() -> None:
    assert repr(torch.float32) == str(torch.float32) == "torch.float32" and torch.float is torch.float32
    assert torch.double is torch.float64 and torch.long is torch.int64 and torch.int is torch.int32
    assert (
        torch.float32.is_floating_point and not torch.int64.is_floating_point and torch.float64.itemsize == 8
    )
    assert {torch.float32: 1}[torch.ones(1).dtype] == 1
    assert torch.iinfo(torch.int8).max == 127 and torch.finfo(torch.float32).eps == 2.0**-23
    assert torch.ones(1).is_floating_point() and torch.ones(1).element_size() == 4


def test_device_objects() -> None:
    cpu = torch.device("cpu")
    assert repr(cpu) == "device(type='cpu')" and str(cpu) == "cpu" and cpu.type == "cpu" and cpu.index is None
    x = torch.ones(2, device=cpu)
    assert x.device == cpu == torch.device("cpu") and x.to("cpu") is x and x.cpu() is x
    assert not torch.cuda.is_available() and not x.is_cuda
    with pytest.raises(AssertionError, match=r"^Torch not compiled with CUDA enabled"):
        x.cuda()
    with pytest.raises(RuntimeError, match=r"^Expected one of cpu"):
        torch.device("foo")


def test_conversions() -> None:
    x = torch.tensor([1.7, -0.3, 0.0])
    assert x.long().tolist() == [1, 0, 0] and x.bool().tolist() == [True, True, False]
    assert x.double().dtype is torch.float64 and x.float() is x and x.to(torch.float32) is x
    assert x.int().dtype is torch.int32 and x.to(torch.int16).dtype is torch.int16
    other = torch.zeros(1, dtype=torch.float64)
    assert x.to(other).dtype is torch.float64 and x.type_as(other).dtype is torch.float64
    assert x.to(torch.float32, copy=True) is not x
    assert x.to("cpu", torch.float64).dtype is torch.float64


def test_legacy_types() -> None:
    x = torch.ones(2)
    assert x.type() == "torch.FloatTensor" and x.long().type() == "torch.LongTensor"
    assert x.type("torch.LongTensor").dtype is torch.int64 and x.type(torch.int32).dtype is torch.int32
    assert x.type(torch.DoubleTensor).dtype is torch.float64
    assert isinstance(x, torch.FloatTensor) and not isinstance(x, torch.LongTensor)
    with pytest.raises(ValueError, match=r"^invalid type: 'foo'"):
        x.type("foo")


def test_legacy_constructors() -> None:
    assert (
        torch.FloatTensor(2, 3).shape == (2, 3)
        and torch.Tensor(4).shape == (4,)
        and torch.Tensor().shape == (0,)
    )
    assert torch.FloatTensor([1, 2]).tolist() == [1.0, 2.0] and torch.Tensor([1, 2]).dtype is torch.float32
    assert torch.LongTensor([1, 2]).dtype is torch.int64 and torch.ByteTensor([1]).dtype is torch.uint8
    assert torch.DoubleTensor(np.ones(2)).tolist() == [1, 1] and torch.BoolTensor([1, 0]).tolist() == [
        True,
        False,
    ]
    assert torch.IntTensor([[1], [2]]).shape == (2, 1) and torch.Tensor(torch.Size([2, 3])).shape == (2, 3)
    assert torch.Tensor((2, 3)).tolist() == [2, 3]
    with pytest.raises(TypeError, match=r"^new\(\): data must be a sequence \(got float\)"):
        torch.Tensor(2.5)


def test_variable_is_a_tensor() -> None:
    from tapegrad.autograd import Variable

    x = Variable(torch.ones(2), requires_grad=True)
    assert type(x) is torch.Tensor and x.requires_grad and isinstance(torch.ones(1), Variable)
    assert not Variable(torch.ones(2)).requires_grad


def test_named_results() -> None:
    x = torch.tensor([[1.0, 5.0], [7.0, 2.0]])
    found = x.max(1)
    assert found.values.tolist() == found[0].tolist() == [5, 7] and found.indices.tolist() == [1, 0]
    values, indices = torch.min(x, dim=0)
    assert values.tolist() == [1, 2] and indices.tolist() == [0, 1]
    assert type(found).__name__ == "max" and repr(found).startswith(
        "torch.return_types.max(\nvalues=tensor([5., 7.]),"
    )
    assert x.sort().values.tolist() == [[1, 5], [2, 7]] and x.topk(1).indices.tolist() == [[1], [0]]
    assert isinstance(found, tuple)


def test_spellings_of_numpy() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum(axis=0).tolist() == [4, 6] and x.mean(axis=1, keepdims=True).shape == (2, 1)
    assert x.argmax(axis=1).tolist() == [1, 1] and torch.cat([x, x], axis=1).shape == (2, 4)
    assert x.sum(axis=(0, 1)).item() == 10 and torch.stack((x, x), axis=-1).shape == (2, 2, 2)


def test_creation_takes_the_usual_arguments() -> None:
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True, device="cpu")
    assert x.requires_grad and x.dtype is torch.float64
    assert torch.ones((2,), dtype=torch.int64).tolist() == [1, 1] and torch.full((2,), 7).dtype is torch.int64
    assert torch.empty(0).tolist() == [] and torch.eye(2).tolist() == [[1, 0], [0, 1]]
    assert torch.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75] and torch.arange(3).dtype is torch.int64
    assert torch.zeros_like(x).dtype is torch.float64 and not torch.zeros_like(x).requires_grad
    assert x.new_ones(2).dtype is torch.float64 and x.new_tensor([1, 2]).tolist() == [1, 2]
    assert torch.linspace(0, 1, 3).tolist() == [0, 0.5, 1]


def test_random_numbers_repeat_with_their_seed() -> None:
    torch.manual_seed(3)
    first = torch.randn(5), torch.rand(5), torch.randint(10, (5,)), torch.randperm(5)
    torch.manual_seed(3)
    again = torch.randn(5), torch.rand(5), torch.randint(10, (5,)), torch.randperm(5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(torch.randn(5, generator=generator), first[0])
    assert sorted(torch.randperm(100).tolist()) == list(range(100))


def test_buffer_of_a_tensor_is_zero_copy() -> None:
    x = torch.arange(3.0)
    view = memoryview(x)
    assert view.format == "f" and view.shape == (3,) and not view.readonly
    view[0] = 8.0
    assert x[0].item() == 8 and memoryview(x[::2]).strides == (8,)
    assert torch.frombuffer(bytearray(b"\x01\x02"), dtype=torch.uint8).tolist() == [1, 2]


def test_old_orders_of_arguments_still_work() -> None:
    x, y = torch.ones(2), torch.full((2,), 3.0)
    with pytest.warns(UserWarning, match=r"^This overload of add_ is deprecated"):
        x.add_(0.5, y)
    assert x.tolist() == [2.5, 2.5]
    with pytest.warns(UserWarning, match=r"^This overload of addcdiv is deprecated"):
        assert torch.addcdiv(x, 2, y, y).tolist() == [4.5, 4.5]
    with pytest.warns(UserWarning, match=r"^This overload of sub is deprecated"):
        assert y.sub(2, x).tolist() == [-2, -2]


def test_number_as_the_first_operand() -> None:
    whole, real = torch.tensor([1, 2]), torch.tensor([1.0, 2.0])
    assert torch.add(1, whole, alpha=2).tolist() == [3, 5] and torch.add(1.5, whole).dtype == torch.float32
    assert torch.sub(1, real).tolist() == [0, -1] and torch.mul(2, whole).tolist() == [2, 4]
    assert torch.div(2, whole).tolist() == [2, 1] and torch.floor_divide(5, whole).tolist() == [5, 2]
    assert torch.bitwise_or(4, whole).tolist() == [5, 6] and torch.add(1, 2).item() == 3
    with pytest.raises(TypeError):
        torch.eq(1, whole)


def test_meshgrid_asks_for_the_indexing() -> None:
    with pytest.warns(UserWarning, match=r"^torch.meshgrid: in an upcoming release, it will be required"):
        rows, columns = torch.meshgrid(torch.arange(2), torch.arange(3))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]] and columns.shape == (2, 3)


def test_tensors_that_require_grad_keep_their_memory() -> None:
    leaf = torch.ones(3, requires_grad=True)
    for change in (lambda x: x.resize_(2), lambda x: (x * 2).resize_(2)):
        with pytest.raises(RuntimeError, match=r"^cannot resize variables that require grad"):
            change(leaf)
    with pytest.raises(
        RuntimeError, match=r"^a leaf Variable that requires grad is being used in an in-place"
    ):
        leaf.set_(torch.ones(2))
    with pytest.raises(
        RuntimeError, match=r"^Could not set tensor of type long int to a tensor of type float"
    ):
        torch.ones(2).set_(torch.ones(2, dtype=torch.int64))
    free = torch.ones(3)
    assert free.resize_as_(torch.ones(2, 2)).shape == (2, 2) and free.set_().numel() == 0
    assert free.set_(torch.arange(2.0)).tolist() == [0, 1] and free.copy_(7).tolist() == [7, 7]


def test_square_of_bool_counts() -> None:
    truth = torch.tensor([True, False])
    assert torch.square(truth).dtype == torch.int64 and truth.square().tolist() == [1, 0]
    with pytest.raises(RuntimeError, match=r"^result type Long can't be cast"):
        truth.square_()
