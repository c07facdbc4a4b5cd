"""vmap by itself: randomness, refusals, the loop for operations without a rule, nesting."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tapegrad as torch
from tapegrad.func import vmap
from tapegrad.nn import functional


@pytest.fixture
def x() -> torch.Tensor:
    return torch.arange(6.0).reshape(2, 3) - 2


def rows(function: Any, *batches: torch.Tensor) -> torch.Tensor:
    return torch.stack([function(*row) for row in zip(*batches)])


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b)


def test_vmap_is_a_loop(x: torch.Tensor) -> None:
    function = lambda a, b: torch.where(a > 0, a, b.mean()) @ torch.outer(b, a).softmax(0)
    assert same(vmap(function)(x, x + 1), rows(function, x, x + 1))


def test_levels_nest(x: torch.Tensor) -> None:
    y = torch.rand(4, 3)
    table = vmap(vmap(torch.dot, in_dims=(None, 0)), in_dims=(0, None))(x, y)
    assert same(table, x @ y.t())
    assert same(vmap(lambda a: vmap(lambda b: a * b.sum())(y))(x), x.unsqueeze(1) * y.sum(1).reshape(1, 4, 1))


def test_every_example_is_hidden(x: torch.Tensor) -> None:
    seen: list[Any] = []

    def look(a: torch.Tensor) -> torch.Tensor:
        seen.append(
            (a.shape, a.dim(), a.ndim, a.numel(), len(a), a.size(0), a.stride(), a.dtype, a.requires_grad)
        )
        return a

    vmap(look, in_dims=1)(x)
    assert seen == [(torch.Size([2]), 1, 1, 2, 2, 2, (3,), torch.float32, False)]
    text: list[str] = []
    vmap(lambda a: text.append(repr(a)) or a)(x)
    assert text[0].startswith("BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[-2., -1.,  0.]")


def test_promotion_is_that_of_an_example() -> None:
    numbers, vector = torch.ones(3, dtype=torch.float64), torch.ones(2)
    assert vmap(lambda n: n * vector)(numbers).dtype == torch.float32
    assert vmap(lambda n: n * vector.double())(numbers.float()).dtype == torch.float64
    assert vmap(lambda n: n + 1.5)(torch.arange(3)).dtype == torch.float32


def test_writing_to_examples(x: torch.Tensor) -> None:
    def write(a: torch.Tensor) -> torch.Tensor:
        b = a.clone()
        b[0] = 10
        b[1:] += a[:2]
        b[a < -1] = 0
        b.mul_(2).clamp_(max=15)
        return b

    assert same(vmap(write)(x), rows(write, x))
    kept = x.clone()
    vmap(lambda a: a.add_(1))(kept)
    assert same(kept, x + 1), "the function writes to the batch itself"


def test_writing_to_a_tensor_of_all_examples(x: torch.Tensor) -> None:
    total = torch.zeros(3)
    for write in (
        lambda a: total.add_(a),
        lambda a: total.copy_(a),
        lambda a: total.__setitem__(0, a[0]),
        lambda a: total.__iadd__(a),
        lambda a: total.__setitem__(a.long(), 1.0),
    ):
        with pytest.raises(RuntimeError, match="inplace arithmetic.* is not possible"):
            vmap(write)(x)
    assert total.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (lambda a: a.sum().item(), "calling .item\\(\\) on a Tensor"),
        (lambda a: float(a[0]), "calling .item\\(\\) on a Tensor"),
        (lambda a: range(a[0].long()), "calling .item\\(\\) on a Tensor"),
        (lambda a: a if a.sum() > 0 else -a, "data-dependent control flow"),
        (lambda a: 1.0 in a, "data-dependent control flow"),
        (lambda a: torch.allclose(a, a), "data-dependent control flow"),
        (lambda a: a.tolist(), "Cannot access data pointer"),
        (lambda a: a.numpy(), "Cannot access data pointer"),
        (lambda a: a.nonzero(), "dynamic shape"),
        (lambda a: a[a > 0], "dynamic shape"),
        (lambda a: a.unique(), "dynamic shape"),
        (lambda a: a.masked_select(a > 0), "differently shaped"),
        (lambda a: torch.add(a, a, out=torch.zeros(3)), "out="),
        (lambda a: a.clone().requires_grad_(), "requires_grad_"),
        (lambda a: a.sum().backward(), "backward"),
        (lambda a: a.clone().resize_(1), "not supported"),
    ],
)
def test_what_has_no_answer_for_a_batch(question: Any, words: str, x: torch.Tensor) -> None:
    with pytest.raises(RuntimeError, match=words):
        vmap(question)(x)


def test_an_escaped_tensor(x: torch.Tensor) -> None:
    kept: list[torch.Tensor] = []
    vmap(lambda a: kept.append(a) or a)(x)
    with pytest.raises(RuntimeError, match="may have escaped from inside a function being vmapped"):
        kept[0] + 1
    assert repr(x + 1), "other tensors are not affected"


def test_operations_without_a_rule_run_in_a_loop_and_say_so(x: torch.Tensor) -> None:
    with pytest.warns(
        UserWarning, match="performance drop because we have not yet implemented the batching rule"
    ):
        found = vmap(lambda a: torch.histc(a, 3, -3, 3))(x)
    assert same(found, rows(lambda a: torch.histc(a, 3, -3, 3), x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vmap(lambda a: a * 2)(x)


def test_randomness(x: torch.Tensor) -> None:
    def noise(a: torch.Tensor) -> torch.Tensor:
        return torch.rand(2) + 0 * a.sum()

    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        vmap(noise)(x)
    alike = vmap(noise, randomness="same")(x)
    assert same(alike[0], alike[1])
    different = vmap(noise, randomness="different")(x)
    assert different.shape == (2, 2) and not same(different[0], different[1])
    assert torch.rand(2).shape == (2,), "outside nothing is changed"


@pytest.mark.parametrize(
    "draw",
    [
        lambda a: torch.randn(3),
        lambda a: torch.randn_like(a),
        lambda a: torch.randint(0, 1000, (3,)),
        lambda a: torch.randperm(50),
        lambda a: torch.normal(a, 1.0),
        lambda a: torch.bernoulli(torch.sigmoid(a * 0).expand(3)),
        lambda a: functional.dropout(torch.ones(40) + 0 * a[0]),
        lambda a: functional.dropout(torch.ones(40)),
        lambda a: a.new_zeros(3).uniform_(),
        lambda a: torch.multinomial(a.abs() + 1, 40, replacement=True),
    ],
)
def test_every_random_operation_obeys(draw: Any) -> None:
    x = torch.ones(4, 3)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(draw)(x)
    different = vmap(draw, randomness="different")(x)
    assert different.shape[0] == 4
    assert any(different[0].tolist() != different[i].tolist() for i in range(1, 4))


def test_the_same_dropout_for_all_examples() -> None:
    x = torch.ones(4, 50)
    dropped = vmap(lambda a: functional.dropout(a, 0.5), randomness="same")(x)
    assert all(row.tolist() == dropped[0].tolist() for row in dropped)
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    noise = vmap(torch.randn_like, randomness="same")(x)
    assert noise[0].tolist() == noise[3].tolist()
    with pytest.raises(RuntimeError, match="does not currently support same randomness"):
        vmap(lambda a: torch.bernoulli(a), randomness="same")(x)
    assert same(vmap(lambda a: functional.dropout(a, 0.5, training=False))(x), x)


def test_nested_randomness() -> None:
    x = torch.ones(2, 3)
    inner = vmap(lambda b: torch.rand(()) + 0 * b, randomness="same")
    found = vmap(inner, randomness="different")(x)
    assert found[0, 0] == found[0, 1] == found[0, 2] and found[0, 0] != found[1, 0]


def test_an_error_inside_leaves_nothing_behind(x: torch.Tensor) -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda a: a / (1 // 0))(x)
    assert torch.rand(2).shape == (2,)
    assert same(vmap(lambda a: a + 1)(x), x + 1)


def test_gradients_flow_through_vmap(x: torch.Tensor) -> None:
    weight = torch.rand(3, requires_grad=True)
    vmap(lambda a: (a * weight).exp().sum())(x).sum().backward()
    expected = torch.autograd.grad((x * weight).exp().sum(), weight)[0]
    assert same(weight.grad, expected)


def test_a_gradient_computed_inside(x: torch.Tensor) -> None:
    """autograd.grad with cotangents that are mapped, as programs wrote before vjp."""
    point = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = point**2
    jacobian = vmap(lambda c: torch.autograd.grad(out, point, c, retain_graph=True)[0])(torch.eye(3))
    assert same(jacobian, torch.diag(2 * point.detach()))


def test_threads_have_levels_of_their_own(x: torch.Tensor) -> None:
    barrier = threading.Barrier(2, timeout=60)

    def work(scale: int) -> torch.Tensor:
        def function(a: torch.Tensor) -> torch.Tensor:
            barrier.wait()
            noise = torch.rand(()) * 0
            barrier.wait()
            return a * scale + noise

        return vmap(function, randomness="different")(x)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(work, (1, 2)))
    assert same(results[0], x) and same(results[1], x * 2)


def test_chunks_and_names(x: torch.Tensor) -> None:
    def named(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Its documentation."""
        return a * 2, a.sum()

    mapped = vmap(named, out_dims=(1, 0), chunk_size=1)
    assert mapped.__name__ == "named" and mapped.__doc__ == "Its documentation."
    doubled, total = mapped(x)
    assert same(doubled, (x * 2).t()) and same(total, x.sum(1))
    assert torch.vmap is vmap
