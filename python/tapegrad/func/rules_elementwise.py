"""Batching rules of operations that compute each element, or each example, on its own."""

from __future__ import annotations

from typing import Any

from .. import _C
from .batched import BatchedTensor, Level, check_writable, decomposition_for, rule_for, words

Tensor = _C.Tensor

UNARY = words(
    """
abs absolute acos acosh alpha_dropout arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh
bitwise_not bool byte ceil celu char clone cos cosh cpu detach double elu empty_like erf erfc exp exp2 expm1
fix float floor frac full_like gelu hardshrink hardsigmoid hardswish hardtanh int isfinite isinf isnan
leaky_relu log log10 log1p log2 logical_not logsigmoid long mish nan_to_num neg negative ones_like reciprocal
relu relu6 round rsqrt selu sgn short sigmoid sign signbit silu sin sinh softplus softshrink sqrt square tan
tanh threshold to trunc zeros_like __invert__ __pos__ __abs__ half bfloat16 type tril triu logit
"""
)
SEVERAL = words(
    """
add sub subtract rsub mul multiply div divide true_divide floor_divide remainder fmod pow atan2 arctan2
maximum minimum fmax fmin hypot copysign logaddexp xlogy eq ne lt le gt ge not_equal less less_equal greater
greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift
bitwise_right_shift clamp clip clamp_min clamp_max lerp addcmul addcdiv isclose where
__and__ __or__ __xor__ __lshift__ __rshift__ __rand__ __ror__ __rxor__ __rlshift__ __rrshift__ __rsub__
__rtruediv__ __floordiv__ __rfloordiv__ __rmod__ __rpow__ __add__ __sub__ __mul__ __truediv__ __mod__ __pow__
__radd__ __rmul__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__
"""
)
IN_PLACE_METHODS = {"__iand__": "bitwise_and", "__ior__": "bitwise_or", "__ixor__": "bitwise_xor"}
PROMOTING = set(SEVERAL) - {"where", "lerp", "addcmul", "addcdiv"}


