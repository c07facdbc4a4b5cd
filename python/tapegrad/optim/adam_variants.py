"""Adamax, NAdam and RAdam."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import ParamsT, PerParameterOptimizer, check_betas, check_not_negative

__all__ = ["Adamax", "NAdam", "RAdam"]


class Adamax(PerParameterOptimizer):
    """Adam with the maximum norm (Kingma & Ba, 2014, section 7.1)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["exp_avg"] = _C.zeros_like(param, requires_grad=False)
            state["exp_inf"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        beta1, beta2 = group["betas"]
        average = state["exp_avg"].lerp_(grad, 1 - beta1)
        largest = state["exp_inf"].mul_(beta2)
        largest.copy_(_C.maximum(largest, grad.abs().add_(group["eps"])))
        rate = float(group["lr"]) / (1 - beta1 ** float(state["step"]))
        param.addcdiv_(average, largest, value=-rate)


class NAdam(PerParameterOptimizer):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["mu_product"] = _C.tensor(1.0, dtype=_C.float32)
            state["exp_avg"] = _C.zeros_like(param, requires_grad=False)
            state["exp_avg_sq"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        step, lr = float(state["step"]), float(group["lr"])
        beta1, beta2 = group["betas"]
        grad = _decayed(param, grad, group, lr)
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        state["mu_product"] *= mu
        product = float(state["mu_product"])
        average = state["exp_avg"].lerp_(grad, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        scale = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        param.addcdiv_(grad, scale, value=-lr * (1.0 - mu) / (1.0 - product))
        param.addcdiv_(average, scale, value=-lr * mu_next / (1.0 - product * mu_next))


class RAdam(PerParameterOptimizer):
    """Adam whose adaptive rate starts when its variance is finite (Liu et al., 2019)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["exp_avg"] = _C.zeros_like(param, requires_grad=False)
            state["exp_avg_sq"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        step, lr = float(state["step"]), float(group["lr"])
        beta1, beta2 = group["betas"]
        grad = _decayed(param, grad, group, lr)
        average = state["exp_avg"].lerp_(grad, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        unbiased = average / (1 - beta1**step)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        if length > 5.0:
            ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            scale = math.sqrt(1 - beta2**step) / square.sqrt().add_(group["eps"])
            param.add_(unbiased * lr * scale * math.sqrt(ratio), alpha=-1.0)
        else:
            param.add_(unbiased * lr, alpha=-1.0)


def _decayed(param: Tensor, grad: Tensor, group: dict[str, Any], lr: float) -> Tensor:
    """Apply weight decay to the parameter (decoupled) or return it as part of the gradient."""
    if group["weight_decay"] == 0:
        return grad
    if group["decoupled_weight_decay"]:
        param.mul_(1 - lr * group["weight_decay"])
        return grad
    return grad.add(param, alpha=group["weight_decay"])
