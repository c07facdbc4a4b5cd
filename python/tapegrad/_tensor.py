"""Methods of Tensor that are written in Python: printing, pickling, copying and the names of old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import _C, _dtypes, _legacy
from ._C import Tensor


def _method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the method `name` of Tensor."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__name__, function.__qualname__ = name, f"Tensor.{name}"
        setattr(Tensor, name, function)
        return function

    return add


@_method("__repr__")
def _repr(self: Tensor, *, tensor_contents: str | None = None) -> str:
    from ._tensor_str import tensor_str  # imports NumPy

    return tensor_str(self)


@_method("__format__")
def _format(self: Tensor, spec: str) -> str:
    from ._tensor_str import tensor_format

    return tensor_format(self, spec)


@_method("__contains__")
def _contains(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float)):
        found: Any = element == self
        return bool(found.any().item())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
    )


@_method("__reversed__")
def _reversed(self: Tensor) -> Tensor:
    return self if self.dim() == 0 else self.flip(0)


@_method("__complex__")
def _complex(self: Tensor) -> complex:
    return complex(float(self))


@_method("__dir__")
def _dir(self: Tensor) -> list[str]:
    return sorted({*dir(type(self)), *self.__dict__})


@_method("__array_wrap__")
def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    if array.dtype == bool:
        array = array.astype("uint8")
    return _C.tensor(array)


# Copies


def _storage_key(tensor: Tensor) -> tuple[str, int]:
    return ("storage", _C._storage_bytes(tensor).data_ptr())


@_method("__deepcopy__")
def _deepcopy(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment. Copy tensor.detach() instead, or call clone(), which gradients flow through."
        )
    if id(self) in memo:
        return memo[id(self)]
    from copy import deepcopy

    # Tensors that share memory share the memory of their copies.
    key = _storage_key(self)
    if key not in memo:
        memo[key] = _C._storage_bytes(self).clone()
    copied = _C._rebuild(memo[key], self.dtype, self.storage_offset(), self.shape, self.stride())
    if type(self) is Tensor:
        copied.requires_grad_(self.requires_grad)
    else:
        copied = _C._make_subclass(type(self), copied, self.requires_grad)
    memo[id(self)] = copied
    if self.grad is not None:
        copied.grad = deepcopy(self.grad, memo)
    if self.__dict__:
        copied.__dict__.update(deepcopy(self.__dict__, memo))
    return copied


@_method("__copy__")
def _copy(self: Tensor) -> Tensor:
    copied = self.detach()
    if type(self) is Tensor:
        copied.requires_grad_(self.is_leaf and self.requires_grad)
    else:
        copied = _C._make_subclass(type(self), copied, self.requires_grad)
    copied.__dict__.update(self.__dict__)
    return copied


def _rebuild_tensor(
    data: bytes,
    dtype: Any,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
) -> Tensor:
    """A tensor from the bytes that __reduce_ex__ saved."""
    memory = _C.frombuffer(bytearray(data), dtype=_C.uint8) if data else _C.empty(0, dtype=_C.uint8)
    return _C._rebuild(memory, dtype, 0, shape, stride).requires_grad_(requires_grad)


def _rebuild_subclass(cls: type[Tensor], requires_grad: bool, *saved: Any) -> Tensor:
    return _C._make_subclass(cls, _rebuild_tensor(*saved), requires_grad)


@_method("__reduce_ex__")
def _reduce_ex(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    state = dict(self.__dict__) or None
    if type(self) is not Tensor:
        saved = _reduce_ex(self.detach().as_subclass(Tensor), protocol)[1]
        return _rebuild_subclass, (type(self), self.requires_grad, *saved), state
    if self.requires_grad and not self.is_leaf:
        # Only the values: the graph cannot be pickled.
        return _reduce_ex(self.detach().requires_grad_(), protocol)
    dense = self.detach().clone()  # without what else is in the storage
    data = memoryview(_C._storage_bytes(dense)).tobytes()
    args = (data, self.dtype, tuple(self.shape), dense.stride(), self.requires_grad)
    return (_rebuild_tensor, args) if state is None else (_rebuild_tensor, args, state)


@_method("where")
def _where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The tensor's own elements where `condition` holds, those of `other` elsewhere."""
    return _C.where(condition, self, other)


@_method("conj")
def _conj(self: Tensor) -> Tensor:
    """The tensor itself: there are no complex types."""
    return self


