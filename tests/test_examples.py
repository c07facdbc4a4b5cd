"""The examples, with small settings, and the reader of IDX files."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

import tapegrad as torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import char_model
import idx
import linear_regression
import train_digits
import train_mnist

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PNG_MAGIC = b"\x89PNG"


def idx_bytes(array):
    header = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    return (
        header
        + np.array(array.shape, ">u4").tobytes()
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


# ---- IDX files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_files_of_every_type_are_read(tmp_path, dtype, compress):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / "file"
    path.write_bytes(compress(idx_bytes(array)))
    read = idx.read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_empty_and_one_dimensional_idx_files(tmp_path):
    for array in (np.zeros((0, 28, 28), "u1"), np.array([7], "u1")):
        (tmp_path / "file").write_bytes(idx_bytes(array))
        np.testing.assert_array_equal(idx.read_idx(tmp_path / "file"), array)


GOOD = idx_bytes(np.arange(60, dtype="u1").reshape(3, 4, 5))
DAMAGED = {
    "empty": (b"", "got only 0 bytes"),
    "magic": (b"PNG!" + GOOD[4:], "expected an IDX file, .* got 50 4e 47 21"),
    "type code": (b"\0\0\x07\x03" + GOOD[4:], "got 00 00 07 03"),
    "header cut": (GOOD[:10], "expected 3 sizes of 4 bytes"),
    "truncated": (GOOD[:-1], "truncated: 3 x 4 x 5 elements take 60 bytes, got 59"),
    "too long": (GOOD + b"x", "too long"),
    "absurd size": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "truncated: 4294967295 x 4294967295 x 4294967295"),
    "gzip cut": (gzip.compress(GOOD)[:-12], "the compressed data end too early"),
    "gzip header": (gzip.compress(GOOD)[:2] + b"\0" * 30, "the compressed data are damaged"),
    "gzip checksum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "the compressed data are damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_idx_files_are_explained(tmp_path, case):
    content, message = DAMAGED[case]
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(idx.IdxError, match=message) as error:
        idx.read_idx(path)
    assert str(path) in str(error.value)


def write_set(folder, prefix, images, labels, compress=bytes, ending=""):
    (folder / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(compress(idx_bytes(images)))
    (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(compress(idx_bytes(labels)))


def blobs(count, seed):
    """Images (count,6,6) of noise with one bright row, whose number is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, count).astype("u1")
    images = rng.integers(0, 60, (count, 6, 6)).astype("u1")
    images[np.arange(count), labels] += 150
    return images, labels


def test_images_and_labels_must_belong_together(tmp_path):
    assert idx.load_images_and_labels(tmp_path, "train") is None
    images, labels = blobs(10, seed=0)
    write_set(tmp_path, "train", images, labels[:9])
    with pytest.raises(idx.IdxError, match="10 images, but 9 labels"):
        idx.load_images_and_labels(tmp_path, "train")
    write_set(tmp_path, "train", labels, images)
    with pytest.raises(idx.IdxError, match="expected images, 3 dimensions of uint8, got 1"):
        idx.load_images_and_labels(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="found no train-labels-idx1-ubyte"):
        idx.load_images_and_labels(tmp_path, "train")


# ---- the scripts ------------------------------------------------------------------------------------


def test_train_digits(tmp_path, capsys):
    picture = tmp_path / "digits.png"
    accuracy = train_digits.main(["--epochs", "6", "--out", str(picture), "--quiet"])
    assert accuracy > 0.94
    assert picture.read_bytes()[:4] == PNG_MAGIC
    printed = capsys.readouterr().out
    assert "1437 training and 360 test images" in printed
    assert f"saved {picture}" in printed


def test_the_seed_decides_the_whole_training(tmp_path):
    def run(seed):
        arguments = ["--epochs", "1", "--quiet", "--out", str(tmp_path / "digits.png"), "--seed", seed]
        return train_digits.main(arguments), torch.rand(3).tolist()

    assert run("3") == run("3")
    assert run("3") != run("4")


def test_train_mnist_splits_the_test_files_when_there_are_no_others(tmp_path, capsys):
    write_set(tmp_path, "t10k", *blobs(500, seed=0), gzip.compress, ".gz")
    accuracy = train_mnist.main(
        ["--data", str(tmp_path), "--epochs", "4", "--out", str(tmp_path / "m.png"), "--quiet"]
    )
    assert accuracy > 0.95
    assert (tmp_path / "m.png").read_bytes()[:4] == PNG_MAGIC
    assert "400 training and 100 test images of 36 pixels, 6 classes" in capsys.readouterr().out


def test_train_mnist_uses_all_four_files(tmp_path, capsys):
    write_set(tmp_path, "train", *blobs(300, seed=0))
    write_set(tmp_path, "t10k", *blobs(50, seed=1))
    train_mnist.main(["--data", str(tmp_path), "--epochs", "2", "--out", str(tmp_path / "m.png"), "--quiet"])
    assert "300 training and 50 test images" in capsys.readouterr().out


def test_train_mnist_says_what_is_wrong_with_the_data(tmp_path):
    with pytest.raises(SystemExit, match="no such folder"):
        train_mnist.main(["--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="found neither t10k-images-idx3-ubyte nor"):
        train_mnist.main(["--data", str(tmp_path)])
    write_set(tmp_path, "t10k", *blobs(10, seed=0))
    damaged = tmp_path / "t10k-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    with pytest.raises(SystemExit, match="train_mnist: .*truncated"):
        train_mnist.main(["--data", str(tmp_path)])


def test_linear_regression():
    slope, intercept = linear_regression.main([])
    assert abs(slope - 3) < 0.1
    assert abs(intercept + 2) < 0.1


def test_char_model_learns_and_writes(tmp_path, capsys):
    text = tmp_path / "text"
    text.write_text("the cat sat on the mat. " * 60)
    losses = char_model.main(
        [str(text), "--steps", "150", "--lr", "0.01", "--length", "48", "--context", "6"]
    )
    assert losses[-1] < 0.3 < losses[0]
    written = capsys.readouterr().out.split("\n\n", 1)[1]
    assert len(written.rstrip("\n")) == 48
    assert " the " in written


def test_char_model_refuses_unusable_texts(tmp_path):
    with pytest.raises(SystemExit, match="cannot read the text"):
        char_model.main([str(tmp_path / "missing")])
    (tmp_path / "short").write_text("abc")
    with pytest.raises(SystemExit, match="expected more than 12 characters, got 3"):
        char_model.main([str(tmp_path / "short")])
