"""tapegrad: PyTorch's eager autograd API on the CPU, ``import tapegrad as torch``."""
# ruff: noqa: F401

from __future__ import annotations

import importlib as _importlib
import sys as _sys
from math import e, inf, nan, pi
from typing import Any as _Any

if not getattr(_sys, "_is_gil_enabled", lambda: True)():
    raise ImportError(
        "tapegrad needs the global interpreter lock, which guards its reference counts and graphs; "
        "run this interpreter with PYTHON_GIL=1 or -X gil=1"
    )

from . import _C, _device, _dtypes, _legacy, _tensor
from ._C import *  # noqa: F403
from ._C import __version__ as __version__
from ._device import device, get_default_device, set_default_device
from ._dtypes import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    finfo,
    iinfo,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from ._legacy import (
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    set_default_tensor_type,
    typename,
)
from ._tensor import (
    TypedStorage,
    UntypedStorage,
    is_complex,
    is_floating_point,
    is_inference,
    is_nonzero,
    is_storage,
    is_tensor,
    numel,
    positive,
)
from .autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

newaxis = None

# Loaded on first use, so that `import tapegrad` stays fast.
_SUBMODULES = {
    "accelerator", "amp", "autograd", "backends", "compiler", "cpu", "cuda", "func",
    "jit", "mps", "nn", "optim", "overrides", "profiler", "return_types", "serialization",
    "special", "utils", "version", "xpu",
}  # fmt: skip
_LAZY_NAMES = {
    "autocast": "amp",
    "get_printoptions": "_tensor_str",
    "vmap": "func",
    "load": "serialization",
    "logit": "special",
    "save": "serialization",
    "set_printoptions": "_tensor_str",
    **dict.fromkeys(
        (
            "are_deterministic_algorithms_enabled", "compile", "get_float32_matmul_precision",
            "get_num_interop_threads", "is_autocast_enabled", "set_float32_matmul_precision",
            "set_flush_denormal", "set_num_interop_threads", "show_config", "use_deterministic_algorithms",
            "_assert",
        ),
        "_runtime",
    ),
}  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        return _importlib.import_module(f".{name}", __name__)
    if name in _LAZY_NAMES:
        value = getattr(_importlib.import_module(f".{_LAZY_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'torch' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_LAZY_NAMES})
