"""Profiles: events, averages, tables, traces, schedules."""

import gzip
import json
import re
import threading
import time

import pytest

import tapegrad as torch
from tapegrad.autograd import profiler
from tapegrad.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)


def names(events):
    return [event.name for event in events]


@pytest.fixture
def x():
    return torch.ones(2, 3, requires_grad=True)


def test_calls_operators_and_items(x):
    y = torch.ones(2, 3)
    with profiler.profile() as prof:
        torch.exp(x)
        x.sin()
        x + 1
        1 - x
        2.0 / x
        x @ y.t()
        _ = -x
        abs(x)
        x**2
        y // 2
        _ = x > 1
        y[0]
        y[0] = 2
        y += 1
        y.mul_(2)
        a, b = x
    assert names(prof.function_events) == [
        "aten::exp", "aten::sin", "aten::add", "aten::rsub", "aten::div", "aten::t", "aten::matmul",
        "aten::neg", "aten::abs", "aten::pow", "aten::floor_divide", "aten::gt", "aten::__getitem__",
        "aten::__setitem__",
        "aten::add_", "aten::mul_", "aten::unbind",
    ]  # fmt: skip
    with profiler.profile() as prof:
        pass
    assert prof.function_events == []
    assert prof.table() == ""


def test_nothing_is_recorded_outside(x):
    before = profiler.profile()
    x + 1
    with before:
        x * 2
    x - 3
    assert names(before.function_events) == ["aten::mul"]


def test_backward(x):
    with profiler.profile(record_shapes=True) as prof:
        (x.exp() * 2).sum().backward()
    events = prof.function_events
    backward = [event for event in events if event.scope == 1]
    assert names(backward) == [
        "SumBackward0",
        "MulBackward0",
        "ExpBackward0",
        "torch::autograd::AccumulateGrad",
    ]
    for event in backward:
        assert event.cpu_parent.name == f"autograd::engine::evaluate_function: {event.name}"
    assert [event.input_shapes for event in backward] == [[[]], [[2, 3]], [[2, 3]], [[2, 3]]]
    forward = {event.name: event.sequence_nr for event in events if event.scope == 0}
    assert [event.sequence_nr for event in backward] == [
        forward["aten::sum"],
        forward["aten::mul"],
        forward["aten::exp"],
        -1,
    ]


def test_operations_in_a_python_derivative_are_inside_it(x):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    y = Double.apply(x).sum()
    with profiler.profile() as prof:
        y.backward()
    inside = [event for event in prof.function_events if event.name == "aten::mul"]
    assert [event.cpu_parent.name for event in inside] == ["DoubleBackward"]


def test_methods_that_compute_nothing_are_left_out(x):
    with profiler.profile() as prof:
        x.is_contiguous()
        y = x * 2
        y.retain_grad()
        y.sum().backward()
        torch.result_type(x, 2)
    assert [name for name in names(prof.function_events) if name.startswith("aten")] == [
        "aten::mul",
        "aten::sum",
    ]


def test_times_nest(x):
    with profiler.profile() as prof, record_function("outer"):
        time.sleep(0.002)
        with record_function("inner"):
            time.sleep(0.001)
            x.exp()
    outer, inner, exp = prof.function_events
    assert (outer.name, inner.name, exp.name) == ("outer", "inner", "aten::exp")
    assert (outer.cpu_children, inner.cpu_children, exp.cpu_children) == ([inner], [exp], [])
    assert inner.cpu_parent is outer and exp.cpu_parent is inner and outer.cpu_parent is None
    assert outer.is_user_annotation and not exp.is_user_annotation
    assert outer.time_range.start <= inner.time_range.start <= inner.time_range.end <= outer.time_range.end
    assert inner.cpu_time_total == inner.time_range.elapsed_us() >= 1000
    assert outer.self_cpu_time_total == outer.cpu_time_total - inner.cpu_time_total >= 2000
    assert prof.self_cpu_time_total == pytest.approx(outer.cpu_time_total)


def test_an_error_ends_its_event(x):
    with profiler.profile() as prof:
        with pytest.raises(RuntimeError):
            torch.mm(x, x)
        with pytest.raises(IndexError):
            x[5]
        with pytest.raises(TypeError):
            torch.exp("text")
        x.exp()
    assert names(prof.function_events) == ["aten::mm", "aten::__getitem__", "aten::exp", "aten::exp"]
    assert all(event.cpu_parent is None for event in prof.function_events)


