"""Optimizers and schedules: values worked out by hand, state, groups, subclasses."""

import copy
import math
import pickle
import warnings

import pytest

import tapegrad as torch
from tapegrad import nn, optim
from tapegrad.optim import lr_scheduler

EVERY = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.Adadelta]
EVERY += [optim.Adamax, optim.NAdam, optim.RAdam, optim.Rprop, optim.ASGD]


def parameter(value=1.0, grad=0.5):
    result = nn.Parameter(torch.tensor([value]))
    if grad is not None:
        result.grad = torch.tensor([grad])
    return result


def value_after(steps, make, grad=0.5):
    p = parameter(grad=grad)
    optimizer = make([p])
    for _ in range(steps):
        optimizer.step()
    return p.item()


def test_sgd_by_hand():
    assert value_after(1, lambda p: optim.SGD(p, lr=0.1)) == pytest.approx(0.95)
    assert value_after(1, lambda p: optim.SGD(p, lr=0.1, maximize=True)) == pytest.approx(1.05)
    assert value_after(1, lambda p: optim.SGD(p, lr=0.1, weight_decay=0.2)) == pytest.approx(1 - 0.1 * 0.7)
    momentum = 1 - 0.1 * 0.5 - 0.1 * (0.9 * 0.5 + 0.5)
    assert value_after(2, lambda p: optim.SGD(p, lr=0.1, momentum=0.9)) == pytest.approx(momentum)
    damped = 1 - 0.1 * 0.5 - 0.1 * (0.9 * 0.5 + 0.7 * 0.5)
    assert value_after(2, lambda p: optim.SGD(p, 0.1, 0.9, dampening=0.3)) == pytest.approx(damped)
    nesterov = 1 - 0.1 * (0.5 + 0.9 * 0.5)
    assert value_after(1, lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True)) == pytest.approx(nesterov)


def test_adam_by_hand():
    assert value_after(1, lambda p: optim.Adam(p, lr=0.1)) == pytest.approx(0.9)
    assert value_after(1, lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.5)) == pytest.approx(0.95 - 0.1)
    p = parameter()
    optimizer = optim.Adam([p], lr=0.1, betas=(0.5, 0.75))
    optimizer.step()
    p.grad = torch.tensor([-1.0])
    optimizer.step()
    mean = (0.5 * 0.25 - 0.5) / (1 - 0.25)
    square = (0.75 * 0.0625 + 0.25) / (1 - 0.75**2)
    assert p.item() == pytest.approx(0.9 - 0.1 * mean / (math.sqrt(square) + 1e-8), rel=1e-5)


def test_state_entries():
    p = parameter()
    sgd = optim.SGD([p], 0.1, momentum=0.9)
    sgd.step()
    assert list(sgd.state[p]) == ["momentum_buffer"] and sgd.state[p]["momentum_buffer"].tolist() == [0.5]
    adam = optim.Adam([p], amsgrad=True)
    adam.step()
    assert list(adam.state[p]) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    assert adam.state[p]["step"].item() == 1.0
    assert adam.state[p]["exp_avg"].tolist() == pytest.approx([0.05])


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_optimizer_lowers_a_quadratic(kind):
    p = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = kind([p], lr=0.05)
    before = (p * p).sum().item()
    for _ in range(30):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    assert (p * p).sum().item() < before
    assert p.grad_fn is None and p.is_leaf


def test_lbfgs_solves_a_quadratic_in_one_step():
    p = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (p[0] - 1) ** 2 + 10 * (p[1] - 2) ** 2
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert first.item() == pytest.approx(4 + 160)
    assert p.tolist() == pytest.approx([1.0, 2.0], abs=1e-4)


def test_parameters_without_gradient_are_left_alone():
    with_grad, without = parameter(), parameter(grad=None)
    optimizer = optim.Adam([with_grad, without], lr=0.1)
    optimizer.step()
    assert without.item() == 1.0 and without not in optimizer.state
    assert with_grad.item() != 1.0


def test_groups_and_defaults():
    a, b = parameter(), parameter()
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.1, momentum=0.9)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]
    assert optimizer.defaults["momentum"] == 0.9
    optimizer.step()
    assert (a.item(), b.item()) == pytest.approx((0.75, 0.95))
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    assert a.item() == pytest.approx(0.75)
    optimizer.add_param_group({"params": [parameter()], "lr": 1.0})
    assert len(optimizer.param_groups) == 3 and optimizer.param_groups[2]["momentum"] == 0.9
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optimizer.add_param_group({"params": [a]})


