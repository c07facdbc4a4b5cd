"""In-place operations: version checks, views and bases, leaves, `.data`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as torch
from gradient_checker import check_gradients

MODIFIED = "one of the variables needed for gradient computation has been modified by an inplace operation"


def leaf(*shape: int) -> Any:
    values = np.linspace(0.5, 2.0, int(np.prod(shape))).reshape(shape)
    return torch.tensor(values).requires_grad_()


def test_version_counts_writes_and_is_shared_by_views() -> None:
    x = torch.zeros(2, 3)
    view = x[0]
    assert x._version == 0
    view.add_(1)
    x.mul_(2)
    assert x._version == view._version == 2
    x[0, 0] = 5
    assert view._version == 3
    assert x.detach()._version == 3 and x.clone()._version == 0


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda w: w * w, "Add"),
        (lambda w: w.log(), "Add"),
        (lambda w: w.pow(3), "Add"),
        (lambda w: w @ torch.ones(3, dtype=torch.float64).requires_grad_(), "Add"),
    ],
    ids=["mul", "log", "pow", "matmul"],
)
def test_changed_input_is_refused(build: Callable[[Any], Any], name: str) -> None:
    w = leaf(3) + 0
    y = build(w)
    w.add_(1)
    with pytest.raises(RuntimeError, match=MODIFIED):
        y.sum().backward()


@pytest.mark.parametrize("function", ["exp", "tanh", "sigmoid", "sqrt"])
def test_changed_output_is_refused(function: str) -> None:
    y = getattr(leaf(3), function)()
    y.add_(1)
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    expected = f"{MODIFIED}: [torch.DoubleTensor [3]], which is output 0 of {function.capitalize()}"
    assert str(caught.value).startswith(expected)
    assert "is at version 1; expected version 0 instead" in str(caught.value)


def test_change_that_nothing_needs_is_allowed() -> None:
    x = leaf(3)
    y = x + 1
    y.add_(5)
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_change_through_a_view_or_detached_alias_is_seen() -> None:
    for alias in (lambda t: t[0], lambda t: t.detach()):
        w = leaf(3) + 0
        y = w * w
        alias(w).fill_(0)
        with pytest.raises(RuntimeError, match=MODIFIED):
            y.sum().backward()


def test_data_writes_are_not_checked() -> None:
    w = leaf(2)
    y = w * w
    w.data.fill_(10)
    assert w._version == 0
    y.sum().backward()
    assert w.grad.tolist() == [20, 20]


def test_data_reads_and_writes_share_memory() -> None:
    w = leaf(2)
    assert w.data.data_ptr() == w.data_ptr() and not w.data.requires_grad
    w.data -= 0.5
    w.data[0] = 7.0
    assert w.tolist() == [7.0, 1.5]
    w.data = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert w.tolist() == [1, 2, 3] and w.requires_grad and w.is_leaf
    w.grad = torch.ones(3, dtype=torch.float64)
    w.grad.data.zero_()
    assert w.grad.tolist() == [0, 0, 0]


def write_slice(t: Any) -> None:
    t[0] = 1.0


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda t: t.add_(1), "a leaf Variable that requires grad is being used in an in-place operation."),
        (lambda t: t.zero_(), "a leaf Variable that requires grad is being used in an in-place operation."),
        (
            lambda t: t.view(-1).add_(1),
            "a view of a leaf Variable that requires grad is being used in an in-place operation.",
        ),
        (write_slice, "a view of a leaf Variable that requires grad is being used in an in-place operation."),
    ],
    ids=["add_", "zero_", "view", "setitem"],
)
def test_leaves_are_protected(write: Callable[[Any], Any], words: str) -> None:
    x = leaf(3)
    with pytest.raises(RuntimeError) as caught:
        write(x)
    assert str(caught.value).startswith(words)
    with torch.no_grad():
        write(x)
    assert x.requires_grad and x.is_leaf


def test_plain_tensor_joins_the_tape_when_written() -> None:
    x, buffer = leaf(2), torch.zeros(3, dtype=torch.float64)
    buffer[1:] = x * 2
    assert buffer.requires_grad and not buffer.is_leaf
    (buffer * torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)).sum().backward()
    assert x.grad.tolist() == [20, 200]


def through_view(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of x that writes into a copy of it and returns a nonlinear function of the copy."""

    def function(x: Any) -> Any:
        base = x * 1
        write(base)
        return (base * base).sin()

    return function


def item_set(index: Any, value: Any) -> Callable[[Any], None]:
    def write(base: Any) -> None:
        base[index] = value

    return write


def augmented(base: Any) -> None:
    base[0] *= base[1].clone()
    base[1] += 2


