"""One-line programs: both libraries print the same, warn alike, or fail with the same class and words."""

from __future__ import annotations

import ast
import copy
import math
import pickle
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tapegrad
from programs import PROGRAMS

pytorch = pytest.importorskip("torch")
WORDS = 6


def shown(value: Any) -> str:
    if type(value) in (list, tuple):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    return repr(value).replace("tapegrad", "torch")


def outcome(program: str, library: ModuleType) -> tuple[str, list[str], list[str]]:
    """What the last expression prints or the exception, the words of its message, the warnings."""
    library.manual_seed(0)
    library.set_printoptions(profile="default")
    names = {
        "torch": library,
        "nn": library.nn,
        "F": library.nn.functional,
        "data": library.utils.data,
        "T": library.tensor,
        "np": np,
        "math": math,
        "copy": copy,
        "pickle": pickle,
    }
    statements = ast.parse(program)
    assert isinstance(statements.body[-1], ast.Expr), program
    expression = ast.Expression(statements.body.pop().value)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(statements, program, "exec"), names)
            result, words = shown(eval(compile(expression, program, "eval"), names)), []
        except Exception as error:
            result, words = type(error).__name__, [word.strip('".,:;') for word in str(error).split()[:WORDS]]
    told = sorted({" ".join(str(w.message).split()[:4]) for w in caught if w.category is UserWarning})
    return result, words, told


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str) -> None:
    mine, theirs = outcome(program, tapegrad), outcome(program, pytorch)
    assert (mine[0], mine[2]) == (theirs[0], theirs[2])
    assert mine[1][: len(theirs[1])] == theirs[1]
