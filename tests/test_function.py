"""autograd.Function: every test also runs on PyTorch where it is installed."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType
from typing import Any

import pytest

import tapegrad

Torch = ModuleType


def leaf(torch: Torch, *values: float) -> Any:
    return torch.tensor(values or (1.0, 2.0, 3.0), requires_grad=True)


def make(torch: Torch, forward: Any = None, backward: Any = None, name: str = "Example") -> Any:
    """A Function of one tensor from two functions; by default it doubles."""
    methods = {
        "forward": staticmethod(forward or (lambda ctx, x: x * 2)),
        "backward": staticmethod(backward or (lambda ctx, g: g * 2)),
    }
    return type(name, (torch.autograd.Function,), methods)


def exponential(torch: Torch) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    def backward(ctx: Any, g: Any) -> Any:
        (y,) = ctx.saved_tensors
        return g * y

    return make(torch, forward, backward, "Exponential")


def test_forward_and_backward(torch: Torch) -> None:
    class ScaledProduct(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, y):
            ctx.save_for_backward(x, y)
            ctx.factor = factor
            assert ctx.needs_input_grad == (True, False, False)
            assert not torch.is_grad_enabled()
            return factor * x * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False, False)
            return ctx.factor * g * y, None, None

    x, y = leaf(torch, 1.0, 2.0), torch.tensor([3.0, 4.0])
    z = ScaledProduct.apply(x, 10, y)
    assert z.tolist() == [30, 80] and z.requires_grad
    z.sum().backward()
    assert x.grad.tolist() == [30, 40]


def test_setup_context_gets_inputs_with_defaults_and_the_output(torch: Torch) -> None:
    seen = []

    class Power(torch.autograd.Function):
        @staticmethod
        def forward(x, exponent=2):
            return x**exponent

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append((len(inputs), output.tolist()))
            x, ctx.exponent = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.exponent * x ** (ctx.exponent - 1), None

    x = leaf(torch, 2.0, 3.0)
    Power.apply(x).sum().backward()
    assert x.grad.tolist() == [4, 6]
    Power.apply(x, 3).sum().backward()
    assert x.grad.tolist() == [16, 33]
    assert seen == [(2, [4, 9]), (2, [8, 27])]
    with pytest.raises(TypeError):
        Power.apply(x, 1, 2)


def test_keywords_become_positions(torch: Torch) -> None:
    function = make(torch)
    x = leaf(torch)
    function.apply(x=x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_names(torch: Torch) -> None:
    y = exponential(torch).apply(leaf(torch))
    assert y.grad_fn.name() == type(y.grad_fn).__name__ == "ExponentialBackward"
    assert repr(y.grad_fn).startswith("<torch.autograd.function.ExponentialBackward object at 0x")
    assert "grad_fn=<ExponentialBackward>" in repr(y)
    assert isinstance(y.grad_fn, torch.autograd.graph.Node)


def test_grad_fn_is_the_context(torch: Torch) -> None:
    contexts = []

    def forward(ctx: Any, x: Any) -> Any:
        ctx.note = "kept"
        contexts.append(ctx)
        return x * 2

    x = leaf(torch)
    y = make(torch, forward).apply(x)
    assert y.grad_fn is contexts[0] and y.grad_fn is y.grad_fn
    contexts.clear()
    assert y.grad_fn.note == "kept"
    y.grad_fn.more = 3
    assert y.grad_fn.more == 3
    (accumulate, number), *rest = y.grad_fn.next_functions
    assert accumulate.variable is x and number == 0 and not rest


def test_context_outlives_its_outputs(torch: Torch) -> None:
    context = exponential(torch).apply(leaf(torch)).grad_fn
    assert context.name() == "ExponentialBackward"


def test_saved_tensors_are_the_inputs_themselves(torch: Torch) -> None:
    found = []

    def forward(ctx: Any, x: Any) -> Any:
        y = x.exp()
        ctx.save_for_backward(x, None, y)
        return y

    def backward(ctx: Any, g: Any) -> Any:
        found.extend(ctx.saved_tensors)
        return g

    x = leaf(torch)
    y = make(torch, forward, backward).apply(x)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    assert found[0] is x and found[1] is None
    assert found[2].grad_fn is y.grad_fn


def test_saved_tensors_check_the_version(torch: Torch) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 2

    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.saved_tensors[0]

    x = leaf(torch)
    y = make(torch, forward, backward).apply(x)
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(
        RuntimeError,
        match=r"^one of the variables needed for gradient computation has been "
        r"modified by an inplace operation: \[torch.FloatTensor \[3\]\] is at",
    ):
        y.sum().backward()
    y = exponential(torch).apply(x)
    with torch.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="which is output 0 of Exponential"):
        y.sum().backward()


def test_saved_tensors_are_freed(torch: Torch) -> None:
    y = exponential(torch).apply(leaf(torch))
    context = y.grad_fn
    y.sum().backward(retain_graph=True)
    assert context.saved_tensors[0].tolist() == y.tolist()
    y.sum().backward()
    words = "^Trying to backward through the graph a second time"
    with pytest.raises(RuntimeError, match=words):
        y.sum().backward()
    with pytest.raises(RuntimeError, match=words):
        _ = context.saved_tensors


def test_function_that_saves_nothing_runs_twice(torch: Torch) -> None:
    x = leaf(torch)
    y = make(torch).apply(x)
    y.sum().backward()
    y.sum().backward()
    assert x.grad.tolist() == [4, 4, 4]


def test_double_backward(torch: Torch) -> None:
    x = leaf(torch, 0.5, -1.0)
    y = exponential(torch).apply(x)
    found = y
    for _ in range(3):
        (found,) = torch.autograd.grad(found.sum(), x, create_graph=True)
    assert torch.allclose(found, x.exp())


def test_once_differentiable(torch: Torch) -> None:
    modes = []

    def backward(ctx: Any, g: Any) -> Any:
        modes.append(torch.is_grad_enabled())
        return g * 2

    function = make(torch, None, torch.autograd.function.once_differentiable(backward))
    x = leaf(torch)
    (g,) = torch.autograd.grad((function.apply(x) ** 2).sum(), x, create_graph=True)
    assert g.tolist() == [8, 16, 24] and modes == [False]
    with pytest.raises(
        RuntimeError, match="^trying to differentiate twice a function that was marked with @once"
    ):
        g.sum().backward()
    (plain,) = torch.autograd.grad(function.apply(x).sum(), x, create_graph=True)
    assert plain.tolist() == [2, 2, 2] and not plain.requires_grad


def test_several_outputs_and_materialized_gradients(torch: Torch) -> None:
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        return x * 1, x * 2, 3, x > 0, None

    def backward(ctx: Any, *grads: Any) -> Any:
        seen.append([None if g is None else (g.dtype is torch.bool, g.tolist()) for g in grads])
        return grads[1] * 2

    x = leaf(torch, 1.0, 2.0)
    a, b, number, flags, nothing = make(torch, forward, backward).apply(x)
    assert (number, nothing) == (3, None) and not flags.requires_grad
    assert (a.output_nr, b.output_nr) == (0, 1) and a.grad_fn is b.grad_fn
    b.sum().backward()
    assert seen == [[(False, [0, 0]), (False, [1, 1]), None, (True, [False, False]), None]]
    assert x.grad.tolist() == [2, 2]


def test_gradients_are_not_materialized_on_request(torch: Torch) -> None:
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        ctx.set_materialize_grads(False)
        return x * 1, x * 2

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append(a)
        return b

    make(torch, forward, backward).apply(leaf(torch))[1].sum().backward()
    assert seen == [None]


def test_non_differentiable_outputs(torch: Torch) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        y = x * 2
        ctx.mark_non_differentiable(x, y)
        return x, y, x * 3

    x = leaf(torch)
    same, marked, other = make(torch, forward, lambda ctx, a, b, c: c * 3).apply(x)
    assert same is not x and x.requires_grad
    assert [t.requires_grad for t in (same, marked, other)] == [False, False, True]


def test_input_written_in_place(torch: Torch) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    function = make(torch, forward, lambda ctx, g: g * 2)
    x = leaf(torch)
    y = x * 1
    version = y._version
    z = function.apply(y)
    assert z is y and y.grad_fn.name() == "ExampleBackward" and y._version == version + 2
    z.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    with pytest.raises(
        RuntimeError, match="^a leaf Variable that requires grad has been used in an in-place operation"
    ):
        function.apply(leaf(torch))


def test_view_written_in_place(torch: Torch) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(2)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    x = leaf(torch)
    base = x * 1
    part = base[:2]
    result = make(torch, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(part)
    assert result is part and base.grad_fn.name() == "torch::autograd::CopySlices"
    base.sum().backward()
    assert x.grad.tolist() == [2, 4, 1]

    def two(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(2), x + 1

    with pytest.raises(RuntimeError, match="^If your Function modifies inplace an input that is a view"):
        make(torch, two).apply((x * 1)[:2])


def test_dirty_inputs_must_be_returned(torch: Torch) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x * 2

    with pytest.raises(
        RuntimeError, match="^Some elements marked as dirty during the forward method were not returned"
    ):
        make(torch, forward).apply(leaf(torch) * 1)


def test_input_returned_as_it_is(torch: Torch) -> None:
    function = make(torch, lambda ctx, x: x, lambda ctx, g: g * 5)
    x = leaf(torch)
    y = function.apply(x)
    assert y is not x and y._base is x and y._is_view()
    y.sum().backward()
    assert x.grad.tolist() == [5, 5, 5]
    with pytest.raises(
        RuntimeError,
        match="^Output 0 of Example is a view and is being modified inplace. This view "
        "was created inside a custom Function",
    ):
        function.apply(x * 1).add_(1)


def test_output_that_is_a_view(torch: Torch) -> None:
    view = make(torch, lambda ctx, x: x.view(-1), lambda ctx, g: g.view(3, 1) * 2)
    x = leaf(torch)
    y = view.apply(x.view(3, 1))
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="This view was created inside a custom Function"):
        view.apply(x * 1).add_(1)
    several = make(torch, lambda ctx, x: (x.view(-1), x[:1]))
    with pytest.raises(
        RuntimeError, match="This view is the output of a function that returns multiple views"
    ):
        several.apply(x * 1)[0].add_(1)


@pytest.mark.parametrize("result", [None, 3, "text", ()])
def test_results_that_are_no_tensors(torch: Torch, result: Any) -> None:
    assert make(torch, lambda ctx, x: result).apply(leaf(torch)) == result


def test_lists_are_passed_through(torch: Torch) -> None:
    (y,) = make(torch, lambda ctx, x: [x * 2]).apply(leaf(torch))
    assert not y.requires_grad


def test_without_gradients(torch: Torch) -> None:
    function = exponential(torch)
    assert not function.apply(torch.ones(2)).requires_grad
    with torch.no_grad():
        y = function.apply(leaf(torch))
    assert not y.requires_grad and y.grad_fn is None


def test_none_and_trailing_none(torch: Torch) -> None:
    x = leaf(torch)
    make(torch, None, lambda ctx, g: None).apply(x).sum().backward()
    assert x.grad is None
    make(torch, None, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_gradients_are_fitted_to_the_input(torch: Torch) -> None:
    x = leaf(torch)
    make(torch, None, lambda ctx, g: g.double().expand(2, 3)).apply(x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and x.grad.dtype is torch.float32


@pytest.mark.parametrize(
    ("arguments", "backward", "words"),
    [
        (
            2,
            lambda ctx, g: g,
            "function ExampleBackward returned an incorrect number of gradients (expected 2, got 1)",
        ),
        (
            1,
            lambda ctx, g: (g, g),
            "function ExampleBackward returned an incorrect number of gradients (expected 1, got 2)",
        ),
        (
            2,
            lambda ctx, g: (g, g),
            "function ExampleBackward returned a gradient different than None at position 2, but "
            "the corresponding forward input was not a Variable",
        ),
        (1, lambda ctx, g: 3, "expected Variable or None (got int)"),
        (1, lambda ctx, g: [g], "expected Variable or None (got list)"),
        (
            1,
            lambda ctx, g: g[:2],
            "Function ExampleBackward returned an invalid gradient at index 0 - got [2] but "
            "expected shape compatible with [3]",
        ),
    ],
    ids=["few", "many", "for-a-number", "number", "list", "shape"],
)
def test_words_of_wrong_gradients(torch: Torch, arguments: int, backward: Any, words: str) -> None:
    function = make(torch, lambda ctx, x, *rest: x * 2, backward)
    y = function.apply(leaf(torch), *[1] * (arguments - 1))
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("mark", "kind", "words"),
    [
        (
            lambda ctx: ctx.save_for_backward(3),
            TypeError,
            "save_for_backward can only save variables, but argument 0 is of type int",
        ),
        (lambda ctx: ctx.mark_dirty(3), RuntimeError, "mark_dirty can only accept variables, but argument "),
        (
            lambda ctx: ctx.mark_non_differentiable(3),
            RuntimeError,
            "mark_non_differentiable only accepts variable arguments, but ",
        ),
    ],
    ids=["save", "dirty", "non-differentiable"],
)
def test_words_of_wrong_marks(torch: Torch, mark: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        make(torch, lambda ctx, x: (mark(ctx), x * 2)[1]).apply(leaf(torch))
    assert str(caught.value).startswith(words)


def test_words_of_missing_methods(torch: Torch) -> None:
    x = leaf(torch)
    base = torch.autograd.Function
    with pytest.raises(
        NotImplementedError, match="^You must implement the forward function for custom autograd.Function"
    ):
        type("Empty", (base,), {}).apply(x)
    forward = staticmethod(lambda ctx, x: x * 2)
    with pytest.raises(NotImplementedError, match="^You must implement either the backward or vjp method"):
        type("Half", (base,), {"forward": forward}).apply(x).sum().backward()
    both = {
        "forward": forward,
        "backward": staticmethod(lambda ctx, g: g),
        "vjp": staticmethod(lambda ctx, g: g),
    }
    with pytest.raises(RuntimeError, match="^Implementing both 'backward' and 'vjp'"):
        type("Both", (base,), both).apply(x).sum().backward()
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        instance = make(torch)()
    with pytest.raises(
        RuntimeError, match="^Legacy autograd function with non-static forward method is deprecated"
    ):
        instance(x)


def test_vjp_is_another_name_for_backward(torch: Torch) -> None:
    methods = {"forward": staticmethod(lambda ctx, x: x * 2), "vjp": staticmethod(lambda ctx, g: g * 7)}
    x = leaf(torch)
    type("Named", (torch.autograd.Function,), methods).apply(x).sum().backward()
    assert x.grad.tolist() == [7, 7, 7]


def test_jvp(torch: Torch) -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_forward(x)
            return x * x, y

        @staticmethod
        def jvp(ctx, x_tangent, _):
            (x,) = ctx.saved_tensors
            return 2 * x * x_tangent, None

    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.tensor([3.0]), torch.tensor([10.0]))
        y, number = Square.apply(x, 5)
        assert torch.autograd.forward_ad.unpack_dual(y).tangent.tolist() == [60] and number == 5


def test_exception_in_backward_keeps_its_class_and_leaves_the_graph_usable(torch: Torch) -> None:
    fails = [True]

    def backward(ctx: Any, g: Any) -> Any:
        if fails[0]:
            raise KeyError("inside")
        return g * 2

    x = leaf(torch)
    y = make(torch, None, backward).apply(x * 1)
    with pytest.raises(KeyError, match="inside") as caught:
        y.sum().backward()
    assert caught.traceback[-1].name == "backward"
    fails[0] = False
    assert x.grad is None
    torch.autograd.grad(y.sum(), x)


def test_backward_inside_backward(torch: Torch) -> None:
    """A Function that runs the engine itself, as checkpointing does."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.detach().exp()

    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_()
            again.exp().backward(g)
        return again.grad

    x = leaf(torch, 0.0, 1.0)
    make(torch, forward, backward).apply(x).sum().backward()
    assert torch.allclose(x.grad, x.detach().exp())


