"""Utilities: data loading, hooks, checkpointing and pictures of the graph."""

from __future__ import annotations

import importlib
from typing import Any

from . import data, hooks

__all__ = ["checkpoint", "data", "hooks", "viz"]


def __getattr__(name: str) -> Any:
    if name in ("checkpoint", "viz"):  # loaded on first use
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
