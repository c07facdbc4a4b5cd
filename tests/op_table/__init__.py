"""The operation table: one row per public operation, a module per family.

A new operation is a new `Op(...)` in its family's list; `test_ops.py` and `test_torch_parity.py` do the rest.
"""

from __future__ import annotations

from . import (
    conv_norm,
    create,
    elementwise_binary,
    elementwise_unary,
    index,
    joining,
    matmul,
    reduce,
    softmax_loss,
    statistics,
    views,
    windows,
    writing,
)
from .row import Case, Error, Op, cases, find, lay_out, resolve, result_dtype

FAMILIES = (
    create,
    elementwise_unary,
    elementwise_binary,
    reduce,
    statistics,
    matmul,
    views,
    joining,
    index,
    writing,
    softmax_loss,
    conv_norm,
    windows,
)
OPS: list[Op] = [op for family in FAMILIES for op in family.OPS]

__all__ = ["OPS", "Case", "Error", "Op", "cases", "find", "lay_out", "resolve", "result_dtype"]
