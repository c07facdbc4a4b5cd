"""Facts about element types and memory layouts: finfo, iinfo, memory formats."""

from __future__ import annotations

from typing import Any

from . import _C


class finfo:
    """Limits of a floating-point type: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, dtype: Any = None) -> None:
        dtype = _C.get_default_dtype() if dtype is None else _OF_PYTHON.get(dtype, dtype)
        if not dtype.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{dtype}'"
            )
        digits, exponent = _FLOATING[str(dtype)]
        self.bits = dtype.itemsize * 8
        self.eps = 2.0 ** (1 - digits)
        self.max = (2.0 - self.eps) * 2.0 ** (exponent - 1)
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (2 - exponent)
        self.resolution = 10.0 ** -int((digits - 1) * 0.30102999566398120)
        self.dtype = str(dtype).removeprefix("torch.")

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in names)
        return f"finfo({values}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    __hash__ = object.__hash__


_OF_PYTHON = {float: _C.float64, int: _C.int64, bool: _C.bool}

# Binary digits of the significand, and one more than the largest exponent.
_FLOATING = {
    "torch.float32": (24, 128),
    "torch.float64": (53, 1024),
    "torch.float16": (11, 16),
    "torch.bfloat16": (8, 128),
}


class iinfo:
    """Limits of an integer type: bits, min, max."""

    def __init__(self, dtype: Any) -> None:
        dtype = _OF_PYTHON.get(dtype, dtype)
        if dtype.is_floating_point or dtype.is_complex:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{dtype}'"
            )
        if str(dtype) == "torch.bool":
            raise TypeError("torch.bool is not supported by torch.iinfo")
        self.bits = dtype.itemsize * 8
        self.min = -(2 ** (self.bits - 1)) if dtype.is_signed else 0
        self.max = 2 ** (self.bits - dtype.is_signed) - 1
        self.dtype = str(dtype).removeprefix("torch.")

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    __hash__ = object.__hash__


class _Named:
    """A constant that prints as ``torch.<name>``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class layout(_Named):
    """How elements are laid out; ``torch.strided`` is the only layout of tensors here."""


class memory_format(_Named):
    """An order of dimensions in memory."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
