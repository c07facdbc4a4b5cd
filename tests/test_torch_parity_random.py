"""Random numbers compared with PyTorch itself: the numbers drawn, and the generator's state afterwards."""

import numpy as np
import pytest

import tapegrad

torch = pytest.importorskip("torch")

FLOATS = ["float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
SIZES = [*range(41), 100, 1000, 100_000]
SEEDS = [0, 42, 2**40 + 7]


def assert_same_draws(function, seeds=SEEDS, rtol=0.0, atol=0.0):
    """Calls `function(module)` with both modules from the same seeds; it returns one tensor."""
    for seed in seeds:
        drawn = []
        for module in (tapegrad, torch):
            module.manual_seed(seed)
            drawn.append(function(module).detach().numpy())
        assert drawn[0].dtype == drawn[1].dtype
        np.testing.assert_allclose(drawn[0], drawn[1], rtol=rtol, atol=atol)
        np.testing.assert_array_equal(tapegrad.get_rng_state().numpy(), torch.get_rng_state().numpy())


def each_size(draw):
    """Draws every size in turn from one stream, so that each starts at another place in the state."""
    return lambda module: module.cat([draw(module, n).reshape(-1) for n in SIZES])


FILLS = {
    "rand": lambda m, n, dtype: m.rand(n, dtype=dtype),
    "uniform_": lambda m, n, dtype: m.empty(n, dtype=dtype).uniform_(-0.3, 1.7),
    "narrow uniform_": lambda m, n, dtype: m.empty(n, dtype=dtype).uniform_(1e6, 1e6 + 1),
    "strided normal_": lambda m, n, dtype: m.empty(n + 2, 2, dtype=dtype)[:, 0].normal_(0.3, 0.7),
    "log_normal_": lambda m, n, dtype: m.empty(n, dtype=dtype).log_normal_(0.3, 0.7),
    "cauchy_": lambda m, n, dtype: m.empty(n, dtype=dtype).cauchy_(0.3, 0.7),
    "geometric_": lambda m, n, dtype: m.empty(n, dtype=dtype).geometric_(0.3),
    "bernoulli_": lambda m, n, dtype: m.empty(n, dtype=dtype).bernoulli_(0.3),
    "bernoulli": lambda m, n, dtype: m.bernoulli(m.linspace(0, 1, n, dtype=dtype)),
    "random_": lambda m, n, dtype: m.empty(n, dtype=dtype).random_(),
    "random_ of a range": lambda m, n, dtype: m.empty(n, dtype=dtype).random_(-1000, 2**20),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("fill", FILLS)
def test_floating_fills_are_equal(fill, dtype):
    assert_same_draws(each_size(lambda m, n: FILLS[fill](m, n, getattr(m, dtype))))


@pytest.mark.parametrize("dtype,tolerance", [("float32", 5e-7), ("float64", 1e-15)])
def test_normal_numbers(dtype, tolerance):
    assert_same_draws(each_size(lambda m, n: m.randn(n, dtype=getattr(m, dtype))), atol=tolerance)
    shifted = each_size(lambda m, n: m.empty(n, dtype=getattr(m, dtype)).normal_(-0.7, 2.3))
    assert_same_draws(shifted, atol=4 * tolerance)


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_numbers_below_16_are_equal(dtype):
    draws = lambda m: m.cat([m.randn(n, dtype=getattr(m, dtype)) for n in range(1, 16)])
    assert_same_draws(draws, seeds=range(20))


def test_exponential():
    assert_same_draws(each_size(lambda m, n: m.empty(n).exponential_(0.7)))
    assert_same_draws(each_size(lambda m, n: m.empty(n, dtype=m.float64).exponential_(0.7)), rtol=1e-15)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_fills_are_equal(dtype):
    empty = lambda m, n: m.empty(n, dtype=getattr(m, dtype))
    assert_same_draws(each_size(lambda m, n: empty(m, n).random_()))
    assert_same_draws(each_size(lambda m, n: empty(m, n).random_(100)))
    assert_same_draws(each_size(lambda m, n: empty(m, n).random_(3, 100)))
    assert_same_draws(each_size(lambda m, n: empty(m, n).bernoulli_(0.3)))
    assert_same_draws(each_size(lambda m, n: empty(m, n).geometric_(0.3)))


@pytest.mark.parametrize("limits", [(0, 2**28 - 1), (0, 2**28), (-(2**31), 2**31 - 1), (-(2**62), 2**62)])
def test_randint_switches_to_64_bits_at_the_same_range(limits):
    assert_same_draws(each_size(lambda m, n: m.randint(*limits, (n,))))


def test_all_64_bits():
    assert_same_draws(lambda m: m.empty(1000, dtype=m.int64).random_(-(2**63), None))


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "float64"])
def test_permutations_are_equal(dtype):
    assert_same_draws(each_size(lambda m, n: m.randperm(n, dtype=getattr(m, dtype))))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_is_equal(dtype, replacement):
    def draw(module):
        weights = module.arange(1, 31, dtype=getattr(module, dtype)).reshape(3, 10) % 7
        return module.cat([module.multinomial(weights, n, replacement=replacement) for n in (1, 2, 8)], 1)

    assert_same_draws(draw, seeds=range(20))


