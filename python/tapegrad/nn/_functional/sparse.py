"""Table look-ups."""

from __future__ import annotations

from typing import Any

from ... import _C
from ..._C import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` at the indices `input`; `max_norm` first rescales long rows in place.

    `sparse` is accepted; the gradient is dense. The row `padding_idx` gets no gradient.
    """
    if padding_idx is None:
        padding_idx = -1
    elif not -weight.size(0) <= padding_idx < weight.size(0):
        raise AssertionError("Padding_idx must be within num_embeddings")
    else:
        padding_idx %= weight.size(0)
    if max_norm is not None:
        _C._embedding_renorm_(weight, input, max_norm, norm_type)
    return _C._embedding(weight, input, padding_idx, scale_grad_by_freq)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sum, mean or maximum of the rows in each bag; bags are the rows of a 2-d `input` or given by
    `offsets`."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            "for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of "
                "fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        bounds = [i * input.size(1) for i in range(input.size(0) + 1)]
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        bounds = offsets.tolist()
        if not include_last_offset:
            bounds = [*bounds, input.numel()]
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    if padding_idx is None:
        bags = [rows[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    else:
        kept: Any = input != padding_idx
        bags = [rows[start:end][kept[start:end]] for start, end in zip(bounds, bounds[1:], strict=False)]
    return _C.stack([_reduce_bag(bag, mode) for bag in bags])


def _reduce_bag(bag: Tensor, mode: str) -> Tensor:
    if bag.size(0) == 0:
        return bag.sum(0)
    if mode == "max":
        return bag.amax(0)
    return bag.sum(0) if mode == "sum" else bag.mean(0)
