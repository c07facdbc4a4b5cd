"""Pictures of the graph: graphviz source, rendering, plain-text trees."""

import re
import stat
import sys

import pytest

import tapegrad as torch
from tapegrad.utils.viz import make_dot, tree


@pytest.fixture
def model():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def boxes(dot):
    """Identifier -> (label, color) of each box."""
    found = re.findall(r'^  (\w+) \[label="(.*)", fillcolor=(\w+)\];$', dot.source, re.MULTILINE)
    return {identifier: (label.replace("\\n", " "), color) for identifier, label, color in found}


def arrows(dot):
    """(from, to) as labels, in the order in which they are drawn."""
    labels = {identifier: label for identifier, (label, _) in boxes(dot).items()}
    return [(labels[a], labels[b]) for a, b in re.findall(r"^  (\w+) -> (\w+)", dot.source, re.MULTILINE)]


def test_operations_leaves_and_results(model):
    loss = model(torch.ones(2, 3)).mean()
    dot = make_dot(loss, dict(model.named_parameters()))
    assert sorted(boxes(dot).values()) == [
        ("0.bias (4)", "lightblue"),
        ("0.weight (4, 3)", "lightblue"),
        ("2.bias (1)", "lightblue"),
        ("2.weight (1, 4)", "lightblue"),
        ("AddmmBackward0 (2, 1)", "lightgrey"),
        ("AddmmBackward0 (2, 4)", "lightgrey"),
        ("MeanBackward0 ()", "lightgrey"),
        ("TanhBackward0 (2, 4)", "lightgrey"),
        ("output ()", "palegreen"),
    ]
    assert ("0.weight (4, 3)", "AddmmBackward0 (2, 4)") in arrows(dot)
    assert ("AddmmBackward0 (2, 4)", "TanhBackward0 (2, 4)") in arrows(dot)
    assert ("MeanBackward0 ()", "output ()") in arrows(dot)
    assert len(arrows(dot)) == 8


def test_names_are_pairs_or_a_dictionary_or_missing(model):
    loss = model(torch.ones(2, 3)).mean()
    assert (
        make_dot(loss, model.named_parameters()).source
        == make_dot(loss, dict(model.named_parameters())).source
    )
    assert ("leaf (4)", "lightblue") in boxes(make_dot(loss)).values()


def test_the_source_does_not_depend_on_addresses():
    def drawing():
        x = torch.ones(2, requires_grad=True)
        return make_dot((x * x.exp()).sum(), {"x": x}, show_saved=True).source

    assert drawing() == drawing()