FUNCTIONS = {
    "rand_like": lambda m: m.rand_like(m.zeros(3, 4)),
    "randint_like": lambda m: m.randint_like(m.zeros(3, 4), 10),
    "normal of a mean and a tensor": lambda m: m.normal(2.0, m.arange(1.0, 11.0)),
    "normal of a tensor and a deviation": lambda m: m.normal(m.arange(10.0), 2.0),
    "transposed uniform_": lambda m: m.empty(8, 5).t().uniform_(),
    "dropout": lambda m: m.nn.functional.dropout(m.ones(1000), 0.3),
    "dropout of a leaf": lambda m: m.nn.functional.dropout(m.ones(1000, requires_grad=True), 0.3),
    "dropout2d": lambda m: m.nn.functional.dropout2d(m.ones(4, 5, 3, 3), 0.3),
    "xavier_uniform_": lambda m: m.nn.init.xavier_uniform_(m.empty(7, 9)),
    "kaiming_uniform_": lambda m: m.nn.init.kaiming_uniform_(m.empty(7, 9)),
    "Linear": lambda m: m.nn.Linear(20, 30).weight,
    "Linear bias": lambda m: m.nn.Linear(20, 30).bias,
    "Conv2d": lambda m: m.nn.Conv2d(3, 8, 3).weight,
    "random_split": lambda m: m.tensor(m.utils.data.random_split(range(100), [60, 40])[0].indices),
    "DataLoader": lambda m: m.cat(list(m.utils.data.DataLoader(m.arange(50), batch_size=7, shuffle=True))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_built_on_the_fills_are_equal(name):
    assert_same_draws(FUNCTIONS[name])


NORMAL_FUNCTIONS = {
    "randn_like": lambda m: m.randn_like(m.zeros(5, 7)),
    "normal of tensors": lambda m: m.normal(m.linspace(-1, 1, 40), m.linspace(0.1, 1, 40)),
    "xavier_normal_": lambda m: m.nn.init.xavier_normal_(m.empty(7, 9)),
    "kaiming_normal_": lambda m: m.nn.init.kaiming_normal_(m.empty(7, 9)),
    "trunc_normal_": lambda m: m.nn.init.trunc_normal_(m.empty(7, 9), std=0.02),
    "orthogonal_": lambda m: m.nn.init.orthogonal_(m.empty(5, 3)),
    "Embedding": lambda m: m.nn.Embedding(10, 4).weight,
}


@pytest.mark.parametrize("name", NORMAL_FUNCTIONS)
def test_functions_built_on_normal_numbers(name):
    assert_same_draws(NORMAL_FUNCTIONS[name], atol=2e-6)


def test_states_are_exchanged_both_ways():
    torch.manual_seed(5)
    torch.randn(3)
    tapegrad.set_rng_state(tapegrad.from_numpy(torch.get_rng_state().numpy()))
    np.testing.assert_array_equal(tapegrad.randn(7).numpy(), torch.randn(7).numpy())
    tapegrad.rand(700)
    torch.set_rng_state(torch.from_numpy(tapegrad.get_rng_state().numpy()))
    np.testing.assert_array_equal(tapegrad.rand(7).numpy(), torch.rand(7).numpy())
