"""Convolution and pooling in one, two and three dimensions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .conv_norm import layer
from .row import Op, T, call


def spread(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def windows(x: np.ndarray, size: Any, stride: Any, dilation: Any, rank: int) -> np.ndarray:
    """All windows of the last `rank` dimensions: (..., positions, window)."""
    sizes, strides, dilations = (spread(v, rank) for v in (size, stride, dilation))
    extents = tuple((k - 1) * d + 1 for k, d in zip(sizes, dilations, strict=True))
    found = np.lib.stride_tricks.sliding_window_view(x, extents, axis=tuple(range(-rank, 0)))
    steps = [slice(None, None, step) for step in (*strides, *dilations)]
    return found[(..., *steps)]


def padded(x: np.ndarray, padding: Any, rank: int, value: float = 0.0) -> np.ndarray:
    widths = [(p, p) for p in spread(padding, rank)]
    return np.pad(x, [(0, 0)] * (x.ndim - rank) + widths, constant_values=value)


def convolution(rank: int) -> Any:
    def reference(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        results = []
        for part, kernel in zip(np.split(x, groups, 1), np.split(weight, groups), strict=True):
            found = windows(padded(part, padding, rank), weight.shape[2:], stride, dilation, rank)
            channels, axes = 1, tuple(range(2 + rank, 2 + 2 * rank))
            product = np.tensordot(found, kernel, ((channels, *axes), (1, *range(2, 2 + rank))))
            results.append(np.moveaxis(product, -1, 1))
        shift = 0 if bias is None else bias.reshape((-1,) + (1,) * rank)
        return np.concatenate(results, 1) + shift

    return reference


def transposed_convolution(rank: int) -> Any:
    def reference(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        strides, pads, extra, dilations = (
            spread(v, rank) for v in (stride, padding, output_padding, dilation)
        )
        kernel = weight.shape[2:]
        full = [
            (n - 1) * s + (k - 1) * d + 1 + e
            for n, s, k, d, e in zip(x.shape[2:], strides, kernel, dilations, extra, strict=True)
        ]
        out = np.zeros((x.shape[0], weight.shape[1] * groups, *full), x.dtype)
        width = weight.shape[1]
        for g, (part, kernels) in enumerate(
            zip(np.split(x, groups, 1), np.split(weight, groups), strict=True)
        ):
            for offset in itertools.product(*(range(k) for k in kernel)):
                places = tuple(
                    slice(o * d, o * d + (n - 1) * s + 1, s)
                    for o, d, n, s in zip(offset, dilations, x.shape[2:], strides, strict=True)
                )
                product = np.moveaxis(np.tensordot(part, kernels[(..., *offset)], (1, 0)), -1, 1)
                out[(slice(None), slice(g * width, (g + 1) * width), *places)] += product
        kept = tuple(slice(p, n - p) for p, n in zip(pads, full, strict=True))
        return out[(..., *kept)] + (0 if bias is None else bias.reshape((-1,) + (1,) * rank))

    return reference


def max_pool(rank: int) -> Any:
    def reference(x, kernel_size, stride=None, padding=0, dilation=1):
        found = windows(padded(x, padding, rank, -np.inf), kernel_size, stride or kernel_size, dilation, rank)
        return found.max(tuple(range(-rank, 0)))

    return reference


def max_pool_with_indices(rank: int) -> Any:
    def reference(x, kernel_size, stride=None, padding=0, dilation=1):
        size = int(np.prod(x.shape[-rank:]))
        places = np.broadcast_to(np.arange(size).reshape(x.shape[-rank:]), x.shape)
        arguments = (kernel_size, stride or kernel_size, dilation, rank)
        values = windows(padded(x, padding, rank, -np.inf), *arguments)
        where = windows(padded(places, padding, rank, -1), *arguments)
        flat = (*values.shape[: x.ndim], -1)
        best = values.reshape(flat).argmax(-1)[..., None]
        return (
            np.take_along_axis(values.reshape(flat), best, -1)[..., 0],
            np.take_along_axis(where.reshape(flat), best, -1)[..., 0],
        )

    return reference


def avg_pool(rank: int) -> Any:
    def reference(x, kernel_size, stride=None, padding=0):
        found = windows(padded(x, padding, rank), kernel_size, stride or kernel_size, 1, rank)
        return found.mean(tuple(range(-rank, 0)))

    return reference


def adaptive_pool(rank: int, reduce: Any) -> Any:
    def reference(x, output_size):
        counts = spread(output_size, rank)
        out = np.empty((*x.shape[:-rank], *counts), x.dtype)
        for place in itertools.product(*(range(count) for count in counts)):
            bins = tuple(
                slice(i * n // count, -(-(i + 1) * n // count))
                for i, n, count in zip(place, x.shape[-rank:], counts, strict=True)
            )
            out[(..., *place)] = reduce(x[(..., *bins)], axis=tuple(range(-rank, 0)))
        return out

    return reference


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    found = windows(padded(x, padding, 2), kernel_size, stride, dilation, 2)
    n, channels, rows, columns, height, width = found.shape
    return found.transpose(0, 1, 4, 5, 2, 3).reshape(n, channels * height * width, rows * columns)


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    (height, width), (kh, kw) = spread(output_size, 2), spread(kernel_size, 2)
    (ph, pw), (sh, sw), (dh, dw) = spread(padding, 2), spread(stride, 2), spread(dilation, 2)
    out = np.zeros((len(x), x.shape[1] // (kh * kw), height + 2 * ph, width + 2 * pw), x.dtype)
    rows = (height + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    patches = x.reshape(len(x), out.shape[1], kh, kw, rows, -1)
    for i, j in itertools.product(range(kh), range(kw)):
        target = out[:, :, i * dh : i * dh + (rows - 1) * sh + 1 : sh, j * dw :: sw]
        target[..., : patches.shape[-1]] += patches[:, :, i, j]
    return out[:, :, ph : ph + height, pw : pw + width]


def constant_pad(x, pad, value=0):
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return np.pad(x, widths, constant_values=value)


def conv_rows(rank: int, extent: int) -> list[Op]:
    image, kernel = (extent,) * rank, (2,) * rank
    near = {"domain": (-1.0, 1.0)}
    return [
        layer(
            f"conv{rank}d",
            convolution(rank),
            [
                call(T(2, 3, *image), T(4, 3, *kernel), T(4)),
                call(T(1, 2, *image), T(2, 2, *kernel), None, 2, 1),
                call(T(1, 4, *image), T(4, 2, *kernel), groups=2, dilation=2),
            ],
            **near,
        ),
        layer(
            f"conv_transpose{rank}d",
            transposed_convolution(rank),
            [
                call(T(1, 2, *(2,) * rank), T(2, 3, *kernel), T(3)),
                call(T(1, 2, *(3,) * rank), T(2, 1, *kernel), None, 2, 1, 1),
                call(T(1, 4, *(2,) * rank), T(4, 1, *kernel), groups=2, dilation=2),
            ],
            **near,
        ),
    ]


def pool_rows(rank: int) -> list[Op]:
    calls = [
        call(T(1, 2, *(4,) * rank), 2),
        call(T(2, 1, *(5,) * rank), 3, 2, 1),
    ]
    adaptive = [call(T(1, 2, *(5,) * rank), 2), call(T(2, 1, *(4,) * rank), (3,) * rank)]
    rows = [
        layer(
            f"max_pool{rank}d_with_indices",
            max_pool_with_indices(rank),
            calls,
            result=("same", "int64"),
        ),
        layer(f"adaptive_max_pool{rank}d", adaptive_pool(rank, np.max), adaptive),
    ]
    if rank != 2:  # conv_norm has those of images
        rows += [
            layer(f"max_pool{rank}d", max_pool(rank), calls),
            layer(f"avg_pool{rank}d", avg_pool(rank), calls),
            layer(f"adaptive_avg_pool{rank}d", adaptive_pool(rank, np.mean), adaptive),
        ]
    return rows


OPS = [
    *conv_rows(1, 6),
    *[op for op in conv_rows(2, 5) if op.name.endswith("conv_transpose2d")],
    *conv_rows(3, 4),
    *pool_rows(1),
    *pool_rows(2),
    *pool_rows(3),
    layer("unfold", unfold, [call(T(1, 2, 4, 4), 2), call(T(2, 1, 5, 5), 2, 2, 1, 2)], aliases=("im2col",)),
    layer("fold", fold, [call(T(1, 8, 9), (4, 4), 2), call(T(2, 4, 9), 5, 2, 2, 1, 2)], aliases=("col2im",)),
    Op(
        "constant_pad_nd",
        constant_pad,
        [call(T(2, 3), [1, 2]), call(T(2, 3), [0, 1, 2, 0], 1.5)],
        method=False,
    ),
]