def test_named_parameters():
    net = nn.Linear(1, 1)
    optimizer = optim.SGD(net.named_parameters(), 0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"][0] is net.weight


def test_repr():
    assert repr(optim.SGD([parameter()], lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n  "
        "  fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_copies_continue_alike(kind):
    p = parameter()
    optimizer = kind([p], lr=0.1)
    optimizer.step()
    twin_p = copy.deepcopy(p)
    twin_p.grad = torch.tensor([0.5])
    twin = kind([twin_p], lr=9.0)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert twin.param_groups[0]["lr"] == 0.1
    revived = pickle.loads(pickle.dumps(optimizer))
    assert revived.param_groups[0]["lr"] == 0.1
    optimizer.step()
    twin.step()
    assert twin_p.item() == p.item()


def test_zero_grad():
    p = parameter()
    optimizer = optim.SGD([p], 0.1)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_closure_runs_with_gradients():
    p = parameter(grad=None)
    optimizer = optim.SGD([p], 0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() == pytest.approx(0.8)


def test_users_optimizer():
    class SignDescent(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None or p.grad.is_sparse:
                        continue
                    state = self.state[p]
                    state["step"] = state.get("step", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = parameter()
    optimizer = SignDescent([p])
    scheduler = lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    optimizer.step()
    assert p.item() == pytest.approx(0.85)
    assert optimizer.state_dict()["state"] == {0: {"step": 2}}


def test_step_hooks():
    p = parameter()
    optimizer = optim.SGD([p], 0.1)
    calls = []
    before = optimizer.register_step_pre_hook(lambda opt, args, kwargs: calls.append("before"))
    optimizer.register_step_post_hook(lambda opt, args, kwargs: calls.append("after"))
    optimizer.step()
    before.remove()
    optimizer.step()
    assert calls == ["before", "after", "after"]
    optimizer.register_state_dict_post_hook(lambda opt, state: state.update(note=1))
    assert optimizer.state_dict()["note"] == 1


def rates(make, steps=6, lr=1.0):
    optimizer = optim.SGD([parameter()], lr=lr, momentum=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = make(optimizer)
        result = [optimizer.param_groups[0]["lr"]]
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
            result.append(scheduler.get_last_lr()[0])
    return result


def test_schedules():
    assert rates(lambda o: lr_scheduler.StepLR(o, 2, 0.5)) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert rates(lambda o: lr_scheduler.MultiStepLR(o, [1, 4], 0.5)) == [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert rates(lambda o: lr_scheduler.ExponentialLR(o, 0.5), 3) == [1, 0.5, 0.25, 0.125]
    assert rates(lambda o: lr_scheduler.LambdaLR(o, lambda e: 1 / (1 + e)), 3) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert rates(lambda o: lr_scheduler.ConstantLR(o, 0.5, 2), 3) == [0.5, 0.5, 1, 1]
    assert rates(lambda o: lr_scheduler.LinearLR(o, 0.5, 1.0, 2), 3) == pytest.approx([0.5, 0.75, 1, 1])
    cosine = [(1 + math.cos(math.pi * e / 4)) / 2 for e in range(5)]
    assert rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 4), 4) == pytest.approx(cosine)
    cycle = rates(lambda o: lr_scheduler.OneCycleLR(o, 2.0, total_steps=11, pct_start=0.5), 10)
    assert cycle[0] == pytest.approx(2 / 25) and max(cycle) == pytest.approx(2, rel=0.05) and cycle[-1] < 1e-4


def test_plateau():
    optimizer = optim.SGD([parameter()], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
    for metric in [3.0, 2.0, 2.0, torch.tensor(2.0), 2.0]:
        scheduler.step(metric)
    assert scheduler.get_last_lr() == [0.1]


def test_schedule_state_round_trip():
    optimizer = optim.SGD([parameter()], lr=1.0)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    scheduler.step()
    other = lr_scheduler.StepLR(optim.SGD([parameter()], lr=1.0), 5)
    other.load_state_dict(scheduler.state_dict())
    assert (other.step_size, other.last_epoch) == (2, 1)
    assert "optimizer" not in scheduler.state_dict()


def test_schedule_before_optimizer_warns():
    scheduler = lr_scheduler.StepLR(optim.SGD([parameter()], lr=1.0), 2)
    with pytest.warns(
        UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"
    ):
        scheduler.step()


def test_users_schedule():
    class Halving(lr_scheduler._LRScheduler):
        def get_lr(self):
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    assert rates(Halving, 2) == [1, 0.5, 0.25]
