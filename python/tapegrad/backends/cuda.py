"""CUDA is not used: its switches may be set and have no effect."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=False,
    allow_bf16_reduced_precision_reduction=False,
)


def is_built() -> bool:
    """False."""
    return False


def flash_sdp_enabled() -> bool:
    """False."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Does nothing."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp


def sdp_kernel(*args: Any, **kwargs: Any) -> contextlib.AbstractContextManager[None]:
    """A context manager that does nothing."""
    return contextlib.nullcontext()
