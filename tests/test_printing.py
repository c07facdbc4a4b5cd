"""Printing: every expected text was recorded from PyTorch 2.13."""

import pytest

import tapegrad as torch
from tapegrad import nn


class Sub(torch.Tensor):
    """A user's own tensor class: its name replaces ``tensor`` in the text."""


CASES = [
    # floats
    ("torch.tensor(1.0)", "tensor(1.)"),
    ("torch.tensor(-0.0)", "tensor(-0.)"),
    ("torch.tensor(3.14159265)", "tensor(3.1416)"),
    ("torch.tensor([1.0, 2.0, 3.0])", "tensor([1., 2., 3.])"),
    ("torch.tensor([1.0, -2.0, 30.0])", "tensor([ 1., -2., 30.])"),
    ("torch.tensor([0.5, 1.0])", "tensor([0.5000, 1.0000])"),
    ("torch.tensor([0.5, -10.25, 100.125])", "tensor([  0.5000, -10.2500, 100.1250])"),
    ("torch.tensor([[1.0, 2.0], [3.0, 4.0]])", "tensor([[1., 2.],\n        [3., 4.]])"),
    (
        "torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])",
        "tensor([[[1., 2.],\n         [3., 4.]],\n\n        [[5., 6.],\n         [7., 8.]]])",
    ),
    (
        "torch.arange(16.0).reshape(2, 2, 2, 2)",
        "tensor([[[[ 0.,  1.],\n"
        "          [ 2.,  3.]],\n"
        "\n"
        "         [[ 4.,  5.],\n"
        "          [ 6.,  7.]]],\n"
        "\n"
        "\n"
        "        [[[ 8.,  9.],\n"
        "          [10., 11.]],\n"
        "\n"
        "         [[12., 13.],\n"
        "          [14., 15.]]]])",
    ),
    ("torch.zeros(3)", "tensor([0., 0., 0.])"),
    ("torch.ones(2, 3)", "tensor([[1., 1., 1.],\n        [1., 1., 1.]])"),
    ("torch.eye(3)", "tensor([[1., 0., 0.],\n        [0., 1., 0.],\n        [0., 0., 1.]])"),
    ("torch.full((2, 2), 7.5)", "tensor([[7.5000, 7.5000],\n        [7.5000, 7.5000]])"),
    ("torch.tensor([99999999.0, 99999998.0])", "tensor([100000000., 100000000.])"),
    ("torch.tensor([123456.0, 123456.5])", "tensor([123456.0000, 123456.5000])"),
    # scientific
    ("torch.tensor(1e-5)", "tensor(1.0000e-05)"),
    ("torch.tensor([1e-5, 1.0])", "tensor([1.0000e-05, 1.0000e+00])"),
    ("torch.tensor([1e-4, 0.05])", "tensor([1.0000e-04, 5.0000e-02])"),
    ("torch.tensor([1.0, 1001.0])", "tensor([1.0000e+00, 1.0010e+03])"),
    ("torch.tensor([1.0, 1000.0])", "tensor([   1., 1000.])"),
    ("torch.tensor([0.5, 500.5])", "tensor([5.0000e-01, 5.0050e+02])"),
    ("torch.tensor([1e9, 2e9])", "tensor([1.0000e+09, 2.0000e+09])"),
    ("torch.tensor([1e8, 1e8])", "tensor([100000000., 100000000.])"),
    ("torch.tensor([2e8, -1.0])", "tensor([ 2.0000e+08, -1.0000e+00])"),
    ("torch.tensor([0.0, 1e10])", "tensor([0.0000e+00, 1.0000e+10])"),
    ("torch.tensor([1e-10, 1e10, -1e-10])", "tensor([ 1.0000e-10,  1.0000e+10, -1.0000e-10])"),
    ("torch.tensor(1e300, dtype=torch.float64)", "tensor(1.0000e+300, dtype=torch.float64)"),
    # nan_inf
    ('torch.tensor(float("nan"))', "tensor(nan)"),
    ('torch.tensor([float("inf"), float("-inf")])', "tensor([inf, -inf])"),
    ('torch.tensor([0.0, float("nan")])', "tensor([0., nan])"),
    ('torch.tensor([1.0, float("nan"), float("inf")])', "tensor([1., nan, inf])"),
    ('torch.tensor([1.5, float("nan"), float("-inf")])', "tensor([1.5000,    nan,   -inf])"),
    (
        'torch.tensor([1e-7, float("nan"), float("-inf"), 0.0])',
        "tensor([1.0000e-07,        nan,       -inf, 0.0000e+00])",
    ),
    # integers and booleans
    ("torch.tensor(3)", "tensor(3)"),
    ("torch.tensor([1, 2, 3])", "tensor([1, 2, 3])"),
    ("torch.tensor([1, -20, 300])", "tensor([  1, -20, 300])"),
    ("torch.tensor([[1, 2], [3, 4]])", "tensor([[1, 2],\n        [3, 4]])"),
    ("torch.tensor([2**62, -1])", "tensor([4611686018427387904,                  -1])"),
    (
        "torch.arange(30)",
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
    ),
    ("torch.tensor([1, 2], dtype=torch.int32)", "tensor([1, 2], dtype=torch.int32)"),
    ("torch.tensor([1, 2], dtype=torch.uint8)", "tensor([1, 2], dtype=torch.uint8)"),
    ("torch.tensor([-128, 127], dtype=torch.int8)", "tensor([-128,  127], dtype=torch.int8)"),
    ("torch.tensor([[1], [2]], dtype=torch.int16)", "tensor([[1],\n        [2]], dtype=torch.int16)"),
    ("torch.tensor(True)", "tensor(True)"),
    ("torch.tensor([True, False])", "tensor([ True, False])"),
    ("torch.tensor([True, True])", "tensor([True, True])"),
    ("torch.tensor([[True, False], [False, False]])", "tensor([[ True, False],\n        [False, False]])"),
    # dtypes
    ("torch.tensor([1.0, 2.0], dtype=torch.float64)", "tensor([1., 2.], dtype=torch.float64)"),
    ("torch.tensor(0.1, dtype=torch.float64)", "tensor(0.1000, dtype=torch.float64)"),
    ("torch.ones(2, 2, dtype=torch.float64)", "tensor([[1., 1.],\n        [1., 1.]], dtype=torch.float64)"),
    # empty
    ("torch.tensor([])", "tensor([])"),
    ("torch.zeros(0, 3)", "tensor([], size=(0, 3))"),
    ("torch.zeros(3, 0, 2)", "tensor([], size=(3, 0, 2))"),
    ("torch.zeros(0, dtype=torch.int64)", "tensor([], dtype=torch.int64)"),
    ("torch.zeros(0, dtype=torch.bool)", "tensor([], dtype=torch.bool)"),
    ("torch.zeros(2, 0, dtype=torch.float64)", "tensor([], size=(2, 0), dtype=torch.float64)"),
    ("torch.zeros(0, requires_grad=True)", "tensor([], requires_grad=True)"),
    ("torch.zeros(2, 0, requires_grad=True) * 2", "tensor([], size=(2, 0), grad_fn=<MulBackward0>)"),
    # autograd
    ("torch.tensor(1.0, requires_grad=True)", "tensor(1., requires_grad=True)"),
    ("torch.tensor([1.0, 2.0], requires_grad=True)", "tensor([1., 2.], requires_grad=True)"),
    (
        "torch.ones(2, 2, requires_grad=True) + 2",
        "tensor([[3., 3.],\n        [3., 3.]], grad_fn=<AddBackward0>)",
    ),
    (
        "torch.ones(2, 2, requires_grad=True) - 2",
        "tensor([[-1., -1.],\n        [-1., -1.]], grad_fn=<SubBackward0>)",
    ),
    (
        "torch.ones(2, 2, requires_grad=True) * 2",
        "tensor([[2., 2.],\n        [2., 2.]], grad_fn=<MulBackward0>)",
    ),
    (
        "torch.ones(2, 2, requires_grad=True) / 2",
        "tensor([[0.5000, 0.5000],\n        [0.5000, 0.5000]], grad_fn=<DivBackward0>)",
    ),
    ("torch.ones(2, requires_grad=True).sum()", "tensor(2., grad_fn=<SumBackward0>)"),
    ("torch.ones(2, requires_grad=True).mean()", "tensor(1., grad_fn=<MeanBackward0>)"),
    (
        "torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)",
        "tensor([1., 2.], dtype=torch.float64, requires_grad=True)",
    ),
    (
        "torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True) * 2",
        "tensor([2., 4.], dtype=torch.float64, grad_fn=<MulBackward0>)",
    ),
    (
        "torch.ones(8, requires_grad=True) * 0.125",
        "tensor([0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250],\n"
        "       grad_fn=<MulBackward0>)",
    ),
    (
        "torch.ones(9, dtype=torch.float64, requires_grad=True) * 0.125",
        "tensor([0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250],\n"
        "       dtype=torch.float64, grad_fn=<MulBackward0>)",
    ),
    (
        "torch.ones(4, 12, requires_grad=True) * 0.125",
        "tensor([[0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250,\n"
        "         0.1250, 0.1250, 0.1250],\n"
        "        [0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250,\n"
        "         0.1250, 0.1250, 0.1250],\n"
        "        [0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250,\n"
        "         0.1250, 0.1250, 0.1250],\n"
        "        [0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250, 0.1250,\n"
        "         0.1250, 0.1250, 0.1250]], grad_fn=<MulBackward0>)",
    ),
    ("torch.ones(2, requires_grad=True).detach()", "tensor([1., 1.])"),
    ("nn.Parameter(torch.ones(2))", "Parameter containing:\ntensor([1., 1.], requires_grad=True)"),
    ("nn.Parameter(torch.tensor([1, 2]), requires_grad=False)", "Parameter containing:\ntensor([1, 2])"),
    ("nn.Parameter(torch.zeros(0, 2))", "Parameter containing:\ntensor([], size=(0, 2), requires_grad=True)"),
    ("nn.Buffer(torch.ones(2))", "tensor([1., 1.])"),
    ("Sub([1.0, 2.0])", "Sub([1., 2.])"),
    (
        "torch.arange(30.0).as_subclass(Sub)",
        "Sub([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13., 14.,\n"
        "     15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27., 28., 29.])",
    ),
    ("[torch.tensor(1.0), torch.tensor([2])]", "[tensor(1.), tensor([2])]"),
    # wrapping and summaries
    (
        "torch.arange(12.0) / 8",
        "tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,\n"
        "        1.1250, 1.2500, 1.3750])",
    ),
    (
        "torch.arange(40.0).reshape(2, 20)",
        "tensor([[ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n"
        "         14., 15., 16., 17., 18., 19.],\n"
        "        [20., 21., 22., 23., 24., 25., 26., 27., 28., 29., 30., 31., 32., 33.,\n"
        "         34., 35., 36., 37., 38., 39.]])",
    ),
    (
        "torch.arange(48.0).reshape(2, 24) / 8",
        "tensor([[0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,\n"
        "         1.1250, 1.2500, 1.3750, 1.5000, 1.6250, 1.7500, 1.8750, 2.0000, 2.1250,\n"
        "         2.2500, 2.3750, 2.5000, 2.6250, 2.7500, 2.8750],\n"
        "        [3.0000, 3.1250, 3.2500, 3.3750, 3.5000, 3.6250, 3.7500, 3.8750, 4.0000,\n"
        "         4.1250, 4.2500, 4.3750, 4.5000, 4.6250, 4.7500, 4.8750, 5.0000, 5.1250,\n"
        "         5.2500, 5.3750, 5.5000, 5.6250, 5.7500, 5.8750]])",
    ),
    ("torch.arange(1000)[-5:]", "tensor([995, 996, 997, 998, 999])"),
    ("torch.arange(1001)", "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        "torch.arange(2000.0)",
        "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])",
    ),
    (
        "torch.zeros(100, 100)",
        "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n"
        "        [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "        [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "        ...,\n"
        "        [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "        [0., 0., 0.,  ..., 0., 0., 0.],\n"
        "        [0., 0., 0.,  ..., 0., 0., 0.]])",
    ),
    (
        "torch.arange(20000.0).reshape(2, 100, 100)",
        "tensor([[[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 9.7000e+01,\n"
        "          9.8000e+01, 9.9000e+01],\n"
        "         [1.0000e+02, 1.0100e+02, 1.0200e+02,  ..., 1.9700e+02,\n"
        "          1.9800e+02, 1.9900e+02],\n"
        "         [2.0000e+02, 2.0100e+02, 2.0200e+02,  ..., 2.9700e+02,\n"
        "          2.9800e+02, 2.9900e+02],\n"
        "         ...,\n"
        "         [9.7000e+03, 9.7010e+03, 9.7020e+03,  ..., 9.7970e+03,\n"
        "          9.7980e+03, 9.7990e+03],\n"
        "         [9.8000e+03, 9.8010e+03, 9.8020e+03,  ..., 9.8970e+03,\n"
        "          9.8980e+03, 9.8990e+03],\n"
        "         [9.9000e+03, 9.9010e+03, 9.9020e+03,  ..., 9.9970e+03,\n"
        "          9.9980e+03, 9.9990e+03]],\n"
        "\n"
        "        [[1.0000e+04, 1.0001e+04, 1.0002e+04,  ..., 1.0097e+04,\n"
        "          1.0098e+04, 1.0099e+04],\n"
        "         [1.0100e+04, 1.0101e+04, 1.0102e+04,  ..., 1.0197e+04,\n"
        "          1.0198e+04, 1.0199e+04],\n"
        "         [1.0200e+04, 1.0201e+04, 1.0202e+04,  ..., 1.0297e+04,\n"
        "          1.0298e+04, 1.0299e+04],\n"
        "         ...,\n"
        "         [1.9700e+04, 1.9701e+04, 1.9702e+04,  ..., 1.9797e+04,\n"
        "          1.9798e+04, 1.9799e+04],\n"
        "         [1.9800e+04, 1.9801e+04, 1.9802e+04,  ..., 1.9897e+04,\n"
        "          1.9898e+04, 1.9899e+04],\n"
        "         [1.9900e+04, 1.9901e+04, 1.9902e+04,  ..., 1.9997e+04,\n"
        "          1.9998e+04, 1.9999e+04]]])",
    ),
    (
        "torch.ones(7, 200, dtype=torch.int32)",
        "tensor([[1, 1, 1,  ..., 1, 1, 1],\n"
        "        [1, 1, 1,  ..., 1, 1, 1],\n"
        "        [1, 1, 1,  ..., 1, 1, 1],\n"
        "        ...,\n"
        "        [1, 1, 1,  ..., 1, 1, 1],\n"
        "        [1, 1, 1,  ..., 1, 1, 1],\n"
        "        [1, 1, 1,  ..., 1, 1, 1]], dtype=torch.int32)",
    ),
    (
        "torch.ones(1200, 2)",
        "tensor([[1., 1.],\n"
        "        [1., 1.],\n"
        "        [1., 1.],\n"
        "        ...,\n"
        "        [1., 1.],\n"
        "        [1., 1.],\n"
        "        [1., 1.]])",
    ),
    (
        "torch.ones(1001, requires_grad=True) * 0.5",
        "tensor([0.5000, 0.5000, 0.5000,  ..., 0.5000, 0.5000, 0.5000],\n       grad_fn=<MulBackward0>)",
    ),
]

OPTIONS = [
    ({"precision": 2}, "torch.tensor([0.123456, 10.0])", "tensor([ 0.12, 10.00])"),
    ({"precision": 0}, "torch.tensor([0.5, 10.25])", "tensor([ 0, 10])"),
    (
        {"precision": 8},
        "torch.tensor(3.14159265358979, dtype=torch.float64)",
        "tensor(3.14159265, dtype=torch.float64)",
    ),
    ({"precision": 1}, "torch.tensor([1e-6, 1.0])", "tensor([1.0e-06, 1.0e+00])"),
    ({"threshold": 5}, "torch.arange(6)", "tensor([0, 1, 2, 3, 4, 5])"),
    ({"threshold": 5}, "torch.arange(10)", "tensor([0, 1, 2,  ..., 7, 8, 9])"),
    (
        {"threshold": 5, "edgeitems": 1},
        "torch.arange(16).reshape(4, 4)",
        "tensor([[ 0,  ...,  3],\n        ...,\n        [12,  ..., 15]])",
    ),
    ({"threshold": 3, "edgeitems": 0}, "torch.arange(6)", "tensor([...], size=(6,))"),
    (
        {"linewidth": 20},
        "torch.arange(12)",
        "tensor([ 0,  1,  2,\n         3,  4,  5,\n         6,  7,  8,\n         9, 10, 11])",
    ),
    (
        {"linewidth": 40},
        "torch.ones(3, requires_grad=True) + 1",
        "tensor([2., 2., 2.],\n       grad_fn=<AddBackward0>)",
    ),
    (
        {"linewidth": 90},
        "torch.arange(30)",
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,\n"
        "        20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
    ),
    ({"sci_mode": True}, "torch.tensor([1.0, 20.5])", "tensor([1.0000e+00, 2.0500e+01])"),
    ({"sci_mode": True}, "torch.zeros(2)", "tensor([0., 0.])"),
    ({"sci_mode": False}, "torch.tensor([1e-6, 1e6])", "tensor([      0.0000, 1000000.0000])"),
    ({"sci_mode": False}, "torch.tensor([1.0, 1e9])", "tensor([         1., 1000000000.])"),
    (
        {"profile": "short"},
        "torch.arange(1200.0) / 7",
        "tensor([0.00e+00, 1.43e-01,  ..., 1.71e+02, 1.71e+02])",
    ),
    ({"profile": "full"}, "torch.arange(1001)[:3].expand(2, 3)", "tensor([[0, 1, 2],\n        [0, 1, 2]])"),
    ({"profile": "short", "precision": 5}, "torch.tensor([1 / 3])", "tensor([0.33333])"),
]


@pytest.fixture(autouse=True)
def default_options():
    yield
    torch.set_printoptions(profile="default")


def evaluate(expression):
    return eval(expression, {"torch": torch, "nn": nn, "Sub": Sub})


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[case[0] for case in CASES])
def test_repr(expression, expected):
    value = evaluate(expression)
    assert repr(value) == expected
    assert str(value) == expected


