"""Generated shapes, indices and programs against NumPy: values, views, writes and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad as torch
from gradient_checker import check_gradients

Index = Any
SMALL_SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
FILLED_SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    """Distinct values, so that a misplaced element is seen."""
    return np.arange(1.0, 1.0 + int(np.prod(shape))).reshape(shape)


def assert_equal(tensor: Any, array: Any) -> None:
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=1e-12)
    assert tuple(tensor.shape) == np.shape(array)


@st.composite
def dims_of(draw: st.DrawFn, ndim: int) -> tuple[int, ...]:
    """Some distinct dimensions, positive or negative."""
    chosen = draw(st.lists(st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True))
    return tuple(d - ndim if draw(st.booleans()) else d for d in chosen)


@st.composite
def slices(draw: st.DrawFn, size: int) -> slice:
    """A slice with a positive step, as tensors accept it."""
    bound = st.none() | st.integers(-size - 1, size + 1)
    return slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3)))


@st.composite
def basic_indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Index:
    """Integers, slices, None and an Ellipsis."""
    index: list[Any] = []
    taken = draw(st.integers(0, len(shape)))
    for size in shape[:taken]:
        index.append(draw(slices(size) if size == 0 or draw(st.booleans()) else st.integers(-size, size - 1)))
    if draw(st.booleans()):
        index.append(Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        index.insert(draw(st.integers(0, len(index))), None)
    return index[0] if len(index) == 1 and draw(st.booleans()) else tuple(index)


@st.composite
def advanced_indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Index:
    """Integer arrays, lists and boolean masks, mixed with slices."""
    common = draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))
    index: list[Any] = []
    position = 0
    while position < len(shape) and draw(st.integers(0, 4)):
        size = shape[position]
        kind = draw(st.sampled_from(["array", "array", "broadcast", "list", "slice", "mask"]))
        if kind == "mask" and len(common) == 1:
            mask = draw(hnp.arrays(bool, (size,)))
            assume(mask.sum() in (1, common[0]))
            index.append(mask)
        elif kind == "slice":
            index.append(draw(slices(size)))
        elif kind == "list":
            index.append([draw(st.integers(-size, size - 1)) for _ in range(common[-1])])
        else:
            chosen = common if kind == "array" else (1,) * draw(st.integers(0, 1)) + common[-1:]
            index.append(draw(hnp.arrays(np.int64, chosen, elements=st.integers(-size, size - 1))))
        position += 1
    assume(any(isinstance(part, (np.ndarray, list)) for part in index))
    return tuple(index)


def for_tensor(index: Index) -> Index:
    """The index with tensors in place of arrays."""
    if isinstance(index, tuple):
        return tuple(for_tensor(part) for part in index)
    return torch.tensor(index) if isinstance(index, np.ndarray) else index


def gradient_of_reading(shape: tuple[int, ...], index: Index, weights: np.ndarray) -> np.ndarray:
    """The adjoint of reading: every read element gets its weight, repeated reads add up."""
    gradient = np.zeros(shape)
    np.add.at(gradient, index, weights)
    return gradient


@given(st.data(), SMALL_SHAPES)
def test_basic_indexing_reads_a_view(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array, index = numbered(shape), data.draw(basic_indices(shape))
    tensor = torch.tensor(array)
    found = tensor[for_tensor(index)]
    assert_equal(found, array[index])
    found.fill_(-1.0)
    array[index] = -1.0
    assert_equal(tensor, array)


@given(st.data(), FILLED_SHAPES)
def test_advanced_indexing_reads_a_copy(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array, index = numbered(shape), data.draw(advanced_indices(shape))
    tensor = torch.tensor(array)
    found = tensor[for_tensor(index)]
    assert_equal(found, array[index])
    found.fill_(-1.0)
    assert_equal(tensor, array)


@given(st.data(), FILLED_SHAPES)
def test_integers_are_taken_before_arrays(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """Unlike in NumPy an integer next to index arrays is a plain selection, wherever it stands."""
    position = data.draw(st.integers(0, len(shape) - 1))
    rest = shape[:position] + shape[position + 1 :]
    assume(rest)
    others = data.draw(advanced_indices(rest))
    assume(len(others) >= position and not any(np.asarray(part).dtype == bool for part in others))
    number = data.draw(st.integers(-shape[position], shape[position] - 1))
    tensor = torch.tensor(numbered(shape))
    found = tensor[for_tensor((*others[:position], number, *others[position:]))]
    assert_equal(found, np.take(numbered(shape), number, position)[others])


@given(st.data(), FILLED_SHAPES)
def test_gradient_of_indexing(data: st.DataObject, shape: tuple[int, ...]) -> None:
    index = data.draw(basic_indices(shape) | advanced_indices(shape))
    x = torch.tensor(numbered(shape), requires_grad=True)
    found = x[for_tensor(index)]
    weights = numbered(tuple(found.shape))
    (found * torch.tensor(weights)).sum().backward()
    assert_equal(x.grad, gradient_of_reading(shape, index, weights))


@given(st.data(), FILLED_SHAPES)
def test_assignment(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """Writing a broadcast value; an element that is written twice gets equal values, so order is free."""
    array, index = numbered(shape), data.draw(basic_indices(shape) | advanced_indices(shape))
    tensor = torch.tensor(array)
    repeated = np.zeros(shape)
    np.add.at(repeated, index, 1)
    target = array[index].shape
    value = (
        np.full((), -5.0)
        if (repeated > 1).any()
        else -numbered(target[data.draw(st.integers(0, len(target))) :])
    )
    array[index] = value
    tensor[for_tensor(index)] = torch.tensor(value)
    assert_equal(tensor, array)


@given(st.data(), FILLED_SHAPES)
def test_gradient_of_assignment(data: st.DataObject, shape: tuple[int, ...]) -> None:
    index = data.draw(basic_indices(shape) | advanced_indices(shape))
    written = np.zeros(shape)
    np.add.at(written, index, 1)
    assume((written <= 1).all())
    x = torch.tensor(numbered(shape), requires_grad=True)
    value = torch.tensor(-numbered(numbered(shape)[index].shape), requires_grad=True)
    target = x * 1
    target[for_tensor(index)] = value
    weights = numbered(shape)
    (target * torch.tensor(weights)).sum().backward()
    assert_equal(x.grad, np.where(written > 0, 0, weights))
    assert_equal(value.grad, weights[index])


@given(st.data(), FILLED_SHAPES)
def test_masks_of_several_dims(data: st.DataObject, shape: tuple[int, ...]) -> None:
    covered = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(bool, shape[:covered]))
    array = numbered(shape)
    x = torch.tensor(array, requires_grad=True)
    found = x[torch.tensor(mask)]
    assert_equal(found, array[mask])
    found.sum().backward()
    assert_equal(
        x.grad, np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - covered)), shape).astype(float)
    )


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
def test_broadcasting(shapes: hnp.BroadcastableShapes) -> None:
    first, second = (numbered(shape) for shape in shapes.input_shapes)
    a, b = (torch.tensor(array, requires_grad=True) for array in (first, second))
    product = a * b
    assert_equal(product, first * second)
    weights = numbered(shapes.result_shape)
    (product * torch.tensor(weights)).sum().backward()
    assert_equal(a.grad, sum_to(weights * second, first.shape))
    assert_equal(b.grad, sum_to(weights * first, second.shape))


def sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array summed over the dimensions along which `shape` was broadcast."""
    array = array.sum(tuple(range(array.ndim - len(shape))))
    return array.sum(
        tuple(d for d, size in enumerate(shape) if size == 1 and array.shape[d] != 1), keepdims=True
    )


