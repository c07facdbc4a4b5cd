"""Hooks of modules; every test also runs on PyTorch where it is installed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

Torch = ModuleType


def leaf(torch: Torch) -> Any:
    return torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)


def double(torch: Torch) -> Any:
    class Double(torch.nn.Module):
        def forward(self, x, *, scale=2):
            return x * scale

    return Double()


def test_order_of_forward_hooks(torch: Torch) -> None:
    module, order = double(torch), []
    module.register_forward_pre_hook(lambda m, args: order.append("pre 1"))
    module.register_forward_pre_hook(lambda m, args: order.append("pre 0"), prepend=True)
    module.register_forward_hook(lambda m, args, out: order.append("post 1"))
    module.register_forward_hook(lambda m, args, out: order.append("post 0"), prepend=True)
    module(leaf(torch))
    assert order == ["pre 0", "pre 1", "post 0", "post 1"]


def test_hooks_replace_arguments_and_results(torch: Torch) -> None:
    module = double(torch)
    module.register_forward_pre_hook(lambda m, args: args[0] + 1)
    module.register_forward_pre_hook(lambda m, args: (args[0] * 10,))
    module.register_forward_hook(lambda m, args, out: out + args[0])
    assert module(torch.ones(1)).item() == 2 * 20 + 20


def test_hooks_with_keywords(torch: Torch) -> None:
    module, seen = double(torch), []
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True
    )
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(torch.ones(1), scale=3).item() == 4 and seen == [{"scale": 4}]
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match="^forward pre-hook must return None or a tuple of"):
        module(torch.ones(1), scale=3)


def test_hooks_that_are_always_called(torch: Torch) -> None:
    class Failing(torch.nn.Module):
        def forward(self, x):
            raise ValueError("inside")

    module, called = Failing(), []
    module.register_forward_hook(lambda m, args, out: called.append("ordinary"))
    module.register_forward_hook(lambda m, args, out: called.append(("always", out)), always_call=True)
    with pytest.raises(ValueError, match="inside"):
        module(leaf(torch))
    assert called == [("always", None)]


def test_full_backward_hooks(torch: Torch) -> None:
    module, seen = double(torch), []

    def hook(m: Any, grad_input: Any, grad_output: Any) -> Any:
        seen.append((m is module, grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 10,)

    module.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 3,))
    handle = module.register_full_backward_hook(hook)
    x = leaf(torch)
    module(x).sum().backward()
    assert seen == [(True, [[6, 6, 6]], [[3, 3, 3]])]
    assert x.grad.tolist() == [[60, 60, 60]]
    handle.remove()
    module(x).sum().backward()
    assert len(seen) == 1


def test_order_of_backward_hooks(torch: Torch) -> None:
    module, order = torch.nn.Sequential(double(torch), double(torch)), []
    for name, part in (("outer", module), ("first", module[0]), ("second", module[1])):
        part.register_full_backward_hook(lambda m, gi, go, name=name: order.append(f"{name} 1"))
        part.register_full_backward_hook(lambda m, gi, go, name=name: order.append(f"{name} 0"), prepend=True)
        part.register_full_backward_pre_hook(lambda m, go, name=name: order.append(f"{name} pre"))
    module(leaf(torch)).sum().backward()
    first = ["outer pre", "second pre", "second 0", "second 1"]
    assert order == [*first, "first pre", "first 0", "first 1", "outer 0", "outer 1"]


def test_none_for_inputs_without_gradient(torch: Torch) -> None:
    class Pair(torch.nn.Module):
        def forward(self, x, y, number):
            return x * y, number

    module, seen = Pair(), []
    module.register_full_backward_hook(
        lambda m, gi, go: seen.append([None if g is None else g.tolist() for g in (*gi, *go)])
    )
    x, y = leaf(torch), torch.ones(1, 3)
    module(x, y, 5)[0].sum().backward()
    ones, zeros = [[1, 1, 1]], [[0, 0, 0]]
    assert seen == [[ones, zeros, None, ones, None]]


def test_inputs_that_need_no_gradient(torch: Torch) -> None:
    module, seen = torch.nn.Linear(3, 2), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    module(torch.ones(1, 3)).sum().backward()
    assert seen == [((None,), [[1, 1]])]
    module.register_full_backward_hook(lambda m, gi, go: (torch.ones(1, 3),))
    with pytest.raises(
        RuntimeError, match="^Backward hook for Modules where no input requires gradient should always"
    ):
        module(torch.ones(1, 3)).sum().backward()


def test_wrong_number_of_gradients(torch: Torch) -> None:
    module = double(torch)
    module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(
        RuntimeError, match="^Backward hook returned an invalid number of grad_input, got 2, but expected"
    ):
        module(leaf(torch)).sum().backward()


def test_input_watched_by_hooks_is_not_written_in_place(torch: Torch) -> None:
    class InPlace(torch.nn.Module):
        def forward(self, x):
            return x.mul_(2)

    module = InPlace()
    module.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.raises(
        RuntimeError, match="^Output 0 of BackwardHookFunction is a view and is being modified inplace"
    ):
        module(leaf(torch) * 1)


def test_hooks_of_all_modules(torch: Torch) -> None:
    from importlib import import_module

    functions = import_module(f"{torch.__name__}.nn.modules.module")
    order: list[str] = []
    handles = [
        functions.register_module_forward_pre_hook(lambda m, args: order.append("pre")),
        functions.register_module_forward_hook(lambda m, args, out: order.append("post")),
        functions.register_module_full_backward_hook(lambda m, gi, go: order.append("backward")),
    ]
    try:
        double(torch)(leaf(torch)).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    assert order == ["pre", "post", "backward"]
    double(torch)(leaf(torch))
    assert len(order) == 3


FIRST_HOOKS = {
    "registered": "m.register_forward_hook(print)",
    "registered in a table of the user's": (
        "import collections; m._forward_hooks = collections.OrderedDict(); m.register_forward_hook(print)"
    ),
    "written": "m._forward_hooks[0] = print",
    "of all modules": "torch.nn.modules.module.register_module_forward_hook(print)",
    "copied": "m._forward_hooks[0] = print; import copy; m = copy.deepcopy(m)",
    "from a pickle": "import pickle, sys; m = pickle.loads(sys.stdin.buffer.read())",
}


@pytest.mark.parametrize("way", FIRST_HOOKS)
def test_first_hook_of_a_program(torch: Torch, way: str) -> None:
    # Calls of modules look for hooks from the first one on, however it came.
    hooked = torch.nn.Identity()
    hooked.register_forward_hook(print)
    program = f"import {torch.__name__} as torch; m = torch.nn.Identity(); m(1); {FIRST_HOOKS[way]}; m(7)"
    run = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(hooked), capture_output=True, check=True
    )
    assert run.stdout.split() == [b"Identity()", b"(7,)", b"7"]
