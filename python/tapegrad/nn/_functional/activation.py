"""Activation functions, softmax family and dropout."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor

relu_ = _C.relu_
leaky_relu_ = _C.leaky_relu_
elu_ = _C.elu_
gelu = _C.gelu
softplus = _C.softplus
sigmoid = _C.sigmoid
tanh = _C.tanh

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _overwrite(input: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Write function(input) into `input`; the function sees a copy, since its graph may need the old
    values."""
    return input.copy_(function(input.clone()))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return _C.relu_(input) if inplace else _C.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x."""
    return _C.leaky_relu_(input, negative_slope) if inplace else _C.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return _C.elu_(input, alpha) if inplace else _C.elu(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)."""
    return _C.silu_(input) if inplace else _C.silu(input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled ELU with the constants of Klambauer et al. (2017)."""
    return _overwrite(input, selu) if inplace else _C.elu(input, _SELU_ALPHA) * _SELU_SCALE


def selu_(input: Tensor) -> Tensor:
    """In-place form of `selu`."""
    return selu(input, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x / alpha) - 1)."""
    if inplace:
        return _overwrite(input, lambda x: celu(x, alpha))
    return _C.elu(input / alpha) * alpha


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of `celu`."""
    return celu(input, alpha, inplace=True)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut to [min_val, max_val]; its gradient is zero at the bounds too."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if inplace:
        return _overwrite(input, lambda x: hardtanh(x, min_val, max_val))
    return _C.where(input <= min_val, min_val, _C.where(input >= max_val, max_val, input))


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place form of `hardtanh`."""
    return hardtanh(input, min_val, max_val, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    return _overwrite(input, hardsigmoid) if inplace else relu6(input + 3) / 6


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6."""
    return _overwrite(input, hardswish) if inplace else input * relu6(input + 3) / 6


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))."""
    return _overwrite(input, mish) if inplace else input * _C.tanh(_C.softplus(input))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value."""
    below = input <= threshold
    return input.masked_fill_(below, value) if inplace else input.masked_fill(below, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of `threshold`."""
    return input.masked_fill_(input <= threshold, value)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), computed without overflow."""
    return -_C.softplus(-input, threshold=40.0)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0."""
    return input.masked_fill((input >= -lambd) & (input <= lambd), 0.0)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0, and 0 where |x| <= lambd."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return input - hardtanh(input, -lambd, lambd)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x; a weight per channel belongs to dimension 1."""
    if weight.numel() != 1:
        channels = input.size(1) if input.dim() >= 2 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} "
                f"and channel size = {channels}."
            )
    if input.dim() >= 2:
        weight = weight.view(-1, *[1] * (input.dim() - 2))
    return _C.where(input > 0, input, weight * input)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU whose slope is drawn from U(lower, upper) for each element when training."""
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = _C.empty_like(input, requires_grad=False).uniform_(lower, upper)
    slopes = slopes.masked_fill_(input > 0, 1.0)
    return input.mul_(slopes) if inplace else input * slopes


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """In-place form of `rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """First half of `dim` times the sigmoid of the second half."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % input.dim()} is size {size}"
        )
    value, gate = input.chunk(2, dim)
    return value * gate.sigmoid()


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X "
        "as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`."""
    if dim is None:
        dim = _implicit_dim("softmax", input.dim(), _stacklevel)
    return _C.softmax(input, dim) if dtype is None else _C.softmax(input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`."""
    if dim is None:
        dim = _implicit_dim("log_softmax", input.dim(), _stacklevel)
    return _C.log_softmax(input, dim) if dtype is None else _C.log_softmax(input, dim, dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _implicit_dim("softmin", input.dim(), _stacklevel)
    return softmax(-input, dim, dtype=dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Sample from the Gumbel-softmax distribution; `hard` returns one-hot vectors with the soft gradient."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -_C.empty_like(logits, requires_grad=False).exponential_().log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = _C.zeros_like(logits, requires_grad=False).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """When training, zero each element with probability `p` and scale the rest by 1 / (1 - p)."""
    _check_probability(p)
    return _C.dropout(input, p, training, inplace)


def _channel_noise(input: Tensor, keep: float) -> Tensor:
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return input.new_empty(shape).bernoulli_(keep)


def _channel_dropout(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    _check_probability(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        return input.zero_() if inplace else input * 0.0
    noise = _channel_noise(input, 1 - p).div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


def _batched(input: Tensor, dims: int, inplace: bool, drop: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `drop` to (N, C, ...); an input without N gets one for the call."""
    if input.dim() == dims + 2:
        return drop(input)
    result = drop(input.unsqueeze_(0) if inplace else input.unsqueeze(0))
    return result.squeeze_(0) if inplace else result.squeeze(0)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of a (N, C, L) or (C, L) input with probability `p`."""
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. "
            "Note that dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _batched(input, 1, inplace, lambda x: _channel_dropout(x, p, training, inplace))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of a (N, C, H, W) input with probability `p`."""
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and will "
            "result in an "
            "error in a future release. To retain the behavior and silence this warning, please use "
            "dropout instead.",
            stacklevel=2,
        )
    return _channel_dropout(input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of a (N, C, D, H, W) or (C, D, H, W) input with probability `p`."""
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and will "
            "result in an "
            "error in a future release. To retain the behavior and silence this warning, please use "
            "dropout instead.",
            stacklevel=2,
        )
        return _channel_dropout(input, p, training, inplace)
    return _batched(input, 3, inplace, lambda x: _channel_dropout(x, p, training, inplace))


def _alpha_noise(input: Tensor, noise: Tensor, p: float, inplace: bool) -> Tensor:
    """Dropped values become -alpha * scale of SELU, then mean and variance are restored (Klambauer et
    al., 2017)."""
    saturation = _SELU_ALPHA * _SELU_SCALE
    scale = 1.0 / math.sqrt((saturation**2 * p + 1) * (1 - p))
    shift = (noise - 1).mul_(saturation * scale).add_(saturation * scale * p)
    noise = noise.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of SELU activations."""
    _check_probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return input.zero_() if inplace else input * 0.0
    return _alpha_noise(input, _C.empty_like(input, requires_grad=False).bernoulli_(1 - p), p, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels."""
    _check_probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return input.zero_() if inplace else input * 0.0
    return _alpha_noise(input, _channel_noise(input, 1 - p), p, inplace)
