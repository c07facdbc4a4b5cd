"""Devices: `device("cpu")` and names of devices that do not exist here, which programs compare and print."""

from __future__ import annotations

from typing import Any

from . import _C

_KNOWN = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla",
    "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


_made: dict[Any, device] = {}


class device:
    """Where a tensor's memory is. Only ``device("cpu")`` can hold tensors; the others can be named."""

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __new__(cls, type: Any = None, index: int | None = None) -> device:
        if index is None and type in _made:
            return _made[type]
        if isinstance(type, device):
            return type
        if isinstance(type, int):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        if not type:
            raise RuntimeError("Device string must not be empty")
        name, colon, number = type.partition(":")
        if name not in _KNOWN:
            raise RuntimeError(
                f"Expected one of {', '.join(_KNOWN)} device type at start of device string: {name}; "
                "tapegrad computes on device 'cpu'"
            )
        if colon:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        self = object.__new__(cls)
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", index)
        if not colon and index is None:
            _made[name] = self
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')"
            if self.index is None
            else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        _need_cpu(self)
        return self

    def __exit__(self, *exception: object) -> None:
        return None


_cpu = device("cpu")
_C._set_cpu_device(_cpu)


def _need_cpu(where: Any) -> None:
    if device(where).type != "cpu":
        raise AssertionError(
            f"Torch not compiled with {device(where).type.upper()} enabled: tapegrad runs on the CPU only"
        )


def get_default_device() -> device:
    """``device("cpu")``."""
    return _cpu


def set_default_device(device: Any) -> None:
    """Accepts the CPU; any other device is refused."""
    if device is not None:
        _need_cpu(device)
