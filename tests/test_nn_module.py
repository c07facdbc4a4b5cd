"""nn.Module: registration, iteration, state, hooks, copying."""

import copy
import inspect
import pickle
import weakref
from collections import OrderedDict

import pytest

import tapegrad as torch
from tapegrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 1, bias=False)
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.second(self.first(x).relu()) * self.scale


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.b = self.a


def test_iteration_names_and_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias", "second.weight"]
    assert [name for name, _ in net.named_buffers()] == ["scale", "scratch"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "second"]
    assert [name for name, _ in net.named_children()] == ["first", "second"]
    assert list(net.parameters(recurse=False)) == []
    assert [name for name, _ in net.named_parameters(prefix="net")][0] == "net.first.weight"


def test_shared_modules_are_listed_once():
    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == ["a.weight", "a.bias"]
    every = [name for name, _ in tied.named_parameters(remove_duplicate=False)]
    assert every == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert len(list(tied.children())) == 1
    assert list(tied.state_dict()) == every


def test_attributes():
    net = Net()
    assert net.first.weight is net.get_parameter("first.weight")
    assert net.scale is net.get_buffer("scale")
    net.first.bias = None
    assert net.first.bias is None
    assert "first" in dir(net)
    net.scale = torch.full((1,), 2.0)
    assert dict(net.named_buffers())["scale"].item() == 2.0
    net.first = nn.Identity()
    assert repr(net.first) == "Identity()"
    del net.second
    assert not hasattr(net, "second")
    net.extra = nn.Parameter(torch.zeros(2))
    assert dict(net.named_parameters())["extra"] is net.extra
    net.plain = 3
    assert net.__dict__["plain"] == 3


def test_an_attribute_that_becomes_a_parameter_is_registered():
    net = nn.Module()
    net.x = 1
    net.x = nn.Parameter(torch.zeros(1))
    assert "x" not in net.__dict__
    assert [name for name, _ in net.named_parameters()] == ["x"]
    with pytest.raises(TypeError, match="cannot assign .* as parameter 'x'"):
        net.x = nn.Linear(1, 1)
    del net.x
    net.x = nn.Linear(1, 1)
    assert [name for name, _ in net.named_parameters()] == ["x.weight", "x.bias"]


def test_buffer_class():
    net = nn.Module()
    net.a = nn.Buffer(torch.ones(2))
    net.b = nn.Buffer(torch.ones(2), persistent=False)
    assert [name for name, _ in net.named_buffers()] == ["a", "b"]
    assert list(net.state_dict()) == ["a"]