def test_a_function_as_a_block(x):
    @record_function("countdown")
    def countdown(n):
        return x * n if n == 0 else countdown(n - 1)

    countdown(0)
    with profiler.profile() as prof:
        countdown(2)
    assert names(prof.function_events) == ["countdown"] * 3 + ["aten::mul"]
    assert [event.cpu_parent and event.cpu_parent.id for event in prof.function_events] == [None, 1, 2, 3]


def test_blocks_may_outlive_a_profile(x):
    block = record_function("long")
    with profiler.profile() as first:
        block.__enter__()
        x.exp()
    with profiler.profile() as second:
        x.sin()
        block.__exit__(None, None, None)
        x.cos()
    assert names(first.function_events) == ["long", "aten::exp"]
    assert first.function_events[0].time_range.end >= first.function_events[1].time_range.end
    assert names(second.function_events) == ["aten::sin", "aten::cos"]
    assert [event.cpu_parent for event in second.function_events] == [None, None]


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_steps_of_optimizers_are_blocks(x, name):
    optimizer = getattr(torch.optim, name)([x], lr=0.1)
    plain = type(optimizer).step
    with profiler.profile() as prof:
        x.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert type(optimizer).step is plain
    blocks = [event.name for event in prof.function_events if event.is_user_annotation]
    assert blocks == [f"Optimizer.step#{name}.step", f"Optimizer.zero_grad#{name}.zero_grad"]
    optimizer.step()


def test_shapes(x):
    bias = torch.zeros(2)
    with profiler.profile(record_shapes=True) as prof:
        torch.cat([x, x])
        torch.nn.functional.linear(x, x, bias=bias)
        x + 1
    assert [event.input_shapes for event in prof.function_events] == [
        [[[2, 3], [2, 3]]],
        [[2, 3], [2, 3], [2]],
        [[2, 3], []],
    ]
    with profiler.profile() as prof:
        x + 1
    assert prof.function_events[0].input_shapes == []


def test_memory():
    with profiler.profile(profile_memory=True) as prof:
        with record_function("outer"):
            kept = torch.empty(1000)
            torch.empty(2000)
        with record_function("freed"):
            del kept
    by_name = {event.name: event for event in prof.function_events}
    first, second = [event for event in prof.function_events if event.name == "aten::empty"]
    assert 4000 <= first.cpu_memory_usage < 5000 and 8000 <= second.cpu_memory_usage < 9000
    assert by_name["outer"].cpu_memory_usage == first.cpu_memory_usage
    assert by_name["outer"].self_cpu_memory_usage == -second.cpu_memory_usage
    assert by_name["freed"].cpu_memory_usage == -first.cpu_memory_usage
    assert "Self CPU Mem" in prof.table() and "KB" in prof.table()
    with profiler.profile() as prof:
        torch.empty(1000)
    assert prof.function_events[0].cpu_memory_usage == 0
    assert "CPU Mem" not in prof.table()


def test_the_stack():
    def caller():
        return torch.ones(2).exp()

    with profiler.profile(with_stack=True) as prof:
        caller()
    stack = prof.function_events[1].stack
    assert re.fullmatch(r".*test_profiler\.py\(\d+\): caller", stack[0])
    assert stack[1].endswith(": test_the_stack")
    by_line = prof.key_averages(group_by_stack_n=1)
    assert [entry.stack for entry in by_line] == [[stack[0]]] * 2
    assert "Source Location" in by_line.table() and "caller" in by_line.table(max_src_column_width=500)


def test_floating_point_operations():
    with profiler.profile(with_flops=True) as prof:
        torch.ones(3, 4) @ torch.ones(4, 5)
        torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 5))
        torch.addmm(torch.ones(3, 5), torch.ones(3, 4), torch.ones(4, 5))
        torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3))
        torch.ones(6) + torch.ones(6)
    flops = {event.key: event.flops for event in prof.function_events if event.flops}
    assert flops == {
        "aten::matmul": 2 * 3 * 4 * 5,
        "aten::bmm": 2 * 2 * 3 * 4 * 5,
        "aten::addmm": 2 * 3 * 4 * 5,
        "aten::conv2d": 2 * (4 * 6 * 6) * (3 * 3 * 3),
        "aten::add": 6,
    }
    assert prof.function_events[0].input_shapes == []
    assert "Total FLOPs" in prof.key_averages().table()


