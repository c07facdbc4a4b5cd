"""L-BFGS with an optional strong Wolfe line search."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from ..autograd import enable_grad, no_grad
from .line_search import strong_wolfe
from .optimizer import Optimizer, ParamsT, check_not_negative

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal & Wright, 2006, algorithm 7.4); one parameter group, `step` needs a
    closure."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_not_negative(lr=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        self._params = self.param_groups[0]["params"]

    def _flat_grad(self) -> Tensor:
        parts = [p.new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1) for p in self._params]
        return _C.cat(parts, 0)

    def _move(self, amount: float, direction: Tensor) -> None:
        start = 0
        for param in self._params:
            part = direction[start : start + param.numel()].view_as(param)
            param.add_(part, alpha=amount)
            start += param.numel()

    def _value_at(
        self, closure: Callable[[], Any], origin: list[Tensor], amount: float, direction: Tensor
    ) -> tuple[float, Tensor]:
        """Loss and gradient at origin + amount * direction; the parameters are put back."""
        self._move(amount, direction)
        loss, grad = float(closure()), self._flat_grad()
        for param, value in zip(self._params, origin, strict=True):
            param.copy_(value)
        return loss, grad

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Minimise for up to `max_iter` iterations; `closure` clears the gradients, computes the loss and
        calls backward."""
        evaluate = enable_grad()(closure)
        group = self.param_groups[0]
        tolerance = group["tolerance_grad"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = evaluate()
        loss = float(first_loss)
        evaluations = 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= tolerance:
            return first_loss

        direction, amount = state.get("d"), state.get("t")
        history = state.get("old_dirs"), state.get("old_stps"), state.get("ro")
        scale, previous_grad = state.get("H_diag"), state.get("prev_flat_grad")
        previous_loss = state.get("prev_loss")
        iterations = 0
        while iterations < group["max_iter"]:
            iterations += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction, history, scale = grad.neg(), ([], [], []), 1
            else:
                change = grad.sub(previous_grad)
                scale = _remember(history, change, direction.mul(amount), group["history_size"], scale)
                direction = _two_loop(history, grad, scale)
            previous_grad, previous_loss = grad.clone(), loss

            lr = float(group["lr"])
            amount = min(1.0, 1.0 / float(grad.abs().sum())) * lr if state["n_iter"] == 1 else lr
            slope = grad.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            calls = 0
            if group["line_search_fn"] is not None:
                origin = [param.clone() for param in self._params]
                loss, grad, amount, calls = strong_wolfe(
                    functools.partial(self._value_at, evaluate, origin),
                    amount,
                    direction,
                    loss,
                    grad,
                    slope,
                )
                self._move(amount, direction)
                converged = bool(grad.abs().max() <= tolerance)
            else:
                self._move(amount, direction)
                converged = False
                if iterations != group["max_iter"]:
                    loss = float(evaluate())
                    grad = self._flat_grad()
                    converged = bool(grad.abs().max() <= tolerance)
                    calls = 1
            evaluations += calls
            state["func_evals"] += calls
            if (
                iterations == group["max_iter"]
                or evaluations >= group["max_eval"]
                or converged
                or float(direction.mul(amount).abs().max()) <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break

        state["d"], state["t"] = direction, amount
        state["old_dirs"], state["old_stps"], state["ro"] = history
        state["H_diag"], state["prev_flat_grad"], state["prev_loss"] = scale, previous_grad, previous_loss
        return first_loss


def _remember(history: Any, change: Tensor, step: Tensor, size: int, scale: Any) -> Any:
    """Add a (gradient change, step) pair unless its curvature is not positive; return the new initial
    scale."""
    changes, steps, inverse_curvatures = history
    curvature = change.dot(step)
    if curvature <= 1e-10:
        return scale
    if len(changes) == size:
        for kept in history:
            kept.pop(0)
    changes.append(change)
    steps.append(step)
    inverse_curvatures.append(1.0 / curvature)
    return curvature / change.dot(change)


def _two_loop(history: Any, grad: Tensor, scale: Any) -> Tensor:
    """Minus the approximate inverse Hessian times the gradient."""
    changes, steps, inverse_curvatures = history
    direction = grad.neg()
    weights = []
    for change, step, inverse in zip(changes[::-1], steps[::-1], inverse_curvatures[::-1], strict=True):
        weight = step.dot(direction) * inverse
        direction.add_(change * -weight)
        weights.append(weight)
    direction = direction * scale
    for change, step, inverse, weight in zip(changes, steps, inverse_curvatures, weights[::-1], strict=True):
        direction.add_(step * (weight - change.dot(direction) * inverse))
    return direction
