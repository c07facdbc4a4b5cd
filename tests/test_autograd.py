"""The tape from the user's side: accumulation, backward's arguments, `autograd.grad`, orders, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as torch
from gradient_checker import check_gradients

SECOND_BACKWARD = "Trying to backward through the graph a second time"


def leaf(*values: float) -> Any:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def assert_equal(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)


def fails(words: str, kind: type[Exception] = RuntimeError) -> Any:
    """The block raises exactly this class with a message that begins with these words."""
    return pytest.raises(kind, match="^" + "".join(f"\\{c}" if c in "()[].*+?|" else c for c in words))


def test_gradients_accumulate_in_leaves() -> None:
    x = leaf(1, 2)
    assert x.grad is None
    for expected in ([3, 3], [6, 6]):
        (3 * x).sum().backward()
        assert_equal(x.grad, expected)
    x.grad.zero_()
    assert_equal(x.grad, [0, 0])
    x.grad = None
    x.sum().backward()
    assert_equal(x.grad, [1, 1])


def test_accumulation_happens_in_the_same_tensor() -> None:
    x = leaf(1, 2)
    x.sum().backward()
    grad = x.grad
    assert x.grad is grad
    (2 * x).sum().backward()
    assert x.grad is grad
    assert_equal(grad, [3, 3])


def test_gradients_of_different_leaves_do_not_share_memory() -> None:
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward()
    x.grad.add_(1)
    assert_equal(y.grad, [1, 1])


def test_caller_keeps_its_own_gradient() -> None:
    x, seed = leaf(1, 2), torch.tensor([1.0, 2.0], dtype=torch.float64)
    (x + 0).backward(seed)
    x.grad.mul_(10)
    assert_equal(seed, [1, 2])


def test_derivatives_in_the_place_of_the_gradient_spare_who_holds_it() -> None:
    # The last derivative of an elementwise operation is written over the gradient that arrived, if that
    # belongs to nobody else.
    x, seed = leaf(1, 2), torch.tensor([1.0, 2.0], dtype=torch.float64)
    inner = x * 3
    inner.retain_grad()
    inner.tanh().backward(seed)
    slope = 1 - np.tanh([3.0, 6.0]) ** 2
    assert_equal(seed, [1, 2])
    assert_equal(inner.grad, [1, 2] * slope)
    assert_equal(x.grad, 3 * ([1, 2] * slope))

    seen: list[Any] = []
    inner = x * 2
    inner.register_hook(lambda grad: seen.append(grad))
    (inner * inner.exp()).sin().sum().backward()
    kept = seen[0].clone()
    torch.sin(torch.cos(inner.detach().requires_grad_())).sum().backward()
    assert_equal(seen[0], kept)

    outer = (x * 2).sin()
    handed: list[Any] = []
    outer.grad_fn.register_hook(lambda grad_inputs, grad_outputs: handed.extend(grad_outputs))
    (outer * 5).sum().backward()
    assert_equal(handed[0], [5, 5])

    a, b = leaf(2, 3), leaf(5, 7)
    (torch.addcmul(a, a, b) * torch.lerp(a, b, torch.tensor(0.25, dtype=torch.float64))).sum().backward()
    found = a.grad.clone(), b.grad.clone()
    y = torch.addcmul(a, a, b) * torch.lerp(a, b, torch.tensor(0.25, dtype=torch.float64))
    expected = torch.autograd.grad(y.sum(), (a, b), create_graph=True)
    assert_equal(found[0], expected[0].detach().numpy())
    assert_equal(found[1], expected[1].detach().numpy())


def test_tensor_used_many_times() -> None:
    x = leaf(2)
    (x * x + x / x + x - x).sum().backward()
    assert_equal(x.grad, [4])


def test_diamond_visits_every_node_once() -> None:
    x = leaf(1.5)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert_equal(x.grad, [2.0**60])


def test_assigned_gradient_is_used() -> None:
    x = leaf(1, 2)
    x.grad = torch.tensor([10.0, 20.0], dtype=torch.float64)
    x.sum().backward()
    assert_equal(x.grad, [11, 21])


def test_backward_takes_a_gradient() -> None:
    x = leaf(1, 2, 3)
    (x * x).backward(gradient=torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
    assert_equal(x.grad, [2, 2, 0])


def test_backward_of_several_tensors() -> None:
    x = leaf(1, 2)
    torch.autograd.backward([x.sum(), (x * x)], [None, torch.tensor([1.0, 1.0], dtype=torch.float64)])
    assert_equal(x.grad, [3, 5])


def test_retain_graph() -> None:
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert_equal(x.grad, [12])
    with fails(SECOND_BACKWARD):
        y.backward()


def test_graph_without_saved_tensors_can_be_reused() -> None:
    x = leaf(3)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert_equal(x.grad, [2])


def test_part_of_a_freed_graph_still_works() -> None:
    x = leaf(3)
    y = x * x
    (y * 2).sum().backward()
    z = (y + 1).sum()
    with fails(SECOND_BACKWARD):
        z.backward()


def test_create_graph_gives_second_gradients() -> None:
    x = leaf(2)
    y = (x**3).sum()
    y.backward(create_graph=True)
    first = x.grad
    assert_equal(first, [12])
    x.grad = None
    first.sum().backward()
    assert_equal(x.grad, [12])


def test_backward_inputs_restricts_accumulation() -> None:
    x, y = leaf(1), leaf(2)
    z = (x * y).sum()
    z.backward(inputs=[x])
    assert_equal(x.grad, [2])
    assert y.grad is None
    with fails("`inputs` argument to `backward()` cannot be empty."):
        (x * 2).backward(inputs=[])


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_backward_inputs_may_be_an_inner_tensor() -> None:
    x = leaf(3)
    y = x * 2
    (y * y).sum().backward(inputs=[y])
    assert x.grad is None
    assert_equal(y.grad, [12])


def test_grad_returns_and_leaves_grad_alone() -> None:
    x, y = leaf(1, 2), leaf(3, 4)
    gx, gy = torch.autograd.grad((x * y).sum(), [x, y])
    assert_equal(gx, [3, 4])
    assert_equal(gy, [1, 2])
    assert x.grad is None and y.grad is None
    assert isinstance(torch.autograd.grad((x * y).sum(), x), tuple)


def test_grad_of_an_inner_tensor() -> None:
    x = leaf(2)
    y = x * x
    z = y * 3
    (gy,) = torch.autograd.grad(z, y, retain_graph=True)
    assert_equal(gy, [3])
    assert_equal(torch.autograd.grad(z, x)[0], [12])


def test_grad_with_the_output_as_its_own_input() -> None:
    x = leaf(2)
    y = (x * x).sum()
    assert_equal(torch.autograd.grad(y, [y, x])[0], 1.0)


def test_grad_outputs() -> None:
    x = leaf(1, 2)
    weights = torch.tensor([1.0, 10.0], dtype=torch.float64)
    assert_equal(torch.autograd.grad(x * x, x, grad_outputs=weights)[0], [2, 40])
    assert_equal(torch.autograd.grad([x * x, x.sum()], [x], [weights, None])[0], [3, 41])


def test_grad_allow_unused() -> None:
    x, unused = leaf(1), leaf(2)
    found = torch.autograd.grad(x.sum(), [x, unused], allow_unused=True)
    assert found[1] is None
    zeros = torch.autograd.grad(x.sum(), [x, unused], materialize_grads=True)
    assert_equal(zeros[1], [0])
    with fails("The differentiated Tensor at index 1 appears to not have been used in the graph."):
        torch.autograd.grad(x.sum(), [x, unused])
    with fails("One of the differentiated Tensors does not require grad"):
        torch.autograd.grad(x.sum(), torch.ones(1))


def test_third_order() -> None:
    x = leaf(0.7)
    found = x.sin() * x.exp()
    for _ in range(3):
        (found,) = torch.autograd.grad(found.sum(), x, create_graph=True)
    expected = 2 * np.exp(0.7) * (np.cos(0.7) - np.sin(0.7))
    assert_equal(found, [expected])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x.tanh() * x).exp().sum(),
        lambda x: torch.softmax(x, 0).log().sum(),
        lambda x: (x @ x.sigmoid()) ** 3,
        lambda x: x[torch.tensor([0, 0, 2])].pow(3).sum(),
        lambda x: torch.logsumexp(x * x, 0),
        lambda x: x.norm() * x.prod(),
        lambda x: torch.nn.functional.gelu(x).square().mean(),
        lambda x: torch.nn.functional.layer_norm(x, (3,)).pow(3).sum(),
    ],
)
def test_third_order_of_compositions(function: Callable[..., Any]) -> None:
    check_gradients(function, [leaf(0.5, -0.3, 0.9)], order=3)


def test_hessian_of_rosenbrock() -> None:
    x = leaf(-1.2, 1.0)
    value = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    rows = [torch.autograd.grad(g, x, retain_graph=True)[0] for g in gradient]
    assert_equal(torch.stack(rows), [[1330, 480], [480, 200]])


def test_gradient_penalty() -> None:
    """The parameters get the derivative of the norm of a gradient."""
    weight, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (gradient,) = torch.autograd.grad((weight * x * x).sum(), x, create_graph=True)
    (gradient.norm() - 1).square().backward()
    inner = np.array([6.0, 16.0])
    length = np.linalg.norm(inner)
    assert_equal(weight.grad, 2 * (length - 1) * inner / length * np.array([6.0, 8.0]))


def test_requires_grad_spreads() -> None:
    x, plain = leaf(1), torch.ones(1, dtype=torch.float64)
    assert (x + plain).requires_grad and not (plain + plain).requires_grad
    assert x.is_leaf and plain.is_leaf and not (x + plain).is_leaf
    assert x.grad_fn is None and (x + plain).grad_fn is not None
    assert not (x > 0).requires_grad and not x.argmax().requires_grad


def test_node_names_and_graph() -> None:
    x = leaf(1)
    y = (x * 2).tanh().sum()
    assert y.grad_fn.name() == "SumBackward0"
    (tanh, _), *_ = y.grad_fn.next_functions
    assert type(tanh).__name__ == tanh.name() == "TanhBackward0"
    (mul, _), *_ = tanh.next_functions
    (accumulate, index), *_ = mul.next_functions
    assert accumulate.name() == "torch::autograd::AccumulateGrad" and index == 0
    assert accumulate.variable is x


def test_detach_cuts_the_tape_and_shares_memory() -> None:
    x = leaf(2)
    y = x * x
    d = y.detach()
    assert not d.requires_grad and d.is_leaf and d.data_ptr() == y.data_ptr()
    assert_equal(torch.autograd.grad((y * d).sum(), x)[0], [16])
    z = x * 3
    assert z.detach_() is z and z.is_leaf and not z.requires_grad
    with fails("Can't detach views in-place. Use detach() instead."):
        x[:1].detach_()


def test_requires_grad_setter() -> None:
    x = torch.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    x.requires_grad = False
    assert not x.requires_grad
    y = leaf(1) * 2
    words = "you can only change requires_grad flags of leaf variables."
    with fails(words):
        y.requires_grad_(False)
    with fails(words):
        y.requires_grad = False
    with fails("only Tensors of floating point dtype can require gradients"):
        torch.tensor([1, 2]).requires_grad_()
    with fails("Only Tensors of floating point and complex dtype can require gradients"):
        torch.tensor([1, 2], requires_grad=True)


def test_retain_grad() -> None:
    x = leaf(3)
    y = x * x
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (2 * y).sum().backward()
    assert_equal(y.grad, [2])
    x.retain_grad()
    with fails("can't retain_grad on Tensor that has requires_grad=False"):
        torch.ones(1).retain_grad()


def test_grad_of_an_inner_tensor_warns() -> None:
    with pytest.warns(
        UserWarning, match="The .grad attribute of a Tensor that is not a leaf Tensor is being accessed"
    ):
        assert (leaf(1) * 2).grad is None


def test_gradient_reaches_only_what_requires_it() -> None:
    x, frozen = leaf(2), torch.tensor([3.0], dtype=torch.float64)
    (x * frozen).sum().backward()
    assert frozen.grad is None
    assert_equal(x.grad, [3])


def test_backward_through_an_unused_branch() -> None:
    x = leaf(1, 2, 3)
    first, _ = x.sort()
    values, _ = first.topk(1)
    values.sum().backward()
    assert_equal(x.grad, [0, 0, 1])


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda x: (x * 2).backward(), "grad can be implicitly created only for scalar outputs"),
        (lambda x: torch.autograd.grad(x * 2, x), "grad can be implicitly created only for scalar outputs"),
        (
            lambda x: torch.ones(1).backward(),
            "element 0 of tensors does not require grad and does not have a grad_fn",
        ),
        (
            lambda x: (x * 2).backward(torch.ones(4, dtype=torch.float64)),
            "Mismatch in shape: grad_output[0] has a shape of torch.Size([4]) and output[0] has a shape "
            "of torch.Size([3]).",
        ),
    ],
    ids=["vector", "vector-grad", "no-grad-fn", "shape"],
)
def test_words_of_backward_errors(action: Callable[[Any], Any], words: str) -> None:
    with fails(words):
        action(leaf(1, 2, 3))


def test_words_of_assignment_errors() -> None:
    x = leaf(1, 2, 3)
    with fails("attempting to assign a gradient of size '[4]' to a tensor of size '[3]'."):
        x.grad = torch.ones(4, dtype=torch.float64)
    with fails("attempting to assign a gradient with dtype 'float' to a tensor with grad_dtype 'Double'."):
        x.grad = torch.ones(3)
    with fails("assigned grad expected to be a Tensor or None but got grad of type int", TypeError):
        x.grad = 3
    with fails("data set to a tensor that requires gradients must be floating point or complex dtype"):
        x.data = torch.ones(3, dtype=torch.int64)
    with fails("Variable data has to be a tensor, but got list", TypeError):
        x.data = [1.0]
    with pytest.raises(AttributeError, match="is not writable"):
        x.shape = (1, 3)


def test_failed_backward_leaves_the_engine_usable() -> None:
    x = leaf(1)
    y = (x * x).sum()
    y.backward()
    with fails(SECOND_BACKWARD):
        y.backward()
    z = (x * x).sum()
    z.backward()
    assert_equal(x.grad, [4])


def test_zero_dim_and_empty_tensors() -> None:
    scalar = torch.tensor(2.0, requires_grad=True)
    (scalar**2).backward()
    assert scalar.grad.shape == () and scalar.grad.item() == 4
    empty = torch.zeros(0, 3, requires_grad=True)
    empty.sum().backward()
    assert tuple(empty.grad.shape) == (0, 3)


def test_integer_parts_carry_no_gradient() -> None:
    x = leaf(1.5, 2.5)
    y = x.long().double() * x
    y.sum().backward()
    assert_equal(x.grad, [1, 2])
    assert not x.long().requires_grad


def test_dtype_conversion_carries_gradient() -> None:
    x = torch.ones(3, requires_grad=True)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype is torch.float32
    assert_equal(x.grad, [2, 2, 2])


def test_user_loop_trains() -> None:
    """Gradient descent by hand on a line, the first program of a tutorial."""
    x = torch.linspace(-1, 1, 50)
    y = 3 * x - 1
    slope, offset = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    for _ in range(200):
        loss = ((slope * x + offset - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            slope -= 0.5 * slope.grad
            offset -= 0.5 * offset.grad
        slope.grad = None
        offset.grad.zero_()
    assert abs(slope.item() - 3) < 1e-4 and abs(offset.item() + 1) < 1e-4
