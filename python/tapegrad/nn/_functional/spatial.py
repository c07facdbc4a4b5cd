"""Padding, resampling and rearranging of images and sequences."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _C
from ..._C import Tensor


def _need_type(function: str, position: int, name: str, value: Any, kinds: Any, wanted: str) -> None:
    """Refuse a value of another type, unless it overrides operations."""
    if not isinstance(value, kinds) and not hasattr(value, "__torch_function__"):
        given = type(value).__name__
        raise TypeError(
            f"{function}(): argument '{name}' (position {position}) must be {wanted}, not {given}"
        )


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Add (or with negative numbers cut) elements: `pad` is (left, right) of the last dimension, then of
    the one before..."""
    _need_type("pad", 1, "input", input, Tensor, "Tensor")
    _need_type("pad", 2, "pad", pad, (tuple, list), "tuple of ints")
    _need_type("pad", 3, "mode", mode, str, "str")
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(pad)}")
    if len(pad) // 2 > input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            "padding length "
            f"{len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return _C.constant_pad_nd(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _PAD_INDEX:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if input.dim() - len(pad) // 2 not in (1, 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    for i in range(len(pad) // 2):
        dim = input.dim() - 1 - i
        left, right = pad[2 * i], pad[2 * i + 1]
        if left or right:
            index = _PAD_INDEX[mode](input.size(dim), left, right, dim)
            input = input.index_select(dim, _C.from_numpy(index))
    return input


def _positions(size: int, left: int, right: int) -> np.ndarray:
    return np.arange(-left, size + right)


def _reflect_index(size: int, left: int, right: int, dim: int) -> np.ndarray:
    if left >= size or right >= size:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: "
            f"padding ({left}, {right}) at dimension {dim} of size {size}"
        )
    folded = np.abs(_positions(size, left, right))
    return np.where(folded >= size, 2 * (size - 1) - folded, folded)


def _replicate_index(size: int, left: int, right: int, dim: int) -> np.ndarray:
    return np.clip(_positions(size, left, right), 0, size - 1)


def _circular_index(size: int, left: int, right: int, dim: int) -> np.ndarray:
    if left > size or right > size:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    return _positions(size, left, right) % size


_PAD_INDEX = {"reflect": _reflect_index, "replicate": _replicate_index, "circular": _circular_index}


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) -> (*, C, H r, W r)."""
    *batch, channels, height, width = input.shape
    r = upscale_factor
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
            "upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(batch)
    split = input.reshape(*batch, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return split.permute(order).reshape(*batch, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) -> (*, C r^2, H, W)."""
    *batch, channels, height, width = input.shape
    r = downscale_factor
    for name, size in (("height", height), ("width", width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size "
                f"of {name} "
                f"{size} is not divisible by {r}"
            )
    n = len(batch)
    split = input.reshape(*batch, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return split.permute(order).reshape(*batch, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` groups."""
    batch, channels, *rest = input.shape
    return input.reshape(batch, groups, channels // groups, *rest).transpose(1, 2).reshape(input.shape)


def _per_dimension(value: Any, dims: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * dims


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resample the spatial dimensions of (N, C, ...) to `size` or by `scale_factor`.

    Modes: nearest, nearest-exact, linear, bilinear, bicubic, trilinear, area. One pass per dimension.
    """
    dims = input.dim() - 2
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not available; filter before you shrink")
    linear = mode in ("linear", "bilinear", "bicubic", "trilinear")
    if not linear and mode not in ("nearest", "nearest-exact", "area"):
        raise NotImplementedError(f"interpolate: unknown mode {mode!r}")
    if align_corners is not None and not linear:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | "
            "bicubic | trilinear"
        )
    expected = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(mode, dims)
    if dims != expected or dims not in (1, 2, 3):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the "
            "modes: nearest | "
            f"linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
        )
    sizes, scales = _output_sizes(input.shape[2:], size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return getattr(_C, f"adaptive_avg_pool{dims}d")(input, sizes)
    for i, (new, scale) in enumerate(zip(sizes, scales, strict=True)):
        old = input.size(i + 2)
        step = 1.0 / scale if scale is not None else old / new
        if linear:
            input = _resample(input, i + 2, new, step, bool(align_corners), cubic=mode == "bicubic")
        else:
            shift = 0.5 if mode == "nearest-exact" else 0.0
            index = np.floor((np.arange(new, dtype=np.float32) + np.float32(shift)) * np.float32(step))
            index = np.minimum(index.astype(np.int64), old - 1)
            input = input.index_select(i + 2, _C.from_numpy(index))
    return input


def _output_sizes(
    shape: Sequence[int], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    dims = len(shape)
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    given = _per_dimension(scale_factor if size is None else size, dims)
    if len(given) != dims:
        raise ValueError(
            f"Input and {'scale_factor' if size is None else 'output'} must have the same number of spatial "
            f"dimensions, but got input with spatial dimensions of {list(shape)} and {list(given)}"
        )
    if size is not None:
        return tuple(int(s) for s in given), (None,) * dims
    sizes = tuple(math.floor(old * float(scale)) for old, scale in zip(shape, given, strict=True))
    return sizes, (None,) * dims if recompute else given


def _resample(input: Tensor, dim: int, new: int, step: float, align_corners: bool, cubic: bool) -> Tensor:
    """Weighted sum of 2 (linear) or 4 (cubic convolution, a = -0.75) neighbours along `dim`."""
    old = input.size(dim)
    if align_corners:
        position = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        position = (np.arange(new) + 0.5) * step - 0.5
        if not cubic:
            position = np.maximum(position, 0.0)
    base = np.floor(position).astype(np.int64)
    t = position - base
    taps = _cubic_taps(t) if cubic else [(0, 1 - t), (1, t)]
    weight_shape = [1] * input.dim()
    weight_shape[dim] = new
    terms = []
    for offset, weight in taps:
        index = _C.from_numpy(np.clip(base + offset, 0, old - 1))
        factor = _C.from_numpy(weight).to(input.dtype).view(weight_shape)
        terms.append(input.index_select(dim, index) * factor)
    return sum(terms[1:], terms[0])


def _cubic_taps(t: np.ndarray) -> list[tuple[int, np.ndarray]]:
    a = -0.75

    def near(x: np.ndarray) -> np.ndarray:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: np.ndarray) -> np.ndarray:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [(-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Old name of `interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode, align_corners)
