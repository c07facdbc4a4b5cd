"""Convolutions against direct sums: values, gradients, second derivatives, errors, any number of threads."""

import itertools

import numpy as np
import pytest

import tapegrad as tg

RNG = np.random.default_rng(0)

# rank, groups, input channels and output channels per group, size, kernel, stride, padding, dilation
CASES = [
    (1, 1, 1, 1, (5,), (3,), (1,), (0,), (1,)),
    (1, 2, 3, 5, (40,), (4,), (3,), (2,), (2,)),
    (1, 1, 16, 24, (200,), (5,), (1,), (2,), (1,)),
    (2, 1, 1, 6, (28, 28), (5, 5), (1, 1), (2, 2), (1, 1)),
    (2, 1, 3, 8, (9, 11), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 1, 3, 9, (12, 10), (3, 2), (2, 3), (1, 0), (1, 2)),
    (2, 1, 20, 17, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 1, 16, 16, (20, 20), (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 6, 1, 1, (12, 12), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 2, 4, 6, (8, 8), (1, 1), (1, 1), (0, 0), (1, 1)),
    (2, 1, 4, 6, (8, 8), (1, 1), (2, 2), (0, 0), (1, 1)),
    (2, 1, 3, 10, (5, 5), (5, 5), (1, 1), (0, 0), (1, 1)),
    (2, 1, 3, 4, (16, 16), (4, 4), (4, 4), (0, 0), (1, 1)),
    (2, 1, 2, 3, (6, 6), (2, 2), (3, 3), (1, 1), (2, 2)),
    (3, 1, 2, 3, (5, 6, 7), (3, 2, 3), (1, 2, 1), (1, 0, 2), (1, 1, 2)),
    (3, 2, 2, 4, (4, 8, 8), (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
]
IDS = [
    f"{c[0]}d-g{c[1]}-{c[2]}to{c[3]}-{'x'.join(map(str, c[4]))}-k{'x'.join(map(str, c[5]))}-s{c[6][-1]}"
    for c in CASES
]


def direct(x, w, bias, stride, padding, dilation, groups):
    """The definition: a sum over kernel positions of shifted inputs."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in padding])
    out = [(x.shape[i + 2] - dilation[i] * (w.shape[i + 2] - 1) - 1) // stride[i] + 1 for i in range(rank)]
    batch, rows = x.shape[0], w.shape[0] // groups
    y = np.zeros((batch, groups, rows, *out), x.dtype)
    x = x.reshape(batch, groups, -1, *x.shape[2:])
    w = w.reshape(groups, rows, *w.shape[1:])
    for k in itertools.product(*(range(n) for n in w.shape[3:])):
        window = tuple(
            slice(k[i] * dilation[i], k[i] * dilation[i] + (out[i] - 1) * stride[i] + 1, stride[i])
            for i in range(rank)
        )
        y += np.einsum("ngc...,grc->ngr...", x[(slice(None),) * 3 + window], w[(slice(None),) * 3 + k])
    y = y.reshape(batch, -1, *out)
    return y + bias.reshape(-1, *(1,) * rank) if bias is not None else y


def make(case, dtype=np.float64, batch=3):
    rank, groups, channels, rows, size, kernel, *rest = case
    x = RNG.standard_normal((batch, groups * channels, *size)).astype(dtype)
    w = RNG.standard_normal((groups * rows, channels, *kernel)).astype(dtype)
    bias = RNG.standard_normal(groups * rows).astype(dtype)
    return x, w, bias, rest


def conv(rank):
    return getattr(tg, f"conv{rank}d")


def leaf(array):
    return tg.tensor(array, requires_grad=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_values(case, dtype):
    x, w, bias, (stride, padding, dilation) = make(case, dtype)
    expected = direct(x.astype(np.float64), w.astype(np.float64), bias, stride, padding, dilation, case[1])
    y = conv(case[0])(tg.tensor(x), tg.tensor(w), tg.tensor(bias), stride, padding, dilation, case[1])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(y.numpy(), expected, atol=scale * (1e-5 if dtype == np.float32 else 1e-13))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradients_are_adjoints(case):
    """<g, conv(x, w)> is linear in x and in w: its gradients give the same number back."""
    x, w, bias, (stride, padding, dilation) = make(case)
    x, w, bias = leaf(x), leaf(w), leaf(bias)
    y = conv(case[0])(x, w, None, stride, padding, dilation, case[1])
    g = tg.tensor(RNG.standard_normal(tuple(y.shape)))
    dx, dw = tg.autograd.grad(y, (x, w), g)
    value = (g * y).sum().item()
    assert (dx * x).sum().item() == pytest.approx(value, rel=1e-10, abs=1e-9)
    assert (dw * w).sum().item() == pytest.approx(value, rel=1e-10, abs=1e-9)
    # Against directions other than x and w themselves.
    direction_x, direction_w = (tg.tensor(RNG.standard_normal(tuple(t.shape))) for t in (x, w))
    moved_x = conv(case[0])(direction_x, w, None, stride, padding, dilation, case[1])
    moved_w = conv(case[0])(x, direction_w, None, stride, padding, dilation, case[1])
    assert (dx * direction_x).sum().item() == pytest.approx((g * moved_x).sum().item(), rel=1e-9, abs=1e-8)
    assert (dw * direction_w).sum().item() == pytest.approx((g * moved_w).sum().item(), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_bias_gradient(case):
    x, w, bias, (stride, padding, dilation) = make(case)
    bias = leaf(bias)
    y = conv(case[0])(tg.tensor(x), tg.tensor(w), bias, stride, padding, dilation, case[1])
    g = RNG.standard_normal(tuple(y.shape))
    (db,) = tg.autograd.grad(y, (bias,), tg.tensor(g))
    np.testing.assert_allclose(db.numpy(), g.sum(axis=(0, *range(2, g.ndim))), rtol=1e-12)


@pytest.mark.parametrize("case", CASES[::2], ids=IDS[::2])
def test_second_derivatives(case):
    """The gradient of <dx, u> + <dw, v> by central differences along a random direction."""
    x, w, _, (stride, padding, dilation) = make(case, batch=2)
    u, v = RNG.standard_normal(x.shape), RNG.standard_normal(w.shape)
    g = None

    def functional(x, w):
        nonlocal g
        y = conv(case[0])(x, w, None, stride, padding, dilation, case[1])
        y = y * y * y
        if g is None:
            g = tg.tensor(RNG.standard_normal(tuple(y.shape)))
        dx, dw = tg.autograd.grad(y, (x, w), g, create_graph=True)
        return (dx * tg.tensor(u)).sum() + (dw * tg.tensor(v)).sum()

    lx, lw = leaf(x), leaf(w)
    gx, gw = tg.autograd.grad(functional(lx, lw), (lx, lw))
    a, b = RNG.standard_normal(x.shape), RNG.standard_normal(w.shape)
    step = 1e-6
    ahead = functional(leaf(x + step * a), leaf(w + step * b)).item()
    behind = functional(leaf(x - step * a), leaf(w - step * b)).item()
    expected = (ahead - behind) / (2 * step)
    assert (gx.numpy() * a).sum() + (gw.numpy() * b).sum() == pytest.approx(expected, rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_transpose_is_the_adjoint(case):
    """conv_transpose of g is the gradient of conv in its input, on the sizes where shapes agree."""
    rank, groups = case[:2]
    x, w, _, (stride, padding, dilation) = make(case)
    x = leaf(x)
    y = conv(rank)(x, tg.tensor(w), None, stride, padding, dilation, groups)
    g = tg.tensor(RNG.standard_normal(tuple(y.shape)))
    (dx,) = tg.autograd.grad(y, (x,), g)
    extra = [
        (n + 2 * p - d * (k - 1) - 1) % s
        for n, p, d, k, s in zip(case[4], padding, dilation, case[5], stride, strict=True)
    ]
    transposed = getattr(tg, f"conv_transpose{rank}d")(
        g, tg.tensor(w), None, stride, padding, extra, groups, dilation
    )
    np.testing.assert_array_equal(transposed.numpy(), dx.numpy())


def test_transpose_with_bias_and_gradients():
    y, w, bias = (leaf(RNG.standard_normal(s)) for s in ((2, 4, 5, 6), (4, 3, 3, 2), (6,)))
    x = tg.conv_transpose2d(y, w, bias, (2, 3), (1, 0), (1, 2), 2, (2, 1))
    assert tuple(x.shape) == (2, 6, 12, 19)
    plain = tg.conv_transpose2d(y, w, None, (2, 3), (1, 0), (1, 2), 2, (2, 1))
    np.testing.assert_allclose(
        x.detach().numpy(), plain.detach().numpy() + bias.detach().numpy()[:, None, None], rtol=1e-12
    )
    g = tg.tensor(RNG.standard_normal(tuple(x.shape)))
    dy, dw, db = tg.autograd.grad(x, (y, w, bias), g)
    value = (g * plain).sum().item()
    assert (dy * y).sum().item() == pytest.approx(value)
    assert (dw * w).sum().item() == pytest.approx(value)
    np.testing.assert_allclose(db.numpy(), g.numpy().sum(axis=(0, 2, 3)))


def test_padding_words_and_unbatched_inputs():
    x, w = tg.tensor(RNG.standard_normal((2, 3, 7, 8))), tg.tensor(RNG.standard_normal((4, 3, 4, 3)))
    assert tuple(tg.conv2d(x, w, padding="valid").shape) == (2, 4, 4, 6)
    same = tg.conv2d(x, w, padding="same", dilation=(1, 2))
    assert tuple(same.shape) == (2, 4, 7, 8)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (1, 2), (2, 2)])
    np.testing.assert_allclose(
        same.numpy(), direct(padded, w.numpy(), None, (1, 1), (0, 0), (1, 2), 1), atol=1e-12
    )
    np.testing.assert_array_equal(tg.conv2d(x[0], w).numpy(), tg.conv2d(x[:1], w).numpy()[0])


def test_layouts_and_empty_batches():
    x, w = RNG.standard_normal((2, 8, 9, 3)), RNG.standard_normal((3, 3, 3, 5))
    y = tg.conv2d(tg.tensor(x).permute(0, 3, 1, 2), tg.tensor(w).permute(3, 0, 1, 2))
    expected = direct(x.transpose(0, 3, 1, 2), w.transpose(3, 0, 1, 2), None, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-12)
    assert tuple(tg.conv2d(tg.zeros(0, 3, 8, 8), tg.zeros(5, 3, 3, 3)).shape) == (0, 5, 6, 6)
    integers = tg.conv1d(tg.tensor([[[1, 2, 3, 4]]]), tg.tensor([[[1, -1]]]))
    assert integers.tolist() == [[[-1, -1, -1]]]


@pytest.mark.parametrize("case", [CASES[i] for i in (2, 3, 7, 8, 9, 15)])
def test_results_do_not_depend_on_the_number_of_threads(case):
    x, w, bias, (stride, padding, dilation) = make(case, np.float32, batch=9)
    before = tg.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            lx, lw = leaf(x), leaf(w)
            y = conv(case[0])(lx, lw, tg.tensor(bias), stride, padding, dilation, case[1])
            results.append([t.detach().numpy() for t in (y, *tg.autograd.grad((y * y).sum(), (lx, lw)))])
    finally:
        tg.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_names_in_the_graph():
    x, w, bias = (
        leaf(RNG.standard_normal((1, 2, 5, 5))),
        leaf(RNG.standard_normal((3, 2, 3, 3))),
        leaf(np.zeros(3)),
    )
    y = tg.conv2d(x, w, bias)
    assert y.grad_fn.name() == "ConvolutionBackward0"
    assert len(y.grad_fn.next_functions) == 3
    assert tg.conv_transpose2d(x, w.transpose(0, 1)).grad_fn.name() == "ConvolutionBackward0"


X, W = tg.zeros(2, 4, 8, 8), tg.zeros(6, 4, 3, 3)
ERRORS = [
    (
        lambda: tg.conv2d(X, tg.zeros(6, 3, 3, 3)),
        "Given groups=1, weight of size .*expected input.*to have 3 channels, but got 4",
    ),
    (
        lambda: tg.conv2d(X, tg.zeros(6, 1, 3, 3), groups=4),
        "Given groups=4, expected weight to be divisible by 4 at dimension 0",
    ),
    (
        lambda: tg.conv2d(X, W, tg.zeros(5)),
        "expected bias to be 1-dimensional with 6 elements, but got bias of size",
    ),
    (
        lambda: tg.conv2d(X, tg.zeros(6, 4, 9, 9)),
        r"Calculated padded input size per channel: \(8 x 8\). Kernel size: \(9 x 9\)",
    ),
    (
        lambda: tg.conv2d(tg.zeros(4, 4), W),
        r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d, but got input of size: \[4, 4\]",
    ),
    (lambda: tg.conv2d(X, W, stride=0), "non-positive stride is not supported"),
    (lambda: tg.conv2d(X, W, padding=-1), "negative padding is not supported"),
    (lambda: tg.conv2d(X, W, dilation=0), "non-positive dilation is not supported"),
    (lambda: tg.conv2d(X, W, groups=0), "non-positive groups is not supported"),
    (
        lambda: tg.conv2d(X, W, stride=(1, 2, 3)),
        "expected stride to be a single integer value or a list of 2 values",
    ),
    (
        lambda: tg.conv2d(X, W, padding="same", stride=2),
        "padding='same' is not supported for strided convolutions",
    ),
    (lambda: tg.conv2d(X, W, padding="full"), "Invalid padding string: 'full'"),
    (lambda: tg.conv2d(X.double(), W), "expected scalar type Double but found Float"),
    (
        lambda: tg.conv2d(X, W, tg.zeros(6).double()),
        r"Input type \(float\) and bias type \(double\) should be the same",
    ),
    (
        lambda: tg.conv_transpose2d(X, tg.zeros(5, 6, 3, 3)),
        "Given transposed=1, weight of size .*to have 5 channels, but got 4",
    ),
    (
        lambda: tg.conv_transpose2d(X, tg.zeros(4, 6, 3, 3), output_padding=1),
        "output padding must be smaller than either stride or dilation",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()
