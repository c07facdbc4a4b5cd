"""Gradients checked against finite differences: gradcheck, gradgradcheck.

The Jacobian of each output with respect to each input is laid out with a row for each element of the input
and a column for each element of the output, as in PyTorch.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .. import _C
from . import forward_ad
from ._engine import grad

Tensor = _C.Tensor
Function = Callable[..., Any]

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

_WORST_SHOWN = 5
_FORWARD = "computed with forward mode "


class GradcheckError(RuntimeError):
    """Raised by gradcheck and gradgradcheck when the derivative is wrong."""


class _Settings(NamedTuple):
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    check_grad_dtypes: bool
    check_batched_grad: bool
    check_forward_ad: bool
    check_backward_ad: bool


# What is checked


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, list) else (value,)


def _is_differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _differentiable_outputs(result: Any) -> list[Tensor]:
    return [out for out in _as_tuple(result) if out.requires_grad]


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    if not any(_is_differentiable(x) for x in inputs):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have "
            "requires_grad=True."
        )
    for position, x in enumerate(inputs):
        if not _is_differentiable(x):
            continue
        if x.dtype != _C.float64:
            warnings.warn(
                f"Input #{position} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double precision "
                "floating point or complex. Make it torch.float64: differences over a step of eps=1e-6 "
                "need its digits.",
                stacklevel=4,
            )
        if any(step == 0 and size > 1 for step, size in zip(x.stride(), x.shape)):
            raise RuntimeError(
                f"The {position}th input has a dimension with stride 0. gradcheck only supports inputs that "
                "are non-overlapping to be able to compute the numerical gradients correctly. You should "
                "call .contiguous on the input before passing it to gradcheck."
            )
        x.retain_grad()


# Numerical derivatives


def _values(function: Function, inputs: tuple[Any, ...], positions: Sequence[int]) -> list[Tensor]:
    """The outputs at `positions`, as vectors that do not change with the inputs."""
    outputs = _as_tuple(function(*inputs))
    return [outputs[i].detach().clone().reshape(-1) for i in positions]


def _difference(up: Sequence[Tensor], down: Sequence[Tensor], eps: float) -> list[Tensor]:
    return [(high - low) / (2 * eps) for high, low in zip(up, down)]


def _elements(tensor: Tensor) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, tensor.shape))


def _numerical_jacobians(
    function: Function, inputs: tuple[Any, ...], position: int, outputs: Sequence[int], eps: float
) -> list[Tensor]:
    """The Jacobian of each output with respect to one input, by central differences.

    The input's memory is changed and restored, so that a function that uses it otherwise than as its argument
    sees the change as well.
    """
    memory = inputs[position].data
    rows: list[list[Tensor]] = []
    for element in _elements(memory):
        original = memory[element].item()
        try:
            memory[element] = original + eps
            up = _values(function, inputs, outputs)
            memory[element] = original - eps
            down = _values(function, inputs, outputs)
        finally:
            memory[element] = original
        rows.append(_difference(up, down, eps))
    if not rows:
        return [_C.zeros(0, out.numel(), dtype=out.dtype) for out in _values(function, inputs, outputs)]
    return [_C.stack(column) for column in zip(*rows)]


def _numerical_direction(
    function: Function,
    inputs: tuple[Any, ...],
    position: int,
    outputs: Sequence[int],
    direction: Tensor,
    eps: float,
) -> list[Tensor]:
    """The derivative of each output when one input moves in a direction."""
    memory = inputs[position].data
    original = memory.clone()
    try:
        memory.copy_(original + eps * direction)
        up = _values(function, inputs, outputs)
        memory.copy_(original - eps * direction)
        down = _values(function, inputs, outputs)
    finally:
        memory.copy_(original)
    return _difference(up, down, eps)


# Derivatives by backward


def _vjp(output: Tensor, inputs: Sequence[Tensor], cotangent: Tensor) -> tuple[Any, ...]:
    return grad((output,), inputs, (cotangent,), retain_graph=True, allow_unused=True)


def _check_vjp(
    output: Tensor, inputs: Sequence[Tensor], cotangent: Tensor, options: _Settings
) -> list[Tensor]:
    """One product with the Jacobian, computed twice; its rows have the inputs' shapes."""
    first = _vjp(output, inputs, cotangent)
    second = _vjp(output, inputs, cotangent.clone())
    products = []
    for x, gradient, again in zip(inputs, first, second):
        if gradient is None:
            products.append(_C.zeros_like(x))
            continue
        if options.check_grad_dtypes and gradient.dtype != x.dtype:
            raise GradcheckError(
                f"Backward computed a gradient of dtype {gradient.dtype} for an input of dtype {x.dtype}"
            )
        difference = (gradient - again).abs()
        if difference.numel() and difference.max().item() > options.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple "
                "times gives different values, although analytical gradient matches numerical gradient. The "
                f"tolerance for nondeterminism was {options.nondet_tol}, the largest difference is "
                f"{difference.max().item():g}. If the function is random on purpose, pass nondet_tol."
            )
        products.append(gradient)
    return products