@pytest.mark.parametrize(("options", "expression", "expected"), OPTIONS)
def test_repr_with_options(options, expression, expected):
    torch.set_printoptions(**options)
    assert repr(evaluate(expression)) == expected


def test_sci_mode_returns_to_automatic_when_not_given():
    torch.set_printoptions(sci_mode=True)
    torch.set_printoptions(precision=3)
    assert repr(torch.tensor([1.0, 20.5])) == "tensor([ 1.000, 20.500])"


def test_wrong_options_are_refused_and_change_nothing():
    with pytest.raises(ValueError, match="profile"):
        torch.set_printoptions(profile="long")
    with pytest.raises(ValueError, match="precision"):
        torch.set_printoptions(precision=-1)
    assert repr(torch.tensor([0.5])) == "tensor([0.5000])"


def test_printoptions_restores_the_options_after_an_error():
    from tapegrad._tensor_str import get_printoptions, printoptions

    with pytest.raises(KeyError), printoptions(precision=1):
        assert repr(torch.tensor([0.5])) == "tensor([0.5])"
        raise KeyError
    assert get_printoptions() == {
        "precision": 4,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 80,
        "sci_mode": None,
    }


def test_dtype_is_shown_relative_to_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert repr(torch.tensor([1.0])) == "tensor([1.])"
        assert repr(torch.ones(1, dtype=torch.float32)) == "tensor([1.], dtype=torch.float32)"
    finally:
        torch.set_default_dtype(torch.float32)


