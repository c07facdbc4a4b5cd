"""Every layer beside PyTorch's: signature, repr, state_dict, initial values, outputs and gradients."""

import inspect
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tapegrad as tg  # noqa: E402
from tapegrad.models import resnet18  # noqa: E402

F32 = np.float32


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(F32)


def unit(*shape):
    return np.random.default_rng(1).uniform(0.05, 0.95, shape).astype(F32)


def indices(high, *shape):
    return np.random.default_rng(2).integers(0, high, shape)


def signs(*shape):
    return (indices(2, *shape) * 2 - 1).astype(F32)


X = normal(4, 6)
IMAGE = normal(2, 4, 6, 6)
SEQUENCE = normal(2, 4, 9)
VOLUME = normal(2, 4, 4, 4, 4)

# (class, positional arguments, keyword arguments, inputs)
LAYERS = [
    ("Identity", (1, 2), {"x": 3}, [X]),
    ("Linear", (6, 3), {}, [X]),
    ("Linear", (6, 3), {"bias": False}, [X]),
    ("Bilinear", (6, 6, 2), {}, [X, normal(4, 6)]),
    ("LazyLinear", (3,), {}, [X]),
    ("ReLU", (), {}, [X]),
    ("ReLU", (), {"inplace": True}, [X]),
    ("ReLU6", (), {}, [X * 4]),
    ("LeakyReLU", (0.2,), {}, [X]),
    ("LeakyReLU", (), {"inplace": True}, [X]),
    ("ELU", (0.7,), {}, [X]),
    ("ELU", (), {"inplace": True}, [X]),
    ("SELU", (), {}, [X]),
    ("SELU", (True,), {}, [X]),
    ("CELU", (0.5,), {}, [X]),
    ("CELU", (), {"inplace": True}, [X]),
    ("GELU", (), {}, [X]),
    ("GELU", ("tanh",), {}, [X]),
    ("SiLU", (), {}, [X]),
    ("SiLU", (), {"inplace": True}, [X]),
    ("Mish", (), {}, [X]),
    ("Mish", (True,), {}, [X]),
    ("Sigmoid", (), {}, [X]),
    ("Tanh", (), {}, [X]),
    ("LogSigmoid", (), {}, [X]),
    ("Softplus", (2.0, 1.0), {}, [X]),
    ("Softsign", (), {}, [X]),
    ("Tanhshrink", (), {}, [X]),
    ("Hardshrink", (0.4,), {}, [X]),
    ("Softshrink", (0.4,), {}, [X]),
    ("Hardtanh", (-0.5, 0.7), {}, [X]),
    ("Hardtanh", (), {"inplace": True}, [X]),
    ("Hardsigmoid", (), {}, [X * 3]),
    ("Hardswish", (), {}, [X * 3]),
    ("Hardswish", (True,), {}, [X * 3]),
    ("Threshold", (0.1, 2.0), {}, [X]),
    ("Threshold", (0.1, 2.0, True), {}, [X]),
    ("PReLU", (), {}, [X]),
    ("PReLU", (6,), {"init": 0.1}, [X]),
    ("GLU", (), {}, [X]),
    ("Softmax", (1,), {}, [X]),
    ("LogSoftmax", (), {"dim": 0}, [X]),
    ("Softmin", (1,), {}, [X]),
    ("Softmax2d", (), {}, [IMAGE]),
    ("Flatten", (), {}, [IMAGE]),
    ("Flatten", (0, 1), {}, [IMAGE]),
    ("Unflatten", (1, (2, 3)), {}, [X]),
    ("Dropout", (0.3,), {}, [X]),
    ("Dropout", (0.3, True), {}, [X]),
    ("Dropout1d", (0.4,), {}, [SEQUENCE]),
    ("Dropout2d", (0.4,), {}, [IMAGE]),
    ("Dropout3d", (0.4,), {}, [VOLUME]),
    ("AlphaDropout", (0.4,), {}, [X]),
    ("FeatureAlphaDropout", (0.4,), {}, [IMAGE]),
    ("Embedding", (7, 3), {}, [indices(7, 4, 5)]),
    ("Embedding", (7, 3), {"padding_idx": -2, "scale_grad_by_freq": False}, [indices(7, 4, 5)]),
    ("Embedding", (7, 3), {"max_norm": 1.0, "norm_type": 1.5}, [indices(7, 4)]),
    ("EmbeddingBag", (7, 3), {}, [indices(7, 4, 5)]),
    ("EmbeddingBag", (7, 3), {"mode": "sum"}, [indices(7, 6), np.array([0, 2, 3])]),
    ("Conv1d", (4, 6, 3), {"padding": 1, "stride": 2}, [SEQUENCE]),
    ("Conv2d", (4, 6, 3), {}, [IMAGE]),
    ("Conv2d", (4, 6, (3, 2)), {"padding": (1, 0), "dilation": 2, "groups": 2, "bias": False}, [IMAGE]),
    ("Conv2d", (4, 2, 3), {"padding": "same"}, [IMAGE]),
    ("Conv2d", (4, 2, 3), {"padding": 1, "padding_mode": "reflect"}, [IMAGE]),
    ("Conv2d", (4, 2, 3), {"padding": (1, 2), "padding_mode": "circular"}, [IMAGE]),
    ("Conv3d", (4, 2, 2), {}, [VOLUME]),
    ("LazyConv2d", (3, 3), {}, [IMAGE]),
    ("ConvTranspose1d", (4, 3, 3), {"stride": 2}, [SEQUENCE]),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, [IMAGE]),
    ("ConvTranspose3d", (4, 2, 2), {}, [VOLUME]),
    ("BatchNorm1d", (6,), {}, [X]),
    ("BatchNorm1d", (4,), {"momentum": None}, [SEQUENCE]),
    ("BatchNorm2d", (4,), {"eps": 1e-3, "momentum": 0.3}, [IMAGE]),
    ("BatchNorm2d", (4,), {"affine": False}, [IMAGE]),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, [IMAGE]),
    ("BatchNorm3d", (4,), {"bias": False}, [VOLUME]),
    ("LazyBatchNorm2d", (), {}, [IMAGE]),
    ("InstanceNorm1d", (4,), {}, [SEQUENCE]),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, [IMAGE]),
    ("LayerNorm", (6,), {}, [X]),
    ("LayerNorm", ((6, 6),), {"bias": False}, [IMAGE]),
    ("LayerNorm", (6, 1e-3, False), {}, [X]),
    ("GroupNorm", (2, 4), {}, [IMAGE]),
    ("RMSNorm", (6,), {}, [X]),
    ("RMSNorm", (6, 1e-3), {"elementwise_affine": False}, [X]),
    ("LocalResponseNorm", (3,), {}, [IMAGE]),
    ("MaxPool1d", (2,), {}, [SEQUENCE]),
    ("MaxPool2d", (3, 2), {"padding": 1}, [IMAGE]),
    ("MaxPool2d", (2,), {"stride": 3, "ceil_mode": True}, [IMAGE]),
    ("MaxPool3d", (2,), {}, [VOLUME]),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1}, [SEQUENCE]),
    ("AvgPool2d", (2,), {}, [IMAGE]),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, [IMAGE]),
    ("AvgPool3d", (2,), {}, [VOLUME]),
    ("AdaptiveAvgPool1d", (4,), {}, [SEQUENCE]),
    ("AdaptiveAvgPool2d", ((1, 1),), {}, [IMAGE]),
    ("AdaptiveAvgPool2d", ((None, 4),), {}, [IMAGE]),
    ("LPPool1d", (2, 3), {}, [SEQUENCE]),
    ("LPPool2d", (2, 2), {}, [IMAGE]),
    ("ConstantPad1d", (2, 3.5), {}, [SEQUENCE]),
    ("ConstantPad2d", ((1, 0, -1, 2), 3.5), {}, [IMAGE]),
    ("ZeroPad2d", ((1, 0, -1, 2),), {}, [IMAGE]),
    ("ReflectionPad1d", (2,), {}, [SEQUENCE]),
    ("ReflectionPad2d", ((1, 2, 0, 3),), {}, [IMAGE]),
    ("ReplicationPad2d", (2,), {}, [IMAGE]),
    ("CircularPad2d", ((1, 2, 0, 3),), {}, [IMAGE]),
    ("Upsample", (), {"scale_factor": 2}, [IMAGE]),
    ("Upsample", ((9, 4),), {"mode": "bilinear"}, [IMAGE]),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "bicubic"}, [IMAGE]),
    ("Upsample", (13,), {"mode": "linear", "align_corners": True}, [SEQUENCE]),
    ("Upsample", (), {"size": (5, 3, 7), "mode": "trilinear"}, [VOLUME]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [IMAGE]),
    ("UpsamplingNearest2d", ((4, 5),), {}, [IMAGE]),
    ("PixelShuffle", (2,), {}, [IMAGE]),
    ("PixelUnshuffle", (3,), {}, [IMAGE]),
    ("ChannelShuffle", (2,), {}, [IMAGE]),
    ("CosineSimilarity", (), {}, [X, unit(4, 6)]),
    ("PairwiseDistance", (), {"keepdim": True}, [X, unit(4, 6)]),
    ("L1Loss", (), {}, [X, unit(4, 6)]),
    ("MSELoss", (), {}, [X, unit(4, 6)]),
    ("MSELoss", (), {"reduction": "none"}, [X, unit(4, 6)]),
    ("SmoothL1Loss", (), {"beta": 0.5}, [X, unit(4, 6)]),
    ("HuberLoss", ("sum", 0.7), {}, [X, unit(4, 6)]),
    ("NLLLoss", (), {}, [X, indices(6, 4)]),
    ("CrossEntropyLoss", (), {}, [X, indices(6, 4)]),
    ("CrossEntropyLoss", (), {"ignore_index": 3, "reduction": "sum"}, [X, indices(6, 4)]),
    ("CrossEntropyLoss", (), {"label_smoothing": 0.1}, [X, indices(6, 4)]),
    ("CrossEntropyLoss", (), {}, [X, unit(4, 6)]),
    ("CrossEntropyLoss", (), {}, [IMAGE, indices(4, 2, 6, 6)]),
    ("BCELoss", (), {}, [unit(4, 6), unit(4, 6)[::-1].copy()]),
    ("BCEWithLogitsLoss", (), {}, [X, unit(4, 6)]),
    ("KLDivLoss", (), {"reduction": "batchmean"}, [X, unit(4, 6)]),
    ("KLDivLoss", (), {"reduction": "sum", "log_target": True}, [X, unit(4, 6)]),
    ("PoissonNLLLoss", (), {"full": True}, [X, indices(5, 4, 6).astype(F32)]),
    ("GaussianNLLLoss", (), {"full": True}, [X, unit(4, 6), unit(4, 6)]),
    ("HingeEmbeddingLoss", (), {}, [X, signs(4, 6)]),
    ("MarginRankingLoss", (), {"margin": 0.3}, [X, unit(4, 6), signs(4, 6)]),
    ("SoftMarginLoss", (), {}, [X, signs(4, 6)]),
    ("MultiLabelSoftMarginLoss", (), {}, [X, indices(2, 4, 6).astype(F32)]),
    ("MultiMarginLoss", (2,), {}, [X, indices(6, 4)]),
    ("CosineEmbeddingLoss", (), {"margin": 0.2}, [X, unit(4, 6), signs(4)]),
    ("TripletMarginLoss", (), {"swap": True}, [X, unit(4, 6), normal(4, 6)[::-1].copy()]),
    ("TripletMarginWithDistanceLoss", (), {}, [X, unit(4, 6), normal(4, 6)[::-1].copy()]),
]
IDS = [f"{i}-{name}" for i, (name, *_) in enumerate(LAYERS)]


def build(engine, name, args, kwargs):
    engine.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(engine.nn, name)(*args, **kwargs)


def run(engine, layer, inputs):
    """Output, gradients of the float inputs (not of targets) and of the parameters, as arrays."""
    tensors = [engine.tensor(x) for x in inputs]
    leaves = [t for t in tensors if t.is_floating_point()]
    if isinstance(layer, engine.nn.modules.loss._Loss):
        leaves = leaves[:1]
    for leaf in leaves:
        leaf.requires_grad_()
    engine.manual_seed(9)
    inplace = getattr(layer, "inplace", False)
    output = layer(*[t * 1.0 if inplace else t for t in tensors])
    (output * output + output).sum().backward()
    grads = [t.grad for t in [*leaves, *layer.parameters()]]
    return [output.detach().numpy()] + [None if g is None else g.numpy() for g in grads]


@pytest.mark.parametrize(("name", "args", "kwargs", "inputs"), LAYERS, ids=IDS)
def test_layer_computes_as_torch(name, args, kwargs, inputs):
    layers = [build(engine, name, args, kwargs) for engine in (tg, torch)]
    ours, theirs = (run(engine, layer, inputs) for engine, layer in zip((tg, torch), layers))
    for a, b in zip(ours, theirs, strict=True):
        if b is None:
            assert a is None or not a.any()
        else:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "args", "kwargs", "inputs"), LAYERS, ids=IDS)
def test_layer_looks_as_in_torch(name, args, kwargs, inputs):
    ours, theirs = (build(engine, name, args, kwargs) for engine in (tg, torch))
    assert repr(ours) == repr(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours(*[tg.tensor(x) for x in inputs])
        theirs(*[torch.tensor(x) for x in inputs])
    assert repr(ours) == repr(theirs)
    ours_state, theirs_state = (
        build(tg, name, args, kwargs).state_dict(),
        build(torch, name, args, kwargs).state_dict(),
    )
    assert list(ours_state) == list(theirs_state)
    if not name.startswith("Lazy"):
        for key in ours_state:
            np.testing.assert_allclose(ours_state[key], theirs_state[key], rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", ["Dropout", "BatchNorm2d", "AlphaDropout", "InstanceNorm2d"])
def test_evaluation_mode_computes_as_torch(name):
    argument = 0.5 if "Dropout" in name else 4
    layers = [getattr(engine.nn, name)(argument).eval() for engine in (tg, torch)]
    ours, theirs = (run(engine, layer, [IMAGE]) for engine, layer in zip((tg, torch), layers))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def parameters_of(function):
    def plain(default):
        return getattr(default, "__name__", default) if callable(default) else default

    return [(p.name, p.kind, plain(p.default)) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", [n for n in tg.nn.modules.__all__ if n not in ("Module",)])
def test_constructor_has_the_signature_of_torch(name):
    ours, theirs = parameters_of(getattr(tg.nn, name)), parameters_of(getattr(torch.nn, name))
    if (
        theirs[:1] and theirs[0][0] == "args" and not ours
    ):  # torch passes on to a constructor without arguments
        return
    assert ours == theirs


def written_in_python(name):
    return inspect.isfunction(getattr(tg.nn.functional, name)) and inspect.isfunction(
        getattr(torch.nn.functional, name)
    )


@pytest.mark.parametrize("name", [name for name in tg.nn.functional.__all__ if written_in_python(name)])
def test_function_has_the_signature_of_torch(name):
    theirs = parameters_of(getattr(torch.nn.functional, name))
    if theirs[0][0] == "args":  # torch chooses between two functions by return_indices
        theirs = parameters_of(getattr(torch.nn.functional, name + "_with_indices"))
    assert parameters_of(getattr(tg.nn.functional, name)) == theirs


def public_methods(cls):
    return {name for name, value in vars(cls).items() if callable(value) and not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(public_methods(torch.nn.Module) - {"ipu", "xpu", "mtia"}))
def test_module_method_has_the_signature_of_torch(name):
    assert parameters_of(getattr(tg.nn.Module, name)) == parameters_of(getattr(torch.nn.Module, name))


INITS = [
    ("uniform_", (5, 4), {"a": -1.0, "b": 2.0}),
    ("normal_", (5, 4), {"mean": 1.0, "std": 3.0}),
    ("trunc_normal_", (50, 4), {"std": 2.0, "a": -1.0, "b": 3.0}),
    ("constant_", (5, 4), {"val": 0.5}),
    ("ones_", (5, 4), {}),
    ("zeros_", (5, 4), {}),
    ("eye_", (5, 4), {}),
    ("dirac_", (6, 2, 3, 3), {"groups": 3}),
    ("dirac_", (4, 4, 5), {}),
    ("xavier_uniform_", (5, 4, 3), {"gain": 2.0}),
    ("xavier_normal_", (5, 4), {}),
    ("kaiming_uniform_", (5, 4, 3, 3), {"a": 1.0, "mode": "fan_out"}),
    ("kaiming_normal_", (5, 4), {"nonlinearity": "relu"}),
    ("orthogonal_", (5, 8), {}),
    ("orthogonal_", (8, 2, 2), {"gain": 2.0}),
    ("sparse_", (10, 4), {"sparsity": 0.3}),
]


@pytest.mark.parametrize(("name", "shape", "kwargs"), INITS)
def test_init_draws_what_torch_draws(name, shape, kwargs):
    results = []
    for engine in (tg, torch):
        engine.manual_seed(3)
        tensor = engine.empty(shape)
        assert getattr(engine.nn.init, name)(tensor, **kwargs) is tensor
        results.append(tensor.numpy())
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in tg.nn.init.__all__ if n.endswith("_") or n == "calculate_gain"])
def test_init_has_the_signature_of_torch(name):
    assert parameters_of(getattr(tg.nn.init, name)) == parameters_of(getattr(torch.nn.init, name))


GAINS = [("linear", None), ("conv2d", None), ("conv_transpose3d", None), ("sigmoid", None), ("tanh", None)]


@pytest.mark.parametrize(
    ("kind", "param"), [*GAINS, ("relu", None), ("leaky_relu", None), ("leaky_relu", 0.3), ("selu", None)]
)
def test_gain(kind, param):
    assert tg.nn.init.calculate_gain(kind, param) == torch.nn.init.calculate_gain(kind, param)


def model(engine):
    nn = engine.nn
    engine.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.ModuleDict({"a": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 3), nn.Tanh()])}),
        nn.ParameterList([engine.zeros(2), engine.ones(2, 3), "text"]),
        nn.ParameterDict({"x": engine.zeros(3)}),
        nn.Sequential(),
    )


