"""tapegrad.func by itself: derivatives against autograd.functional, nesting, modules, memory."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import tapegrad as torch
from func_cases import MISTAKES, PROGRAMS, Inputs
from tapegrad import nn
from tapegrad.autograd import functional
from tapegrad.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vjp,
    vmap,
)


@pytest.fixture
def v() -> torch.Tensor:
    return torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def wave(x: torch.Tensor) -> torch.Tensor:
    return x.sin() * x.sum() + x[0] ** 3


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_runs(name: str) -> None:
    assert PROGRAMS[name](Inputs(torch)) is not None


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_reported(name: str) -> None:
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)) as caught:
        MISTAKES[name](Inputs(torch))
    assert len(str(caught.value)) > 20


def test_grad_of_any_order(v: torch.Tensor) -> None:
    derivative: Any = lambda x: x**6
    x = torch.tensor(1.5, dtype=torch.float64)
    for order, factor in enumerate((6, 30, 120, 360, 720, 720), 1):
        derivative = grad(derivative)
        assert derivative(x).item() == pytest.approx(factor * 1.5 ** (6 - order))
    assert not derivative(x).requires_grad
    assert grad(derivative)(x).item() == 0


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(jacobian: Any, v: torch.Tensor) -> None:
    expected = functional.jacobian(wave, v)
    assert close(jacobian(wave)(v), expected)
    batch = torch.stack([v, v * 2, v - 1])
    assert close(vmap(jacobian(wave))(batch), torch.stack([functional.jacobian(wave, row) for row in batch]))
    assert close(jacobian(vmap(lambda a: a.exp()))(v), torch.diag(v.exp()))
    second = functional.jacobian(lambda x: functional.jacobian(wave, x, create_graph=True), v)
    for inner in (jacrev, jacfwd):
        assert close(jacobian(inner(wave))(v), second)


def test_hessian_and_its_products(v: torch.Tensor) -> None:
    function = lambda x: (wave(x) ** 2).sum()
    h = functional.hessian(function, v)
    u = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    assert close(hessian(function)(v), h)
    assert close(jvp(grad(function), (v,), (u,))[1], h @ u)
    assert close(vjp(grad(function), v)[1](u)[0], h @ u)
    assert close(grad(lambda x: jvp(function, (x,), (u,))[1])(v), h @ u)
    assert close(linearize(grad(function), v)[1](u), h @ u)


def test_per_sample_gradients_are_those_of_a_loop() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.GroupNorm(1, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(27, 4)).double()  # fmt: skip
    x, y = torch.randn(5, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 3, 1, 2, 0])
    parameters = dict(model.named_parameters())

    def loss(p: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = functional_call(model, p, (x.unsqueeze(0),))
        return nn.functional.cross_entropy(out, y.unsqueeze(0))

    found = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for i in range(5):
        one = torch.autograd.grad(loss(parameters, x[i], y[i]), list(parameters.values()))
        for gradient, name in zip(one, parameters):
            assert close(found[name][i], gradient)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("layer", [nn.LSTM(3, 2), nn.GRU(3, 2, bidirectional=True), nn.LSTMCell(3, 2),
                                   nn.TransformerEncoderLayer(3, 1, 4, dropout=0.0)])  # fmt: skip
def test_recurrent_and_attention_layers_are_mapped(layer: nn.Module) -> None:
    x = torch.randn(4, 2, 3) if isinstance(layer, nn.LSTMCell) else torch.randn(4, 5, 2, 3)
    first = lambda out: out[0] if isinstance(out, tuple) else out
    found = vmap(lambda a: first(layer(a)))(x)
    expected = torch.stack([first(layer(a)) for a in x])
    assert torch.allclose(found, expected, atol=1e-6)


def test_an_ensemble_is_its_members() -> None:
    models = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh()).double().eval() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    assert all(p.requires_grad and p.is_leaf for p in parameters.values())
    x = torch.randn(2, 3, dtype=torch.float64)
    found = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(parameters, buffers)
    assert close(found, torch.stack([model(x) for model in models]))
    found.sum().backward()
    models[1](x).sum().backward()
    assert close(parameters["0.weight"].grad[1], models[1][0].weight.grad)


def test_history_is_kept_only_for_others(v: torch.Tensor) -> None:
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    assert not grad(lambda x: (x**2).sum())(v).requires_grad
    assert not any(out.requires_grad for out in grad_and_value(lambda x: (x**2).sum())(v))
    assert not jacrev(wave)(v).requires_grad and not jacfwd(wave)(v).requires_grad
    assert not jvp(wave, (v,), (v,))[0].requires_grad and not vjp(wave, v)[0].requires_grad
    assert grad(lambda x: (x**2 * weight).sum())(v).requires_grad
    assert grad(lambda x: (x**2).sum())(weight).requires_grad
    assert vjp(wave, weight)[0].requires_grad
    with torch.no_grad():
        assert close(grad(lambda x: (x**2).sum())(weight), 2 * weight)
        assert not grad(lambda x: (x**2).sum())(weight).requires_grad
    assert weight.grad is None and v.grad is None and not v.requires_grad


def test_inputs_are_not_changed_by_what_functions_write(v: torch.Tensor) -> None:
    kept = v.tolist()
    batch = torch.stack([v, v])

    def writing(x: torch.Tensor) -> torch.Tensor:
        return x.clone().mul_(2).pow_(2).sum()

    assert close(grad(writing)(v), 8 * v)
    assert close(vmap(grad(writing))(batch), 8 * batch)
    assert v.tolist() == kept


def test_control_flow_may_depend_on_values_outside_vmap(v: torch.Tensor) -> None:
    branching = lambda x: (x**2).sum() if x.sum() > 0 else x.sum()
    assert close(grad(branching)(v), 2 * v)
    assert close(hessian(branching)(v), 2 * torch.eye(3, dtype=torch.float64))
    assert close(jacrev(branching)(-v), torch.ones_like(v))


def test_vjp_may_be_called_again_and_mapped(v: torch.Tensor) -> None:
    out, pull = vjp(lambda x: (x**2, {"sum": x.sum()}), v)
    one = torch.ones((), dtype=torch.float64)
    for factor in (1.0, 2.0):
        (gradient,) = pull((v * factor, {"sum": one}))
        assert close(gradient, 2 * v * v * factor + 1)
    eye = torch.eye(3, dtype=torch.float64)
    (rows,) = vmap(lambda c: pull((c, {"sum": 0 * one})))(eye)
    assert close(rows, torch.diag(2 * v))
    assert close(out[0], v**2)


def test_functional_call_leaves_the_module_alone() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x = torch.randn(4, 2)
    functional_call(model, {name: torch.zeros_like(t) for name, t in before.items()}, x)
    with pytest.raises(RuntimeError):
        functional_call(model, {"0.weight": torch.zeros(3, 3)}, x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert isinstance(model[0].weight, nn.Parameter)


def test_the_old_name_of_functional_call() -> None:
    model, x = nn.Linear(2, 1), torch.tensor([1.0, 2.0])
    with pytest.warns(FutureWarning, match="functional_call` is deprecated"):
        found = nn.utils.stateless.functional_call(model, {"weight": torch.ones(1, 2)}, x)
    assert torch.equal(found, x.sum() + model.bias)


def test_tied_weights() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) + self.b(x)

    model, x = Tied(), torch.tensor([1.0, 2.0])
    assert functional_call(model, {"a.weight": torch.ones(2, 2)}, x).tolist() == [6, 6]
    assert torch.equal(
        functional_call(model, {"a.weight": torch.zeros(2, 2)}, x, tie_weights=False), model.b(x)
    )
    with pytest.raises(ValueError, match="functional_call got multiple values for keys"):
        functional_call(model, {"a.weight": torch.ones(2, 2), "b.weight": torch.zeros(2, 2)}, x)


def test_batch_norm_can_be_made_stateless() -> None:
    model = replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(3)))
    assert vmap(model)(torch.randn(2, 4, 3)).shape == (2, 4, 3)
    assert not model[0].track_running_stats


def test_no_leaks(v: torch.Tensor) -> None:
    def work() -> None:
        batch = torch.stack([v, v])
        for _ in range(20):
            vmap(grad(lambda x: (x**2).sum()))(batch)
            hessian(lambda x: (x**3).sum())(v)
            vmap(jacfwd(wave))(batch)
            vjp(wave, v)[1](v)

    work()
    gc.collect()
    before = torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]
    work()
    gc.collect()
    assert (torch.memory_stats()["live_tensors"], torch.memory_stats()["live_nodes"]) == before


class Square(torch.autograd.Function):
    """x * x, with a derivative in Python."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return 2 * g * ctx.saved_tensors[0]


class SquareOfBatch(Square):
    generate_vmap_rule = False
    calls: list[Any] = []

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: torch.Tensor) -> Any:
        SquareOfBatch.calls.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
        return SquareOfBatch.apply(x).t(), 1


def test_functions_with_a_derivative_in_python(v: torch.Tensor) -> None:
    batch = torch.stack([v, v + 1])
    for function in (Square, SquareOfBatch):
        assert close(grad(lambda x: function.apply(x).sum())(v), 2 * v)  # noqa: B023
        assert close(vmap(function.apply)(batch), batch**2)
        assert close(vmap(grad(lambda x: function.apply(x).sum()))(batch), 2 * batch)  # noqa: B023
    assert SquareOfBatch.calls[0] == (2, "error", (0,), (2, 3))


def test_functions_that_cannot_be_mapped(v: torch.Tensor) -> None:
    class Without(Square):
        generate_vmap_rule = False

    class Both(SquareOfBatch):
        generate_vmap_rule = True

    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    for function, message in (
        (Without, "does not have vmap support"),
        (Both, "has both generate_vmap_rule=True and an overridden vmap"),
        (Old, "must override the setup_context staticmethod"),
    ):
        with pytest.raises(RuntimeError, match=message):
            vmap(function.apply)(v)
