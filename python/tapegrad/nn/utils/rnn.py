"""Sequences of different lengths: padded to one tensor, or packed without padding."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

from ... import _C
from ..._C import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence(
    namedtuple("PackedSequence_", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])
):
    """Sequences sorted by length, stored step by step: `data` has batch_sizes[t] rows of step t."""

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with_data(self, data: Tensor) -> PackedSequence:
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data; see `Tensor.to`."""
        return self._with_data(self.data.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """Return the sequence on the CPU."""
        return self._with_data(self.data.cpu())

    def float(self) -> PackedSequence:
        """Convert the data to float32."""
        return self._with_data(self.data.float())

    def double(self) -> PackedSequence:
        """Convert the data to float64."""
        return self._with_data(self.data.double())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes the given one."""
    if permutation is None:
        return None
    return _C.empty_like(permutation).scatter_(0, permutation, _C.arange(permutation.numel()))


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a (T, B, ...) tensor (or (B, T, ...) with `batch_first`) of sequences with the given lengths."""
    lengths = _C.as_tensor(lengths, dtype=_C.int64)
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = _C.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    if len(sizes) != input.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={input.size(1)})"
        )
    if sizes and min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this "
            "requirement if you do not need ONNX exportability."
        )
    batch_sizes = [sum(size > step for size in sizes) for step in range(sizes[0])]
    data = _C.cat([input[step, :count] for step, count in enumerate(batch_sizes)])
    return PackedSequence(data, _C.tensor(batch_sizes, dtype=_C.int64), sorted_indices)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the padded (T, B, ...) tensor of a packed sequence and the lengths."""
    batch_sizes = sequence.batch_sizes.tolist()
    longest = len(batch_sizes)
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    batch = batch_sizes[0]
    steps = []
    for step in sequence.data.split(batch_sizes):
        missing = step.new_full((batch - step.size(0), *step.shape[1:]), padding_value)
        steps.append(_C.cat([step, missing]) if step.size(0) < batch else step)
    padded = _C.stack(steps)
    if total_length is not None and total_length > longest:
        tail = padded.new_full((total_length - longest, *padded.shape[1:]), padding_value)
        padded = _C.cat([padded, tail])
    lengths = _C.tensor([sum(size > i for size in batch_sizes) for i in range(batch)], dtype=_C.int64)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Stack sequences (length, ...) of different lengths, filling up with `padding_value`."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    rows = list(sequences)
    longest = max(row.size(0) for row in rows)
    padded = []
    for row in rows:
        missing = row.new_full((longest - row.size(0), *row.shape[1:]), padding_value)
        parts = [row, missing] if padding_side == "right" else [missing, row]
        padded.append(_C.cat(parts) if row.size(0) < longest else row)
    return _C.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences of a padded tensor, each with its own length."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows.unbind(0), lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (length, ...)."""
    lengths = _C.tensor([sequence.size(0) for sequence in sequences], dtype=_C.int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed sequence."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
