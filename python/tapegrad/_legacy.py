"""The typed constructors of old: ``FloatTensor(2, 3)``, ``LongTensor([1])``, ``isinstance(x, IntTensor)``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import _C


class _TypedTensorMeta(type):
    dtype: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> _C.Tensor:
        return _C._legacy_new(args, kwargs, cls.dtype)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _C.Tensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


_DTYPES = {
    "FloatTensor": _C.float32,
    "DoubleTensor": _C.float64,
    "LongTensor": _C.int64,
    "IntTensor": _C.int32,
    "ShortTensor": _C.int16,
    "CharTensor": _C.int8,
    "ByteTensor": _C.uint8,
    "BoolTensor": _C.bool,
}
_CLASSES = {
    name: _TypedTensorMeta(
        name, (), {"dtype": dtype, "__module__": "tapegrad", "is_cuda": False, "is_sparse": False}
    )
    for name, dtype in _DTYPES.items()
}
_NAMES = {dtype: f"torch.{name}" for name, dtype in _DTYPES.items()}

FloatTensor = _CLASSES["FloatTensor"]
DoubleTensor = _CLASSES["DoubleTensor"]
LongTensor = _CLASSES["LongTensor"]
IntTensor = _CLASSES["IntTensor"]
ShortTensor = _CLASSES["ShortTensor"]
CharTensor = _CLASSES["CharTensor"]
ByteTensor = _CLASSES["ByteTensor"]
BoolTensor = _CLASSES["BoolTensor"]


def type_name(dtype: Any) -> str:
    """``"torch.FloatTensor"`` for float32."""
    return _NAMES[dtype]


def dtype_of(kind: Any) -> Any:
    """The dtype that a dtype, a typed constructor or its name stands for."""
    if isinstance(kind, _C.dtype):
        return kind
    if isinstance(kind, _TypedTensorMeta):
        return kind.dtype
    if kind is _C.Tensor or kind == "torch.Tensor":
        return _C.get_default_dtype()
    if isinstance(kind, str):
        prefix, _, name = kind.rpartition(".")
        if prefix == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if prefix == "torch.cuda" and name in _DTYPES:
            raise AssertionError("Torch not compiled with CUDA enabled: tapegrad runs on the CPU only")
        raise ValueError(f"invalid type: '{kind}'")
    if isinstance(kind, type):
        raise ValueError(f"invalid type: '{_qualified_name(kind)}'")
    raise TypeError("dtype must be a type, str, or dtype object")


def _qualified_name(kind: type) -> str:
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__


def typename(obj: Any) -> str:
    """The name of a tensor's type, of a class, or of the class of another object."""
    if isinstance(obj, _C.Tensor):
        return type_name(obj.dtype)
    if isinstance(obj, ModuleType):
        return obj.__name__
    return _qualified_name(obj if isinstance(obj, type) else type(obj))


def set_default_tensor_type(t: Any) -> None:
    """Sets the default dtype by the name or class of a typed constructor."""
    _C.set_default_dtype(dtype_of(t))
