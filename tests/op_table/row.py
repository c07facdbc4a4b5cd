"""What a row of the operation table is, and how its sample calls become tensors.

Samples are described without naming a tensor library: the same row is run on tapegrad, on NumPy (the
reference) and, where it is installed, on PyTorch.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
INTS = ("uint8", "int8", "int16", "int32", "int64")
REALS = FLOATS + INTS
ALL = (*REALS, "bool")

Domain = tuple[float, float]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor argument; `None` fields are filled in by the row (domain) and by the test (dtype)."""

    shape: tuple[int, ...]
    dtype: str | None = None
    domain: Domain | None = None
    values: Any = None
    grad: bool = True

    def array(
        self, rng: np.random.Generator, dtype: str, domain: Domain, avoid: Sequence[float]
    ) -> np.ndarray:
        """Values for one dtype: floats cover the domain without ties, away from the kinks."""
        dtype = self.dtype or dtype
        if self.values is not None:
            return np.asarray(self.values).astype(dtype)
        low, high = self.domain or domain
        if dtype == "bool":
            return np.asarray(rng.random(self.shape) < 0.5)
        if dtype in INTS:
            low, high = np.ceil(max(low, 0) if dtype == "uint8" else low), np.floor(high)
            return np.asarray(rng.integers(int(low), int(high), self.shape, endpoint=True), dtype)
        count = int(np.prod(self.shape))
        cells = rng.permutation(count) + rng.uniform(0.1, 0.9, count)
        values = low + (high - low) * cells / max(count, 1)
        for kink in avoid:
            near = np.abs(values - kink) < 0.05
            values[near] = kink + np.where(values[near] < kink, -0.06, 0.06)
        return values.reshape(self.shape).astype(dtype)


def T(
    *shape: int,
    dtype: str | None = None,
    low: float | None = None,
    high: float | None = None,
    values: Any = None,
    grad: bool = True,
) -> TensorSpec:
    """A tensor of this shape; `low`/`high` replace the row's domain, `values` are the elements."""
    domain = None if low is None or high is None else (low, high)
    return TensorSpec(shape, dtype, domain, values, grad)


@dataclass(frozen=True)
class D:
    """A dtype argument by name: `torch.float64` for a tensor library, `np.float64` for the reference."""

    name: str


@dataclass(frozen=True)
class Call:
    """One sample call of an operation."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] | None = None
    gradient: bool = True
    result: Any = None

    def only(self, *dtypes: str) -> Call:
        """The call is run in these dtypes alone."""
        return replace(self, dtypes=dtypes)

    def without_gradient(self) -> Call:
        """The call sits on a kink or a pole: its values are checked, its gradient is not."""
        return replace(self, gradient=False)

    def gives(self, result: Any) -> Call:
        """The result dtype differs from the row's rule."""
        return replace(self, result=result)


def call(*args: Any, **kwargs: Any) -> Call:
    """A sample call: `call(T(2, 3), T(3), alpha=2)`."""
    return Call(args, kwargs)


@dataclass(frozen=True)
class Error:
    """A call that must fail with this class and a message that begins with these words."""

    call: Call
    kind: type[Exception]
    words: str
    dtype: str = "float32"


UNARY_CALLS = (call(T(2, 3)), call(T()), call(T(0, 3)), call(T(3, 1, 2)), call(T(37)))


@dataclass(frozen=True)
class Op:
    """One operation: how it is spelled, what it computes, and where it may be checked.

    `name` is the dotted path of the function below the library. `result` says the dtype of the result for an
    input dtype: "same", "float" (integers become float32), "sum" (integers become int64) or a dtype's name; a
    tuple of rules for several results.
    """

    name: str
    reference: Callable[..., Any] | None = None
    calls: tuple[Call, ...] | list[Call] = UNARY_CALLS
    dtypes: tuple[str, ...] = FLOATS
    result: Any = "same"
    domain: Domain = (-2.0, 2.0)
    avoid: tuple[float, ...] = ()
    differentiable: bool = True
    function: bool = True
    method: bool = True
    inplace: bool = False
    out: bool = False
    operator: str | None = None
    view: bool = False
    layout_free: bool = True
    random: bool = False
    aliases: tuple[str, ...] = ()
    tolerance: float = 1.0
    errors: tuple[Error, ...] | list[Error] = ()

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]

    def result_rules(self, sample: Call) -> Any:
        if sample.result is not None:
            return sample.result
        asked = sample.kwargs.get("dtype")
        return asked.name if isinstance(asked, D) else self.result


