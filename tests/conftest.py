"""Settings shared by all tests: fixed seeds, two threads, slow tests on request."""

from __future__ import annotations

import gc
import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

import tapegrad
from known_differences import KNOWN_DIFFERENCES

settings.register_profile(
    "tapegrad",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("tapegrad")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than 20 seconds; run with `-m slow`")
    tapegrad.set_num_threads(2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests to those who ask for them; expect the known differences from PyTorch."""
    for item in items:
        if reason := KNOWN_DIFFERENCES.get(item.nodeid.removeprefix("tests/")):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if not config.getoption("markexpr"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    """Every test starts from the same seed, gradients on and float32 as the default, and leaves it so."""
    tapegrad.manual_seed(0)
    yield
    tapegrad.set_grad_enabled(True)
    tapegrad.set_default_dtype(tapegrad.float32)


LIBRARIES = ["tapegrad"] + ["torch"] * (importlib.util.find_spec("torch") is not None)


@pytest.fixture(params=LIBRARIES)
def torch(request: pytest.FixtureRequest) -> ModuleType:
    """The library under test and, where it is installed, PyTorch: a test that takes it holds for both."""
    return importlib.import_module(request.param)


@pytest.fixture(scope="session")
def pytorch() -> ModuleType:
    """PyTorch itself, where it is installed."""
    return pytest.importorskip("torch")


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Reference counting alone must free everything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
