"""Printing compared with PyTorch itself on generated tensors and print options."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad
from tapegrad._tensor_str import get_printoptions, printoptions

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9) | st.sampled_from(
    [(1001,), (1, 1001), (40, 30), (8, 12, 12), (2, 501)]
)
AWKWARD = st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e-4, 9.9e-5, 1e8, 1.5, -123.0, 1000.0])
FLOATS = st.one_of(
    AWKWARD, st.integers(-2000, 2000).map(float), st.floats(-10, 10, width=32), st.floats(width=32)
)


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(SHAPES)
    if dtype.kind == "f":
        return draw(hnp.arrays(dtype, shape, elements=FLOATS))
    return draw(hnp.arrays(dtype, shape))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 12),
        "threshold": st.integers(0, 200),
        "edgeitems": st.integers(0, 6),
        "linewidth": st.integers(0, 200),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.booleans(),
    },
)


def variants(module, array):
    """The tensor, and for floating dtypes also as a leaf and as a result with a grad_fn."""
    tensor = module.from_numpy(array.copy())
    yield tensor
    if array.dtype.kind == "f":
        leaf = tensor.clone().requires_grad_()
        yield leaf
        yield leaf * 1
        yield module.nn.Parameter(tensor)


def assert_same_text(array):
    for ours, theirs in zip(variants(tapegrad, array), variants(torch, array), strict=True):
        assert repr(ours) == repr(theirs)
        if array.ndim == 0:
            assert f"{ours}" == f"{theirs}"
            assert f"{ours.detach():>12}" == f"{theirs.detach():>12}"


@settings(max_examples=300, deadline=None)
@given(arrays())
def test_default_options(array):
    assert_same_text(array)


@settings(max_examples=300, deadline=None)
@given(arrays(), OPTIONS)
def test_any_options(array, options):
    with printoptions(**options), torch._tensor_str.printoptions(**options):
        assert get_printoptions() == torch._tensor_str.get_printoptions()
        assert_same_text(array)


@settings(max_examples=60, deadline=None)
@given(arrays())
def test_float64_as_default_dtype(array):
    tapegrad.set_default_dtype(tapegrad.float64)
    torch.set_default_dtype(torch.float64)
    try:
        assert_same_text(array)
    finally:
        tapegrad.set_default_dtype(tapegrad.float32)
        torch.set_default_dtype(torch.float32)


@settings(max_examples=60, deadline=None)
@given(arrays())
def test_transposed_and_strided(array):
    assert_same_text(array.T)
    if array.ndim:
        assert repr(tapegrad.from_numpy(array.copy())[::2]) == repr(torch.from_numpy(array.copy())[::2])
