"""LRScheduler: the base class of schedules that depend on the number of steps taken."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ..._C import Tensor
from ..optimizer import Optimizer

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. "
    "Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is "
    "different from None, "
    "the closed form is used instead of the new chainable form, where available."
)


def set_option(group: dict[str, Any], option: str, value: Any) -> None:
    """Change an option of a parameter group; an option that is a tensor keeps its identity."""
    if isinstance(group[option], Tensor):
        group[option].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[option] = value


def copied(value: Any) -> Any:
    """Protect a value that is a tensor from later in-place changes."""
    return value.clone() if isinstance(value, Tensor) else value


def per_group(optimizer: Optimizer, value: Any, name: str) -> list[Any]:
    """Repeat a number for each parameter group, or check that there is one per group."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} "
            f"values, param_groups has {count}."
        )
    return list(value)


class LRScheduler:
    """Base class: subclasses define `get_lr`, which returns the learning rate of each group for
    `last_epoch`."""

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        if last_epoch == -1:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", copied(group["lr"]))
        else:
            for i, group in enumerate(optimizer.param_groups):
                if "initial_lr" not in group:
                    raise KeyError(
                        f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler "
                        "with last_epoch >= 0. This typically happens when the scheduler is created with "
                        "last_epoch >= 0 before the optimizer's state is loaded."
                    )
        self.base_lrs: list[Any] = [copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._count_optimizer_steps()
        self._initial_step()

    def _count_optimizer_steps(self) -> None:
        """Let the optimizer remember that it stepped, to warn about schedules stepped too early."""
        optimizer: Any = self.optimizer
        if getattr(optimizer.step, "_wrapped_by_lr_sched", False):
            return
        plain_step = optimizer.step

        @functools.wraps(plain_step)
        def step(*args: Any, **kwargs: Any) -> Any:
            optimizer._opt_called = True
            return plain_step(*args, **kwargs)

        step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
        optimizer.step = step

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Return everything except the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """Return the learning rates set by the last step."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """Compute the learning rate of each group for `last_epoch`; every subclass defines it."""
        raise NotImplementedError

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                stacklevel=3,
            )

    def _current(self) -> list[Any]:
        return [copied(group["lr"]) for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch (or to `epoch`) and set the learning rates."""
        if self._step_count == 1:
            self._warn_if_too_early()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, stacklevel=2)
        self._set_rates(epoch)

    def _set_rates(self, epoch: int | None) -> None:
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", None)
                values = self.get_lr() if closed_form is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_option(group, "lr", value)
        self._last_lr: list[Any] = self._current()

    def _warn_if_too_early(self) -> None:
        if not getattr(self.optimizer.step, "_wrapped_by_lr_sched", False):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. "
                "Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`.",
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 "
                "and later, you "
                "should call them in the opposite order: `optimizer.step()` before "
                "`lr_scheduler.step()`. Failure to "
                "do this will result in PyTorch skipping the first value of the learning rate schedule.",
                stacklevel=3,
            )
