"""Windows of images as columns, adaptive maxima, and pooling undone."""

from __future__ import annotations

from typing import Any

from ... import _C
from ..._C import Tensor
from .pooling import _full_output_size


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Copy each window of (N, C, H, W) to a column: (N, C * kernel, windows)."""
    return _C.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Add columns (N, C * kernel, windows) up to the images that `unfold` takes them from."""
    return _C.col2im(input, output_size, kernel_size, dilation, padding, stride)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d` and the indices of the chosen values."""
    return _C.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` and the flat indices of the chosen values."""
    return _C.adaptive_max_pool2d(input, _full_output_size(input, output_size, 2))


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d` and the flat indices of the chosen values."""
    return _C.adaptive_max_pool3d(input, _full_output_size(input, output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Largest values of (N, C, L) in `output_size` windows; with `return_indices` also where they were."""
    result = adaptive_max_pool1d_with_indices(input, output_size)
    return result if return_indices else result[0]


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Largest values of (N, C, H, W) in `output_size` windows; with `return_indices` also where they were."""
    result = adaptive_max_pool2d_with_indices(input, output_size)
    return result if return_indices else result[0]


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Largest values of (N, C, D, H, W) in `output_size` windows; with `return_indices` also where they
    were."""
    result = adaptive_max_pool3d_with_indices(input, output_size)
    return result if return_indices else result[0]


def _unpooled_size(
    input: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any, dims: int
) -> list[int]:
    """Return the size before pooling: the smallest that fits, or `output_size` if that is near it."""
    per_dimension = [
        tuple(value) if isinstance(value, list | tuple) else (value,) * dims
        for value in (kernel_size, kernel_size if stride is None else stride, padding)
    ]
    default = [
        (size - 1) * step - 2 * border + kernel
        for size, kernel, step, border in zip(input.shape[-dims:], *per_dimension, strict=True)
    ]
    if output_size is None:
        return default
    wanted = list(output_size)
    if len(wanted) == dims + 2:
        wanted = wanted[2:]
    if len(wanted) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a "
            f"length of '{len(output_size)}'"
        )
    for size, usual, step in zip(wanted, default, per_dimension[1], strict=True):
        if not usual - step < size < usual + step:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim sizes must be within one stride of {default})'
            )
    return wanted


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Write the values of `max_pool1d` back to their places; zeros elsewhere."""
    size = _unpooled_size(input, kernel_size, stride, padding, output_size, 1)
    return _C._max_unpool1d(input, indices, size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Write the values of `max_pool2d` back to their places; zeros elsewhere."""
    size = _unpooled_size(input, kernel_size, stride, padding, output_size, 2)
    return _C._max_unpool2d(input, indices, size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Write the values of `max_pool3d` back to their places; zeros elsewhere."""
    size = _unpooled_size(input, kernel_size, stride, padding, output_size, 3)
    return _C._max_unpool3d(input, indices, size)
