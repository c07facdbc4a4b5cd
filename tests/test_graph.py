"""Looking at the graph, and gradient edges; the tests that take `torch` also run on PyTorch."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType


def leaf(torch: Torch, *shape: int) -> Any:
    torch.manual_seed(0)
    return torch.rand(*(shape or (3,))).add(0.5).requires_grad_()


def test_nodes(torch: Torch) -> None:
    x = leaf(torch)
    y = (x * 2).tanh()
    node = y.grad_fn
    assert node is y.grad_fn
    assert type(node).__name__ == node.name() == "TanhBackward0"
    assert repr(node).startswith("<TanhBackward0 object at 0x")
    assert isinstance(node, torch.autograd.graph.Node) and node.requires_grad
    ((mul, index),) = node.next_functions
    assert mul.name() == "MulBackward0" and index == 0 and type(mul) is not type(node)
    assert type(mul) is type((x * 3).grad_fn)
    (accumulate, _), (nothing, _) = mul.next_functions
    assert nothing is None
    assert type(accumulate).__name__ == "AccumulateGrad"
    assert accumulate.name() == "torch::autograd::AccumulateGrad"
    assert accumulate.variable is x and accumulate.next_functions == ()


def test_metadata_stays_with_the_node(torch: Torch) -> None:
    y = leaf(torch) * 2
    assert y.grad_fn.metadata == {}
    y.grad_fn.metadata["note"] = 3
    gc.collect()
    assert y.grad_fn.metadata == {"note": 3}


def test_what_a_node_knows_of_its_outputs(torch: Torch) -> None:
    (meta,) = leaf(torch, 2, 3).exp().grad_fn._input_metadata
    assert tuple(meta.shape) == (2, 3) and meta.dtype is torch.float32 and str(meta.device) == "cpu"
    values = leaf(torch, 4).sort()
    assert len(values[0].grad_fn._input_metadata) >= 1


def test_node_keeps_its_graph_but_not_its_tensor() -> None:
    y = leaf(tapegrad).exp().sum()
    node = y.grad_fn
    del y
    assert node.next_functions[0][0].name() == "ExpBackward0"
    reference = weakref.ref(node)
    del node
    assert reference() is None


def test_attributes_of_tensors(torch: Torch) -> None:
    x = leaf(torch, 2, 3)
    first, second = x.unbind(0)
    assert (first.output_nr, second.output_nr) == (0, 1)
    assert first.grad_fn is second.grad_fn
    y = x * 1
    view = y[0]
    chained = view[1:]
    assert view._is_view() and chained._base is y and not y._is_view() and y._base is None
    assert y._version == 0
    view.mul_(2)
    assert (y._version, view._version, chained._version) == (1, 1, 1)
    assert y.detach()._base is None or y.detach()._is_view()
    assert view.grad_fn is view.grad_fn


# What operations save. PyTorch saves more here and there, never less under these names.

SAVING: dict[str, Callable[[Torch], Any]] = {
    "MulBackward0": lambda torch: leaf(torch) * leaf(torch),
    "DivBackward0": lambda torch: leaf(torch) / leaf(torch),
    "ExpBackward0": lambda torch: leaf(torch).exp(),
    "TanhBackward0": lambda torch: leaf(torch).tanh(),
    "SigmoidBackward0": lambda torch: leaf(torch).sigmoid(),
    "ReluBackward0": lambda torch: leaf(torch).relu(),
    "LogBackward0": lambda torch: leaf(torch).log(),
    "SqrtBackward0": lambda torch: leaf(torch).sqrt(),
    "SinBackward0": lambda torch: leaf(torch).sin(),
    "PowBackward0": lambda torch: leaf(torch) ** 2,
    "PowBackward1": lambda torch: leaf(torch) ** leaf(torch),
    "MmBackward0": lambda torch: leaf(torch, 2, 3) @ leaf(torch, 3, 2),
    "BmmBackward0": lambda torch: torch.bmm(leaf(torch, 2, 2, 3), leaf(torch, 2, 3, 2)),
    "MvBackward0": lambda torch: leaf(torch, 2, 3).mv(leaf(torch)),
    "DotBackward0": lambda torch: leaf(torch).dot(leaf(torch)),
    "AddmmBackward0": lambda torch: torch.addmm(leaf(torch), leaf(torch, 2, 3), leaf(torch, 3, 3)),
    "SoftmaxBackward0": lambda torch: leaf(torch).softmax(0),
    "LogSoftmaxBackward0": lambda torch: leaf(torch).log_softmax(0),
    "LogsumexpBackward0": lambda torch: leaf(torch).logsumexp(0),
    "ProdBackward0": lambda torch: leaf(torch).prod(),
    "CumprodBackward0": lambda torch: leaf(torch).cumprod(0),
    "SortBackward0": lambda torch: leaf(torch).sort()[0],
    "TopkBackward0": lambda torch: leaf(torch).topk(2)[0],
    "MaxBackward0": lambda torch: leaf(torch, 2, 3).max(0)[0],
    "GatherBackward0": lambda torch: leaf(torch).gather(0, torch.tensor([0, 2])),
    "MaskedFillBackward0": lambda torch: leaf(torch).masked_fill(torch.tensor([True, False, True]), 0),
    "ConvolutionBackward0": lambda torch: torch.nn.functional.conv1d(
        leaf(torch, 1, 1, 5), leaf(torch, 1, 1, 2)
    ),
    "NativeLayerNormBackward0": lambda torch: torch.nn.functional.layer_norm(leaf(torch, 2, 3), (3,)),
    "EmbeddingBackward0": lambda torch: torch.nn.functional.embedding(torch.tensor([1]), leaf(torch, 2, 3)),
    "VarBackward0": lambda torch: leaf(torch).var(),
    "StdBackward0": lambda torch: leaf(torch).std(),
    "MaxPool2DWithIndicesBackward0": lambda torch: torch.nn.functional.max_pool2d(leaf(torch, 1, 1, 4, 4), 2),
}


def saved_names(node: Any) -> set[str]:
    """Without those that PyTorch does not save: they are numbered."""
    return {name for name in dir(node) if name.startswith("_saved_") and not name.startswith("_saved_tensor")}


@pytest.mark.parametrize("name", SAVING)
def test_saved_tensors_have_names(torch: Torch, name: str) -> None:
    node = SAVING[name](torch).grad_fn
    assert node.name() == name
    names = saved_names(node)
    assert names
    for each in names:
        getattr(node, each)


@pytest.mark.parametrize("name", SAVING)
def test_saved_names_are_those_of_pytorch(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    mine, theirs = SAVING[name](tapegrad).grad_fn, SAVING[name](pytorch).grad_fn
    assert saved_names(mine) <= saved_names(theirs)
    for each in saved_names(mine):
        a, b = getattr(mine, each), getattr(theirs, each)
        if isinstance(a, tapegrad.Tensor) and isinstance(b, pytorch.Tensor) and a.shape == tuple(b.shape):
            assert pytorch.allclose(pytorch.tensor(a.tolist()).to(b.dtype), b, atol=1e-5), each


def test_saved_tensors_are_the_tensors(torch: Torch) -> None:
    x, y = leaf(torch), leaf(torch)
    z = x * y
    assert z.grad_fn._saved_self is x and z.grad_fn._saved_other is y
    assert (x * 2).grad_fn._saved_self is None
    e = x.exp()
    assert e.grad_fn._saved_result.grad_fn is e.grad_fn
    e.sum().backward()
    with pytest.raises(RuntimeError, match="^Trying to backward through the graph a second time"):
        _ = e.grad_fn._saved_result
    with pytest.raises(AttributeError):
        _ = e.grad_fn._saved_nothing


def test_a_tool_that_walks_the_graph(torch: Torch) -> None:
    """What torchviz does: nodes, edges, leaves and saved tensors."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    seen: dict[Any, str] = {}
    leaves: list[Any] = []

    def walk(node: Any) -> None:
        if node in seen:
            return
        seen[node] = type(node).__name__
        for name in dir(node):
            if name.startswith("_saved_"):
                assert getattr(node, name) is not NotImplemented
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        for parent, _ in node.next_functions:
            if parent is not None:
                walk(parent)

    walk(model(leaf(torch, 2, 3)).sum().grad_fn)
    assert list(seen.values())[:2] == ["SumBackward0", "AddmmBackward0"]
    assert all(any(p is found for found in leaves) for p in model.parameters())


