"""Every row of the operation table: values, dtypes, gradients, layouts, spellings and errors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as torch
from gradient_checker import check_gradients, differentiable_outputs
from op_table import OPS, Case, Error, Op, cases, resolve, result_dtype

TOLERANCE = {"float32": (2e-5, 1e-6), "float64": (1e-11, 1e-12)}
REFLECTED = {"add", "sub", "mul", "truediv", "floordiv", "mod", "pow"}


def every_case(wanted: Callable[..., bool] = lambda op, sample: True) -> Any:
    return pytest.mark.parametrize("case", list(cases(OPS, wanted)), ids=str)


def as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def assert_same(found: Any, expected: Any, scale: float = 1.0, note: str = "") -> None:
    """Tensors (or tuples of them) equal arrays in shape and, within the dtype's tolerance, in value."""
    found, expected = as_list(found), as_list(expected)
    assert len(found) == len(expected), note
    for tensor, array in zip(found, expected, strict=True):
        array = np.asarray(array.detach() if isinstance(array, torch.Tensor) else array)
        assert tuple(tensor.shape) == array.shape, note
        rtol, atol = TOLERANCE.get(str(tensor.dtype).removeprefix("torch."), (0, 0))
        np.testing.assert_allclose(tensor.detach().numpy(), array, rtol * scale, atol * scale, err_msg=note)


def run(case: Case, dtype: str, **options: Any) -> Any:
    args, kwargs = case.tensors(torch, dtype, **options)
    return resolve(torch, spelling(case.op))(*args, **kwargs)


def spelling(op: Op) -> str:
    """The function, or for an operation that exists as a method only, the method."""
    return op.name if op.function else f"Tensor.{op.name}"


def has_reference(op: Op, sample: Any) -> bool:
    return op.reference is not None


def is_differentiable(op: Op, sample: Any) -> bool:
    return op.differentiable and sample.gradient and "float64" in (sample.dtypes or op.dtypes)


def has_in_place(op: Op, sample: Any) -> bool:
    """The row asks for an in-place form, or the library offers one beyond PyTorch's."""
    offered = op.method and not op.view and hasattr(torch.Tensor, f"{op.short_name}_")
    return (op.inplace or offered) and not op.random


def starts_with_tensor(case: Case) -> bool:
    return bool(case.call.args) and isinstance(case.tensors(torch, case.dtypes[0])[0][0], torch.Tensor)


@every_case(has_reference)
def test_values_and_dtypes(case: Case) -> None:
    for dtype in case.dtypes:
        result, expected = as_list(run(case, dtype)), as_list(case.expected(dtype))
        assert_same(result, expected, case.op.tolerance, f"{case} {dtype}")
        rules = case.op.result_rules(case.call)
        for position, tensor in enumerate(result):
            rule = rules[position] if isinstance(rules, tuple) else rules
            assert str(tensor.dtype) == f"torch.{result_dtype(rule, dtype)}", f"{case} {dtype}"


@every_case(lambda op, sample: op.reference is not None and op.layout_free)
@pytest.mark.parametrize("layout", ["transposed", "strided"])
def test_layout_does_not_matter(case: Case, layout: str) -> None:
    for dtype in case.dtypes:
        assert_same(run(case, dtype, layout=layout), run(case, dtype), note=f"{case} {dtype} {layout}")


