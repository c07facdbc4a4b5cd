"""Files that PyTorch wrote are read, and PyTorch reads files written here."""

from __future__ import annotations

import io

import pytest

import tapegrad as torch

pytorch = pytest.importorskip("torch")


def test_files_of_pytorch_are_read() -> None:
    base = pytorch.arange(6.0)
    data = {
        "weight": pytorch.nn.Parameter(base.reshape(2, 3)),
        "view": base[1:3],
        "numbers": pytorch.arange(3),
        "size": pytorch.Size([4]),
        "dtype": pytorch.float64,
        "device": pytorch.device("cpu"),
    }
    file = io.BytesIO()
    pytorch.save(data, file)
    file.seek(0)
    made = torch.load(file)
    assert type(made["weight"]) is torch.nn.Parameter and made["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert made["view"].tolist() == [1, 2] and made["numbers"].dtype is torch.int64
    assert (
        made["size"] == torch.Size([4])
        and made["dtype"] is torch.float64
        and made["device"] == torch.device("cpu")
    )
    made["view"].fill_(9)
    assert made["weight"].tolist() == [[0, 9, 9], [3, 4, 5]]
    file = io.BytesIO()
    pytorch.save(pytorch.ones(2).half(), file)
    file.seek(0)
    with pytest.raises(TypeError, match="^there are no tensors of type torch.float16"):
        torch.load(file)


def test_files_are_read_by_pytorch() -> None:
    base = torch.arange(6.0)
    data = {
        "weight": torch.nn.Parameter(base.reshape(2, 3)),
        "view": base[1:3],
        "list": [1, 2.5, "text", None],
        "size": torch.Size([4]),
        "dtype": torch.float64,
        "device": torch.device("cpu"),
    }
    file = io.BytesIO()
    torch.save(data, file)
    file.seek(0)
    made = pytorch.load(file)
    assert type(made["weight"]) is pytorch.nn.Parameter and made["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert made["view"].data_ptr() == made["weight"].data_ptr() + 4 and made["list"] == [1, 2.5, "text", None]
    assert (
        made["size"] == pytorch.Size([4])
        and made["dtype"] is pytorch.float64
        and made["device"].type == "cpu"
    )
