"""Scaled dot product attention."""

from __future__ import annotations

import math
from typing import Any

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


def _additive_mask(mask: Tensor, name: str, like: Tensor) -> Tensor:
    """A boolean mask (True: forbidden) as -inf; a floating point mask as it is."""
    if mask.dtype == _C.bool:
        return _C.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, -math.inf)
    if not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return mask


def _check_attention_shapes(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, separate: bool
) -> None:
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    kind = "batched" if query.dim() == 3 else "unbatched"
    if key.dim() != query.dim() or value.dim() != query.dim():
        raise AssertionError(
            f"For {kind} ({query.dim()}-D) `query`, expected `key` and `value` to be {query.dim()}-D but "
            f"found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if query.size(-1) != embed_dim:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim}, but got {query.size(-1)}")
    if separate:
        if key.shape[:-1] != value.shape[:-1]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _project(inputs: list[Tensor], weights: list[Tensor], bias: Tensor | None) -> list[Tensor]:
    biases = [None] * 3 if bias is None else bias.chunk(3)
    return [_C.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of `num_heads` heads (Vaswani et al., 2017) on (L, N, E) or (L, E); see the module."""
    _check_attention_shapes(query, key, value, embed_dim_to_check, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    batched = query.dim() == 3
    inputs = [x if batched else x.unsqueeze(1) for x in (query, key, value)]
    length, batch, embed_dim = inputs[0].shape
    head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    separate: list[Any] = [q_proj_weight, k_proj_weight, v_proj_weight]
    shared: Any = in_proj_weight
    weights = separate if use_separate_proj_weight else list(shared.chunk(3))
    q, k, v = _project(inputs, weights, in_proj_bias)
    if key_padding_mask is not None:
        key_padding_mask = _additive_mask(key_padding_mask, "key_padding_mask", q)
        key_padding_mask = key_padding_mask if batched else key_padding_mask.unsqueeze(0)
    if attn_mask is not None:
        attn_mask = _attention_mask(attn_mask, q, length, inputs[1].size(0), batch * num_heads)
    if bias_k is not None and bias_v is not None:
        k, v = _C.cat([k, bias_k.expand(1, batch, -1)]), _C.cat([v, bias_v.expand(1, batch, -1)])
        attn_mask, key_padding_mask = _one_more_key(attn_mask), _one_more_key(key_padding_mask)

    def heads(x: Tensor) -> Tensor:
        return x.reshape(x.size(0), batch * num_heads, head_dim).transpose(0, 1)

    q = heads(q)
    k = heads(k) if static_k is None else static_k
    v = heads(v) if static_v is None else static_v
    if add_zero_attn:
        empty_key = k.new_zeros((k.size(0), 1, head_dim))
        k, v = _C.cat([k, empty_key], 1), _C.cat([v, empty_key], 1)
        attn_mask, key_padding_mask = _one_more_key(attn_mask), _one_more_key(key_padding_mask)
    if key_padding_mask is not None:
        per_head = key_padding_mask.view(batch, 1, 1, -1).expand(batch, num_heads, 1, -1)
        per_head = per_head.reshape(batch * num_heads, 1, -1)
        attn_mask = per_head if attn_mask is None else attn_mask + per_head

    scores = (q * math.sqrt(1.0 / head_dim)) @ k.transpose(-2, -1)
    if attn_mask is not None:
        scores = scores + attn_mask
    attention = dropout(_C.softmax(scores, -1), dropout_p if training else 0.0)
    merged = (attention @ v).transpose(0, 1).reshape(length * batch, embed_dim)
    output = _C.linear(merged, out_proj_weight, out_proj_bias).view(length, batch, -1)
    shown = None
    if need_weights:
        shown = attention.view(batch, num_heads, length, -1)
        shown = shown.mean(1) if average_attn_weights else shown
    if batched:
        return output, shown
    return output.squeeze(1), None if shown is None else shown.squeeze(0)


def _attention_mask(mask: Tensor, q: Tensor, length: int, keys: int, rows: int) -> Tensor:
    mask = _additive_mask(mask, "attn_mask", q)
    if mask.dim() == 2:
        if tuple(mask.shape) != (length, keys):
            raise RuntimeError(
                f"The shape of the 2D attn_mask is {mask.shape}, but should be {(length, keys)}."
            )
        return mask.unsqueeze(0)
    if mask.dim() == 3:
        if tuple(mask.shape) != (rows, length, keys):
            raise RuntimeError(
                f"The shape of the 3D attn_mask is {mask.shape}, but should be {(rows, length, keys)}."
            )
        return mask
    raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")


def _one_more_key(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else _C.cat([mask, mask.new_zeros((*mask.shape[:-1], 1))], -1)
