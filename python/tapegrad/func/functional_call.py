"""Modules as functions of their parameters: functional_call, stack_module_state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import _C

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def _merged(dicts: Any) -> dict[str, Any]:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, (tuple, list)):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts)}"
        )
    if not all(isinstance(part, dict) for part in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for part in dicts for name in part]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous"
        )
    return {name: value for part in dicts for name, value in part.items()}


def _tables(module: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(full name, table, key) of each parameter and buffer, also those that occur twice."""
    for prefix, submodule in module.named_modules(remove_duplicate=False):
        for table in (submodule._parameters, submodule._buffers):
            for key, value in table.items():
                if value is not None:
                    yield f"{prefix}.{key}" if prefix else key, table, key


def _replacements(
    module: Any, values: dict[str, Any], tie_weights: bool, strict: bool
) -> list[tuple[dict[str, Any], str, Any]]:
    """(table, key, new value) for each place that changes."""
    places = {name: (table, key) for name, table, key in _tables(module)}
    chosen = {name: value for name, value in values.items() if name in places}
    if tie_weights:
        shared: dict[int, list[str]] = {}
        for name, (table, key) in places.items():
            shared.setdefault(id(table[key]), []).append(name)
        for names in shared.values():
            given = [name for name in names if name in chosen]
            if len({id(chosen[name]) for name in given}) > 1:
                raise ValueError(
                    f"functional_call got multiple values for keys {given}, which are tied. Consider using "
                    "tie_weights=False"
                )
            if given:
                chosen |= dict.fromkeys(names, chosen[given[0]])
    unexpected = sorted(set(values) - set(places))
    missing = sorted(set(places) - set(chosen))
    if strict and (unexpected or missing):
        lines = [
            f"\n\t{kind} key(s): {', '.join(map(repr, names))}."
            for kind, names in (("Unexpected", unexpected), ("Missing", missing))
            if names
        ]
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:{''.join(lines)}")
    return [(*places[name], value) for name, value in chosen.items()]


@contextmanager
def _replaced(places: list[tuple[dict[str, Any], str, Any]]) -> Iterator[None]:
    originals = [(table, key, table[key]) for table, key, _ in places]
    try:
        for table, key, value in places:
            table[key] = value
        yield
    finally:
        for table, key, value in originals:
            table[key] = value


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with other parameters and buffers, by name.

    `parameter_and_buffer_dicts` is a dictionary such as ``dict(module.named_parameters())`` or a sequence of
    them with different names (ValueError otherwise); what it does not name stays. `args` is a tuple or one
    argument. With `tie_weights` a value also replaces the parameters that are the same tensor under other
    names. With `strict` names that are missing or unknown are a RuntimeError; else unknown ones are ignored.
    """
    values = _merged(parameter_and_buffer_dicts)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(_replacements(module, values, tie_weights, strict)):
        return module(*positional, **(kwargs or {}))


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of models of one class by name, stacked along a new first dimension.

    For an ensemble under vmap: ``vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), (0, 0, None))``.
    The parameters are new leaves that require gradients where those of the models do. RuntimeError for no
    models, or for models of different classes or modes.
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    if any(model.training != models[0].training for model in models):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]

    def stacked(states: list[dict[str, Any]], name: str) -> Any:
        tensors = [state[name] for state in states]
        if any(x.requires_grad != tensors[0].requires_grad for x in tensors):
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        return _C.stack([x.detach() for x in tensors]).requires_grad_(tensors[0].requires_grad)

    return (
        {name: stacked(parameters, name) for name in parameters[0]},
        {name: stacked(buffers, name) for name in buffers[0]},
    )


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Lets every batch normalization in `root` use the statistics of its input only, in place."""
    from ..nn.modules.batchnorm import _BatchNorm

    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
