"""Transformations of functions."""

from __future__ import annotations

from .vmap import vmap

__all__ = ["vmap"]
