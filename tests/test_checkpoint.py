"""Checkpointing: the same gradients, less memory, random numbers repeated, nothing leaks."""

from __future__ import annotations

import gc
from contextlib import contextmanager

import pytest

import tapegrad as torch
from memory_counts import held
from tapegrad.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

KINDS = [False, True]


def deep_mlp(depth=24, width=64):
    layers = []
    for _ in range(depth):
        layers += [torch.nn.Linear(width, width), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers)


def gradients(model, run, x):
    model.zero_grad()
    run(x).sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("use_reentrant", KINDS)
def test_the_same_gradients(use_reentrant):
    model, x = deep_mlp(depth=6), torch.randn(5, 64, requires_grad=True)
    plain = gradients(model, model, x)
    plain_x, x.grad = x.grad, None
    again = gradients(model, lambda x: checkpoint_sequential(model, 3, x, use_reentrant=use_reentrant), x)
    assert all(torch.equal(a, b) for a, b in zip(plain, again))
    assert torch.equal(x.grad, plain_x)


@pytest.mark.parametrize("use_reentrant", KINDS)
def test_memory_falls(use_reentrant):
    model, x = deep_mlp(depth=36), torch.randn(512, 64, requires_grad=True)
    model(x).sum().backward()  # the gradients exist

    def peak(run):
        torch.reset_peak_memory_stats()
        before = torch.memory_stats()["allocated_bytes"]
        run(x).sum().backward()
        return torch.memory_stats()["peak_bytes"] - before

    plain = peak(model)
    saving = peak(lambda x: checkpoint_sequential(model, 6, x, use_reentrant=use_reentrant))
    assert saving < 0.55 * plain, (saving, plain)