# Gradient edges


def test_gradient_edges(torch: Torch) -> None:
    graph = torch.autograd.graph
    x = leaf(torch)
    y = x * 2
    edge = graph.get_gradient_edge(y)
    assert isinstance(edge, graph.GradientEdge)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    assert graph.get_gradient_edge(x).node.variable is x
    z = (y * 3).sum()
    del y
    assert torch.autograd.grad(z, edge, retain_graph=True)[0].tolist() == [3, 3, 3]
    found = torch.autograd.grad(z, [edge, x], retain_graph=True)
    assert [g.tolist() for g in found] == [[3, 3, 3], [6, 6, 6]]
    assert torch.autograd.grad(edge, x, torch.ones(3), retain_graph=True)[0].tolist() == [2, 2, 2]
    torch.autograd.backward(
        graph.get_gradient_edge(z), inputs=[graph.get_gradient_edge(x)], retain_graph=True
    )
    assert x.grad.tolist() == [6, 6, 6]
    z.backward(inputs=[graph.get_gradient_edge(x)], retain_graph=True)
    assert x.grad.tolist() == [12, 12, 12]
    with pytest.raises(
        RuntimeError, match="^It is not possible to get the gradient edge for a Tensor that does not"
    ):
        graph.get_gradient_edge(torch.ones(1))
    with pytest.raises(RuntimeError, match="^grad can be implicitly created only for scalar outputs"):
        torch.autograd.grad(edge, x)


