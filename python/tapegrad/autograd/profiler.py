"""profile: what ran, how long it took and how much memory it needed; record_function: a name for a block."""

from __future__ import annotations

import functools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from typing import Any

from .. import _C
from .profiler_util import (
    DeviceType,
    EventList,
    FunctionEvent,
    FunctionEventAvg,
    Interval,
    events_from,
)

__all__ = [
    "DeviceType",
    "EventList",
    "FunctionEvent",
    "FunctionEventAvg",
    "Interval",
    "profile",
    "record_function",
]


class record_function(ContextDecorator):
    """Gives a block, or the calls of a function that it decorates, a name in a profile.

    Costs less than a microsecond while no profile is taken.
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args

    def _recreate_cm(self) -> record_function:  # each call of a decorated function is a block of its own
        return record_function(self.name, self.args)

    def __enter__(self) -> record_function:
        self._event = _C._profiler_enter(self.name)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _C._profiler_leave(self._event)


def _optimizer_classes() -> Iterator[type]:
    """Optimizer and its subclasses, if the module has been imported."""
    module = sys.modules.get("tapegrad.optim.optimizer")
    pending: list[type] = [module.Optimizer] if module is not None else []
    while pending:
        cls = pending.pop()
        yield cls
        pending += cls.__subclasses__()


def _as_block(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        name = method.__name__
        with record_function(f"Optimizer.{name}#{type(self).__name__}.{name}"):
            return method(self, *args, **kwargs)

    return call


class _OptimizerBlocks:
    """Makes blocks of the steps of optimizers while a profile is taken, so that they cost nothing else."""

    def __init__(self) -> None:
        self.methods = [
            (cls, name, vars(cls)[name])
            for cls in _optimizer_classes()
            for name in ("step", "zero_grad")
            if name in vars(cls)
        ]
        for cls, name, method in self.methods:
            setattr(cls, name, _as_block(method))

    def remove(self) -> None:
        for cls, name, method in self.methods:
            setattr(cls, name, method)


class profile:
    """Records the operations that run in a ``with`` block, forward and backward, in all threads.

    `record_shapes` keeps the shapes of the arguments, `profile_memory` the bytes allocated minus those freed,
    `with_stack` the Python lines, `with_flops` the number of floating-point operations of matrix products,
    convolutions, additions and multiplications. An operation is recorded where Python calls it: what it is
    made of inside is part of its own time. Steps of optimizers are blocks. With ``enabled=False`` nothing is
    recorded. Arguments about other devices and recorders are accepted without effect.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
        experimental_config: Any = None,
        acc_events: bool = False,
        custom_trace_id_callback: Any = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.enabled = enabled
        self.record_shapes = record_shapes
        self.with_flops = with_flops
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.acc_events = acc_events
        self.entered = False
        self.function_events: EventList | None = None
        self.start_time_ns = 0
        if use_cuda or use_device not in (None, "cpu"):
            device = use_device if use_device is not None else "cuda"
            warnings.warn(f"{device.upper()} is not available, disabling {device.upper()} profiling")

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        _C._profiler_start(self.record_shapes or self.with_flops, self.with_stack)
        self.entered = True
        self._optimizer_blocks = _OptimizerBlocks()
        self.start_time_ns = time.time_ns()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self.enabled:
            return
        rows = _C._profiler_stop()
        self._optimizer_blocks.remove()
        events = events_from(
            rows,
            shapes=self.record_shapes,
            memory=self.profile_memory,
            flops=self.with_flops,
        )
        self.entered = False
        if self.acc_events and self.function_events is not None:
            self.function_events.extend(events)
        else:
            self.function_events = events

    def __repr__(self) -> str:
        if self.function_events is None:
            return "<unfinished torch.autograd.profile>"
        return repr(self.function_events)

    def __str__(self) -> str:
        if self.function_events is None:
            return "<unfinished torch.autograd.profile>"
        return self.table()

    def _finished(self) -> EventList:
        if self.entered:
            raise RuntimeError("Profiler didn't finish running: leave its with block first")
        return EventList() if self.function_events is None else self.function_events

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int | None = 55,
        max_shapes_column_width: int | None = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """All events as text: see EventList.table. key_averages().table() is shorter."""
        return self._finished().table(
            sort_by,
            row_limit,
            max_src_column_width,
            max_name_column_width,
            max_shapes_column_width,
            header,
            top_level_events_only,
        )

    def key_averages(
        self,
        group_by_input_shape: bool = False,
        group_by_stack_n: int = 0,
        group_by_overload_name: bool = False,
    ) -> EventList:
        """The sums by operation: see EventList.key_averages."""
        return self._finished().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """The sum of all events."""
        return self._finished().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events in microseconds; nested ones count once."""
        return self._finished().self_cpu_time_total

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes a file for chrome://tracing or ui.perfetto.dev."""
        self._finished().export_chrome_trace(path, {"baseTimeNanoseconds": self.start_time_ns})

    def export_stacks(self, path: str | os.PathLike[str], metric: str = "self_cpu_time_total") -> None:
        """Writes the stacks with their times, for flame graphs; needs ``with_stack=True``."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        self._finished().export_stacks(path, metric)

    def toggle_collection_dynamic(self, enabled: bool, activities: Any = None) -> None:
        """Interrupts or continues recording inside the block."""
        if self.entered:
            _C._profiler_set_collecting(enabled)
