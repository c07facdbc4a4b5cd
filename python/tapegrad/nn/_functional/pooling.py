"""Pooling functions."""

from __future__ import annotations

from typing import Any

from ... import _C
from ..._C import Tensor


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Largest value of each window of (N, C, L); with `return_indices` also where it was."""
    if return_indices:
        return max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _C.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Largest value of each window of (N, C, H, W); with `return_indices` also where it was."""
    if return_indices:
        return max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _C.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Largest value of each window of (N, C, D, H, W); with `return_indices` also where it was."""
    if return_indices:
        return max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _C.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` and the flat indices of the chosen values."""
    return _C.max_pool1d_with_indices(input, kernel_size, _given(stride), padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` and the flat indices of the chosen values."""
    return _C.max_pool2d_with_indices(input, kernel_size, _given(stride), padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool3d` and the flat indices of the chosen values."""
    return _C.max_pool3d_with_indices(input, kernel_size, _given(stride), padding, dilation, ceil_mode)


def _given(stride: Any) -> Any:
    return [] if stride is None else stride


def _full_output_size(input: Tensor, output_size: Any, dims: int) -> Any:
    """Replace each None by the input's own size; anything wrong is left for the operation to refuse."""
    if isinstance(output_size, int) or (
        output_size is not None and not isinstance(output_size, (tuple, list))
    ):
        return output_size
    sizes = (None,) * dims if output_size is None else tuple(output_size)
    if None not in sizes or len(sizes) != dims or len(input.shape) < dims:
        return sizes
    return tuple(own if size is None else size for size, own in zip(sizes, input.shape[-dims:]))


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Average (N, C, H, W) to the spatial size `output_size`."""
    return _C.adaptive_avg_pool2d(input, _full_output_size(input, output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Average (N, C, D, H, W) to the spatial size `output_size`."""
    return _C.adaptive_avg_pool3d(input, _full_output_size(input, output_size, 3))


def _signed_root(mean: Tensor, count: int, norm_type: float) -> Tensor:
    return (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """p-norm of each window of (N, C, L)."""
    mean = _C.avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _signed_root(mean, kernel_size, norm_type)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """p-norm of each window of (N, C, H, W)."""
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    mean = _C.avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _signed_root(mean, height * width, norm_type)