def test_increment_version(torch: Torch) -> None:
    x = leaf(torch)
    y = x * x
    torch.autograd.graph.increment_version(x)
    torch.autograd.graph.increment_version([x, y])
    assert (x._version, y._version) == (x._version, 1)
    with pytest.raises(
        RuntimeError, match="^one of the variables needed for gradient computation has been modified"
    ):
        y.sum().backward()
    with pytest.raises(RuntimeError, match=r"^increment_version expect a Iterable\[Tensor\] as input"):
        torch.autograd.graph.increment_version(3)


def test_hook_on_several_tensors(torch: Torch) -> None:
    a, b = leaf(torch), leaf(torch)
    seen: list[Any] = []
    register = torch.autograd.graph.register_multi_grad_hook

    def note(grads: Any) -> None:
        seen.append([None if g is None else g.tolist() for g in grads])

    with register([a, b], note):
        (a * 2 + b).sum().backward()
        (a * 2).sum().backward()
    (a * 2 + b).sum().backward()
    assert seen == [[[2, 2, 2], [1, 1, 1]], [[2, 2, 2], None]]
    seen.clear()
    c = a * b
    d = c * 2
    with register((c, d), note):
        d.sum().backward(inputs=[c])
    assert seen == [[[2, 2, 2], [1, 1, 1]]]


def test_hook_on_the_first_of_several_tensors(torch: Torch) -> None:
    a, b = leaf(torch), leaf(torch)
    seen: list[Any] = []
    with torch.autograd.graph.register_multi_grad_hook([a, b], seen.append, mode="any"):
        (a + b).sum().backward()
        assert len(seen) == 1 and seen[0].tolist() == [1, 1, 1]
        (a * 2).sum().backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match="^Expects mode to be one of"):
        torch.autograd.graph.register_multi_grad_hook([a], seen.append, mode="both")
