"""Calls of autograd.functional, for the comparison with PyTorch: name -> function of the library's module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _calls() -> dict[str, Callable[[Any, Any, Any], Any]]:
    """name -> call(autograd.functional, x of shape (2,), y of shape (3,))"""
    cube = lambda x: (x**3).sum()
    product = lambda x, y: (x**3).sum() * y.sum()
    both = lambda x, y: ((x * x).sum() * y, x)
    ones = lambda x: x.new_ones(2)
    v = lambda x: x.new_ones(2) * 0.5
    w = lambda x: x.new_ones(3) * 2
    tracked = lambda x: x.clone().requires_grad_()
    calls: dict[str, Callable[[Any, Any, Any], Any]] = {
        "vjp": lambda f, x, y: f.vjp(lambda x: x * x, x, v(x)),
        "vjp tuple out": lambda f, x, y: f.vjp(lambda x: (x * x,), (x,), v(x)),
        "vjp of two": lambda f, x, y: f.vjp(both, (x, y), (w(x), v(x))),
        "vjp without v": lambda f, x, y: f.vjp(cube, x),
        "vjp needs v": lambda f, x, y: f.vjp(lambda x: x, x),
        "vjp v size": lambda f, x, y: f.vjp(lambda x: x, x, w(x)),
        "vjp v size in tuple": lambda f, x, y: f.vjp(both, (x, y), (v(x), v(x))),
        "vjp v count": lambda f, x, y: f.vjp(lambda x: x, x, (v(x), v(x))),
        "vjp v count of tuple": lambda f, x, y: f.vjp(both, (x, y), (v(x),)),
        "vjp input type": lambda f, x, y: f.vjp(lambda x: x, 3, v(x)),
        "vjp input member type": lambda f, x, y: f.vjp(lambda x: x, (x, 3), v(x)),
        "vjp list of inputs": lambda f, x, y: f.vjp(lambda x: x, [x], v(x)),
        "vjp output type": lambda f, x, y: f.vjp(lambda x: [x], x, v(x)),
        "vjp v type": lambda f, x, y: f.vjp(lambda x: x, x, 3),
        "vjp independent": lambda f, x, y: f.vjp(lambda x, y: x, (x, y), v(x)),
        "vjp independent, strict": lambda f, x, y: f.vjp(lambda x, y: x, (x, y), v(x), strict=True),
        "vjp constant": lambda f, x, y: f.vjp(ones, x, v(x)),
        "vjp constant, strict": lambda f, x, y: f.vjp(ones, x, v(x), strict=True),
        "vjp create_graph": lambda f, x, y: f.vjp(lambda x: x * x, tracked(x), v(x), create_graph=True),
        "vjp linear, strict": lambda f, x, y: f.vjp(
            lambda x: x * 2, tracked(x), v(x), create_graph=True, strict=True
        ),
        "jvp": lambda f, x, y: f.jvp(lambda x: x * x, x, v(x)),
        "jvp of two": lambda f, x, y: f.jvp(both, (x, y), (v(x), w(x))),
        "jvp needs v": lambda f, x, y: f.jvp(lambda x: x, x),
        "jvp without v": lambda f, x, y: f.jvp(lambda x: x * x, x[1:]),
        "jvp constant": lambda f, x, y: f.jvp(ones, x, v(x)),
        "jvp constant, strict": lambda f, x, y: f.jvp(ones, x, v(x), strict=True),
        "jvp linear, strict": lambda f, x, y: f.jvp(
            lambda x: x * 2, tracked(x), v(x), create_graph=True, strict=True
        ),
        "jvp create_graph": lambda f, x, y: f.jvp(lambda x: x**3, tracked(x), v(x), create_graph=True),
        "jacobian": lambda f, x, y: f.jacobian(lambda x: x * x, x),
        "jacobian of two inputs": lambda f, x, y: f.jacobian(lambda x, y: (x * x).sum() * y, (x, y)),
        "jacobian of two outputs": lambda f, x, y: f.jacobian(lambda x: (x * x, x), x),
        "jacobian of two and two": lambda f, x, y: f.jacobian(both, (x, y)),
        "jacobian of tuples of one": lambda f, x, y: f.jacobian(lambda x: (x * x,), (x,)),
        "jacobian, vectorize": lambda f, x, y: f.jacobian(both, (x, y), vectorize=True),
        "jacobian, forward": lambda f, x, y: f.jacobian(
            lambda x: x * x.sum(), x, vectorize=True, strategy="forward-mode"
        ),
        "jacobian, forward alone": lambda f, x, y: f.jacobian(cube, x, strategy="forward-mode"),
        "jacobian, forward graph": lambda f, x, y: f.jacobian(
            cube, x, create_graph=True, vectorize=True, strategy="forward-mode"
        ),
        "jacobian, strict and vectorize": lambda f, x, y: f.jacobian(cube, x, strict=True, vectorize=True),
        "jacobian strategy": lambda f, x, y: f.jacobian(cube, x, strategy="sideways"),
        "jacobian independent": lambda f, x, y: f.jacobian(lambda x, y: x, (x, y)),
        "jacobian independent, strict": lambda f, x, y: f.jacobian(lambda x, y: x, (x, y), strict=True),
        "jacobian constant, strict": lambda f, x, y: f.jacobian(ones, x, strict=True),
        "jacobian linear, strict": lambda f, x, y: f.jacobian(
            lambda x: x * 2, tracked(x), create_graph=True, strict=True
        ),
        "jacobian create_graph": lambda f, x, y: f.jacobian(lambda x: x**3, tracked(x), create_graph=True),
        "jacobian of an integer": lambda f, x, y: f.jacobian(lambda x: x * 2, x.long()),
        "hessian": lambda f, x, y: f.hessian(cube, x),
        "hessian of a tuple of one": lambda f, x, y: f.hessian(cube, (x,)),
        "hessian of two": lambda f, x, y: f.hessian(product, (x, y)),
        "hessian, vectorize": lambda f, x, y: f.hessian(product, (x, y), vectorize=True),
        "hessian create_graph": lambda f, x, y: f.hessian(cube, tracked(x), create_graph=True),
        "hessian, linear": lambda f, x, y: f.hessian(lambda x: x.sum(), x),
        "hessian, linear, strict": lambda f, x, y: f.hessian(lambda x: x.sum(), x, strict=True),
        "hessian, independent": lambda f, x, y: f.hessian(lambda x, y: cube(x), (x, y)),
        "hessian, independent, strict": lambda f, x, y: f.hessian(lambda x, y: cube(x), (x, y), strict=True),
        "hessian, not scalar": lambda f, x, y: f.hessian(lambda x: x * x, x),
        "hessian, one element": lambda f, x, y: f.hessian(lambda x: cube(x).reshape(1, 1), x),
        "hessian, tuple": lambda f, x, y: f.hessian(lambda x: (cube(x),), x),
        "hessian, number": lambda f, x, y: f.hessian(lambda x: 3, x),
        "hessian strategy": lambda f, x, y: f.hessian(cube, x, outer_jacobian_strategy="forward-mode"),
    }
    for name in ("vhp", "hvp"):

        def of(f: Any, name: str = name) -> Any:
            return getattr(f, name)

        calls |= {
            name: lambda f, x, y, of=of: of(f)(cube, x, v(x)),
            f"{name} of two": lambda f, x, y, of=of: of(f)(product, (x, y), (v(x), w(x))),
            f"{name} needs v": lambda f, x, y, of=of: of(f)(cube, x),
            f"{name} without v": lambda f, x, y, of=of: of(f)(cube, x[1:]),
            f"{name} v size": lambda f, x, y, of=of: of(f)(cube, x, w(x)),
            f"{name}, linear": lambda f, x, y, of=of: of(f)(lambda x: x.sum(), x, v(x)),
            f"{name}, linear, strict": lambda f, x, y, of=of: of(f)(lambda x: x.sum(), x, v(x), strict=True),
            f"{name}, not scalar": lambda f, x, y, of=of: of(f)(lambda x: x, x, v(x)),
            f"{name}, tuple": lambda f, x, y, of=of: of(f)(lambda x: (cube(x),), x, v(x)),
            f"{name}, constant": lambda f, x, y, of=of: of(f)(lambda x: x.new_ones(()), x, v(x)),
            f"{name} create_graph": lambda f, x, y, of=of: of(f)(cube, tracked(x), v(x), create_graph=True),
        }
    return calls


CALLS = _calls()
