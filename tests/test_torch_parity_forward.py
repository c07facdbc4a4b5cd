"""Tangents of every operation against PyTorch's forward mode, where it is installed."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tapegrad
from op_table import Case
from op_table.row import substitute
from test_ops import every_case, is_differentiable
from test_torch_parity import flat, function_of, values_of

pytorch = pytest.importorskip("torch")


def tangents(library: ModuleType, case: Case) -> list[Any]:
    """The tangents of the results, as arrays (None where there is none), for fixed tangents of the inputs."""
    forward_ad = importlib.import_module(f"{library.__name__}.autograd.forward_ad")
    args, kwargs = case.tensors(library, "float64", requires_grad=True)
    rng = np.random.default_rng(3)

    def dual(tensor: Any) -> Any:
        if not tensor.requires_grad:
            return tensor
        direction = library.tensor(rng.uniform(-1, 1, tuple(tensor.shape)))
        return forward_ad.make_dual(tensor.detach(), direction)

    with forward_ad.dual_level():
        args, kwargs = substitute((args, kwargs), library.Tensor, dual)
        results = flat(function_of(library, case.op)(*args, **kwargs))
        found = [forward_ad.unpack_dual(r).tangent for r in results if r.is_floating_point()]
        return [None if t is None else values_of(t) for t in found]


@every_case(lambda op, sample: is_differentiable(op, sample) and not op.random)
def test_tangents(case: Case) -> None:
    mine = tangents(tapegrad, case)
    try:
        theirs = tangents(pytorch, case)
    except NotImplementedError:  # PyTorch has no forward mode for it: test_forward_mode.py checks ours
        assert mine
        return
    for found, expected in zip(mine, theirs, strict=True):
        if expected is not None:  # PyTorch drops the tangent of some operations without a word
            # hardsigmoid's 1/6 is a float32 there.
            np.testing.assert_allclose(0 if found is None else found, expected, 1e-7, 1e-10)
