"""Checkpointed computations that end in numbers or an error; run on tapegrad and on PyTorch."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any


def _checkpoint(torch: ModuleType) -> ModuleType:
    return importlib.import_module(f"{torch.__name__}.utils.checkpoint")


def _x(torch: ModuleType) -> Any:
    return torch.tensor([0.5, -1.0, 2.0], requires_grad=True)


def _changing(torch: ModuleType, *functions: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Calls the functions in turn."""
    calls = iter(functions)
    return lambda x: next(calls)(x)


def gradient(torch: ModuleType, use_reentrant: bool) -> Any:
    x, w = _x(torch), torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = _checkpoint(torch).checkpoint(lambda a, b: (a * b).sin() * a, x, w, use_reentrant=use_reentrant)
    y.sum().backward()
    return y, x.grad, w.grad


def gradient_of_gradient(torch: ModuleType) -> Any:
    x = _x(torch)
    y = _checkpoint(torch).checkpoint(lambda a: (a.sin() * a).exp(), x, use_reentrant=False)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return first, *torch.autograd.grad(first.sum(), x)


def several_results(torch: ModuleType, use_reentrant: bool) -> Any:
    x = _x(torch)
    a, b, c = _checkpoint(torch).checkpoint(lambda a: (a * 2, 3, a.exp()), x, use_reentrant=use_reentrant)
    (a * c).sum().backward()
    return a, b, c, x.grad


def dictionary(torch: ModuleType, use_reentrant: bool) -> Any:
    x = _x(torch)
    result = _checkpoint(torch).checkpoint(lambda a: {"k": a * 2}, x, use_reentrant=use_reentrant)
    return result["k"], result["k"].requires_grad


def tensor_inside_an_argument(torch: ModuleType) -> Any:
    x = _x(torch)
    y = _checkpoint(torch).checkpoint(lambda d, k: d["a"] ** k, {"a": x}, k=3, use_reentrant=False)
    y.sum().backward()
    return y, x.grad


def nested(torch: ModuleType) -> Any:
    x = _x(torch)
    c = _checkpoint(torch).checkpoint

    def inner(a: Any) -> Any:
        return a.exp().sin()

    def outer(a: Any) -> Any:
        return c(inner, c(inner, a.cos(), use_reentrant=False) * 2, use_reentrant=False).tanh()

    c(outer, x, use_reentrant=False).sum().backward()
    return (x.grad,)


def twice(torch: ModuleType) -> Any:
    x = _x(torch)
    y = _checkpoint(torch).checkpoint(lambda a: a.sin().cos(), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    y.backward()
    return (x.grad,)


def twice_without_retaining(torch: ModuleType) -> Any:
    y = _checkpoint(torch).checkpoint(lambda a: a.sin().cos(), _x(torch), use_reentrant=False).sum()
    y.backward()
    y.backward()


def reentrant_grad(torch: ModuleType) -> Any:
    x = _x(torch)
    torch.autograd.grad(_checkpoint(torch).checkpoint(torch.sin, x, use_reentrant=True).sum(), x)


def reentrant_inputs(torch: ModuleType) -> Any:
    x = _x(torch)
    _checkpoint(torch).checkpoint(torch.sin, x, use_reentrant=True).sum().backward(inputs=[x])


def reentrant_without_gradient(torch: ModuleType) -> Any:
    return _checkpoint(torch).checkpoint(torch.sin, _x(torch).detach(), use_reentrant=True).requires_grad


def reentrant_not_necessary(torch: ModuleType) -> Any:
    y = _checkpoint(torch).checkpoint(lambda a: a.detach() * 2, _x(torch), use_reentrant=True)
    y.sum().backward()


def fewer_tensors(torch: ModuleType) -> Any:
    function = _changing(torch, lambda a: a.sin().cos(), torch.sin)
    _checkpoint(torch).checkpoint(function, _x(torch), use_reentrant=False).sum().backward()


def more_tensors(torch: ModuleType, early_stop: bool) -> Any:
    x = _x(torch)
    function = _changing(torch, torch.sin, lambda a: a.sin().cos())
    _checkpoint(torch).checkpoint(function, x, use_reentrant=False, early_stop=early_stop).sum().backward()
    return (x.grad,)


def other_types(torch: ModuleType, **options: Any) -> Any:
    x = _x(torch)
    function = _changing(torch, torch.sin, lambda a: a.double().sin())
    _checkpoint(torch).checkpoint(function, x, use_reentrant=False, **options).sum().backward()
    return list(x.grad.shape)


def wrong_option(torch: ModuleType, **options: Any) -> Any:
    _checkpoint(torch).checkpoint(torch.sin, _x(torch), **options)


def warned(torch: ModuleType, function: str) -> Any:
    module = _checkpoint(torch)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if function == "checkpoint":
            module.checkpoint(torch.sin, _x(torch))
        elif function == "checkpoint_sequential":
            module.checkpoint_sequential([torch.sin, torch.cos], 2, _x(torch))
        else:
            module.check_backward_validity([_x(torch).detach(), 3])
    return [(warning.category.__name__, str(warning.message).split()[:6]) for warning in caught]


def sequential(torch: ModuleType, count: int, segments: int, **options: Any) -> Any:
    x = _x(torch)
    steps = [torch.sin, torch.exp, torch.tanh, torch.cos, torch.sigmoid][:count]
    y = _checkpoint(torch).checkpoint_sequential(steps, segments, x, **options)
    y.sum().backward()
    return y, x.grad


def detached(torch: ModuleType, given: str) -> Any:
    x = _x(torch)
    result = _checkpoint(torch).detach_variable((x, 3) if given == "tuple" else x)
    return result[0], result[0].requires_grad, result[1]


CASES: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (gradient, {"use_reentrant": False}),
    (gradient, {"use_reentrant": True}),
    (gradient_of_gradient, {}),
    (several_results, {"use_reentrant": False}),
    (several_results, {"use_reentrant": True}),
    (dictionary, {"use_reentrant": False}),
    (dictionary, {"use_reentrant": True}),
    (tensor_inside_an_argument, {}),
    (nested, {}),
    (twice, {}),
    (twice_without_retaining, {}),
    (reentrant_grad, {}),
    (reentrant_inputs, {}),
    (reentrant_without_gradient, {}),
    (reentrant_not_necessary, {}),
    (fewer_tensors, {}),
    (more_tensors, {"early_stop": True}),
    (more_tensors, {"early_stop": False}),
    (other_types, {}),
    (other_types, {"determinism_check": "none"}),
    (wrong_option, {"use_reentrant": False, "determinism_check": "maybe"}),
    (wrong_option, {"use_reentrant": True, "debug": True}),
    (wrong_option, {"use_reentrant": True, "context_fn": lambda: (None, None)}),
    (wrong_option, {"use_reentrant": True, "speed": 1}),
    (wrong_option, {"use_reentrant": False, "speed": 1}),
    (warned, {"function": "checkpoint"}),
    (warned, {"function": "checkpoint_sequential"}),
    (warned, {"function": "check_backward_validity"}),
    (sequential, {"count": 5, "segments": 2, "use_reentrant": False}),
    (sequential, {"count": 5, "segments": 3, "use_reentrant": True}),
    (sequential, {"count": 4, "segments": 4, "use_reentrant": False, "preserve_rng_state": False}),
    (sequential, {"count": 5, "segments": 1, "use_reentrant": False}),
    (sequential, {"count": 3, "segments": 0, "use_reentrant": False}),
    (sequential, {"count": 3, "segments": 2, "use_reentrant": False, "speed": 1}),
    (detached, {"given": "tuple"}),
    (detached, {"given": "tensor"}),
]
