"""Recurrent layers and packed sequences beside PyTorch's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tapegrad as tg  # noqa: E402

ENGINES = (tg, torch)
LAYERS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bias": False}),
    ("GRU", {"bias": False}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
]
IDS = [f"{i}-{name}" for i, (name, _) in enumerate(LAYERS)]


def random(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def build(engine, name, options):
    engine.manual_seed(1)
    return getattr(engine.nn, name)(3, 4, **options)


def flat(value):
    if isinstance(value, tuple | list):
        return [item for part in value if part is not None for item in flat(part)]
    return [value]


def compare(run):
    """run(engine) returns tensors (and tuples of them); they must agree."""
    ours, theirs = (flat(run(engine)) for engine in ENGINES)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


def state_for(engine, name, options, batch):
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    h = engine.tensor(random(rows, batch, options.get("proj_size", 4)))
    return (h, engine.tensor(random(rows, batch, 4))) if name == "LSTM" else h


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=IDS)
@pytest.mark.parametrize("with_state", [False, True])
def test_padded_batch(name, options, with_state):
    def run(engine):
        layer = build(engine, name, options)
        shape = (2, 5, 3) if options.get("batch_first") else (5, 2, 3)
        x = engine.tensor(random(*shape)).requires_grad_()
        hx = state_for(engine, name, options, 2) if with_state else None
        output, state = layer(x, hx)
        ((output * output).sum() + sum(part.sum() for part in flat(state))).backward()
        return output, state, x.grad, [p.grad for p in layer.parameters()]

    compare(run)


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=IDS)
@pytest.mark.parametrize("with_state", [False, True])
def test_packed_batch(name, options, with_state):
    def run(engine):
        rnn = engine.nn.utils.rnn
        layer = build(engine, name, options)
        x = engine.tensor(random(5, 3, 3)).requires_grad_()
        packed = rnn.pack_padded_sequence(x, [2, 5, 3], enforce_sorted=False)
        output, state = layer(packed, state_for(engine, name, options, 3) if with_state else None)
        padded, lengths = rnn.pad_packed_sequence(output, batch_first=True, padding_value=7.0, total_length=6)
        ((padded * padded).sum() + sum(part.sum() for part in flat(state))).backward()
        return padded, lengths, state, x.grad, [p.grad for p in layer.parameters()]

    compare(run)


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=IDS)
def test_unbatched_sequence_names_and_repr(name, options):
    compare(lambda engine: build(engine, name, options)(engine.tensor(random(5, 3))))
    ours, theirs = (build(engine, name, options) for engine in ENGINES)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


CELLS = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}),
    ("LSTMCell", {}),
    ("GRUCell", {}),
]


@pytest.mark.parametrize(("name", "options"), CELLS)
def test_cell(name, options):
    def run(engine):
        cell = build(engine, name, options)
        first = cell(engine.tensor(random(2, 3)))
        second = cell(engine.tensor(random(2, 3)), first)
        flat(second)[0].sum().backward()
        return first, second, cell(engine.tensor(random(3))), [p.grad for p in cell.parameters()]

    compare(run)
    ours, theirs = (build(engine, name, options) for engine in ENGINES)
    assert repr(ours) == repr(theirs)


def test_dropout_between_layers_in_evaluation():
    options = {"num_layers": 2, "dropout": 0.5}
    compare(lambda engine: build(engine, "GRU", options).eval()(engine.tensor(random(5, 2, 3))))


def sequences(engine):
    return [engine.tensor(random(n, 2)) for n in (3, 1, 4)]


PACKING = {
    "pad": lambda rnn, e: rnn.pad_sequence(sequences(e), padding_value=2.0),
    "pad left": lambda rnn, e: rnn.pad_sequence(sequences(e), batch_first=True, padding_side="left"),
    "pack": lambda rnn, e: tuple(rnn.pack_sequence(sequences(e), enforce_sorted=False)),
    "unpack": lambda rnn, e: rnn.unpack_sequence(rnn.pack_sequence(sequences(e), enforce_sorted=False)),
    "unpad": lambda rnn, e: rnn.unpad_sequence(e.tensor(random(4, 3, 2)), e.tensor([3, 1, 4])),
    "invert": lambda rnn, e: rnn.invert_permutation(e.tensor([2, 0, 1])),
}


@pytest.mark.parametrize("case", list(PACKING))
def test_packing(case):
    compare(lambda engine: PACKING[case](engine.nn.utils.rnn, engine))


def error_of(action, engine):
    with pytest.raises(Exception) as caught:
        action(engine)
    return type(caught.value), str(caught.value).replace("tapegrad.", "torch.")


ERRORS = {
    "dims": lambda e: e.nn.LSTM(2, 3)(e.zeros(4)),
    "input size": lambda e: e.nn.LSTM(2, 3)(e.zeros(4, 1, 3)),
    "hidden": lambda e: e.nn.LSTM(2, 3)(e.zeros(4, 1, 2), (e.zeros(1, 2, 3), e.zeros(1, 2, 3))),
    "cell": lambda e: e.nn.LSTM(2, 3)(e.zeros(4, 1, 2), (e.zeros(1, 1, 3), e.zeros(1, 2, 3))),
    "gru hidden": lambda e: e.nn.GRU(2, 3)(e.zeros(4, 1, 2), e.zeros(1, 2, 3)),
    "batched hidden": lambda e: e.nn.GRU(2, 3)(e.zeros(4, 1, 2), e.zeros(1, 3)),
    "unbatched hidden": lambda e: e.nn.GRU(2, 3)(e.zeros(4, 2), e.zeros(1, 1, 3)),
    "unbatched state": lambda e: e.nn.LSTM(2, 3)(e.zeros(4, 2), (e.zeros(1, 1, 3), e.zeros(1, 1, 3))),
    "cell input": lambda e: e.nn.LSTMCell(2, 3)(e.zeros(4)),
    "cell dims": lambda e: e.nn.LSTMCell(2, 3)(e.zeros(1, 1, 2)),
    "cell batch": lambda e: e.nn.GRUCell(2, 3)(e.zeros(1, 2), e.zeros(2, 3)),
    "nonlinearity": lambda e: e.nn.RNN(2, 3, nonlinearity="x"),
    "cell nonlinearity": lambda e: e.nn.RNNCell(2, 3, nonlinearity="x")(e.zeros(1, 2)),
    "dropout": lambda e: e.nn.RNN(2, 3, dropout=2),
    "projection": lambda e: e.nn.GRU(2, 3, proj_size=2),
    "large projection": lambda e: e.nn.LSTM(2, 3, proj_size=3),
    "hidden size": lambda e: e.nn.LSTM(2, 0),
    "layers": lambda e: e.nn.LSTM(2, 3, 0),
    "types": lambda e: e.nn.LSTM(2.0, 3),
    "missing": lambda e: e.nn.LSTM(2),
    "unsorted": lambda e: e.nn.utils.rnn.pack_padded_sequence(e.zeros(3, 2), [1, 2]),
    "empty": lambda e: e.nn.utils.rnn.pack_padded_sequence(e.zeros(3, 2), [1, 0], enforce_sorted=False),
    "lengths": lambda e: e.nn.utils.rnn.pack_padded_sequence(e.zeros(3, 2), [3, 2, 1]),
    "pad": lambda e: e.nn.utils.rnn.pad_sequence(3),
}


@pytest.mark.parametrize("case", list(ERRORS))
def test_error_is_that_of_torch(case):
    assert error_of(ERRORS[case], tg) == error_of(ERRORS[case], torch)
