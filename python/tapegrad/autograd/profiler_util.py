"""What a profile consists of: events, their averages by operation, tables and traces of them."""

from __future__ import annotations

import enum
import gzip
import itertools
import json
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["DeviceType", "EventList", "FunctionEvent", "FunctionEventAvg", "Interval"]


class DeviceType(enum.Enum):
    """Where an event took place."""

    CPU = 0
    CUDA = 1


class Interval:
    """From `start` to `end`, in microseconds since the profile began."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def elapsed_us(self) -> float:
        """The length in microseconds."""
        return self.end - self.start


def _format_time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


def _format_share(part: float, whole: float) -> str:
    if whole == 0:
        return "NaN"
    return f"{100 * part / whole:.2f}%"


def _format_memory(size: int) -> str:
    for unit, power in (("GB", 30), ("MB", 20), ("KB", 10)):
        if abs(size) >= 1 << power:
            return f"{size / (1 << power):.2f} {unit}"
    return f"{size} B"


class _Times:
    """Times as text, and the times of devices that are not there."""

    cpu_time_total: float
    self_cpu_time_total: float
    count: int

    device_time = cuda_time = device_time_total = cuda_time_total = 0
    self_device_time_total = self_cuda_time_total = 0
    device_memory_usage = cuda_memory_usage = self_device_memory_usage = self_cuda_memory_usage = 0
    device_type = DeviceType.CPU
    device_index = 0
    node_id = -1
    is_async = is_remote = is_legacy = False
    use_device: str | None = None
    overload_name = ""
    device_time_str = device_time_total_str = self_device_time_total_str = _format_time(0)

    @property
    def cpu_time(self) -> float:
        """Mean time of a call, with all that it called."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        """cpu_time with its unit."""
        return _format_time(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        """cpu_time_total with its unit."""
        return _format_time(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """self_cpu_time_total with its unit."""
        return _format_time(self.self_cpu_time_total)


class FunctionEvent(_Times):
    """One call of an operation, evaluation of a derivative, or block under record_function."""

    count = 1

    def __init__(
        self,
        id: int,
        name: str,
        thread: int,
        start_us: float,
        end_us: float,
        *,
        scope: int = 0,
        input_shapes: list[Any] | None = None,
        stack: list[str] | None = None,
        memory: int = 0,
        allocated: int = 0,
        sequence_nr: int = -1,
        flops: int = 0,
    ) -> None:
        self.id = id
        self.trace_name = name
        self.name = "ProfilerStep*" if name.startswith("ProfilerStep#") else name
        self.thread = thread
        self.time_range = Interval(start_us, end_us)
        self.scope = scope
        self.is_user_annotation = scope == _USER
        self.input_shapes = input_shapes or []
        self.stack = stack or []
        self.cpu_memory_usage = memory
        self.allocated_bytes = allocated
        self.sequence_nr = sequence_nr
        self.flops = flops
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []

    @property
    def key(self) -> str:
        """The name under which averages are taken."""
        return self.name

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """The time with all that was called, in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """The time without that of recorded calls."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        """Bytes allocated minus bytes freed, without those of recorded calls."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} device_type={self.device_type} "
            f"cpu_time={self.cpu_time_str} start_us={self.time_range.start:.3f} "
            f"end_us={self.time_range.end:.3f} cpu_children={[child.id for child in self.cpu_children]} "
            f"thread={self.thread} input_shapes={self.input_shapes} "
            f"cpu_memory_usage={self.cpu_memory_usage} is_async={self.is_async} seq_nr={self.sequence_nr}>"
        )


