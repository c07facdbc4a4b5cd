"""Distances, similarities and normalization of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _C
from ..._C import Tensor


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`."""
    shape = np.broadcast_shapes(tuple(x1.shape), tuple(x2.shape))
    x1, x2 = x1.expand(shape), x2.expand(shape)
    length1 = x1.norm(2, dim, keepdim=True).clamp(min=eps)
    length2 = x2.norm(2, dim, keepdim=True).clamp(min=eps)
    return ((x1 / length1) * (x2 / length2)).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """p-norm of x1 - x2 + eps over the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along `dim`, at least `eps`."""
    length = input.norm(p, dim, keepdim=True).clamp(min=eps)
    return input / length if out is None else _C.div(input, length, out=out)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 vectors with a 1 at the index that `tensor` holds."""
    if tensor.dtype != _C.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return _C.empty((*tensor.shape, num_classes), dtype=_C.int64)
    if num_classes > 0 and type(tensor) is not Tensor and "__torch_function__" in type(tensor).__dict__:
        # Inside vmap the values of the examples cannot be looked at.
        return (tensor.unsqueeze(-1) == _C.arange(num_classes)).to(_C.int64)
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return _C.zeros((*tensor.shape, num_classes), dtype=_C.int64).scatter_(-1, tensor.unsqueeze(-1), 1)
