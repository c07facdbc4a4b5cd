"""Reductions, scans, softmax, losses, normalisation: layouts, accuracy, threads, special derivatives."""

import itertools

import numpy as np
import pytest

import tapegrad as torch
import tapegrad.nn.functional as F


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def layouts(array):
    """The same values as a contiguous, a permuted and a sliced tensor."""
    plain = torch.from_numpy(array)
    order = list(range(array.ndim))[::-1]
    yield plain
    yield torch.from_numpy(np.ascontiguousarray(array.transpose(order))).permute(order)
    padded = np.zeros([size + 2 for size in array.shape])
    padded[tuple(slice(1, -1) for _ in array.shape)] = array
    yield torch.from_numpy(padded)[tuple(slice(1, -1) for _ in array.shape)]


@pytest.mark.parametrize("name", ["sum", "mean", "var", "amax", "amin", "prod"])
def test_every_subset_of_dimensions_in_every_layout(rng, name):
    array = rng.standard_normal((3, 4, 2, 5))
    reference = {"var": lambda a, axis: a.var(axis, ddof=1), "amax": np.max, "amin": np.min}.get(
        name, lambda a, axis: getattr(a, name)(axis)
    )
    for count in range(1, 5):
        for dims in itertools.combinations(range(4), count):
            if name == "prod" and count > 1:
                continue
            expected = reference(array, axis=dims)
            for x in layouts(array):
                result = getattr(x, name)(dim=dims[0] if name == "prod" else dims)
                np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3_000_000,), (1500, 2000), (200_000, 7), (3, 500_000), (40, 50, 600)])
def test_sums_of_floats_are_accurate(rng, shape):
    array = rng.random(shape, dtype=np.float32)
    x = torch.from_numpy(array)
    for dim in range(len(shape)):
        exact = array.sum(dim, dtype=np.float64)
        np.testing.assert_allclose(x.sum(dim).numpy(), exact, rtol=1e-6)
    np.testing.assert_allclose(x.sum().item(), array.sum(dtype=np.float64), rtol=1e-6)


def test_the_number_of_threads_changes_no_bit(rng):
    x = torch.from_numpy(rng.standard_normal((700, 900)).astype(np.float32))
    target = torch.from_numpy(rng.integers(0, 900, 700))

    def everything():
        y = x.clone().requires_grad_()
        loss = (
            F.cross_entropy(y, target)
            + F.layer_norm(y, (900,)).sum()
            + F.batch_norm(y, None, None, training=True).std()
        )
        (loss + y.softmax(0).square().sum() + y.logsumexp(1).mean() + y.norm()).backward()
        return [
            loss.detach(),
            y.grad,
            y.detach().sum(0),
            y.detach().sum(),
            y.detach().var(1),
            y.detach().cumsum(0),
        ]

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = everything()
        torch.set_num_threads(3)
        together = everything()
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(alone, together):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_variance_of_numbers_far_from_zero(rng):
    array = rng.standard_normal(10_000) + 1e7
    np.testing.assert_allclose(torch.from_numpy(array).var().item(), array.var(ddof=1), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.bool_])
def test_integers_are_summed_in_int64(rng, dtype):
    array = rng.integers(0, 2 if dtype == np.bool_ else 100, (33, 70)).astype(dtype)
    x = torch.from_numpy(array)
    assert x.sum().dtype == torch.int64
    assert x.sum().item() == array.sum(dtype=np.int64)
    np.testing.assert_array_equal(x.sum(0).numpy(), array.sum(0, dtype=np.int64))
    np.testing.assert_array_equal(x.sum(1).numpy(), array.sum(1, dtype=np.int64))
    np.testing.assert_array_equal(x.cumsum(1).numpy(), array.cumsum(1, dtype=np.int64))


