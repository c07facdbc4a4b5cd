"""autograd.grad of tensors that are batched."""

from __future__ import annotations

from typing import Any

from .. import _C
from .batched import Level, rule_for


@rule_for("grad")
def grad(level: Level, func: Any, outputs: Any, inputs: Any, grad_outputs: Any = None, **options: Any) -> Any:
    """Where only the cotangents are batched, a batch of gradients; else the gradients of the whole batch."""
    cotangents = grad_outputs if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    if options.get("is_grads_batched"):
        raise RuntimeError(
            "vmap: autograd.grad with is_grads_batched=True is not supported on batched tensors"
        )
    if not any(level.has(x) for x in [*outputs, *inputs]):
        rows = [None if c is None else level.batch(c) for c in cotangents]
        return func(outputs, inputs, rows, **{**options, "is_grads_batched": True})
    if not all(level.has(x) for x in inputs):
        raise RuntimeError(
            "vmap: autograd.grad of a batched output with respect to an input that is the same for all "
            "examples "
            "is not supported: use torch.func.grad, which gives a gradient for each example"
        )
    if any(c is None and out.numel() != 1 for out, c in zip(outputs, cotangents)):
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    values = [level.batch(out) for out in outputs]
    weights = [_C.ones_like(v) if c is None else level.batch(c) for v, c in zip(values, cotangents)]
    return func(values, level.values(*inputs), weights, **options)
