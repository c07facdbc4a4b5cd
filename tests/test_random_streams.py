"""Random numbers: the streams of PyTorch's CPU generator, value by value.

The recorded numbers come from PyTorch 2.13. Everything is equal bit by bit except normal numbers in blocks of
16 (16 numbers or more in a contiguous tensor): each library rounds logarithm, sine and cosine in its own way.
"""

import zlib

import numpy as np
import pytest

import tapegrad as torch

SEEDS = [0, 1, 42, 2147483647]

CASES = {
    "rand": lambda t: t.rand(4),
    "rand float64": lambda t: t.rand(3, dtype=t.float64),
    "uniform_": lambda t: t.empty(4).uniform_(-0.1, 0.7),
    "randn below 16": lambda t: t.randn(5),
    "randn float64 below 16": lambda t: t.randn(3, dtype=t.float64),
    "randn blocks": lambda t: t.randn(4, 5)[::3, ::2],
    "randn float64 blocks": lambda t: t.randn(17, dtype=t.float64)[::4],
    "normal_": lambda t: t.empty(33).normal_(-3, 0.5)[::8],
    "normal_ transposed": lambda t: t.empty(8, 5).t().normal_()[:, ::4],
    "normal of tensors": lambda t: t.normal(t.arange(4.0), t.arange(1.0, 5.0)),
    "randint": lambda t: t.randint(-5, 100, (8,)),
    "randint 64 bits": lambda t: t.randint(0, 2**40, (3,)),
    "random_ int8": lambda t: t.empty(6, dtype=t.int8).random_(),
    "random_ float32": lambda t: t.empty(4).random_(),
    "random_ int64": lambda t: t.empty(3, dtype=t.int64).random_(),
    "randperm": lambda t: t.randperm(10),
    "bernoulli_": lambda t: t.empty(12, dtype=t.int64).bernoulli_(0.3),
    "bernoulli": lambda t: t.bernoulli(t.linspace(0, 1, 12)),
    "bernoulli float64": lambda t: t.bernoulli(t.linspace(0, 1, 12, dtype=t.float64)),
    "exponential_": lambda t: t.empty(4).exponential_(2.5),
    "geometric_": lambda t: t.empty(8).geometric_(0.2),
    "cauchy_": lambda t: t.empty(4).cauchy_(0.5, 2),
    "log_normal_": lambda t: t.empty(4).log_normal_(0.5, 0.3),
    "multinomial": lambda t: t.multinomial(t.arange(1.0, 9.0), 4),
    "multinomial with replacement": lambda t: t.multinomial(t.arange(1.0, 9.0), 8, replacement=True),
    "dropout": lambda t: t.nn.functional.dropout(t.ones(8), 0.5),
    "Linear": lambda t: t.nn.Linear(2, 2).weight,
    "DataLoader": lambda t: t.cat(list(t.utils.data.DataLoader(t.arange(10), batch_size=5, shuffle=True))),
}

# In blocks of 16: a few units in the last place of the numbers that are added up to the result.
TOLERANCES = {
    "randn blocks": 5e-7,
    "randn float64 blocks": 1e-15,
    "normal_": 1e-6,
}

# Long streams of which only a checksum is kept.
LONG_CASES = {
    "rand": lambda t: t.rand(100_000),
    "rand float64": lambda t: t.rand(10_000, dtype=t.float64),
    "uniform_": lambda t: t.empty(10_000).uniform_(-0.1, 0.7),
    "randint": lambda t: t.randint(0, 1000, (10_000,)),
    "randint 64 bits": lambda t: t.randint(-(2**50), 2**50, (10_000,)),
    "randperm": lambda t: t.randperm(10_000),
    "bernoulli_": lambda t: t.empty(10_000).bernoulli_(0.3),
}