def test_saved_tensors_are_drawn_once():
    x = torch.ones(2, requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    dot = make_dot(x * y + x.exp(), {"x": x, "y": y}, show_saved=True)
    saved = [label for label, color in boxes(dot).values() if color == "orange"]
    assert sorted(saved) == ["result (2)", "x (2)", "y (2)"]
    assert [arrow for arrow in arrows(dot) if arrow == ("result (2)", "ExpBackward0 (2)")]
    assert "orange" not in make_dot(x * y).source


def test_saved_numbers():
    dot = make_dot(torch.ones(2, requires_grad=True) * 2.5, show_attrs=True)
    assert ("MulBackward0 (2) other: 2.5", "lightgrey") in boxes(dot).values()


def test_attributes_of_a_function():
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            ctx.save_for_backward(x)
            return x * factor

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.factor, None

    x = torch.ones(2, requires_grad=True)
    y = Scale.apply(x, 3.5)
    assert ("ScaleBackward (2) factor: 3.5", "lightgrey") in boxes(make_dot(y, show_attrs=True)).values()
    assert "factor" not in make_dot(y, show_saved=True).source


def test_saved_tensors_that_were_freed():
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        make_dot(y, show_saved=True)
    assert "MulBackward0" in make_dot(y).source


def test_collections_of_results():
    x = torch.ones(2, requires_grad=True)
    h = x * 2
    dot = make_dot({"a": h, "b": [h.sum(), x]}, {"x": x, "h": h})
    results = [label for label, color in boxes(dot).values() if color == "palegreen"]
    assert results == ["h (2)", "output ()"]  # a leaf is no result of an operation
    assert tree([h, x], {"x": x}).splitlines() == ["MulBackward0 (2)", "└─ x (2)", "x (2)"]


@pytest.mark.parametrize("draw", [make_dot, tree])
def test_there_has_to_be_a_graph(draw):
    with pytest.raises(RuntimeError, match=r"^element 1 of tensors does not require grad"):
        draw((torch.ones(2, requires_grad=True), torch.ones(2)))
    with pytest.raises(TypeError, match="expected a Tensor or a collection of Tensors, but got float"):
        draw(3.0)
    with pytest.raises(TypeError, match="but got list"):
        draw([])


def test_names_are_quoted():
    x = torch.ones(2, requires_grad=True)
    assert r'label="say \"hi\"\\\n(2)"' in make_dot(x * 2, {'say "hi"\\': x}).source


@pytest.fixture
def fake_graphviz(tmp_path, monkeypatch):
    """A program called dot that writes its arguments and its input."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:], sys.stdin.read())\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))


def test_rendering(fake_graphviz, tmp_path):
    dot = make_dot(torch.ones(2, requires_grad=True) * 2)
    target = tmp_path / "net"
    assert dot.render(target) == f"{target}.pdf"
    assert target.read_text() == dot.source == str(dot)
    assert (tmp_path / "net.pdf").read_text().startswith("['-Tpdf'] digraph {")
    assert dot.render(tmp_path / "other", format="png", cleanup=True) == str(tmp_path / "other.png")
    assert not (tmp_path / "other").exists()
    assert dot.render(tmp_path / "net.svg") == str(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text() == dot._repr_svg_() == dot.pipe("svg").decode()
    assert repr(dot) == "<Dot: 9 lines>"


def test_rendering_without_graphviz(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    dot = make_dot(torch.ones(2, requires_grad=True) * 2)
    with pytest.raises(RuntimeError, match=r"^failed to execute 'dot'.*Install graphviz"):
        dot.render(tmp_path / "net")
    assert dot._repr_svg_() is None
    assert "install graphviz" in repr(dot)
    assert list(tmp_path.iterdir()) == []


def test_a_tree(model):
    loss = model(torch.ones(2, 3)).mean()
    assert (
        tree(loss, model.named_parameters())
        == """\
MeanBackward0 ()
└─ AddmmBackward0 (2, 1)
   ├─ TanhBackward0 (2, 4)
   │  └─ AddmmBackward0 (2, 4)
   │     ├─ 0.weight (4, 3)
   │     └─ 0.bias (4)
   ├─ 2.weight (1, 4)
   └─ 2.bias (1)"""
    )


def test_shared_nodes_are_printed_once():
    a = torch.ones(2, requires_grad=True)
    h = a * a
    assert (
        tree((h + h.exp()).sum(), {"a": a})
        == """\
SumBackward0 ()
└─ AddBackward0 (2)
   ├─ MulBackward0 (2) [1]
   │  ├─ a (2)
   │  └─ a (2)
   └─ ExpBackward0 (2)
      └─ MulBackward0 (2) [1] above"""
    )
    assert tree(a * a).splitlines() == ["MulBackward0 (2)", "├─ leaf (2) [1]", "└─ leaf (2) [1] above"]


def test_a_tree_may_be_cut():
    a = torch.ones(2, requires_grad=True)
    y = (a * a).exp().sum()
    assert tree(y, max_depth=1).splitlines() == ["SumBackward0 ()", "└─ ExpBackward0 (2) ... 1 input"]
    assert tree(y, max_depth=0) == "SumBackward0 () ... 1 input"
    assert tree(y, max_depth=2).endswith("MulBackward0 (2) ... 2 inputs")
    assert tree(y, max_depth=3) == tree(y)
    with pytest.raises(ValueError, match="max_depth"):
        tree(y, max_depth=-1)


def test_deep_trees_are_continued_below():
    x = torch.ones(2, requires_grad=True)
    y = x
    for _ in range(100):
        y = y.exp()
    lines = tree(y, {"x": x}).splitlines()
    assert sum("ExpBackward0" in line for line in lines) == 100 + 3  # one line more for each continuation
    assert max(map(len, lines)) < 110
    assert lines[25].endswith("ExpBackward0 (2) [1] below")
    assert lines[26] == "ExpBackward0 (2) [1]"
    assert lines[-1].endswith("└─ x (2)")
