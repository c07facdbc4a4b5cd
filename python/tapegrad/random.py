"""The default generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import _C

_default = _C.default_generator


def manual_seed(seed: Any) -> _C.Generator:
    """Starts the default generator's stream of a seed, so that random numbers can be repeated."""
    return _default.manual_seed(seed)


def seed() -> int:
    """Seeds the default generator from the operating system's entropy and returns the seed."""
    return _default.seed()


def initial_seed() -> int:
    """The last seed of the default generator."""
    return _default.initial_seed()


def get_rng_state() -> _C.Tensor:
    """The state of the default generator as a uint8 tensor."""
    return _default.get_state()


def set_rng_state(new_state: _C.Tensor) -> None:
    """Continues the default generator from a saved state."""
    _default.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cpu",
) -> Iterator[None]:
    """Context manager: the default generator's state of before the ``with`` block is restored after it."""
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
