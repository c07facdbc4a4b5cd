"""RMSprop."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import ParamsT, PerParameterOptimizer, check_not_negative

__all__ = ["RMSprop"]


class RMSprop(PerParameterOptimizer):
    """Divide by a running root mean square of the gradient (Hinton's lecture 6e); `centered`: Graves
    (2013)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["square_avg"] = _C.zeros_like(param, requires_grad=False)
            if group["momentum"] > 0:
                state["momentum_buffer"] = _C.zeros_like(param, requires_grad=False)
            if group["centered"]:
                state["grad_avg"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        alpha, lr = group["alpha"], float(group["lr"])
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        average = state["square_avg"].mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"].lerp_(grad, 1 - alpha)
            average = average.addcmul(mean, mean, value=-1)
        scale = average.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            velocity = state["momentum_buffer"].mul_(group["momentum"]).addcdiv_(grad, scale)
            param.add_(velocity, alpha=-lr)
        else:
            param.addcdiv_(grad, scale, value=-lr)