# For each of the seeds.
RECORDED = {
    "rand": [
        [0.4962566, 0.7682218, 0.08847743, 0.13203049],
        [0.7576316, 0.27931088, 0.40306926, 0.73468447],
        [0.88226926, 0.91500396, 0.38286376, 0.95930564],
        [0.70812887, 0.3542391, 0.10543233, 0.5996444],
    ],
    "rand float64": [
        [0.9700530018065531, 0.707819864399788, 0.45938294312745087],
        [0.06105327471962363, 0.2245545065676504, 0.23425251394483937],
        [0.05815448596142969, 0.06291016742457756, 0.12358607277440903],
        [0.6650313816112263, 0.843458957224422, 0.723553514275463],
    ],
    "uniform_": [
        [0.29700527, 0.51457745, -0.029218053, 0.0056243897],
        [0.5061053, 0.12344871, 0.22245541, 0.48774758],
        [0.6058154, 0.6320032, 0.206291, 0.6674445],
        [0.4665031, 0.18339129, -0.015654135, 0.37971553],
    ],
    "randn below 16": [
        [1.5409961, -0.2934289, -2.1787894, 0.56843126, -1.0845224],
        [0.66135216, 0.2669241, 0.06167726, 0.6213173, -0.45190597],
        [0.33669037, 0.1288094, 0.23446237, 0.23033303, -1.1228564],
        [-0.98000735, -1.6578479, -0.05716623, -0.3408541, 2.0991552],
    ],
    "randn float64 below 16": [
        [1.5409961082440433, -0.2934289057609464, -2.1787893820745574],
        [0.6613521715704522, 0.2669240982925188, 0.061677258237348306],
        [0.33669035438385886, 0.1288094051365897, 0.23446236336153173],
        [-0.9800073527194095, -1.6578479083048836, -0.057166228101822945],
    ],
    "randn blocks": [
        [-1.1258398, -0.25057858, 0.59883946, -0.84367675, 1.2590092, 0.053736903],
        [-1.5255959, -0.6539809, 0.8656924, -0.13162321, 0.33573052, 1.7163026],
        [1.9269153, 0.9007172, -0.75813115, 0.8598585, -0.3957105, -0.6215954],
        [1.567362, -0.027384605, 0.9848797, 0.7276178, -0.47550097, 1.1500211],
    ],
    "randn float64 blocks": [
        [
            -2.310411800234176,
            -0.019964750907762653,
            0.23871805816817063,
            -0.6870036940435463,
            0.6748575435940039,
        ],
        [
            -0.31128955419003207,
            0.8734455849426772,
            0.09412786590968454,
            -2.1010054062092243,
            -1.928583354008078,
        ],
        [
            0.2995562877502637,
            -0.03720300727052493,
            0.038435238263354446,
            0.39238484373268534,
            0.2494118796915765,
        ],
        [
            -0.9205077687466588,
            0.15966340372290908,
            1.2921661962245032,
            -0.3377138803595887,
            0.1044268041591008,
        ],
    ],
    "normal_": [
        [-3.5629199, -2.8388624, -3.6763268, -3.1079316, -2.3983881],
        [-3.7627978, -3.3560724, -3.3484862, -3.9410713, -1.7965109],
        [-2.0365424, -3.3760676, -2.1788416, -2.982544, -3.70903],
        [-2.216319, -2.9604318, -2.2191079, -2.239815, -2.6361256],
    ],
    "normal_ transposed": [
        [
            1.5409961,
            0.37039354,
            -0.2934289,
            1.4565026,
            -2.1787894,
            0.9398099,
            0.56843126,
            0.7748488,
            -1.0845224,
            0.19186942,
        ],
        [
            0.66135216,
            3.5869894,
            0.2669241,
            -1.8312901,
            0.06167726,
            1.5987003,
            0.6213173,
            -1.277007,
            -0.45190597,
            0.32550153,
        ],
        [
            0.33669037,
            1.3525478,
            0.1288094,
            0.6863219,
            0.23446237,
            -0.32775864,
            0.23033303,
            0.7949687,
            -1.1228564,
            0.28151956,
        ],
        [
            -0.98000735,
            1.1055715,
            -1.6578479,
            0.49829128,
            -0.05716623,
            0.3631191,
            -0.3408541,
            -0.9844765,
            2.0991552,
            -1.5109074,
        ],
    ],
    "normal of tensors": [
        [1.5409961, 0.4131422, -4.5363684, 5.273725],
        [0.66135216, 1.5338483, 2.185032, 5.4852695],
        [0.33669037, 1.2576188, 2.703387, 3.9213321],
        [-0.98000735, -2.3156958, 1.8285013, 1.6365836],
    ],
    "randint": [
        [69, 19, 93, 25, 38, 4, 92, 68],
        [65, 54, 34, 33, 68, 8, 51, 21],
        [52, -3, 41, 14, 76, 75, 35, 84],
        [91, 54, 89, 52, 63, 85, 39, 86],
    ],
    "randint 64 bits": [
        [741280623151, 506137267392, 291447657211],
        [163196666091, 605300724808, 1095766950793],
        [441507790259, 395924837646, 458615280711],
        [1030328332138, 677054612044, 385256718824],
    ],
    "random_ int8": [
        [44, 47, 117, 64, 67, 123],
        [37, 107, 12, 72, 127, 9],
        [102, 51, 92, 14, 106, 71],
        [111, 106, 29, 76, 89, 104],
    ],
    "random_ float32": [
        [8325664, 12888472, 1484222, 2214888],
        [12710843, 4685804, 6762196, 12325722],
        [14801927, 15351016, 6423145, 16094432],
        [11880331, 5942918, 1768693, 10060201],
    ],
    "random_ int64": [
        [900450186894289455, 3969543146641149120, 1895649597198586619],
        [7692698082559361259, 4064269471072392264, 2109959069025161],
        [6909045637428952499, 8314211556539077902, 4279532810384561223],
        [7256785470231326570, 2889900964408033868, 1591784259508961768],
    ],
    "randperm": [
        [4, 1, 7, 5, 3, 9, 0, 8, 6, 2],
        [5, 6, 1, 2, 0, 8, 9, 3, 7, 4],
        [2, 6, 1, 8, 4, 5, 0, 9, 3, 7],
        [1, 9, 7, 4, 0, 5, 6, 8, 3, 2],
    ],
    "bernoulli_": [
        [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1],
        [1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0],
        [0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0],
    ],
    "bernoulli": [
        [0, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1],
        [0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1],
    ],
    "bernoulli float64": [
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1],
        [0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1],
    ],
    "exponential_": [
        [1.4033304, 0.4921539, 0.24601763, 1.0140475],
        [0.025198614, 0.10172703, 0.10676113, 0.07796786],
        [0.023965606, 0.02599045, 0.05276671, 0.02160518],
        [0.43748736, 0.7417748, 0.5142952, 0.0238899],
    ],
    "geometric_": [
        [1, 2, 4, 1, 2, 2, 8, 5],
        [13, 7, 7, 8, 3, 10, 4, 2],
        [13, 13, 10, 14, 3, 4, 1, 1],
        [2, 1, 2, 13, 13, 1, 1, 12],
    ],
    "cauchy_": [
        [21.69546, 2.0295346, 0.24340132, 8.366147],
        [-9.799099, -1.8483465, -1.7083671, -2.7159035],
        [-10.324975, -9.487402, -4.3897486, -11.497279],
        [1.6410412, 4.2335215, 2.192504, -10.359014],
    ],
    "log_normal_": [
        [2.6177073, 1.5097911, 0.8575834, 1.9552721],
        [2.0105445, 1.7861763, 1.6795118, 1.9865415],
        [1.8239548, 1.7136796, 1.7688661, 1.7666762],
        [1.2287505, 1.0026492, 1.620687, 1.4884626],
    ],
    "multinomial": [[6, 7, 2, 4], [5, 3, 0, 6], [3, 1, 2, 0], [7, 4, 3, 6]],
    "multinomial with replacement": [
        [7, 6, 5, 7, 6, 7, 3, 4],
        [1, 3, 3, 3, 5, 2, 5, 6],
        [1, 1, 2, 1, 5, 5, 7, 7],
        [6, 7, 6, 1, 1, 7, 7, 1],
    ],
    "dropout": [
        [0, 0, 2, 0, 0, 0, 2, 2],
        [2, 2, 2, 2, 0, 2, 2, 0],
        [2, 2, 2, 2, 0, 2, 0, 0],
        [0, 0, 0, 2, 2, 0, 0, 2],
    ],
    "Linear": [
        [-0.005293981, 0.3793229, -0.58198076, -0.5203875],
        [0.3643461, -0.31210154, -0.13708077, 0.33189395],
        [0.5406104, 0.5869042, -0.16565566, 0.6495563],
        [0.29433867, -0.20613703, -0.55800295, 0.1409185],
    ],
    "DataLoader": [
        [6, 7, 1, 4, 2, 0, 9, 8, 3, 5],
        [4, 2, 0, 6, 8, 7, 9, 1, 5, 3],
        [8, 0, 9, 1, 4, 5, 6, 3, 2, 7],
        [7, 2, 6, 0, 1, 3, 4, 5, 8, 9],
    ],
}