def test_train_eval_requires_grad_zero_grad():
    net = Net()
    assert net.training and net.eval() is net and not net.first.training
    assert net.train().second.training
    net(torch.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.second.weight.grad.abs().sum().item() == 0
    net.zero_grad()
    assert net.second.weight.grad is None
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_a_subclass_may_give_train_another_meaning():
    class Fit(nn.Linear):
        def train(self, x, y):
            return x + y

    fit = Fit(1, 1)
    assert fit.train(1, 2) == 3
    assert fit(torch.ones(1, 1)).shape == (1, 1)


def test_apply_and_conversion():
    net = Net()
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Linear", "Net"]
    weight = net.first.weight
    assert net.double() is net
    assert net.first.weight is weight
    assert weight.dtype == torch.float64
    assert net.scale.dtype == torch.float64
    net.to(torch.float32).to("cpu").to(torch.zeros(1, dtype=torch.float64))
    assert net.second.weight.dtype == torch.float64
    net.register_buffer("count", torch.tensor(1))
    net.float()
    assert net.count.dtype == torch.int64


def test_state_dict_round_trip():
    source, target = Net(), Net()
    state = source.state_dict()
    assert list(state) == ["scale", "first.weight", "first.bias", "second.weight"]
    assert not state["first.weight"].requires_grad
    assert source.state_dict(keep_vars=True)["first.weight"] is source.first.weight
    assert str(target.load_state_dict(state)) == "<All keys matched successfully>"
    for a, b in zip(source.parameters(), target.parameters(), strict=True):
        assert torch.equal(a, b)
    assert state["first.weight"].data_ptr() == source.first.weight.data_ptr()


def test_load_reports_everything_that_does_not_fit():
    with pytest.raises(RuntimeError) as error:
        Net().load_state_dict(
            {"scale": torch.zeros(2), "second.weight": torch.zeros(1, 3), "third": torch.zeros(1)}
        )
    assert str(error.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "first.weight", "first.bias". \n'
        '\tUnexpected key(s) in state_dict: "third". \n'
        "\tsize mismatch for scale: copying a param with shape torch.Size([2]) from checkpoint, "
        "the shape in current model is torch.Size([1])."
    )
    keys = Net().load_state_dict({"third": torch.zeros(1)}, strict=False)
    assert keys.unexpected_keys == ["third"]
    assert keys.missing_keys == ["scale", "first.weight", "first.bias", "second.weight"]


def test_load_with_assign_takes_the_tensors():
    net = nn.Linear(2, 1)
    state = {"weight": torch.ones(1, 2), "bias": nn.Parameter(torch.zeros(1))}
    net.load_state_dict(state, assign=True)
    assert net.bias is state["bias"]
    assert net.weight.data_ptr() == state["weight"].data_ptr()
    assert isinstance(net.weight, nn.Parameter) and net.weight.requires_grad


def test_extra_state_and_state_hooks():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0

        def get_extra_state(self):
            return self.count

        def set_extra_state(self, state):
            self.count = state

    counter, copy_of_it = Counter(), Counter()
    counter.count = 7
    counter.register_state_dict_pre_hook(
        lambda module, prefix, keep_vars: setattr(module, "count", module.count + 1)
    )
    counter.register_state_dict_post_hook(lambda module, state, prefix, meta: state.update(note=1))
    state = counter.state_dict()
    assert state == {"_extra_state": 8, "note": 1}
    copy_of_it.register_load_state_dict_pre_hook(lambda module, state, *rest: state.pop("note"))
    seen = []
    copy_of_it.register_load_state_dict_post_hook(lambda module, keys: seen.append(keys))
    copy_of_it.load_state_dict(state)
    assert copy_of_it.count == 8
    assert seen[0].missing_keys == []


def test_forward_hooks():
    layer = nn.Identity()
    calls = []
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    after = layer.register_forward_hook(lambda module, args, output: output * 10)
    layer.register_forward_hook(
        lambda module, args, kwargs, output: calls.append((args, kwargs)), with_kwargs=True
    )
    assert layer(1) == 20
    assert calls == [((2,), {})]
    before.remove()
    assert layer(1) == 10
    after.remove()
    assert layer(1) == 1
    with layer.register_forward_pre_hook(lambda module, args, kwargs: ((5,), kwargs), with_kwargs=True):
        assert layer(1) == 5
    assert layer(1) == 1


def test_hook_order_and_always_call():
    layer = nn.Identity()
    order = []
    layer.register_forward_hook(lambda *args: order.append("second"))
    layer.register_forward_hook(lambda *args: order.append("first"), prepend=True)
    layer(1)
    assert order == ["first", "second"]
    failing = nn.Linear(2, 2)
    called = []
    failing.register_forward_hook(lambda module, args, output: called.append(output), always_call=True)
    with pytest.raises(RuntimeError):
        failing(torch.ones(3))
    assert called == [None]


def test_global_hooks():
    seen = []
    with nn.modules.module.register_module_forward_hook(
        lambda module, args, output: seen.append(type(module))
    ):
        nn.Sequential(nn.ReLU())(torch.zeros(1))
    assert seen == [nn.ReLU, nn.Sequential]
    nn.ReLU()(torch.zeros(1))
    assert len(seen) == 2


def test_full_backward_hooks_see_and_change_gradients():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data.copy_(torch.tensor([[2.0, 3.0]]))
    seen = {}
    layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 10,))

    def hook(module, grad_input, grad_output):
        seen["input"], seen["output"] = grad_input[0].tolist(), grad_output[0].tolist()
        return (grad_input[0] + 1,)

    layer.register_full_backward_hook(hook)
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert seen == {"input": [[20.0, 30.0]], "output": [[10.0]]}
    assert x.grad.tolist() == [[21.0, 31.0]]
    assert layer.weight.grad.tolist() == [[10.0, 10.0]]


def test_full_backward_hook_without_input_gradient():
    layer = nn.Linear(2, 1)
    seen = []
    layer.register_full_backward_hook(
        lambda module, grad_input, grad_output: seen.append((grad_input, grad_output))
    )
    layer(torch.ones(1, 2)).sum().backward()
    assert seen[0][0] == (None,)
    assert seen[0][1][0].tolist() == [[1.0]]