@_method("positive")
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input.dtype == _C.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@_method("as_subclass")
def _as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """The tensor as an instance of another class, sharing memory; gradients flow through."""
    return _C._as_subclass(self, cls)


# Conversions and devices


@_method("type")
def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """Without arguments the type's name, ``"torch.FloatTensor"``; else the tensor converted to another."""
    if dtype is None:
        return _legacy.type_name(self.dtype)
    return self.to(_legacy.dtype_of(dtype))


@_method("new")
def _new(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """A tensor of the same type from sizes or data, as the typed constructors make it."""
    return _C._legacy_new(args, kwargs, self.dtype)


@_method("cuda")
def _cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """There is no GPU support: always an error."""
    raise AssertionError("Torch not compiled with CUDA enabled: tapegrad runs on the CPU only, drop .cuda()")


@_method("get_device")
def _get_device(self: Tensor) -> int:
    """-1: the CPU has no number."""
    return -1


@_method("half")
def _half(self: Tensor, memory_format: Any = None) -> Tensor:
    """There are no 16-bit floating-point tensors: always an error."""
    return self.to(_C.float16)


@_method("bfloat16")
def _bfloat16(self: Tensor, memory_format: Any = None) -> Tensor:
    """There are no 16-bit floating-point tensors: always an error."""
    return self.to(_C.bfloat16)


@_method("share_memory_")
def _share_memory(self: Tensor) -> Tensor:
    """The tensor itself; memory is shared with threads and with forked processes until either writes."""
    return self


@_method("pin_memory")
def _pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """The tensor itself: pinned memory only serves GPUs."""
    return self


@_method("is_nonzero")
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero."""
    return bool(input)


# Memory


class UntypedStorage:
    """The memory behind tensors, as far as programs ask for it: address, size, bytes."""

    def __init__(self, tensor: Tensor) -> None:
        self._bytes = _C._storage_bytes(tensor)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._bytes.data_ptr()

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._bytes.numel()

    size = __len__ = nbytes

    def __getitem__(self, index: int) -> int:
        return self._bytes[index].item()

    def tolist(self) -> list[int]:
        """The bytes as integers."""
        return self._bytes.tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())


class TypedStorage(UntypedStorage):
    """The memory behind a tensor, seen as elements of the tensor's type."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        self.dtype = tensor.dtype
        count = self._bytes.numel() // tensor.element_size()
        self._elements = _C._rebuild(self._bytes, tensor.dtype, 0, (count,), (1,))

    def size(self) -> int:
        """The number of elements."""
        return self._elements.numel()

    __len__ = size

    def __getitem__(self, index: int) -> Any:
        return self._elements[index].item()

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return self._elements.tolist()

    def __repr__(self) -> str:
        lines = "".join(f" {value}\n" for value in self.tolist())
        return f"{lines}[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size {self.size()}]"


@_method("untyped_storage")
def _untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor views."""
    return UntypedStorage(self)


@_method("storage")
def _storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor views, as elements of its type."""
    return TypedStorage(self)


@_method("apply_")
def _apply(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces each element by callable(element); slow, for small tensors."""
    values = [callable(value) for value in self.detach().reshape(-1).tolist()]
    return self.copy_(_C.tensor(values, dtype=self.dtype).reshape(self.shape))


@_method("map_")
def _map(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces each element by callable(element, other element); slow, for small tensors."""
    pairs = zip(self.detach().reshape(-1).tolist(), tensor.expand_as(self).reshape(-1).tolist(), strict=True)
    values = [callable(a, b) for a, b in pairs]
    return self.copy_(_C.tensor(values, dtype=self.dtype).reshape(self.shape))


def is_tensor(obj: Any) -> bool:
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Whether an object is the memory of a tensor."""
    return isinstance(obj, UntypedStorage)


def _need_tensor(function: str, input: Any) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{function}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )


def is_floating_point(input: Tensor) -> bool:
    """Whether a tensor has a floating-point type."""
    _need_tensor("is_floating_point", input)
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """False: there are no complex types."""
    _need_tensor("is_complex", input)
    return input.is_complex()


def is_inference(input: Tensor) -> bool:
    """Whether a tensor was made in inference mode."""
    return input.is_inference()


def numel(input: Tensor) -> int:
    """The number of elements of a tensor."""
    _need_tensor("numel", input)
    return input.numel()


Tensor._make_subclass = staticmethod(_C._make_subclass)
Tensor.layout = _dtypes.strided
