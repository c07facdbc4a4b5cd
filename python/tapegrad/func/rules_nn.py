"""Batching rules of normalizations and losses."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._reduction import legacy_reduction
from .batched import RULES, Level, rule_for, words
from .signatures import bind

Tensor = _C.Tensor


def _affine(out: Any, weight: Any, bias: Any, shape: Any) -> Any:
    """out * weight + bias, where these have that shape in an example."""
    if weight is not None:
        out = out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@rule_for("layer_norm", "rms_norm")
def over_last_dims(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    bound = bind(func, args, kwargs)
    weight, bias = bound.get("weight"), bound.get("bias")
    if not level.has(weight) and not level.has(bias):
        return func(**{**bound, "input": level.value(bound["input"])})
    bound["weight"] = None
    if "bias" in bound:
        bound["bias"] = None
    return _affine(func(**bound), weight, bias, tuple(bound["normalized_shape"]))


def _fold_images(level: Level, x: Any) -> Tensor:
    return level.batch(x).flatten(0, 1)


@rule_for("group_norm")
def group_norm(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    bound = bind(func, args, kwargs)
    x, weight, bias = bound["input"], bound.pop("weight", None), bound.pop("bias", None)
    shared = not level.has(weight) and not level.has(bias)
    images = _fold_images(level, x)
    out = func(
        **{**bound, "input": images, "weight": weight if shared else None, "bias": bias if shared else None}
    )
    out = level.wrap(out.unflatten(0, (level.batch_size, x.shape[0])))
    return out if shared else _affine(out, weight, bias, (-1, *[1] * (x.dim() - 2)))


@rule_for("batch_norm")
def batch_norm(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """In training the batch of vmap becomes more channels, each with statistics of its own."""
    bound = bind(func, args, kwargs)
    x, mean, var = bound["input"], bound.get("running_mean"), bound.get("running_var")
    weight, bias = bound.get("weight"), bound.get("bias")
    momentum, eps = bound.get("momentum", 0.1), bound.get("eps", 1e-5)
    shape = (-1, *[1] * (x.dim() - 2))
    if not bound.get("training", False):
        assert mean is not None and var is not None
        scale = (var + eps).rsqrt().reshape(shape)
        return _affine((x - mean.reshape(shape)) * scale, weight, bias, shape)
    if mean is not None and not (level.has(mean) and level.has(var)):
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be "
            "updated in place, were not batched.\nIf you are using a module and do not need eval mode, "
            "please "
            "set `track_running_stats` to be False. Or replace it with nn.GroupNorm."
        )
    channels = x.shape[1]
    statistics = [None if s is None else level.value(s).reshape(-1) for s in (mean, var)]
    value = level.batch(x).movedim(0, 1).flatten(1, 2)
    out = func(value, *statistics, None, None, True, momentum, eps)
    out = level.wrap(out.unflatten(1, (level.batch_size, channels)).movedim(1, 0))
    return _affine(out, weight, bias, shape)


@rule_for("instance_norm")
def instance_norm(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    bound = bind(func, args, kwargs)
    if bound.get("running_mean") is not None:
        raise RuntimeError(
            "vmap: instance_norm with running statistics is not supported: set `track_running_stats` to False"
        )
    x, weight, bias = bound["input"], bound["weight"], bound["bias"]
    out = func(**{**bound, "input": _fold_images(level, x), "weight": None, "bias": None})
    out = level.wrap(out.unflatten(0, (level.batch_size, x.shape[0])))
    return _affine(out, weight, bias, (-1, *[1] * (x.dim() - 2)))


# Losses: each element on its own, then the reduction of an example


def _reduced(losses: Any, reduction: str, weights: Any = None) -> Any:
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    if reduction == "batchmean":
        return total / losses.shape[0]
    if reduction != "mean":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return losses.mean() if weights is None else total / weights.sum()


ELEMENTWISE_LOSSES = words(
    """
mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
"""
)


@rule_for(*ELEMENTWISE_LOSSES)
def elementwise_loss(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    bound = bind(func, args, kwargs)
    reduction = bound.pop("reduction", "mean")
    rank = max(bound["input"].dim(), bound["target"].dim())
    values = {
        name: _spread(level, value, rank) if name in ("input", "target") else level.aligned(value, rank)
        for name, value in bound.items()
    }
    return _reduced(level.wrap(func(**values, reduction="none")), reduction)


def _spread(level: Level, x: Tensor, rank: int) -> Tensor:
    """Aligned for broadcasting, and expanded if it is the same for all examples."""
    return level.aligned(level.wrap(level.batch(x)), rank)


@rule_for("nll_loss", "cross_entropy")
def class_loss(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Scores (N, C, ...) or (C,), and classes (N, ...) or () or probabilities like the scores."""
    bound = bind(func, args, kwargs)
    reduction, old = (
        bound.pop("reduction", "mean"),
        (bound.pop("size_average", None), bound.pop("reduce", None)),
    )
    if old != (None, None):
        reduction = legacy_reduction(*old)
    x, target, weight = bound["input"], bound["target"], bound.get("weight")
    if level.has(weight):
        return RULES["fallback"](level, func, *args, **kwargs)
    single = x.dim() == 1
    fold = lambda y: level.batch(y) if single else _fold_images(level, y)
    losses = func(**{**bound, "input": fold(x), "target": fold(target)}, reduction="none")
    losses = level.wrap(losses if single else losses.unflatten(0, (level.batch_size, x.shape[0])))
    if target.is_floating_point():
        count = 1 if single else x.shape[0] * (x.numel() // max(x.shape[0] * x.shape[1], 1))
        return losses.sum() / count if reduction == "mean" else _reduced(losses, reduction)
    kept = target != bound.get("ignore_index", -100)
    if weight is None:
        return _reduced(losses, reduction, kept.to(x.dtype))
    return _reduced(losses, reduction, weight[_C.where(kept, target, _C.zeros_like(target))] * kept)