def test_averages(x):
    with profiler.profile(record_shapes=True) as prof:
        for _ in range(3):
            x.exp()
        x[0].exp()
    by_name = {entry.key: entry for entry in prof.key_averages()}
    exp = by_name["aten::exp"]
    calls = [event for event in prof.function_events if event.name == "aten::exp"]
    assert exp.count == 4 and by_name["aten::__getitem__"].count == 1
    assert exp.cpu_time_total == pytest.approx(sum(call.cpu_time_total for call in calls))
    assert exp.cpu_time == pytest.approx(exp.cpu_time_total / 4)
    by_shape = prof.key_averages(group_by_input_shape=True)
    assert [(entry.count, entry.input_shapes) for entry in by_shape if entry.key == "aten::exp"] == [
        (3, "[[2, 3]]"),
        (1, "[[3]]"),
    ]
    total = prof.total_average()
    assert (total.key, total.count) == ("Total", 5)
    assert total.self_cpu_time_total == pytest.approx(prof.self_cpu_time_total)


COLUMNS = [
    "cpu_time",
    "cpu_time_total",
    "self_cpu_time_total",
    "cpu_memory_usage",
    "self_cpu_memory_usage",
    "count",
]


@pytest.mark.parametrize("column", COLUMNS)
def test_tables_are_sorted_as_asked(x, column):
    with profiler.profile(profile_memory=True) as prof:
        for n in range(1, 5):
            y = x.exp() * torch.ones(n, 1, 1)
        y.sum().backward()
    averages = prof.key_averages()
    lines = averages.table(sort_by=column, max_name_column_width=None).splitlines()[3:-2]
    shown = [line.split("  ")[0] or line.strip().split("  ")[0] for line in lines]
    value = {entry.key: getattr(entry, column) for entry in averages}
    assert sorted(shown) == sorted(value)
    assert [value[key] for key in shown] == sorted(value.values(), reverse=True)


def test_the_layout_of_a_table(x):
    with profiler.profile() as prof, record_function("a" * 90):
        x.exp()
    averages = prof.key_averages()
    lines = averages.table(row_limit=1, header="Title").splitlines()
    assert lines[0] == "=" * (len(lines[2]) - 2)
    assert lines[1] == "Title"
    assert lines[2] == lines[4] == lines[6] == "  ".join(["-" * 55] + ["-" * 12] * 6) + "  "
    assert re.split(r"  +", lines[3].strip()) == [
        "Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls",
    ]  # fmt: skip
    assert lines[5].startswith("a" * 52 + "...  ")
    assert lines[5].split()[-1] == "1"
    assert lines[7].startswith("Self CPU time total: ")
    assert len(lines) == 8
    assert "a" * 90 in averages.table(max_name_column_width=None)
    only_top = averages.table(top_level_events_only=True)
    assert "top-level" in only_top and "aten::exp" not in only_top
    with pytest.raises(AttributeError, match="no attribute 'speed'"):
        averages.table(sort_by="speed")
    with pytest.raises(ValueError, match="time_unit"):
        averages.table(time_unit="days")
    assert re.search(r"Self CPU time total: 0\.\d{3}s", averages.table(time_unit="s"))


def test_units():
    event = profiler.FunctionEvent(1, "long", 1, 0.0, 3.2e6, memory=3 << 30)
    table = profiler.EventList([event], profile_memory=True).table()
    assert "3.200s" in table and "3.00 GB" in table and "100.00%" in table
    assert event.cpu_time_str == "3.200s"
    assert "cpu_time=3.200s" in repr(event)


