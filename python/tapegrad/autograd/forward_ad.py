"""Forward-mode differentiation: tensors that carry a tangent through every operation.

One pass computes the product of the Jacobian with one direction, at about the cost of the function itself,
whatever the number of outputs::

    with fwAD.dual_level():
        dual = fwAD.make_dual(x, direction)
        value, derivative = fwAD.unpack_dual(f(dual))

The tangent of an operation comes from the same declaration as its gradient: a linear operation is applied to
the tangent, an elementwise derivative is multiplied with it, and any other derivative is transposed
(Townsend, "A new trick for calculating Jacobian vector products", 2017).
"""

from __future__ import annotations

from typing import NamedTuple

from .. import _C

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class UnpackedDualTensor(NamedTuple):
    """The value and the tangent of a dual tensor; the tangent is None where there is none."""

    primal: _C.Tensor
    tangent: _C.Tensor | None


def enter_dual_level() -> int:
    """Opens a level on which tensors can have tangents; RuntimeError inside another one."""
    return _C._enter_dual_level()


def exit_dual_level(*, level: int | None = None) -> None:
    """Closes the level: all tangents are dropped. RuntimeError when `level` is not the open one."""
    if _C._forward_level() < 0:
        raise RuntimeError("Dual level must be a positive number. No level is open: see enter_dual_level().")
    _C._exit_dual_level(_C._forward_level() if level is None else level)


class dual_level:
    """The scope in which dual tensors exist; their tangents end with it."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc_info: object) -> None:
        exit_dual_level()


def _check_level(level: int | None) -> None:
    if (_C._forward_level() if level is None else level) < 0:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )


def make_dual(tensor: _C.Tensor, tangent: _C.Tensor, *, level: int | None = None) -> _C.Tensor:
    """A view of `tensor` that carries `tangent`, which has the same shape and dtype.

    RuntimeError outside of a level or for another shape; ValueError for values that are not floating point.
    """
    _check_level(level)
    for name, value in (("tensor", tensor), ("tangent", tangent)):
        if not value.is_floating_point():
            role = "primal" if name == "tensor" else "tangent"
            raise ValueError(f"Expected {role} to be floating point or complex, but got: {value.dtype}")
    return _C._make_dual(tensor, tangent)


def unpack_dual(tensor: _C.Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of `tensor`, without its tangent, and the tangent."""
    if (_C._forward_level() if level is None else level) < 0:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(*_C._unpack_dual(tensor))
