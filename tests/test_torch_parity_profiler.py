"""Profiles against PyTorch itself, where it is installed: names, nesting, tables, schedules, errors."""

from __future__ import annotations

import importlib
import itertools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tapegrad

torch = pytest.importorskip("torch")

LIBRARIES = (tapegrad, torch)


def record(library: ModuleType, **options: Any) -> Any:
    profiler = importlib.import_module(f"{library.__name__}.autograd.profiler")
    a = library.ones(3, 4, requires_grad=True)
    w = library.ones(4, 5, requires_grad=True)
    with profiler.profile(**options) as prof, profiler.record_function("model"):
        y = ((a @ w) * 2).relu()
        y = y / 3 - 1
        library.cat([y, y.exp()]).sum().backward()
    return prof


def key(event: Any) -> tuple[str, int]:
    return event.name, event.scope


def test_what_is_recorded_is_recorded_by_pytorch_too() -> None:
    mine, theirs = (record(library) for library in LIBRARIES)
    missing = {key(event) for event in mine.function_events} - {
        key(event) for event in theirs.function_events
    }
    assert missing == set()


def test_derivatives_run_in_the_same_order() -> None:
    mine, theirs = (
        [event.name for event in record(library).function_events if event.scope == 1] for library in LIBRARIES
    )
    leaves = "torch::autograd::AccumulateGrad"
    assert [name for name in mine if name != leaves] == [name for name in theirs if name != leaves]
    assert mine.count(leaves) == theirs.count(leaves)


def test_shapes_of_arguments() -> None:
    def shapes(library: ModuleType) -> dict[str, Any]:
        events = record(library, record_shapes=True).function_events
        keep = ("aten::matmul", "aten::relu", "MulBackward0", "ReluBackward0", "MmBackward0", "CatBackward0")
        return {event.name: event.input_shapes for event in events if event.name in keep}

    assert shapes(tapegrad) == shapes(torch)


def test_forward_and_backward_are_linked() -> None:
    def links(library: ModuleType) -> set[tuple[str, str]]:
        events = record(library).function_events
        made = {
            event.sequence_nr: event.name
            for event in events
            if event.scope == 0 and "::eval" not in event.name
        }
        return {
            (made[event.sequence_nr], event.name)
            for event in events
            if event.scope == 1 and event.name in ("MulBackward0", "ReluBackward0", "ExpBackward0")
        }

    assert links(tapegrad) == links(torch)


@pytest.mark.parametrize(
    "options", [{}, {"record_shapes": True}, {"profile_memory": True}, {"with_flops": True}]
)
def test_the_head_of_a_table(options: dict[str, Any]) -> None:
    def head(library: ModuleType) -> list[str]:
        averages = record(library, **options).key_averages(group_by_input_shape="record_shapes" in options)
        text = averages.table(
            sort_by="count", row_limit=1, max_name_column_width=30, max_shapes_column_width=9, header="Title"
        )
        return text.replace("KFLOPs", "FLOPs").splitlines()

    mine, theirs = head(tapegrad), head(torch)
    assert len(mine) == len(theirs)
    assert [line.split() for line in mine[:5]] == [line.split() for line in theirs[:5]]
    assert list(map(len, mine[:-2])) == list(map(len, theirs[:-2]))
    assert (
        mine[-2].split(":")[0] == theirs[-2].split(":")[0]
        or mine[-1].split(":")[0] == theirs[-1].split(":")[0]
    )


def test_floating_point_operations() -> None:
    def flops(library: ModuleType) -> dict[str, int]:
        profiler = importlib.import_module(f"{library.__name__}.autograd.profiler")
        with profiler.profile(with_flops=True) as prof:
            library.bmm(library.ones(2, 3, 4), library.ones(2, 4, 5))
            library.addmm(library.ones(3, 5), library.ones(3, 4), library.ones(4, 5))
            library.mm(library.ones(3, 4), library.ones(4, 5))
            library.conv2d(library.ones(1, 3, 8, 8), library.ones(4, 3, 3, 3), stride=2, padding=1)
            library.ones(6) * library.ones(6)
            library.ones(6) + library.ones(6)
        return {event.name: event.flops for event in prof.function_events if event.flops}

    assert flops(tapegrad) == flops(torch)


