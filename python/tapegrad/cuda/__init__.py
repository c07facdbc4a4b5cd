"""There is no GPU: questions are answered so, hints ignored, and what needs a GPU raises PyTorch's error."""

from __future__ import annotations

import contextlib
from typing import Any, NoReturn

from . import amp as amp

_MESSAGE = "Torch not compiled with CUDA enabled: tapegrad runs on the CPU only"


def is_available() -> bool:
    """False."""
    return False


is_initialized = is_bf16_supported = is_available


def device_count() -> int:
    """0."""
    return 0


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise AssertionError(_MESSAGE)


current_device = get_device_name = get_device_properties = get_device_capability = _refuse
get_rng_state = set_rng_state = current_stream = default_stream = mem_get_info = _refuse


def _ignore(*args: Any, **kwargs: Any) -> None:
    return None


# Seeds and clean-up that programs do whether or not there is a GPU.
manual_seed = manual_seed_all = seed = seed_all = set_rng_state_all = _ignore
synchronize = empty_cache = ipc_collect = reset_peak_memory_stats = reset_max_memory_allocated = (
    set_device
) = _ignore


def get_rng_state_all() -> list[Any]:
    """An empty list."""
    return []


def memory_allocated(device: Any = None) -> int:
    """0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def device(device: Any) -> contextlib.AbstractContextManager[None]:
    """A context manager that does nothing."""
    return contextlib.nullcontext()


stream = device_of = device


class Stream:
    """Cannot be made: there is no GPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()


class Event(Stream):
    """Cannot be made: there is no GPU."""
