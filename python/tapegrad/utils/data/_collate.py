"""Samples to a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import _C
from ..._C import Tensor


def default_convert(data: Any) -> Any:
    """Convert NumPy arrays inside `data` to tensors, leaving everything else as it is."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SUO" else _C.as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(item) for item in data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def default_collate(batch: Any) -> Any:
    """Stack a list of samples: tensors, arrays and numbers become tensors; dicts, tuples and lists are kept.

    Raises TypeError for other types and RuntimeError for samples of different lengths.
    """
    sample = batch[0]
    if isinstance(sample, Tensor):
        return _C.stack(list(batch), 0)
    if isinstance(sample, np.ndarray):
        if sample.dtype.kind in "SUO":
            raise TypeError(_unsupported(sample.dtype))
        return _C.stack([_C.as_tensor(item) for item in batch], 0)
    if isinstance(sample, np.generic) and sample.dtype.kind not in "SUO":
        return _C.as_tensor(np.asarray(batch))
    if isinstance(sample, float):
        return _C.tensor(batch, dtype=_C.float64)
    if isinstance(sample, int):
        return _C.tensor(batch)
    if isinstance(sample, str | bytes):
        return batch
    if isinstance(sample, Mapping):
        return _like_mapping(sample, {key: default_collate([item[key] for item in batch]) for key in sample})
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*(default_collate(items) for items in zip(*batch, strict=True)))
    if isinstance(sample, Sequence):
        return _collate_sequences(sample, batch, default_collate)
    raise TypeError(_unsupported(type(sample)))


def _unsupported(kind: Any) -> str:
    return f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {kind}"


def _collate_sequences(sample: Sequence[Any], batch: Any, collate: Callable[[Any], Any]) -> Any:
    if any(len(item) != len(sample) for item in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(items) for items in zip(*batch, strict=True)]
    return columns if isinstance(sample, tuple) else _like_sequence(sample, columns)


def _like_mapping(original: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """Put the values into a copy of the original mapping, or into a dict if that cannot be done."""
    if type(original) is dict:
        return values
    try:
        result = copy.copy(original)
        result.update(values)  # type: ignore[attr-defined]
        return result
    except (AttributeError, TypeError):
        return values


def _like_sequence(original: Sequence[Any], values: list[Any]) -> Any:
    if type(original) is list:
        return values
    try:
        return type(original)(values)  # type: ignore[call-arg]
    except TypeError:  # for example range
        return values