def test_events_of_both_have_the_same_attributes() -> None:
    for mine, theirs in (
        (record(tapegrad).function_events[0], record(torch).function_events[0]),
        (record(tapegrad).key_averages()[0], record(torch).key_averages()[0]),
    ):
        for name in (
            "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_time_str", "device_time_total",
            "self_device_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "count", "key",
            "input_shapes", "stack", "is_async", "is_remote", "node_id", "flops", "scope", "is_legacy",
        ):  # fmt: skip
            assert type(getattr(mine, name)) is type(getattr(theirs, name)) or name == "input_shapes", name


def test_schedules() -> None:
    for wait, warmup, active, repeat, skip in itertools.product((0, 2), (0, 1), (1, 3), (0, 2), (0, 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plans = [
                library.profiler.schedule(
                    wait=wait, warmup=warmup, active=active, repeat=repeat, skip_first=skip
                )
                for library in LIBRARIES
            ]
        for step in range(30):
            assert plans[0](step).name == plans[1](step).name


def test_a_scheduled_profile() -> None:
    def cycles(library: ModuleType) -> list[Any]:
        seen: list[Any] = []
        module = library.profiler
        plan = module.schedule(wait=1, warmup=1, active=2, repeat=2)
        x = library.ones(3)

        def ready(prof: Any) -> None:
            names = [event.name for event in prof.events()]
            seen.append((prof.step_num, names.count("ProfilerStep*"), names.count("aten::exp")))

        with module.profile(
            activities=[module.ProfilerActivity.CPU], schedule=plan, on_trace_ready=ready
        ) as prof:
            for _ in range(10):
                x.exp()
                prof.step()
        return seen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cycles(tapegrad) == cycles(torch)


def test_traces(tmp_path: Path) -> None:
    def complete(library: ModuleType) -> dict[str, Any]:
        path = tmp_path / f"{library.__name__}.json"
        record(library, record_shapes=True).export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
        return {event["name"]: event for event in events if event["ph"] == "X"}

    mine, theirs = complete(tapegrad), complete(torch)
    for name in ("model", "aten::relu", "MulBackward0", "autograd::engine::evaluate_function: MulBackward0"):
        assert mine[name]["cat"] == theirs[name]["cat"]
        assert mine[name]["args"].get("Input Dims") == theirs[name]["args"].get("Input Dims")
        assert mine[name].keys() == theirs[name].keys()


def reentered(library: ModuleType) -> None:
    profiler = importlib.import_module(f"{library.__name__}.autograd.profiler")
    with profiler.profile() as prof, prof:
        pass


ERRORS: list[Callable[[ModuleType], Any]] = [
    lambda library: library.profiler.schedule(wait=-1, warmup=0, active=1),
    lambda library: library.profiler.schedule(wait=0, warmup=0, active=0),
    lambda library: library.profiler.profile().events(),
    lambda library: library.profiler.profile().key_averages(),
    lambda library: library.profiler.profile().export_chrome_trace("x"),
    lambda library: record(library).export_stacks("x", "self_cpu_time_total"),
    lambda library: record(library).table(sort_by="speed"),
    lambda library: record(library).key_averages().table(sort_by="speed"),
    reentered,
]


@pytest.mark.parametrize("function", ERRORS)
def test_errors(function: Callable[[ModuleType], Any]) -> None:
    def outcome(library: ModuleType) -> tuple[str, list[str]]:
        with pytest.raises(Exception) as caught:
            function(library)
        return type(caught.value).__name__, str(caught.value).split()[:5]

    assert outcome(tapegrad) == outcome(torch)