def _analytical_jacobians(output: Tensor, inputs: Sequence[Tensor], options: _Settings) -> list[Tensor]:
    """The Jacobian of one output with respect to each input."""
    columns = []
    for element in _elements(output):
        one = _C.zeros_like(output.detach())
        one[element] = 1
        columns.append([g.detach().reshape(-1) for g in _check_vjp(output, inputs, one, options)])
    if not columns:
        return [_C.zeros(x.numel(), 0, dtype=x.dtype) for x in inputs]
    return [_C.stack(column, 1) for column in zip(*columns)]


# The comparison


def _agree(analytical: Tensor, numerical: Tensor, rtol: float, atol: float) -> bool:
    wide = _C.promote_types(analytical.dtype, numerical.dtype)
    return bool(_C.allclose(analytical.to(wide), numerical.to(wide), rtol, atol))


def _worst_elements(analytical: Tensor, numerical: Tensor, x: Tensor, out: Tensor, options: _Settings) -> str:
    """The entries of the Jacobian that differ most, with both values beside each other."""
    difference = (analytical.double() - numerical.double()).abs()
    excess = difference - options.rtol * numerical.double().abs() - options.atol
    excess = _C.where(excess.isnan(), _C.full_like(excess, float("inf")), excess).reshape(-1)
    inputs, outputs = list(_elements(x)), list(_elements(out))
    lines: list[str] = []
    for entry in excess.argsort(descending=True)[:_WORST_SHOWN].tolist():
        if lines and excess[entry].item() <= 0:
            break
        row, column = divmod(entry, len(outputs))
        lines.append(
            f"  d output{list(outputs[column])} / d input{list(inputs[row])}: "
            f"analytical {analytical[row, column].item():.8g}, numerical {numerical[row, column].item():.8g}"
        )
    return "The elements that differ most:\n" + "\n".join(lines)