RECORDED_CHECKSUMS = {
    "rand": [962640673, 2226933778, 3398032812, 1883660264],
    "rand float64": [3949863033, 2687093525, 662955362, 3559698868],
    "uniform_": [2027843793, 2228009071, 2115949866, 976361461],
    "randint": [1034302286, 3619676420, 605136292, 1017007744],
    "randint 64 bits": [3376896670, 861973426, 1316498386, 3119993814],
    "randperm": [1436982546, 492376632, 390638024, 3056795770],
    "bernoulli_": [2626056225, 2676127870, 787451948, 1714292381],
}

# Checksums of the generator's saved state after seeding, and after rand(700) and randn(3).
RECORDED_STATES = [
    (1831558866, 2199790951),
    (3380785255, 4027703650),
    (3998256470, 3925547571),
    (3822317895, 2537811027),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("index", range(len(SEEDS)), ids=SEEDS)
def test_values(case, index):
    torch.manual_seed(SEEDS[index])
    result = CASES[case](torch).detach().numpy().ravel()
    expected = np.array(RECORDED[case][index], dtype=result.dtype)
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCES.get(case, 0))


@pytest.mark.parametrize("case", LONG_CASES)
@pytest.mark.parametrize("index", range(len(SEEDS)), ids=SEEDS)
def test_long_streams(case, index):
    torch.manual_seed(SEEDS[index])
    assert zlib.crc32(LONG_CASES[case](torch).numpy().tobytes()) == RECORDED_CHECKSUMS[case][index]


