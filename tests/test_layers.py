"""Includes and imports point downwards, and source files stay small enough to read."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "python" / "tapegrad"

# Lowest first: a layer may use those before it. Kernels are on raw pointers and know nobody.
CPP_LAYERS = ["kernels", "core", "autograd", "ops", "bindings"]

# The same for the package; what is not named is the lowest layer.
PYTHON_LAYERS = ["nn", "optim", "utils.data", "distributions", "models"]

CPP_FILES = sorted(path for path in CSRC.rglob("*") if path.suffix in (".h", ".cpp"))
PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
SOURCE_FILES = [
    path
    for folder in ("csrc", "python", "tests", "benchmarks", "examples", "tools", "cmake")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".h", ".cpp", ".py", ".cmake")  # not stubs, which are generated
]


def name_of(path):
    return str(path.relative_to(ROOT))


def included_layers(path):
    """The layers that a C++ file includes from, with the line of each."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+["<]([a-z_]+)/', line)
        if match and match[1] in CPP_LAYERS:
            yield number, match[1]


def top_level(tree):
    """The statements that run when a module is imported; an import inside a function is deliberate."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from top_level(node)


def imported_modules(path):
    """The modules that a file of the package imports, as full dotted names, with the line of each."""
    here = ("tapegrad", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = here[:-1]  # also for __init__.py, whose own name is the last part
    for node in top_level(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [start, node.module]))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def height(module):
    """The place of a module's layer, from its dotted name; -1 is the lowest."""
    for place, layer in enumerate(PYTHON_LAYERS):
        if f"{module}.".startswith(f"tapegrad.{layer}."):
            return place
    return -1


def test_the_layers_exist():
    assert {path.parent.name for path in CPP_FILES} == set(CPP_LAYERS)
    assert len(CPP_FILES) > 20
    assert len(PYTHON_FILES) > 0


@pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
def test_includes_point_downwards(path):
    layer = CPP_LAYERS.index(path.relative_to(CSRC).parts[0])
    upward = [f"line {n}: {used}" for n, used in included_layers(path) if CPP_LAYERS.index(used) > layer]
    assert not upward


@pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
def test_only_the_bindings_know_python(path):
    if path.relative_to(CSRC).parts[0] != "bindings":
        assert not re.search(r"#\s*include\s+[\"<](Python\.h|pybind11/)", path.read_text())


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)
def test_imports_point_downwards(path):
    parts = ("tapegrad", *path.relative_to(PACKAGE).with_suffix("").parts)
    gathered = ".".join(parts[:-1]) + "." if path.name == "__init__.py" else None  # its own package
    upward = [
        f"line {line}: {module}"
        for line, module in imported_modules(path)
        if height(module) > height(".".join(parts)) and not (gathered and module.startswith(gathered))
    ]
    assert not upward


@pytest.mark.parametrize("path", SOURCE_FILES, ids=name_of)
def test_no_file_is_too_long(path):
    assert len(path.read_text().splitlines()) <= 800
