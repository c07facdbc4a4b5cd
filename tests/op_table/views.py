"""Shapes: views, joining and splitting, rearranging."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import ALL, Error, Op, T, call

WRONG_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"


def sizes(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence."""
    return (
        tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments
    )


def view_op(name: str, reference: Any, calls: list[Any], **fields: Any) -> Op:
    return Op(name, reference, calls, **{"dtypes": ALL, "view": True, **fields})


def flatten(x, start_dim=0, end_dim=-1):
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(
        *x.shape[:start], -1 if x.size else int(np.prod(x.shape[start : end + 1])), *x.shape[end + 1 :]
    )


def squeeze(x, dim=None):
    if x.ndim == 0:
        return x
    dims = range(x.ndim) if dim is None else [d % x.ndim for d in (dim if isinstance(dim, tuple) else (dim,))]
    return x.reshape([size for d, size in enumerate(x.shape) if not (d in dims and size == 1)])


def permute(x, *dims):
    return np.transpose(x, sizes(dims))


def expand(x, *shape):
    shape = sizes(shape)
    kept = (1,) * (len(shape) - x.ndim) + x.shape
    return np.broadcast_to(x, [old if new == -1 else new for new, old in zip(shape, kept, strict=True)])


def repeat(x, *repeats):
    repeats = sizes(repeats)
    return np.tile(x.reshape((1,) * (len(repeats) - x.ndim) + x.shape), repeats)


def split(x, split_size, dim=0):
    if isinstance(split_size, int):
        length = x.shape[dim]
        starts = range(0, max(length, 1), split_size)
        return tuple(narrow(x, dim, start, min(split_size, length - start)) for start in starts)
    ends = np.cumsum(split_size)
    return tuple(narrow(x, dim, end - size, size) for end, size in zip(ends, split_size, strict=True))


def chunk(x, chunks, dim=0):
    return split(x, max(1, -(-x.shape[dim] // chunks)), dim)


def unbind(x, dim=0):
    return tuple(np.moveaxis(x, dim, 0)[i, ...] for i in range(x.shape[dim]))


def select(x, dim, index):
    return np.moveaxis(x, dim, 0)[index, ...]


def narrow(x, dim, start, length):
    start = start + x.shape[dim] if start < 0 else start
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, start + length),)]


def cat(tensors, dim=0):
    tensors = [t for t in tensors if t.shape != (0,)] or tensors
    return np.concatenate(tensors, axis=dim)


def roll(x, shifts, dims=None):
    return np.roll(x, shifts, axis=dims)


def diagonal(x, offset=0, dim1=0, dim2=1):
    found = np.diagonal(x, offset, dim1, dim2)
    found.flags.writeable = True
    return found


def flip(x, *dims):
    return np.flip(x, sizes(dims))


