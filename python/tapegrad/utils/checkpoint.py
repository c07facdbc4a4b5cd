"""Checkpointing: what a part of a model computed is thrown away and computed again in backward."""

from __future__ import annotations

import contextlib
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from .. import _C
from ..autograd._engine import backward
from ..autograd.function import Function
from ..autograd.grad_mode import enable_grad, no_grad
from ..autograd.graph import saved_tensors_hooks
from ..random import get_rng_state, set_rng_state

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


class CheckpointError(RuntimeError):
    """A function did not do the same when it was computed again."""


def noop_context_fn() -> Contexts:
    """Two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


_early_stop: bool | None = None
_debug: bool | None = None


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Decides for the checkpoints made in the block whether recomputation ends with the last tensor that is
    needed."""
    global _early_stop
    previous, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = previous


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Decides for the checkpoints made in the block about `debug`; None leaves it to each of them."""
    global _debug
    previous, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = previous


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warns when no tensor among `inputs` requires a gradient."""
    if not any(isinstance(item, _C.Tensor) and item.requires_grad for item in inputs):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None")


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs, tensors as leaves of a new graph."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}"
        )
    return tuple(
        item.detach().requires_grad_(item.requires_grad) if isinstance(item, _C.Tensor) else item
        for item in inputs
    )


@contextlib.contextmanager
def _random_state(state: _C.Tensor | None) -> Iterator[None]:
    """Draws random numbers from `state` on, in the block; None changes nothing."""
    if state is None:
        yield
        return
    outside = get_rng_state()
    set_rng_state(state)
    try:
        yield
    finally:
        set_rng_state(outside)


# Computed again inside backward, by a backward pass of its own


class CheckpointFunction(Function):
    """The reentrant kind: one operation, whose derivative runs the function again and backward through it."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.random_state = get_rng_state() if preserve_rng_state else None
        ctx.others = [None if isinstance(item, _C.Tensor) else item for item in args]
        ctx.places = [i for i, item in enumerate(args) if isinstance(item, _C.Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        if _C._backward_has_inputs():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an "
                "`inputs` parameter to .backward(). Set use_reentrant=False, or call .backward() without "
                "`inputs`."
            )
        inputs = list(ctx.others)
        for place, tensor in zip(ctx.places, ctx.saved_tensors):
            inputs[place] = tensor
        leaves = detach_variable(tuple(inputs))
        with _random_state(ctx.random_state), enable_grad():
            outputs = ctx.run_function(*leaves)
        if isinstance(outputs, _C.Tensor):
            outputs = (outputs,)
        pairs = [
            (out, gradient)
            for out, gradient in zip(outputs, gradients)
            if isinstance(out, _C.Tensor) and out.requires_grad
        ]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([out for out, _ in pairs], [gradient for _, gradient in pairs])
        return (None, None, *(leaf.grad if isinstance(leaf, _C.Tensor) else None for leaf in leaves))


# Computed again when a saved tensor is asked for


class _StopRecomputation(Exception):
    """Everything that is needed has been computed."""


class _SaveInputs(Function):
    """Keeps tensors as an operation does, so that a checkpoint around this one gets to see them."""

    @staticmethod
    def forward(ctx: Any, anchor: _C.Tensor, *tensors: _C.Tensor) -> _C.Tensor:
        ctx.save_for_backward(*tensors)
        return anchor.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise AssertionError("nothing depends on the output of this function")


class _Holder:
    """What an operation keeps instead of a tensor: the place of that among all that the function saved.

    `values` has the tensor for each backward pass that has computed it again. When the operation lets go of
    the holder, the tensor goes, too.
    """

    __slots__ = ("__weakref__", "place", "values")

    def __init__(self, place: int) -> None:
        self.place = place
        self.values: dict[int, _C.Tensor] = {}


class _Recomputed:
    """Lives as long as the backward pass that has computed a function again, and clears up after it."""

    def __init__(self, run: int, holders: list[weakref.ref[_Holder]]) -> None:
        self.run = run
        self.holders = holders

    def __del__(self) -> None:
        for reference in self.holders:
            if (holder := reference()) is not None:
                holder.values.pop(self.run, None)


def _metadata(tensor: _C.Tensor) -> dict[str, Any]:
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


def _calling_line() -> str:
    """The line of the user's program that saves a tensor."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