@pytest.mark.parametrize("index", range(len(SEEDS)), ids=SEEDS)
def test_saved_state_is_pytorchs(index):
    def checksum():
        return zlib.crc32(torch.get_rng_state().numpy().tobytes())

    torch.manual_seed(SEEDS[index])
    seeded = checksum()
    torch.rand(700)
    torch.randn(3)
    assert (seeded, checksum()) == RECORDED_STATES[index]


def test_only_low_32_bits_of_the_seed_count():
    torch.manual_seed(42)
    expected = torch.rand(5).numpy()
    torch.manual_seed(42 + 2**32)
    np.testing.assert_array_equal(torch.rand(5).numpy(), expected)
    assert torch.initial_seed() == 42 + 2**32


def test_negative_seeds_wrap_around():
    generator = torch.manual_seed(-1)
    assert torch.initial_seed() == generator.initial_seed() == 2**64 - 1
    assert torch.rand(1).item() == np.float32(0.9937993884086609)
    with pytest.raises((RuntimeError, ValueError), match="^Overflow when unpacking long"):
        torch.manual_seed(2**64)


def test_seed_draws_a_new_seed():
    first, second = torch.seed(), torch.seed()
    assert first != second
    assert torch.initial_seed() == second


def test_generators_are_independent():
    assert torch.Generator().initial_seed() == 67280421310721
    own = torch.Generator().manual_seed(42)
    torch.manual_seed(0)
    np.testing.assert_array_equal(torch.rand(4, generator=own).numpy(), np.float32(RECORDED["rand"][2]))
    np.testing.assert_array_equal(torch.rand(4).numpy(), np.float32(RECORDED["rand"][0]))


