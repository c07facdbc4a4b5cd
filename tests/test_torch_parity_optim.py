"""Optimizers, schedules and data loading beside PyTorch's."""

import copy
import inspect
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tapegrad as tg  # noqa: E402
from tapegrad.optim import lr_scheduler as ours_lr  # noqa: E402

ENGINES = (tg, torch)
theirs_lr = torch.optim.lr_scheduler

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "dampening": 0.3}),
    ("SGD", {"lr": 0.01, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.02, "amsgrad": True}),
    ("Adam", {"lr": 0.02, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.001, "maximize": True}),
    ("AdamW", {"lr": 0.02}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.005, "momentum": 0.9, "centered": True, "weight_decay": 0.01}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.8, "weight_decay": 0.01, "maximize": True}),
    ("Adamax", {"lr": 0.02}),
    ("Adamax", {"lr": 0.02, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.02}),
    ("NAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.02}),
    ("RAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {"lr": 0.01}),
    ("ASGD", {"lr": 0.05, "t0": 5}),
    ("LBFGS", {"lr": 0.5, "max_iter": 4}),
    ("LBFGS", {"line_search_fn": "strong_wolfe", "history_size": 5}),
]
IDS = [f"{i}-{name}" for i, (name, _) in enumerate(OPTIMIZERS)]


def problem(engine, dtype="float32"):
    engine.manual_seed(0)
    nn = engine.nn
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).to(getattr(engine, dtype))
    rng = np.random.default_rng(0)
    x = engine.tensor(rng.standard_normal((16, 3)).astype(dtype))
    return net, x, (x * x).sum(1, keepdim=True)


def losses(engine, net, optimizer, x, y, steps):
    result = []

    def closure():
        optimizer.zero_grad()
        loss = engine.nn.functional.mse_loss(net(x), y)
        loss.backward()
        return loss

    for _ in range(steps):
        result.append(optimizer.step(closure).item())
    return result


def plain(value):
    if isinstance(value, tg.Tensor | torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=IDS)
def test_twenty_steps(name, options):
    runs, states, reprs = [], [], []
    for engine in ENGINES:
        # a line search turns a difference in the last bit into another path: give it more bits
        net, x, y = problem(engine, "float64" if name == "LBFGS" else "float32")
        optimizer = getattr(engine.optim, name)(net.parameters(), **options)
        runs.append(losses(engine, net, optimizer, x, y, 20))
        states.append(optimizer.state_dict())
        reprs.append(repr(optimizer))
    np.testing.assert_allclose(*runs, rtol=2e-4, atol=1e-7)
    assert reprs[0] == reprs[1]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    ours, theirs = ({key: list(entries) for key, entries in state["state"].items()} for state in states)
    if name == "LBFGS":
        theirs[0].remove("al")  # scratch space
    assert ours == theirs


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=IDS)
def test_training_continues_from_a_state_dict(name, options):
    net, x, y = problem(tg)
    optimizer = getattr(tg.optim, name)(net.parameters(), **options)
    losses(tg, net, optimizer, x, y, 3)
    twin = copy.deepcopy(net)
    again = getattr(tg.optim, name)(twin.parameters(), lr=77.0)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert losses(tg, twin, again, x, y, 5) == losses(tg, net, optimizer, x, y, 5)