class FunctionEventAvg(_Times):
    """The sum of all events with one key."""

    def __init__(self) -> None:
        self.key = ""
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = 0
        self.self_cpu_memory_usage = 0
        self.input_shapes: Any = None
        self.stack: list[str] = []
        self.scope = 0
        self.flops = 0
        self.is_user_annotation = False
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Adds an event, or the sum of further events with the same key."""
        if not self.key:
            self.key = other.key
            self.scope = other.scope
            self.stack = other.stack
            self.is_user_annotation = other.is_user_annotation
            self.cpu_parent, self.cpu_children = other.cpu_parent, other.cpu_children
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        self.cpu_memory_usage += other.cpu_memory_usage
        self.self_cpu_memory_usage += other.self_cpu_memory_usage
        self.flops += other.flops
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str}  self_cuda_time={self.self_device_time_total_str} "
            f"cuda_time={self.device_time_str} input_shapes={self.input_shapes} "
            f"cpu_memory_usage={self.cpu_memory_usage} cuda_memory_usage={self.device_memory_usage}>"
        )


class EventList(list[Any]):
    """Events in the order in which they began, or averages of them."""

    def __init__(
        self, events: Iterable[Any] = (), *, profile_memory: bool = False, with_flops: bool = False
    ) -> None:
        super().__init__(events)
        self._profile_memory = profile_memory
        self._with_flops = with_flops

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events in microseconds; nested ones count once."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(
        self,
        group_by_input_shapes: bool = False,
        group_by_stack_n: int = 0,
        group_by_overload_name: bool = False,
    ) -> EventList:
        """The sums over events of one name; on request also of the same shapes of the arguments, and of the
        same `group_by_stack_n` innermost Python lines. Operations have no overload names here."""
        sums: dict[tuple[Any, ...], FunctionEventAvg] = defaultdict(FunctionEventAvg)
        for event in self:
            shapes = str(event.input_shapes) if group_by_input_shapes else ""
            stack = event.stack[:group_by_stack_n]
            key = (event.key, event.is_user_annotation, shapes, *stack)
            entry = sums[key].add(event)
            entry.input_shapes = shapes
            entry.stack = stack
        return EventList(sums.values(), profile_memory=self._profile_memory, with_flops=self._with_flops)

    def total_average(self) -> FunctionEventAvg:
        """The sum over all events."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = "Total"
        total.key = "Total"
        return total

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int | None = 55,
        max_shapes_column_width: int | None = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """The events as text, one to a line.

        `sort_by` names an attribute (cpu_time, cpu_time_total, self_cpu_time_total, cpu_memory_usage,
        self_cpu_memory_usage, count): the largest comes first. `time_unit` is "s", "ms" or "us"; None chooses
        for each number. A name that is too wide for its column is cut.
        """
        if not self:
            return ""
        rows = (
            sorted(self, key=lambda event: getattr(event, sort_by), reverse=True) if sort_by else list(self)
        )
        if top_level_events_only:
            rows = [row for row in rows if row.cpu_parent is None]
        columns = self._columns(
            rows, max_name_column_width, max_shapes_column_width, max_src_column_width, time_unit
        )
        return _layout(
            columns, rows[: max(row_limit, 0)] if row_limit >= 0 else rows, header, top_level_events_only
        ) + (f"Self CPU time total: {_time_in(time_unit)(self.self_cpu_time_total)}\n")

    def _columns(
        self,
        rows: Sequence[Any],
        name_width: int | None,
        shapes_width: int | None,
        source_width: int,
        time_unit: str | None,
    ) -> list[_Column]:
        time, total = _time_in(time_unit), self.self_cpu_time_total
        columns = [
            _Column("Name", _width((row.key for row in rows), name_width), lambda row: row.key),
            _Column("Self CPU %", 12, lambda row: _format_share(row.self_cpu_time_total, total)),
            _Column("Self CPU", 12, lambda row: time(row.self_cpu_time_total)),
            _Column("CPU total %", 12, lambda row: _format_share(row.cpu_time_total, total)),
            _Column("CPU total", 12, lambda row: time(row.cpu_time_total)),
            _Column("CPU time avg", 12, lambda row: time(row.cpu_time)),
        ]
        if self._profile_memory:
            columns += [
                _Column("CPU Mem", 12, lambda row: _format_memory(row.cpu_memory_usage)),
                _Column("Self CPU Mem", 12, lambda row: _format_memory(row.self_cpu_memory_usage)),
            ]
        columns.append(_Column("# of Calls", 12, lambda row: str(row.count)))
        if any(row.input_shapes for row in rows):
            width = _width((str(row.input_shapes) for row in rows), shapes_width)
            columns.append(_Column("Input Shapes", width, lambda row: str(row.input_shapes or "[]")))
        if any(row.stack for row in rows):
            width = _width((line for row in rows for line in row.stack), source_width)
            columns.append(_Column("Source Location", width, lambda row: row.stack[0] if row.stack else ""))
        if self._with_flops:
            power = _flops_power(row.flops for row in rows)
            title = f"Total {['', 'K', 'M', 'G', 'T', 'P'][power]}FLOPs"
            columns.append(
                _Column(title, 12, lambda row: f"{row.flops / 1000**power:.3f}" if row.flops else "--")
            )
        return columns

    def export_chrome_trace(
        self, path: str | os.PathLike[str], metadata: dict[str, Any] | None = None
    ) -> None:
        """Writes a file for chrome://tracing or ui.perfetto.dev; compressed if its name ends in ".gz"."""
        document = {
            "schemaVersion": 1,
            "displayTimeUnit": "ms",
            **(metadata or {}),
            "traceEvents": _trace(self, self._profile_memory),
            "traceName": os.fspath(path),
        }
        text = json.dumps(document)
        if os.fspath(path).endswith(".gz"):
            with gzip.open(path, "wt", encoding="utf-8") as compressed:
                compressed.write(text)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def export_stacks(self, path: str | os.PathLike[str], metric: str = "self_cpu_time_total") -> None:
        """Writes a line "outermost;...;innermost time" per event with a stack, for flame graphs. `metric` is
        self_cpu_time_total."""
        if metric not in ("self_cpu_time_total", "self_cuda_time_total"):
            raise ValueError(
                "metric should be one of: ['self_cpu_time_total', 'self_cuda_time_total'], "
                f"but got {metric!r}"
            )
        with open(path, "w", encoding="utf-8") as file:
            for event in self:
                value = int(getattr(event, metric))
                if event.stack and value > 0:
                    stack = ";".join(line.translate(_NO_SEPARATORS) for line in reversed(event.stack))
                    file.write(f"{stack} {value}\n")


