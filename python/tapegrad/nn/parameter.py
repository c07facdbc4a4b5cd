"""Parameter, Buffer and their uninitialized forms used by lazy modules."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def _need_tensor(data: Any, kind: str) -> None:
    if not isinstance(data, Tensor):
        raise AttributeError(
            f"'{type(data).__name__}' object has no attribute 'detach': {kind} holds a tensor, "
            f"write nn.{kind}(torch.tensor(data))"
        )


class Parameter(Tensor):
    """A tensor that a Module registers as trainable when it is assigned as an attribute."""

    __torch_function__ = _C._disabled_torch_function_impl  # results are ordinary tensors

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = _C.empty(0)
        _need_tensor(data, "Parameter")
        return Tensor._make_subclass(cls, data, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copied = Tensor._make_subclass(type(self), self.data.clone(), self.requires_grad)
            copied.__dict__.update(self.__dict__)
            memo[id(self)] = copied
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        state = dict(self.__dict__) or None
        return _rebuild_parameter, (type(self), self.data, self.requires_grad), state

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that a Module registers as a buffer when it is assigned as an attribute."""

    __torch_function__ = _C._disabled_torch_function_impl
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = _C.empty(0)
        _need_tensor(data, "Buffer")
        buffer = Tensor._make_subclass(cls, data, data.requires_grad)
        buffer.persistent = persistent
        return buffer


def _rebuild_parameter(cls: type[Parameter], data: Tensor, requires_grad: bool) -> Parameter:
    return Tensor._make_subclass(cls, data, requires_grad)


class UninitializedTensorMixin:
    """Behaviour of a tensor whose shape is learnt from the first input of a lazy module."""

    __torch_function__ = _C._disabled_torch_function_impl
    cls_to_become: type = Tensor
    data: Any

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. "
            "This error usually happens in `load_state_dict` when trying to load an uninitialized "
            "parameter into an initialized one. "
            "Call `forward` to initialize the parameters before accessing their attributes."
        )

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give the tensor its shape (values are uninitialized memory) and its ordinary class."""
        own = self.data
        self.data = _C.empty(shape, dtype=dtype or own.dtype, device=device or own.device)
        self.__class__ = self.cls_to_become

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A Parameter without a shape yet; `materialize(shape)` turns it into a Parameter."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return Tensor._make_subclass(cls, _C.empty(0, dtype=dtype, device=device), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.requires_grad, self.data.device, self.data.dtype)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer without a shape yet; `materialize(shape)` turns it into a Tensor."""

    cls_to_become = Tensor
    persistent: bool

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        buffer = Tensor._make_subclass(cls, _C.empty(0, dtype=dtype, device=device), requires_grad)
        buffer.persistent = persistent
        return buffer


def is_lazy(param: Any) -> bool:
    """True if `param` is a parameter or buffer that has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
