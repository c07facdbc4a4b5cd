"""Pooling, unfold / fold and padding against loops over windows; gradients by their adjoints."""

import itertools

import numpy as np
import pytest

import tapegrad as tg

RNG = np.random.default_rng(1)


def leaf(array):
    return tg.tensor(array, requires_grad=True)


def windows(size, kernel, stride, padding, dilation, ceil_mode):
    """For each window of one dimension, the positions inside the input and the extent that counts padding."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    result = []
    for i in range(count):
        begin = i * stride - padding
        inside = [p for p in range(begin, begin + kernel * dilation, dilation) if 0 <= p < size]
        result.append((inside, min(begin + kernel, size + padding) - begin))
    return result


def adaptive(size, count):
    return [(list(range(i * size // count, -(-(i + 1) * size // count))), None) for i in range(count)]


def pool(x, per_dimension, reduce):
    """reduce(values, positions, extents) of every window of the last dimensions."""
    rank = len(per_dimension)
    out = np.zeros((*x.shape[:-rank], *map(len, per_dimension)))
    for index in itertools.product(*(range(len(w)) for w in per_dimension)):
        chosen = [per_dimension[d][i] for d, i in enumerate(index)]
        grid = np.ix_(*(inside for inside, _ in chosen))
        values = x[(..., *grid)].reshape(*x.shape[:-rank], -1)
        positions = np.ravel_multi_index(
            np.meshgrid(*(c[0] for c in chosen), indexing="ij"), x.shape[-rank:]
        ).ravel()
        out[(..., *index)] = reduce(values, positions, [extent for _, extent in chosen])
    return out


# size, kernel, stride, padding, dilation, ceil_mode
SLIDING = [
    ((8,), 2, 2, 0, 1, False),
    ((9,), (3,), (2,), (1,), (2,), True),
    ((28, 28), 2, 2, 0, 1, False),
    ((7, 9), 3, 2, 1, 1, True),
    ((10, 11), (3, 2), (1, 3), (1, 0), (2, 1), False),
    ((5, 5), 3, 1, 1, 1, False),
    ((4, 5, 6), 2, 2, 0, 1, True),
    ((5, 4, 6), (2, 3, 2), (1, 2, 2), (1, 1, 0), 1, False),
]


def spread(value, rank):
    return value if isinstance(value, tuple) else (value,) * rank


def sliding_windows(size, kernel, stride, padding, dilation, ceil_mode):
    rank = len(size)
    return [
        windows(size[d], *(spread(v, rank)[d] for v in (kernel, stride, padding, dilation)), ceil_mode)
        for d in range(rank)
    ]


@pytest.mark.parametrize("case", SLIDING)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_pool(case, dtype):
    size, kernel, stride, padding, dilation, ceil_mode = case
    x = RNG.permutation(6 * int(np.prod(size))).reshape(2, 3, *size).astype(dtype)
    per_dimension = sliding_windows(*case)
    values = pool(x, per_dimension, lambda v, p, e: v.max(-1))
    positions = pool(x, per_dimension, lambda v, p, e: p[v.argmax(-1)])
    rank = len(size)
    lx = leaf(x)
    y, indices = getattr(tg, f"max_pool{rank}d_with_indices")(
        lx, kernel, stride, padding, dilation, ceil_mode
    )
    np.testing.assert_array_equal(y.detach().numpy(), values)
    np.testing.assert_array_equal(indices.numpy(), positions)
    plain = getattr(tg, f"max_pool{rank}d")(lx[0], kernel, stride, padding, dilation, ceil_mode)
    np.testing.assert_array_equal(plain.detach().numpy(), values[0])
    g = RNG.standard_normal(values.shape).astype(dtype)
    (dx,) = tg.autograd.grad(y, (lx,), tg.tensor(g))
    expected = np.zeros((6, int(np.prod(size))))
    for plane in range(6):
        np.add.at(expected[plane], indices.numpy().reshape(6, -1)[plane], g.reshape(6, -1)[plane])
    np.testing.assert_allclose(
        dx.numpy().reshape(6, -1), expected, atol=1e-5 if dtype == np.float32 else 1e-12
    )


@pytest.mark.parametrize("case", [c for c in SLIDING if c[4] == 1])
@pytest.mark.parametrize(("include", "divisor"), [(True, None), (False, None), (True, 5)])
def test_avg_pool(case, include, divisor):
    size, kernel, stride, padding, _, ceil_mode = case
    rank = len(size)
    options = (include,) if rank == 1 else (include, divisor)  # one dimension has no divisor_override
    divisor = None if rank == 1 else divisor
    x = RNG.standard_normal((2, 3, *size))

    def mean(values, positions, extents):
        return values.sum(-1) / (divisor or (np.prod(extents) if include else len(positions)))

    expected = pool(x, sliding_windows(*case), mean)
    lx = leaf(x)
    y = getattr(tg, f"avg_pool{rank}d")(lx, kernel, stride, padding, ceil_mode, *options)
    np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-13)
    check_linear(
        lambda t: getattr(tg, f"avg_pool{rank}d")(t, kernel, stride, padding, ceil_mode, *options), x
    )


def check_linear(function, x):
    """<g, f(x)> = <f'(g), x>, and the derivative of the derivative is f again."""
    lx = leaf(x)
    y = function(lx)
    g = leaf(RNG.standard_normal(tuple(y.shape)))
    (dx,) = tg.autograd.grad(y, (lx,), g, create_graph=True)
    direction = RNG.standard_normal(x.shape)
    moved = function(tg.tensor(direction))
    assert (dx.detach() * tg.tensor(direction)).sum().item() == pytest.approx(
        (g.detach() * moved).sum().item(), abs=1e-9
    )
    (again,) = tg.autograd.grad(dx, (g,), tg.tensor(direction))
    np.testing.assert_allclose(again.numpy(), moved.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("size", "out"),
    [((7,), (3,)), ((6, 9), (3, 4)), ((5, 5), (7, 2)), ((8, 8), (1, 1)), ((4, 5, 6), (2, 3, 4))],
)
def test_adaptive_pooling(size, out):
    rank = len(size)
    x = RNG.standard_normal((2, 3, *size))
    per_dimension = [adaptive(n, m) for n, m in zip(size, out, strict=True)]
    average = getattr(tg, f"adaptive_avg_pool{rank}d")
    np.testing.assert_allclose(
        average(tg.tensor(x), out).numpy(), pool(x, per_dimension, lambda v, p, e: v.mean(-1)), atol=1e-13
    )
    check_linear(lambda t: average(t, out), x)
    values, indices = getattr(tg, f"adaptive_max_pool{rank}d")(tg.tensor(x), out)
    np.testing.assert_array_equal(values.numpy(), pool(x, per_dimension, lambda v, p, e: v.max(-1)))
    np.testing.assert_array_equal(indices.numpy(), pool(x, per_dimension, lambda v, p, e: p[v.argmax(-1)]))