def test_printing_leaves_autograd_alone():
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    repr(y)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    with torch.no_grad():
        assert repr(x * 3) == "tensor([3., 3.])"


@pytest.mark.parametrize(
    ("expression", "spec", "expected"),
    [
        ("torch.tensor(3.14159)", ".4f", "3.1416"),
        ("torch.tensor(3.14159, requires_grad=True)", ".2e", "3.14e+00"),
        ("torch.tensor(1.5)", "", "1.5"),
        ("torch.tensor(1.5)", ">8", "     1.5"),
        ("torch.tensor(7)", "03d", "007"),
        ("torch.tensor(True)", "", "True"),
        ("torch.tensor([1.0, 2.0])", "", "tensor([1., 2.])"),
        ("torch.tensor(0.25, dtype=torch.float64)", ".1%", "25.0%"),
    ],
)
def test_format(expression, spec, expected):
    assert format(evaluate(expression), spec) == expected


def test_format_errors_are_python_s_own():
    with pytest.raises(TypeError, match="unsupported format string passed to Tensor.__format__"):
        format(torch.ones(2), ".2f")
    with pytest.raises(ValueError, match="Unknown format code 'd'"):
        format(torch.tensor(1.5), "d")


def test_grad_fn_prints_its_name():
    z = torch.ones(2, requires_grad=True) * 2
    assert repr(z.grad_fn).startswith("<MulBackward0 object at 0x")