_USER = 7  # the scope of record_function
_NO_SEPARATORS = str.maketrans(" ;\t\n", "____")


class _Column(NamedTuple):
    title: str
    width: int
    text: Callable[[Any], str]


def _time_in(unit: str | None) -> Callable[[float], str]:
    if unit is None:
        return _format_time
    sizes = {"s": 1e6, "ms": 1e3, "us": 1.0}
    if unit not in sizes:
        raise ValueError(f"time_unit should be one of {list(sizes)}, but got {unit!r}")
    return lambda microseconds: f"{microseconds / sizes[unit]:.3f}{unit}"


def _width(texts: Iterable[str], limit: int | None) -> int:
    width = max(map(len, texts), default=0) + 4
    return width if limit is None else min(width, limit)


def _flops_power(flops: Iterable[int]) -> int:
    """The power of 1000 in which the smallest number of operations is at least one."""
    smallest = min(filter(None, flops), default=1)
    return min(int(math.log10(smallest)) // 3, 5)


def _layout(columns: list[_Column], rows: Iterable[Any], header: str | None, only_top_level: bool) -> str:
    def cut(text: str, width: int) -> str:
        return text if len(text) <= width else text[: width - 3] + "..."

    def line(texts: Iterable[str]) -> str:
        return "".join(f"{text:>{column.width}}  " for text, column in zip(texts, columns))

    rule = line("-" * column.width for column in columns)
    wide_rule = "=" * (sum(column.width + 2 for column in columns) - 2)
    lines: list[str] = []
    if header is not None:
        lines += [wide_rule, header]
    if only_top_level:
        lines += [wide_rule, "This report only display top-level ops statistics"]
    lines += [rule, line(column.title for column in columns), rule]
    lines += [line(cut(column.text(row), column.width) for column in columns) for row in rows]
    return "\n".join([*lines, rule, ""])


def _trace(events: Iterable[FunctionEvent], with_memory: bool) -> list[dict[str, Any]]:
    """The events in Chrome's trace format, with an arrow from each operation to its derivative."""
    process = os.getpid()
    trace: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": "python"}}
    ]
    threads: set[int] = set()
    recorded: dict[int, FunctionEvent] = {}  # by sequence number
    for index, event in enumerate(events):
        place = {"pid": process, "tid": event.thread}
        start = event.time_range.start
        if event.thread not in threads:
            threads.add(event.thread)
            name = f"thread {event.thread} (python)"
            trace.append({"ph": "M", "name": "thread_name", **place, "args": {"name": name}})
        arguments: dict[str, Any] = {"External id": event.id, "Ev Idx": index}
        if event.sequence_nr >= 0:
            arguments["Sequence number"] = event.sequence_nr
        if event.input_shapes:
            arguments["Input Dims"] = event.input_shapes
        if event.stack:
            arguments["Call stack"] = ";".join(event.stack)
        if with_memory:
            arguments["Bytes"] = event.cpu_memory_usage
        trace.append(
            {
                "ph": "X",
                "cat": "user_annotation" if event.is_user_annotation else "cpu_op",
                "name": event.trace_name,
                **place,
                "ts": start,
                "dur": event.time_range.elapsed_us(),
                "args": arguments,
            }
        )
        if with_memory:
            counter = {"Total Allocated": event.allocated_bytes}
            trace.append({"ph": "C", "name": "memory", **place, "ts": event.time_range.end, "args": counter})
        if event.sequence_nr < 0:
            continue
        if event.scope == 0 and event.sequence_nr not in recorded:
            recorded[event.sequence_nr] = event
        elif event.scope == 1 and event.sequence_nr in recorded:
            source = recorded.pop(event.sequence_nr)
            arrow = {"cat": "fwdbwd", "name": "fwdbwd", "id": event.sequence_nr, "pid": process}
            trace.append({"ph": "s", **arrow, "tid": source.thread, "ts": source.time_range.start})
            trace.append({"ph": "f", "bp": "e", **arrow, "tid": event.thread, "ts": start})
    return trace