class _Check:
    """One function with its inputs: which of them are differentiated, and the checks that are made."""

    def __init__(self, function: Function, inputs: tuple[Any, ...], options: _Settings) -> None:
        self.function, self.inputs, self.options = function, inputs, options
        self.input_positions = [i for i, x in enumerate(inputs) if _is_differentiable(x)]
        self.differentiated = [inputs[i] for i in self.input_positions]
        results = _as_tuple(function(*inputs))
        self.output_positions = [i for i, out in enumerate(results) if out.requires_grad]
        self.result_count = len(results)
        self.outputs = [results[i] for i in self.output_positions]

    def run(self, fast: bool) -> None:
        if not self.outputs:
            self._check_zero()
            return
        (self._compare_fast if fast else self._compare)()
        if self.options.check_backward_ad:
            self._check_linear()
            if self.options.check_batched_grad:
                self._check_batched()
            if self.options.check_undefined_grad:
                self._check_undefined()

    def _check_zero(self) -> None:
        """Outputs without gradient must not depend on the inputs."""
        for position in self.input_positions:
            everything = range(self.result_count)
            jacobians = _numerical_jacobians(
                lambda *args: [out.double() for out in _as_tuple(self.function(*args))],
                self.inputs,
                position,
                everything,
                self.options.eps,
            )
            if any(bool((jacobian != 0).any()) for jacobian in jacobians):
                raise GradcheckError(
                    "Numerical gradient for function expected to be zero: no output requires a gradient, but "
                    f"the outputs change with input {position}"
                )

    def _numerical(self) -> list[list[Tensor]]:
        """[input][output]"""
        return [
            _numerical_jacobians(self.function, self.inputs, j, self.output_positions, self.options.eps)
            for j in self.input_positions
        ]

    def _compare(self) -> None:
        numerical = self._numerical()
        if self.options.check_forward_ad:
            for j, x in enumerate(self.differentiated):
                jacobians = self._forward_jacobians(j)
                for i, output in enumerate(self.outputs):
                    self._check_jacobian(jacobians[i], numerical[j][i], i, j, x, output, _FORWARD)
        if self.options.check_backward_ad:
            for i, output in enumerate(self.outputs):
                jacobians = _analytical_jacobians(output, self.differentiated, self.options)
                for j, x in enumerate(self.differentiated):
                    self._check_jacobian(jacobians[j], numerical[j][i], i, j, x, output, "")

    def _check_jacobian(
        self, found: Tensor, numerical: Tensor, i: int, j: int, x: Tensor, output: Tensor, how: str
    ) -> None:
        if not _agree(found, numerical, self.options.rtol, self.options.atol):
            raise GradcheckError(
                f"Jacobian {how}mismatch for output {i} with respect to input {j},\n"
                f"numerical:{numerical}\nanalytical:{found}\n"
                f"{_worst_elements(found, numerical, x, output, self.options)}\n"
            )

    def _push_forward(self, j: int, tangent: Tensor) -> list[Tensor]:
        """The derivative of each output when one input moves in a direction, by forward mode."""
        values = list(self.inputs)
        with forward_ad.dual_level():
            values[self.input_positions[j]] = forward_ad.make_dual(self.differentiated[j], tangent)
            results = _as_tuple(self.function(*values))
            derivatives = []
            for i in self.output_positions:
                derivative = forward_ad.unpack_dual(results[i]).tangent
                if derivative is None:
                    derivative = _C.zeros_like(results[i])
                derivatives.append(derivative.detach().reshape(-1))
        return derivatives

    def _forward_jacobians(self, j: int) -> list[Tensor]:
        """The Jacobian of each output with respect to one input."""
        x = self.differentiated[j].detach()
        rows = []
        for element in _elements(x):
            one = _C.zeros_like(x)
            one[element] = 1
            rows.append(self._push_forward(j, one))
        if not rows:
            return [_C.zeros(0, out.numel(), dtype=out.dtype) for out in self.outputs]
        return [_C.stack(column) for column in zip(*rows)]

    def _compare_fast(self) -> None:
        """v' J u for one random u for each input and one random v for each output, instead of all of J."""
        generator = _C.Generator()
        generator.manual_seed(2147483647)

        def random_like(tensor: Tensor) -> Tensor:
            return _C.rand(tensor.shape, generator=generator, dtype=tensor.dtype)

        directions = [random_like(x) for x in self.differentiated]
        directions = [u / max(u.norm().item(), 1e-30) for u in directions]
        cotangents = [random_like(out) for out in self.outputs]
        numerical = [
            _numerical_direction(self.function, self.inputs, j, self.output_positions, u, self.options.eps)
            for j, u in zip(self.input_positions, directions)
        ]

        def check(i: int, j: int, found: Tensor, how: str) -> None:
            u, v = directions[j], cotangents[i].reshape(-1)
            expected = (numerical[j][i] * v).sum()
            # The tolerance for each entry of J, summed as the entries are.
            atol = self.options.atol * u.sum().item() * v.sum().item()
            if not _agree(found, expected, self.options.rtol, atol):
                raise GradcheckError(self._explain_fast(i, j, found, expected, how))

        if self.options.check_forward_ad:
            for j, u in enumerate(directions):
                for i, derivative in enumerate(self._push_forward(j, u)):
                    check(i, j, (derivative * cotangents[i].reshape(-1)).sum(), _FORWARD)
        if self.options.check_backward_ad:
            for i, (output, v) in enumerate(zip(self.outputs, cotangents)):
                products = _check_vjp(output, self.differentiated, v, self.options)
                for j, u in enumerate(directions):
                    check(i, j, (products[j].detach() * u).sum(), "")

    def _explain_fast(self, i: int, j: int, found: Tensor, expected: Tensor, how: str) -> str:
        """The whole Jacobian, which says where the random projection differs."""
        output, x = self.outputs[i], self.differentiated[j]
        if how:
            analytical = self._forward_jacobians(j)[i]
        else:
            analytical = _analytical_jacobians(output, [x], self.options)[0]
        numerical = self._numerical()[j][i]
        wide = (analytical.double() - numerical.double()).abs()
        return (
            f"Jacobian {how}mismatch for output {i} with respect to input {j},\n"
            f"numerical:{expected.item()}\nanalytical:{found.item()}\n\n"
            "The above quantities relating the numerical and analytical jacobians are computed \n"
            "in fast mode: random projections of both. Below, they are computed in slow mode:\n\n"
            f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
            f"The max per-element difference (slow mode) is: {wide.max().item()}.\n"
            f"{_worst_elements(analytical, numerical, x, output, self.options)}\n"
        )

    def _check_linear(self) -> None:
        """Backward of zero must be zero."""
        zeros = [_C.zeros_like(out.detach()) for out in self.outputs]
        gradients = grad(self.outputs, self.differentiated, zeros, retain_graph=True, allow_unused=True)
        for gradient, x in zip(gradients, self.differentiated):
            if gradient is None:
                continue
            if bool((gradient != 0).any()):
                raise GradcheckError("backward not multiplied by grad_output")
            if gradient.shape != x.shape:
                raise GradcheckError("grad is incorrect size")

    def _check_undefined(self) -> None:
        """Backward must accept that no gradient arrives for some of the outputs."""

        def undefined(output: Tensor) -> Tensor:
            return _C._hooked_identity([output], lambda gradients: (None,))[0]

        count = len(self.outputs)
        subsets = [set(range(count))] + ([{i} for i in range(count)] if count > 1 else [])
        for subset in subsets:
            outputs = _differentiable_outputs(self.function(*self.inputs))
            outputs = [undefined(out) if i in subset else out for i, out in enumerate(outputs)]
            zeros = [_C.zeros_like(out.detach()) for out in outputs]
            try:
                gradients = grad(outputs, self.differentiated, zeros, allow_unused=True)
            except RuntimeError as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads: it gets None for outputs "
                    "that nothing used, when ctx.set_materialize_grads(False) was called."
                ) from error
            if any(g is not None and bool((g != 0).any()) for g in gradients):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or "
                    "zero: backward must not add anything where None arrives."
                )

    def _check_batched(self) -> None:
        """A batch of two gradients at once must give what each of them gives alone."""
        for i, output in enumerate(self.outputs):
            batch = [_C.randn_like(output.detach()) for _ in range(2)]
            expected = [_vjp(output, self.differentiated, g) for g in batch]
            try:
                found = grad(
                    (output,),
                    self.differentiated,
                    (_C.stack(batch),),
                    retain_graph=True,
                    allow_unused=True,
                    is_grads_batched=True,
                )
            except RuntimeError as error:
                raise GradcheckError(
                    f"While computing batched gradients, got: {error}\n\nPass check_batched_grad=False if "
                    "backward cannot run under vmap on purpose."
                ) from error
            for j, gradient in enumerate(found):
                rows = [row[j] for row in expected]
                if gradient is None and rows == [None, None]:
                    continue
                if not _C.allclose(gradient, _C.stack(rows), self.options.rtol, self.options.atol):
                    raise GradcheckError(
                        f"For output {i} and input {j}: the batched gradient differs from the gradients "
                        f"computed one by one,\nbatched:\n{gradient}\none by one:\n{_C.stack(rows)}"
                    )


