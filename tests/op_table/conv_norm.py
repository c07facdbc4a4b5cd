"""Convolution, pooling, normalisation, dropout, padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import ALL, Error, Op, T, call

Pair = Any


def pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def windows(x: np.ndarray, size: Pair, stride: Pair, dilation: Pair = 1) -> np.ndarray:
    """All windows of the last two dimensions: (..., rows, columns, window rows, window columns)."""
    (kh, kw), (sh, sw), (dh, dw) = pair(size), pair(stride), pair(dilation)
    spread = np.lib.stride_tricks.sliding_window_view(
        x, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(-2, -1)
    )
    return spread[..., ::sh, ::sw, ::dh, ::dw]


def padded(x: np.ndarray, padding: Pair, value: float = 0.0) -> np.ndarray:
    ph, pw = pair(padding)
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(ph, ph), (pw, pw)], constant_values=value)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(pair(dilation), weight.shape[2:], strict=True)]
    elif padding == "valid":
        padding = 0
    batch = x if x.ndim == 4 else x[None]
    outputs = [
        np.einsum(
            "nchwij,ocij->nohw", windows(padded(part, padding), weight.shape[2:], stride, dilation), kernel
        )
        for part, kernel in zip(np.split(batch, groups, 1), np.split(weight, groups), strict=True)
    ]
    result = np.concatenate(outputs, 1) + (0 if bias is None else bias[:, None, None])
    return result if x.ndim == 4 else result[0]


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1):
    return windows(padded(x, padding, -np.inf), kernel_size, stride or kernel_size, dilation).max((-2, -1))


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    found = windows(padded(x, padding), kernel_size, stride or kernel_size)
    counts = windows(padded(np.ones_like(x), padding), kernel_size, stride or kernel_size)
    return found.mean((-2, -1)) if count_include_pad else found.sum((-2, -1)) / counts.sum((-2, -1))


def adaptive_avg_pool2d(x, output_size):
    rows, columns = (
        x.shape[axis] if size is None else size
        for axis, size in zip(
            (-2, -1), pair(output_size) if isinstance(output_size, int) else output_size, strict=True
        )
    )

    def bins(length: int, count: int) -> list[slice]:
        return [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]

    return np.stack(
        [
            np.stack([x[..., r, c].mean((-2, -1)) for c in bins(x.shape[-1], columns)], -1)
            for r in bins(x.shape[-2], rows)
        ],
        -2,
    )


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    mean, var = (x.mean(axes), x.var(axes)) if training else (running_mean, running_var)
    scaled = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps)
    return scaled * (1 if weight is None else weight.reshape(shape)) + (
        0 if bias is None else bias.reshape(shape)
    )


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = tuple(range(-len(normalized_shape), 0))
    scaled = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return scaled * (1 if weight is None else weight) + (0 if bias is None else bias)


def pad(x, padding, mode="constant", value=0.0):
    widths = [(0, 0)] * (x.ndim - len(padding) // 2) + [
        (padding[i], padding[i + 1]) for i in range(len(padding) - 2, -1, -2)
    ]
    cropped = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape, strict=True))]
    widths = [(max(a, 0), max(b, 0)) for a, b in widths]
    if mode == "constant":
        return np.pad(cropped, widths, constant_values=value or 0)
    return np.pad(cropped, widths, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


def layer(name: str, reference: Any, calls: list[Any], **fields: Any) -> Op:
    return Op(f"nn.functional.{name}", reference, calls, **{"method": False, "tolerance": 8, **fields})


STATS = (T(3, grad=False), T(3, low=0.5, high=2.0, grad=False))


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    groups = x.reshape(len(x), num_groups, -1)
    scaled = layer_norm(groups, groups.shape[-1:], eps=eps).reshape(x.shape)
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    return scaled * (1 if weight is None else weight.reshape(shape)) + (
        0 if bias is None else bias.reshape(shape)
    )


def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None):
    return group_norm(x, x.shape[1], weight, bias)


def rms_norm(x, normalized_shape, weight=None, eps=1e-6):
    squares = (x**2).mean(tuple(range(-len(normalized_shape), 0)), keepdims=True)
    return x / np.sqrt(squares + eps) * (1 if weight is None else weight)


OPS = [
    layer(
        "conv2d",
        conv2d,
        [
            call(T(2, 3, 5, 5), T(4, 3, 3, 3)),
            call(T(2, 3, 5, 5), T(4, 3, 3, 3), T(4)),
            call(T(1, 2, 5, 6), T(3, 2, 3, 2), None, 2),
            call(T(1, 2, 4, 4), T(3, 2, 3, 3), T(3), padding=1),
            call(T(1, 2, 6, 6), T(2, 2, 2, 2), stride=(2, 1), padding=(1, 0), dilation=2),
            call(T(1, 4, 4, 4), T(4, 2, 3, 3), T(4), 1, 1, 1, 2),
            call(T(1, 3, 4, 4), T(3, 1, 3, 3), groups=3, padding=1),
            call(T(2, 4, 4), T(3, 2, 3, 3)),
            call(T(1, 2, 4, 4), T(3, 2, 3, 3), padding="same"),
            call(T(1, 2, 4, 4), T(3, 2, 1, 1)),
            call(T(2, 1, 8, 8), T(4, 1, 8, 8)),
        ],
        domain=(-1.0, 1.0),
        errors=[
            Error(
                call(T(1, 3, 5, 5), T(4, 2, 3, 3)),
                RuntimeError,
                "Given groups=1, weight of size [4, 2, 3, 3], expected input[1, 3, 5, 5] to have 2 "
                "channels, but got 3 channels instead",
            ),
            Error(
                call(T(1, 3, 2, 2), T(4, 3, 3, 3)),
                RuntimeError,
                "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size "
                "can't be greater than actual input size",
            ),
            Error(
                call(T(5, 5), T(4, 3, 3, 3)),
                RuntimeError,
                "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [5, 5]",
            ),
        ],
    ),
    layer(
        "max_pool2d",
        max_pool2d,
        [
            call(T(1, 2, 4, 4), 2),
            call(T(1, 2, 5, 5), 3, 1),
            call(T(1, 2, 5, 5), (2, 3), (1, 2)),
            call(T(2, 5, 5), 3, 2, 1),
            call(T(1, 1, 6, 6), 2, stride=1, dilation=2),
        ],
        errors=[
            Error(
                call(T(1, 1, 2, 2), 3),
                RuntimeError,
                "Given input size: (1x2x2). Calculated output size: (1x0x0). Output size is too small",
            ),
            Error(
                call(T(1, 1, 4, 4), 2, 2, 2),
                RuntimeError,
                "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and "
                "dilation=1",
            ),
        ],
    ),
    layer(
        "avg_pool2d",
        avg_pool2d,
        [
            call(T(1, 2, 4, 4), 2),
            call(T(1, 2, 5, 5), 3, 1),
            call(T(1, 2, 5, 5), (2, 3), (1, 2)),
            call(T(2, 5, 5), 3, 2, 1),
            call(T(1, 1, 4, 4), 2, padding=1, count_include_pad=False),
        ],
    ),
    layer(
        "adaptive_avg_pool2d",
        adaptive_avg_pool2d,
        [
            call(T(1, 2, 4, 4), 1),
            call(T(1, 2, 5, 7), (2, 3)),
            call(T(2, 4, 4), 2),
            call(T(1, 1, 4, 6), (None, 3)),
        ],
    ),
    layer(
        "batch_norm",
        batch_norm,
        [
            call(T(4, 3), *STATS),
            call(T(4, 3, 2, 2), *STATS, T(3), T(3)),
            call(T(4, 3), None, None, T(3), T(3), training=True),
            call(T(2, 3, 2, 2), None, None, training=True),
            call(T(2, 3, 4), None, None, T(3), T(3), True, 0.1, 1e-3),
        ],
        errors=[
            Error(
                call(T(1, 3), None, None, training=True),
                ValueError,
                "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])",
            )
        ],
    ),
    layer(
        "layer_norm",
        layer_norm,
        [
            call(T(4, 3), (3,)),
            call(T(2, 3, 4), (3, 4)),
            call(T(4, 5), (5,), T(5), T(5)),
            call(T(4, 5), [5], T(5)),
            call(T(2, 3), (3,), eps=0.1),
        ],
        errors=[
            Error(
                call(T(2, 3), (4,)),
                RuntimeError,
                "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[2, 3]",
            )
        ],
    ),
    layer(
        "dropout",
        lambda x, p=0.5, training=True: np.zeros_like(x) if p == 1 and training else x,
        [call(T(2, 3), 0.5, False), call(T(4), p=0.3, training=False), call(T(4), 0.0), call(T(4), p=1.0)],
        errors=[
            Error(call(T(2), 1.5), ValueError, "dropout probability has to be between 0 and 1, but got 1.5")
        ],
    ),
    layer(
        "pad",
        pad,
        [
            call(T(2, 3), (1, 2)),
            call(T(2, 3), (1, 0, 0, 2)),
            call(T(2, 3), (1, 1), "constant", 2.5).only("float32", "float64"),
            call(T(2, 5), (-1, 2)),
            call(T(1, 2, 4), (1, 2), mode="reflect").only("float32", "float64"),
            call(T(1, 2, 4), (1, 2), mode="replicate").only("float32", "float64"),
            call(T(1, 1, 3, 4), (1, 1, 2, 0), mode="circular").only("float32", "float64"),
        ],
        dtypes=tuple(name for name in ALL if name != "bool"),
        errors=[Error(call(T(2, 3), (1,)), RuntimeError, "Padding length must be divisible by 2")],
    ),
    layer(
        "group_norm",
        group_norm,
        [call(T(2, 4), 2), call(T(2, 4, 3), 2, T(4), T(4)), call(T(2, 6, 2, 2), 3, eps=1e-5)],
    ),
    layer("instance_norm", instance_norm, [call(T(2, 3, 4)), call(T(2, 3, 2, 2), None, None, T(3), T(3))]),
    layer("rms_norm", rms_norm, [call(T(4, 3), (3,), eps=1e-6), call(T(4, 3), (3,), T(3), 1e-6)]),
]