@dataclass(frozen=True)
class Case:
    """A row together with one of its sample calls: the unit that the tests are parametrised by."""

    op: Op
    call: Call
    index: int

    def __str__(self) -> str:
        return f"{self.op.name}-{self.index}"

    @property
    def dtypes(self) -> tuple[str, ...]:
        return self.call.dtypes or self.op.dtypes

    def arrays(self, dtype: str) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with NumPy arrays in place of tensors; the same on every run."""
        rng = np.random.default_rng(zlib.crc32(f"{self}".encode()))

        def make(spec: TensorSpec) -> np.ndarray:
            return spec.array(rng, dtype, self.op.domain, self.op.avoid)

        return (
            substitute(list(self.call.args), TensorSpec, make),
            substitute(self.call.kwargs, TensorSpec, make),
        )

    def expected(self, dtype: str) -> Any:
        """What the reference says; floating arguments are computed in float64."""
        widen = self.op.result_rules(self.call) == "float"

        def precise(array: np.ndarray) -> np.ndarray:
            return array.astype(np.float64) if widen or array.dtype.kind == "f" else array.copy()

        assert self.op.reference is not None
        args, kwargs = substitute(self.arrays(dtype), np.ndarray, precise)
        args, kwargs = substitute((args, kwargs), D, lambda d: np.dtype(d.name))
        with np.errstate(all="ignore"):
            return self.op.reference(*args, **kwargs)

    def tensors(
        self, library: Any, dtype: str, layout: str = "contiguous", requires_grad: bool = False
    ) -> tuple[Any, Any]:
        """The arguments as tensors of one library; differentiable arguments require a gradient when asked."""
        wants = iter([spec.grad and spec.dtype is None for spec in find(self.call, TensorSpec)])

        def make(array: np.ndarray) -> Any:
            tensor = lay_out(library, array, layout)
            return tensor.requires_grad_(next(wants) and array.dtype.kind == "f") if requires_grad else tensor

        args, kwargs = substitute(self.arrays(dtype), np.ndarray, make)
        return substitute((args, kwargs), D, lambda d: getattr(library, d.name))


def substitute(value: Any, kind: type, make: Callable[[Any], Any]) -> Any:
    """`value` with every leaf of class `kind` replaced, through lists, tuples and dicts."""
    if isinstance(value, kind):
        return make(value)
    if isinstance(value, (list, tuple)):
        return type(value)(substitute(item, kind, make) for item in value)
    if isinstance(value, dict):
        return {key: substitute(item, kind, make) for key, item in value.items()}
    return value


def find(value: Any, kind: type) -> list[Any]:
    """Every leaf of class `kind`, in the order in which `substitute` meets them."""
    if isinstance(value, Call):
        value = [*value.args, *value.kwargs.values()]
    found: list[Any] = []
    substitute(
        list(value) if isinstance(value, (list, tuple)) else [value], kind, lambda leaf: found.append(leaf)
    )
    return found


def lay_out(library: Any, array: np.ndarray, layout: str) -> Any:
    """The array as a tensor that is "contiguous", "transposed" or "strided" (every second element)."""
    if layout == "transposed" and array.ndim > 1:
        order = tuple(reversed(range(array.ndim)))
        return library.tensor(np.ascontiguousarray(array.transpose(order))).permute(order)
    if layout == "strided":
        spread = np.zeros((*array.shape, 2), array.dtype)
        spread[..., 1] = array
        if not array.size:  # NumPy's strides of empty arrays are arbitrary
            return library.zeros(spread.shape, dtype=getattr(library, array.dtype.name))[..., 1]
        return library.tensor(spread)[..., 1]
    return library.tensor(array)


def resolve(library: Any, name: str) -> Callable[..., Any]:
    """The function of that dotted name."""
    for part in name.split("."):
        library = getattr(library, part)
    return library


def result_dtype(rule: str, dtype: str) -> str:
    """The dtype's name that a rule gives for an input dtype."""
    floating = dtype in FLOATS
    return {
        "same": dtype,
        "float": dtype if floating else "float32",
        "sum": dtype if floating else "int64",
    }.get(rule, rule)


def cases(ops: Sequence[Op], wanted: Callable[[Op, Call], bool] = lambda op, call: True) -> Iterator[Case]:
    """Every sample call of every row that the predicate wants."""
    for op in ops:
        for index, sample in enumerate(op.calls):
            if wanted(op, sample):
                yield Case(op, sample, index)
