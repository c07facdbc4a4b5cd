"""A few seconds that tell whether the package works at all; run before every change is merged."""

from __future__ import annotations

import pytest

import tapegrad as torch


def test_tape_of_a_small_program() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    w = torch.tensor([[0.5], [-0.5]], requires_grad=True)
    loss = ((x @ w + 1.0).tanh() * 2.0).sum()
    loss.backward()
    slope = 2 * (1 - torch.tensor([[0.5], [0.5]]).tanh() ** 2)
    assert torch.allclose(x.grad, slope * torch.tensor([[0.5, -0.5]]))
    assert torch.allclose(w.grad, torch.tensor([[4.0], [6.0]]) * slope)


def test_indexing_and_in_place() -> None:
    x = torch.arange(6).reshape(2, 3)
    assert x[1].tolist() == [3, 4, 5] and x[:, ::2].tolist() == [[0, 2], [3, 5]]
    x[0, 1] = 7
    x[:, 2] += 1
    assert x.tolist() == [[0, 7, 3], [3, 4, 6]] and x._version == 3
    assert x[x > 4].tolist() == [7, 6] and x[[1, 0], [0, 1]].tolist() == [3, 7]


def test_printing() -> None:
    x = torch.tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == "tensor([1.0000, 2.5000], requires_grad=True)"
    assert repr(x + 1) == "tensor([2.0000, 3.5000], grad_fn=<AddBackward0>)"
    assert repr(x.shape) == "torch.Size([2])" and repr(x.dtype) == "torch.float32"


def test_numpy_and_numbers() -> None:
    x = torch.tensor([1.0, 2.0])
    x.numpy()[0] = 5.0
    assert x.tolist() == [5.0, 2.0] and x.sum().item() == 7.0 and float(x[1]) == 2.0


def test_errors() -> None:
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        torch.ones(2) + torch.ones(3)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.ones(1).backward()


def test_training_step() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, target = torch.randn(16, 4), torch.randint(3, (16,))
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
