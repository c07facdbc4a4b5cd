"""Normalization layers as functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import _C
from ..._C import Tensor


def _check_enough_values(size: Sequence[int]) -> None:
    if math.prod(size) == size[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of (N, C, ...) by the batch's or the running statistics."""
    if training:
        _check_enough_values(input.size())
    if eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive, but got {eps}")
    return _C.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize (N, C, ...) over each of `num_groups` groups of channels (Wu & He, 2018)."""
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    batch, channels = input.shape[:2]
    _check_enough_values((batch * channels // num_groups, num_groups, *input.shape[2:]))
    return _C.group_norm(input, num_groups, weight, bias, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each sample of (N, C, ...) (Ulyanov et al., 2016)."""
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.size()}")
    return _C.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide by (k + alpha * mean of squares over `size` neighbouring channels)^beta (Krizhevsky et al.,
    2012)."""
    if input.dim() < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)")
    square = input.mul(input)
    before, after = size // 2, (size - 1) // 2
    shape = list(input.shape)
    blocks = [square.new_zeros([shape[0], count, *shape[2:]]) for count in (before, after)]
    window = _C.cat([blocks[0], square, blocks[1]], 1)
    total = sum((window.narrow(1, i, shape[1]) for i in range(1, size)), window.narrow(1, 0, shape[1]))
    return input / (total / size).mul(alpha).add(k).pow(beta)
