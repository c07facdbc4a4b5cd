"""Writes python/tapegrad/_C.pyi from the signatures that the extension module was built with.

    PYTHONPATH=python python tools/make_stubs.py [--check]

--check only tells whether the file is up to date, by the exit status.
"""

from __future__ import annotations

import inspect
import keyword
import re
import sys
from pathlib import Path

from tapegrad import _C

STUB = Path(__file__).parent.parent / "python" / "tapegrad" / "_C.pyi"
TYPES = {
    "Tensor": "Tensor",
    "Tensor[]": "Sequence[Tensor]",
    "Tensor[*]": "Sequence[Tensor] | Tensor",
    "Operand": "Tensor | Number",
    "Scalar": "Number | Tensor",
    "int": "SupportsIndex",
    "int[]": "Sequence[SupportsIndex]",
    "int[1]": "SupportsIndex | Sequence[SupportsIndex]",
    "int[*]": "SupportsIndex | Sequence[SupportsIndex]",
    "float": "Number | Tensor",
    "bool": "_bool",
    "str": "str",
    "dtype": "_dtype | type[_float]",
    "any": "Any",
    "any[*]": "Any",
}
HEADER = '''"""The extension module. Made by tools/make_stubs.py from the operations' signatures."""

# ruff: noqa
# mypy: disable-error-code="overload-cannot-match, overload-overlap"
from builtins import bool as _bool, float as _float, int as _int
from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex, overload

import numpy as np

Number = _bool | _int | _float | np.number[Any] | np.bool_

class dtype:
    is_floating_point: _bool
    is_complex: _bool
    is_signed: _bool
    itemsize: _int
    def to_real(self) -> dtype: ...

_dtype = dtype

class Size(tuple[_int, ...]):
    def numel(self) -> _int: ...

'''
OPERATORS = {
    "Tensor | Number": [
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    ],
}


def split_parameters(text: str) -> list[str]:
    """Splits at commas outside brackets and quotes."""
    parts = re.split(r",\s*(?![^(]*\))", text)
    return [part.strip() for part in parts if part.strip()]


def parameter(text: str) -> str:
    """``int[]? dim=None`` as Python writes it."""
    if text == "*":
        return "*"
    type_name, rest = text.split(" ", 1)
    optional = type_name.endswith("?")
    name, _, default = rest.partition("=")
    annotation = TYPES[type_name.rstrip("?")] + (" | None" if optional else "")
    if keyword.iskeyword(name):
        name += "_"
    if default == "None" and not optional and annotation != "Any":
        annotation += " | None"
    return f"{name}: {annotation}" + (f" = {default}" if default else "")


def function_stubs(name: str, signatures: list[str], method: bool) -> list[str]:
    """The overloads of an operation, as a function or as a method."""
    lines = []
    for signature in signatures:
        inside = signature[
            signature.index("(") + 1 : signature.rindex(") ->")
            if ") ->" in signature
            else signature.rindex(")")
        ]
        parameters = [parameter(part) for part in split_parameters(inside)]
        if method:
            parameters[0] = "self"
        parameters = variadic(with_defaults(parameters), inside)
        decorator = "@overload\n" if len(signatures) > 1 else ""
        lines.append(f"{decorator}def {name}({', '.join(parameters)}) -> {RESULTS.get(name, 'Any')}: ...")
    return lines


def with_defaults(parameters: list[str]) -> list[str]:
    """Overloads may leave a default out, which Python allows before the first default only."""
    seen = False
    result = []
    for text in parameters:
        seen = (seen or " = " in text) and text != "*"
        result.append(text + " = ..." if seen and " = " not in text else text)
    return result


def variadic(parameters: list[str], inside: str) -> list[str]:
    """Sizes may be written as several arguments; what follows them is then keyword-only."""
    if "[*]" not in inside:
        return parameters
    result = []
    for text in parameters:
        if text.split(":")[-1].strip() in (TYPES["int[*]"], TYPES["Tensor[*]"]) and "=" not in text:
            name, annotation = text.split(": ", 1)
            result.append(f"*{name}: {annotation}")
        elif text != "*":
            result.append(text)
    return result


def signatures_of(name: str) -> list[str]:
    for owner in (_C, _C.Tensor):
        if signatures := getattr(getattr(owner, name, None), "_signatures", None):
            return list(signatures)
    return []


def results() -> dict[str, str]:
    """Operations that return one tensor whatever they are given; the others are typed as Any."""
    several = {
        "split",
        "split_with_sizes",
        "chunk",
        "unbind",
        "tensor_split",
        "hsplit",
        "vsplit",
        "dsplit",
        "meshgrid",
        "broadcast_tensors",
        "max",
        "min",
        "sort",
        "topk",
        "unique",
        "unique_consecutive",
        "nonzero",
        "where",
        "median",
        "mode",
        "kthvalue",
        "cummax",
        "cummin",
        "aminmax",
        "var_mean",
        "std_mean",
        "tolist",
        "item",
        "numpy",
        "size",
        "stride",
        "dim",
        "numel",
        "type",
        "backward",
        "histogram",
        "nanmedian",
    }
    plain = {}
    for name, *_ in _C._op_names():
        signatures = signatures_of(name)
        tensor_first = all(re.match(r"\w+\((Tensor|Operand|int\[)", s) for s in signatures)
        if name.endswith("_with_indices") or name.startswith("adaptive_max_pool"):
            continue
        if (
            tensor_first
            and name not in several
            and not name.startswith("_")
            and not any(") ->" in s for s in signatures)
        ):
            plain[name] = "Tensor"
    for name in ("dim", "ndimension", "numel", "nelement", "element_size", "data_ptr", "storage_offset"):
        plain[name] = "_int"
    for name in (
        "is_contiguous",
        "is_floating_point",
        "is_complex",
        "equal",
        "allclose",
        "is_nonzero",
        "is_same_size",
    ):
        plain[name] = "_bool"
    plain["backward"] = "None"
    plain["retain_grad"] = "None"
    return plain


