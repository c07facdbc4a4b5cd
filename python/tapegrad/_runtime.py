"""Functions about the library as a whole: its configuration, compile, determinism."""

from __future__ import annotations

from typing import Any

from . import _C


def show_config() -> str:
    """Version, compiler, BLAS, instruction set and number of threads, as text."""
    return "\n".join(
        f"{key}: {value}" for key, value in {"version": _C.__version__, **_C._build_info()}.items()
    )


def compile(model: Any = None, **kwargs: Any) -> Any:
    """The module or function itself; also a decorator."""
    return model if model is not None else compile


_deterministic = False
_precision = "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered only: every operation is deterministic."""
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was last called with."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Remembered only: matrix products of float32 compute in float32."""
    global _precision
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision} is not one of 'highest', 'high', or 'medium'.")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was last called with."""
    return _precision


def get_num_interop_threads() -> int:
    """1: operations do not run beside each other."""
    return 1


def set_num_interop_threads(num: int) -> None:
    """Without effect: operations do not run beside each other."""


def set_flush_denormal(mode: bool) -> bool:
    """False: denormal numbers are always kept."""
    return False


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """False: autocast has no effect."""
    return False


def _assert(condition: Any, message: str) -> None:
    """``assert condition, message``."""
    assert condition, message
