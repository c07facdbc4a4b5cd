"""Jacobians, Hessians and their products with vectors, for functions of tensors.

Every function here takes a function of one or several tensors and the tensors at which to differentiate it: a
tensor, or a tuple of tensors. Where a single tensor was given, or returned by the function, the result has
none of the levels of tuples that would stand for it. With ``create_graph=True`` results can be differentiated
again; with ``strict=True`` it is an error that something does not depend on an input, where otherwise its
derivative is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _C
from ._engine import grad
from .grad_mode import enable_grad

Tensor = _C.Tensor
Function = Callable[..., Any]

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_NOT_STRICT = " This is not allowed in strict mode"


# Tuples in, tuples out


def _as_tuple(value: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Whether it is a tuple, and it as a tuple."""
    if isinstance(value, Tensor):
        return False, (value,)
    start = f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
    if not isinstance(value, tuple):
        raise TypeError(f"{start}given {what} has type {type(value)}.")
    for i, member in enumerate(value):
        if not isinstance(member, Tensor):
            raise TypeError(f"{start}value at index {i} has type {type(member)}.")
    return True, value


def _as_given(values: Sequence[Any], is_tuple: bool) -> Any:
    return tuple(values) if is_tuple else values[0]


def _released(values: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    return tuple(values) if create_graph else tuple(x.detach() for x in values)


class _Point:
    """The tensors at which a function is differentiated, and what it returns there."""

    def __init__(self, func: Function, inputs: Any, name: str, create_graph: bool, strict: bool) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.tuple_in, given = _as_tuple(inputs, "inputs", name)
        # With create_graph the history of the inputs belongs to the result.
        self.inputs = tuple(
            x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given
        )
        self.tuple_out, self.outputs = _as_tuple(
            func(*self.inputs), "outputs of the user-provided function", name
        )
        if strict:
            for i, output in enumerate(self.outputs):
                if not output.requires_grad:
                    raise RuntimeError(
                        f"Output {i} of the user-provided function does not require gradients. The outputs "
                        "must be computed in a differentiable manner from the input when running in strict "
                        "mode."
                    )

    def check_single_output(self) -> None:
        if self.tuple_out:
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if self.outputs[0].numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a single element"
            )

    def vector(self, v: Any, like: Sequence[Tensor], is_tuple: bool, source: str) -> tuple[Tensor, ...]:
        """The vector of a product, checked against the tensors whose shapes it has."""
        if v is None:
            if is_tuple or like[0].numel() != 1:
                raise RuntimeError(
                    f"The vector v can only be None if {source} a single Tensor with a single element."
                )
            return (_C.ones_like(like[0].detach()),)
        _, vectors = _as_tuple(v, "v", self.name)
        if len(vectors) != len(like):
            if is_tuple:
                raise RuntimeError(
                    f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
                )
            raise RuntimeError("The given v should contain a single Tensor.")
        for i, (vector, tensor) in enumerate(zip(vectors, like)):
            if vector.shape != tensor.shape:
                entry = f"Entry {i} in v" if is_tuple else "v"
                raise RuntimeError(
                    f"{entry} has invalid size: should be {tensor.shape} but got {vector.shape}."
                )
        return tuple(x if self.create_graph else x.detach() for x in vectors)

    def cotangents(self, v: Any) -> tuple[Tensor, ...]:
        return self.vector(v, self.outputs, self.tuple_out, "the user-provided function returns")

    def tangents(self, v: Any) -> tuple[Tensor, ...]:
        return self.vector(v, self.inputs, self.tuple_in, "the input to the user-provided function is")

    def filled(self, gradients: Sequence[Any], like: Sequence[Tensor], missing: str) -> tuple[Tensor, ...]:
        """Gradients with zeros for None; in strict mode an error that `missing` starts."""
        filled = []
        for i, (gradient, tensor) in enumerate(zip(gradients, like)):
            if self.strict and gradient is None:
                raise RuntimeError(f"{missing} {i}.{_NOT_STRICT}.")
            filled.append(_C.zeros_like(tensor.detach()) if gradient is None else gradient)
        return tuple(filled)

    def check_depends(self, derivatives: Sequence[Tensor]) -> None:
        if not (self.strict and self.create_graph):
            return
        for i, derivative in enumerate(derivatives):
            if not derivative.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}."
                    f"{_NOT_STRICT} when create_graph=True."
                )

    def jacobian_of_scalar(self) -> tuple[Tensor, ...]:
        """The gradient of the only output, differentiable."""
        self.check_single_output()
        found = gradients(self.outputs, self.inputs, None, create_graph=True)
        gradient = tuple(_C.zeros_like(x.detach()) if g is None else g for g, x in zip(found, self.inputs))
        if self.strict:
            for i, part in enumerate(gradient):
                if not part.requires_grad:
                    raise RuntimeError(
                        "While computing the hessian, found that the jacobian of the user-provided function "
                        f"with respect to input {i} is independent of the input.{_NOT_STRICT}. You should "
                        "ensure that your function is twice differentiable and that the jacobian depends on "
                        "the inputs (this would be violated by a linear function for example)."
                    )
        return gradient


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any] | None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    batched: bool = False,
) -> tuple[Any, ...]:
    """autograd.grad of those outputs that have a history; None where nothing depends on an input."""
    weights = cotangents if cotangents is not None else [None] * len(outputs)
    tracked = [(out, weight) for out, weight in zip(outputs, weights) if out.requires_grad]
    if not tracked:
        return (None,) * len(inputs)
    return grad(
        [out for out, _ in tracked],
        inputs,
        None if cotangents is None else [weight for _, weight in tracked],
        create_graph=create_graph,
        retain_graph=retain_graph,
        allow_unused=True,
        is_grads_batched=batched,
    )