def test_inherited_functions(torch: Torch) -> None:
    parent = exponential(torch)
    child = type("Child", (parent,), {"backward": staticmethod(lambda ctx, g: g * 0)})
    x = leaf(torch)
    y = child.apply(x)
    assert y.grad_fn.name() == "ChildBackward"
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


# No leaks: of tapegrad only, whose live tensors and nodes can be counted.


def alive() -> tuple[int, int]:
    stats = tapegrad._C.memory_stats()
    return stats["live_tensors"], stats["live_nodes"]


def call_and_drop(function: Any, backward: bool) -> None:
    y = function.apply(tapegrad.ones(3, requires_grad=True))
    if backward:
        y.sum().backward()


@pytest.mark.parametrize("backward", [True, False])
def test_saving_the_output_makes_no_cycle(backward: bool) -> None:
    function = exponential(tapegrad)
    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(10):
            call_and_drop(function, backward)
        assert alive() == before
    finally:
        gc.enable()


def keep_output(ctx: Any, x: Any) -> Any:
    ctx.kept = x * 2
    return ctx.kept


@pytest.mark.parametrize("backward", [True, False])
def test_output_as_an_attribute_is_collected(backward: bool) -> None:
    function = make(tapegrad, keep_output)
    gc.collect()
    before = alive()
    for _ in range(10):
        call_and_drop(function, backward)
    gc.collect()
    assert alive() == before


def test_context_in_its_own_attributes_is_collected() -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.me = ctx
        return x * 2

    function = make(tapegrad, forward)
    gc.collect()
    before = alive()
    call_and_drop(function, True)
    gc.collect()
    assert alive() == before


def test_context_dies_with_its_graph() -> None:
    y = exponential(tapegrad).apply(tapegrad.ones(2, requires_grad=True))
    context = weakref.ref(y.grad_fn)
    assert context() is not None
    z = y * 2
    del y
    assert context() is not None
    del z
    assert context() is None


def test_failed_forward_leaves_nothing_behind() -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        raise ValueError("inside")

    function = make(tapegrad, forward)
    gc.collect()
    before = alive()
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"):
            function.apply(tapegrad.ones(2, requires_grad=True))
    gc.collect()
    assert alive() == before


def test_long_chain_of_functions_is_freed_with_constant_stack() -> None:
    function = make(tapegrad)
    y = tapegrad.ones(1, requires_grad=True)
    for _ in range(100_000):
        y = function.apply(y)
    del y
    assert alive()[1] < 100_000
