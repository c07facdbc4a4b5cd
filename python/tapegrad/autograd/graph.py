"""Tools that look at the graph or change how it is kept: saved-tensor hooks, gradient edges, hooks on several
tensors."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from .. import _C
from .._C import Node, Tensor

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks:
    """Within the block, operations keep ``pack_hook(tensor)`` instead of the tensors their derivatives need;
    backward gets ``unpack_hook(what was kept)``."""

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _C._push_saved_tensor_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args: object) -> None:
        _C._pop_saved_tensor_hooks()


class save_on_cpu(saved_tensors_hooks):
    """In PyTorch, keeps saved tensors in main memory until backward; here they are there already."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor, lambda packed: packed)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Within the block, setting saved-tensor hooks is a RuntimeError with this message."""
    previous = _C._disable_saved_tensor_hooks(error_message)
    try:
        yield
    finally:
        _C._disable_saved_tensor_hooks(previous)


class GradientEdge(NamedTuple):
    """A place in the graph, for autograd.grad and backward: the gradient that flows to one output of a node.

    It keeps the graph, but not the tensor that was computed there.
    """

    node: Node
    output_nr: int
    ownership_token: Node | None = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place in the graph at which the gradient of `tensor` arrives."""
    return GradientEdge(*_C._gradient_edge(tensor))


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Counts a write to one or several tensors that happened behind autograd's back."""
    tensors = (tensor,) if isinstance(tensor, Tensor) else tensor
    if not isinstance(tensors, Iterable):
        raise RuntimeError("increment_version expect a Iterable[Tensor] as input")
    for each in tensors:
        _C._increment_version(each)


class _MutationContext:
    """Open while tensors saved inside the block may be differentiated through."""

    def __init__(self) -> None:
        self.open = True


_mutation = threading.local()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_MutationContext]:
    """Within the block, tensors that were saved for backward may be written to in place.

    Each is copied when it is saved; backward has to run inside the block, too.
    """
    if getattr(_mutation, "active", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _MutationContext()

    def unpack(copy: Tensor) -> Tensor:
        if not context.open:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the "
                "graph was originally recorded."
            )
        return copy

    _mutation.active = True
    try:
        with saved_tensors_hooks(lambda tensor: tensor.detach().clone(), unpack):
            yield context
    finally:
        context.open = _mutation.active = False


class _Handles:
    """Removes the hooks of register_multi_grad_hook."""

    def __init__(self, handles: Sequence[Any]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take all the hooks out."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()


class _Collected:
    """The gradients that have arrived in one backward pass."""

    def __init__(self, expected: int, count: int) -> None:
        self.missing = expected
        self.gradients: list[Tensor | None] = [None] * count


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[[Sequence[Tensor | None]], None] | Callable[[Tensor], None],
    *,
    mode: Literal["all", "any"] = "all",
) -> _Handles:
    """Calls `fn` in each backward pass.

    With "all", once the gradients of all `tensors` that the pass computes are known, with the list of them
    (None for others); with "any", with the first of them.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    if mode == "any":
        called_in: set[int] = set()

        def first(gradient: Tensor) -> None:
            run = _C._current_backward_run()
            with lock:
                if run in called_in:
                    return
                called_in.clear()
                called_in.add(run)
            fn(gradient)  # type: ignore[arg-type]

        return _Handles([tensor.register_hook(first) for tensor in tensors])

    nodes = [_C._gradient_edge(tensor)[0] for tensor in tensors]
    passes: dict[int, _Collected] = {}

    def collect(index: int) -> Callable[[Tensor | None], None]:
        def hook(gradient: Tensor | None) -> None:
            run = _C._current_backward_run()
            with lock:
                if run not in passes:
                    passes[run] = _Collected(sum(map(_C._will_execute, nodes)), len(nodes))
                collected = passes[run]
                collected.gradients[index] = gradient
                collected.missing -= 1
                complete = collected.missing == 0
                if complete:
                    del passes[run]
            if complete:
                fn(collected.gradients)  # type: ignore[arg-type]

        return hook

    return _Handles([tensor.register_hook(collect(i)) for i, tensor in enumerate(tensors)])
