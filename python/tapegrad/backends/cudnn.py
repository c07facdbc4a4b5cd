"""cuDNN is not used: its switches may be set and have no effect."""

from __future__ import annotations

import contextlib
from typing import Any

enabled = False
benchmark = False
deterministic = True
allow_tf32 = False


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""


def flags(*args: Any, **kwargs: Any) -> contextlib.AbstractContextManager[None]:
    """A context manager that does nothing."""
    return contextlib.nullcontext()