def signature(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", [n for n in tg.optim.__all__ if n != "lr_scheduler"])
def test_optimizer_has_the_signature_of_torch(name):
    assert signature(getattr(tg.optim, name)) == signature(getattr(torch.optim, name))


@pytest.mark.parametrize("name", ours_lr.__all__)
def test_schedule_has_the_signature_of_torch(name):
    assert signature(getattr(ours_lr, name)) == signature(getattr(theirs_lr, name))


SCHEDULES = [
    ("LambdaLR", (lambda epoch: 0.9**epoch,), {}),
    ("MultiplicativeLR", (lambda epoch: 1 / (1 + epoch),), {}),
    ("StepLR", (3,), {"gamma": 0.5}),
    ("MultiStepLR", ([2, 5, 5, 9],), {}),
    ("ConstantLR", (), {"factor": 0.25, "total_iters": 4}),
    ("LinearLR", (), {"start_factor": 0.2, "total_iters": 6}),
    ("ExponentialLR", (0.9,), {}),
    ("PolynomialLR", (), {"total_iters": 7, "power": 2.0}),
    ("CosineAnnealingLR", (5,), {"eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", (3,), {"T_mult": 2}),
    ("CyclicLR", (0.1, 1.0), {"step_size_up": 3}),
    ("CyclicLR", (0.1, [1.0, 2.0]), {"step_size_up": 3, "step_size_down": 2, "mode": "triangular2"}),
    ("CyclicLR", (0.1, 1.0), {"step_size_up": 2, "mode": "exp_range", "gamma": 0.9, "cycle_momentum": False}),
    ("OneCycleLR", (1.0,), {"total_steps": 20}),
    (
        "OneCycleLR",
        (1.0,),
        {"epochs": 4, "steps_per_epoch": 5, "anneal_strategy": "linear", "three_phase": True},
    ),
]


def stepped(engine, make, steps=15, **options):
    tensors = [engine.zeros(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": [tensors[0]]}, {"params": [tensors[1]], "lr": 0.3}]
    optimizer = engine.optim.SGD(groups, lr=0.7, momentum=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(engine.optim.lr_scheduler, optimizer)
        history = [[(group["lr"], group["momentum"]) for group in optimizer.param_groups]]
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
            history.append([(group["lr"], group["momentum"]) for group in optimizer.param_groups])
    assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return history


@pytest.mark.parametrize(
    ("name", "args", "kwargs"), SCHEDULES, ids=[f"{i}-{s[0]}" for i, s in enumerate(SCHEDULES)]
)
def test_schedule_gives_the_rates_of_torch(name, args, kwargs):
    histories = [stepped(e, lambda module, opt: getattr(module, name)(opt, *args, **kwargs)) for e in ENGINES]
    np.testing.assert_allclose(*histories, rtol=1e-12)


def test_combined_schedules_give_the_rates_of_torch():
    def sequential(module, opt):
        parts = [
            module.ConstantLR(opt, 0.1, 3),
            module.ExponentialLR(opt, 0.9),
            module.CosineAnnealingLR(opt, 4),
        ]
        return module.SequentialLR(opt, parts, [3, 8])

    def chained(module, opt):
        return module.ChainedScheduler([module.ConstantLR(opt, 0.1, 3), module.ExponentialLR(opt, 0.9)])

    for make in (sequential, chained):
        np.testing.assert_allclose(*[stepped(engine, make) for engine in ENGINES], rtol=1e-12)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    metrics = [5, 4, 4.1, 4.2, 4.0, 3, 3, 3, 3, 2.9999, 2.9998, 3, 3, 3, 1, 1, 1, 1, 1]
    histories = []
    for engine in ENGINES:
        optimizer = engine.optim.SGD([engine.zeros(2, requires_grad=True)], lr=1.0)
        scheduler = engine.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, 0.5, 2, threshold_mode=threshold_mode, cooldown=1, min_lr=0.05
        )
        rates = []
        for metric in metrics:
            scheduler.step(metric)
            rates.append(scheduler.get_last_lr()[0])
        histories.append((rates, scheduler.best, scheduler.num_bad_epochs))
    assert histories[0] == histories[1]


def error_of(action, engine):
    with pytest.raises(Exception) as caught:
        action(engine)
    return type(caught.value), str(caught.value).replace("tapegrad.", "torch.")


def parameters(engine):
    return [engine.zeros(2, requires_grad=True)]


def data(engine):
    return engine.utils.data.TensorDataset(engine.arange(6.0))


def loader_error(**options):
    return lambda engine: engine.utils.data.DataLoader(data(engine), **options)


ERRORS = {
    "empty": lambda e: e.optim.SGD([], 0.1),
    "tensor": lambda e: e.optim.SGD(e.zeros(2), 0.1),
    "not tensors": lambda e: e.optim.SGD([1.0], 0.1),
    "set": lambda e: e.optim.SGD([{"params": set(parameters(e))}], 0.1),
    "non-leaf": lambda e: e.optim.SGD([parameters(e)[0] * 2], 0.1),
    "twice": lambda e: e.optim.SGD([{"params": p} for p in parameters(e) * 2], 0.1),
    "group": lambda e: e.optim.SGD(parameters(e), 0.1).add_param_group([1]),
    "lr": lambda e: e.optim.SGD(parameters(e), -0.1),
    "momentum": lambda e: e.optim.SGD(parameters(e), 0.1, momentum=-1),
    "weight decay": lambda e: e.optim.SGD(parameters(e), 0.1, weight_decay=-1),
    "nesterov": lambda e: e.optim.SGD(parameters(e), 0.1, nesterov=True),
    "adam lr": lambda e: e.optim.Adam(parameters(e), -0.1),
    "adam eps": lambda e: e.optim.Adam(parameters(e), eps=-0.1),
    "adam beta": lambda e: e.optim.Adam(parameters(e), betas=(0.9, 1.0)),
    "adamw decay": lambda e: e.optim.AdamW(parameters(e), weight_decay=-1),
    "fused": lambda e: e.optim.Adam(parameters(e), fused=True, foreach=True),
    "groups": lambda e: e.optim.SGD(parameters(e)).load_state_dict({"state": {}, "param_groups": []}),
    "group size": lambda e: e.optim.SGD(parameters(e)).load_state_dict(
        {"state": {}, "param_groups": [{"params": []}]}
    ),
    "no optimizer": lambda e: e.optim.lr_scheduler.StepLR(3, 1),
    "lambdas": lambda e: e.optim.lr_scheduler.LambdaLR(e.optim.SGD(parameters(e)), [abs, abs]),
    "factor": lambda e: e.optim.lr_scheduler.ConstantLR(e.optim.SGD(parameters(e)), 3.0),
    "one cycle": lambda e: e.optim.lr_scheduler.OneCycleLR(e.optim.SGD(parameters(e), momentum=0.9), 1.0),
    "workers": loader_error(num_workers=-1),
    "timeout": loader_error(timeout=-1),
    "prefetch": loader_error(prefetch_factor=2),
    "persistent": loader_error(persistent_workers=True),
    "sampler and shuffle": loader_error(sampler=[1], shuffle=True),
    "batch sampler": loader_error(batch_sampler=[[1]], batch_size=3),
    "no batches": loader_error(batch_size=None, drop_last=True),
    "batch size": loader_error(batch_size=0),
    "drop last": loader_error(drop_last=3),
    "random sampler": lambda e: e.utils.data.RandomSampler(data(e), num_samples=0),
    "replacement": lambda e: e.utils.data.RandomSampler(data(e), replacement=3),
    "weighted": lambda e: e.utils.data.WeightedRandomSampler([1.0], -1),
    "tensors": lambda e: e.utils.data.TensorDataset(e.zeros(2), e.zeros(3)),
    "split": lambda e: e.utils.data.random_split(data(e), [1, 2]),
    "concat": lambda e: e.utils.data.ConcatDataset([]),
    "collate type": lambda e: e.utils.data.default_collate([object.__new__(e.nn.Identity)]),
    "collate lengths": lambda e: e.utils.data.default_collate([[1, 2], [1]]),
    "clip": lambda e: e.nn.utils.clip_grad_norm_(infinite(e), 1.0, error_if_nonfinite=True),
}


def infinite(engine):
    (parameter,) = parameters(engine)
    parameter.grad = engine.tensor([1.0, float("inf")])
    return [parameter]


@pytest.mark.parametrize("case", list(ERRORS))
def test_error_is_that_of_torch(case):
    assert error_of(ERRORS[case], tg) == error_of(ERRORS[case], torch)


@pytest.mark.parametrize("norm", [1, 2.0, 3, float("inf")])
def test_clipping(norm):
    results = []
    for engine in ENGINES:
        net, x, y = problem(engine)
        (net(x) * 100).sum().backward()
        total = engine.nn.utils.clip_grad_norm_(net.parameters(), 2.0, norm_type=norm)
        engine.nn.utils.clip_grad_value_(net.parameters(), 0.3)
        flat = engine.nn.utils.parameters_to_vector(p.grad for p in net.parameters())
        results.append([total.item(), *flat.tolist()])
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


def batches(engine, make):
    engine.manual_seed(11)
    result = [plain(batch) for _ in range(2) for batch in make(engine.utils.data, engine)]
    return result, engine.rand(1).item()


def tensors(d, e, count=23):
    return d.TensorDataset(e.arange(count * 2).reshape(count, 2), e.arange(count))


def seeded(e):
    generator = e.Generator()
    generator.manual_seed(5)
    return generator


LOADERS = {
    "plain": lambda d, e: d.DataLoader(tensors(d, e), batch_size=5),
    "shuffled": lambda d, e: d.DataLoader(tensors(d, e), batch_size=5, shuffle=True),
    "drop last": lambda d, e: d.DataLoader(tensors(d, e), 5, True, drop_last=True),
    "generator": lambda d, e: d.DataLoader(tensors(d, e), 5, True, generator=seeded(e)),
    "one at a time": lambda d, e: d.DataLoader(tensors(d, e, 4)),
    "no batches": lambda d, e: d.DataLoader(tensors(d, e, 4), batch_size=None),
    "replacement": lambda d, e: d.DataLoader(
        tensors(d, e), 7, sampler=d.RandomSampler(tensors(d, e), replacement=True, num_samples=50)
    ),
    "more than all": lambda d, e: d.DataLoader(
        tensors(d, e), 7, sampler=d.RandomSampler(tensors(d, e), num_samples=50)
    ),
    "subset sampler": lambda d, e: d.DataLoader(
        tensors(d, e), 3, sampler=d.SubsetRandomSampler([3, 1, 4, 15, 9])
    ),
    "batch sampler": lambda d, e: d.DataLoader(
        tensors(d, e), batch_sampler=d.BatchSampler(d.RandomSampler(tensors(d, e)), 4, True)
    ),
    "split": lambda d, e: d.DataLoader(d.random_split(tensors(d, e), [20, 3])[0], 6, shuffle=True),
    "fractions": lambda d, e: d.DataLoader(d.random_split(tensors(d, e), [0.5, 0.25, 0.25], seeded(e))[1], 6),
    "subset": lambda d, e: d.DataLoader(d.Subset(d.Subset(tensors(d, e), range(3, 20)), [5, 1, 0]), 2),
    "concat": lambda d, e: d.DataLoader(
        d.ConcatDataset([tensors(d, e, 3), tensors(d, e, 4)]), 3, shuffle=True
    ),
    "stack": lambda d, e: d.DataLoader(d.StackDataset(a=list(range(6)), b=e.arange(6)), 4),
    "list": lambda d, e: d.DataLoader(
        [(i, float(i), np.float32(i), "s", {"k": [i, i]}) for i in range(7)], 3
    ),
    "arrays": lambda d, e: d.DataLoader([np.full((2, 2), i) for i in range(7)], 3),
    "collate": lambda d, e: d.DataLoader(list(range(7)), 3, collate_fn=sum),
    "chain": lambda d, e: d.DataLoader(d.ChainDataset([counted(d)(3), counted(d)(4)]), 2, drop_last=True),
    "iterable": lambda d, e: d.DataLoader(counted(d)(5), 2),
    "iterable alone": lambda d, e: d.DataLoader(counted(d)(5), None),
    "distributed": lambda d, e: d.DataLoader(
        list(range(11)), 2, sampler=d.DistributedSampler(list(range(11)), 3, 1)
    ),
}


def counted(d):
    class Counted(d.IterableDataset):
        def __init__(self, count):
            self.count = count

        def __iter__(self):
            return iter(range(self.count))

    return Counted


@pytest.mark.parametrize("case", list(LOADERS))
def test_loader_gives_the_batches_of_torch(case):
    assert batches(tg, LOADERS[case]) == batches(torch, LOADERS[case])


@pytest.mark.parametrize("replacement", [True, False])
def test_weighted_sampler_draws_what_torch_draws(replacement):
    drawn = []
    for engine in ENGINES:
        engine.manual_seed(4)
        drawn.append(list(engine.utils.data.WeightedRandomSampler([0.1, 3, 2, 1], 4, replacement)))
    assert drawn[0] == drawn[1]


def default_or_none(parameter):
    return None if type(parameter.default).__name__ == "Generator" else parameter.default


@pytest.mark.parametrize("name", tg.utils.data.__all__)
def test_data_name_has_the_signature_of_torch(name):
    ours, theirs = (inspect.signature(getattr(e.utils.data, name)).parameters.values() for e in ENGINES)
    readable = [[(p.name, p.kind, default_or_none(p)) for p in parameters] for parameters in (ours, theirs)]
    if name == "Sampler":  # torch dropped the unused argument that old subclasses pass on
        return
    assert readable[0] == readable[1]
