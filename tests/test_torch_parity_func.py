"""vmap and the transforms of functions against PyTorch itself, where it is installed."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tapegrad
from func_cases import MISTAKES, PROGRAMS, Inputs

WORDS = 6


def assert_alike(mine: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs)
        mine, theirs = list(mine.values()), list(theirs.values())
    if isinstance(theirs, (tuple, list)):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs):
            assert_alike(a, b)
    elif hasattr(theirs, "tolist"):
        assert tuple(mine.shape) == tuple(theirs.shape)
        assert str(mine.dtype) == str(theirs.dtype)
        assert mine.requires_grad == theirs.requires_grad
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), 1e-10, 1e-12)
    else:
        assert mine == theirs


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, pytorch: ModuleType) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = PROGRAMS[name](Inputs(pytorch))
    mine = PROGRAMS[name](Inputs(tapegrad))
    assert_alike(mine, theirs)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, pytorch: ModuleType) -> None:
    errors = []
    for library in (tapegrad, pytorch):
        with warnings.catch_warnings(), pytest.raises(Exception) as caught:
            warnings.simplefilter("ignore")
            MISTAKES[name](Inputs(library))
        errors.append((caught.type, str(caught.value).split()[:WORDS]))
    assert errors[0] == errors[1]
