"""autograd.grad and autograd.Function of tensors that are batched."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _C
from ..autograd.function import Function
from . import pytree
from .batched import Level, rule_for
from .fallback import each_example


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


class VmapInfo(NamedTuple):
    """What the vmap method of an autograd.Function is told."""

    batch_size: int
    randomness: str


@rule_for("_apply_function")
def apply(level: Level, func: Any, *args: Any) -> Any:
    """A Function with a vmap method uses that; with generate_vmap_rule it runs for each example."""
    cls = func.__self__
    own, generated = cls.vmap is not Function.vmap, getattr(cls, "generate_vmap_rule", False)
    tried = f"You tried to vmap over {cls.__name__}, but it "
    if own and generated:
        raise RuntimeError(
            f"{tried}has both generate_vmap_rule=True and an overridden vmap staticmethod. Please set "
            "generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity."
        )
    if own:
        in_dims = tuple(0 if level.has(x) else None for x in args)
        result, out_dims = cls.vmap(
            VmapInfo(level.batch_size, level.randomness), in_dims, *level.values(*args)
        )
        return _from_vmap(level, result, out_dims)
    if cls.setup_context is Function.setup_context:
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, "
            "...), it "
            "must override the setup_context staticmethod."
        )
    if not generated:
        raise RuntimeError(
            f"{tried}does not have vmap support. Please override and implement the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )
    return each_example(level, func, *args)


def _from_vmap(level: Level, result: Any, out_dims: Any) -> Any:
    """The results with the batch in front; those without a batch dimension are expanded."""
    leaves, spec = pytree.flatten(result)
    dims = pytree.broadcast_prefix(out_dims, spec)
    if dims is None:
        raise RuntimeError(f"vmap(): out_dims {out_dims} does not fit the structure {spec} of the output")
    moved = [level.batch(x) if dim is None else x.movedim(dim, 0) for x, dim in zip(leaves, dims)]
    return pytree.unflatten(moved, spec)
