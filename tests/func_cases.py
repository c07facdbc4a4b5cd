"""Programs with vmap and the transforms of functions, for the comparison with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Inputs:
    """The tensors and modules that programs use, the same in every library."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        kind = torch.float64
        self.x = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], dtype=kind)
        self.v = torch.tensor([1.0, -2.0, 0.5], dtype=kind)
        self.s = torch.tensor(1.5, dtype=kind)
        self.w = torch.tensor([0.3, 0.6, -0.9], dtype=kind, requires_grad=True)
        self.m = torch.arange(12.0, dtype=kind).reshape(4, 3) / 7
        self.images = (torch.arange(2 * 3 * 2 * 5 * 5, dtype=kind).reshape(2, 3, 2, 5, 5) % 7) - 3
        self.index = torch.tensor([[0, 2], [1, 1]])
        self.classes = torch.tensor([2, 0])

    def net(self, *layers: Any) -> Any:
        """A module with parameters that do not depend on random numbers."""
        nn, torch = self.torch.nn, self.torch
        model = nn.Sequential(*(layers or (nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))).double()
        with torch.no_grad():
            for k, p in enumerate(model.parameters()):
                p.copy_(((torch.arange(p.numel()).double() + k) % 5 - 2).reshape(p.shape) / 5)
        return model


def _cube(x: Any) -> Any:
    return (x**3).sum()


def _per_sample(t: Any, model: Any, x: Any, y: Any) -> Any:
    functional_call, params = t.torch.func.functional_call, dict(model.named_parameters())

    def loss(p: Any, x: Any, y: Any) -> Any:
        return t.torch.nn.functional.cross_entropy(
            functional_call(model, p, (x.unsqueeze(0),)), y.unsqueeze(0)
        )

    return t.torch.func.vmap(t.torch.func.grad(loss), in_dims=(None, 0, 0))(params, x, y)


def _ensemble(t: Any) -> Any:
    func = t.torch.func
    models = [t.net(), t.net(), t.net()]
    for k, model in enumerate(models):
        for p in model.parameters():
            p.data.mul_(k + 1)
    params, buffers = func.stack_module_state(models)
    return func.vmap(lambda p, b: func.functional_call(models[0], (p, b), (t.x,)))(params, buffers)