@pytest.mark.parametrize("n", [1, 7, 16, 63, 64, 65, 1000, 70_000])
def test_positions_of_extremes_are_the_first(rng, n):
    array = rng.integers(0, 5, (2, n)).astype(np.float32)
    x = torch.from_numpy(array)
    np.testing.assert_array_equal(x.argmax(1).numpy(), array.argmax(1))
    np.testing.assert_array_equal(x.argmin(1).numpy(), array.argmin(1))
    np.testing.assert_array_equal(x.t().contiguous().argmax(0).numpy(), array.argmax(1))
    assert x.argmax().item() == array.argmax()
    array[1, n // 2] = np.nan
    result = torch.from_numpy(array).max(1)
    assert result.indices.tolist()[1] == n // 2
    assert np.isnan(result.values.numpy()[1])


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_products_with_zeros_have_exact_derivatives_of_second_order(rng, zeros):
    array = rng.standard_normal(5)
    array[:zeros] = 0
    x = torch.from_numpy(array).requires_grad_()
    (gradient,) = torch.autograd.grad(x.prod(), x, create_graph=True)
    others = [np.prod(np.delete(array, i)) for i in range(5)]
    np.testing.assert_allclose(gradient.detach().numpy(), others, rtol=1e-12)
    if zeros:
        (second,) = torch.autograd.grad(gradient.sum(), x)
        expected = [sum(np.prod(np.delete(array, [i, j])) for j in range(5) if j != i) for i in range(5)]
        np.testing.assert_allclose(second.numpy(), expected, rtol=1e-12)
    (of_running,) = torch.autograd.grad(x.cumprod(0).sum(), x)
    expected = [sum(np.prod(np.delete(array[: k + 1], i)) for k in range(i, 5)) for i in range(5)]
    np.testing.assert_allclose(of_running.numpy(), expected, rtol=1e-12)


def test_ties_share_the_gradient_of_amax_and_one_takes_that_of_max():
    x = torch.tensor([[1.0, 3.0, 3.0]], requires_grad=True)
    x.amax(1).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.5, 0.5]]
    x.grad = None
    x.max(1).values.sum().backward()
    assert x.grad.tolist() == [[0.0, 1.0, 0.0]]


def test_derivatives_of_norm_and_std_at_zero_are_zero():
    x = torch.zeros(4, requires_grad=True)
    (x.norm() + x.std()).backward()
    assert x.grad.tolist() == [0.0] * 4


def test_softmax_of_masked_and_huge_scores():
    x = torch.tensor([[1e4, 0.0, -1e4], [0.0, float("-inf"), 0.0]])
    assert x.softmax(1).tolist() == [[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]
    assert x.t().contiguous().softmax(0).t().tolist() == x.softmax(1).tolist()
    assert x.logsumexp(1).tolist() == [1e4, pytest.approx(np.log(2))]


def test_cross_entropy_is_nll_of_log_softmax(rng):
    logits = torch.from_numpy(rng.standard_normal((6, 4, 3)))
    target = torch.from_numpy(rng.integers(0, 4, (6, 3)))
    target[0, 0] = -100
    weight = torch.from_numpy(rng.random(4) + 0.1)
    for reduction in ("none", "sum", "mean"):
        a, b = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        fused = F.cross_entropy(a, target, weight, reduction=reduction)
        plain = F.nll_loss(b.log_softmax(1), target, weight, reduction=reduction)
        np.testing.assert_allclose(fused.detach().numpy(), plain.detach().numpy(), rtol=1e-12)
        fused.sum().backward()
        plain.sum().backward()
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_class_indices_out_of_range_are_refused():
    with pytest.raises(IndexError, match="Target 5 is out of bounds"):
        F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 5]))
    with pytest.raises(IndexError, match="Target -1 is out of bounds"):
        F.nll_loss(torch.zeros(2, 3), torch.tensor([0, -1]))


def test_batch_norm_keeps_running_statistics(rng):
    array = rng.standard_normal((8, 3, 5)) * 2 + 1
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    y = F.batch_norm(torch.from_numpy(array), mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * array.mean((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * array.var((0, 2), ddof=1), rtol=1e-12)
    np.testing.assert_allclose(y.numpy().mean((0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.numpy().var((0, 2)), 1, rtol=1e-4)
