"""Rprop."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import ParamsT, PerParameterOptimizer, check_not_negative

__all__ = ["Rprop"]


class Rprop(PerParameterOptimizer):
    """Resilient backpropagation: steps by the signs of the gradient (Riedmiller & Braun, 1993)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["prev"] = _C.zeros_like(param, requires_grad=False)
            state["step_size"] = _C.full_like(grad, float(group["lr"]))
        state["step"] += 1
        shrink, grow = group["etas"]
        agreement = grad * state["prev"]
        factor = _C.where(agreement > 0, grow, _C.where(agreement < 0, shrink, 1.0)).to(grad.dtype)
        step_size = state["step_size"].mul_(factor).clamp_(*group["step_sizes"])
        grad = grad.masked_fill(agreement < 0, 0.0)  # after a change of sign wait one step
        param.addcmul_(grad.sign(), step_size, value=-1)
        state["prev"].copy_(grad)
