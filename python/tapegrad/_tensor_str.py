"""How tensors print: the text behind ``repr``, ``str`` and ``format``.

Only the elements that will be shown are looked at: ten million elements print as fast as thirty-six.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _C

if TYPE_CHECKING:
    from ._C import Tensor


@dataclass(frozen=True)
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _Options()
_COMPLEX_OF = {"torch.float32": "torch.complex64", "torch.float64": "torch.complex128"}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors print.

    precision: digits after the point (4).
    threshold: tensors with more elements than this are summarised (1000).
    edgeitems: elements shown at each end of a summarised dimension (3).
    linewidth: characters per line (80).
    profile: "default", "short" or "full", applied before the other arguments.
    sci_mode: scientific notation always (True), never (False) or as each tensor needs (None or omitted).
    """
    global _options
    options = _options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: expected profile default, short or full, got {profile!r}")
        options = _PROFILES[profile]
    given: dict[str, Any] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in given.items():
        if value is not None and (isinstance(value, str) or value < 0):
            raise ValueError(f"set_printoptions: expected {name} to be a number >= 0, got {value!r}")
    _options = replace(options, sci_mode=sci_mode, **{k: v for k, v in given.items() if v is not None})


def get_printoptions() -> dict[str, Any]:
    """The current print options as a dictionary that ``set_printoptions(**options)`` accepts."""
    return asdict(_options)


@contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Context manager: prints with other options inside the ``with`` block, see ``set_printoptions``."""
    global _options
    before = _options
    try:
        set_printoptions(**kwargs)
        yield
    finally:
        _options = before


class _Column:
    """Formats a set of numbers alike: one notation and one width, decided by the finite nonzero values."""

    def __init__(self, values: np.ndarray) -> None:
        self.width = 1
        if values.dtype.kind != "f":
            self.texts = [str(value) for value in values.tolist()]
            self.width = max(map(len, self.texts), default=1)
            return
        values = values.astype(np.float64)
        decisive = values[np.isfinite(values) & (values != 0)]
        precision = _options.precision
        integral, scientific = True, False
        if decisive.size:
            integral = bool((decisive == np.ceil(decisive)).all())
            size = np.abs(decisive)
            largest, smallest = float(size.max()), float(size.min())
            scientific = largest / smallest > 1e3 or largest > 1e8 or (not integral and smallest < 1e-4)
            if _options.sci_mode is not None:
                scientific = _options.sci_mode
            self.width = max(map(len, self._format(decisive, integral, scientific, precision)))
        self.texts = self._format(values, integral, scientific, precision)

    @staticmethod
    def _format(values: np.ndarray, integral: bool, scientific: bool, precision: int) -> list[str]:
        if scientific:
            return [f"{value:.{precision}e}" for value in values.tolist()]
        if integral:
            return [f"{value:.0f}" + ("." if math.isfinite(value) else "") for value in values.tolist()]
        return [f"{value:.{precision}f}" for value in values.tolist()]

    def padded(self) -> list[str]:
        width = self.width
        return [text.rjust(width) for text in self.texts]


def _complex_texts(values: np.ndarray) -> tuple[list[str], int]:
    real, imag = _Column(values.real), _Column(values.imag)
    texts = [
        f"{re}{im}j" if im.startswith("-") else f"{re}+{im}j"
        for re, im in zip(real.padded(), imag.texts, strict=True)
    ]
    return texts, real.width + imag.width + 1


def _contents(tensor: Tensor, indent: int) -> str:
    """The bracketed numbers; lines after the first are indented by `indent` spaces."""
    array = _as_array(tensor)
    edge = int(_options.edgeitems)
    cut = [array.size > _options.threshold and size > 2 * edge for size in array.shape]
    for dim, is_cut in enumerate(cut):
        if is_cut:
            size = array.shape[dim]
            array = array.take([*range(edge), *range(size - edge, size)], axis=dim)

    flat = array.reshape(-1)
    if flat.dtype.kind == "c":
        texts, width = _complex_texts(flat)
    else:
        column = _Column(flat)
        texts, width = column.padded(), column.width

    if array.ndim == 0:
        return texts[0]
    return _nested(texts, array.shape, cut, indent, width + 2)


def _as_array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach()
    if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
        tensor = tensor.float()
    return tensor.numpy()


def _nested(texts: list[str], shape: tuple[int, ...], cut: list[bool], indent: int, cell: int) -> str:
    """Brackets around `texts`, an array of `shape` as shown; `cut` says which dimensions hide elements."""
    edge = int(_options.edgeitems)
    rest = math.prod(shape[1:])
    if len(shape) == 1:
        items, gap = texts, " ..." if edge else "..."
    else:
        rows = [texts[i * rest : (i + 1) * rest] for i in range(shape[0])]
        items, gap = [_nested(row, shape[1:], cut[1:], indent + 1, cell) for row in rows], "..."
    if cut[0]:
        items = [*items[:edge], gap, *items[edge:]]

    newline = "\n" * max(1, len(shape) - 1) + " " * (indent + 1)
    if len(shape) > 1:
        return "[" + ("," + newline).join(items) + "]"
    per_line = max(1, (_options.linewidth - indent) // cell)
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + ("," + newline).join(lines) + "]"


def _is_plain(tensor: Tensor) -> bool:
    kind = type(tensor)
    if kind is _C.Tensor:
        return True
    from .nn.parameter import Buffer, Parameter  # nn imports this module's package

    return kind is Parameter or kind is Buffer


def tensor_str(tensor: Tensor) -> str:
    """The text of ``repr(tensor)``: contents, then size, dtype and autograd facts if not the usual ones."""
    prefix = "tensor(" if _is_plain(tensor) else f"{type(tensor).__name__}("
    default_dtype = _C.get_default_dtype()
    dtype = tensor.dtype
    facts = []
    if tensor.numel() == 0:
        contents = "[]"
        if tensor.dim() != 1:
            facts.append(f"size={tuple(tensor.shape)}")
        usual_dtype = dtype == default_dtype
    else:
        contents = _contents(tensor, len(prefix))
        if _options.edgeitems == 0:
            facts.append(f"size={tuple(tensor.shape)}")
        usual = (str(default_dtype), _COMPLEX_OF.get(str(default_dtype)), "torch.int64", "torch.bool")
        usual_dtype = str(dtype) in usual
    if not usual_dtype:
        facts.append(f"dtype={dtype}")
    if tensor.grad_fn is not None:
        facts.append(f"grad_fn=<{type(tensor.grad_fn).__name__}>")
    elif tensor.requires_grad:
        facts.append("requires_grad=True")
    tangent = _C._unpack_dual(tensor)[1]
    if tangent is not None:
        facts.append(f"tangent={tangent}")
    return _with_facts(prefix + contents, facts, len(prefix)) + ")"


def _with_facts(text: str, facts: list[str], indent: int) -> str:
    column = len(text) - text.rfind("\n") + 1
    for fact in facts:
        column += len(fact) + 2
        if column > _options.linewidth:
            text += ",\n" + " " * indent + fact
            column = indent + len(fact)
        else:
            text += ", " + fact
    return text


def tensor_format(tensor: Tensor, spec: str) -> str:
    """The text of ``format(tensor, spec)``: a 0-dim tensor as its number, others with an empty spec only."""
    if type(tensor) is _C.Tensor and tensor.dim() == 0:
        return format(tensor.item(), spec)
    if spec:
        raise TypeError(
            f"unsupported format string passed to {type(tensor).__name__}.__format__: only a plain tensor "
            "without dimensions formats as a number; format tensor.item() or the elements of tensor.tolist()"
        )
    return str(tensor)