def test_max_pool_keeps_nan_and_second_derivatives():
    x = RNG.standard_normal((1, 1, 4, 20))
    x[0, 0, 1, 7] = np.nan
    y = tg.max_pool2d(tg.tensor(x), 2).numpy()
    assert np.isnan(y[0, 0, 0, 3]) and np.isnan(y).sum() == 1
    assert tg.max_pool1d(tg.full((1, 1, 4), -np.inf), 2).tolist() == [[[-np.inf, -np.inf]]]
    lx = leaf(np.nan_to_num(x))
    y = tg.max_pool2d(lx, 2)
    (dx,) = tg.autograd.grad((y * y * y).sum(), (lx,), create_graph=True)
    (d2x,) = tg.autograd.grad(dx.sum(), (lx,))
    chosen = dx.detach().numpy() != 0
    np.testing.assert_allclose(d2x.numpy(), np.where(chosen, 6 * np.nan_to_num(x), 0))
    assert tg.max_pool2d(tg.tensor([[[1, 5], [3, 2]]]), 2).tolist() == [[[5]]]


def columns_of(x, kernel, dilation, padding, stride):
    x = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    out = [(x.shape[d + 2] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d in range(2)]
    parts = []
    for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
        top, left = i * dilation[0], j * dilation[1]
        parts.append(
            x[:, :, top : top + out[0] * stride[0] : stride[0], left : left + out[1] * stride[1] : stride[1]]
        )
    return np.stack(parts, 2).reshape(x.shape[0], -1, out[0] * out[1])


@pytest.mark.parametrize(
    "case", [((6, 7), (3, 2), (1, 1), (0, 0), (1, 1)), ((8, 5), (2, 3), (2, 1), (1, 2), (2, 1))]
)
def test_unfold_and_fold(case):
    size, *window = case
    x = RNG.standard_normal((2, 3, *size))
    columns = tg.im2col(tg.tensor(x), *window)
    np.testing.assert_array_equal(columns.numpy(), columns_of(x, *window))
    check_linear(lambda t: tg.im2col(t, *window), x)
    check_linear(lambda t: tg.col2im(t, size, *window), RNG.standard_normal(tuple(columns.shape)))
    g = RNG.standard_normal(tuple(columns.shape))
    folded = tg.col2im(tg.tensor(g), size, *window)
    assert (folded.numpy() * x).sum() == pytest.approx((g * columns.numpy()).sum())


@pytest.mark.parametrize("padding", [(1, 2), (0, 3, 2, 0), (-1, 2, 3, -2), (1, 1, 0, 0, 2, 1), (-3, 0)])
def test_constant_padding(padding):
    x = RNG.standard_normal((2, 3, 4))
    widths = [(0, 0)] * (3 - len(padding) // 2) + [padding[i : i + 2] for i in range(0, len(padding), 2)][
        ::-1
    ]
    expected = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in widths], constant_values=1.5)
    expected = expected[
        tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, expected.shape, strict=True))
    ]
    np.testing.assert_array_equal(tg.constant_pad_nd(tg.tensor(x), padding, 1.5).numpy(), expected)
    check_linear(lambda t: tg.constant_pad_nd(t, padding), x)


