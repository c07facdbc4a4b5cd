"""What is shipped: its contents, its weight, its version.

The wheel is the one that the variable TAPEGRAD_WHEEL names, or else is made of the package that is imported.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tapegrad

ROOT = Path(__file__).parents[1]
LIMIT = 12e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Path of a wheel."""
    if path := os.environ.get("TAPEGRAD_WHEEL"):
        return Path(path)
    path = tmp_path_factory.mktemp("wheel") / "tapegrad.whl"
    package = Path(tapegrad.__file__).parent
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in package.rglob("*"):
            if file.is_file() and file.suffix != ".pyc":
                archive.write(file, file.relative_to(package.parent))
    return path


@pytest.fixture(scope="module")
def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_weight(wheel):
    assert wheel.stat().st_size <= LIMIT


def test_one_extension_module(contents):
    assert len([name for name in contents if re.fullmatch(r"tapegrad/_C\.[\w.-]*so", name)]) == 1


def test_types_are_shipped(contents):
    assert "tapegrad/py.typed" in contents
    assert "tapegrad/_C.pyi" in contents


def test_nothing_else_is_shipped(contents):
    outside = [name for name in contents if not name.startswith(("tapegrad/", "tapegrad-"))]
    assert not outside
    kinds = {Path(name).suffix for name in contents if name.startswith("tapegrad/")}
    assert kinds <= {".py", ".pyi", ".typed", ".so", ".dylib", ".txt"}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own BLAS")
def test_openblas_is_shipped_with_its_licence(wheel, contents):
    assert "tapegrad/lib/libscipy_openblas.so" in contents
    with zipfile.ZipFile(wheel) as archive:
        licence = archive.read("tapegrad/lib/LICENSE-OpenBLAS.txt").decode()
    assert "OpenBLAS" in licence
    assert "LAPACK" in licence


def test_version_is_written_once():
    declared = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert tapegrad.__version__ == declared
    sources = [
        *(ROOT / "python").rglob("*.py"),
        *(ROOT / "csrc").rglob("*.*"),
        *(ROOT / "cmake").rglob("*"),
        ROOT / "CMakeLists.txt",
    ]
    assert [str(path) for path in sources if f'"{declared}"' in path.read_text()] == []


def test_metadata_agrees_with_the_module():
    try:
        distribution = importlib.metadata.distribution("tapegrad")
    except importlib.metadata.PackageNotFoundError:
        assert ROOT in Path(tapegrad.__file__).parents  # imported from the source tree
        return
    assert distribution.version == tapegrad.__version__
    required = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert [re.match(r"[\w.-]+", line)[0] for line in required] == ["numpy"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own BLAS")
def test_a_missing_library_is_named_at_import(tmp_path):
    module = Path(tapegrad._C.__file__)
    copy = tmp_path / "tapegrad"
    copy.mkdir()
    (copy / module.name).symlink_to(module)
    (copy / "__init__.py").write_text("from tapegrad import _C\n")
    run = subprocess.run(
        [sys.executable, "-c", "import tapegrad"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert "ImportError: tapegrad cannot load its BLAS library" in run.stderr
    assert "libscipy_openblas.so" in run.stderr
    assert "pip install" in run.stderr