class _Checkpoint:
    """One call of checkpoint with use_reentrant=False."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any
    ) -> None:
        self.function = function
        self.kwargs = kwargs
        self.preserve_rng_state: bool = options["preserve_rng_state"]
        self.check_metadata: bool = options["check_metadata"]
        self.early_stop: bool = options["early_stop"]
        self.debug: bool = options["debug"]
        self.forward_context, self.recompute_context = options["contexts"]
        self.random_state = get_rng_state() if self.preserve_rng_state else None
        self.others = [None if isinstance(item, _C.Tensor) else item for item in args]
        self.places = [i for i, item in enumerate(args) if isinstance(item, _C.Tensor)]
        anchor = _C.empty(0, requires_grad=True)
        self.inputs = _SaveInputs.apply(anchor, *(args[i] for i in self.places)).grad_fn
        self.holders: list[weakref.ref[_Holder]] = []
        self.metadata: list[dict[str, Any]] = []
        self.lines: list[str] = []  # with debug: where each tensor was saved
        self.complete = False

    def forward(self, args: tuple[Any, ...]) -> Any:
        with saved_tensors_hooks(self.pack, self.unpack), self.forward_context:
            result = self.function(*args, **self.kwargs)
        self.complete = True
        return result

    def pack(self, tensor: _C.Tensor) -> _Holder:
        holder = _Holder(len(self.holders))
        self.holders.append(weakref.ref(holder))
        self.metadata.append(_metadata(tensor))
        if self.debug:
            self.lines.append(_calling_line())
        return holder

    def unpack(self, holder: _Holder) -> _C.Tensor:
        run = _C._current_backward_run()
        if run not in holder.values:
            clearing_up = _Recomputed(run, self.holders)
            self.recompute(run)
            if run:
                _C._keep_until_backward_ends(clearing_up)
        return holder.values[run]

    def recompute(self, run: int) -> None:
        """Runs the function again, for the values of the holders that are still in use."""
        args = list(self.others)
        for place, tensor in zip(self.places, self.inputs.saved_tensors):
            args[place] = tensor
        needed = len(self.holders)
        metadata: list[dict[str, Any]] = []
        lines: list[str] = []

        def collect(tensor: _C.Tensor) -> _C.Tensor:
            place = len(metadata)
            metadata.append(_metadata(tensor))
            if self.debug:
                lines.append(_calling_line())
            if place >= needed:
                if not self.complete:  # a derivative inside the function asks for what it has saved so far
                    raise _StopRecomputation
                raise self.error(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than during "
                    "the original forward pass.",
                    lines,
                )
            value = tensor.detach()
            holder = self.holders[place]()
            if holder is not None:
                holder.values[run] = value
            if self.early_stop and place + 1 == needed:
                raise _StopRecomputation
            return value

        with (
            contextlib.suppress(_StopRecomputation),
            _random_state(self.random_state),
            enable_grad(),
            saved_tensors_hooks(collect, lambda value: value),
            self.recompute_context,
        ):
            self.function(*args, **self.kwargs)
        if len(metadata) < needed:
            raise self.error(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward "
                f"and recomputation.\nNumber of tensors saved during forward: {needed}\n"
                f"Number of tensors saved during recomputation: {len(metadata)}.",
                lines,
            )
        if self.check_metadata:
            self.compare(metadata, lines)

    def compare(self, recomputed: list[dict[str, Any]], lines: list[str]) -> None:
        """CheckpointError when a tensor has another shape, dtype or device than at first."""
        different = "".join(
            f"tensor at position {place}:\nsaved metadata: {saved}\nrecomputed metadata: {again}\n"
            for place, (saved, again) in enumerate(zip(self.metadata, recomputed))
            if saved != again
        )
        if different:
            raise self.error(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata "
                f"than during the forward pass.\n{different}",
                lines,
            )

    def error(self, problem: str, lines: list[str]) -> CheckpointError:
        """The exception, with the cure, or with the lines that saved tensors."""
        if not self.debug:
            return CheckpointError(
                f"{problem}\n\nThe function has to do the same each time that it is called with the same "
                "arguments: it must not depend on what changes in between. To see which lines saved tensors, "
                "pass debug=True to checkpoint(...) or use set_checkpoint_debug_enabled(True)."
            )

        def listed(title: str, saved_by: list[str]) -> str:
            return "\n".join([f"\n{title}:", *(f"  {place}. {line}" for place, line in enumerate(saved_by))])

        return CheckpointError(
            problem + listed("Saved in forward", self.lines) + listed("Saved in recomputation", lines)
        )


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``; what it saves for its derivative is computed again in backward.

    The function has to do the same both times; its random numbers are repeated unless
    ``preserve_rng_state=False`` is given. ``use_reentrant=False`` is the better kind: it works with
    autograd.grad, keyword arguments and tensors inside of other objects, and stops computing with the last
    tensor that is needed (`early_stop`). `context_fn` returns a context for each of the two computations.
    With ``determinism_check="default"`` other shapes or dtypes than at first are a CheckpointError, which
    with `debug` lists the lines that saved tensors.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "use_reentrant=False is recommended; without it, use_reentrant=True is assumed.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve_rng_state, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}"
        )
    contexts = context_fn()
    if not _C.is_grad_enabled():
        with contexts[0]:
            return function(*args, **kwargs)
    call = _Checkpoint(
        function,
        args,
        kwargs,
        preserve_rng_state=preserve_rng_state,
        check_metadata=determinism_check == "default",
        early_stop=early_stop if _early_stop is None else _early_stop,
        debug=debug if _debug is None else _debug,
        contexts=contexts,
    )
    return call.forward(args)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """The functions (a list, or a Sequential) one after the other, in `segments` parts: each but the last is
    under `checkpoint`."""
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed "
            "explicitly. use_reentrant=False is recommended; without it, use_reentrant=True is assumed.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(steps) // segments
    if size == 0:
        raise ValueError(
            f"checkpoint_sequential: {len(steps)} functions cannot be split into {segments} segments"
        )

    def part(begin: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[begin:end]:
                value = step(value)
            return value

        return run

    last = size * (segments - 1)
    for begin in range(0, last, size):
        input = checkpoint(
            part(begin, begin + size),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
    return part(last, len(steps))(input)
