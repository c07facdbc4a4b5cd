"""Reader of IDX files, the format of MNIST and its relatives, compressed with gzip or not.

An IDX file is a 4-byte magic number (two zeros, a type code, the number of dimensions), one big-endian
32-bit size per dimension, and the elements, big-endian, the last index running fastest.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


class IdxError(ValueError):
    """The file is not a complete IDX file; the message names the file and what is wrong with it."""


def read_idx(path: str | Path) -> np.ndarray:
    """The array in the IDX file `path`, in the machine's byte order; raises IdxError or FileNotFoundError."""
    path = Path(path)
    content = path.read_bytes()
    if content[:2] == GZIP_MAGIC:
        try:
            content = gzip.decompress(content)
        except EOFError as error:
            raise IdxError(f"{path}: the compressed data end too early; is the download complete?") from error
        except (OSError, zlib.error) as error:
            raise IdxError(
                f"{path}: the compressed data are damaged ({error}); download the file again"
            ) from error

    if len(content) < 4:
        raise IdxError(f"{path}: expected an IDX file, got only {len(content)} bytes")
    if content[:2] != b"\0\0" or content[2] not in TYPES:
        raise IdxError(
            f"{path}: expected an IDX file, which starts with 00 00 and a type, got {content[:4].hex(' ')}"
        )
    dtype, ndim = np.dtype(TYPES[content[2]]), content[3]
    header = 4 + 4 * ndim
    if len(content) < header:
        raise IdxError(
            f"{path}: expected {ndim} sizes of 4 bytes, but the file ends after {len(content) - 4} bytes"
        )
    shape = tuple(np.frombuffer(content, ">u4", ndim, offset=4).tolist())
    expected = dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(content) - header != expected:
        problem = "truncated" if len(content) - header < expected else "too long"
        size = " x ".join(map(str, shape))
        raise IdxError(
            f"{path}: {problem}: {size} elements take {expected} bytes, got {len(content) - header}"
        )
    return np.frombuffer(content, dtype, offset=header).reshape(shape).astype(dtype.newbyteorder("="))


def find_idx(folder: str | Path, name: str) -> Path | None:
    """The file `name` or `name.gz` in `folder`, spelled with `-idx` or `.idx`; None when there is none."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = Path(folder) / (spelling + ending)
            if path.is_file():
                return path
    return None


def load_images_and_labels(folder: str | Path, prefix: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(images (N,H,W), labels (N)), both uint8, of `prefix` "train" or "t10k"; None when neither is there."""
    names = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    paths = [find_idx(folder, name) for name in names]
    if paths == [None, None]:
        return None
    for name, path in zip(names, paths, strict=True):
        if path is None:
            raise FileNotFoundError(
                f"{folder}: found no {name} or {name}.gz, but the file that belongs to it"
            )
    images, labels = (read_idx(path) for path in paths if path is not None)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise IdxError(
            f"{paths[0]}: expected images, 3 dimensions of uint8, got {images.ndim} of {images.dtype}"
        )
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise IdxError(
            f"{paths[1]}: expected labels, 1 dimension of uint8, got {labels.ndim} of {labels.dtype}"
        )
    if len(images) != len(labels):
        raise IdxError(f"{folder}: {len(images)} images, but {len(labels)} labels for {prefix}")
    return images, labels