# Methods that are operations for the argument parser only.
_NOT_RECORDED = {
    f"aten::{name}"
    for name in (
        "backward", "can_cast", "get_default_dtype", "is_contiguous", "is_same_size", "is_set_to",
        "promote_types", "register_hook", "register_post_accumulate_grad_hook", "requires_grad_",
        "result_type", "retain_grad", "set_default_dtype", "_gradient_edge", "_increment_version",
        "_make_subclass", "__array__", "__dlpack__", "__dlpack_device__",
    )
}  # fmt: skip


def _matrix_flops(shapes: list[Any], result: list[int]) -> int:
    """Two for each product: the last dimension of the first matrix is summed over."""
    matrices = [shape for shape in shapes if shape and not isinstance(shape[0], list)]
    return 2 * math.prod(result) * matrices[0][-1] if matrices else 0


def _affine_flops(shapes: list[Any], result: list[int]) -> int:
    return _matrix_flops(shapes[1:], result)  # input + mat1 @ mat2


def _convolution_flops(shapes: list[Any], result: list[int]) -> int:
    return 2 * math.prod(result) * math.prod(shapes[1][1:])


def _element_flops(shapes: list[Any], result: list[int]) -> int:
    return math.prod(result)


_FLOPS: dict[str, Callable[[list[Any], list[int]], int]] = {
    **dict.fromkeys(("aten::mm", "aten::matmul", "aten::bmm", "aten::mv", "aten::linear"), _matrix_flops),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm", "aten::addmv"), _affine_flops),
    **dict.fromkeys(("aten::conv1d", "aten::conv2d", "aten::conv3d"), _convolution_flops),
    **dict.fromkeys(("aten::add", "aten::mul"), _element_flops),
}


class RawEvent(NamedTuple):
    """An event as the recorder hands it out."""

    name: str
    scope: int
    parent: int
    thread: int
    begin: int
    end: int
    bytes_before: int
    bytes_after: int
    shapes: str
    result_shape: str
    stack: str
    node: int


def events_from(rows: Iterable[tuple[Any, ...]], *, shapes: bool, memory: bool, flops: bool) -> EventList:
    """The events of a profile; `shapes`, `memory` and `flops` are what the user asked for."""
    raw_events = list(itertools.starmap(RawEvent, rows))
    events: list[FunctionEvent] = []
    owner: list[FunctionEvent | None] = []  # of each row: its event, or that around it
    sequence: dict[int, int] = {}  # node -> number; addresses are used again, so the latest counts
    count = itertools.count()
    for raw in raw_events:
        parent = owner[raw.parent] if raw.parent >= 0 else None
        if raw.name in _NOT_RECORDED:
            owner.append(parent)
            continue
        if raw.node and raw.scope == 0:
            sequence[raw.node] = next(count)
        input_shapes = json.loads(raw.shapes) if raw.shapes else []
        result_shape = json.loads(raw.result_shape) if raw.result_shape else None
        formula = _FLOPS.get(raw.name) if flops and result_shape is not None else None
        event = FunctionEvent(
            len(events) + 1,
            raw.name,
            raw.thread,
            raw.begin / 1000,
            raw.end / 1000,
            scope=raw.scope,
            input_shapes=input_shapes if shapes else [],
            stack=raw.stack.split("\n") if raw.stack else [],
            memory=raw.bytes_after - raw.bytes_before if memory else 0,
            allocated=raw.bytes_after,
            sequence_nr=sequence.get(raw.node, -1),
            flops=formula(input_shapes, result_shape) if formula and result_shape is not None else 0,
        )
        event.cpu_parent = parent
        if parent is not None:
            parent.cpu_children.append(event)
        events.append(event)
        owner.append(event)
    return EventList(events, profile_memory=memory, with_flops=flops)
