"""Writes to views and bases: a table of programs, each also run on PyTorch where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType

UNTRACKED = "untracked"
Program = Callable[[Torch, Any], Any]
PROGRAMS: dict[str, tuple[Program, Any]] = {}


class Words(str):
    """The first words of a RuntimeError."""


def program(expected: Any) -> Callable[[Program], Program]:
    """A program whose result, weighted by 1, 2, 3..., has this gradient, or which fails with these words."""

    def add(function: Program) -> Program:
        PROGRAMS[function.__name__] = (function, expected)
        return function

    return add


def run(torch: Torch, function: Program) -> Any:
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    try:
        result = function(torch, x)
        if not result.requires_grad:
            return UNTRACKED
        weights = torch.arange(1.0, result.numel() + 1).reshape(result.shape)
        (result * weights).sum().backward()
    except RuntimeError as error:
        return Words(error)
    return x.grad.tolist()


@program([[2.0, 4.0, 6.0], [4.0, 5.0, 6.0]])
def row_of_a_copy(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[0].mul_(2)
    return b


@program([[1.0, 6.0, 9.0], [4.0, 5.0, 6.0]])
def chain_of_views(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[0][1:].mul_(3)
    return b


@program([[2.0, 4.0, 6.0], [0.0, 0.0, 0.0]])
def base_written_after_its_view(torch: Torch, x: Any) -> Any:
    b = x * 1
    v = b[0]
    b.mul_(2)
    return v


@program([[6.0, 12.0, 18.0], [8.0, 10.0, 12.0]])
def base_then_view_written(torch: Torch, x: Any) -> Any:
    b = x * 1
    v = b[0]
    b.mul_(2)
    v.mul_(3)
    return b


@program([[2.0, 2.0, 3.0], [8.0, 5.0, 6.0]])
def transposed(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.t()[0].add_(x[:, 0])
    return b


@program([[0.0, 0.0, 0.0], [2.0, 4.0, 6.0]])
def row_of_a_plain_tensor(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3)
    b[0] = x[1] * 2
    return b


@program([[0.0, 0.0, 0.0], [4.0, 8.0, 12.0]])
def view_of_a_plain_tensor_whose_base_is_written(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3)
    v = b[0]
    b[0] = x[1] * 2
    return v * 2


@program([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
def view_of_a_plain_tensor(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3)
    b[0].copy_(x[1])
    return b


@program([[2.0, 8.0, 18.0], [0.0, 0.0, 0.0]])
def plain_base_joins_the_graph(torch: Torch, x: Any) -> Any:
    a = torch.zeros(2, 3)
    w = a.view(6)[:3]
    a.add_(x)
    return w * w


@program([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
def mask_and_number(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[b > 2] = 0
    return b


@program([[9.0, 12.0, 15.0], [0.0, 0.0, 0.0]])
def mask_and_tensor(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[x > 3] = x[0] * 2
    return b


@program([[8.0, 10.0, 12.0], [2.0, 4.0, 6.0]])
def index_tensor(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[torch.tensor([1, 0])] = x * 2
    return b


@program([[3.0, 4.0, 3.0], [4.0, 5.0, 6.0]])
def accumulating_index_put(torch: Torch, x: Any) -> Any:
    b = x * 1
    index = (torch.tensor([0, 0]), torch.tensor([1, 1]))
    b.index_put_(index, x[0, :2], accumulate=True)
    return b


@program([[0.0, 3.0, 3.0], [0.0, 9.0, 6.0]])
def column(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[:, 0] = x[:, 1]
    return b


@program([[0.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def element(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[0, 0] = 5.0
    return b


@program([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
def filled(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.fill_(2)
    return b


@program([[10.0, 40.0, 90.0], [160.0, 250.0, 360.0]])
def data_written(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.data.mul_(5)
    return b * b


@program([[10.0, 40.0, 90.0], [160.0, 250.0, 360.0]])
def data_written_after_use(torch: Torch, x: Any) -> Any:
    b = x * 1
    c = b * b
    b.data.mul_(5)
    return c


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def detached_alias_written_after_use(torch: Torch, x: Any) -> Any:
    b = x * 1
    c = b * b
    b.detach().mul_(5)
    return c


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def result_written(torch: Torch, x: Any) -> Any:
    c = x.exp()
    c.mul_(2)
    return c


@program(Words("Can't detach views in-place."))
def detach__of_a_view(torch: Torch, x: Any) -> Any:
    return (x * 1)[0].detach_()


@program(Words("Output 0 of Unbind is a view and is being modified inplace. This view is the output"))
def unbind(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.unbind(0)[0].mul_(2)
    return b


@program(Words("Output 0 of Split is a view and is being modified inplace. This view is the output"))
def split(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.split(1)[0].mul_(2)
    return b


@program(Words("Output 0 of Split is a view and is being modified inplace. This view is the output"))
def chunk(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.chunk(2)[0].mul_(2)
    return b


@program(Words("Output 0 of Unbind is a view and its base or another view of its base has been"))
def base_of_unbind(torch: Torch, x: Any) -> Any:
    b = x * 1
    rows = b.unbind(0)
    b.mul_(2)
    return rows[0]


@program(Words("Output 0 of Unbind is a view and is being modified inplace. This view is the output"))
def iteration(torch: Torch, x: Any) -> Any:
    b = x * 1
    for row in b:
        row.mul_(2)
    return b


@program(Words("A view was created in no_grad mode and is being modified inplace with grad"))
def unbind_of_a_plain_tensor(torch: Torch, x: Any) -> Any:
    rows = torch.ones(2, 3).unbind(0)
    rows[0].mul_(x[0])
    return rows[0]


@program(Words("A view was created in no_grad mode and is being modified inplace with grad mode enabled."))
def view_made_without_grad(torch: Torch, x: Any) -> Any:
    b = x * 1
    with torch.no_grad():
        v = b[0]
    v.mul_(2)
    return b


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def view_made_and_written_without_grad(torch: Torch, x: Any) -> Any:
    b = x * 1
    with torch.no_grad():
        b[0].mul_(2)
    return b


@program(Words("A view was created in no_grad mode and is being modified inplace with grad mode enabled."))
def plain_view_made_without_grad(torch: Torch, x: Any) -> Any:
    b = torch.ones(2, 3)
    with torch.no_grad():
        v = b[0]
    v.mul_(x[0])
    return b


@program(Words("A view was created in no_grad mode and its base or another view of its base has been"))
def view_made_without_grad_whose_base_is_written(torch: Torch, x: Any) -> Any:
    b = x * 1
    with torch.no_grad():
        v = b[0]
    b.mul_(2)
    return v + 1


@program(Words("A view was created in no_grad mode and is being modified inplace with grad mode enabled."))
def view_made_without_grad_of_a_leaf(torch: Torch, x: Any) -> Any:
    with torch.no_grad():
        v = x[0]
    v.mul_(2)
    return v


@program(Words("A view was created in inference mode and is being modified inplace in normal mode."))
def view_made_in_inference_mode(torch: Torch, x: Any) -> Any:
    b = x * 1
    with torch.inference_mode():
        v = b[0]
    v.mul_(2)
    return v


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def written_without_grad(torch: Torch, x: Any) -> Any:
    b = x * 1
    with torch.no_grad():
        b.mul_(2)
    return b


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def written_without_grad_after_use(torch: Torch, x: Any) -> Any:
    b = x * 1
    c = b * b
    with torch.no_grad():
        b.mul_(2)
    return c


@program(Words("a leaf Variable that requires grad is being used in an in-place operation."))
def leaf(torch: Torch, x: Any) -> Any:
    x.mul_(2)
    return x


@program(Words("a view of a leaf Variable that requires grad is being used in an in-place operation."))
def view_of_a_leaf(torch: Torch, x: Any) -> Any:
    x[0].mul_(2)
    return x


@program(Words("a view of a leaf Variable that requires grad is being used in an in-place operation."))
def item_of_a_leaf(torch: Torch, x: Any) -> Any:
    x[0] = 1
    return x


@program(Words("a view of a leaf Variable that requires grad is being used in an in-place operation."))
def view_that_is_a_leaf(torch: Torch, x: Any) -> Any:
    v = torch.ones(2, 3)[0].requires_grad_()
    v.mul_(2)
    return v


@program(Words("a view of a leaf Variable that requires grad is being used in an in-place operation."))
def view_of_a_view_that_is_a_leaf(torch: Torch, x: Any) -> Any:
    v = torch.ones(2, 3)[0].requires_grad_()
    v[:1].mul_(2)
    return v


@program([[4.0, 16.0, 36.0], [64.0, 100.0, 144.0]])
def leaf_written_without_grad(torch: Torch, x: Any) -> Any:
    with torch.no_grad():
        x.mul_(2)
    return x * x


@program([[6.0, 12.0, 18.0], [24.0, 30.0, 36.0]])
def data_replaced(torch: Torch, x: Any) -> Any:
    x.data = torch.ones(2, 3) * 3
    return x * x


@program(Words("a leaf Variable that requires grad is being used in an in-place operation."))
def set__of_a_leaf(torch: Torch, x: Any) -> Any:
    x.set_(torch.ones(2))
    return x


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def copy(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3)
    b.copy_(x)
    return b


@program([[8.0, 10.0, 12.0], [14.0, 16.0, 18.0]])
def copy__broadcasts(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 2, 3)
    b.copy_(x)
    return b


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def copy__converts(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3, dtype=torch.float64)
    b.copy_(x)
    return b


@program(UNTRACKED)
def copy__into_integers(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3, dtype=torch.int64)
    b.copy_(x)
    return b


@program(Words("a leaf Variable that requires grad is being used in an in-place operation."))
def copy__into_a_leaf(torch: Torch, x: Any) -> Any:
    b = torch.zeros(2, 3, requires_grad=True)
    b.copy_(x)
    return b


@program(Words("unsupported operation"))
def expanded_memory(torch: Torch, x: Any) -> Any:
    b = torch.zeros(1, 3).expand(2, 3)
    b.mul_(x)
    return b


@program([[2.718, 2.0, 60.257], [4.0, 742.066, 6.0]])
def strided_view(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.view(-1)[::2].exp_()
    return b


@program([[2.0, 27.0, 3.0], [4.0, 10.0, 6.0]])
def diagonal(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.diagonal().mul_(x[0, :2])
    return b


@program([[2.718, 14.778, 60.257], [0.0, 0.0, 0.0]])
def saved_view_and_written_base(torch: Torch, x: Any) -> Any:
    b = x * 1
    s = b[0].exp()
    b.add_(1)
    return s


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def saved_result_and_written_view(torch: Torch, x: Any) -> Any:
    s = x.sigmoid()
    s[0].mul_(2)
    return s


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def saved_view_and_written_view(torch: Torch, x: Any) -> Any:
    v = (x * 1)[0]
    r = v * v
    v.mul_(2)
    return r


@program([[2.0, 4.0, 6.0], [15.0, 21.0, 27.0]])
def two_views_of_one_base(torch: Torch, x: Any) -> Any:
    b = x * 1
    v, w = b[0], b[1]
    v.mul_(2)
    w.mul_(3)
    v.add_(w)
    return b


@program([[2.0, 4.0, 6.0], [4.0, 5.0, 6.0]])
def written_after_being_read(torch: Torch, x: Any) -> Any:
    b = x * 1
    v = b[0]
    v.mul_(2)
    c = b * 1
    v.mul_(5)
    return c


@program([[1.0, 0.0, 0.0], [4.0, 5.0, 6.0]])
def masked_fill__of_a_view(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[0].masked_fill_(x[0] > 1, 7.0)
    return b


@program([[5.0, 7.0, 9.0], [4.0, 5.0, 6.0]])
def index_add(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.index_add_(0, torch.tensor([1]), x[:1])
    return b


@program([[3.0, 10.0, 21.0], [36.0, 55.0, 78.0]])
def addcmul(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.addcmul_(x, x)
    return b


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def relu(torch: Torch, x: Any) -> Any:
    b = x * 1
    torch.nn.functional.relu_(b)
    return b


@program(
    Words("one of the variables needed for gradient computation has been modified by an inplace operation")
)
def multiplied_with_itself(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.mul_(b)
    return b


@program([[0.0, 0.0, 0.0], [5.0, 7.0, 9.0]])
def row_assigned_to_a_row(torch: Torch, x: Any) -> Any:
    b = x * 1
    b[0] = b[1]
    return b


@program([[2.0, 4.0, 6.0], [0.0, 0.0, 0.0]])
def base_dropped(torch: Torch, x: Any) -> Any:
    v = (x * 1)[0]
    v.mul_(2)
    return v


@program(Words("exp(): functions with out=... arguments don't support automatic differentiation"))
def out_with_gradients(torch: Torch, x: Any) -> Any:
    return torch.exp(x, out=torch.zeros(2, 3))


@program([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
def unsqueeze(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.unsqueeze_(0)
    return b


@program(Words("you can only change requires_grad flags of leaf variables."))
def requires_grad__of_a_result(torch: Torch, x: Any) -> Any:
    b = x * 1
    b.requires_grad_(False)
    return b


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(torch: Torch, name: str) -> None:
    function, expected = PROGRAMS[name]
    found = run(torch, function)
    if isinstance(expected, Words):
        assert isinstance(found, Words) and found.startswith(expected)
    elif expected == UNTRACKED:
        assert found == UNTRACKED
    else:
        assert found == [pytest.approx(row, abs=1e-3) for row in expected]


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_leave_nothing_behind(name: str) -> None:
    function, _ = PROGRAMS[name]
    run(tapegrad, function)
    before = tapegrad._C.memory_stats()
    run(tapegrad, function)
    after = tapegrad._C.memory_stats()
    assert (after["live_tensors"], after["live_nodes"]) == (before["live_tensors"], before["live_nodes"])


def test_retained_gradient_follows_a_write(torch: Torch) -> None:
    for write in (lambda b: b.mul_(2), lambda b: b[0].mul_(2)):
        b = torch.ones(2, 3, requires_grad=True) * 1
        b.retain_grad()
        write(b)
        (b * 3).sum().backward()
        assert b.grad.tolist() == [[3, 3, 3]] * 2


def test_retained_gradient_of_a_view(torch: Torch) -> None:
    b = torch.ones(2, 3, requires_grad=True) * 1
    v = b[0]
    v.mul_(2)
    v.retain_grad()
    ((b * 2).sum() + (v * 3).sum()).backward()
    assert v.grad.tolist() == [3, 3, 3]
