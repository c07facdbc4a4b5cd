"""A readable autograd engine in pure Python and NumPy: what people write when they need no more.

It has the part of tapegrad's interface that a training loop needs; a script runs on it by changing one
import:

    import tapegrad as torch        ->        import numpy_reference as torch

Every operation computes its value and says how a gradient of the output becomes gradients of its inputs;
`backward` walks the recorded operations from the last to the first. After `manual_seed` the random numbers
are tapegrad's, and so are initial weights and shuffles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

float32, float64, int64 = np.dtype("float32"), np.dtype("float64"), np.dtype("int64")

_recording = True


class no_grad:
    """Inside ``with no_grad():`` operations are not recorded."""

    def __enter__(self) -> None:
        global _recording
        self.before, _recording = _recording, False

    def __exit__(self, *exc: object) -> None:
        global _recording
        _recording = self.before


# ---- the tensor and its tape ---------------------------------------------------------------------


class Tensor:
    """An array, its gradient, and the operation that made it."""

    __array_priority__ = 1000

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self.data = np.asarray(data)
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.parents: tuple[Tensor, ...] = ()
        self.derivative: Callable[[np.ndarray], Sequence[np.ndarray | None]] | None = None

    def backward(self, gradient: Tensor | None = None) -> None:
        """Adds to the `grad` of every leaf the derivative of this tensor with respect to it."""
        if gradient is None:
            if self.data.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            gradient = Tensor(np.ones_like(self.data))
        gradients: dict[int, np.ndarray] = {id(self): gradient.data}
        for tensor in reversed(_in_order_of_creation(self)):
            grad = gradients.pop(id(tensor))
            if tensor.derivative is None:
                tensor.grad = Tensor(grad if tensor.grad is None else tensor.grad.data + grad)
                continue
            for parent, parent_grad in zip(tensor.parents, tensor.derivative(grad), strict=True):
                if parent.requires_grad and parent_grad is not None:
                    parent_grad = _sum_to(parent_grad, parent.data.shape)
                    known = gradients.get(id(parent))
                    gradients[id(parent)] = parent_grad if known is None else known + parent_grad

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    T = property(lambda self: self.t())

    def item(self) -> Any:
        return self.data.item()

    def tolist(self) -> Any:
        return self.data.tolist()

    def numpy(self) -> np.ndarray:
        return self.data

    def detach(self) -> Tensor:
        return Tensor(self.data)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        self.requires_grad = requires_grad
        return self

    def zero_(self) -> Tensor:
        self.data[...] = 0
        return self

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self.data, precision=4, separator=", ", prefix="tensor(")
        return f"tensor({text}{', requires_grad=True' if self.requires_grad else ''})"

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(part.data if isinstance(part, Tensor) else part for part in parts)

        def derivative(grad: np.ndarray) -> Sequence[np.ndarray]:
            out = np.zeros_like(self.data, dtype=grad.dtype)
            np.add.at(out, parts, grad)
            return (out,)

        return _record(self.data[parts], (self,), derivative)


def _in_order_of_creation(last: Tensor) -> list[Tensor]:
    """Every recorded tensor that `last` was computed from, each after the tensors it was made of."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(last, False)]
    while stack:
        tensor, parents_done = stack.pop()
        if parents_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((parent, False) for parent in tensor.parents if parent.requires_grad)
    return order


def _record(
    data: Any, parents: tuple[Tensor, ...], derivative: Callable[[np.ndarray], Sequence[np.ndarray | None]]
) -> Tensor:
    out = Tensor(data)
    if _recording and any(parent.requires_grad for parent in parents):
        out.requires_grad, out.parents, out.derivative = True, parents, derivative
    return out


def _sum_to(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undoes broadcasting: sums `grad` over the dimensions along which an input of `shape` was repeated."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    repeated = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 < grad.shape[extra + i]
    )
    return grad.sum(axis=repeated).reshape(shape)