def _with_transform(call: Callable[[Any, Any], Any], name: str) -> Callable[[Any], Any]:
    return lambda t: call(t, getattr(t.torch.func, name))


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    # vmap
    "vmap": lambda t: t.torch.func.vmap(lambda x: x * 2 + x.sum())(t.x),
    "vmap of two": lambda t: t.torch.vmap(t.torch.dot)(t.x, t.x * 2),
    "in_dims": lambda t: t.torch.vmap(t.torch.dot, in_dims=(1, None))(t.x.t().contiguous(), t.v),
    "negative in_dims": lambda t: t.torch.vmap(lambda x: x.cumsum(0), in_dims=-1)(t.x),
    "out_dims": lambda t: t.torch.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(t.x),
    "nested inputs": lambda t: t.torch.vmap(lambda d: d["a"] * d["b"][0], in_dims=({"a": 0, "b": [None]},))(
        {"a": t.x, "b": [t.v]}
    ),
    "nested outputs": lambda t: t.torch.vmap(lambda x: {"a": x, "b": (x.sum(), [x[0]])})(t.x),
    "vmap of vmap": lambda t: t.torch.vmap(t.torch.vmap(lambda a: a.exp() * a))(t.x),
    "outer product": lambda t: t.torch.vmap(
        t.torch.vmap(lambda a, b: a * b - 1, in_dims=(None, 0)), in_dims=(0, None)
    )(t.v, t.m[0]),
    "three levels": lambda t: t.torch.vmap(t.torch.vmap(t.torch.vmap(lambda a: a.sin())))(t.images[..., 0]),
    "shape inside": lambda t: t.torch.vmap(lambda x: x * x.shape[0] + x.dim() + x.numel() + len(x))(t.x),
    "reductions": lambda t: t.torch.vmap(lambda x: (x.max(), x.argmax(), x.std(), x.norm(), x.softmax(0)))(
        t.x
    ),
    "matrices": lambda t: t.torch.vmap(lambda a, b: (a @ b, b @ b.t(), a @ a))(t.x, t.m.reshape(2, 2, 3).mT),
    "where": lambda t: t.torch.vmap(lambda x: t.torch.where(x > 0, x, x.mean()))(t.x),
    "linear": lambda t: t.torch.vmap(t.net())(t.x),
    "conv": lambda t: t.torch.vmap(t.net(t.torch.nn.Conv2d(2, 3, 3, padding=1)))(t.images),
    "conv of weights": lambda t: t.torch.vmap(t.torch.nn.functional.conv2d, in_dims=(None, 0))(
        t.images[0], t.images[:, :3, :, :3, :3]
    ),
    "conv of both": lambda t: t.torch.vmap(t.torch.nn.functional.conv2d)(t.images, t.images[..., :3, :3]),
    "pooling": lambda t: t.torch.vmap(lambda x: t.torch.nn.functional.max_pool2d(x, 2))(t.images),
    "batch norm": lambda t: t.torch.vmap(t.net(t.torch.nn.BatchNorm2d(2, track_running_stats=False)))(
        t.images
    ),
    "batch norm, eval": lambda t: t.torch.vmap(t.net(t.torch.nn.BatchNorm2d(2)).eval())(t.images),
    "group norm": lambda t: t.torch.vmap(t.net(t.torch.nn.GroupNorm(1, 2)))(t.images),
    "layer norm": lambda t: t.torch.vmap(t.net(t.torch.nn.LayerNorm(3)))(t.x),
    "attention": lambda t: t.torch.vmap(
        lambda x: t.torch.nn.functional.scaled_dot_product_attention(x, x * 2, x + 1)
    )(t.images[:, :, 0]),
    "one_hot": lambda t: t.torch.vmap(lambda i: t.torch.nn.functional.one_hot(i, 4))(t.index),
    "transposed convolution": lambda t: t.torch.vmap(t.net(t.torch.nn.ConvTranspose2d(2, 4, 3, groups=2)))(
        t.images
    ),
    "cross entropy": lambda t: t.torch.vmap(t.torch.nn.functional.cross_entropy)(t.x, t.classes),
    "embedding": lambda t: t.torch.vmap(lambda i: t.torch.nn.functional.embedding(i, t.m))(t.index),
    "gather": lambda t: t.torch.vmap(lambda x, i: x.gather(0, i))(t.x, t.index),
    "index by tensors": lambda t: t.torch.vmap(lambda x, i: x[i])(t.x, t.index),
    "index of a shared tensor": lambda t: t.torch.vmap(lambda i: t.m[i, 1])(t.index),
    "index in the middle": lambda t: t.torch.vmap(lambda x, i: x[:, i, :, None])(t.images[:, 0], t.index),
    "slices": lambda t: t.torch.vmap(lambda x: (x[1:], x[::2], x[None, ..., -1]))(t.x),
    "assignment": lambda t: t.torch.vmap(lambda x: assign(x.clone(), 0, x[1] * 2))(t.x),
    "in place": lambda t: t.torch.vmap(lambda x: x.clone().add_(1).mul_(x).clamp_(min=0))(t.x),
    "new tensors": lambda t: t.torch.vmap(lambda x: x.new_zeros(2).copy_(x[:2]) + t.torch.ones_like(x)[0])(
        t.x
    ),
    "constants": lambda t: t.torch.vmap(lambda x: t.torch.ones(2))(t.x),
    "chunks": lambda t: t.torch.vmap(lambda x: (x * 2, x.sum()), out_dims=(1, 0), chunk_size=3)(t.m),
    "einsum": lambda t: t.torch.vmap(lambda a: t.torch.einsum("i,ji->j", a, t.m))(t.x),
    "stack": lambda t: t.torch.vmap(lambda a: t.torch.stack([a, t.v, a * 2], 1))(t.x),
    "loop": lambda t: t.torch.vmap(lambda a: sum(e * i for i, e in enumerate(a)))(t.x),
    "empty batch": lambda t: t.torch.vmap(lambda a: a * 2)(t.x[:0]),
    "gradient of vmap": lambda t: t.torch.autograd.grad(
        t.torch.vmap(lambda a: (a * t.w).sum())(t.x).sum(), t.w
    ),
    # grad
    "grad": lambda t: t.torch.func.grad(_cube)(t.v),
    "grad of grad": lambda t: t.torch.func.grad(t.torch.func.grad(lambda a: a**4))(t.s),
    "third derivative": lambda t: t.torch.func.grad(t.torch.func.grad(t.torch.func.grad(t.torch.sin)))(t.s),
    "argnums": lambda t: t.torch.func.grad(lambda a, b: (a * b * b).sum(), argnums=(0, 1))(t.v, t.v + 1),
    "last argument": lambda t: t.torch.func.grad(lambda a, b: (a * b * b).sum(), argnums=-1)(t.v, t.v + 1),
    "tree": lambda t: t.torch.func.grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": t.v, "b": [t.v * 2]}),
    "aux": lambda t: t.torch.func.grad(lambda a: (_cube(a), {"a": a * 2}), has_aux=True)(t.v),
    "value": lambda t: t.torch.func.grad_and_value(_cube)(t.v),
    "value and aux": lambda t: t.torch.func.grad_and_value(lambda a: (_cube(a), a), has_aux=True)(t.v),
    "unused": lambda t: t.torch.func.grad(lambda a, b: a.sum(), argnums=(0, 1))(t.v, t.v),
    "constant": lambda t: t.torch.func.grad(lambda a: t.torch.ones(()))(t.v),
    "closure": lambda t: t.torch.autograd.grad(
        t.torch.func.grad(lambda a: (a * a * t.w).sum())(t.v).sum(), t.w
    ),
    "tracked input": lambda t: t.torch.autograd.grad(t.torch.func.grad(_cube)(t.w).sum(), t.w),
    "no history": lambda t: t.torch.func.grad(_cube)(t.v).requires_grad,
    "history": lambda t: t.torch.func.grad(lambda a: (a * a * t.w).sum())(t.v).requires_grad,
    "in no_grad": lambda t: without_grad(t, lambda: t.torch.func.grad(_cube)(t.w)),
    "in place inside": lambda t: t.torch.func.grad(lambda a: a.clone().mul_(2).pow_(2).sum())(t.v),
    "grad of vmap": lambda t: t.torch.func.grad(
        lambda a: t.torch.vmap(lambda x: (x * a).exp().sum())(t.x).sum()
    )(t.v),
    "vmap of grad": lambda t: t.torch.vmap(t.torch.func.grad(_cube))(t.x),
    "vmap of grad, shared": lambda t: t.torch.vmap(
        t.torch.func.grad(lambda w, x: (w * x).sin().sum()), in_dims=(None, 0)
    )(t.v, t.x),
    "vmap of grad and value": lambda t: t.torch.vmap(t.torch.func.grad_and_value(_cube))(t.x),
    "vmap of grad of grad": lambda t: t.torch.vmap(t.torch.func.grad(t.torch.func.grad(lambda a: a**4)))(t.v),
    "vmap vmap grad": lambda t: t.torch.vmap(t.torch.vmap(t.torch.func.grad(lambda a: a.sin() * a)))(t.x),
    "grad of vmap of grad": lambda t: t.torch.func.grad(
        lambda a: t.torch.vmap(t.torch.func.grad(lambda x: (x * a).sin().sum()))(t.x).sum()
    )(t.v),
    "vmap of grad of vmap": lambda t: t.torch.vmap(
        t.torch.func.grad(lambda a: t.torch.vmap(lambda y: (y * a).exp().sum())(t.m).sum())
    )(t.x),
    "per-sample gradients": lambda t: _per_sample(t, t.net(), t.x, t.classes[:2] % 2),
    "per-sample gradients of a convolution": lambda t: _per_sample(
        t,
        t.net(t.torch.nn.Conv2d(2, 2, 3), t.torch.nn.ReLU(), t.torch.nn.Flatten(), t.torch.nn.Linear(18, 3)),
        t.images[:, 0],
        t.classes,
    ),
    # products
    "vjp": lambda t: second(t.torch.func.vjp(lambda a: a * a, t.v))(t.v),
    "vjp of two": lambda t: second(t.torch.func.vjp(lambda a, b: {"p": a * b, "q": a}, t.v, t.v + 1))(
        {"p": t.v, "q": t.v}
    ),
    "vjp again": lambda t: [second(t.torch.func.vjp(t.torch.sin, t.v))(c) for c in (t.v, t.v * 2)],
    "vjp aux": lambda t: t.torch.func.vjp(lambda a: (a * a, a), t.v, has_aux=True)[2],
    "vjp under vmap": lambda t: t.torch.vmap(second(t.torch.func.vjp(lambda a: a * a, t.v)))(
        t.torch.eye(3).double()
    ),
    "vmap of vjp": lambda t: t.torch.vmap(lambda a, c: second(t.torch.func.vjp(t.torch.sin, a))(c))(t.x, t.x),
    "vjp under two vmaps": lambda t: t.torch.vmap(t.torch.vmap(second(t.torch.func.vjp(_cube, t.v))))(t.x),
    "vmap of vjp under vmap": lambda t: t.torch.vmap(
        lambda a: t.torch.vmap(second(t.torch.func.vjp(t.torch.sin, a)))(t.m)
    )(t.x),
    "jvp": lambda t: t.torch.func.jvp(lambda a: (a * a, {"s": a.sum()}), (t.v,), (t.v + 1,)),
    "jvp of two": lambda t: t.torch.func.jvp(lambda a, b: a * b, (t.v, t.v + 1), (t.v, t.v * 2)),
    "jvp of a constant": lambda t: t.torch.func.jvp(lambda a: t.torch.ones(2), (t.v,), (t.v,)),
    "jvp aux": lambda t: t.torch.func.jvp(lambda a: (a * a, a), (t.v,), (t.v,), has_aux=True),
    "jvp of jvp": lambda t: t.torch.func.jvp(
        lambda a: t.torch.func.jvp(lambda b: b**3, (a,), (t.v,))[1], (t.v,), (t.v,)
    ),
    "vmap of jvp": lambda t: t.torch.vmap(lambda a, d: t.torch.func.jvp(t.torch.exp, (a,), (d,)))(
        t.x, t.x + 1
    ),
    "vmap of tangents": lambda t: t.torch.vmap(lambda d: t.torch.func.jvp(t.torch.exp, (t.v,), (d,))[1])(t.m),
    "hessian-vector product": lambda t: t.torch.func.jvp(t.torch.func.grad(_cube), (t.v,), (t.v,)),
    "grad of jvp": lambda t: t.torch.func.grad(lambda a: t.torch.func.jvp(_cube, (a,), (t.v,))[1])(t.v),
    "linearize": lambda t: t.torch.func.linearize(t.torch.sin, t.v)[0],
    "linearized": lambda t: second(t.torch.func.linearize(t.torch.sin, t.v))(t.v * 2),
    # Jacobians
    **{
        f"{name} {case}": _with_transform(call, name)
        for name in ("jacrev", "jacfwd")
        for case, call in {
            "of a vector": lambda t, jac: jac(lambda a: a * a.sum())(t.v),
            "of a number": lambda t, jac: jac(lambda a: a * t.v)(t.s),
            "to a number": lambda t, jac: jac(_cube)(t.v),
            "of a matrix": lambda t, jac: jac(lambda a: a.sum(0) * a[0])(t.x),
            "to a tree": lambda t, jac: jac(lambda a: (a * a, {"s": a.sum()}))(t.v),
            "of a tree": lambda t, jac: jac(lambda p: p["a"] * p["b"])({"a": t.v, "b": t.v + 1}),
            "with argnums": lambda t, jac: jac(lambda a, b: a * b * b, argnums=(0, 1))(t.v, t.v + 1),
            "with aux": lambda t, jac: jac(lambda a: (a * a, a), has_aux=True)(t.v),
            "of a constant": lambda t, jac: jac(lambda a: t.torch.ones(2).double())(t.v),
            "under vmap": lambda t, jac: t.torch.vmap(jac(lambda a: a * a.sum()))(t.x),
            "under vmap, shared": lambda t, jac: t.torch.vmap(
                jac(lambda a, b: a * b.sum()), in_dims=(None, 0)
            )(t.v, t.x),
            "under two vmaps": lambda t, jac: t.torch.vmap(t.torch.vmap(jac(lambda a: a.sin() * t.v)))(t.x),
            "of grad": lambda t, jac: jac(t.torch.func.grad(_cube))(t.v),
            "of a network": lambda t, jac: jac(t.net())(t.x[0]),
            "of jacrev": lambda t, jac: jac(t.torch.func.jacrev(lambda a: a**3 * a.sum()))(t.v),
            "of jacfwd": lambda t, jac: jac(t.torch.func.jacfwd(lambda a: a**3 * a.sum()))(t.v),
            "of a closure": lambda t, jac: t.torch.autograd.grad(jac(lambda a: a * a * t.w)(t.v).sum(), t.w),
        }.items()
    },
    "hessian": lambda t: t.torch.func.hessian(lambda a: (a**3).sum() * a[0])(t.v),
    "hessian of two": lambda t: t.torch.func.hessian(lambda a, b: (a**3 * b).sum(), argnums=(0, 1))(
        t.v, t.v + 1
    ),
    "vmap of hessian": lambda t: t.torch.vmap(t.torch.func.hessian(lambda a: (a**3).sum() * a[0]))(t.x),
    # modules
    "functional_call": lambda t: t.torch.func.functional_call(
        t.net(), {"0.weight": t.m, "2.bias": t.torch.zeros(2).double()}, t.x
    ),
    "functional_call of two": lambda t: t.torch.func.functional_call(
        t.net(), ({"0.weight": t.m}, {"2.bias": t.torch.zeros(2).double()}), (t.x,)
    ),
    "ensemble": _ensemble,
}