def test_state_restores_the_stream_and_the_stored_normal():
    torch.manual_seed(3)
    torch.randn(3)  # leaves the fourth number in store
    state = torch.get_rng_state()
    expected = torch.randn(5).numpy()
    torch.manual_seed(4)
    torch.set_rng_state(state)
    np.testing.assert_array_equal(torch.randn(5).numpy(), expected)
    own = torch.Generator()
    own.set_state(state)
    np.testing.assert_array_equal(torch.randn(5, generator=own).numpy(), expected)


def test_fork_rng_restores_the_stream():
    torch.manual_seed(0)
    with torch.random.fork_rng():
        torch.rand(10)
    np.testing.assert_array_equal(torch.rand(4).numpy(), np.float32(RECORDED["rand"][0]))


def test_seeding_forgets_the_stored_normal():
    torch.manual_seed(0)
    torch.randn(1)
    torch.manual_seed(0)
    np.testing.assert_array_equal(torch.randn(5).numpy(), np.float32(RECORDED["randn below 16"][0]))


def test_bad_states_are_refused():
    generator = torch.Generator()
    before = generator.get_state()
    with pytest.raises(RuntimeError, match="^Expected a CPUGeneratorImplState of size 5056 but found"):
        generator.set_state(before[:100])
    with pytest.raises(RuntimeError, match="^Invalid mt19937 state"):
        generator.set_state(torch.zeros(5056, dtype=torch.uint8))
    with pytest.raises(TypeError, match="^RNG state must be a torch.ByteTensor"):
        generator.set_state(before.float())
    np.testing.assert_array_equal(generator.get_state().numpy(), before.numpy())


def test_states_that_point_beyond_their_end_are_refused():
    generator = torch.Generator()
    beyond_the_end = generator.get_state()
    beyond_the_end[8:12] = torch.tensor([100, 0, 0, 0], dtype=torch.uint8)
    beyond_the_end[16:18] = torch.tensor([0x70, 2], dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="^Invalid mt19937 state"):
        generator.set_state(beyond_the_end)


@pytest.mark.parametrize(
    "fill", [lambda: torch.rand(200_000), lambda: torch.randn(200_000)], ids=["rand", "randn"]
)
def test_numbers_do_not_depend_on_the_number_of_threads(fill):
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            torch.manual_seed(1)
            results.append(fill().numpy())
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_upper_bound_is_never_drawn():
    torch.manual_seed(0)
    sample = (
        torch.empty(20_000).uniform_(1e6, 1e6 + 1).numpy()
    )  # most of the numbers in between round to the bounds
    assert sample.max() < 1e6 + 1
    assert sample.min() == 1e6


@pytest.mark.parametrize("n", [1, 15, 16, 17, 1000])
def test_normal_numbers_are_normal(n):
    torch.manual_seed(n)
    sample = np.concatenate([torch.randn(n, dtype=torch.float64).numpy() for _ in range(20_000 // n + 1)])
    assert abs(sample.mean()) < 4 / np.sqrt(len(sample))
    assert abs(sample.std() - 1) < 4 / np.sqrt(2 * len(sample))
    assert abs((np.abs(sample) < 1).mean() - 0.6827) < 0.015
