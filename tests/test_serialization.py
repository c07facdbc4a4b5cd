"""save and load: what is kept, what is refused, damaged files."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import pytest

import tapegrad as torch


def round_trip(obj: Any, **options: Any) -> Any:
    file = io.BytesIO()
    torch.save(obj, file)
    file.seek(0)
    return torch.load(file, **options)


class Net:
    """Not a tensor and not a container."""

    def __init__(self) -> None:
        self.weight = torch.ones(2, requires_grad=True)


class Recorder:
    """Runs code when it is loaded."""

    runs = 0

    def __reduce__(self) -> Any:
        return _record, ()


def _record() -> str:
    Recorder.runs += 1
    return "ran"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"])
def test_values_of_every_type(dtype: str) -> None:
    x = torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=getattr(torch, dtype))
    for tensor in (x, x.t(), x[:, 1:], x[0, 0], x[:0]):
        made = round_trip(tensor)
        assert made.dtype is tensor.dtype and made.shape == tensor.shape and made.stride() == tensor.stride()
        assert made.tolist() == tensor.tolist()


def test_containers_and_plain_values() -> None:
    data = {
        "epoch": 3,
        "loss": 0.25,
        "name": "naïve",
        "none": None,
        "flags": (True, False),
        "bytes": b"\0\xff",
        "set": {1, 2},
        "ordered": OrderedDict(b=1, a=2),
        "default": defaultdict(list, {"x": [1]}),
        "size": torch.Size([2, 3]),
        "dtype": torch.int64,
        "device": torch.device("cpu"),
        "complex": 1 + 2j,
        "large": 2**80,
    }
    made = round_trip(data)
    assert made == data and type(made["ordered"]) is OrderedDict and made["dtype"] is torch.int64
    assert type(made["size"]) is torch.Size


def test_sharing_is_kept() -> None:
    base = torch.arange(6.0)
    made = round_trip({"base": base, "view": base[2:4], "again": base})
    made["view"].fill_(-1)
    assert made["base"].tolist() == [0, 1, -1, -1, 4, 5] and made["again"] is made["base"]
    with pytest.raises(
        RuntimeError,
        match="^Cannot save multiple tensors or storages that view the same data as different types",
    ):
        torch.save([base, base.view(torch.int32)], io.BytesIO())


def test_requires_grad_is_kept_and_history_is_not() -> None:
    x = torch.ones(2, requires_grad=True)
    made = round_trip([x, x * 2, x.detach()])
    assert [t.requires_grad for t in made] == [True, True, False] and all(t.is_leaf for t in made)


def test_paths_and_file_objects(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for target in (path, str(path)):
        torch.save({"a": torch.ones(3)}, target)
        assert torch.load(target)["a"].tolist() == [1, 1, 1]
    with path.open("wb") as file:
        torch.save(torch.zeros(1), file)
    with path.open("rb") as file:
        assert torch.load(file, map_location="cpu").tolist() == [0]
    with pytest.raises(RuntimeError, match=r"^Parent directory .* does not exist."):
        torch.save(1, tmp_path / "missing" / "model.pt")
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "missing.pt")
    with pytest.raises(AttributeError, match="^expected 'f' to be string, path, or a file-like object"):
        torch.save(1, 3)
    with pytest.raises(AttributeError, match="^'int' object has no attribute 'seek'"):
        torch.load(3)


def test_classes_are_loaded_only_when_asked_for() -> None:
    made = round_trip(Net(), weights_only=False)
    assert type(made) is Net and made.weight.tolist() == [1, 1] and made.weight.requires_grad
    with pytest.raises(pickle.UnpicklingError, match=r"^Weights only load failed.*test_serialization.Net"):
        round_trip(Net())
    with torch.serialization.safe_globals([Net]):
        assert type(round_trip(Net())) is Net
    assert torch.serialization.get_safe_globals() == []
    torch.serialization.add_safe_globals([Net])
    try:
        assert type(round_trip(Net())) is Net
    finally:
        torch.serialization.clear_safe_globals()


def test_no_code_runs_while_only_weights_are_loaded() -> None:
    Recorder.runs = 0
    for payload in (Recorder(), {"a": [Recorder()]}, print, eval, getattr, pickle.loads):
        with pytest.raises(pickle.UnpicklingError, match="^Weights only load failed"):
            round_trip(payload)
    assert Recorder.runs == 0 and round_trip(Recorder(), weights_only=False) == "ran"


def test_geometry_outside_the_storage_is_refused() -> None:
    file = io.BytesIO()
    torch.save(torch.zeros(4), file)
    source = zipfile.ZipFile(file)
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:8] if name.endswith("data/0") else data)
    with pytest.raises(RuntimeError, match="does not fit its storage of 8 bytes"):
        torch.load(io.BytesIO(changed.getvalue()))


def test_damaged_files(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save({"a": torch.ones(1000)}, file)
    data = file.getvalue()
    with pytest.raises(EOFError):
        torch.load(io.BytesIO(b""))
    with pytest.raises(pickle.UnpicklingError, match="^Weights only load failed"):
        torch.load(io.BytesIO(b"not a checkpoint"))
    with pytest.raises(RuntimeError, match="^PytorchStreamReader failed reading zip archive"):
        torch.load(io.BytesIO(data[: len(data) // 2]))
    flipped = bytearray(data)
    flipped[data.index(torch.ones(1000).numpy().tobytes()) + 5] ^= 1
    with pytest.raises(RuntimeError, match="^PytorchStreamReader failed reading file archive/data/0"):
        torch.load(io.BytesIO(bytes(flipped)))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(RuntimeError, match="^PytorchStreamReader failed locating file data.pkl"):
        torch.load(io.BytesIO(other.getvalue()))