def test_a_trace(x, tmp_path):
    with profiler.profile(record_shapes=True, profile_memory=True) as prof, record_function("step"):
        (x * x).sum().backward()
    prof.export_chrome_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    complete = [entry for entry in trace["traceEvents"] if entry["ph"] == "X"]
    assert [entry["name"] for entry in complete] == names(prof.function_events)
    assert complete[0]["cat"] == "user_annotation" and complete[1]["cat"] == "cpu_op"
    assert complete[1]["args"]["Input Dims"] == [[2, 3], [2, 3]]
    for entry, event in zip(complete, prof.function_events):
        assert entry["ts"] == event.time_range.start and entry["dur"] == event.cpu_time_total
    starts = {entry["id"]: entry["ts"] for entry in trace["traceEvents"] if entry["ph"] == "s"}
    ends = {entry["id"]: entry["ts"] for entry in trace["traceEvents"] if entry["ph"] == "f"}
    assert len(starts) == 2 and starts.keys() == ends.keys()
    by_time = {entry["ts"]: entry["name"] for entry in reversed(complete)}
    assert {(by_time[starts[key]], by_time[ends[key]]) for key in starts} == {
        ("aten::mul", "MulBackward0"),
        ("aten::sum", "SumBackward0"),
    }
    assert {entry["args"]["name"] for entry in trace["traceEvents"] if entry["name"] == "process_name"} == {
        "python"
    }
    assert trace["baseTimeNanoseconds"] > 0


def test_stacks_for_flame_graphs(tmp_path):
    with profiler.profile(with_stack=True) as prof:
        torch.ones(100000).exp()
    prof.export_stacks(tmp_path / "stacks")
    stack, value = (tmp_path / "stacks").read_text().splitlines()[-1].rsplit(" ", 1)
    assert stack.endswith(":_test_stacks_for_flame_graphs") and int(value) > 0
    with pytest.raises(ValueError, match="metric should be one of"):
        prof.export_stacks(tmp_path / "stacks", "count")
    with profiler.profile() as prof:
        pass
    with pytest.raises(AssertionError, match="requires with_stack=True"):
        prof.export_stacks(tmp_path / "stacks")


def test_only_one_profile_at_a_time(x):
    with profiler.profile() as prof:
        with pytest.raises(RuntimeError, match="Profiler context manager is not reentrant"), prof:
            pass
        with pytest.raises(RuntimeError, match=r"^Profiler is already enabled"), profiler.profile():
            pass
        with pytest.raises(RuntimeError, match="didn't finish running"):
            prof.table()
        x.exp()
    assert names(prof.function_events) == ["aten::exp"]


def test_a_profile_that_is_not_enabled(x):
    with profiler.profile(enabled=False) as prof:
        x.exp()
    assert prof is None
    assert str(profiler.profile()) == "<unfinished torch.autograd.profile>"
    with pytest.warns(UserWarning, match="CUDA is not available, disabling CUDA profiling"):
        profiler.profile(use_cuda=True)


def test_recording_may_be_interrupted(x):
    with profiler.profile() as prof:
        x.exp()
        prof.toggle_collection_dynamic(False)
        x.sin()
        prof.toggle_collection_dynamic(True)
        x.cos()
    assert names(prof.function_events) == ["aten::exp", "aten::cos"]


def test_threads(x):
    def work():
        with record_function("work"):
            x.detach().exp()

    with profiler.profile() as prof, record_function("main"):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    work_events = [event for event in prof.function_events if event.name == "work"]
    assert len({event.thread for event in work_events}) == 3
    for event in work_events:
        assert event.cpu_parent is None
        assert names(event.cpu_children) == ["aten::detach", "aten::exp"]


def test_errors_leave_no_profile_behind(x):
    with pytest.raises(ZeroDivisionError), profiler.profile():
        raise ZeroDivisionError
    with profiler.profile() as prof:
        x.exp()
    assert len(prof.function_events) == 1


# tapegrad.profiler


def test_schedules():
    action = schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    assert [action(step).name for step in range(11)] == [
        "NONE",
        *["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE"] * 2,
        "NONE",
        "NONE",
    ]
    action = schedule(wait=2, warmup=1, active=1, skip_first_wait=1)
    assert [action(step).name for step in range(6)] == [
        "WARMUP", "RECORD_AND_SAVE", "NONE", "NONE", "WARMUP", "RECORD_AND_SAVE",
    ]  # fmt: skip
    with pytest.raises(AssertionError, match=r"^Invalid profiler schedule arguments\. Got wait=-1"):
        schedule(wait=-1, warmup=0, active=1)
    with pytest.raises(AssertionError, match="Invalid profiler schedule arguments"):
        schedule(wait=0, warmup=1, active=0)
    with pytest.warns(UserWarning, match="Profiler won't be using warmup"):
        schedule(wait=0, warmup=0, active=1)


