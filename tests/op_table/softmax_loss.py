"""Softmax and the loss functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from .row import D, Error, Op, T, TensorSpec, call

WRONG_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"


def classes(*shape: int, below: int) -> TensorSpec:
    return T(*shape, dtype="int64", low=0, high=below - 1)


def probabilities(*shape: int) -> TensorSpec:
    return T(*shape, low=0.05, high=0.95)


def reduced(values: np.ndarray, reduction: str) -> Any:
    return {"none": lambda v: v, "mean": np.mean, "sum": np.sum}[reduction](values)


def softmax(x, dim, dtype=None):
    return special.softmax(x, axis=dim)


def log_softmax(x, dim, dtype=None):
    return special.log_softmax(x, axis=dim)


def nll_loss(log_p, target, weight=None, ignore_index=-100, reduction="mean"):
    """Class dimension 1 (or 0 without a batch); averaged over the weights of the targets that count."""
    if log_p.ndim == 1:
        log_p, target, lone = log_p[None], target[None], True
    else:
        lone = False
    counted = target != ignore_index
    chosen = np.where(counted, target, 0)
    weights = counted * (np.ones(log_p.shape[1]) if weight is None else weight)[chosen]
    losses = -np.take_along_axis(log_p, chosen[:, None], 1)[:, 0] * weights
    if reduction == "mean":
        return losses.sum() / weights.sum()
    return losses.sum() if reduction == "sum" else losses[0] if lone else losses


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    axis = 0 if x.ndim == 1 else 1
    log_p = special.log_softmax(x, axis=axis)
    size = x.shape[axis]
    if target.dtype.kind == "f":
        target = target * (1 - label_smoothing) + label_smoothing / size
        losses = -(log_p * target * along(weight, x.ndim, axis)).sum(axis)
        return (
            losses.sum() / (1 if x.ndim == 1 else losses.size)
            if reduction == "mean"
            else reduced(losses, reduction)
        )
    plain = nll_loss(log_p, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return plain
    smooth = -(log_p * along(weight, x.ndim, axis)).sum(axis) * (target != ignore_index)
    if reduction == "mean":
        counted = target != ignore_index
        smooth = smooth.sum() / (
            counted.sum() if weight is None else (weight[np.where(counted, target, 0)] * counted).sum()
        )
    elif reduction == "sum":
        smooth = smooth.sum()
    return (1 - label_smoothing) * plain + label_smoothing / size * smooth


def along(weight: np.ndarray | None, ndim: int, axis: int) -> Any:
    return 1.0 if weight is None else weight.reshape([-1 if d == axis else 1 for d in range(ndim)])


def mse_loss(x, target, reduction="mean"):
    return reduced((x - target) ** 2, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean"):
    with np.errstate(divide="ignore"):
        losses = -(target * np.maximum(np.log(x), -100) + (1 - target) * np.maximum(np.log1p(-x), -100))
    return reduced(losses * (1 if weight is None else weight), reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None):
    raised = 1 if pos_weight is None else pos_weight
    losses = raised * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x)
    return reduced(losses * (1 if weight is None else weight), reduction)


def loss(name: str, reference: Any, calls: list[Any], **fields: Any) -> Op:
    return Op(f"nn.functional.{name}", reference, calls, **{"method": False, "tolerance": 4, **fields})


NORMALISED = [
    call(T(5), 0),
    call(T(2, 3), 1),
    call(T(2, 3), 0),
    call(T(2, 3, 4), dim=1),
    call(T(2, 3, 2, 2), -3),
    call(T(), 0),
    call(T(0, 3), 1),
    call(T(2, 3), -1, dtype=D("float64")).gives("float64").without_gradient(),
    call(T(3, 50), -1),
    call(T(values=[[1000.0, 1000.0, -1000.0], [-np.inf, 0.0, 0.0]]), 1).without_gradient(),
]
OUT_OF_RANGE = Error(call(T(2, 3), 2), IndexError, WRONG_DIM)
WEIGHT = T(3, low=0.5, high=2.0, grad=False)
TARGET_BATCH = Error(
    call(T(2, 3), classes(4, below=3)),
    ValueError,
    "Expected input batch_size (2) to match target batch_size (4).",
)
OUT_OF_BOUNDS = Error(
    call(T(2, 3), T(values=[0, 3], dtype="int64")), IndexError, "Target 3 is out of bounds."
)


def l1_loss(x, target, reduction="mean"):
    return reduced(np.abs(x - target), reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    gap = np.abs(x - target)
    return reduced(np.where(gap < beta, gap**2 / (2 * beta), gap - beta / 2), reduction)


def huber_loss(x, target, reduction="mean", delta=1.0):
    return delta * smooth_l1_loss(x, target, reduction, delta)


def kl_div(x, target, reduction="mean", log_target=False):
    losses = np.exp(target) * (target - x) if log_target else special.xlogy(target, target) - target * x
    return losses.sum() / len(x) if reduction == "batchmean" else reduced(losses, reduction)


OPS = [
    Op(
        "softmax", softmax, NORMALISED, errors=[OUT_OF_RANGE], aliases=("nn.functional.softmax",), tolerance=4
    ),
    Op(
        "log_softmax",
        log_softmax,
        NORMALISED,
        errors=[OUT_OF_RANGE],
        aliases=("nn.functional.log_softmax",),
        tolerance=4,
    ),
    loss(
        "nll_loss",
        nll_loss,
        [
            call(T(4, 3), classes(4, below=3)),
            call(T(4, 3), classes(4, below=3), reduction="sum"),
            call(T(4, 3), classes(4, below=3), reduction="none"),
            call(T(4, 3), classes(4, below=3), weight=WEIGHT),
            call(T(4, 3), T(values=[0, -100, 1, 2], dtype="int64")),
            call(T(4, 3), T(values=[0, 1, 1, 2], dtype="int64"), ignore_index=1),
            call(T(3), T(values=1, dtype="int64")),
            call(T(2, 3, 2, 2), classes(2, 2, 2, below=3)),
            call(T(4, 3), classes(4, below=3), weight=WEIGHT, reduction="none"),
        ],
        domain=(-3.0, -0.1),
        errors=[TARGET_BATCH, OUT_OF_BOUNDS],
    ),
    loss(
        "cross_entropy",
        cross_entropy,
        [
            call(T(4, 3), classes(4, below=3)),
            call(T(4, 3), classes(4, below=3), reduction="sum"),
            call(T(4, 3), classes(4, below=3), reduction="none"),
            call(T(4, 3), classes(4, below=3), weight=WEIGHT),
            call(T(4, 3), T(values=[0, -100, 1, 2], dtype="int64")),
            call(T(4, 3), classes(4, below=3), label_smoothing=0.1),
            call(
                T(4, 3),
                T(values=[0, 2, 1, 2], dtype="int64"),
                ignore_index=1,
                label_smoothing=0.2,
                weight=WEIGHT,
            ),
            call(T(4, 3), T(4, 3, low=0.1, high=0.9)),
            call(T(4, 3), T(4, 3, low=0.1, high=0.9), reduction="none", label_smoothing=0.1),
            call(T(3), T(values=1, dtype="int64")),
            call(T(2, 3, 2, 2), classes(2, 2, 2, below=3)),
            call(T(2, 3, 4), classes(2, 4, below=3), reduction="none"),
            call(T(3), T(3, low=0.1, high=0.9)),
            call(T(33, 10), classes(33, below=10)),
        ],
        errors=[
            TARGET_BATCH,
            OUT_OF_BOUNDS,
            Error(
                call(T(2, 3), T(2)), RuntimeError, "expected target dtype to be Long or Byte, but got Float"
            ),
        ],
    ),
    loss(
        "mse_loss",
        mse_loss,
        [
            call(T(4, 3), T(4, 3)),
            call(T(4, 3), T(4, 3), reduction="sum"),
            call(T(4, 3), T(4, 3), reduction="none"),
            call(T(), T()),
        ],
        errors=[
            Error(
                call(T(2, 3), T(2, 4)),
                RuntimeError,
                "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
            ),
            Error(call(T(2), T(2), reduction="avg"), ValueError, "avg is not a valid value for reduction"),
        ],
    ),
    loss(
        "binary_cross_entropy",
        binary_cross_entropy,
        [
            call(probabilities(4), probabilities(4)),
            call(probabilities(2, 3), probabilities(2, 3), reduction="none"),
            call(probabilities(4), probabilities(4), reduction="sum"),
            call(probabilities(4), probabilities(4), weight=T(4, low=0.5, high=2.0, grad=False)),
            call(T(values=[0.0, 1.0]), T(values=[1.0, 1.0]), reduction="none").without_gradient(),
        ],
        errors=[
            Error(
                call(probabilities(4), probabilities(3)),
                ValueError,
                "Using a target size (torch.Size([3])) that is different to the input size "
                "(torch.Size([4])) is deprecated.",
            ),
            Error(
                call(T(values=[1.5]), probabilities(1)),
                RuntimeError,
                "all elements of input should be between 0 and 1",
            ),
        ],
    ),
    loss(
        "binary_cross_entropy_with_logits",
        binary_cross_entropy_with_logits,
        [
            call(T(4), probabilities(4)),
            call(T(2, 3), probabilities(2, 3), reduction="none"),
            call(T(4), probabilities(4), reduction="sum"),
            call(T(2, 3), probabilities(2, 3), pos_weight=WEIGHT),
            call(T(2, 3), probabilities(2, 3), weight=WEIGHT),
            call(T(values=[200.0, -200.0]), T(values=[0.0, 1.0]), reduction="none").without_gradient(),
        ],
        errors=[
            Error(
                call(T(4), probabilities(3)),
                ValueError,
                "Target size (torch.Size([3])) must be the same as input size (torch.Size([4]))",
            )
        ],
    ),
    loss(
        "l1_loss",
        l1_loss,
        [call(T(4, 3), T(4, 3)), call(T(4, 3), T(4, 3), reduction="sum"), call(T(4), T(4), reduction="none")],
    ),
    loss(
        "smooth_l1_loss",
        smooth_l1_loss,
        [
            call(T(4, 3), T(4, 3)),
            call(T(8), T(8), reduction="none", beta=0.5),
            call(T(4), T(4), reduction="sum"),
        ],
    ),
    loss("huber_loss", huber_loss, [call(T(4, 3), T(4, 3)), call(T(8), T(8), reduction="none", delta=0.5)]),
    loss(
        "kl_div",
        kl_div,
        [
            call(T(4, 3), probabilities(4, 3), reduction="batchmean"),
            call(T(4, 3), probabilities(4, 3), reduction="sum"),
            call(T(4), T(4), reduction="none", log_target=True),
        ],
        domain=(-3.0, -0.1),
    ),
]