def _tensor(value: Any, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(np.asarray(value, dtype=like.dtype))


# ---- operations: the value, then the derivative --------------------------------------------------


def add(a: Tensor, b: Any) -> Tensor:
    b = _tensor(b, a)
    return _record(a.data + b.data, (a, b), lambda g: (g, g))


def sub(a: Tensor, b: Any) -> Tensor:
    b = _tensor(b, a)
    return _record(a.data - b.data, (a, b), lambda g: (g, -g))


def mul(a: Tensor, b: Any) -> Tensor:
    b = _tensor(b, a)
    return _record(a.data * b.data, (a, b), lambda g: (g * b.data, g * a.data))


def div(a: Tensor, b: Any) -> Tensor:
    b = _tensor(b, a)
    return _record(a.data / b.data, (a, b), lambda g: (g / b.data, -g * a.data / (b.data * b.data)))


def pow(a: Tensor, exponent: float) -> Tensor:
    return _record(a.data**exponent, (a,), lambda g: (g * (exponent * a.data ** (exponent - 1)),))


def neg(a: Tensor) -> Tensor:
    return _record(-a.data, (a,), lambda g: (-g,))


def square(a: Tensor) -> Tensor:
    return _record(a.data * a.data, (a,), lambda g: (g * (2 * a.data),))


def exp(a: Tensor) -> Tensor:
    y = np.exp(a.data)
    return _record(y, (a,), lambda g: (g * y,))


def log(a: Tensor) -> Tensor:
    return _record(np.log(a.data), (a,), lambda g: (g / a.data,))


def sqrt(a: Tensor) -> Tensor:
    y = np.sqrt(a.data)
    return _record(y, (a,), lambda g: (g / (2 * y),))


def tanh(a: Tensor) -> Tensor:
    y = np.tanh(a.data)
    return _record(y, (a,), lambda g: (g * (1 - y * y),))


def sigmoid(a: Tensor) -> Tensor:
    y = 1 / (1 + np.exp(-a.data))
    return _record(y, (a,), lambda g: (g * y * (1 - y),))


def relu(a: Tensor) -> Tensor:
    return _record(np.maximum(a.data, 0), (a,), lambda g: (g * (a.data > 0),))


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of vectors and matrices."""

    def derivative(g: np.ndarray) -> Sequence[np.ndarray]:
        rows = a.data if a.ndim == 2 else a.data[None, :]
        columns = b.data if b.ndim == 2 else b.data[:, None]
        g = g.reshape(rows.shape[0], columns.shape[1])
        return (g @ columns.T).reshape(a.shape), (rows.T @ g).reshape(b.shape)

    return _record(a.data @ b.data, (a, b), derivative)


def t(a: Tensor) -> Tensor:
    return _record(a.data.T, (a,), lambda g: (g.T,))


def reshape(a: Tensor, *shape: Any) -> Tensor:
    return _record(a.data.reshape(*shape), (a,), lambda g: (g.reshape(a.shape),))


def sum(a: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    def derivative(g: np.ndarray) -> Sequence[np.ndarray]:
        if dim is not None and not keepdim:
            g = np.expand_dims(g, dim)
        return (np.broadcast_to(g, a.shape),)

    return _record(a.data.sum(axis=dim, keepdims=keepdim), (a,), derivative)


def mean(a: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    total = sum(a, dim, keepdim)
    return total * (total.data.size / a.data.size)


def max(a: Tensor) -> Tensor:
    """The largest element; elements that tie share the gradient."""
    y = a.data.max()

    def derivative(g: np.ndarray) -> Sequence[np.ndarray]:
        at = a.data == y
        return (g * at / at.sum(dtype=a.dtype),)

    return _record(y, (a,), derivative)


def argmax(a: Tensor, dim: int | None = None) -> Tensor:
    return Tensor(a.data.argmax(axis=dim))


def log_softmax(a: Tensor, dim: int) -> Tensor:
    shifted = a.data - a.data.max(axis=dim, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    return _record(y, (a,), lambda g: (g - np.exp(y) * g.sum(axis=dim, keepdims=True),))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean of minus the log-probability of each row's target class; logits (N,C), target (N)."""
    log_probabilities = log_softmax(logits, 1)
    return -mean(log_probabilities[np.arange(len(target)), target])


def eq(a: Tensor, b: Any) -> Tensor:
    return Tensor(a.data == _tensor(b, a).data)


def float_(a: Tensor) -> Tensor:
    return Tensor(a.data.astype(np.float32))


for _op in (
    add,
    sub,
    mul,
    div,
    pow,
    neg,
    square,
    exp,
    log,
    sqrt,
    tanh,
    sigmoid,
    relu,
    matmul,
    t,
    reshape,
    sum,
    mean,
):
    setattr(Tensor, _op.__name__, _op)
for _name, _method in {
    "max": max, "argmax": argmax, "log_softmax": log_softmax, "float": float_, "eq": eq, "__eq__": eq,
    "__add__": add, "__radd__": add, "__sub__": sub, "__rsub__": lambda a, b: _tensor(b, a) - a,
    "__mul__": mul, "__rmul__": mul, "__truediv__": div, "__rtruediv__": lambda a, b: _tensor(b, a) / a,
    "__pow__": pow, "__neg__": neg, "__matmul__": matmul,
}.items():  # fmt: skip
    setattr(Tensor, _name, _method)


# ---- making tensors ------------------------------------------------------------------------------

_random = np.random.RandomState()


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    array = np.array(data)
    if dtype is None and array.dtype == np.float64 and not isinstance(data, np.ndarray):
        dtype = float32
    return Tensor(array.astype(dtype or array.dtype), requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    return Tensor(array)


def zeros(*shape: int, requires_grad: bool = False) -> Tensor:
    return Tensor(np.zeros(shape, float32), requires_grad)


def ones(*shape: int, requires_grad: bool = False) -> Tensor:
    return Tensor(np.ones(shape, float32), requires_grad)


def eye(n: int, requires_grad: bool = False) -> Tensor:
    return Tensor(np.eye(n, dtype=float32), requires_grad)


def ones_like(a: Tensor) -> Tensor:
    return Tensor(np.ones_like(a.data))


def manual_seed(seed: int) -> None:
    _random.seed(seed)


def _bits(n: int) -> np.ndarray:
    return _random.randint(0, 2**32, size=n, dtype=np.uint32)


def _uniform(shape: tuple[int, ...]) -> np.ndarray:
    n = int(np.prod(shape))
    return ((_bits(n) & 0xFFFFFF) * float32.type(2**-24)).reshape(shape)


def rand(*shape: int, requires_grad: bool = False) -> Tensor:
    return Tensor(_uniform(shape), requires_grad)


def randn(*shape: int, requires_grad: bool = False) -> Tensor:
    """Normal numbers by Box and Muller's method; the same as tapegrad's from 16 elements on."""
    n = int(np.prod(shape))
    uniform = _uniform((n if n >= 16 else 16,))
    last_block = _uniform((16,)) if n > 16 and n % 16 else uniform[:0]
    out = np.empty_like(uniform)
    blocks = [(start, uniform[start : start + 16]) for start in range(0, n - 15, 16)] or [(0, uniform)]
    for start, block in [*blocks, *([(n - 16, last_block)] if last_block.size else [])]:
        radius, angle = np.sqrt(-2 * np.log(1 - block[:8])), float32.type(2 * np.pi) * block[8:]
        out[start : start + 16] = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return Tensor(out[:n].reshape(shape), requires_grad)


def randperm(n: int) -> Tensor:
    order = np.arange(n)
    for i, bits in enumerate(_bits(n - 1).tolist()):
        j = i + bits % (n - i)
        order[i], order[j] = order[j], order[i]
    return Tensor(order)


# ---- nn and optim --------------------------------------------------------------------------------


class Module:
    """A function with parameters: the tensors and modules among its attributes."""

    def parameters(self) -> Iterator[Tensor]:
        for value in vars(self).values():
            for part in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(part, Module):
                    yield from part.parameters()
                elif isinstance(part, Tensor) and part.requires_grad:
                    yield part

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)


class Linear(Module):
    """x @ weight.T + bias, with weights drawn uniformly from +-1/sqrt(in_features)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        bound = float32.type(1 / np.sqrt(in_features))
        self.weight = Tensor(_uniform((out_features, in_features)) * (2 * bound) - bound, requires_grad=True)
        self.bias = Tensor(_uniform((out_features,)) * (2 * bound) - bound, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T + self.bias


class ReLU(Module):
    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


class Tanh(Module):
    def forward(self, x: Tensor) -> Tensor:
        return tanh(x)


class Sequential(Module):
    def __init__(self, *modules: Module) -> None:
        self.modules = modules

    def forward(self, x: Tensor) -> Tensor:
        for module in self.modules:
            x = module(x)
        return x


class SGD:
    """Gradient descent: velocity = momentum * velocity + gradient; parameter -= lr * velocity."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-3, momentum: float = 0.0) -> None:
        self.params = list(params)
        self.lr, self.momentum = lr, momentum
        self.velocities: dict[int, np.ndarray] = {}

    def zero_grad(self) -> None:
        for param in self.params:
            param.grad = None

    def step(self) -> None:
        for i, param in enumerate(self.params):
            if param.grad is None:
                continue
            step = param.grad.data
            if self.momentum:
                step = self.velocities[i] = (
                    self.momentum * self.velocities[i] + step if i in self.velocities else step
                )
            param.data -= self.lr * step


functional = SimpleNamespace(relu=relu, tanh=tanh, log_softmax=log_softmax, cross_entropy=cross_entropy)
nn = SimpleNamespace(
    Module=Module,
    Linear=Linear,
    ReLU=ReLU,
    Tanh=Tanh,
    Sequential=Sequential,
    functional=functional,
    Parameter=Tensor,
)
optim = SimpleNamespace(SGD=SGD)