def test_a_schedule_records_cycles(x):
    seen = []

    def ready(prof):
        seen.append((prof.step_num, names(prof.events())))

    plan = schedule(wait=1, warmup=1, active=2, repeat=2)
    with profile(activities=[ProfilerActivity.CPU], schedule=plan, on_trace_ready=ready) as prof:
        for _ in range(10):
            x.exp()
            prof.step()
    assert seen == [(4, ["ProfilerStep*", "aten::exp"] * 2), (8, ["ProfilerStep*", "aten::exp"] * 2)]
    assert {entry.key: entry.count for entry in prof.key_averages()} == {"ProfilerStep*": 2, "aten::exp": 2}


def test_cycles_may_be_added_up(x):
    plan = schedule(wait=1, warmup=1, active=1)
    with profile(schedule=plan, acc_events=True) as prof:
        for _ in range(6):
            x.exp()
            prof.step()
    assert names(prof.events()) == ["ProfilerStep*", "aten::exp"] * 2


def test_a_cycle_that_is_not_complete(x):
    seen = []
    plan = schedule(wait=0, warmup=1, active=5)
    with profile(schedule=plan, on_trace_ready=lambda prof: seen.append(len(prof.events()))) as prof:
        for _ in range(3):
            x.exp()
            prof.step()
    assert seen == [5]  # two steps, and the one that has just begun


def test_an_incorrect_schedule():
    actions = [ProfilerAction.RECORD, ProfilerAction.NONE]
    warns = pytest.warns(UserWarning, match="Incorrect schedule: RECORD followed by NONE")
    with profile(schedule=actions.__getitem__) as prof, warns:
        prof.step()
    assert names(prof.events()) == ["ProfilerStep*"]


def test_without_a_schedule(x, tmp_path):
    finished = []
    with profile(on_trace_ready=finished.append, record_shapes=True) as prof:
        x.exp()
        prof.step()
        x.sin()
    assert finished == [prof]
    assert names(prof.events()) == ["aten::exp", "aten::sin"]
    assert "aten::sin" in prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10)
    prof.add_metadata("model", "small")
    prof.add_metadata_json("sizes", "[1, 2]")
    prof.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        trace = json.load(file)
    assert (trace["model"], trace["sizes"]) == ("small", [1, 2])


def test_traces_for_tensorboard(x, tmp_path):
    plan = schedule(wait=0, warmup=1, active=1, repeat=2)
    with profile(
        schedule=plan, on_trace_ready=tensorboard_trace_handler(tmp_path / "logs", "worker")
    ) as prof:
        for _ in range(4):
            x.exp()
            prof.step()
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 2
    for file in files:
        assert re.fullmatch(r"worker\.\d+\.pt\.trace\.json", file.name)
        assert any(entry["name"] == "aten::exp" for entry in json.loads(file.read_text())["traceEvents"])
    with profile(on_trace_ready=tensorboard_trace_handler(tmp_path / "zipped", use_gzip=True)):
        x.exp()
    (zipped,) = (tmp_path / "zipped").iterdir()
    assert zipped.name.endswith(".pt.trace.json.gz")


def test_activities():
    assert supported_activities() == {ProfilerActivity.CPU}
    with pytest.warns(UserWarning, match="CUDA is not available"):
        profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
    with pytest.raises(AssertionError, match="No valid profiler activities"):
        profile(activities=[])


@pytest.mark.parametrize("use", ["events", "key_averages"])
def test_nothing_was_recorded_yet(use):
    with pytest.raises(AssertionError, match=r"^Profiler must be initialized before"):
        getattr(profile(), use)()


def test_the_profile_keeps_no_tensor():
    live = torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]
    with profiler.profile(record_shapes=True, with_stack=True):
        torch.ones(3, requires_grad=True).exp().sum().backward()
    assert (torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]) == live
