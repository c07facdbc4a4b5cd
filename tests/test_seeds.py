"""The five tutorials tapegrad started from: each cell prints what the tutorial shows.

Cells without random numbers are compared with the tutorial's own output; cells that draw random numbers run
after `manual_seed(0)` and are compared with what PyTorch 2.13 prints then.
"""

import re

import pytest

import tapegrad as torch
from tapegrad import nn
from tapegrad.models import resnet18


def run(cell):
    """Runs the text of a cell; returns its variables."""
    variables = {"torch": torch}
    exec(cell, variables)
    return variables


CELLS = {
    "000 scalar loss": (
        """\
x = torch.rand(10)
y = torch.zeros(5)
W = torch.randn(10, 5, requires_grad=True)
b = torch.randn(5, requires_grad=True)
h = torch.matmul(x, W)+b
h = torch.tanh(h)
loss = torch.sum(torch.square(y - h))
print("loss shape == ", loss.shape)
loss.backward()
""",
        """\
loss shape ==  torch.Size([])
""",
    ),
    "000 no_grad": (
        """\
x = torch.rand(10)
W = torch.randn(10, 5, requires_grad=True)
b = torch.randn(5, requires_grad=True)
z = torch.matmul(x, W)+b
print(z.requires_grad)

with torch.no_grad():
    z = torch.matmul(x, W)+b
print(z.requires_grad)
""",
        """\
True
False
""",
    ),
    "000 detach": (
        """\
x = torch.rand(10)
W = torch.randn(10, 5, requires_grad=True)
b = torch.randn(5, requires_grad=True)
z = torch.matmul(x, W)+b
z_det = z.detach()
print(z_det.requires_grad)
""",
        """\
False
""",
    ),
    "000 zeroing the gradient": (
        """\
inp = torch.eye(5, requires_grad=True)
out = (inp+1).pow(2)
print(inp)

out.backward(torch.ones_like(inp), retain_graph=True)
print(f"First call\\n{inp.grad}")

out.backward(torch.ones_like(inp), retain_graph=True)
print(f"\\nSecond call\\n{inp.grad}")

inp.grad.zero_()
print(f"\\nGradient after zeroing\\n{inp.grad}")

out.backward(torch.ones_like(inp), retain_graph=True)
print(f"\\nCall after zeroing gradients\\n{inp.grad}")
""",
        """\
tensor([[1., 0., 0., 0., 0.],
        [0., 1., 0., 0., 0.],
        [0., 0., 1., 0., 0.],
        [0., 0., 0., 1., 0.],
        [0., 0., 0., 0., 1.]], requires_grad=True)
First call
tensor([[4., 2., 2., 2., 2.],
        [2., 4., 2., 2., 2.],
        [2., 2., 4., 2., 2.],
        [2., 2., 2., 4., 2.],
        [2., 2., 2., 2., 4.]])

Second call
tensor([[8., 4., 4., 4., 4.],
        [4., 8., 4., 4., 4.],
        [4., 4., 8., 4., 4.],
        [4., 4., 4., 8., 4.],
        [4., 4., 4., 4., 8.]])

Gradient after zeroing
tensor([[0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.]])

Call after zeroing gradients
tensor([[4., 2., 2., 2., 2.],
        [2., 4., 2., 2., 2.],
        [2., 2., 4., 2., 2.],
        [2., 2., 2., 4., 2.],
        [2., 2., 2., 2., 4.]])
""",
    ),
    "001 requires_grad under no_grad": (
        """\
x = torch.tensor(1.0, requires_grad = True)
print(x.requires_grad)
y = x * 2
print(y.requires_grad)

with torch.no_grad():
    y = x * 2
    print(y.requires_grad)
""",
        """\
True
True
False
""",
    ),
    "001 derivative of a cube": (
        """\
x = torch.tensor(1.0, requires_grad = True)
z = x ** 3
z.backward()
print(x.grad.data)
""",
        """\
tensor(3.)
""",
    ),
    "001 external gradient": (
        """\
x = torch.tensor([0.0,2.0,8.0], requires_grad = True)
y = torch.tensor([5.0,1.0,7.0], requires_grad = True)
z = x * y
z.backward(torch.FloatTensor([1.0, 1.0, 1.0]))
print(x.grad, y.grad)
""",
        """\
tensor([5., 1., 7.]) tensor([0., 2., 8.])
""",
    ),
    "002 ones": (
        """\
x1 = torch.ones(2, 2)
print(x1)
x2 = torch.ones(2, 2, requires_grad = True)
print(x2)
""",
        """\
tensor([[1., 1.],
        [1., 1.]])
tensor([[1., 1.],
        [1., 1.]], requires_grad=True)
""",
    ),
    "002 ones plus two": (
        """\
x1 = torch.ones(2, 2)
print(x1)
y1 = x1 + 2
print(y1)
x2 = torch.ones(2, 2, requires_grad=True)
print(x2)
y2 = x2 + 2
print(y2)
""",
        """\
tensor([[1., 1.],
        [1., 1.]])
tensor([[3., 3.],
        [3., 3.]])
tensor([[1., 1.],
        [1., 1.]], requires_grad=True)
tensor([[3., 3.],
        [3., 3.]], grad_fn=<AddBackward0>)
""",
    ),
    "002 four operations": (
        """\
x = torch.ones(2, 2, requires_grad=True)
y1 = x + 2
print(y1)
y2 = x - 2
print(y2)
y3 = x * 2
print(y3)
y4 = x / 2
print(y4)
""",
        """\
tensor([[3., 3.],
        [3., 3.]], grad_fn=<AddBackward0>)
tensor([[-1., -1.],
        [-1., -1.]], grad_fn=<SubBackward0>)
tensor([[2., 2.],
        [2., 2.]], grad_fn=<MulBackward0>)
tensor([[0.5000, 0.5000],
        [0.5000, 0.5000]], grad_fn=<DivBackward0>)
""",
    ),
    "002 requires_grad_": (
        """\
x = torch.ones(2, 2)
y = x + 2
print(x)
print(y)
y.requires_grad_(True)
print(x)
print(y)
""",
        """\
tensor([[1., 1.],
        [1., 1.]])
tensor([[3., 3.],
        [3., 3.]])
tensor([[1., 1.],
        [1., 1.]])
tensor([[3., 3.],
        [3., 3.]], requires_grad=True)
""",
    ),
    "002 polynomial": (
        """\
x = torch.tensor(2.0, requires_grad=True)
y = 9*x**4 + 2*x**3 + 3*x**2 + 6*x + 1
y.backward()
print(x.grad)
""",
        """\
tensor(330.)
""",
    ),
    "002 mean": (
        """\
x = torch.tensor([[1.0, 2.0],[3.0, 4.0]], requires_grad = True)
print(x)
y = x + 2
print(y)
z = y * y * 3
print(z)
out = z.mean()
print(out)
out.backward()
print(x.grad)
""",
        """\
tensor([[1., 2.],
        [3., 4.]], requires_grad=True)
tensor([[3., 4.],
        [5., 6.]], grad_fn=<AddBackward0>)
tensor([[ 27.,  48.],
        [ 75., 108.]], grad_fn=<MulBackward0>)
tensor(64.5000, grad_fn=<MeanBackward0>)
tensor([[4.5000, 6.0000],
        [7.5000, 9.0000]])
""",
    ),
    "002 partial derivatives": (
        """\
x = torch.tensor(1.0, requires_grad=True)
z = torch.tensor(2.0, requires_grad=True)
y = x**2 + z**3
y.backward()
print(x.grad, z.grad)
""",
        """\
tensor(2.) tensor(12.)
""",
    ),
    "002 evaluation mode": (
        """\
x = torch.tensor(1.0, requires_grad = True)
print(x.requires_grad)

with torch.no_grad():
    print(x.requires_grad)
    print((x**2).requires_grad)

print(x.requires_grad)
""",
        """\
True
True
False
True
""",
    ),
    "003 vector valued": (
        """\
a = torch.tensor([2., 3.], requires_grad=True)
b = torch.tensor([6., 4.], requires_grad=True)

Q = 3*a**3 - b**2
external_grad = torch.tensor([1., 1.])
Q.backward(gradient=external_grad)
print(9*a**2 == a.grad)
print(-2*b == b.grad)
""",
        """\
tensor([True, True])
tensor([True, True])
""",
    ),
    "003 which results require gradients": (
        """\
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)

a = x + y
print(f"Does `a` require gradients? : {a.requires_grad}")
b = x + z
print(f"Does `b` require gradients?: {b.requires_grad}")
""",
        """\
Does `a` require gradients? : False
Does `b` require gradients?: True
""",
    ),
    "003 no_grad block": (
        """\
x= torch.tensor([1.], requires_grad=True)
with torch.no_grad():
    y = x * 2
print(y.requires_grad)
""",
        """\
False
""",
    ),
    "003 no_grad decorator": (
        """\
x= torch.tensor([1.], requires_grad=True)
@torch.no_grad()
def doubler(x):
    return x * 2

z = doubler(x)
print(z.requires_grad)
""",
        """\
False
""",
    ),
    "004 gradients accumulate": (
        """\
weights = torch.ones(4, requires_grad=True)
for epoch in range(3) :
    model_output = (weights*3).sum()
    model_output.backward()
    print(weights.grad)
""",
        """\
tensor([3., 3., 3., 3.])
tensor([6., 6., 6., 6.])
tensor([9., 9., 9., 9.])
""",
    ),
    "004 gradients set to zero": (
        """\
weights = torch.ones(4, requires_grad=True)
for epoch in range(3) :
    model_output = (weights*3).sum()
    model_output.backward()
    print(weights.grad)

    weights.grad.zero_()
""",
        """\
tensor([3., 3., 3., 3.])
tensor([3., 3., 3., 3.])
tensor([3., 3., 3., 3.])
""",
    ),
}

