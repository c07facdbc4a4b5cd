"""Derivatives of functions as functions: grad, vjp, jvp, jacrev, jacfwd, hessian, linearize.

A differentiated input is an alias that keeps the history it has. What is computed from it can therefore be
differentiated by whoever differentiates further out, to any order. Inside vmap an input first becomes batched
at every active level, so that each example gets a gradient of its own; the graph is that of the values of the
whole batch.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .. import _C
from ..autograd import functional
from ..autograd.grad_mode import enable_grad
from . import pytree
from .batched import Level, active_levels, physical_of_all_levels

Tensor = _C.Tensor
Function = Callable[..., Any]

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]


# The inputs of transforms that are over: histories may still reach them, but nobody differentiates there.
_finished: weakref.WeakSet[Tensor] = weakref.WeakSet()


# Inputs and outputs as plain tensors


def _wrap(value: Tensor, levels: Sequence[Level]) -> Tensor:
    for level in levels:
        value = level.wrap(value)
    return value


def _inside(x: Tensor, levels: Sequence[Level]) -> Tensor:
    return physical_of_all_levels(x, list(levels))


class _Run:
    """One call of a function, with the plain tensors that its derivatives are taken of."""

    def __init__(self, func: Function, inputs: Any, name: str, has_aux: bool, call: Function) -> None:
        """`call(tracked inputs)` calls the function; `inputs` is a tree of tensors."""
        self.levels = list(active_levels())
        self.wants_history = _C.is_grad_enabled()
        leaves, self.spec = pytree.flatten(inputs)
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise ValueError(f"Thing passed to transform API must be Tensor, got {type(leaf)}")
        with enable_grad():
            self.inputs = [self._track(leaf) for leaf in leaves]
            wrapped = [_wrap(x, self.levels) for x in self.inputs]
            result = call(pytree.unflatten(wrapped, self.spec))
        _finished.update(x for x in self.inputs if x.is_leaf)
        self.aux = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            result, self.aux = result
        self.results, self.out_spec = pytree.flatten(result)
        self.name = name

    def _track(self, leaf: Tensor) -> Tensor:
        value = _inside(leaf, self.levels)
        if value.requires_grad:
            return value.view_as(value)
        # Values that are expanded along a level may be written to in the function.
        return (value.clone() if self.levels else value.detach()).requires_grad_()

    @functools.cached_property
    def outputs(self) -> list[Tensor]:
        """The plain outputs; an error unless all of them are tensors."""
        for result in self.results:
            if not isinstance(result, Tensor):
                raise RuntimeError(
                    f"{self.name}: expected f(*primals) to return only tensors, got unsupported type "
                    f"{type(result)}"
                )
        with enable_grad():
            return [_inside(out, self.levels) for out in self.results]

    def keeps_history(self, *more: Tensor) -> bool:
        """Whether the derivatives may be differentiated by somebody else."""
        if not self.wants_history:
            return False
        if any(x.requires_grad for x in more):
            return True
        return _C._reaches_other_leaves(self.outputs, [*self.inputs, *_finished])

    def like_inputs(self, gradients: Sequence[Any], history: bool) -> list[Tensor]:
        """Gradients of the inputs, wrapped again; zeros where there is none."""
        found = [_C.zeros_like(x.detach()) if g is None else g for g, x in zip(gradients, self.inputs)]
        return [_wrap(g if history else g.detach(), self.levels) for g in found]

    def value(self, history: bool) -> Any:
        return self._released(self.results, self.out_spec, history)

    def aux_value(self, history: bool) -> Any:
        leaves, spec = pytree.flatten(self.aux)
        return self._released(leaves, spec, history)

    @staticmethod
    def _released(leaves: Sequence[Any], spec: Any, history: bool) -> Any:
        release = lambda x: x.detach() if isinstance(x, Tensor) and not history else x
        return pytree.unflatten([release(leaf) for leaf in leaves], spec)


def _gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    create_graph: bool,
    **kwargs: Any,
) -> tuple[Any, ...]:
    return functional.gradients(outputs, inputs, cotangents, create_graph, retain_graph=True, **kwargs)


# Arguments


def _check_argnums(argnums: Any, count: int) -> tuple[int, ...]:
    """The positions, counted from the front."""
    if isinstance(argnums, int):
        positions: tuple[int, ...] = (argnums,)
    elif isinstance(argnums, tuple):
        if not argnums:
            raise RuntimeError("argnums must be non-empty")
        if not all(isinstance(position, int) for position in argnums):
            raise RuntimeError(f"argnums elements must be int, got {argnums}")
        positions = argnums
    else:
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    for position in positions:
        if not -count <= position < count:
            raise RuntimeError(f"Got argnum={position}, but only {count} positional inputs")
    positions = tuple(position % count for position in positions)
    if len(set(positions)) != len(positions):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return positions


def _run_with_argnums(
    func: Function, argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str, has_aux: bool
) -> _Run:
    """The call func(*args, **kwargs), tracked at argnums."""
    positions = _check_argnums(argnums, len(args))

    def call(tracked: Any) -> Any:
        values = list(args)
        for position, value in zip(positions, tracked):
            values[position] = value
        return func(*values, **kwargs)

    return _Run(func, tuple(args[position] for position in positions), name, has_aux, call)


def _like_argnums(leaves: list[Any], run: _Run, argnums: Any) -> Any:
    trees = pytree.unflatten(leaves, run.spec)
    return trees[0] if isinstance(argnums, int) else trees


# grad


def grad_and_value(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function that returns (gradient, value) of a function that returns one number.

    The gradient has the structure of the argument at position `argnums`, a tuple of these if `argnums` is a
    tuple. With `has_aux` the function returns (number, aux), and the new one (gradient, (number, aux)).
    RuntimeError when the function does not return a tensor without dimensions.
    """

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        name = "grad_and_value(f)(*args)"
        run = _run_with_argnums(func, argnums, args, kwargs, name, has_aux)
        if run.out_spec.kind is not None or not isinstance(run.results[0], Tensor):
            got = type(run.results[0]) if run.out_spec.kind is None else run.out_spec.kind
            raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {got}")
        if run.results[0].dim() != 0:
            raise RuntimeError(
                f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{run.results[0].dim()} "
                "dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        history = run.keeps_history()
        with enable_grad():
            ones = [_C.ones_like(out.detach()) for out in run.outputs]
            found = functional.gradients(run.outputs, run.inputs, ones, history)
        gradient = _like_argnums(run.like_inputs(found, history), run, argnums)
        value = run.value(history)
        return gradient, (value, run.aux_value(history)) if has_aux else value

    return wrapper


def grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The gradient of a function that returns one number; see grad_and_value.

    With `has_aux` the new function returns (gradient, aux). It may be nested, ``grad(grad(f))``, and mapped:
    ``vmap(grad(f), in_dims=(None, 0))(params, batch)`` gives a gradient for each example.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


# Products with vectors


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(func(*primals), the function from cotangents to their product with the Jacobian[, aux]).

    The cotangents have the structure and the shapes of the output; the product is a tuple with one member for
    each of `primals`. It may be called any number of times, and under vmap.
    """
    name = "vjp(f, *primals)"
    run = _Run(func, primals, name, has_aux, lambda tracked: func(*tracked))
    history = run.keeps_history()

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        leaves, spec = pytree.flatten(cotangents)
        if spec != run.out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to "
                "the "
                f"function. cotangents: {spec}, primal output: {run.out_spec}"
            )
        for i, (cotangent, out) in enumerate(zip(leaves, run.results)):
            if cotangent.shape != out.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {cotangent.shape} and output[{i}] "
                    "has a "
                    f"shape of {out.shape}."
                )
        return pytree.unflatten(
            _pull_back(run, leaves, history if create_graph is None else create_graph), run.spec
        )

    result = run.value(history)
    return (result, vjp_fn, run.aux_value(history)) if has_aux else (result, vjp_fn)


def _pull_back(run: _Run, cotangents: list[Tensor], history: bool) -> list[Tensor]:
    """The gradients of the inputs; vmaps that began after the function was run map the cotangents only."""
    later = [level for level in active_levels() if level not in run.levels]
    with enable_grad():
        values = [_inside(cotangent, [*run.levels, *later]) for cotangent in cotangents]
        history = history or (_C.is_grad_enabled() and any(v.requires_grad for v in values))
        if not later:
            return run.like_inputs(_gradients(run.outputs, run.inputs, values, history), history)
        outer, sizes = len(run.levels), [level.batch_size for level in later]
        # (outer levels, later levels, ...) -> (later levels as one, outer levels, ...)
        front = lambda v: v.movedim(list(range(outer, outer + len(sizes))), list(range(len(sizes))))
        rows = [front(v).flatten(0, len(sizes) - 1) for v in values]
        found = _gradients(run.outputs, run.inputs, rows, history, batched=True)
        gradients = []
        for gradient, x in zip(found, run.inputs):
            if gradient is None:
                gradients.append(_wrap(_C.zeros_like(x.detach()), run.levels))
                continue
            split = gradient.unflatten(0, sizes)
            split = split.movedim(list(range(len(sizes))), list(range(outer, outer + len(sizes))))
            gradients.append(_wrap(split if history else split.detach(), [*run.levels, *later]))
        return gradients


class _Pushforward:
    """Directional derivatives of the outputs of a run.

    The gradient is linear in the cotangents, so that its own gradient with respect to them is the product of
    the Jacobian with a vector (J. Townsend, A new trick for calculating Jacobian vector products, 2017).
    """

    def __init__(self, run: _Run) -> None:
        self.run = run
        with enable_grad():
            self.cotangents, self.gradients = functional.pushed_forward(run.outputs, run.inputs)

    def __call__(self, tangents: Sequence[Tensor], batched: bool = False) -> tuple[list[Any], bool]:
        """A derivative or None for each output, for plain tangents; and whether they have a history."""
        history = self.run.keeps_history(*tangents)
        with enable_grad():
            found = functional.push(
                self.gradients, self.cotangents, tangents, history, retain_graph=True, batched=batched
            )
        return list(found), history

    def like_outputs(self, tangents: Sequence[Tensor]) -> Any:
        run = self.run
        found, history = self([_inside(t, run.levels) for t in tangents])
        derivatives = []
        for derivative, out in zip(found, run.outputs):
            value = _C.zeros_like(out.detach()) if derivative is None else derivative
            derivatives.append(_wrap(value if history else value.detach(), run.levels))
        return pytree.unflatten(derivatives, run.out_spec)


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """(func(*primals), the derivative in the direction of `tangents`[, aux]).

    `tangents` has the structure and the shapes of the tuple `primals`. With `strict` it is an error that the
    output does not depend on the inputs.
    """
    name = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{name}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    leaves, spec = pytree.flatten(primals)
    directions, direction_spec = pytree.flatten(tangents)
    if spec != direction_spec:
        raise RuntimeError(
            f"{name}: Expected primals and tangents to have the same python structure. For example, if "
            "primals is "
            f"a tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents "
            "with "
            f"structure {direction_spec}"
        )
    for x, t in zip(leaves, directions):
        if x.shape != t.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original "
                "Tensor, "
                f"this is not supported. Tensor is of size {list(x.shape)} while the given forward "
                "gradient is of "
                f"size {list(t.shape)}."
            )
    run = _Run(func, primals, name, has_aux, lambda tracked: func(*tracked))
    if strict and not all(out.requires_grad for out in run.outputs):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is "
            "not "
            "allowed with strict=True."
        )
    derivatives = _Pushforward(run).like_outputs(directions)
    history = run.keeps_history(*directions)
    result = run.value(history)
    return (result, derivatives, run.aux_value(history)) if has_aux else (result, derivatives)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """(func(*primals), the function from tangents to the derivative in their direction).

    `func` runs once, however often the second function is called.
    """
    run = _Run(func, primals, "linearize(f, *primals)", False, lambda tracked: func(*tracked))
    push = _Pushforward(run)

    def jvp_fn(*tangents: Any) -> Any:
        leaves, spec = pytree.flatten(tangents)
        if spec != run.spec:
            raise RuntimeError(
                f"Expected the tangents {spec} to have the same argspec as the primals {run.spec}"
            )
        for i, (tangent, x) in enumerate(zip(leaves, pytree.flatten(primals)[0])):
            if tangent.shape != x.shape:
                raise RuntimeError(
                    f"tangent:{i} with shape {tangent.shape} in flattened pytree doesn't match the shape "
                    f"{x.shape} "
                    "of the corresponding primal."
                )
        return push.like_outputs(leaves)

    return run.value(run.keeps_history()), jvp_fn


# Jacobians


def _basis(tensors: Sequence[Tensor], levels: Sequence[Level]) -> list[Tensor]:
    """The unit vectors of an example's elements, for all examples: (count, *batch, *shape) each."""
    rank = len(levels)
    bases = functional.basis([_C.empty(x.shape[rank:], dtype=x.dtype) for x in tensors])
    return [
        basis.reshape(basis.shape[0], *[1] * rank, *x.shape[rank:]).expand(basis.shape[0], *x.shape)
        for basis, x in zip(bases, tensors)
    ]


def _blocks(rows: Sequence[Any], sources: Sequence[Tensor], targets: Sequence[Tensor], rank: int) -> Any:
    """[source][target] of shape (*batch, *source, *target) from rows of shape (elements, *batch, *target)."""
    sizes = [math.prod(source.shape[rank:]) for source in sources]
    blocks: list[list[Tensor]] = [[] for _ in sources]
    for row, target in zip(rows, targets):
        if row is None:
            row = _C.zeros(sum(sizes), *target.shape, dtype=target.dtype)
        for i, part in enumerate(row.split(sizes)):
            shaped = part.movedim(0, rank)
            blocks[i].append(
                shaped.reshape(*target.shape[:rank], *sources[i].shape[rank:], *target.shape[rank:])
            )
    return blocks


def jacrev(
    func: Function,
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Function:
    """The Jacobian of a function by reverse mode: one backward for each element of the output.

    In the structure of the output, and for each of its tensors in that of the argument (a tuple if `argnums`
    is one), tensors of shape (*output, *input). Best where there are fewer outputs than inputs. `chunk_size`
    limits how many rows are computed at once elsewhere and changes nothing here, where they are computed one
    by one. With `has_aux` the function returns (output, aux), and the new one (Jacobian, aux).
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = _run_with_argnums(func, argnums, args, kwargs, "vjp(f, *primals)", has_aux)
        history, rank = run.keeps_history(), len(run.levels)
        bases = _basis(run.outputs, run.levels)
        with enable_grad():
            rows: Sequence[Any] = [None] * len(run.inputs)
            if bases and bases[0].shape[0]:
                rows = _gradients(run.outputs, run.inputs, bases, history, batched=True)
            blocks = _blocks(rows, run.outputs, run.inputs, rank)
        return _jacobian(run, blocks, argnums, history, has_aux)

    return wrapper


def _jacobian(run: _Run, blocks: Any, argnums: Any, history: bool, has_aux: bool) -> Any:
    """[output][input] as a tree of outputs of trees of inputs."""
    finish = lambda block: _wrap(block if history else block.detach(), run.levels)
    rows = [_like_argnums([finish(block) for block in row], run, argnums) for row in blocks]
    result = pytree.unflatten(rows, run.out_spec)
    return (result, run.aux_value(history)) if has_aux else result


def jacfwd(func: Function, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """The Jacobian of a function by directional derivatives: one for each element of the input.

    The result is that of jacrev. Best where there are fewer inputs than outputs. The function runs once, so
    that random operations in it draw once whatever `randomness` says.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = _run_with_argnums(func, argnums, args, kwargs, "jvp(f, primals, tangents)", has_aux)
        rank = len(run.levels)
        bases = _basis(run.inputs, run.levels)
        columns: Sequence[Any] = [None] * len(run.outputs)
        history = run.keeps_history()
        if bases and bases[0].shape[0]:
            columns, history = _Pushforward(run)(bases, batched=True)
        with enable_grad():
            by_input = _blocks(columns, run.inputs, run.outputs, rank)
            blocks = []
            for i, out in enumerate(run.outputs):
                row = []
                for part, x in zip(by_input, run.inputs):
                    # (*batch, *input, *output) -> (*batch, *output, *input)
                    order = [*range(rank), *range(x.dim(), x.dim() + out.dim() - rank), *range(rank, x.dim())]
                    row.append(part[i].permute(order))
                blocks.append(row)
        return _jacobian(run, blocks, argnums, history, has_aux)

    return wrapper


def hessian(func: Function, argnums: Any = 0) -> Function:
    """The second derivatives of a function that returns one number: jacfwd(jacrev(func))."""
    return jacfwd(jacrev(func, argnums), argnums)
