"""utils.checkpoint against PyTorch itself, where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tapegrad
from checkpoint_cases import CASES

torch = pytest.importorskip("torch")

WORDS = 6


def outcome(function: Callable[..., Any], module: ModuleType, options: dict[str, Any]) -> Any:
    """The result as plain values, or the class and first words of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(function(module, **options))
        except Exception as error:
            return type(error).__name__, str(error).split()[:WORDS]


def plain(result: Any) -> Any:
    if isinstance(result, (tuple, list)) and not hasattr(result, "numel"):
        return [plain(part) for part in result]
    return result.detach().tolist() if hasattr(result, "tolist") else result


def identifier(case: Any) -> str:
    return "-".join([case[0].__name__, *map(str, case[1].values())]).split(" at ")[0]


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_checkpoint(case: tuple[Callable[..., Any], dict[str, Any]]) -> None:
    function, options = case
    mine, theirs = outcome(function, tapegrad, options), outcome(function, torch, options)
    assert type(mine) is type(theirs)
    if not isinstance(theirs, list):
        assert mine == theirs
        return
    for a, b in zip(mine, theirs, strict=True):
        numbers = isinstance(b, float) or (isinstance(b, list) and all(isinstance(x, float) for x in b))
        assert a == (pytest.approx(b, rel=1e-5) if numbers else b)
