"""Hooks of nn.Module: the tables shared by all modules, and the call of a module that has hooks."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ... import _C
from ..._C import Tensor
from ...utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from .module import Module

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

Hook = Callable[..., Any]
HookDict = OrderedDict[int, Hook]


class HookTable(OrderedDict[int, Hook]):
    """Hooks by their ids, in the order in which they are called. Calls of modules look into these tables from
    the first entry of any of them on, also one that comes from a copy or a pickle."""

    def __setitem__(self, key: int, hook: Hook) -> None:
        _C._use_module_hooks()
        super().__setitem__(key, hook)


global_forward_pre_hooks: HookDict = HookTable()
global_forward_hooks: HookDict = HookTable()
global_forward_with_kwargs: OrderedDict[int, bool] = OrderedDict()
global_forward_always_called: OrderedDict[int, bool] = OrderedDict()
global_backward_pre_hooks: HookDict = HookTable()
global_backward_hooks: HookDict = HookTable()
global_buffer_registration_hooks: HookDict = OrderedDict()
global_module_registration_hooks: HookDict = OrderedDict()
global_parameter_registration_hooks: HookDict = OrderedDict()
_global_backward_is_full: bool | None = None

# A module takes the slow way of calling while any of these has an entry.
global_tables = (
    global_forward_hooks,
    global_forward_pre_hooks,
    global_backward_hooks,
    global_backward_pre_hooks,
)


def add_hook(
    hooks: HookDict, hook: Hook, *marks: OrderedDict[int, bool], prepend: bool = False
) -> RemovableHandle:
    """Put `hook` last (or first) into `hooks` and its id into every dictionary of `marks`."""
    _C._use_module_hooks()
    handle = RemovableHandle(hooks, extra_dict=list(marks))
    hooks[handle.id] = hook
    for mark in marks:
        mark[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, args)` before the forward of every module."""
    return add_hook(global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` (or `(module, args, kwargs, output)`) after the forward of every
    module."""
    marks = []
    if with_kwargs:
        marks.append(global_forward_with_kwargs)
    if always_call:
        marks.append(global_forward_always_called)
    return add_hook(global_forward_hooks, hook, *marks)


def _register_global_backward_hook(hook: Hook, full: bool) -> RemovableHandle:
    global _global_backward_is_full
    if _global_backward_is_full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
            "Please use only one of them."
        )
    _global_backward_is_full = full
    return add_hook(global_backward_hooks, hook)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` at the last operation of every module (prefer the full
    hook)."""
    return _register_global_backward_hook(hook, full=False)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` when the gradients of a module's inputs are known."""
    return _register_global_backward_hook(hook, full=True)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the backward of every module."""
    return add_hook(global_backward_pre_hooks, hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, buffer)` when a buffer is registered; a result that is not None replaces
    it."""
    return add_hook(global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, submodule)` when a submodule is registered; a result that is not None
    replaces it."""
    return add_hook(global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, param)` when a parameter is registered; a result that is not None replaces
    it."""
    return add_hook(global_parameter_registration_hooks, hook)


def run_registration_hooks(hooks: HookDict, module: Module, name: str, value: Any) -> Any:
    for hook in hooks.values():
        replacement = hook(module, name, value)
        if replacement is not None:
            value = replacement
    return value


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `module.forward` with every hook of the module and every global hook around it."""
    finished: set[int] = set()
    output: Any = None
    try:
        args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
        backward_hooks = BackwardHooks.of(module)
        if backward_hooks is not None:
            args = backward_hooks.watch_inputs(args)
        output = module.forward(*args, **kwargs)
        for hook_id, hook, with_kwargs in _forward_hooks(module):
            finished.add(hook_id)
            replacement = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            if replacement is not None:
                output = replacement
        if backward_hooks is not None:
            output = backward_hooks.watch_output(output)
        _attach_non_full_backward_hooks(module, output)
        return output
    except Exception:
        _run_always_called_hooks(module, args, kwargs, output, finished)
        raise


def _run_forward_pre_hooks(
    module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook_id, hook in (*global_forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
        if hook_id in module._forward_pre_hooks_with_kwargs:
            result = hook(module, args, kwargs)
            if result is None:
                continue
            if not isinstance(result, tuple) or len(result) != 2:
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got "
                    f"{result}."
                )
            args, kwargs = result
        else:
            result = hook(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
    return args, kwargs


def _forward_hooks(module: Module) -> list[tuple[int, Hook, bool]]:
    hooks = [(i, hook, i in global_forward_with_kwargs) for i, hook in global_forward_hooks.items()]
    hooks += [(i, hook, i in module._forward_hooks_with_kwargs) for i, hook in module._forward_hooks.items()]
    return hooks


def _run_always_called_hooks(
    module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, finished: set[int]
) -> None:
    for hook_id, hook, with_kwargs in _forward_hooks(module):
        always = hook_id in global_forward_always_called or hook_id in module._forward_hooks_always_called
        if not always or hook_id in finished:
            continue
        try:
            replacement = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            if replacement is not None:
                output = replacement
        except Exception as error:
            scope = "global module forward hook" if hook_id in global_forward_hooks else "module forward hook"
            warnings.warn(
                f"{scope} with ``always_call=True`` raised an exception that was silenced "
                f"as another error was raised in forward: {error!s}",
                stacklevel=3,
            )


class BackwardHooks:
    """One call's full backward hooks: two identity nodes, around the inputs and around the outputs, run
    them."""

    def __init__(self, module: Module, hooks: list[Hook], pre_hooks: list[Hook]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: tuple[Any, ...] = ()
        self.input_count = 0
        self.input_needs_grad = False

    @classmethod
    def of(cls, module: Module) -> BackwardHooks | None:
        hooks: list[Hook] = []
        if _global_backward_is_full:
            hooks += global_backward_hooks.values()
        if module._is_full_backward_hook:
            hooks += module._backward_hooks.values()
        pre_hooks = [*global_backward_pre_hooks.values(), *module._backward_pre_hooks.values()]
        return cls(module, hooks, pre_hooks) if hooks or pre_hooks else None

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.input_count = len(args)
        watched, self.input_needs_grad = _identity_node(args, self._on_input_grads)
        return watched

    def watch_output(self, output: Any) -> Any:
        outputs = output if isinstance(output, tuple) else (output,)
        if not isinstance(output, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(output)}",
                stacklevel=4,
            )
            return output
        watched, _ = _identity_node(outputs, self._on_output_grads)
        return watched if isinstance(output, tuple) else watched[0]

    def _on_output_grads(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.pre_hooks:
            grads = self._replaced(grads, hook(self.module, grads), "grad_output", len(grads))
        self.grad_outputs = grads
        if not self.input_needs_grad:
            no_grads = (None,) * self.input_count
            for hook in self.hooks:
                result = hook(self.module, no_grads, grads)
                if result is not None and not (isinstance(result, tuple) and all(g is None for g in result)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None "
                        "or None for all gradients."
                    )
        return grads

    def _on_input_grads(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.hooks:
            grads = self._replaced(
                grads, hook(self.module, grads, self.grad_outputs), "grad_input", len(grads)
            )
        return grads

    @staticmethod
    def _replaced(grads: tuple[Any, ...], result: Any, name: str, count: int) -> tuple[Any, ...]:
        if result is None:
            return grads
        replaced = result if isinstance(result, tuple) else (result,)
        if len(replaced) != count:
            kind = "Backward pre hook" if name == "grad_output" else "Backward hook"
            raise RuntimeError(
                f"{kind} returned an invalid number of {name}, got {len(replaced)}, but expected {count}"
            )
        return replaced


def _identity_node(values: tuple[Any, ...], callback: Hook) -> tuple[tuple[Any, ...], bool]:
    """Pass the tensors of `values` through one node whose backward is `callback` on all positions."""
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    tensors = [values[i] for i in positions]
    if not _C.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
        return values, False

    def backward(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        spread: list[Any] = [None] * len(values)
        for position, grad in zip(positions, grads, strict=True):
            spread[position] = grad
        result = callback(tuple(spread))
        return tuple(result[position] for position in positions)

    watched = list(values)
    outputs = _C._hooked_identity(tensors, backward)
    for position, tensor in zip(positions, outputs, strict=True):
        watched[position] = tensor
    return tuple(watched), True


def _attach_non_full_backward_hooks(module: Module, output: Any) -> None:
    hooks: list[Hook] = []
    if _global_backward_is_full is False:
        hooks += global_backward_hooks.values()
    if module._is_full_backward_hook is False:
        hooks += module._backward_hooks.values()
    if not hooks:
        return
    while not isinstance(output, Tensor):
        output = (
            next((value for value in output.values() if isinstance(value, Tensor)), None)
            if isinstance(output, dict)
            else output[0]
        )
    if output.grad_fn is not None:
        for hook in hooks:
            output.grad_fn.register_hook(lambda *grads, hook=hook: hook(module, *grads))