def gradient_problem(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """The call as a function of the tensors that require a gradient, and these tensors."""
    args, kwargs = case.tensors(torch, "float64", requires_grad=True)
    function = resolve(torch, spelling(case.op))
    leaves = [leaf for leaf in tensors_in((args, kwargs)) if leaf.requires_grad]

    def closed(*values: Any) -> Any:
        replacement = {id(leaf): value for leaf, value in zip(leaves, values, strict=True)}
        new_args, new_kwargs = replace_tensors((args, kwargs), lambda t: replacement.get(id(t), t))
        return function(*new_args, **new_kwargs)

    return closed, leaves


def replace_tensors(value: Any, make: Callable[[Any], Any]) -> Any:
    from op_table.row import substitute

    return substitute(value, torch.Tensor, make)


def tensors_in(value: Any) -> list[Any]:
    found: list[Any] = []
    replace_tensors(value, lambda tensor: found.append(tensor) or tensor)
    return found


@every_case(is_differentiable)
def test_gradient(case: Case) -> None:
    check_gradients(*gradient_problem(case))


@every_case(is_differentiable)
def test_second_gradient(case: Case) -> None:
    function, leaves = gradient_problem(case)
    check_gradients(function, leaves, order=2)


@every_case(is_differentiable)
def test_gradient_with_and_without_graph(case: Case) -> None:
    for dtype in set(case.dtypes) & {"float32", "float64"}:
        gradients = []
        for create_graph in (False, True):
            args, kwargs = case.tensors(torch, dtype, requires_grad=True)
            outputs = differentiable_outputs(resolve(torch, spelling(case.op))(*args, **kwargs))
            leaves = [leaf for leaf in tensors_in((args, kwargs)) if leaf.requires_grad]
            torch.autograd.backward(
                outputs, [torch.ones_like(out) for out in outputs], create_graph=create_graph
            )
            gradients.append([leaf.grad for leaf in leaves])
        for plain, recorded in zip(*gradients, strict=True):
            assert (plain is None) == (recorded is None)
            if plain is not None:
                assert plain.dtype == recorded.dtype and not plain.requires_grad
                assert_same(plain, recorded, case.op.tolerance, f"{case} {dtype}")


@every_case(lambda op, sample: op.method and op.function and not op.random)
def test_method_equals_function(case: Case) -> None:
    if starts_with_tensor(case):
        (first, *rest), kwargs = case.tensors(torch, case.dtypes[0])
        assert_same(getattr(first, case.op.short_name)(*rest, **kwargs), run(case, case.dtypes[0]))
    else:
        assert callable(getattr(torch.Tensor, case.op.short_name))


@every_case(lambda op, sample: bool(op.aliases) and not op.random)
def test_alias_equals_function(case: Case) -> None:
    for alias in case.op.aliases:
        args, kwargs = case.tensors(torch, case.dtypes[0])
        if case.op.function:
            assert_same(resolve(torch, alias)(*args, **kwargs), run(case, case.dtypes[0]), note=alias)
        if case.op.method and "." not in alias and starts_with_tensor(case):
            assert_same(getattr(args[0], alias)(*args[1:], **kwargs), run(case, case.dtypes[0]), note=alias)


@every_case(has_in_place)
def test_in_place_equals_out_of_place(case: Case) -> None:
    compared = False
    for dtype in case.dtypes:
        expected = run(case, dtype)
        (first, *rest), kwargs = case.tensors(torch, dtype)
        if not isinstance(first, torch.Tensor) or first.shape != expected.shape:
            continue
        if expected.dtype is torch.bool:
            expected = expected.to(first.dtype)
        if first.dtype != expected.dtype:
            continue
        version, address = first._version, first.data_ptr()
        result = getattr(first, f"{case.op.short_name}_")(*rest, **kwargs)
        assert result is first and first.data_ptr() == address and first._version == version + 1, (
            f"{case} {dtype}"
        )
        assert_same(first, expected, note=f"{case} {dtype}")
        compared = True
    assert compared or not can_be_in_place(case)


def can_be_in_place(case: Case) -> bool:
    """The first argument is a tensor as large as the result, so its in-place form exists."""
    first = case.call.args[0]
    return (
        getattr(first, "shape", None) == tuple(run(case, "float32").shape)
        if "float32" in case.dtypes
        else False
    )


@every_case(lambda op, sample: op.inplace and not op.random and is_differentiable(op, sample))
def test_in_place_gradient(case: Case) -> None:
    function, leaves = gradient_problem(case)
    args, kwargs = case.tensors(torch, "float64", requires_grad=True)
    if not isinstance(args[0], torch.Tensor) or args[0].shape != function(*leaves).shape:
        assert not can_be_in_place(case)
        return

    def written(*values: Any) -> Any:
        position = iter(values)
        first, rest_kwargs = replace_tensors(
            (args, kwargs), lambda t: next(position) if t.requires_grad else t
        )
        target = first[0].clone()
        return getattr(target, f"{case.op.short_name}_")(*first[1:], **rest_kwargs)

    check_gradients(written, leaves)


@every_case(lambda op, sample: op.out and not op.random and "dtype" not in sample.kwargs)
def test_out_argument(case: Case) -> None:
    dtype = case.dtypes[0]
    expected = run(case, dtype)
    targets = [torch.empty_like(tensor) for tensor in as_list(expected)]
    args, kwargs = case.tensors(torch, dtype)
    out = tuple(targets) if isinstance(expected, tuple) else targets[0]
    result = resolve(torch, spelling(case.op))(*args, **kwargs, out=out)
    for returned, target in zip(as_list(result), targets, strict=True):
        assert returned.data_ptr() == target.data_ptr()
    assert_same(targets, as_list(expected))


@every_case(lambda op, sample: op.operator is not None and not sample.kwargs and len(sample.args) <= 2)
def test_operator(case: Case) -> None:
    symbol = getattr(operator, case.op.operator)
    for dtype in case.dtypes:
        args, _ = case.tensors(torch, dtype)
        expected = run(case, dtype)
        assert_same(symbol(*args), expected, note=f"{case} {dtype}")
        in_place = getattr(operator, f"i{case.op.operator}".rstrip("_"), None)
        if (
            len(args) == 2
            and in_place
            and isinstance(args[0], torch.Tensor)
            and args[0].shape == expected.shape
            and args[0].dtype == expected.dtype
        ):
            target = args[0].clone()
            assert in_place(target, args[1]) is not None
            assert_same(target if case.op.inplace else expected, expected)


@pytest.mark.parametrize("op", [op for op in OPS if op.operator in REFLECTED], ids=lambda op: op.name)
@pytest.mark.parametrize("scalar", [2, 2.5, np.float64(1.5)], ids=["int", "float", "numpy"])
def test_reflected_operator(op: Op, scalar: Any) -> None:
    values = np.array([0.5, 1.25, -2.0, 3.0])
    found = getattr(operator, op.operator)(scalar, torch.tensor(values).requires_grad_())
    assert isinstance(found, torch.Tensor)
    assert_same(found, getattr(operator, op.operator)(scalar, values))


@every_case(lambda op, sample: op.view)
def test_view_shares_memory(case: Case) -> None:
    """Writing through a view changes its base, as it does in the NumPy reference."""
    args, kwargs = case.tensors(torch, "float64")
    arrays, options = case.arrays("float64")
    views = as_list(resolve(torch, spelling(case.op))(*args, **kwargs))
    expected = as_list(case.op.reference(*arrays, **options))
    for number, (view, array) in enumerate(zip(views, expected, strict=True)):
        assert view._is_view() or view is args[0]
        if view.numel() and 0 not in view.stride() and array.flags.writeable:
            view.fill_(number + 7.0)
            array[...] = number + 7.0
    assert_same(args[0], arrays[0])


@every_case(lambda op, sample: op.random)
def test_random_is_repeatable(case: Case) -> None:
    for dtype in case.dtypes:
        torch.manual_seed(5)
        first = as_list(run(case, dtype))
        second = as_list(run(case, dtype))
        torch.manual_seed(5)
        again = as_list(run(case, dtype))
        assert_same(again, [t.numpy() for t in first])
        assert all(not torch.equal(a, b) for a, b in zip(first, second, strict=True) if a.numel() > 10)


def error_cases() -> list[Any]:
    return [
        pytest.param(op, error, id=f"{op.name}-{number}")
        for op in OPS
        for number, error in enumerate(op.errors)
    ]


@pytest.mark.parametrize(("op", "error"), error_cases())
def test_error(op: Op, error: Error) -> None:
    args, kwargs = Case(op, error.call, 0).tensors(torch, error.dtype)
    with pytest.raises(error.kind) as caught:
        resolve(torch, spelling(op))(*args, **kwargs)
    assert type(caught.value) is error.kind
    assert str(caught.value).startswith(error.words)


# Conversions, attributes and settings: test_interop.py, test_autograd.py and test_promotion.py test them.
OUTSIDE_THE_TABLE = {
    "__array__",
    "allclose",
    "alpha_dropout",
    "as_tensor",
    "asarray",
    "backward",
    "bool",
    "byte",
    "can_cast",
    "char",
    "contiguous",
    "cpu",
    "detach",
    "double",
    "equal",
    "feature_alpha_dropout",
    "feature_dropout",
    "float",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "get_default_dtype",
    "int",
    "is_contiguous",
    "is_same_size",
    "is_set_to",
    "long",
    "new_tensor",
    "numpy",
    "promote_types",
    "register_hook",
    "register_post_accumulate_grad_hook",
    "requires_grad_",
    "resize_",
    "resize_as_",
    "result_type",
    "retain_grad",
    "set_",
    "set_default_dtype",
    "short",
    "tensor",
    "to",
    "type_as",
}


def test_every_operation_has_a_row() -> None:
    """The extension's own list of operations is covered."""
    rows: dict[str, Op] = {}
    for op in OPS:
        for name in (op.name, *op.aliases):
            rows[name.rpartition(".")[2].rstrip("_")] = op
    registered = [e for e in torch._C._op_names() if not (e[0].startswith("_") or e[0] in OUTSIDE_THE_TABLE)]
    missing = sorted({name for name, _, _ in registered if name.rstrip("_") not in rows})
    assert not missing, f"operations without a row in tests/op_table: {missing}"
