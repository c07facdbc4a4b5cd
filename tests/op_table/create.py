"""Creation of tensors: constants, ranges, random numbers, copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import ALL, FLOATS, REALS, D, Error, Op, T, call

F64, I64, U8 = D("float64"), D("int64"), D("uint8")
LIBRARY_DTYPE = ("float32",)


def sizes(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    return (
        tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments
    )


def filled(value: int) -> Any:
    return lambda *shape, dtype=None: np.full(sizes(shape), value, dtype)


def alike(value: int) -> Any:
    return lambda x, dtype=None: np.full(x.shape, value, dtype)


def create(name: str, reference: Any, calls: list[Any], **fields: Any) -> Op:
    return Op(
        name,
        reference,
        calls,
        **{"dtypes": LIBRARY_DTYPE, "differentiable": False, "method": False, **fields},
    )


SHAPES = [
    call(2, 3),
    call((2, 3)),
    call(()),
    call(0, 3),
    call([2], dtype=F64),
    call(3, dtype=I64),
    call((2,), dtype=D("bool")),
]
LIKE = [call(T(2, 3)), call(T()), call(T(2), dtype=U8)]
BAD_SIZE = Error(call(-1, 3), RuntimeError, "Trying to create tensor with negative dimension -1: [-1, 3]")

FILLERS = [
    ("uniform_", (-1.0, 2.0)),
    ("normal_", (1.0, 2.0)),
    ("exponential_", (2.0,)),
    ("geometric_", (0.1,)),
    ("cauchy_", ()),
    ("log_normal_", ()),
    ("random_", (5, 50)),
    ("bernoulli_", (0.4,)),
]


def filler(name: str, arguments: tuple[Any, ...]) -> Op:
    return create(
        name, None, [call(T(40), *arguments)], dtypes=FLOATS, function=False, method=True, random=True
    )


OPS = [
    create(
        "zeros",
        filled(0),
        SHAPES,
        errors=[Error(call(-1, 3), RuntimeError, "zeros: Dimension size must be non-negative.")],
    ),
    create("ones", filled(1), SHAPES, errors=[BAD_SIZE]),
    create(
        "full",
        lambda shape, value, dtype=None: np.full(shape, value, dtype),
        [
            call((2, 3), 1.5),
            call((), 2.0),
            call((2,), 7).gives("int64"),
            call((2,), True).gives("bool"),
            call([2, 1], 3, dtype=F64),
        ],
    ),
    create(
        "eye",
        lambda n, m=None, dtype=None: np.eye(n, m),
        [call(3), call(2, 4), call(3, 2, dtype=I64), call(0)],
    ),
    create(
        "arange",
        np.arange,
        [
            call(5).gives("int64"),
            call(2, 5).gives("int64"),
            call(1, 10, 3).gives("int64"),
            call(5.0),
            call(0, 1, 0.25),
            call(5, 0, -2).gives("int64"),
            call(4, dtype=F64),
            call(3, 3).gives("int64"),
        ],
        errors=[
            Error(call(0, 5, -1), RuntimeError, "upper bound and lower bound inconsistent with step sign"),
            Error(call(0, 5, 0), RuntimeError, "step must be nonzero"),
        ],
    ),
    create(
        "linspace",
        lambda start, end, steps, dtype=None: np.linspace(start, end, steps),
        [call(0, 1, 5), call(-2.0, 2.0, steps=9), call(1, 1, 1), call(0, 1, 3, dtype=F64), call(3, 4, 0)],
        errors=[Error(call(0, 1, -1), RuntimeError, "number of steps must be non-negative")],
    ),
    create("zeros_like", alike(0), LIKE, dtypes=ALL, result="same"),
    create("ones_like", alike(1), LIKE, dtypes=ALL, result="same"),
    create(
        "full_like",
        lambda x, value, dtype=None: np.full(x.shape, value, dtype),
        [call(T(2, 3), 3), call(T(), 2), call(T(2), 4, dtype=F64)],
        dtypes=REALS,
    ),
    create(
        "new_zeros",
        lambda x, *shape, dtype=None: np.zeros(sizes(shape), dtype),
        [call(T(2), 3, 2), call(T(), (2,)), call(T(2), 3, dtype=I64)],
        dtypes=ALL,
        function=False,
        method=True,
    ),
    create(
        "new_ones",
        lambda x, *shape, dtype=None: np.ones(sizes(shape), dtype),
        [call(T(2), 3, 2), call(T(), (2,)), call(T(2), 3, dtype=I64)],
        dtypes=ALL,
        function=False,
        method=True,
    ),
    create(
        "new_full",
        lambda x, shape, value, dtype=None: np.full(shape, value, dtype),
        [call(T(2), (3, 2), 2), call(T(), (), 1)],
        dtypes=REALS,
        function=False,
        method=True,
    ),
    create("empty", None, [call(2, 3), call((0, 3), dtype=I64)], errors=[BAD_SIZE]),
    create("empty_like", None, LIKE, dtypes=ALL),
    create("new_empty", None, [call(T(2), 3, 2)], dtypes=ALL, function=False, method=True),
    create("rand", None, [call(2, 3), call((4, 5)), call(20, dtype=F64)], random=True, errors=[BAD_SIZE]),
    create("randn", None, [call(2, 3), call((4, 5)), call(20, dtype=F64), call(33)], random=True),
    create(
        "randint",
        None,
        [
            call(10, (20,)),
            call(-5, 5, (4, 5)),
            call(0, 100, [3, 7], dtype=D("int32")),
            call(0, 2, (30,), dtype=D("float32")),
        ],
        random=True,
        errors=[
            Error(
                call(5, 5, (2,)),
                RuntimeError,
                "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
            )
        ],
    ),
    create(
        "randperm",
        None,
        [call(20), call(11, dtype=D("int32"))],
        random=True,
        errors=[Error(call(-1), RuntimeError, "Trying to create tensor with negative dimension -1: [-1]")],
    ),
    create("rand_like", None, [call(T(4, 5))], dtypes=FLOATS, random=True),
    create("randn_like", None, [call(T(4, 5)), call(T(3), dtype=F64)], dtypes=FLOATS, random=True),
    create(
        "randint_like", None, [call(T(4, 5), 10), call(T(20), 3, 9)], dtypes=(*FLOATS, "int64"), random=True
    ),
    create(
        "normal",
        None,
        [
            call(0.0, 1.0, (4, 5)),
            call(T(20), T(20, low=0.5, high=2.0)),
            call(T(20), 0.5),
            call(1.0, T(20, low=0.5, high=2.0)),
        ],
        dtypes=FLOATS,
        random=True,
        errors=[Error(call(0.0, -1.0, (2,)), RuntimeError, "normal expects std >= 0.0, but found std -1")],
    ),
    create(
        "bernoulli",
        None,
        [call(T(4, 5, low=0.1, high=0.9)), call(T(40), 0.25)],
        dtypes=FLOATS,
        method=True,
        random=True,
        errors=[
            Error(
                call(T(values=[1.5])),
                RuntimeError,
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
            )
        ],
    ),
    Op("clone", np.copy, [call(T(2, 3)), call(T()), call(T(0, 3))], dtypes=ALL),
    create(
        "logspace",
        lambda start, end, steps, base=10.0, dtype=None: np.logspace(start, end, steps, base=base),
        [call(0, 2, 3), call(0.0, 3.0, 4, base=2.0)],
    ),
    create("scalar_tensor", lambda value, dtype=None: np.array(value), [call(2.5), call(3, dtype=F64)]),
    create(
        "tril_indices",
        lambda rows, columns, offset=0: np.stack(np.tril_indices(rows, offset, columns)),
        [call(3, 4), call(4, 3, 1)],
        result="int64",
    ),
    create(
        "triu_indices",
        lambda rows, columns, offset=0: np.stack(np.triu_indices(rows, offset, columns)),
        [call(3, 4), call(4, 3, -1)],
        result="int64",
    ),
    create(
        "multinomial",
        None,
        [call(T(20, low=0.1, high=1.0), 12), call(T(2, 5, low=0.1, high=1.0), 30, replacement=True)],
        dtypes=FLOATS,
        method=True,
        random=True,
        errors=[
            Error(
                call(T(values=[-1.0, 2.0]), 1),
                RuntimeError,
                "probability tensor contains either `inf`, `nan` or element < 0",
            ),
            Error(
                call(T(3, low=0.1, high=1.0), 4),
                RuntimeError,
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
            ),
        ],
    ),
    create("poisson", None, [call(T(40, low=0.5, high=20.0))], random=True),
    create("binomial", None, [call(T(values=[10.0] * 40), T(40, low=0.1, high=0.9))], random=True),
    *[filler(name, arguments) for name, arguments in FILLERS],
]
