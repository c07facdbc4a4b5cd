"""Adagrad and Adadelta."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import ParamsT, PerParameterOptimizer, check_fused, check_not_negative

__all__ = ["Adadelta", "Adagrad"]


class Adagrad(PerParameterOptimizer):
    """Divide by the root of the sum of all squared gradients (Duchi et al., 2011)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        check_fused(fused, foreach)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["step"] = _C.tensor(0.0, dtype=_C.float32)
                self.state[param]["sum"] = _C.full_like(
                    param, float(initial_accumulator_value), requires_grad=False
                )

    def share_memory(self) -> None:
        """Do nothing: threads and forked processes see the state anyway."""

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] += 1
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        rate = float(group["lr"]) / (1 + (float(state["step"]) - 1) * group["lr_decay"])
        total = state["sum"].addcmul_(grad, grad, value=1)
        param.addcdiv_(grad, total.sqrt().add_(group["eps"]), value=-rate)


class Adadelta(PerParameterOptimizer):
    """Scale by the ratio of running root mean squares of updates and gradients (Zeiler, 2012)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = _C.tensor(0.0, dtype=_C.float32)
            state["square_avg"] = _C.zeros_like(param, requires_grad=False)
            state["acc_delta"] = _C.zeros_like(param, requires_grad=False)
        state["step"] += 1
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        average, accumulated = state["square_avg"], state["acc_delta"]
        average.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        scale = average.add(eps).sqrt_()
        delta = accumulated.add(eps).sqrt_().div_(scale).mul_(grad)
        accumulated.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-float(group["lr"]))
