"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import ParamsT, PerParameterOptimizer, check_not_negative

__all__ = ["ASGD"]


class ASGD(PerParameterOptimizer):
    """SGD that also keeps the average of the parameters, in state["ax"] (Polyak & Juditsky, 1992)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, lambd = float(group["lr"]), group["lambd"]
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["eta"] = _C.tensor(lr, dtype=_C.float32)
            state["mu"] = _C.tensor(1.0, dtype=_C.float32)
            state["ax"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        step, eta, mu = float(state["step"]), float(state["eta"]), float(state["mu"])
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        param.mul_(1 - lambd * eta)
        param.add_(grad, alpha=-eta)
        if mu == 1:
            state["ax"].copy_(param)
        else:
            state["ax"].add_((param - state["ax"]).mul_(mu))
        state["eta"] = _C.tensor(lr / (1 + lambd * lr * step) ** group["alpha"], dtype=_C.float32)
        state["mu"] = _C.tensor(1 / max(1, step - group["t0"]), dtype=_C.float32)
