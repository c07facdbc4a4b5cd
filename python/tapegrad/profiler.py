"""profile with a schedule: records some steps of a long program and hands each cycle to a function."""

from __future__ import annotations

import enum
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .autograd import profiler as _recorder
from .autograd.profiler import record_function
from .autograd.profiler_util import DeviceType, EventList

__all__ = [
    "DeviceType",
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerAction(enum.Enum):
    """What a profile does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class ProfilerActivity(enum.Enum):
    """What may be recorded; here it is the CPU."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """{ProfilerActivity.CPU}."""
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """The action for each step: after `skip_first` steps, cycles of `wait` idle steps, `warmup` steps whose
    events are thrown away and `active` recorded steps; `repeat` cycles, or without end for 0.
    `skip_first_wait` other than 0 leaves out the wait of the first cycle."""
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
            f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        warnings.warn("Profiler won't be using warmup, this can skew profiler results")
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        if repeat and step >= repeat * cycle:
            return ProfilerAction.NONE
        position = step % cycle
        if position < wait:
            return ProfilerAction.NONE
        if position < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if position < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str | os.PathLike[str],
    worker_name: str | None = None,
    use_gzip: bool = False,
    use_python_export: bool = False,
) -> Callable[[profile], None]:
    """For ``on_trace_ready``: writes each cycle to a file of its own in a directory, in Chrome's trace format
    and named as TensorBoard's plugin expects."""

    def write(finished: profile) -> None:
        directory = Path(dir_name)
        directory.mkdir(parents=True, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        ending = ".pt.trace.json" + (".gz" if use_gzip else "")
        finished.export_chrome_trace(directory / f"{worker}.{time.time_ns()}{ending}")

    return write


class profile:
    """Records the operations that run in a ``with`` block, or in some of its steps.

    `schedule` tells for the number of a step what to do in it; `step()` begins the next one, and
    ``on_trace_ready(profile)`` is called when the events of a cycle are complete. Without a schedule the
    whole block is one cycle. The other arguments are those of tapegrad.autograd.profiler.profile.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.activities = supported_activities() if activities is None else set(activities)
        if not self.activities:
            raise AssertionError("No valid profiler activities found")
        for activity in self.activities - supported_activities():
            warnings.warn(f"{activity.name} is not available, disabling {activity.name} profiling")
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.record_steps = schedule is not None
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.with_flops = with_flops
        self.acc_events = acc_events
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.profiler: _recorder.profile | None = None
        self._metadata: dict[str, Any] = {}
        self._step_block: record_function | None = None

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begins, as entering the block does."""
        if self.current_action in _RECORDING:
            self.start_trace()
        self._begin_step()

    def stop(self) -> None:
        """Ends, as leaving the block does; a cycle that was not complete is handed over, too."""
        self._end_step()
        if self.current_action in _RECORDING:
            self._finish_cycle()

    def step(self) -> None:
        """Says that the next step of the program begins."""
        self._end_step()
        previous, self.step_num = self.current_action, self.step_num + 1
        self.current_action = self.schedule(self.step_num)
        if previous is ProfilerAction.RECORD and self.current_action not in _RECORDING:
            warnings.warn(
                f"Incorrect schedule: RECORD followed by {self.current_action.name}; the last step of a "
                "cycle is RECORD_AND_SAVE"
            )
            self.stop_trace()
        elif previous is ProfilerAction.RECORD_AND_SAVE:
            self._finish_cycle()
        if self.current_action in _RECORDING and previous is not ProfilerAction.RECORD:
            self.start_trace()
        self._begin_step()

    def start_trace(self) -> None:
        """Begins to record."""
        if self.profiler is None or not self.acc_events:
            self.profiler = _recorder.profile(
                record_shapes=self.record_shapes,
                profile_memory=self.profile_memory,
                with_stack=self.with_stack,
                with_flops=self.with_flops,
                acc_events=self.acc_events,
            )
        self.profiler.__enter__()

    def stop_trace(self) -> None:
        """Ends recording."""
        self._recorded("stopping").__exit__(None, None, None)

    def _finish_cycle(self) -> None:
        self.stop_trace()
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def _begin_step(self) -> None:
        if self.record_steps and self.current_action in _RECORDING:
            self._step_block = record_function(f"ProfilerStep#{self.step_num}").__enter__()

    def _end_step(self) -> None:
        if self._step_block is not None:
            self._step_block.__exit__(None, None, None)
            self._step_block = None

    def _recorded(self, doing: str) -> _recorder.profile:
        if self.profiler is None:
            raise AssertionError(f"Profiler must be initialized before {doing}")
        return self.profiler

    def events(self) -> EventList:
        """The events of the last cycle, or of all of them with ``acc_events=True``."""
        recorded = self._recorded("accessing events")
        return EventList() if recorded.function_events is None else recorded.function_events

    def key_averages(
        self,
        group_by_input_shape: bool = False,
        group_by_stack_n: int = 0,
        group_by_overload_name: bool = False,
    ) -> EventList:
        """The sums by operation: see EventList.key_averages."""
        recorded = self._recorded("getting key averages")
        return recorded.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes a file for chrome://tracing or ui.perfetto.dev, compressed if its name ends in ".gz"."""
        recorded = self._recorded("exporting chrome trace")
        self.events().export_chrome_trace(
            path, {"baseTimeNanoseconds": recorded.start_time_ns, **self._metadata}
        )

    def export_stacks(self, path: str | os.PathLike[str], metric: str = "self_cpu_time_total") -> None:
        """Writes the stacks with their times, for flame graphs; needs ``with_stack=True``."""
        self._recorded("exporting stacks").export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Adds a text to exported traces."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Adds a value, written as JSON, to exported traces."""
        self._metadata[key] = json.loads(value)

    def toggle_collection_dynamic(self, enable: bool, activities: Iterable[ProfilerActivity] = ()) -> None:
        """Interrupts or continues recording inside a cycle."""
        if self.profiler is not None:
            self.profiler.toggle_collection_dynamic(enable)