MISTAKES: dict[str, Callable[[Any], Any]] = {
    "no inputs": lambda t: t.torch.vmap(_cube)(),
    "sizes": lambda t: t.torch.vmap(t.torch.add)(t.x, t.m),
    "in_dims structure": lambda t: t.torch.vmap(t.torch.add, in_dims=(0,))(t.x, t.x),
    "in_dims type": lambda t: t.torch.vmap(t.torch.add, in_dims="a")(t.x, t.x),
    "in_dims list": lambda t: t.torch.vmap(t.torch.add, in_dims=[0, 0])(t.x, t.x),
    "in_dims of a number": lambda t: t.torch.vmap(_cube, in_dims=(0, 0))(t.x, 3),
    "in_dims range": lambda t: t.torch.vmap(_cube, in_dims=2)(t.x),
    "in_dims None": lambda t: t.torch.vmap(_cube, in_dims=None)(t.x),
    "in_dims float": lambda t: t.torch.vmap(_cube, in_dims=(1.0,))(t.x),
    "0-dim": lambda t: t.torch.vmap(_cube)(t.s),
    "output None": lambda t: t.torch.vmap(lambda a: None)(t.x),
    "output float": lambda t: t.torch.vmap(lambda a: 3.0)(t.x),
    "out_dims structure": lambda t: t.torch.vmap(lambda a: (a, a), out_dims=(0,))(t.x),
    "out_dims type": lambda t: t.torch.vmap(lambda a: a, out_dims="a")(t.x),
    "out_dims None": lambda t: t.torch.vmap(lambda a: a, out_dims=None)(t.x),
    "out_dims range": lambda t: t.torch.vmap(lambda a: a, out_dims=5)(t.x),
    "randomness": lambda t: t.torch.vmap(_cube, randomness="x")(t.x),
    "chunk_size": lambda t: t.torch.vmap(_cube, chunk_size=0)(t.x),
    "item": lambda t: t.torch.vmap(lambda a: a.sum().item())(t.x),
    "if": lambda t: t.torch.vmap(lambda a: a if a.sum() > 0 else -a)(t.x),
    "float": lambda t: t.torch.vmap(lambda a: float(a.sum()))(t.x),
    "nonzero": lambda t: t.torch.vmap(lambda a: a.nonzero())(t.x),
    "mask": lambda t: t.torch.vmap(lambda a: a[a > 0])(t.x),
    "masked_select": lambda t: t.torch.vmap(lambda a: a.masked_select(a > 0))(t.x),
    "write to a shared tensor": lambda t: t.torch.vmap(lambda a: assign(t.torch.zeros(3).double(), 0, a[0]))(
        t.x
    ),
    "copy to a shared tensor": lambda t: t.torch.vmap(lambda a: t.torch.zeros(3).double().copy_(a))(t.x),
    "random": lambda t: t.torch.vmap(lambda a: a + t.torch.randn(3))(t.x),
    "random in place": lambda t: t.torch.vmap(lambda a: t.torch.zeros(3).normal_(), randomness="different")(
        t.x
    ),
    "dropout": lambda t: t.torch.vmap(lambda a: t.torch.nn.functional.dropout(a, 0.5))(t.x),
    "the same bernoulli": lambda t: t.torch.vmap(lambda a: t.torch.bernoulli(a.abs() / 9), randomness="same")(
        t.x
    ),
    "requires_grad_": lambda t: t.torch.vmap(lambda a: a.requires_grad_().sum())(t.x),
    "batch norm": lambda t: t.torch.vmap(t.net(t.torch.nn.BatchNorm2d(2)))(t.images),
    "grad of a vector": lambda t: t.torch.func.grad(lambda a: a)(t.v),
    "grad of no tensor": lambda t: t.torch.func.grad(lambda a: 3)(t.v),
    "grad of a tuple": lambda t: t.torch.func.grad(lambda a: (a.sum(), a))(t.v),
    "grad at an integer": lambda t: t.torch.func.grad(lambda a: a.sum())(t.index),
    "grad at a number": lambda t: t.torch.func.grad(lambda a: a)(3.0),
    "aux": lambda t: t.torch.func.grad(lambda a: a.sum(), has_aux=True)(t.v),
    "argnums range": lambda t: t.torch.func.grad(_cube, argnums=2)(t.v),
    "argnums twice": lambda t: t.torch.func.grad(_cube, argnums=(0, 0))(t.v),
    "argnums empty": lambda t: t.torch.func.grad(_cube, argnums=())(t.v),
    "argnums type": lambda t: t.torch.func.grad(_cube, argnums="a")(t.v),
    "cotangent structure": lambda t: second(t.torch.func.vjp(lambda a: {"a": a}, t.v))(t.v),
    "cotangent shape": lambda t: second(t.torch.func.vjp(t.torch.sin, t.v))(t.s),
    "vjp of no tensor": lambda t: t.torch.func.vjp(lambda a: 3, t.v),
    "primals": lambda t: t.torch.func.jvp(t.torch.sin, t.v, t.v),
    "tangents": lambda t: t.torch.func.jvp(t.torch.sin, (t.v,), (t.v, t.v)),
    "tangent shape": lambda t: t.torch.func.jvp(t.torch.sin, (t.v,), (t.s,)),
    "jvp strict": lambda t: t.torch.func.jvp(lambda a: t.torch.ones(2), (t.v,), (t.v,), strict=True),
    "jacrev chunk_size": lambda t: t.torch.func.jacrev(_cube, chunk_size=0)(t.v),
    "jacrev of no tensor": lambda t: t.torch.func.jacrev(lambda a: 3)(t.v),
    "linearized shape": lambda t: second(t.torch.func.linearize(t.torch.sin, t.v))(t.s),
    "functional_call twice": lambda t: t.torch.func.functional_call(
        t.net(), ({"0.bias": t.v}, {"0.bias": t.v}), t.x
    ),
    "functional_call strict": lambda t: t.torch.func.functional_call(t.net(), {"a": t.v}, t.x, strict=True),
    "functional_call of a number": lambda t: t.torch.func.functional_call(t.net(), 3, t.x),
    "no models": lambda t: t.torch.func.stack_module_state([]),
    "different models": lambda t: t.torch.func.stack_module_state([t.net(), t.torch.nn.Linear(1, 1)]),
    "different modes": lambda t: t.torch.func.stack_module_state([t.net(), t.net().eval()]),
}


def second(pair: Any) -> Any:
    return pair[1]


def assign(target: Any, key: Any, value: Any) -> Any:
    target[key] = value
    return target


def without_grad(t: Any, call: Callable[[], Any]) -> Any:
    with t.torch.no_grad():
        result = call()
    return result, result.requires_grad