@rule_for(*UNARY)
def unary(level: Level, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """The other arguments are numbers and options, or a tensor that only lends its dtype."""
    return func(*level.values(x, *args), **kwargs)


def _promoted(level: Level, tensors: list[Any]) -> list[Any]:
    """Tensors of the dtypes they have as examples: one without dimensions does not widen the others."""
    types = [level.value(x).dtype for x in tensors]
    ranks = [level.rank(x) for x in tensors]
    if types[0] == types[1] or min(ranks) > 0 or max(ranks) == 0:
        return tensors
    dtype = _C.result_type(*(_C.empty([0] * min(rank, 1), dtype=t) for rank, t in zip(ranks, types)))
    return [x if rank else x.to(dtype) for x, rank in zip(tensors, ranks)]


@rule_for(*SEVERAL)
def several(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Operands broadcast from the right, so that the batch dimension is moved in front of the longest."""
    tensors = [a for a in [*args, *kwargs.values()] if isinstance(a, Tensor)]
    if func.__name__ in PROMOTING and len(args) == 2 and len(tensors) == 2:
        args = tuple(_promoted(level, list(args)))
    rank = max([level.rank(x) for x in tensors])
    aligned = [level.aligned(value, rank) for value in args]
    return func(*aligned, **{name: level.aligned(value, rank) for name, value in kwargs.items()})


@rule_for("prelu")
def prelu(level: Level, func: Any, x: Any, weight: Any) -> Any:
    """The weight belongs to the channels: dimension 1 of an example."""
    shape = (-1, *[1] * (x.dim() - 2)) if weight.numel() > 1 and x.dim() > 1 else (1,) * x.dim()
    return _C.where(x >= 0, x, weight.reshape(shape) * x)


@decomposition_for("masked_fill")
def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """The value is a number or a tensor without dimensions."""
    filler = value.to(x.dtype) if isinstance(value, Tensor) else _C.full((), value, dtype=x.dtype)
    return _C.where(mask, filler, x)


@rule_for(*IN_PLACE_METHODS)
def in_place_method(level: Level, func: Any, target: Any, other: Any) -> Any:
    check_writable(level, target)
    return getattr(target, IN_PLACE_METHODS[func.__name__] + "_")(other)


@rule_for("copy_")
def copy_(level: Level, func: Any, target: Any, source: Any, non_blocking: bool = False) -> Any:
    value = check_writable(level, target)
    value.copy_(level.aligned(source, target.dim()))
    return target


@rule_for("fill_")
def fill_(level: Level, func: Any, target: Any, value: Any) -> Any:
    number = value.to(target.dtype) if isinstance(value, Tensor) else value
    if isinstance(number, BatchedTensor):
        return target.copy_(number.expand(target.shape))
    check_writable(level, target).fill_(number)
    return target


@rule_for("zero_")
def zero_(level: Level, func: Any, target: Any) -> Any:
    check_writable(level, target).zero_()
    return target


@decomposition_for("type_as")
def type_as(x: Any, other: Any) -> Any:
    return x.to(other.dtype)


@rule_for("contiguous")
def contiguous(level: Level, func: Any, x: Any, memory_format: Any = None) -> Any:
    """The layout of an example in memory is not that of the batch, so memory_format changes nothing."""
    return level.value(x).contiguous()


# Attributes and questions


@rule_for("get:shape", "size")
def size(level: Level, func: Any, x: Any, dim: int | None = None) -> Any:
    shape = level.value(x).shape[1:]
    if dim is None:
        return shape
    if not -len(shape) <= dim < len(shape):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got "
            f"{dim})"
        )
    return shape[dim]


@rule_for("stride")
def stride(level: Level, func: Any, x: Any, dim: int | None = None) -> Any:
    strides = level.value(x).stride()[1:]
    return strides if dim is None else strides[dim]


@rule_for("get:ndim", "dim", "ndimension")
def dim(level: Level, func: Any, x: Any) -> int:
    return level.value(x).dim() - 1


@rule_for("numel", "nelement")
def numel(level: Level, func: Any, x: Any) -> int:
    return level.value(x).numel() // max(level.batch_size, 1)


@rule_for("get:nbytes")
def nbytes(level: Level, func: Any, x: Any) -> int:
    return x.numel() * x.element_size()


@rule_for("__len__")
def length(level: Level, func: Any, x: Any) -> int:
    if x.dim() == 0:
        raise TypeError("len() of a 0-d tensor")
    return x.shape[0]


@rule_for("get:data")
def data(level: Level, func: Any, x: Any) -> Any:
    return level.value(x).data


@rule_for("get:grad", "get:_base")
def no_tensor(level: Level, func: Any, x: Any) -> None:
    return None


ATTRIBUTES = words(
    """
dtype device requires_grad is_leaf grad_fn output_nr _version itemsize retains_grad is_cpu is_cuda is_mps
is_meta is_sparse is_quantized is_nested
"""
)
QUESTIONS = words(
    """
element_size is_floating_point is_signed is_complex is_conj is_neg is_pinned is_shared _is_view is_inference
is_contiguous get_device
"""
)


@rule_for(*(f"get:{name}" for name in ATTRIBUTES), *QUESTIONS)
def ask_value(level: Level, func: Any, x: Any, *args: Any) -> Any:
    """What is the same for an example and for the batch."""
    return func(level.value(x))


@rule_for("is_same_size")
def is_same_size(level: Level, func: Any, x: Any, other: Any) -> bool:
    return x.shape == other.shape


@rule_for("result_type")
def result_type(level: Level, func: Any, x: Any, other: Any) -> Any:
    like = lambda t: _C.zeros([1] * min(t.dim(), 1), dtype=t.dtype) if isinstance(t, Tensor) else t
    return func(like(x), like(other))


@rule_for("__repr__")
def represent(level: Level, func: Any, x: Any, *, tensor_contents: str | None = None) -> str:
    text = repr(level.value(x)).replace("\n", "\n    ")
    return f"BatchedTensor(lvl={level.depth}, bdim=0, value=\n    {text}\n)"


# What one program for the whole batch cannot do


def _forbid(names: str, message: str) -> None:
    @rule_for(*names.split())
    def forbidden(level: Level, func: Any, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(message.format(name=func.__name__.strip("_")))


_forbid(
    "item __float__ __int__ __index__ __complex__",
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a "
    "Tensor, please try to rewrite what you're doing with other operations: every example has another value.",
)
_forbid(
    "__bool__ equal allclose __contains__ is_nonzero is_set_to",
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't "
    "support that yet: every example may go another way. Use torch.where(condition, a, b).",
)
_forbid(
    "tolist numpy __array__ data_ptr __dlpack__ storage untyped_storage storage_offset _storage_bytes apply_ "
    "map_ __reduce_ex__",
    "Cannot access data pointer of Tensor that doesn't have storage: inside vmap {name}() would have to "
    "return "
    "one value for all examples.",
)
_forbid(
    "nonzero argwhere unique unique_consecutive bincount",
    "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
    "{name}: "
    "the result would have another shape for every example.",
)
_forbid(
    "masked_select",
    "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this because "
    "for "
    "each batch this would return a differently shaped Tensor. Use torch.where(mask, x, 0).",
)
_forbid(
    "register_hook register_post_accumulate_grad_hook set:data set_ resize_ detach_ squeeze_ unsqueeze_ t_ "
    "transpose_ swapaxes_ swapdims_ as_strided",
    "vmap: {name} is not supported on a batched tensor: use the form that returns a new tensor.",
)
_forbid(
    "requires_grad_ set:requires_grad retain_grad",
    "You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs) "
    "inside of a function being transformed by a functorch transform. This is unsupported, please attempt to "
    "use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside "
    "of a function being transformed instead.",
)
_forbid(
    "backward",
    "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
    "functorch.vjp instead: torch.func.grad, torch.func.vjp.",
)