def test_two_kinds_of_backward_hooks_do_not_mix():
    layer = nn.Linear(1, 1)
    layer.register_full_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks"):
        layer.register_backward_hook(lambda *args: None)


def test_pickle_and_deepcopy():
    net = Net()
    net.first.weight.grad = torch.ones(3, 2)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert twin.first.weight is not net.first.weight
        assert isinstance(twin.first.weight, nn.Parameter)
        assert torch.equal(twin.first.weight, net.first.weight)
        assert torch.equal(twin(torch.ones(1, 2)), net(torch.ones(1, 2)))
    shallow = copy.copy(net)
    assert shallow.first is net.first
    tied = copy.deepcopy(Tied())
    assert tied.a is tied.b


def test_repr_of_nested_modules():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
            self.empty = nn.Module()

        def extra_repr(self):
            return "size=3\nmode=fast"

    assert repr(Outer()) == (
        "Outer(\n  size=3\n  mode=fast\n  (block): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=3, bias=True)\n    (1): ReLU()\n  )\n  (empty): "
        "Module()\n)"
    )


def test_parameter():
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    assert repr(parameter) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    assert parameter.is_leaf and parameter.requires_grad
    assert isinstance(parameter, torch.Tensor)
    assert not isinstance(parameter * 1, nn.Parameter)
    assert not nn.Parameter(torch.zeros(1), requires_grad=False).requires_grad
    shared = torch.zeros(2)
    nn.Parameter(shared).data.add_(1)
    assert shared.tolist() == [1.0, 1.0]
    twin = copy.deepcopy(parameter)
    assert type(twin) is nn.Parameter and twin.data_ptr() != parameter.data_ptr()
    again = pickle.loads(pickle.dumps(parameter))
    assert type(again) is nn.Parameter and torch.equal(again, parameter)
    assert nn.Parameter().shape == (0,)
    with pytest.raises(AttributeError, match="nn.Parameter"):
        nn.Parameter([1.0])


def test_sequential():
    layers = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU(), c=nn.Linear(2, 3)))
    assert layers.a is layers[0] and layers[-1] is layers.c and len(layers) == 3
    assert list(layers[1:]._modules) == ["b", "c"]
    plain = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    plain.append(nn.Linear(2, 1)).insert(1, nn.Tanh()).extend([nn.Sigmoid()])
    assert [type(m).__name__ for m in plain] == ["Linear", "Tanh", "ReLU", "Linear", "Sigmoid"]
    assert list(plain._modules) == ["0", "1", "2", "3", "4"]
    del plain[1]
    assert type(plain.pop(-1)) is nn.Sigmoid
    assert [type(m).__name__ for m in plain + nn.Sequential(nn.GELU())] == [
        "Linear",
        "ReLU",
        "Linear",
        "GELU",
    ]
    assert len(plain * 2) == 6
    plain[0] = nn.Identity()
    assert type(plain[0]) is nn.Identity
    assert len(list(nn.Sequential(nn.ReLU(), nn.Tanh()).children())) == 2


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers.append(nn.ReLU())
    layers.insert(0, nn.Tanh())
    layers += [nn.Sigmoid()]
    assert len(layers) == 6 and type(layers[-1]) is nn.Sigmoid and type(layers[0]) is nn.Tanh
    assert len(layers[1:3]) == 2 and isinstance(layers[1:3], nn.ModuleList)
    assert "(1-3): 3 x Linear(in_features=1, out_features=1, bias=True)" in repr(layers)
    del layers[0]
    assert list(layers._modules) == ["0", "1", "2", "3", "4"]
    named = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    named["c"] = nn.GELU()
    named.update([("a", nn.Sigmoid())])
    assert list(named.keys()) == ["a", "b", "c"] and type(named["a"]) is nn.Sigmoid and "b" in named
    assert type(named.pop("b")) is nn.Tanh and len(named) == 2


def test_parameter_list_and_dict():
    values = nn.ParameterList([torch.zeros(2), nn.Parameter(torch.ones(1)), 3])
    assert len(list(values.parameters())) == 2 and values[2] == 3 and len(values) == 3
    values.append(torch.ones(4))
    assert list(values.state_dict()) == ["0", "1", "3"]
    assert len(values[1:]) == 3
    named = nn.ParameterDict({"a": torch.zeros(2)})
    named["b"] = torch.ones(1)
    assert isinstance(named["b"], nn.Parameter) and list(named) == ["a", "b"]
    assert sorted((named | nn.ParameterDict({"c": torch.ones(1)})).keys()) == ["a", "b", "c"]
    assert named.pop("a").shape == (2,) and len(named) == 1
    assert named.setdefault("z", torch.zeros(1)) is named["z"]