@given(st.lists(hnp.array_shapes(max_dims=3, max_side=3), min_size=2, max_size=3))
def test_shapes_that_do_not_broadcast_raise(shapes: list[tuple[int, ...]]) -> None:
    tensors = [torch.ones(shape) for shape in shapes]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        expected = None
    try:
        found = tuple(sum(tensors[1:], tensors[0]).shape)
    except RuntimeError as error:
        assert "must match the size of tensor b" in str(error)
        found = None
    assert found == expected


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), st.booleans())
def test_reductions(data: st.DataObject, shape: tuple[int, ...], keepdim: bool) -> None:
    dims = data.draw(dims_of(len(shape)))
    order = data.draw(st.permutations(range(len(shape))))
    array = np.cos(numbered(shape)).transpose(order)
    x = torch.tensor(np.cos(numbered(shape))).permute(order).requires_grad_()
    for name, reference in [("sum", np.sum), ("mean", np.mean), ("amax", np.max), ("amin", np.min)]:
        np.testing.assert_allclose(
            getattr(x, name)(dims, keepdim).detach().numpy(),
            reference(array, dims, keepdims=keepdim),
            1e-12,
            1e-12,
        )
    np.testing.assert_allclose(
        x.logsumexp(dims, keepdim).exp().detach().numpy(), np.exp(array).sum(dims, keepdims=keepdim), 1e-12
    )
    weights = numbered(np.sum(array, dims, keepdims=True).shape)
    (x.sum(dims, keepdim=True) * torch.tensor(weights)).sum().backward()
    assert_equal(x.grad, np.broadcast_to(weights, array.shape))


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
def test_scans_and_sorting_along_a_dim(data: st.DataObject, shape: tuple[int, ...]) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    array = np.sin(numbered(shape) * 7)
    x = torch.tensor(array)
    np.testing.assert_allclose(x.cumsum(dim).numpy(), np.cumsum(array, dim), 1e-12, 1e-12)
    np.testing.assert_allclose(x.cumprod(dim).numpy(), np.cumprod(array, dim), 1e-12, 1e-12)
    values, indices = x.sort(dim)
    assert_equal(values, np.sort(array, dim))
    assert_equal(x.gather(dim, indices), np.sort(array, dim))
    assert_equal(x.argmax(dim), np.argmax(array, dim))
    assert_equal(x.flip(dim if isinstance(dim, tuple) else (dim,)), np.flip(array, dim))


