"""Methods of Tensor that compute nothing: sizes, conversions, memory formats, copies, names of old."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tapegrad as torch


def test_sizes_and_strides() -> None:
    x = torch.zeros(2, 3, 4)[:, 1:]
    assert x.size() == x.shape == (2, 2, 4) and x.size(-1) == x.size(dim=2) == 4 and x.size(0) == 2
    assert x.stride() == (12, 4, 1) and x.stride(0) == 12 and x.storage_offset() == 4
    assert x.dim() == x.ndimension() == x.ndim == 3 and x.numel() == x.nelement() == torch.numel(x) == 16
    assert x.element_size() == x.itemsize == 4 and x.nbytes == 64
    assert x.data_ptr() == x[0, 0].data_ptr() == x.untyped_storage().data_ptr() + 16
    assert not x.is_contiguous() and x.contiguous().is_contiguous() and x[0].is_contiguous()


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (
            lambda x: x.size(2),
            IndexError,
            r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)",
        ),
        (lambda x: x[0, 0].size(0), IndexError, "Dimension specified as 0 but tensor has no dimensions"),
        (lambda x: x.size("a"), TypeError, r"size\(\): argument 'dim' \(position 1\) must be int, not str"),
        (lambda x: x.size(0, 1), TypeError, r"size\(\) takes at most one argument"),
        (lambda x: x.item(), RuntimeError, "a Tensor with 6 elements cannot be converted to Scalar"),
        (lambda x: complex(x), ValueError, "only one element tensors can be converted to Python scalars"),
        (lambda x: x.to("cuda"), AssertionError, "Torch not compiled with CUDA enabled"),
        (
            lambda x: x.to(device=torch.device("cuda:0")),
            AssertionError,
            "Torch not compiled with CUDA enabled",
        ),
        (lambda x: x.to("foo"), RuntimeError, "Expected one of cpu"),
        (
            lambda x: x.to(3.5),
            TypeError,
            r"to\(\) received an invalid combination of arguments - got \(float\)",
        ),
        (lambda x: x.to(typo=1), TypeError, r"to\(\) got an unexpected keyword argument 'typo'"),
        (lambda x: x.type("foo"), ValueError, "invalid type: 'foo'"),
        (lambda x: x.type(3), TypeError, "dtype must be a type, str, or dtype object"),
        (lambda x: x.contiguous(memory_format=torch.channels_last), RuntimeError, "required rank 4 tensor"),
        (lambda x: "a" in x, RuntimeError, "Tensor.__contains__ only supports Tensor or scalar"),
        (lambda x: x.copy_(torch.ones(4)), RuntimeError, "The size of tensor a"),
        (lambda x: x.fill_(torch.ones(2)), RuntimeError, "fill_ only supports 0-dimension value tensor"),
    ],
)
def test_words_of_wrong_calls(action: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match="^" + words):
        action(torch.zeros(2, 3))


def test_to_takes_types_devices_and_tensors_in_any_spelling() -> None:
    x = torch.ones(2)
    for same in (
        x.to(),
        x.to("cpu"),
        x.to(torch.float32),
        x.to(x),
        x.to(device="cpu", dtype=torch.float32),
        x.to(None),
    ):
        assert same is x
    for other in (
        x.to(torch.float64),
        x.to("cpu", torch.float64),
        x.to(dtype=torch.float64),
        x.to(torch.float64, non_blocking=True),
        x.to(other=x.double()),
        x.to(torch.device("cpu"), torch.float64, False, True),
    ):
        assert other.dtype is torch.float64
    assert x.to(torch.float32, copy=True) is not x and x.to("cpu", torch.float32, False, True) is not x


def test_gradients_flow_through_conversions() -> None:
    x = torch.ones(2, requires_grad=True)
    (x.double() * 3).to(torch.float32).clone().contiguous().backward(torch.tensor([1.0, 2.0]))
    assert x.grad.tolist() == [3, 6] and x.grad.dtype is torch.float32
    assert not x.long().requires_grad and x.float() is x


def test_channels_last() -> None:
    x = torch.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    y = x.contiguous(memory_format=torch.channels_last)
    assert y.stride() == (60, 1, 15, 3) and y.tolist() == x.tolist()
    assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()
    assert y.contiguous(memory_format=torch.channels_last) is y and y.clone().stride() == y.stride()
    assert (
        x.to(memory_format=torch.channels_last).stride()
        == x.clone(memory_format=torch.channels_last).stride()
        == y.stride()
    )
    assert y.clone(memory_format=torch.contiguous_format).stride() == x.stride()
    assert not torch.ones(2).is_contiguous(memory_format=torch.channels_last)
    assert repr(torch.channels_last) == "torch.channels_last" and x.layout is torch.strided


def test_nested_lists_of_any_layout() -> None:
    x = torch.arange(24).reshape(2, 3, 4)
    array = np.arange(24).reshape(2, 3, 4)
    for index in ((), (0,), (slice(None), 1), (..., slice(None, None, 2))):
        assert x[index].tolist() == array[index].tolist()
    assert x.permute(2, 0, 1).tolist() == array.transpose(2, 0, 1).tolist() and torch.zeros(
        2, 0
    ).tolist() == [[], []]
    assert torch.tensor(True).tolist() is True


def test_comparisons_of_whole_tensors() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.equal(x, x.clone()) and x.equal(x.double()) and not torch.equal(x, x[0])
    assert torch.equal(x.t(), x.t().contiguous()) and not torch.equal(x, x.t())
    assert (
        torch.allclose(x, x + 1e-6)
        and not torch.allclose(x, x + 1e-3)
        and torch.allclose(x, x + 1e-3, atol=1e-2)
    )
    nan, inf = torch.tensor([float("nan")]), torch.tensor([float("inf"), -float("inf")])
    assert not torch.allclose(nan, nan) and torch.allclose(nan, nan, equal_nan=True)
    assert torch.isclose(inf, torch.tensor([float("inf"), float("inf")])).tolist() == [True, False]
    assert torch.isclose(x, torch.tensor(2.0)).tolist() == [[False, True], [False, False]]
    assert torch.isclose(torch.tensor([10, 11]), torch.tensor([10, 10])).tolist() == [True, False]
    with pytest.raises(RuntimeError, match="^Float did not match Double"):
        torch.allclose(x, x.double())


def test_promotion_functions() -> None:
    assert torch.promote_types(torch.int8, torch.uint8) is torch.int16
    assert torch.result_type(torch.ones(2), torch.tensor(1.0, dtype=torch.float64)) is torch.float32
    assert torch.result_type(torch.ones(2, dtype=torch.int32), 1.5) is torch.float32
    assert torch.can_cast(torch.int64, torch.float32) and not torch.can_cast(torch.float32, torch.int64)


@pytest.mark.parametrize("name", ["float32", "float64", "float16"])
def test_finfo_is_that_of_numpy(name: str) -> None:
    ours, theirs = torch.finfo(getattr(torch, name)), np.finfo(name)
    for fact in ("bits", "eps", "max", "min", "tiny"):
        assert getattr(ours, fact) == float(getattr(theirs, fact)), fact
    assert ours.resolution == pytest.approx(float(theirs.resolution), rel=1e-3)


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8"])
def test_iinfo_is_that_of_numpy(name: str) -> None:
    ours, theirs = torch.iinfo(getattr(torch, name)), np.iinfo(name)
    assert (ours.bits, ours.min, ours.max, ours.dtype) == (theirs.bits, theirs.min, theirs.max, name)


def test_finfo_and_iinfo_of_the_other_kind() -> None:
    assert repr(torch.finfo(torch.float32)).startswith(
        "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38,"
    )
    assert repr(torch.iinfo(torch.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
    with pytest.raises(TypeError, match=r"^torch.finfo\(\) requires a floating point input type"):
        torch.finfo(torch.int32)
    with pytest.raises(TypeError, match=r"^torch.iinfo\(\) requires an integer input type"):
        torch.iinfo(torch.float32)


def test_devices() -> None:
    assert torch.device("cpu") is torch.device("cpu") and torch.device(torch.device("cpu", 0)).index == 0
    gpu = torch.device("cuda:1")
    assert (str(gpu), repr(gpu), gpu.type, gpu.index) == ("cuda:1", "device(type='cuda', index=1)", "cuda", 1)
    assert gpu == torch.device("cuda", 1) != torch.device("cuda") and {gpu: 2}[torch.device("cuda", 1)] == 2
    assert torch.get_default_device() == torch.device("cpu") == torch.ones(1).device
    torch.set_default_device("cpu")
    with torch.device("cpu"):
        assert torch.zeros(1).is_cpu
    with pytest.raises(AssertionError, match="^Torch not compiled with CUDA enabled"):
        torch.set_default_device("cuda")
    with pytest.raises(AttributeError, match="is not writable"):
        gpu.index = 2
    with pytest.raises(RuntimeError, match="^Invalid device string: 'cpu:x'"):
        torch.device("cpu:x")


def test_namespaces_of_hardware_say_no() -> None:
    assert (
        not torch.cuda.is_available()
        and torch.cuda.device_count() == 0
        and not torch.backends.mps.is_available()
    )
    assert torch.version.cuda is None and torch.accelerator.current_accelerator() is None
    torch.cuda.manual_seed_all(1)
    torch.cuda.empty_cache()
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    with pytest.raises(AssertionError, match="^Torch not compiled with CUDA enabled"):
        torch.cuda.current_device()


def test_compilers_and_mixed_precision_change_nothing() -> None:
    def double(x: Any) -> Any:
        return x * 2

    assert torch.compile(double) is double and torch.compile(mode="default")(double) is double
    assert torch.jit.script(double) is double and torch.compiler.disable(double) is double
    with torch.amp.autocast("cuda", dtype=torch.float16), torch.autocast("cpu"):
        assert double(torch.ones(1)).dtype is torch.float32
    loss = torch.ones((), requires_grad=True)
    assert torch.cuda.amp.GradScaler().scale(loss) is loss


def test_configuration() -> None:
    assert f"version: {torch.__version__}" in torch.show_config() and "instruction_set" in torch.show_config()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    with pytest.raises(AttributeError, match="^module 'torch' has no attribute 'no_such_name'"):
        torch.no_such_name  # noqa: B018


def test_storages() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert (
        x.untyped_storage().nbytes() == 24
        and x[1].storage().size() == 6
        and list(x.storage()) == [0, 1, 2, 3, 4, 5]
    )
    assert x.untyped_storage().data_ptr() == x[1:].storage().data_ptr() and torch.is_storage(x.storage())
    assert repr(x[0, :2].clone().storage()).endswith(
        "[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 2]"
    )


def test_names_of_old() -> None:
    x = torch.tensor([1.0, 2.0])
    assert x.apply_(lambda value: value * 3).tolist() == [3, 6]
    assert x.map_(torch.tensor([1.0, 2.0]), lambda a, b: a + b).tolist() == [4, 8]
    assert x.cpu() is x.pin_memory() is x.share_memory_() is x and x.get_device() == -1
    assert torch.typename(x) == "torch.FloatTensor" and torch.is_tensor(x) and not torch.is_tensor([1])
    assert x.is_same_size(torch.zeros(2)) and x.is_set_to(x.view(2)) and not x.is_set_to(x[:1])
    assert torch.is_floating_point(x) and not torch.is_complex(x) and torch.is_nonzero(x[:1])
    assert not x._is_view() and x.view(2)._is_view() and x.new_tensor([1, 2]).dtype is torch.float32


class Named(torch.Tensor):
    """A subclass with an attribute."""

    name: str


def named() -> Named:
    x = torch.arange(3.0).as_subclass(Named)
    x.name = "n"
    return x


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), copy.copy])
def test_subclasses_and_attributes_survive_copies(duplicate: Any) -> None:
    made = duplicate(named())
    assert type(made) is Named and made.name == "n" and made.tolist() == [0, 1, 2]
    plain = torch.zeros(1)
    plain.tag = [1]
    assert duplicate(plain).tag == [1]


def test_deepcopy_copies_memory_once() -> None:
    weight = torch.arange(6.0, requires_grad=True)
    weight.grad = torch.ones(6)
    pair = {"weight": weight, "view": weight.detach()[2:4], "again": weight}
    made = copy.deepcopy(pair)
    assert made["weight"] is made["again"] is not weight and made["weight"].grad.tolist() == [1] * 6
    made["view"].fill_(-1)
    assert made["weight"].tolist() == [0, 1, -1, -1, 4, 5] and weight.tolist() == [0, 1, 2, 3, 4, 5]
    bits = weight.detach().view(torch.int32)
    both = copy.deepcopy([weight.detach(), bits])
    both[1].zero_()
    assert both[0].tolist() == [0] * 6


def test_pickle_takes_only_what_the_tensor_shows() -> None:
    big = torch.zeros(100_000)
    assert len(pickle.dumps(big[:10])) < 1000
    for x in (torch.zeros(0, 3), torch.tensor(2.5), big[::25_000], torch.arange(6).reshape(2, 3).t()):
        made = pickle.loads(pickle.dumps(x))
        assert made.shape == x.shape and made.dtype is x.dtype and torch.equal(made, x)


def test_writing_to_values_without_history() -> None:
    x = torch.ones(3, requires_grad=True)
    x.data.fill_(2)
    x.data[0] = 5
    assert x.tolist() == [5, 2, 2] and x.is_leaf and x.requires_grad
    with pytest.raises(
        RuntimeError, match="^a leaf Variable that requires grad is being used in an in-place operation"
    ):
        x.zero_()
    with torch.no_grad():
        x.zero_()
    assert x.tolist() == [0, 0, 0] and x._version == 1


def test_numpy_functions_accept_tensors() -> None:
    x = torch.tensor([1.0, 4.0])
    assert np.sqrt(x.numpy()).tolist() == [1, 2] and np.mean(x.numpy()) == 2.5
    assert np.array([x, x]).shape == (2, 2) and np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.concatenate([x, np.zeros(1)]).tolist() == [1, 4, 0]
    assert np.shares_memory(np.asarray(x), x.numpy()) and not np.shares_memory(np.array(x), x.numpy())