OPS = [
    view_op(
        "reshape",
        lambda x, *shape: x.reshape(sizes(shape)),
        [
            call(T(2, 3), (3, 2)),
            call(T(2, 3), (-1,)),
            call(T(4, 3), (2, -1, 3)),
            call(T(), (1, 1)),
            call(T(1), ()),
            call(T(0, 3), (0, 5)),
            call(T(2, 6), (2, 3, 2)),
        ],
        errors=[
            Error(call(T(2, 3), (4,)), RuntimeError, "shape '[4]' is invalid for input of size 6"),
            Error(call(T(2, 3), (-1, -1)), RuntimeError, "only one dimension can be inferred"),
            Error(call(T(2, 3), (-1, 4)), RuntimeError, "shape '[-1, 4]' is invalid for input of size 6"),
            Error(call(T(2, 3), (-2, 3)), RuntimeError, "invalid shape dimension -2"),
            Error(
                call(T(0), (-1, 0)),
                RuntimeError,
                "cannot reshape tensor of 0 elements into shape [-1, 0] because",
            ),
        ],
    ),
    view_op(
        "flatten",
        flatten,
        [
            call(T(2, 3)),
            call(T()),
            call(T(2, 3, 4), 1),
            call(T(2, 3, 4), 0, 1),
            call(T(2, 0)),
            call(T(2, 3, 4), start_dim=-2),
        ],
        errors=[
            Error(call(T(2, 3), 2), IndexError, WRONG_DIM),
            Error(
                call(T(2, 3), 1, 0),
                RuntimeError,
                "flatten() has invalid args: start_dim cannot come after end_dim",
            ),
        ],
    ),
    view_op(
        "squeeze",
        squeeze,
        [
            call(T(1, 3, 1)),
            call(T(1, 3, 1), 0),
            call(T(1, 3, 1), -1),
            call(T(2, 3), 0),
            call(T(1, 3, 1), dim=(0, 2)),
            call(T()),
        ],
        errors=[Error(call(T(2, 3), 2), IndexError, WRONG_DIM)],
    ),
    view_op(
        "unsqueeze",
        np.expand_dims,
        [call(T(2, 3), 0), call(T(2, 3), 1), call(T(2, 3), -1), call(T(), 0)],
        errors=[
            Error(
                call(T(2, 3), 3),
                IndexError,
                "Dimension out of range (expected to be in range of [-3, 2], but got 3)",
            )
        ],
    ),
    view_op(
        "transpose",
        np.swapaxes,
        [call(T(2, 3), 0, 1), call(T(2, 3, 4), -1, 0), call(T(2, 3, 4), 1, 1)],
        aliases=("swapaxes", "swapdims"),
        errors=[Error(call(T(2, 3), 0, 2), IndexError, WRONG_DIM)],
    ),
    view_op(
        "t",
        np.transpose,
        [call(T(2, 3)), call(T(3)), call(T())],
        errors=[
            Error(call(T(2, 3, 4)), RuntimeError, "t() expects a tensor with <= 2 dimensions, but self is 3D")
        ],
    ),
    view_op(
        "permute",
        permute,
        [call(T(2, 3, 4), (2, 0, 1)), call(T(2, 3), (1, 0)), call(T(2, 3, 4), (-1, 0, 1)), call(T(), ())],
        errors=[
            Error(
                call(T(2, 3), (0,)),
                RuntimeError,
                "permute(sparse_coo): number of dimensions in the tensor input does not match the length",
            ),
            Error(call(T(2, 3), (0, 0)), RuntimeError, "permute(): duplicate dims are not allowed."),
            Error(call(T(2, 3), (0, 2)), IndexError, WRONG_DIM),
        ],
    ),
    view_op(
        "movedim",
        np.moveaxis,
        [call(T(2, 3, 4), 0, 2), call(T(2, 3, 4), (0, 1), (1, 2)), call(T(2, 3, 4), -1, 0)],
        aliases=("moveaxis",),
    ),
    view_op(
        "expand",
        expand,
        [
            call(T(3), 2, 3),
            call(T(2, 1), 2, 4),
            call(T(2, 1), -1, 4),
            call(T(), 2, 2),
            call(T(1, 3), (2, 3)),
            call(T(1), 0),
        ],
        function=False,
        errors=[
            Error(
                call(T(2, 3), 2, 4),
                RuntimeError,
                "The expanded size of the tensor (4) must match the existing size (3) at non-singleton "
                "dimension 1.",
            ),
            Error(
                call(T(2, 3), 3),
                RuntimeError,
                "expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be "
                "greater or equal to",
            ),
        ],
    ),
    view_op(
        "broadcast_to",
        np.broadcast_to,
        [call(T(3), (2, 3)), call(T(2, 1), (5, 2, 4)), call(T(), (3,))],
        errors=[
            Error(
                call(T(2, 3), (2, 4)),
                RuntimeError,
                "The expanded size of the tensor (4) must match the existing size (3) at non-singleton "
                "dimension 1.",
            )
        ],
    ),
    view_op(
        "view",
        lambda x, *shape: x.reshape(sizes(shape)),
        [call(T(2, 3), 3, 2), call(T(2, 3), -1), call(T(2, 3), (6,)), call(T(), 1)],
        function=False,
        layout_free=False,
        errors=[Error(call(T(2, 3), 4), RuntimeError, "shape '[4]' is invalid for input of size 6")],
    ),
    view_op(
        "select",
        select,
        [call(T(2, 3), 0, 1), call(T(2, 3), 1, -1), call(T(2, 3, 4), -2, 0), call(T(3), 0, 2)],
        errors=[
            Error(
                call(T(2, 3), 1, 3),
                IndexError,
                "select(): index 3 out of range for tensor of size [2, 3] at dimension 1",
            ),
            Error(call(T(), 0, 0), IndexError, "select() cannot be applied to a 0-dim tensor."),
            Error(call(T(2, 3), 2, 0), IndexError, WRONG_DIM),
        ],
    ),
    view_op(
        "narrow",
        narrow,
        [call(T(5, 2), 0, 1, 3), call(T(2, 5), 1, -3, 2), call(T(4), 0, 4, 0), call(T(2, 5), -1, 0, 5)],
        errors=[
            Error(call(T(5), 0, 3, 4), RuntimeError, "start (3) + length (4) exceeds dimension size (5)."),
            Error(call(T(5), 0, 0, -1), RuntimeError, "narrow(): length must be non-negative."),
        ],
    ),
    view_op(
        "diagonal",
        diagonal,
        [
            call(T(3, 3)),
            call(T(3, 4), 1),
            call(T(4, 3), -1),
            call(T(2, 3, 4), offset=1, dim1=1, dim2=2),
            call(T(2, 2), 5),
        ],
        errors=[Error(call(T(2, 3), 0, 1, 1), RuntimeError, "diagonal dimensions cannot be identical 1, 1")],
    ),
    view_op(
        "split",
        split,
        [
            call(T(5), 2),
            call(T(2, 6), 3, 1),
            call(T(5, 2), [1, 4]),
            call(T(2, 5), [2, 0, 3], dim=1),
            call(T(3), 5),
        ],
        errors=[
            Error(
                call(T(5), [2, 2]),
                RuntimeError,
                "split_with_sizes expects split_sizes to sum exactly to 5 (input tensor's size at "
                "dimension 0), but got split_sizes=[2, 2]",
            ),
            Error(
                call(T(5), -1),
                RuntimeError,
                "split expects split_size be non-negative, but got split_size=-1",
            ),
        ],
    ),
    view_op(
        "chunk",
        chunk,
        [call(T(6), 3), call(T(5), 3), call(T(2, 6), 2, 1), call(T(2, 3), 5, dim=-1)],
        errors=[Error(call(T(6), 0), RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0")],
    ),
    view_op(
        "unbind",
        unbind,
        [call(T(3)), call(T(2, 3)), call(T(2, 3), 1), call(T(2, 3, 2), dim=-1)],
        errors=[Error(call(T(2, 3), 2), IndexError, WRONG_DIM)],
    ),
    Op(
        "repeat",
        repeat,
        [
            call(T(3), 2),
            call(T(2, 3), 1, 2),
            call(T(3), 2, 2),
            call(T(), 3),
            call(T(2), (3, 1)),
            call(T(2), 0),
        ],
        dtypes=ALL,
        function=False,
        errors=[
            Error(
                call(T(2, 3), 2),
                RuntimeError,
                "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
            )
        ],
    ),
    Op(
        "cat",
        cat,
        [
            call([T(2, 3), T(2, 3)]),
            call([T(2, 3), T(1, 3), T(4, 3)], 0),
            call([T(2, 3), T(2, 1)], dim=1),
            call([T(2, 3)], -1),
            call((T(2), T(3))),
            call([T(0), T(2, 3)], 1),
            call([T(0, 3), T(2, 3)]),
            call([T(3, 2, 2), T(3, 5, 2)], 1),
        ],
        dtypes=ALL,
        method=False,
        out=True,
        aliases=("concat", "concatenate"),
        errors=[
            Error(call([]), ValueError, "torch.cat(): expected a non-empty list of Tensors"),
            Error(
                call([T(2, 3), T(2, 4)]),
                RuntimeError,
                "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 for "
                "tensor number 1 in the list.",
            ),
            Error(
                call([T(2, 3), T(3)]),
                RuntimeError,
                "Tensors must have same number of dimensions: got 2 and 1",
            ),
            Error(
                call([T(), T()]),
                RuntimeError,
                "zero-dimensional tensor (at position 0) cannot be concatenated",
            ),
            Error(call([T(2, 3), T(2, 3)], 2), IndexError, WRONG_DIM),
        ],
    ),
    Op(
        "stack",
        lambda tensors, dim=0: np.stack(tensors, axis=dim),
        [
            call([T(2, 3), T(2, 3)]),
            call([T(2), T(2), T(2)], 1),
            call([T(), T()]),
            call((T(2, 3), T(2, 3)), dim=-1),
        ],
        dtypes=ALL,
        method=False,
        out=True,
        errors=[
            Error(call([]), RuntimeError, "stack expects a non-empty TensorList"),
            Error(
                call([T(2), T(3)]),
                RuntimeError,
                "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
            ),
        ],
    ),
    Op(
        "flip",
        flip,
        [call(T(2, 3), (0,)), call(T(2, 3), (0, 1)), call(T(2, 3, 4), [-1])],
        dtypes=ALL,
        errors=[
            Error(call(T(2, 3), (0, 0)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
            Error(call(T(2, 3), (2,)), IndexError, WRONG_DIM),
        ],
    ),
    Op(
        "roll",
        roll,
        [
            call(T(5), 2),
            call(T(2, 3), 1),
            call(T(2, 3), 1, 0),
            call(T(2, 3), -1, 1),
            call(T(3, 4), (1, 2), (0, 1)),
            call(T(2, 3), shifts=5, dims=1),
        ],
        dtypes=ALL,
        errors=[
            Error(
                call(T(2, 3), (1, 2), 0), RuntimeError, "shifts and dimensions must align. shifts: 2, dims:1"
            )
        ],
    ),
    Op(
        "tril",
        lambda x, diagonal=0: np.tril(x, diagonal),
        [call(T(3, 3)), call(T(3, 4), 1), call(T(4, 3), -1), call(T(2, 3, 3)), call(T(3, 3), diagonal=5)],
        dtypes=ALL,
        inplace=True,
        out=True,
        errors=[Error(call(T(3)), RuntimeError, "tril: input tensor must have at least 2 dimensions")],
    ),
    Op(
        "triu",
        lambda x, diagonal=0: np.triu(x, diagonal),
        [call(T(3, 3)), call(T(3, 4), 1), call(T(4, 3), -1), call(T(2, 3, 3)), call(T(3, 3), diagonal=-5)],
        dtypes=ALL,
        inplace=True,
        out=True,
        errors=[Error(call(T(3)), RuntimeError, "triu: input tensor must have at least 2 dimensions")],
    ),
    Op(
        "diag",
        lambda x, diagonal=0: np.diag(x, diagonal),
        [
            call(T(3)),
            call(T(3), 1),
            call(T(2), -2),
            call(T(3, 3)),
            call(T(3, 4), 1),
            call(T(4, 3), diagonal=-1),
        ],
        dtypes=ALL,
        errors=[Error(call(T(2, 2, 2)), RuntimeError, "diag(): Supports 1D or 2D tensors. Got 3D")],
    ),
]
