"""Attention and Transformer layers beside PyTorch's."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tapegrad as tg  # noqa: E402

ENGINES = (tg, torch)


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def compare(run):
    ours, theirs = (list(run(engine)) for engine in ENGINES)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=2e-5)


def build(engine, name, *args, **options):
    engine.manual_seed(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(engine.nn, name)(*args, **options)


ATTENTION = {
    "self": ({}, {}),
    "batch first": ({"batch_first": True}, {}),
    "other sizes": ({"kdim": 3, "vdim": 5}, {}),
    "bias and zero": ({"add_bias_kv": True, "add_zero_attn": True}, {"mask": True, "padding": True}),
    "no bias": ({"bias": False}, {"need_weights": False}),
    "masks": ({}, {"mask": True, "padding": True, "average_attn_weights": False}),
}


@pytest.mark.parametrize("case", list(ATTENTION))
def test_attention(case):
    options, call = ATTENTION[case]

    def run(engine):
        layer = build(engine, "MultiheadAttention", 8, 2, **options)
        arguments = dict(call)
        x, k, v = (engine.tensor(random(4, 4, size)) for size in (8, layer.kdim, layer.vdim))
        if arguments.pop("mask", False):
            arguments["attn_mask"] = engine.ones(4, 4, dtype=engine.bool).triu(1)
        if arguments.pop("padding", False):
            arguments["key_padding_mask"] = engine.tensor([[False, False, False, True]] * 4)
        x.requires_grad_()
        output, weights = layer(x, k, v, **arguments)
        (output * output).sum().backward()
        return output, weights, x.grad, *[p.grad for p in layer.parameters()]

    compare(run)
    ours, theirs = (build(engine, "MultiheadAttention", 8, 2, **options) for engine in ENGINES)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6)


def test_unbatched_attention():
    def run(engine):
        x = engine.tensor(random(4, 8))
        return build(engine, "MultiheadAttention", 8, 2)(x, x, x)

    compare(run)


@pytest.mark.parametrize(
    "options", [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False}]
)
@pytest.mark.parametrize("train", [True, False])
def test_transformer(options, train):
    def run(engine):
        net = build(engine, "Transformer", 8, 2, 2, 1, 16, dropout=0.0, **options)
        net.train(train)
        source, target = engine.tensor(random(3, 3, 8)), engine.tensor(random(3, 3, 8))
        mask = net.generate_square_subsequent_mask(3)
        output = net(source, target, src_mask=mask, tgt_mask=mask)
        (output * source).sum().backward()
        return output, mask, *[p.grad for p in net.parameters()]

    compare(run)
    ours, theirs = (build(engine, "Transformer", 8, 2, 2, 1, 16, **options) for engine in ENGINES)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6)


def error_of(action, engine):
    with warnings.catch_warnings(), pytest.raises(Exception) as caught:
        warnings.simplefilter("ignore")
        action(engine)
    return type(caught.value), str(caught.value)


def attend(query, key, value, **options):
    return lambda e: e.nn.MultiheadAttention(4, 2)(
        e.zeros(query), e.zeros(key), e.zeros(value), **{name: make(e) for name, make in options.items()}
    )


SAME = ((5, 3, 4),) * 3
ERRORS = {
    "heads": lambda e: e.nn.MultiheadAttention(4, 3),
    "sizes": lambda e: e.nn.MultiheadAttention(0, 3),
    "width": attend((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    "key and value": attend((1, 3, 4), (1, 3, 4), (1, 2, 4)),
    "dims": attend((1,), (1, 3, 4), (1, 2, 4)),
    "mask shape": attend(*SAME, attn_mask=lambda e: e.zeros(2, 2)),
    "causal": attend(*SAME, is_causal=lambda e: True),
    "mask type": attend(*SAME, key_padding_mask=lambda e: e.zeros(3, 5, dtype=e.int64)),
    "batch": lambda e: e.nn.Transformer(4, 2, 1, 1)(e.zeros(5, 3, 4), e.zeros(5, 2, 4)),
    "features": lambda e: e.nn.Transformer(4, 2, 1, 1)(e.zeros(5, 3, 5), e.zeros(5, 3, 5)),
    "activation": lambda e: e.nn.TransformerEncoderLayer(4, 2, activation="x"),
}


@pytest.mark.parametrize("case", list(ERRORS))
def test_error_is_that_of_torch(case):
    assert error_of(ERRORS[case], tg) == error_of(ERRORS[case], torch)