def test_lazy_layers_take_their_shape_from_the_first_input():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    assert repr(net[3]) == "LazyLinear(in_features=0, out_features=2, bias=True)"
    with pytest.raises(RuntimeError, match="uninitialized parameter"):
        net[3].weight.shape  # noqa: B018
    assert net(torch.zeros(2, 3, 5, 5)).shape == (2, 2)
    assert type(net[0]) is nn.Conv2d and net[0].weight.shape == (4, 3, 3, 3)
    assert type(net[1]) is nn.BatchNorm2d and type(net[3].weight) is nn.Parameter
    assert net[3].weight.shape == (2, 36)
    net(torch.zeros(2, 3, 5, 5)).sum().backward()
    assert net[3].weight.grad is not None


def test_reregistered_buffer_keeps_its_persistence():
    net = nn.Module()
    net.register_buffer("a", torch.zeros(1), persistent=False)
    net.a = torch.ones(1)
    assert list(net.state_dict()) == []
    net.register_buffer("a", torch.ones(1))
    assert list(net.state_dict()) == ["a"]


def test_unknown_keyword_is_named():
    with pytest.raises(TypeError, match=r"ReLU.__init__\(\) got an unexpected keyword argument 'size'"):
        nn.ReLU(size=3)
    with pytest.raises(TypeError, match=r"Conv2d.__init__\(\) missing 1 required positional argument"):
        nn.Conv2d(1, 2)


def test_forward_of_layers_that_are_one_operation() -> None:
    layer, x = nn.Linear(2, 3), torch.ones(1, 2)
    expected = (x @ layer.weight.T + layer.bias).tolist()
    assert str(inspect.signature(layer.forward)) == "(input)"
    assert nn.Linear.forward.__qualname__ == "Linear.forward"
    assert (
        layer(input=x).tolist()
        == layer.forward(x).tolist()
        == nn.Linear.forward(layer, x).tolist()
        == expected
    )
    for call, words in {
        lambda: layer(): r"Linear.forward\(\) missing 1 required positional argument: 'input'",
        lambda: layer(x, x): r"Linear.forward\(\) takes 2 positional arguments but 3 were given",
        lambda: layer(x, scale=2): r"Linear.forward\(\) got an unexpected keyword argument 'scale'",
        lambda: layer(x, input=x): r"Linear.forward\(\) got multiple values for argument 'input'",
        lambda: nn.Linear.forward(): r"Linear.forward\(\) missing 1 required positional argument: 'self'",
    }.items():
        with pytest.raises(TypeError, match=words):
            call()
    del layer.bias
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'bias'"):
        layer(x)

    y = torch.tensor([-1.0, 2.0])
    assert nn.ReLU()(y).tolist() == [0, 2] and y.tolist() == [-1, 2]
    assert nn.ReLU(inplace=True)(y) is y and y.tolist() == [0, 2]


def test_layers_call_an_own_forward() -> None:
    class Twice(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) * 2

    x = torch.ones(1, 2)
    twice, plain = Twice(2, 1), nn.Linear(2, 1)
    plain.load_state_dict(twice.state_dict())
    assert twice(x).item() == 2 * plain(x).item()
    plain.forward = lambda input: input + 1  # type: ignore[method-assign]
    assert plain(x).tolist() == nn.Sequential(plain)(x).tolist() == [[2, 2]]


def test_sequential_calls_what_it_holds_now() -> None:
    net = nn.Sequential(nn.Identity(), nn.Identity())
    net[0].register_forward_hook(lambda module, args, output: output + 1)
    net.add_module("last", nn.Sequential(nn.ReLU()))
    assert net(-5.0 * torch.ones(1)).tolist() == [0] and net(torch.ones(1)).tolist() == [2]
    assert nn.Sequential()(3) == 3
    with pytest.raises(
        TypeError, match=r"Sequential.forward\(\) takes 2 positional arguments but 3 were given"
    ):
        net(1, 2)
    with pytest.raises(TypeError, match="NoneType"):
        nn.Sequential(nn.Identity(), None)(1)


class Keeps(nn.Module):
    """Returns twice its input, and keeps something that lets others see the result."""

    def __init__(self, keep):
        super().__init__()
        self.keep = keep

    def forward(self, x):
        y = x * 2
        self.kept = self.keep(y)
        return y