def pushed_forward(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor]
) -> tuple[list[Tensor], tuple[Any, ...]]:
    """Cotangents of the outputs, and the gradients of the inputs as functions of them.

    The gradient is linear in the cotangents, so that its own gradient with respect to them is the product of
    the Jacobian with a vector (the "double backward trick": J. Townsend, A new trick for calculating Jacobian
    vector products, 2017).
    """
    cotangents = [_C.zeros_like(out.detach()).requires_grad_() for out in outputs]
    return cotangents, gradients(outputs, inputs, cotangents, create_graph=True)


def push(
    pulled: Sequence[Any],
    cotangents: Sequence[Tensor],
    tangents: Sequence[Tensor],
    create_graph: bool = False,
    retain_graph: bool | None = None,
    batched: bool = False,
) -> tuple[Any, ...]:
    known = [(g, v) for g, v in zip(pulled, tangents) if g is not None]
    return gradients(
        [g for g, _ in known], cotangents, [v for _, v in known], create_graph, retain_graph, batched
    )


# Products with vectors


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(outputs, v times the Jacobian of `func` at `inputs`).

    `v` has the shape of the outputs, the product that of the inputs; `v` may be left out for a function that
    returns one element.
    """
    with enable_grad():
        point = _Point(func, inputs, "vjp", create_graph, strict)
        weights = point.cotangents(v)
        products = point.filled(
            gradients(point.outputs, point.inputs, weights, create_graph),
            point.inputs,
            "The output of the user-provided function is independent of input",
        )
        point.check_depends(products)
    return (
        _as_given(_released(point.outputs, create_graph), point.tuple_out),
        _as_given(_released(products, create_graph), point.tuple_in),
    )


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(outputs, the Jacobian of `func` at `inputs` times v).

    `v` has the shape of the inputs, the product that of the outputs; `v` may be left out for one input of one
    element.
    """
    with enable_grad():
        point = _Point(func, inputs, "jvp", create_graph, strict)
        directions = point.tangents(v)
        cotangents, pulled = pushed_forward(point.outputs, point.inputs)
        if strict:
            point.filled(
                pulled, point.inputs, "The output of the user-provided function is independent of input"
            )
        products = point.filled(
            push(pulled, cotangents, directions, create_graph),
            point.outputs,
            "The jacobian of the user-provided function is independent of output",
        )
        point.check_depends(products)
    return (
        _as_given(_released(point.outputs, create_graph), point.tuple_out),
        _as_given(_released(products, create_graph), point.tuple_out),
    )


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(output, v times the Hessian at `inputs`) of a function that returns one element.

    `v` and the product have the shape of the inputs.
    """
    with enable_grad():
        point = _Point(func, inputs, "vhp", create_graph, strict)
        directions = point.tangents(v)
        gradient = point.jacobian_of_scalar()
        products = point.filled(
            gradients(gradient, point.inputs, directions, create_graph),
            point.inputs,
            "The hessian of the user-provided function is independent of input",
        )
    return (
        _released(point.outputs, create_graph)[0],
        _as_given(_released(products, create_graph), point.tuple_in),
    )


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(output, the Hessian at `inputs` times v) of a function that returns one element.

    The Hessian being symmetric this equals vhp, which is cheaper; it is computed as a derivative in the
    direction v.
    """
    with enable_grad():
        point = _Point(func, inputs, "hvp", create_graph, strict)
        directions = point.tangents(v)
        gradient = point.jacobian_of_scalar()
        cotangents, pulled = pushed_forward(gradient, point.inputs)
        products = point.filled(
            push(pulled, cotangents, directions, create_graph),
            point.inputs,
            "The hessian of the user-provided function is independent of input",
        )
    return (
        _released(point.outputs, create_graph)[0],
        _as_given(_released(products, create_graph), point.tuple_in),
    )


# Whole matrices


