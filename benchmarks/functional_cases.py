"""The cases for engines whose gradients are functions of functions: JAX (jitted) and HIPS autograd.

A setup gets the engine: its NumPy namespace `np`, `gradient(loss)` giving the gradient with respect to the
first argument (a list of arrays), `compiled(f)`, and returns the step to time. A single recorded operation
has no counterpart there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import numpy

import cases

Engine = SimpleNamespace
Step = Callable[[], Any]


def jax_engine() -> Engine:
    import jax

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = jax.jit(function)
        return lambda *args: jax.block_until_ready(jitted(*args))

    return Engine(np=jax.numpy, gradient=jax.grad, compiled=compiled, version=jax.__version__)


def autograd_engine() -> Engine:
    from importlib.metadata import version

    import autograd
    import autograd.numpy

    return Engine(
        np=autograd.numpy, gradient=autograd.grad, compiled=lambda f: f, version=version("autograd")
    )


def _random(*shape: int) -> Any:
    return numpy.random.default_rng(0).random(shape, dtype=numpy.float32)


def _on(engine: Engine, arrays: list[Any]) -> list[Any]:
    return [engine.np.array(array) for array in arrays]


def chain(engine: Engine, size: int) -> Step:
    def loss(params: list[Any]) -> Any:
        a, b = params
        x = a
        for _ in range(size // 2):
            x = x * b
            x = x + a
        return engine.np.sum(x)

    gradient, params = engine.compiled(engine.gradient(loss)), _on(engine, [_random(2, 2), _random(2, 2)])
    return lambda: gradient(params)


def single_layer(engine: Engine, size: int) -> Step:
    np = engine.np
    x, y = _on(engine, [_random(10), numpy.zeros(5, numpy.float32)])

    def loss(params: list[Any]) -> Any:
        W, b = params
        return np.sum((y - np.tanh(np.matmul(x, W) + b)) ** 2)

    gradient, params = engine.compiled(engine.gradient(loss)), _on(engine, [_random(10, 5), _random(5)])
    return lambda: gradient(params)


def training_step(engine: Engine, sizes: tuple[int, ...], batch: int, lr: float, momentum: float) -> Step:
    np = engine.np
    normal = numpy.random.default_rng(0).standard_normal((8, batch, sizes[0]), dtype=numpy.float32)
    batches = cycle(_on(engine, list(normal)))  # several, see cases.training_step
    (targets,) = _on(engine, [numpy.eye(sizes[-1], dtype=numpy.float32)[numpy.arange(batch) % sizes[-1]]])
    shapes = [shape for i, o in zip(sizes, sizes[1:], strict=False) for shape in ((i, o), (o,))]

    def loss(params: list[Any], images: Any) -> Any:
        h = images
        for i in range(0, len(params), 2):
            h = h @ params[i] + params[i + 1]
            if i + 2 < len(params):
                h = np.maximum(h, 0)
        h = h - np.max(h, axis=1, keepdims=True)
        log_probabilities = h - np.log(np.sum(np.exp(h), axis=1, keepdims=True))
        return -np.sum(log_probabilities * targets) / batch

    gradient = engine.gradient(loss)

    def update(params: list[Any], velocities: list[Any], images: Any) -> tuple[list[Any], list[Any]]:
        gradients = gradient(params, images)
        velocities = [momentum * v + g for v, g in zip(velocities, gradients, strict=True)]
        return [p - lr * v for p, v in zip(params, velocities, strict=True)], velocities

    update = engine.compiled(update)
    state = [_on(engine, [_random(*shape) / 10 for shape in shapes])]
    state.append([p * 0 for p in state[0]])

    def step() -> None:
        state[:] = update(*state, next(batches))

    return step


def binary(name: str) -> Callable[[Engine, int], Step]:
    def setup(engine: Engine, size: int) -> Step:
        shape = (size, size) if name == "matmul" else (size,)
        f, (x, y) = engine.compiled(getattr(engine.np, name)), _on(engine, [_random(*shape), _random(*shape)])
        return lambda: f(x, y)

    return setup


def unary(name: str) -> Callable[[Engine, int], Step]:
    def setup(engine: Engine, size: int) -> Step:
        f, (x,) = engine.compiled(getattr(engine.np, name)), _on(engine, [_random(size)])
        return lambda: f(x)

    return setup


SETUPS: dict[str, Callable[[Engine, int], Step]] = {
    "100-op chain, forward + backward": chain,
    "single layer, forward + backward": single_layer,
    "tiny MLP training step": lambda engine, size: training_step(engine, *cases.TINY_MLP),
    "digits MLP training step": lambda engine, size: training_step(engine, *cases.DIGITS_MLP),
    "add, 10M float32": binary("add"),
    "tanh, 10M float32": unary("tanh"),
    "exp, 10M float32": unary("exp"),
    "matmul 64": binary("matmul"),
    "matmul 256": binary("matmul"),
    "matmul 1024": binary("matmul"),
}

ENGINES = {"jax": jax_engine, "autograd": autograd_engine}
