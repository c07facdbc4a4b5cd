"""Views, strided copies and indexing against NumPy, which has nearly the same rules."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tapegrad as torch

KEYS = [
    0,
    -1,
    (0, 1),
    (slice(None), 1),
    (Ellipsis, 2),
    slice(1, None),
    (slice(None), slice(None, None, 2)),
    None,
    (None, 0, Ellipsis, None),
    [1, 0, 1],
    (slice(None), [2, 0]),
    ([0, 1], [1, 2]),
    ([0, 1], slice(None), [1, 2]),
    (slice(None), [[0, 1], [2, 0]]),
    (slice(None), np.array([True, False, True])),
    (slice(None), [-1, -2], None),
]


def random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading_and_writing_follow_numpy(key) -> None:
    array = random_array(2, 3, 4)
    tensor = torch.tensor(array)
    expected = array[key]
    assert tensor[key].shape == expected.shape
    np.testing.assert_array_equal(tensor[key].numpy(), expected)
    array[key] = 7.0
    tensor[key] = 7.0
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize(
    "shape", [(5,), (33, 65), (300, 270), (3, 37, 41), (2, 5, 19, 23), (0, 3), (1, 70, 1, 9)]
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_copies_of_every_order_of_dimensions(shape, dtype) -> None:
    array = (random_array(*shape) * 50).astype(dtype)
    tensor = torch.tensor(array)
    for order in itertools.permutations(range(len(shape))):
        np.testing.assert_array_equal(tensor.permute(*order).contiguous().numpy(), array.transpose(order))
        target = torch.zeros(*array.transpose(order).shape, dtype=tensor.dtype)
        target.permute(*np.argsort(order).tolist()).copy_(tensor)
        np.testing.assert_array_equal(target.numpy(), array.transpose(order))


@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 0.99, 1.0])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, 10001])
def test_nonzero_finds_every_true_element(density, size) -> None:
    mask = np.random.default_rng(size).random(size) < density
    np.testing.assert_array_equal(torch.tensor(mask).nonzero().numpy()[:, 0], np.nonzero(mask)[0])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [10, 255, 256, 5000])
def test_sort_is_stable_and_puts_nan_last(descending, size) -> None:
    values = np.random.default_rng(1).integers(-5, 5, size).astype("float32")
    values[::7] = np.nan
    values[1::7] = -0.0
    ordered, indices = torch.tensor(values).sort(descending=descending)
    rank = np.where(np.isnan(values), np.inf, values) * (-1 if descending else 1)
    expected = np.argsort(rank, kind="stable")
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_array_equal(ordered.numpy(), values[expected])


def test_gradient_of_repeated_indices_is_summed_at_every_order() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x[[0, 2, 0]] ** 3).sum()
    (first,) = torch.autograd.grad(y, x, create_graph=True)
    assert first.tolist() == [6.0, 0.0, 27.0]
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.tolist() == [12.0, 0.0, 18.0]


def test_writing_into_a_view_reaches_the_gradient_of_both() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y[0] = v
    (y * y).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 0.0], [8.0, 8.0, 8.0]]
    assert v.grad.tolist() == [2.0, 4.0, 6.0]


def test_overlapping_as_strided_sums_its_gradient() -> None:
    x = torch.arange(4.0).requires_grad_()
    x.as_strided((3, 2), (1, 1)).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda x: x[5], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda x: x[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
        (lambda x: x[::-1], ValueError, "step must be greater than zero"),
        (lambda x: x[[0, 7]], IndexError, "index 7 is out of bounds for dimension 0 with size 2"),
        (lambda x: x.view(5), RuntimeError, "shape '[5]' is invalid for input of size 6"),
        (
            lambda x: x.gather(0, torch.tensor([[2]])),
            RuntimeError,
            "index 2 is out of bounds for dimension 0 with size 2",
        ),
        (
            lambda x: torch.cat([x, x[:, :1]]),
            RuntimeError,
            "Sizes of tensors must match except in dimension 0.",
        ),
    ],
)
def test_errors_begin_with_the_words_of_pytorch(action, error, words) -> None:
    with pytest.raises(error) as caught:
        action(torch.zeros(2, 3))
    assert str(caught.value).startswith(words)