def _check_strategy(strategy: str, vectorize: bool) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has '
            'more outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use '
            '"reverse-mode".'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )


def basis(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The unit vectors of the space of all elements of `tensors`: a batch for each tensor."""
    total = sum(tensor.numel() for tensor in tensors)
    batches, start = [], 0
    for tensor in tensors:
        batch = _C.zeros(total, tensor.numel(), dtype=tensor.dtype)
        batch[start : start + tensor.numel()].fill_diagonal_(1)
        batches.append(batch.reshape(total, *tensor.shape))
        start += tensor.numel()
    return batches


def _rows_to_blocks(
    rows: Sequence[Any], sources: Sequence[Tensor], targets: Sequence[Tensor]
) -> list[list[Tensor]]:
    """[source][target] from a batch for each target, in the order of the sources' elements."""
    sizes = [source.numel() for source in sources]
    blocks: list[list[Tensor]] = [[] for _ in sources]
    for batch, target in zip(rows, targets):
        if batch is None:
            batch = _C.zeros(sum(sizes), *target.shape, dtype=target.dtype)
        for i, part in enumerate(batch.split(sizes)):
            blocks[i].append(part.reshape(*sources[i].shape, *target.shape))
    return blocks


def _reverse_rows(point: _Point) -> list[list[Tensor]]:
    """[output][input], one backward for each element of the outputs."""
    if sum(out.numel() for out in point.outputs) == 0:
        rows: tuple[Any, ...] = (None,) * len(point.inputs)
    else:
        rows = gradients(
            point.outputs, point.inputs, basis(point.outputs), point.create_graph, True, batched=True
        )
    return _rows_to_blocks(rows, point.outputs, point.inputs)


def _forward_columns(point: _Point) -> list[list[Tensor]]:
    """[output][input], one directional derivative for each element of the inputs."""
    cotangents, pulled = pushed_forward(point.outputs, point.inputs)
    columns = push(pulled, cotangents, basis(point.inputs), retain_graph=True, batched=True)
    by_input = _rows_to_blocks(columns, point.inputs, point.outputs)
    jacobian = []
    for i, out in enumerate(point.outputs):
        row = []
        for blocks, x in zip(by_input, point.inputs):
            # From (input, output) to (output, input).
            order = [*range(x.dim(), x.dim() + out.dim()), *range(x.dim())]
            row.append(blocks[i].permute(order))
        jacobian.append(row)
    return jacobian


def _check_strict_rows(point: _Point) -> None:
    """Every output must depend on every input, and with create_graph its derivative on something."""
    for i, output in enumerate(point.outputs):
        found = gradients(
            [output.sum()], point.inputs, None, create_graph=point.create_graph, retain_graph=True
        )
        point.filled(found, point.inputs, f"Output {i} of the user-provided function is independent of input")
        point.check_depends(found)


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func` at `inputs`; a block for (output, input) has the shape (*output, *input).

    One tensor for one output and one input, a tuple over the inputs or over the outputs if these are a tuple,
    a tuple over the outputs of tuples over the inputs if both are. ``strategy="forward-mode"``
    computes a column for each element of the inputs instead of a row for each element of the outputs; it
    needs ``vectorize=True``, which otherwise changes nothing.
    """
    _check_strategy(strategy, vectorize)
    prefix = "torch.autograd.functional.jacobian: "
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            f'{prefix}`create_graph=True` and `strategy="forward-mode"` are not supported together (yet). '
            'Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict and vectorize:
        raise RuntimeError(
            f"{prefix}`strict=True` and `vectorized=True` are not supported together. Please either set "
            "`strict=False` or `vectorize=False`."
        )
    with enable_grad():
        point = _Point(func, inputs, "jacobian", create_graph, strict)
        if strict:
            _check_strict_rows(point)
        blocks = _forward_columns(point) if strategy == "forward-mode" else _reverse_rows(point)
    rows = [_as_given(_released(row, create_graph), point.tuple_in) for row in blocks]
    return _as_given(rows, point.tuple_out)


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian at `inputs` of a function that returns one element; a block has the shape (*input, *input).

    A tensor, or a tuple of tuples if `inputs` is a tuple. The arguments are those of jacobian, which is taken
    of the gradient.
    """
    _check_strategy(outer_jacobian_strategy, vectorize)
    is_tuple, given = _as_tuple(inputs, "inputs", "hessian")

    def gradient(*values: Tensor) -> tuple[Tensor, ...]:
        # The values have a history already, which _Point keeps when it creates a graph.
        return _Point(func, values, "hessian", True, strict).jacobian_of_scalar()

    with enable_grad():
        blocks = jacobian(
            gradient,
            given,
            create_graph=create_graph,
            strict=strict,
            vectorize=vectorize,
            strategy=outer_jacobian_strategy,
        )
    return _as_given([_as_given(row, is_tuple) for row in blocks], is_tuple)