def values(kept):
    return None if kept is None else kept.tolist()


@pytest.mark.parametrize(
    "before, seen",
    {
        "the tensor": (Keeps(lambda y: y), lambda m: m.kept),
        "a view": (Keeps(lambda y: y.detach()[:1]), lambda m: m.kept),
        "an array": (Keeps(lambda y: y.detach().numpy()), lambda m: m.kept),
        "its gradient": (Keeps(lambda y: y.register_hook(lambda g: None)), lambda m: None),
        "a saved result": (nn.Sigmoid(), lambda m: None),
        "the input": (nn.Identity(), lambda m: None),
    }.values(),
)
def test_sequential_writes_over_what_nobody_sees_only(before, seen) -> None:
    # A ReLU inside a Sequential takes the memory of what the layer before it has made, if it can.
    x = torch.tensor([-1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    found = nn.Sequential(before, nn.ReLU(), nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ReLU()))(x)
    kept = copy.deepcopy(values(seen(before)))
    (gradient,) = torch.autograd.grad(found.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    expected = before(x)
    assert kept == values(seen(before))
    expected = expected.relu().relu().tanh().relu()
    (wanted,) = torch.autograd.grad(expected.sum(), x, create_graph=True)
    assert found.tolist() == expected.tolist() and gradient.tolist() == wanted.tolist()
    assert second.tolist() == torch.autograd.grad(wanted.sum(), x)[0].tolist()
    assert x.tolist() == [-1, 2, 3]


def test_sequential_keeps_no_values_before_a_relu() -> None:
    x = torch.randn(64, 32)
    layers = [nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()]
    y = nn.Sequential(*layers)(x)
    expected = layers[3](layers[2](layers[1](layers[0](x))))
    assert y.tolist() == expected.tolist()
    assert (
        str(y.grad_fn).startswith("<ReluBackward0")
        and y.grad_fn.next_functions[0][0].name() == "AddmmBackward0"
    )
    grads = torch.autograd.grad(y.square().sum(), layers[0].weight)[0]
    assert grads.tolist() == torch.autograd.grad(expected.square().sum(), layers[0].weight)[0].tolist()


def test_sequential_does_not_write_over_what_is_weakly_referenced() -> None:
    layer = Keeps(weakref.ref)
    y = nn.Sequential(layer, nn.ReLU())(torch.ones(2))
    assert layer.kept() is None and y.tolist() == [2, 2]


def test_sequential_finds_attributes_of_layers_as_python_does() -> None:
    class Fixed(nn.Linear):
        @property
        def bias(self) -> torch.Tensor:
            return torch.full((2,), 10.0)

    x = torch.tensor([[1.0, 2.0]])
    hidden, own, odd = (nn.Linear(2, 2) for _ in range(3))
    own.__class__ = Fixed
    hidden.__dict__["weight"] = torch.zeros(2, 2)
    odd.bias = None
    for layer in (hidden, own, odd):
        bias = layer.bias
        expected = x @ layer.weight.T + (0 if bias is None else bias)
        assert torch.allclose(nn.Sequential(layer)(x), expected) and torch.allclose(layer(x), expected)
    assert nn.Sequential(hidden)(x).tolist() == [hidden.bias.tolist()]
    odd.weight = None
    with pytest.raises(TypeError, match=r"linear\(\): argument 'weight'"):
        nn.Sequential(nn.ReLU(), odd)(x)
    del odd.weight
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'weight'"):
        nn.Sequential(nn.Identity(), odd)(x)
    odd.__dict__["weight"] = "text"
    with pytest.raises(TypeError, match=r"linear\(\): argument 'weight'"):
        nn.Sequential(nn.ReLU(), odd)(x)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3))(x)


def test_sequential_gives_each_layer_an_object_only_where_python_sees_it() -> None:
    seen = []

    class Look(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x

    x = torch.tensor([[1.0, -2.0]], requires_grad=True)
    y = nn.Sequential(nn.Tanh(), Look(), nn.Sigmoid(), nn.Tanh(), Look())(x)
    assert [type(t) for t in seen] == [torch.Tensor, torch.Tensor] and seen[1] is y
    assert seen[0].tolist() == x.tanh().tolist() and y.tolist() == x.tanh().sigmoid().tanh().tolist()
    assert nn.Sequential(nn.Tanh())(nn.Parameter(torch.zeros(1))).grad_fn.name() == "TanhBackward0"
