"""Scaled dot product attention."""

from __future__ import annotations

import math

from ... import _C
from ..._C import Tensor
from .activation import dropout


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query key^T * scale + mask) value over the last two dimensions (Vaswani et al., 2017).

    A boolean `attn_mask` keeps the pairs where it is True; `enable_gqa` repeats key and value heads.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        )
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    factor = 1.0 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = _C.ones(query.size(-2), key.size(-2), dtype=_C.bool).tril()
    if attn_mask is not None:
        if attn_mask.dtype == _C.bool:
            scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
        else:
            scores = scores + attn_mask
    weights = _C.softmax(scores, -1)
    if attn_mask is not None and attn_mask.dtype == _C.bool:
        weights = weights.masked_fill(
            attn_mask.any(-1, keepdim=True).logical_not(), 0.0
        )  # no key: zeros, not NaN
    return dropout(weights, dropout_p) @ value