X = tg.zeros(2, 4, 8, 8)
ERRORS = [
    (
        lambda: tg.max_pool2d(X, 2, padding=2),
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2",
    ),
    (
        lambda: tg.max_pool2d(X, 10),
        r"Given input size: \(4x8x8\). Calculated output size: \(4x0x0\). Output size is too small",
    ),
    (lambda: tg.max_pool2d(X, 2, 0), "stride should not be zero"),
    (
        lambda: tg.max_pool2d(X, (2, 2, 2)),
        "max_pool2d: kernel_size must either be a single int, or a tuple of two ints",
    ),
    (lambda: tg.max_pool2d(X, 2, dilation=0), "dilation should be greater than zero, but got dilation"),
    (lambda: tg.max_pool2d(X, 2, padding=-1), "pad must be non-negative, but got pad: -1"),
    (lambda: tg.avg_pool2d(X, 2, divisor_override=0), "divisor must be not zero"),
    (
        lambda: tg.adaptive_avg_pool2d(X[0, 0], 3),
        r"adaptive_avg_pool2d\(\): Expected 3D or 4D tensor, but got",
    ),
    (
        lambda: tg.adaptive_avg_pool2d(X, -1),
        "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0",
    ),
    (lambda: tg.im2col(X, 9), r"Given input with spatial size \(8, 8\), kernel_size=\(9, 9\)"),
    (
        lambda: tg.col2im(tg.zeros(2, 35, 36), 8, 3),
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size",
    ),
    (lambda: tg.col2im(tg.zeros(2, 36, 35), 8, 3), r"Given output_size=\(8, 8\), kernel_size=\(3, 3\)"),
    (
        lambda: tg.constant_pad_nd(X, (-9, 0)),
        "The input size 8, plus negative padding -9 and 0 resulted in a negative output size",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()