def factorizations(size: int) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = [(size,), (1, size), (size, 1)]
    shapes += [(a, size // a) for a in range(2, size) if size % a == 0]
    return shapes


STEPS = [
    "reshape",
    "permute",
    "transpose",
    "slice",
    "unsqueeze",
    "squeeze",
    "flip",
    "expand",
    "select",
    "narrow",
    "flatten",
]


def rearrange(step: str, data: st.DataObject, tensor: Any, array: np.ndarray) -> tuple[Any, np.ndarray]:
    """One random step of a chain, done to a tensor and to an array."""
    ndim, draw = array.ndim, data.draw
    if step == "reshape":
        shape = draw(st.sampled_from(factorizations(array.size)))
        return tensor.reshape(shape), array.reshape(shape)
    if step == "flatten":
        return tensor.flatten(), array.reshape(-1)
    if step == "unsqueeze":
        dim = draw(st.integers(0, ndim))
        return tensor.unsqueeze(dim), np.expand_dims(array, dim)
    if step == "squeeze":
        return tensor.squeeze(), np.squeeze(array)
    if step == "expand":
        return tensor.expand(2, *tensor.shape), np.broadcast_to(array, (2, *array.shape))
    if ndim == 0 or array.size == 0:
        return tensor, array
    if step == "permute":
        order = draw(st.permutations(range(ndim)))
        return tensor.permute(order), array.transpose(order)
    dim = draw(st.integers(0, ndim - 1))
    if step == "transpose":
        return tensor.transpose(0, dim), array.swapaxes(0, dim)
    if step == "flip":
        return tensor.flip(dim, 0) if dim else tensor.flip((0,)), np.flip(array, (dim, 0) if dim else 0)
    if step == "select":
        return tensor.select(dim, -1), np.take(array, -1, dim)
    if step == "narrow":
        return tensor.narrow(dim, 0, array.shape[dim] - 1), array[
            (slice(None),) * dim + (slice(0, array.shape[dim] - 1),)
        ]
    chosen = (slice(None),) * dim + (draw(slices(array.shape[dim])),)
    return tensor[chosen], array[chosen]


@given(
    st.data(),
    hnp.array_shapes(max_dims=3, max_side=4),
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=6),
)
def test_chains_of_rearrangements(data: st.DataObject, shape: tuple[int, ...], steps: list[str]) -> None:
    """Values of the chain, and its gradient: every element gets the sum of the weights of its copies."""
    x = torch.tensor(numbered(shape), requires_grad=True)
    tensor, array = x * 1, numbered(shape)
    for step in steps:
        if array.size > 0:
            tensor, array = rearrange(step, data, tensor, array)
    assert_equal(tensor, array)
    weights = np.cos(numbered(array.shape))
    (tensor * torch.tensor(weights)).sum().backward()
    expected = np.zeros(int(np.prod(shape)))
    np.add.at(expected, array.astype(int).reshape(-1) - 1, weights.reshape(-1))
    np.testing.assert_allclose(x.grad.numpy().reshape(-1), expected, rtol=1e-12, atol=1e-12)


VIEW_STEPS = ["permute", "transpose", "slice", "unsqueeze", "select", "narrow"]


@given(
    st.data(),
    hnp.array_shapes(max_dims=3, max_side=4),
    st.lists(st.sampled_from([*VIEW_STEPS, "write"]), min_size=2, max_size=8),
)
def test_writes_into_chains_of_views(data: st.DataObject, shape: tuple[int, ...], steps: list[str]) -> None:
    """Random views and in-place writes do to the base what they do to a NumPy array."""
    base, array = torch.tensor(numbered(shape)), numbered(shape)
    view, window = base, array
    for number, step in enumerate(steps):
        if step == "write":
            view.mul_(0.5).add_(number)
            window *= 0.5
            window += number
        elif window.ndim:
            view, window = rearrange(step, data, view, window[...])
            window = window if np.shares_memory(window, array) or not window.size else array[:0]
            if window.size != view.numel():
                view = base[:0]
    assert_equal(base, array)


@settings(max_examples=40)
@given(st.data(), hnp.array_shapes(max_dims=2, min_side=1, max_side=3), st.integers(1, 3))
def test_gradient_of_writes_into_views(data: st.DataObject, shape: tuple[int, ...], count: int) -> None:
    """A random program of writes through views has the gradient that central differences see."""
    indices = [data.draw(basic_indices(shape)) for _ in range(count)]
    kinds = [data.draw(st.sampled_from(["scale", "sine", "number", "tensor"])) for _ in range(count)]

    def program(x: Any, value: Any) -> Any:
        target = x * 1
        for index, kind in zip(indices, kinds, strict=True):
            if kind == "scale":
                target[index].mul_(3)
            elif kind == "sine":
                target[index].sin_()
            else:
                target[index] = 0.5 if kind == "number" else value
        return (target * target).sum(), value * target

    inputs = [
        torch.tensor(np.cos(numbered(shape)), requires_grad=True),
        torch.tensor(0.3, dtype=torch.float64, requires_grad=True),
    ]
    check_gradients(program, inputs)


@given(
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    st.integers(1, 6),
    st.lists(st.integers(1, 3), max_size=2),
)
def test_matmul_of_any_layout(shape: tuple[int, int], columns: int, batch: list[int]) -> None:
    rows, inner = shape
    first, second = np.cos(numbered((*batch, rows, inner))), np.sin(numbered((inner, columns)))
    expected = first @ second
    straight = torch.tensor(first) @ torch.tensor(second)
    turned = (
        torch.tensor(np.ascontiguousarray(first.swapaxes(-1, -2))).mT
        @ torch.tensor(np.ascontiguousarray(second.T)).t()
    )
    np.testing.assert_allclose(straight.numpy(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(turned.numpy(), expected, rtol=1e-12, atol=1e-12)


@given(
    st.lists(hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), min_size=1, max_size=4), st.integers(0, 1)
)
def test_cat_and_split_are_inverse(shapes: list[tuple[int, int]], dim: int) -> None:
    arrays = [numbered((size, shapes[0][1]) if dim == 0 else (shapes[0][0], size)) for size, _ in shapes]
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    joined = torch.cat(leaves, dim)
    assert_equal(joined, np.concatenate(arrays, dim))
    parts = joined.split([array.shape[dim] for array in arrays], dim)
    for part, array in zip(parts, arrays, strict=True):
        assert_equal(part, array)
    sum(((number + 1) * part).sum() for number, part in enumerate(parts)).backward()
    for number, leaf in enumerate(leaves):
        assert_equal(leaf.grad, np.full(leaf.shape, number + 1.0))