WRITES: dict[str, Callable[[Any], Any]] = {
    "row": lambda b: b[0].mul_(3),
    "column": lambda b: b[:, 1].exp_(),
    "transposed": lambda b: b.t()[1].mul_(2),
    "view of view": lambda b: b.view(-1)[2:5].tanh_(),
    "diagonal": lambda b: b.diagonal().mul_(b.diagonal().clone()),
    "unsqueezed": lambda b: b.unsqueeze(0)[0, 1].pow_(2),
    "scalar": item_set((0, 0), 2.0),
    "slice": item_set(slice(0, 1), 0.0),
    "mask": lambda b: b.__setitem__(b.detach() > 1.0, 0.5),
    "index": item_set((torch.tensor([0, 1]), torch.tensor([1, 2])), 3.0),
    "from itself": lambda b: b[0].copy_(b[1] * 2),
    "augmented": augmented,
    "fill": lambda b: b[:, ::2].fill_(1.0),
    "masked_fill": lambda b: b.masked_fill_(torch.tensor([True, False, True]), 0.0),
    "twice": lambda b: (b[0].mul_(2), b[0, 1].mul_(3), b.mul_(0.5)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_gradient_through_writes_into_views(write: Callable[[Any], Any]) -> None:
    check_gradients(through_view(write), [leaf(2, 3)], order=2)


def test_view_follows_its_base() -> None:
    """A view taken before its base is written has the gradient of the new values."""

    def function(x: Any) -> Any:
        base = x * 1
        view = base[0]
        base.mul_(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
        base[0, 1] = 4.0
        return view * view

    check_gradients(function, [leaf(2, 3)], order=2)


def test_base_follows_its_view() -> None:
    x = leaf(2, 2)
    base = x * 1
    view = base.view(4)
    view.mul_(2)
    assert base.grad_fn is not None and view._base is base
    base.sum().backward()
    assert x.grad.tolist() == [[2, 2], [2, 2]]


def test_gradient_of_the_written_value() -> None:
    def function(x: Any, value: Any) -> Any:
        base = x * 1
        base[0] = value
        base[1, 1:] += value[0] * value[1:]
        return base.pow(2)

    check_gradients(function, [leaf(2, 3), leaf(3)], order=2)


def test_copy_broadcasts_and_converts() -> None:
    def function(x: Any) -> Any:
        target = torch.zeros(2, 3, dtype=torch.float64)
        target.copy_(x)
        return target.pow(2)

    check_gradients(function, [leaf(3)])
    target = torch.zeros(3)
    assert target.copy_(torch.tensor([1, 2, 3])) is target and target.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "split",
    [lambda v: v.unbind(), lambda v: v.split(2), lambda v: v.chunk(2)],
    ids=["Unbind", "Split", "Split"],
)
def test_outputs_of_multi_view_functions_are_protected(split: Callable[[Any], Any], request: Any) -> None:
    first, *_ = split(leaf(3) * 1)
    with pytest.raises(RuntimeError) as caught:
        first.mul_(2)
    name = request.node.callspec.id.rstrip("0123456789")
    assert str(caught.value).startswith(f"Output 0 of {name} is a view and is being modified inplace.")


def test_view_made_without_grad_is_protected() -> None:
    x = leaf(3) * 1
    with torch.no_grad():
        view = x.view(3)
    with pytest.raises(RuntimeError) as caught:
        view.mul_(2)
    assert str(caught.value).startswith(
        "A view was created in no_grad mode and is being modified inplace with grad mode enabled."
    )


def test_overlapping_memory_is_refused() -> None:
    x = torch.zeros(1, 3).expand(2, 3)
    with pytest.raises(RuntimeError) as caught:
        x.add_(1)
    assert str(caught.value).startswith(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory "
        "location."
    )


def test_write_that_overlaps_what_it_reads() -> None:
    x = torch.arange(6.0)
    x[1:] = x[:-1].clone()
    assert x.tolist() == [0, 0, 1, 2, 3, 4]
    y = torch.arange(4.0).reshape(2, 2)
    y.copy_(y.t().clone())
    assert y.tolist() == [[0, 2], [1, 3]]
    z = torch.arange(3.0)
    z.mul_(z)
    assert z.tolist() == [0, 1, 4]


def test_shapes_of_writes_are_checked() -> None:
    x = torch.zeros(3)
    with pytest.raises(
        RuntimeError, match=r"^output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"
    ):
        x.add_(torch.ones(2, 3))
    with pytest.raises(
        RuntimeError, match=r"^shape mismatch: value tensor of shape \[2\] cannot be broadcast"
    ):
        x[torch.tensor([0, 1, 2])] = torch.ones(2)
    with pytest.raises(
        RuntimeError, match=r"^The expanded size of the tensor \(3\) must match the existing size \(2\)"
    ):
        x[:] = torch.ones(2)


def test_operators_with_assignment_write_in_place() -> None:
    x = torch.ones(3)
    alias = x
    x += 1
    x -= 0.5
    x *= 4
    x /= 2
    x **= 2
    x //= 2
    x %= 3
    assert alias is x and x.tolist() == [1, 1, 1]
    flags = torch.tensor([True, False])
    other = flags
    flags |= torch.tensor([False, True])
    flags &= torch.tensor([True, False])
    flags ^= torch.tensor([True, True])
    assert other is flags and flags.tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("squeeze", ()),
        ("squeeze", (0,)),
        ("unsqueeze", (1,)),
        ("t", ()),
        ("transpose", (0, 1)),
        ("swapaxes", (0, 1)),
    ],
)
def test_shape_changes_in_place(name: str, arguments: tuple[int, ...]) -> None:
    """The tensor itself takes the new shape over the same memory, on the tape too."""
    x = leaf(1, 3)
    y = x * 1
    expected = getattr(y.detach().clone(), name)(*arguments)
    changed = getattr(y, f"{name}_")(*arguments)
    assert changed is y and y.shape == expected.shape and y.stride() == expected.stride() and y._version == 1
    (y * expected).sum().backward()
    assert x.grad.tolist() == x.tolist()


def test_out_and_gradients() -> None:
    """out= is refused where a derivative would be lost; comparisons have none."""
    x = torch.ones(3, requires_grad=True)
    for function in (torch.exp, lambda t, out: torch.cumsum(t, 0, out=out)):
        for value, out in ((x, torch.empty(3)), (x.detach(), torch.ones(3, requires_grad=True))):
            with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
                function(value, out=out)
            with torch.no_grad():
                assert function(value, out=out) is out
    out = torch.ones(3, requires_grad=True)
    assert torch.lt(x, 2, out=out) is out and out.requires_grad
    assert out.tolist() == [1.0, 1.0, 1.0]