RANDOM_CELLS = {
    "000 one layer, backward": (
        """\
x = torch.rand(10)
y = torch.zeros(5)
W = torch.rand(10, 5, requires_grad=True)
b = torch.rand(5, requires_grad=True)
h = torch.matmul(x, W) + b
h = torch.tanh(h)
loss = torch.sum(torch.square(y - h))
loss.backward()
print(W.grad)
print(b.grad)
""",
        """\
tensor([[0.0249, 0.0022, 0.0119, 0.0537, 0.0152],
        [0.0385, 0.0035, 0.0184, 0.0831, 0.0236],
        [0.0044, 0.0004, 0.0021, 0.0096, 0.0027],
        [0.0066, 0.0006, 0.0032, 0.0143, 0.0041],
        [0.0154, 0.0014, 0.0074, 0.0333, 0.0094],
        [0.0318, 0.0028, 0.0152, 0.0686, 0.0195],
        [0.0246, 0.0022, 0.0117, 0.0530, 0.0150],
        [0.0449, 0.0040, 0.0215, 0.0970, 0.0275],
        [0.0228, 0.0020, 0.0109, 0.0493, 0.0140],
        [0.0317, 0.0028, 0.0151, 0.0684, 0.0194]])
tensor([0.0501, 0.0045, 0.0239, 0.1082, 0.0307])
""",
    ),
    "002 sum of squares": (
        """\
x = torch.randn(2, 2, requires_grad=True)
y = x + 2
z = (y * y).sum()
z.backward()
print(x)
print(y)
print(z)
print(x.grad)
""",
        """\
tensor([[ 1.5410, -0.2934],
        [-2.1788,  0.5684]], requires_grad=True)
tensor([[ 3.5410,  1.7066],
        [-0.1788,  2.5684]], grad_fn=<AddBackward0>)
tensor(22.0798, grad_fn=<SumBackward0>)
tensor([[ 7.0820,  3.4131],
        [-0.3576,  5.1369]])
""",
    ),
    "002 backward of a matrix": (
        """\
x = torch.randn(2, 2, requires_grad=True)
y = x + 2
z = (y * y)
y.backward(z)
print(x.grad)
""",
        """\
tensor([[12.5387,  2.9124],
        [ 0.0320,  6.5968]])
""",
    ),
    "004 gradient of a mean": (
        """\
x = torch.randn(3, requires_grad=True)
print(x)
y = x + 2
print(y)
z = y * y * 2
print(z)
z = z.mean()
print(z)
z.backward()
print(x.grad)
""",
        """\
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 3.5410,  1.7066, -0.1788], grad_fn=<AddBackward0>)
tensor([25.0773,  5.8248,  0.0639], grad_fn=<MulBackward0>)
tensor(10.3220, grad_fn=<MeanBackward0>)
tensor([ 4.7213,  2.2754, -0.2384])
""",
    ),
    "004 vector-Jacobian product": (
        """\
x = torch.randn(3, requires_grad=True)
print(x)
y = x + 2
print(y)
z = y * y * 2
print(z)
v = torch.tensor([0.1, 1.0, 0.001], dtype=torch.float32)
print(z.backward(v))
print(x.grad)
""",
        """\
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 3.5410,  1.7066, -0.1788], grad_fn=<AddBackward0>)
tensor([25.0773,  5.8248,  0.0639], grad_fn=<MulBackward0>)
None
tensor([ 1.4164e+00,  6.8263e+00, -7.1516e-04])
""",
    ),
    "004 requires_grad_(False)": (
        """\
x = torch.randn(3, requires_grad = True)
print(x)

x.requires_grad_(False)
print(x)
""",
        """\
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 1.5410, -0.2934, -2.1788])
""",
    ),
    "004 detach": (
        """\
x = torch.randn(3, requires_grad = True)
print(x)

x.detach()
print(x)

y  = x.detach()
print(y)
""",
        """\
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 1.5410, -0.2934, -2.1788])
""",
    ),
    "004 no_grad": (
        """\
x = torch.randn(3, requires_grad = True)
print(x)

y = x + 2
print(y)

with torch.no_grad() :
    y = x + 2
    print(y)
""",
        """\
tensor([ 1.5410, -0.2934, -2.1788], requires_grad=True)
tensor([ 3.5410,  1.7066, -0.1788], grad_fn=<AddBackward0>)
tensor([ 3.5410,  1.7066, -0.1788])
""",
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_cell(name, capsys):
    cell, printed = CELLS[name]
    run(cell)
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("name", RANDOM_CELLS)
def test_random_cell(name, capsys):
    cell, printed = RANDOM_CELLS[name]
    torch.manual_seed(0)
    run(cell)
    assert capsys.readouterr().out == printed


def test_single_layer_gradients_obey_the_chain_rule():
    v = run(RANDOM_CELLS["000 one layer, backward"][0])
    expected = -2 * (v["y"] - v["h"]) * (1 - v["h"] ** 2)
    assert torch.allclose(v["b"].grad, expected, atol=1e-6)
    assert torch.allclose(v["W"].grad, torch.outer(v["x"], expected), atol=1e-6)


@pytest.mark.parametrize(
    "result",
    [
        "torch.square(torch.zeros(5) - torch.tanh(torch.matmul(torch.rand(10), W) + b))",
        "(torch.randn(2, 2, requires_grad=True) + 2) * 3",
        "torch.tensor([0.0, 2.0, 8.0], requires_grad=True) * torch.tensor([5.0, 1.0, 7.0])",
    ],
)
def test_backward_of_more_than_one_element_is_refused(result):
    W, b = torch.randn(10, 5, requires_grad=True), torch.randn(5, requires_grad=True)
    loss = eval(result, {"torch": torch, "W": W, "b": b})
    with pytest.raises(RuntimeError, match="^grad can be implicitly created only for scalar outputs"):
        loss.backward()


def test_backward_without_requires_grad_is_refused():
    z = torch.ones(2, 2).mean()
    with pytest.raises(
        RuntimeError, match="^element 0 of tensors does not require grad and does not have a grad_fn"
    ):
        z.backward()


def test_intermediate_results_keep_no_gradient():
    x = torch.randn(2, 2, requires_grad=True)
    y = x + 2
    z = (y * y).sum()
    z.backward()
    assert torch.equal(x.grad, 2 * (x + 2))
    for intermediate in (y, z):
        with pytest.warns(UserWarning, match="The .grad attribute of a Tensor that is not a leaf Tensor"):
            assert intermediate.grad is None


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_attributes_of_a_product(capsys):
    x = torch.tensor(1.0, requires_grad=True)
    y = torch.tensor(2.0)
    z = x * y
    for i, name in zip([x, y, z], "xyz", strict=True):
        print(
            f"{name}\ndata: {i.data}\nrequires_grad: {i.requires_grad}\n"
            f"grad: {i.grad}\ngrad_fn: {i.grad_fn}\nis_leaf: {i.is_leaf}\n"
        )
    printed = re.sub("0x[0-9a-f]+", "0x", capsys.readouterr().out)
    assert printed == (
        "x\ndata: 1.0\nrequires_grad: True\ngrad: None\ngrad_fn: None\nis_leaf: True\n\n"
        "y\ndata: 2.0\nrequires_grad: False\ngrad: None\ngrad_fn: None\nis_leaf: True\n\n"
        "z\ndata: 2.0\nrequires_grad: True\ngrad: None\n"
        "grad_fn: <MulBackward0 object at 0x>\nis_leaf: False\n\n"
    )


# ---- the tutorial on a residual network -------------------------------------------------------------


RESNET_TEXT = """\
ResNet(
  (conv1): Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
  (bn1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (relu): ReLU(inplace=True)
  (maxpool): MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)
  (layer1): Sequential(
    (0): BasicBlock(
      (conv1): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
      (bn1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
      (relu): ReLU(inplace=True)
      (conv2): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
      (bn2): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    )
    (1): BasicBlock(
      (conv1): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
      (bn1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
      (relu): ReLU(inplace=True)
"""


def test_resnet_forward_backward_and_step():
    torch.manual_seed(0)
    model = resnet18()
    data = torch.rand(1, 3, 64, 64)
    labels = torch.rand(1, 1000)
    prediction = model(data)
    assert repr(prediction.shape) == "torch.Size([1, 1000])"
    loss = (prediction - labels).sum()
    loss.backward()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optim = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    optim.step()
    for old, parameter in zip(before, model.parameters(), strict=True):
        assert torch.allclose(parameter, old - 1e-2 * parameter.grad, atol=1e-6)
    assert any(
        not torch.equal(old, parameter) for old, parameter in zip(before, model.parameters(), strict=True)
    )


def test_resnet_frozen_but_for_its_last_layer():
    model = resnet18()
    for param in model.parameters():
        param.requires_grad = False
    # Since the tutorial was written PyTorch has begun to show the bias of a BatchNorm2d.
    assert repr(model).startswith(RESNET_TEXT.replace("affine=True, ", "affine=True, bias=True, "))

    model.fc = nn.Linear(512, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    frozen = {name: parameter.clone() for name, parameter in model.named_parameters() if "fc" not in name}
    fc = model.fc.weight.detach().clone()
    model(torch.rand(2, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model.fc.weight, fc)
    assert all(torch.equal(dict(model.named_parameters())[name], value) for name, value in frozen.items())