RESULTS: dict[str, str] = {}


def tensor_class(operations: dict[str, list[str]]) -> list[str]:
    lines = ["class Tensor:"]
    attributes = {
        "shape": "Size",
        "dtype": "_dtype | type[_float]",
        "ndim": "_int",
        "itemsize": "_int",
        "nbytes": "_int",
        "grad_fn": "Any",
        "is_leaf": "_bool",
        "output_nr": "_int",
        "retains_grad": "_bool",
        "_version": "_int",
        "device": "Any",
        "T": "Tensor",
        "mT": "Tensor",
        "H": "Tensor",
        "mH": "Tensor",
        "is_cuda": "_bool",
        "is_sparse": "_bool",
        "is_cpu": "_bool",
        "_base": "Tensor | None",
    }
    for name, annotation in attributes.items():
        lines += ["    @property", f"    def {name}(self) -> {annotation}: ..."]
    lines += ["    data: Any", "    grad: Tensor | None", "    requires_grad: _bool", "    layout: Any"]
    lines.append("    def __init__(self, *args: Any, **kwargs: Any) -> None: ...")
    for operator in OPERATORS["Tensor | Number"]:
        for prefix in ("", "r", "i"):
            lines.append(f"    def __{prefix}{operator}__(self, other: Tensor | Number) -> Tensor: ...")
    for operator in ("eq", "ne"):
        lines.append(f"    def __{operator}__(self, other: object) -> Tensor: ...  # type: ignore[override]")
    for operator in ("lt", "le", "gt", "ge"):
        lines.append(f"    def __{operator}__(self, other: Tensor | Number) -> Tensor: ...")
    lines.append("    def __matmul__(self, other: Tensor) -> Tensor: ...")
    for operator in ("neg", "pos", "abs", "invert"):
        lines.append(f"    def __{operator}__(self) -> Tensor: ...")
    lines += [
        "    def __bool__(self) -> _bool: ...",
        "    def __int__(self) -> _int: ...",
        "    def __index__(self) -> _int: ...",
        "    def __float__(self) -> _float: ...",
        "    def __len__(self) -> _int: ...",
        "    def __hash__(self) -> _int: ...",
        "    def __iter__(self) -> Iterator[Tensor]: ...",
        "    def __getitem__(self, key: Any) -> Tensor: ...",
        "    def __setitem__(self, key: Any, value: Any) -> None: ...",
        "    _make_subclass: Any",
        "    def __getattr__(self, name: str) -> Any: ...",
    ]
    written = set(attributes) | {"data", "grad", "requires_grad", "layout", "__matmul__", "_make_subclass"}
    for name, signatures in operations.items():
        if name in written or not hasattr(_C.Tensor, name):
            continue
        if not re.match(r"\w+\((Tensor|Operand)", signatures[0]):
            continue
        lines += [
            "    " + line.replace("\n", "\n    ") for line in function_stubs(name, signatures, method=True)
        ]
    return lines


def class_stub(name: str, cls: type) -> list[str]:
    """A class of the bindings: its special methods, and any attribute."""
    lines = [f"class {name}:", "    def __init__(self, *args: Any, **kwargs: Any) -> None: ..."]
    for special in ("__enter__", "__exit__", "__call__"):
        if hasattr(cls, special):
            lines.append(f"    def {special}(self, *args: Any, **kwargs: Any) -> Any: ...")
    lines.append("    def __getattr__(self, name: str) -> Any: ...")
    return lines


def make_stub() -> str:
    RESULTS.update(results())
    names = sorted(
        {name for name in [*dir(_C), *dir(_C.Tensor)] if not name.startswith("__")} | {"__matmul__"}
    )
    operations: dict[str, list[str]] = {}
    for name in names:
        if signatures := signatures_of(name):
            operations[name] = signatures
    lines = [HEADER]
    lines += tensor_class(operations)
    lines.append("")
    for name, signatures in operations.items():
        if hasattr(getattr(_C, name, None), "_signatures"):
            lines += function_stubs(name, signatures, method=False)
    lines.append("")
    for name in sorted(dir(_C)):
        value = getattr(_C, name)
        if (
            hasattr(value, "_signatures")
            or name in ("Tensor", "Size", "dtype")
            or (name.startswith("__") and name != "__version__")
        ):
            continue
        if isinstance(value, _C.dtype):
            lines.append(f"{name}: dtype")
        elif isinstance(value, str):
            lines.append(f"{name}: str")
        elif inspect.isclass(value):
            lines += class_stub(name, value)
        elif callable(value):
            lines.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        else:
            lines.append(f"{name}: Any")
    return "\n".join(lines) + "\n"


def main() -> int:
    stub = make_stub()
    if "--check" in sys.argv:
        return 0 if STUB.exists() and STUB.read_text() == stub else 1
    STUB.write_text(stub)
    return 0


if __name__ == "__main__":
    sys.exit(main())