def test_nested_checkpoints_save_more_memory():
    x = torch.randn(512, 64, requires_grad=True)

    def chain(depth, checkpointed):
        def run(value):
            for _ in range(depth):
                value = value.tanh()
            return value

        if depth <= 4 or not checkpointed:
            return run

        def split(value):
            for _ in range(4):
                value = checkpoint(chain(depth // 4, True), value, use_reentrant=False)
            return value

        return split

    def peak(run):
        x.grad = None
        torch.reset_peak_memory_stats()
        before = torch.memory_stats()["allocated_bytes"]
        run(x).sum().backward()
        return torch.memory_stats()["peak_bytes"] - before, x.grad

    (plain, expected), (nested, gradient) = peak(chain(256, False)), peak(chain(256, True))
    assert torch.equal(gradient, expected)
    assert nested < plain / 8, (nested, plain)


@pytest.mark.parametrize("use_reentrant", KINDS)
def test_random_numbers_are_repeated(use_reentrant):
    x = torch.ones(1000, requires_grad=True)
    y = checkpoint(lambda a: torch.nn.functional.dropout(a, 0.5), x, use_reentrant=use_reentrant)
    torch.rand(7)
    state = torch.get_rng_state()
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(torch.get_rng_state(), state)
    assert 0 < int((y == 0).sum()) < 1000

    y = checkpoint(
        lambda a: torch.nn.functional.dropout(a, 0.5),
        x,
        use_reentrant=use_reentrant,
        preserve_rng_state=False,
    )
    x.grad = None
    y.sum().backward()
    assert not torch.equal(x.grad, y.detach())


def test_more_segments_than_functions():
    with pytest.raises(ValueError, match="2 functions cannot be split into 3 segments"):
        checkpoint_sequential([torch.sin, torch.cos], 3, torch.ones(3), use_reentrant=False)


def counted(function):
    def call(*args):
        call.count += 1
        return function(*args)

    call.count = 0
    return call


def test_recomputed_once_for_each_pass():
    function = counted(lambda a: a.sin().cos().tanh())
    x = torch.ones(3, requires_grad=True)
    y = checkpoint(function, x, use_reentrant=False).sum()
    assert function.count == 1
    y.backward(retain_graph=True)
    assert function.count == 2
    y.backward()
    assert function.count == 3
    checkpoint(function, x, use_reentrant=False)
    assert function.count == 4
    with torch.no_grad():
        assert not checkpoint(function, x, use_reentrant=False).requires_grad


def test_early_stop():
    seen = []

    def function(a):
        y = a.exp() * a
        seen.append("end")
        return y + 1

    x = torch.ones(3, requires_grad=True)
    checkpoint(function, x, use_reentrant=False).sum().backward()
    assert seen == ["end"]
    checkpoint(function, x, use_reentrant=False, early_stop=False).sum().backward()
    assert seen == ["end"] * 3
    with set_checkpoint_early_stop(False):
        y = checkpoint(function, x, use_reentrant=False)
    y.sum().backward()
    assert seen == ["end"] * 5


def test_contexts_for_both_computations():
    entered = []

    @contextmanager
    def context(name):
        entered.append(name)
        yield

    x = torch.ones(3, requires_grad=True)
    contexts = lambda: (context("forward"), context("recomputation"))
    y = checkpoint(torch.sin, x, use_reentrant=False, context_fn=contexts)
    assert entered == ["forward"]
    y.sum().backward()
    assert entered == ["forward", "recomputation"]


def test_a_derivative_inside_of_the_function():
    x = torch.tensor([0.5, 2.0], requires_grad=True)

    def function(a):
        (gradient,) = torch.autograd.grad((a**3).sum(), a, create_graph=True)
        return gradient.sin()

    y = checkpoint(function, x, use_reentrant=False)
    y.sum().backward()
    gradient, x.grad = x.grad, None
    function(x).sum().backward()
    assert torch.equal(gradient, x.grad)


def test_higher_derivatives():
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    function = lambda a: checkpoint(lambda b: (b.sin() * b).exp(), a, use_reentrant=False)
    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(function, (x,))


def test_a_part_of_the_gradients():
    x, w = torch.ones(3, requires_grad=True), torch.full((3,), 2.0, requires_grad=True)
    y = checkpoint(lambda a, b: (a * b).sin(), x, w, use_reentrant=False)
    (gradient,) = torch.autograd.grad(y.sum(), w)
    assert torch.equal(gradient, torch.cos(w.detach()))
    assert x.grad is None


def test_saved_attributes_are_computed_when_asked_for():
    x = torch.ones(3, requires_grad=True)
    function = counted(lambda a: (a * 2).sin())
    y = checkpoint(function, x, use_reentrant=False)
    assert torch.equal(y.grad_fn._saved_self, x * 2)
    assert torch.equal(y.grad_fn._saved_self, x * 2)
    assert function.count == 3
    y.sum().backward()
    assert function.count == 4


def test_lines_that_saved_tensors():
    calls = iter([lambda a: a.sin().cos(), lambda a: a.sin()])
    x = torch.ones(3, requires_grad=True)
    y = checkpoint(lambda a: next(calls)(a), x, use_reentrant=False, debug=True)
    with pytest.raises(CheckpointError) as caught:
        y.sum().backward()
    forward, again = str(caught.value).split("Saved in recomputation:")
    assert forward.count("test_checkpoint.py:") == 2 and again.count("test_checkpoint.py:") == 1
    calls = iter([lambda a: a.sin().cos(), lambda a: a.sin()])
    with set_checkpoint_debug_enabled(True):
        y = checkpoint(lambda a: next(calls)(a), x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="Saved in forward"):
        y.sum().backward()


def one_pass():
    x = torch.randn(8, 8, requires_grad=True)
    checkpoint(lambda a: (a @ a).tanh().exp(), x, use_reentrant=False).sum().backward()


def reentrant_pass():
    x = torch.randn(8, 8, requires_grad=True)
    checkpoint(lambda a: (a @ a).tanh().exp(), x, use_reentrant=True).sum().backward()


def never_run():
    x = torch.randn(8, 8, requires_grad=True)
    checkpoint(lambda a: (a @ a).tanh(), x, use_reentrant=False)


def nested_pass():
    x = torch.randn(8, 8, requires_grad=True)
    inner = lambda a: checkpoint(torch.tanh, a @ a, use_reentrant=False).exp()
    checkpoint(inner, x, use_reentrant=False).sum().backward()


def stopped_among_many_arguments():
    x = torch.randn(8, requires_grad=True)
    function = lambda a: torch.stack([a.sin(), a.cos(), a.exp(), a.tanh(), a.sigmoid()]).prod(0)
    checkpoint(function, x, use_reentrant=False).sum().backward()


def stopped_in_an_operation_that_saves_much():
    x = torch.randn(8, 4, requires_grad=True)
    norm = torch.nn.BatchNorm1d(4)
    checkpoint(norm, x, use_reentrant=False).sum().backward()


def failed_recomputation():
    x = torch.randn(8, requires_grad=True)
    calls = iter([lambda a: a.sin().cos(), torch.sin])
    y = checkpoint(lambda a: next(calls)(a), x, use_reentrant=False)
    with pytest.raises(CheckpointError):
        y.sum().backward()


@pytest.mark.parametrize(
    "pattern",
    [
        one_pass,
        reentrant_pass,
        never_run,
        nested_pass,
        stopped_among_many_arguments,
        stopped_in_an_operation_that_saves_much,
    ],
)
def test_nothing_is_left_behind(pattern):
    pattern()
    gc.collect()
    gc.disable()
    try:
        before = held()
        for _ in range(3):
            pattern()
        assert held() == before
    finally:
        gc.enable()


def test_nothing_is_left_after_an_error():
    failed_recomputation()
    gc.collect()
    before = held()
    failed_recomputation()
    gc.collect()  # the traceback of the error is a cycle
    assert held() == before


def test_recomputed_values_go_with_the_pass():
    x = torch.randn(1000, requires_grad=True)
    y = checkpoint(lambda a: a.sin().cos().tanh().exp(), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    before = held()
    x.grad.zero_()
    for _ in range(3):
        y.backward(retain_graph=True)
    assert held() == before


def test_the_message_tells_what_to_do():
    calls = iter([lambda a: a.sin(), lambda a: a.double().sin()])
    x = torch.ones(3, requires_grad=True)
    y = checkpoint(lambda a: next(calls)(a), x, use_reentrant=False)
    with pytest.raises(
        CheckpointError, match=r"position 0:\nsaved metadata: .*float32(.|\n)*float64(.|\n)*debug=True"
    ):
        y.sum().backward()