def gradcheck(
    func: Function,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Checks the gradients of `func` with respect to those `inputs` that require one, by central differences.

    `func` takes the inputs and returns a tensor or a sequence of tensors. Inputs should be float64. Every
    entry of each Jacobian must satisfy ``|a - n| <= atol + rtol * |n|``; with ``fast_mode=True`` one random
    projection of each Jacobian is compared instead, which costs three calls for each input. Derivatives are
    those of backward; with `check_forward_ad` those of forward mode as well or instead. Also checked:
    backward gives the same twice (up to `nondet_tol`), gives zero for zero, and accepts missing gradients.
    `masked` concerns sparse tensors and is ignored. Returns True; a failure raises GradcheckError, or returns
    False with ``raise_exception=False``.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    if check_batched_forward_grad:
        raise NotImplementedError(
            "gradcheck(): tangents are not batched, so that there is no check_batched_forward_grad=True; "
            "torch.func.jvp under vmap computes batches of directional derivatives"
        )
    options = _Settings(
        eps,
        atol,
        rtol,
        nondet_tol,
        check_undefined_grad,
        check_grad_dtypes,
        check_batched_grad,
        check_forward_ad,
        check_backward_ad,
    )
    arguments = _as_tuple(inputs)
    _check_inputs(arguments)
    try:
        _Check(func, arguments, options).run(fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _random_cotangent(output: Tensor, contiguous: bool) -> Tensor:
    """A random gradient of an output; without `contiguous` every second element of a larger tensor."""
    shape = tuple(output.shape)
    if contiguous or not shape:
        values = _C.rand(shape, dtype=output.dtype) * 2 - 1
    else:
        values = (_C.rand((*shape, 2), dtype=output.dtype) * 2 - 1)[..., 0]
    return values.requires_grad_()


def gradgradcheck(
    func: Function,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Checks second derivatives: gradcheck of the map from `inputs` and `grad_outputs` to the gradients.

    `grad_outputs` are random unless given; the other arguments are those of gradcheck.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    arguments = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable_outputs(func(*arguments))
        cotangents = tuple(_random_cotangent(out, not gen_non_contig_grad_outputs) for out in outputs)
    else:
        cotangents = _as_tuple(grad_outputs)
    count = len(cotangents)

    def gradients(*values: Any) -> tuple[Tensor, ...]:
        values, weights = values[: len(values) - count], values[len(values) - count :]
        outputs = _differentiable_outputs(func(*values))
        differentiated = [x for x in values if _is_differentiable(x)]
        found = grad(outputs, differentiated, weights, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        arguments + cotangents,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )
