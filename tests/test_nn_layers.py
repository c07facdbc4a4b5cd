"""Layers, losses, init and the helpers of nn.utils: values worked out by hand or by another formula."""

import math
import warnings

import numpy as np
import pytest

import tapegrad as torch
import tapegrad.nn.functional as F
from tapegrad import nn
from tapegrad.models import ResNet, resnet18, resnet50
from tapegrad.models.resnet import BasicBlock


def close(tensor, expected, tolerance=1e-5):
    np.testing.assert_allclose(tensor.detach().numpy(), np.asarray(expected), rtol=tolerance, atol=tolerance)


X = [-2.0, -0.5, 0.0, 0.5, 2.0]


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.ReLU(), lambda x: max(x, 0)),
        (nn.ReLU6(), lambda x: min(max(x, 0), 6)),
        (nn.LeakyReLU(0.1), lambda x: x if x > 0 else 0.1 * x),
        (nn.ELU(0.5), lambda x: x if x > 0 else 0.5 * math.expm1(x)),
        (nn.CELU(0.5), lambda x: x if x > 0 else 0.5 * math.expm1(x / 0.5)),
        (nn.SELU(), lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x))),
        (nn.GELU(), lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
        (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
        (nn.Mish(), lambda x: x * math.tanh(math.log1p(math.exp(x)))),
        (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
        (nn.Tanh(), math.tanh),
        (nn.LogSigmoid(), lambda x: -math.log1p(math.exp(-x))),
        (nn.Softplus(beta=2), lambda x: math.log1p(math.exp(2 * x)) / 2),
        (nn.Softsign(), lambda x: x / (1 + abs(x))),
        (nn.Tanhshrink(), lambda x: x - math.tanh(x)),
        (nn.Hardshrink(0.6), lambda x: x if abs(x) > 0.6 else 0),
        (nn.Softshrink(0.4), lambda x: math.copysign(max(abs(x) - 0.4, 0), x)),
        (nn.Hardtanh(-1, 0.3), lambda x: min(max(x, -1), 0.3)),
        (nn.Hardsigmoid(), lambda x: min(max(x + 3, 0), 6) / 6),
        (nn.Hardswish(), lambda x: x * min(max(x + 3, 0), 6) / 6),
        (nn.Threshold(0.2, 7.0), lambda x: x if x > 0.2 else 7.0),
        (nn.PReLU(init=0.3), lambda x: x if x > 0 else 0.3 * x),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_activation(layer, formula):
    x = torch.tensor(X, requires_grad=True)
    y = layer(x)
    close(y, [formula(v) for v in X])
    y.sum().backward()
    step = 1e-6
    for value, slope in zip(X, x.grad.tolist(), strict=True):
        if abs(value) > 0.1:  # kinks are at zero
            assert slope == pytest.approx(
                (formula(value + step) - formula(value - step)) / (2 * step), abs=1e-4
            )


@pytest.mark.parametrize(
    "kind", [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.Mish, nn.Hardtanh, nn.ReLU6]
)
def test_inplace_activation(kind):
    x = torch.tensor(X)
    expected = kind()(x)
    y = kind(inplace=True)(x)
    assert y is x
    close(x, expected.numpy())
    leaf = torch.tensor(X, requires_grad=True)
    kind(inplace=True)(leaf * 1).sum().backward()
    other = torch.tensor(X, requires_grad=True)
    kind()(other).sum().backward()
    close(leaf.grad, other.grad.numpy())


def test_softmax_family():
    x = torch.tensor([[1.0, 2.0, 3.0]])
    p = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    close(nn.Softmax(1)(x), [p])
    close(nn.LogSoftmax(1)(x), [np.log(p)])
    close(nn.Softmin(1)(-x), [p])
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax has been deprecated"):
        close(F.softmax(x), [p])
    close(nn.GLU()(torch.tensor([[1.0, 2.0, 0.0, 0.0]])), [[0.5, 1.0]])


def test_linear():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, -1.0]]))
        layer.bias.fill_(0.5)
    close(layer(torch.tensor([[1.0, 3.0], [0.0, 0.0]])), [[-0.5], [0.5]])
    assert nn.Linear(3, 2, bias=False).bias is None
    bound = 1 / math.sqrt(100)
    weight = nn.Linear(100, 50).weight
    assert weight.abs().max().item() <= bound and weight.abs().max().item() > 0.9 * bound


def test_initial_weights_follow_the_seed():
    torch.manual_seed(0)
    layer = nn.Linear(2, 2)
    close(layer.weight, [[-0.0053, 0.3793], [-0.5820, -0.5204]], 1e-4)
    close(layer.bias, [-0.2723, 0.1896], 1e-4)


def test_bilinear():
    layer = nn.Bilinear(2, 3, 4)
    a, b = torch.randn(5, 2), torch.randn(5, 3)
    expected = np.einsum("ni,oij,nj->no", a.numpy(), layer.weight.detach().numpy(), b.numpy())
    close(layer(a, b), expected + layer.bias.detach().numpy())


def test_flatten_and_unflatten():
    x = torch.zeros(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(1, 2)(x).shape == (2, 12, 5)
    assert nn.Unflatten(1, (3, 4))(torch.zeros(2, 12)).shape == (2, 3, 4)


def test_dropout():
    torch.manual_seed(0)
    layer = nn.Dropout(0.25)
    y = layer(torch.ones(100, 100))
    values = set(np.unique(y.numpy()).tolist())
    assert values == {0.0, np.float32(1 / 0.75).item()}
    assert abs((y == 0).float().mean().item() - 0.25) < 0.02
    x = torch.ones(3)
    assert torch.equal(layer.eval()(x), x)
    channels = nn.Dropout2d(0.5)(torch.ones(10, 10, 4, 4)).reshape(100, 16)
    assert torch.equal(channels.amin(1), channels.amax(1))
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got 2"):
        nn.Dropout(2)
    close(nn.Dropout(1.0)(torch.ones(3)), [0, 0, 0])


def test_embedding():
    table = nn.Embedding(5, 2, padding_idx=1)
    assert table.weight[1].tolist() == [0.0, 0.0]
    index = torch.tensor([[0, 1], [4, 0]])
    out = table(index)
    assert out.shape == (2, 2, 2)
    close(out[1, 0], table.weight[4].tolist())
    out.sum().backward()
    close(table.weight.grad, [[2, 2], [0, 0], [0, 0], [0, 0], [1, 1]])
    fixed = nn.Embedding.from_pretrained(torch.ones(3, 2))
    assert not fixed.weight.requires_grad
    limited = nn.Embedding(3, 2, max_norm=0.5)
    assert (limited(torch.tensor([0, 1, 2])).norm(dim=1) <= 0.5 + 1e-5).all()
    bag = nn.EmbeddingBag(3, 2, mode="sum", _weight=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    close(bag(torch.tensor([0, 1, 2]), torch.tensor([0, 2])), [[4, 6], [5, 6]])


def test_batch_norm_statistics():
    layer = nn.BatchNorm1d(2, momentum=0.5)
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    close(layer(x), [[-1, -1], [1, 1]], 1e-4)
    close(layer.running_mean, [1, 10])
    close(layer.running_var, [1.5, 100.5])
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    close(layer(x), (x.numpy() - [1, 10]) / np.sqrt([1.5, 100.5]), 1e-4)
    average = nn.BatchNorm1d(2, momentum=None)
    average(x)
    average(x * 3)
    close(average.running_mean, [4, 40])
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm1d(2)(torch.ones(1, 2))


@pytest.mark.parametrize(
    ("layer", "axes", "shape"),
    [
        (nn.LayerNorm(6), (2,), (2, 4, 6)),
        (nn.LayerNorm((4, 6)), (1, 2), (2, 4, 6)),
        (nn.InstanceNorm1d(4), (2,), (2, 4, 6)),
        (nn.GroupNorm(4, 4), (2,), (2, 4, 6)),
        (nn.GroupNorm(1, 4), (1, 2), (2, 4, 6)),
        (nn.BatchNorm1d(4), (0, 2), (2, 4, 6)),
        (nn.BatchNorm2d(4), (0, 2, 3), (2, 4, 3, 3)),
    ],
)
def test_normalization_gives_mean_0_and_variance_1(layer, axes, shape):
    y = layer(torch.randn(*shape) * 3 + 5).detach().numpy()
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axes), 1, atol=1e-3)


def test_rms_norm():
    close(nn.RMSNorm(2)(torch.tensor([[3.0, 4.0]])), np.array([[3, 4]]) / math.sqrt(12.5))


def test_convolution_and_pooling_shapes_and_values():
    conv = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    close(conv(image), [[[[27, 37], [57, 67]]]])
    assert nn.Conv2d(3, 8, 3, stride=2, padding=1)(torch.zeros(2, 3, 7, 9)).shape == (2, 8, 4, 5)
    assert nn.Conv1d(3, 6, 3, groups=3)(torch.zeros(2, 3, 7)).shape == (2, 6, 5)
    close(nn.MaxPool2d(2, stride=1)(image), [[[[4, 5], [7, 8]]]])
    close(nn.AvgPool2d(2, stride=1)(image), [[[[2, 3], [5, 6]]]])
    close(nn.AdaptiveAvgPool2d(1)(image), [[[[4]]]])
    values, where = nn.MaxPool2d(2, stride=1, return_indices=True)(image)
    assert where.tolist() == [[[[4, 5], [7, 8]]]]


def test_padding():
    row = torch.tensor([[[1.0, 2.0, 3.0]]])
    assert nn.ConstantPad1d((1, 2), 9.0)(row).tolist() == [[[9, 1, 2, 3, 9, 9]]]
    assert nn.ReflectionPad1d(2)(row).tolist() == [[[3, 2, 1, 2, 3, 2, 1]]]
    assert nn.ReplicationPad1d((0, 2))(row).tolist() == [[[1, 2, 3, 3, 3]]]
    assert nn.CircularPad1d((1, 1))(row).tolist() == [[[3, 1, 2, 3, 1]]]
    assert F.pad(row, (-1, 1)).tolist() == [[[2, 3, 0]]]
    assert F.pad(torch.zeros(2, 2, dtype=torch.int64), (1, 0, 0, 1), value=3).tolist() == [
        [3, 0, 0],
        [3, 0, 0],
        [3, 3, 3],
    ]


def test_resampling():
    row = torch.tensor([[[0.0, 10.0]]])
    close(F.interpolate(row, scale_factor=2), [[[0, 0, 10, 10]]])
    close(F.interpolate(row, size=4, mode="linear"), [[[0, 2.5, 7.5, 10]]])
    close(F.interpolate(row, size=3, mode="linear", align_corners=True), [[[0, 5, 10]]])
    with pytest.raises(ValueError, match="only one of size or scale_factor should be defined"):
        F.interpolate(row, size=2, scale_factor=2)
    image = torch.arange(16.0).reshape(1, 4, 2, 2)
    assert torch.equal(F.pixel_unshuffle(F.pixel_shuffle(image, 2), 2), image)


def test_attention():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 4) for _ in range(3))
    scores = q.numpy() @ k.numpy().transpose(0, 2, 1) / 2
    scores = np.where(np.tril(np.ones((3, 3), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    close(F.scaled_dot_product_attention(q, k, v, is_causal=True), weights @ v.numpy())
    mask = torch.tensor([[True, True, True], [False, False, False], [True, False, False]])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    close(out[:, 1], np.zeros((2, 4)))
    close(out[:, 2], v[:, 0].numpy())


def test_losses():
    a, b = torch.tensor([0.0, 1.0, 4.0]), torch.tensor([0.5, 1.0, 1.0])
    assert nn.MSELoss()(a, b).item() == pytest.approx(9.25 / 3)
    assert nn.L1Loss(reduction="sum")(a, b).item() == pytest.approx(3.5)
    close(nn.SmoothL1Loss(reduction="none")(a, b), [0.125, 0, 2.5])
    close(nn.HuberLoss(reduction="none", delta=2.0)(a, b), [0.125, 0, 4])
    p, y = torch.tensor([0.2, 0.9]), torch.tensor([0.0, 1.0])
    expected = -(math.log(0.8) + math.log(0.9)) / 2
    assert nn.BCELoss()(p, y).item() == pytest.approx(expected)
    assert nn.BCEWithLogitsLoss()(torch.log(p / (1 - p)), y).item() == pytest.approx(expected, rel=1e-5)
    logits, target = torch.tensor([[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]]), torch.tensor([2, 0])
    logp = logits.numpy() - np.log(np.exp(logits.numpy()).sum(1, keepdims=True))
    assert nn.CrossEntropyLoss()(logits, target).item() == pytest.approx(
        -(logp[0, 2] + logp[1, 0]) / 2, rel=1e-5
    )
    weight = torch.tensor([1.0, 1.0, 3.0])
    weighted = -(3 * logp[0, 2] + logp[1, 0]) / 4
    assert nn.CrossEntropyLoss(weight)(logits, target).item() == pytest.approx(weighted, rel=1e-5)
    assert nn.NLLLoss()(torch.tensor(logp), target).item() == pytest.approx(
        -(logp[0, 2] + logp[1, 0]) / 2, rel=1e-5
    )
    q = torch.tensor([[0.5, 0.5, 0.0]])
    divergence = nn.KLDivLoss(reduction="batchmean")(torch.tensor(logp[:1]), q)
    assert divergence.item() == pytest.approx(
        sum(0.5 * (math.log(0.5) - logp[0, i]) for i in (0, 1)), rel=1e-5
    )
    assert (
        nn.MarginRankingLoss(0.5)(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([1.0])).item() == 1.5
    )


def test_old_reduction_arguments():
    a, b = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        assert nn.MSELoss(size_average=False)(a, b).item() == 10.0
    with pytest.warns(UserWarning, match="reduction='none'"):
        assert F.mse_loss(a, b, reduce=False).tolist() == [1.0, 9.0]


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize(
    ("old", "reduction"),
    [({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"size_average": True}, "mean")],
)
def test_old_arguments_of_losses_of_classes(loss, old, reduction):
    scores, target = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([0, 1])
    with pytest.warns(UserWarning, match=f"please use reduction='{reduction}'") as warned:
        value = loss(scores, target, **old)
    assert warned[0].filename == __file__
    assert torch.equal(value, loss(scores, target, reduction=reduction))
    with pytest.warns(UserWarning, match="size_average and reduce"):
        each = torch.func.vmap(lambda x: loss(x, target, **old))(torch.stack([scores, scores]))
    assert torch.allclose(each, torch.stack([value, value]))


def test_broadcast_target_warns():
    with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[2, 1\]\)\) that is different"):
        nn.MSELoss()(torch.zeros(2), torch.zeros(2, 1))


def test_similarity():
    a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]])
    assert nn.CosineSimilarity()(a, b).item() == pytest.approx(24 / 25)
    assert nn.PairwiseDistance()(a, b).item() == pytest.approx(math.sqrt(2), rel=1e-5)
    close(F.normalize(a), [[0.6, 0.8]])
    assert F.one_hot(torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert F.one_hot(torch.tensor([1]), 4).tolist() == [[0, 1, 0, 0]]


def test_gumbel_softmax_is_one_hot_when_hard():
    torch.manual_seed(0)
    logits = torch.zeros(20, 3, requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    assert ((hard == 0) | ((hard - 1).abs() < 1e-6)).all()
    (hard * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad.abs().sum().item() > 0


def test_init():
    torch.manual_seed(0)
    w = torch.empty(200, 100)
    assert abs(nn.init.normal_(w, 1.0, 2.0).mean().item() - 1) < 0.05
    bound = math.sqrt(6 / 300)
    assert 0.99 * bound < nn.init.xavier_uniform_(w).abs().max().item() <= bound
    assert abs(nn.init.kaiming_normal_(w, nonlinearity="relu").std().item() - math.sqrt(2 / 100)) < 0.005
    close(
        nn.init.orthogonal_(torch.empty(3, 5)) @ nn.init.orthogonal_(torch.empty(3, 5)).T * 0,
        np.zeros((3, 3)),
    )
    q = nn.init.orthogonal_(torch.empty(3, 5), gain=2.0)
    close(q @ q.T, 4 * np.eye(3), 1e-4)
    t = nn.init.trunc_normal_(torch.empty(10000), 0.0, 1.0, -0.5, 1.0)
    assert t.min().item() >= -0.5 and t.max().item() <= 1.0 and abs(t.mean().item() - 0.2067) < 0.02
    narrow = nn.init.trunc_normal_(torch.empty(10000), 0.0, 1.0, 1.0, 3.0)
    assert narrow.min().item() >= 1.0 and abs(narrow.mean().item() - 1.51) < 0.03
    assert ((nn.init.sparse_(torch.empty(10, 4), 0.3) == 0).sum(0) == 3).all()
    close(nn.init.eye_(torch.empty(2, 3)), np.eye(2, 3))
    x = torch.randn(1, 2, 5)
    close(F.conv1d(x, nn.init.dirac_(torch.empty(2, 2, 3)), padding=1), x.numpy())
    leaf = torch.zeros(2, requires_grad=True)
    assert nn.init.ones_(leaf) is leaf and leaf.is_leaf and leaf.grad_fn is None
    with pytest.warns(
        FutureWarning, match="`nn.init.constant` is now deprecated in favor of `nn.init.constant_`."
    ):
        nn.init.constant(w, 1.0)
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        nn.init.kaiming_uniform_(torch.empty(0, 3))


def test_clipping():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = torch.tensor([3.0, 0.0])
    parameters[1].grad = torch.tensor([4.0])
    assert nn.utils.clip_grad_norm_(parameters, 10.0).item() == 5.0
    assert parameters[0].grad.tolist() == [3.0, 0.0]
    assert nn.utils.clip_grad_norm_(parameters, 1.0).item() == 5.0
    close(parameters[1].grad, [0.8])
    nn.utils.clip_grad_value_(parameters, 0.5)
    close(parameters[0].grad, [0.5, 0.0])
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


def test_parameters_to_vector_and_back():
    net = nn.Linear(2, 1)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (3,)
    nn.utils.vector_to_parameters(torch.arange(3.0), net.parameters())
    assert net.weight.tolist() == [[0.0, 1.0]] and net.bias.tolist() == [2.0]


def test_resnet():
    assert sum(p.numel() for p in resnet18().parameters()) == 11_689_512
    assert sum(p.numel() for p in resnet50().parameters()) == 25_557_032
    small = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, zero_init_residual=True)
    assert small(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert small.layer1[0].bn2.weight.abs().sum().item() == 0
    with pytest.raises(ValueError, match="no trained weights"):
        resnet18(weights="DEFAULT")


def test_no_warning_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(0.1), nn.Linear(3, 2))
        nn.CrossEntropyLoss()(net(torch.randn(4, 2)), torch.tensor([0, 1, 0, 1])).backward()
    assert net[0].weight.grad.shape == (3, 2)