def test_containers_print_as_in_torch():
    assert repr(model(tg)) == repr(model(torch))


def test_state_dicts_are_interchangeable():
    ours, theirs = model(tg), model(torch)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert dict(ours.state_dict()._metadata) == dict(theirs.state_dict()._metadata)
    carried = {key: tg.from_numpy(value.numpy().copy()) for key, value in theirs.state_dict().items()}
    assert repr(ours.load_state_dict(carried)) == "<All keys matched successfully>"


def error_of(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def words_of(error):
    return [word.rstrip(".,;:") for word in str(error).replace("tapegrad.", "torch.").split()]


def same_error(action, words=None):
    """The same class, and a text that begins with torch's (or with its first `words` words)."""
    ours, theirs = error_of(lambda: action(tg)), error_of(lambda: action(torch))
    assert type(ours) is type(theirs)
    expected = words_of(theirs)[:words]
    assert words_of(ours)[: len(expected)] == expected


def loads(build_state):
    def action(engine):
        engine.nn.Linear(2, 3).load_state_dict(build_state(engine))

    return action


def assigns(name, make):
    def action(engine):
        setattr(engine.nn.Linear(2, 3), name, make(engine))

    return action


ERRORS = {
    "missing": loads(lambda e: {"weight": e.zeros(3, 2)}),
    "unexpected": loads(
        lambda e: {"weight": e.zeros(3, 2), "bias": e.zeros(3), "other": e.zeros(1), "a.b": e.zeros(1)}
    ),
    "shapes": loads(lambda e: {"weight": e.zeros(2, 2), "bias": e.zeros(4)}),
    "not a tensor": loads(lambda e: {"weight": 3, "bias": e.zeros(3)}),
    "not a dict": loads(lambda e: [1]),
    "parameter": assigns("weight", lambda e: e.zeros(3, 2)),
    "parameter from list": assigns("weight", lambda e: [1, 2]),
    "unknown attribute": lambda e: e.nn.Linear(2, 3).nothing,
    "no init": lambda e: type(
        "M", (e.nn.Module,), {"__init__": lambda self: setattr(self, "x", e.nn.Linear(1, 1))}
    )(),
    "no init parameter": lambda e: type(
        "M", (e.nn.Module,), {"__init__": lambda self: setattr(self, "x", e.nn.Parameter(e.zeros(1)))}
    )(),
    "keyword": lambda e: e.nn.ReLU().__init__(size=3),
    "module keyword": lambda e: e.nn.Module(size=3),
    "module positional": lambda e: e.nn.Module(3),
    "no forward": lambda e: e.nn.Module()(1),
    "buffer dot": lambda e: e.nn.Module().register_buffer("a.b", None),
    "buffer empty": lambda e: e.nn.Module().register_buffer("", None),
    "buffer name type": lambda e: e.nn.Module().register_buffer(3, None),
    "buffer exists": lambda e: e.nn.Linear(1, 1).register_buffer("weight", None),
    "buffer value": lambda e: e.nn.Module().register_buffer("a", [1]),
    "parameter dot": lambda e: e.nn.Module().register_parameter("a.b", None),
    "parameter value": lambda e: e.nn.Module().register_parameter("a", e.zeros(2)),
    "parameter exists": lambda e: e.nn.Linear(1, 1).register_parameter("forward", None),
    "module value": lambda e: e.nn.Module().add_module("a", 3),
    "module dot": lambda e: e.nn.Module().add_module("a.b", None),
    "child replaced": lambda e: setattr(model(e)[3]["a"], "0", 3),
    "train mode": lambda e: e.nn.Linear(1, 1).train(2),
    "submodule": lambda e: model(e).get_submodule("0.weight"),
    "submodule missing": lambda e: model(e).get_submodule("3.b"),
    "get parameter": lambda e: model(e).get_parameter("1.running_mean"),
    "get buffer": lambda e: model(e).get_buffer("1.weight"),
    "index": lambda e: model(e)[9],
    "integer dtype": lambda e: e.nn.Linear(1, 1).to(e.int64),
    "sequential add": lambda e: e.nn.Sequential() + 3,
    "module list": lambda e: e.nn.ModuleList(3),
    "module dict": lambda e: e.nn.ModuleDict(3),
    "module dict pair": lambda e: e.nn.ModuleDict([(1, 2, 3)]),
    "groups": lambda e: e.nn.Conv2d(3, 4, 1, groups=2),
    "padding mode": lambda e: e.nn.Conv2d(3, 4, 1, padding="full"),
    "batch norm dims": lambda e: e.nn.BatchNorm2d(3)(e.zeros(2, 3)),
    "batch norm one value": lambda e: e.nn.BatchNorm1d(3)(e.zeros(1, 3)),
    "dropout p": lambda e: e.nn.Dropout(1.5),
    "reduction": lambda e: e.nn.L1Loss(reduction="median")(e.zeros(2), e.zeros(2)),
    "bce sizes": lambda e: e.nn.BCELoss()(e.zeros(2), e.zeros(3)),
    "bce logits sizes": lambda e: e.nn.BCEWithLogitsLoss()(e.zeros(2), e.zeros(3)),
    "init fan": lambda e: e.nn.init.xavier_uniform_(e.zeros(3)),
    "init mode": lambda e: e.nn.init.kaiming_uniform_(e.zeros(3, 3), mode="fan"),
    "init gain": lambda e: e.nn.init.calculate_gain("gelu"),
    "init slope": lambda e: e.nn.init.calculate_gain("leaky_relu", "x"),
    "init eye": lambda e: e.nn.init.eye_(e.zeros(3)),
    "init dirac": lambda e: e.nn.init.dirac_(e.zeros(3, 3)),
    "init orthogonal": lambda e: e.nn.init.orthogonal_(e.zeros(3)),
    "init sparse": lambda e: e.nn.init.sparse_(e.zeros(3), 0.1),
    "parameter data": lambda e: e.nn.Module().register_parameter("a", [1]),
}


@pytest.mark.parametrize("case", list(ERRORS))
def test_error_is_that_of_torch(case):
    same_error(ERRORS[case], words=8 if case == "padding mode" else None)  # torch prints a set there


def test_resnet18_has_the_structure_of_the_known_checkpoints():
    net = resnet18()
    state = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) == 11_689_512
    assert len(state) == 122
    assert list(state)[:3] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert state["layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert list(state)[-2:] == ["fc.weight", "fc.bias"]
    with pytest.raises(ValueError, match="no trained weights"):
        resnet18(pretrained=True)
