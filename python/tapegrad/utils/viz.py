"""Pictures of the graph: make_dot for graphviz, tree as plain text."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import _C

__all__ = ["Dot", "make_dot", "tree"]

Params = Mapping[str, _C.Tensor] | Iterable[tuple[str, _C.Tensor]] | None

_SAVED = "_saved_"
_FORMATS = {"dot", "eps", "gif", "jpg", "jpeg", "json", "pdf", "png", "ps", "svg", "webp"}
_MAX_INDENT = 72  # columns of a tree; what is deeper starts a tree of its own


class Dot:
    """A drawing in graphviz's language: `source` is its text, `render` makes a file of it.

    Shown as a picture in notebooks where graphviz is installed.
    """

    def __init__(self, source: str, format: str = "pdf") -> None:
        self.source = source
        self.format = format

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        hint = "" if shutil.which("dot") else "; install graphviz to see it"
        return f"<Dot: {self.source.count(chr(10))} lines{hint}>"

    def pipe(self, format: str | None = None) -> bytes:
        """The picture as bytes in `format`, made by graphviz's program ``dot``; RuntimeError without it."""
        program = shutil.which("dot")
        if program is None:
            raise RuntimeError(
                "failed to execute 'dot': the program is not on the PATH. Install graphviz (the system's "
                "package, not only Python's) to render, print .source, or use tapegrad.utils.viz.tree(y)."
            )
        command = [program, f"-T{format or self.format}"]
        done = subprocess.run(command, input=self.source.encode(), capture_output=True)
        if done.returncode:
            raise RuntimeError(f"dot failed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def save(self, filename: str | os.PathLike[str]) -> str:
        """Writes the source; returns the file's name."""
        Path(filename).write_text(self.source)
        return os.fspath(filename)

    def render(
        self, filename: str | os.PathLike[str] = "graph", format: str | None = None, cleanup: bool = False
    ) -> str:
        """Makes a picture; returns its file name.

        A filename that ends in the name of a format, "net.svg", is the picture's. Else the source is written
        to `filename` (not with ``cleanup=True``) and the picture to that name and its format: "net.pdf".
        """
        target = Path(filename)
        suffix = target.suffix.removeprefix(".").lower()
        if format is None and suffix in _FORMATS:
            target.write_bytes(self.pipe(suffix))
            return str(target)
        format = format or self.format
        picture = self.pipe(format)
        if not cleanup:
            self.save(target)
        target = target.with_name(f"{target.name}.{format}")
        target.write_bytes(picture)
        return str(target)

    def _repr_svg_(self) -> str | None:
        return self.pipe("svg").decode() if shutil.which("dot") else None


def _size(shape: Iterable[int]) -> str:
    return f"({', '.join(map(str, shape))})"


class _Node(NamedTuple):
    """What there is to draw of a node; the one that accumulates a leaf's gradient stands for the leaf."""

    operation: str
    shapes: str
    leaf: _C.Tensor | None
    inputs: tuple[int, ...]
    itself: Any


class _Graph:
    """The nodes that lead to some tensors, numbered in the order in which they are met."""

    def __init__(self, y: Any, params: Params, with_nodes: bool = False) -> None:
        pairs = params.items() if isinstance(params, Mapping) else params or ()
        self.named = {id(tensor): (name, tensor) for name, tensor in pairs if tensor is not None}
        self.results = tuple(_tensors_in(y))
        if not self.results:
            raise TypeError(f"expected a Tensor or a collection of Tensors, but got {type(y).__name__}")
        self.outputs, rows = _C._walk_graph(self.results, with_nodes)
        self.nodes = list(map(_Node._make, rows))

    def name_of(self, tensor: _C.Tensor, otherwise: str) -> str:
        """The name that the user gave to a tensor."""
        return self.named[id(tensor)][0] if id(tensor) in self.named else otherwise

    def title(self, node: _Node, separator: str) -> str:
        """The name of an operation or a leaf, and shapes."""
        if node.leaf is None:
            return f"{node.operation.rpartition('::')[2]}{separator}{node.shapes}"
        return f"{self.name_of(node.leaf, 'leaf')}{separator}{node.shapes}"


def _saved_by(node: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of what an operation saved for its derivative, and of what an autograd.Function put on
    its context."""
    for attribute in dir(node):
        if attribute.startswith(_SAVED):
            yield attribute.removeprefix(_SAVED), getattr(node, attribute)
    yield from getattr(node, "__dict__", {}).items()


def _tensors_in(y: Any) -> Iterator[_C.Tensor]:
    if isinstance(y, _C.Tensor):
        yield y
    elif isinstance(y, Mapping):
        for item in y.values():
            yield from _tensors_in(item)
    elif isinstance(y, Iterable) and not isinstance(y, str):
        for item in y:
            yield from _tensors_in(item)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _tensors_among(value: Any) -> list[_C.Tensor]:
    if isinstance(value, _C.Tensor):
        return [value]
    return [item for item in value if isinstance(item, _C.Tensor)] if isinstance(value, list | tuple) else []


def make_dot(y: Any, params: Params = None, show_attrs: bool = False, show_saved: bool = False) -> Dot:
    """The graph that computed `y` (a Tensor or a collection of them), as a drawing for graphviz.

    Operations are grey, leaves blue with name and shape, results green; `params`, a dictionary or pairs like
    ``model.named_parameters()``, gives names. `show_attrs` writes the numbers that an operation saved and the
    attributes of a Function's context into its box, `show_saved` adds the saved tensors in orange. A
    RuntimeError if backward has freed them.
    """
    graph = _Graph(y, params, with_nodes=show_attrs or show_saved)
    lines = ["digraph {", "  graph [ranksep=0.3];", '  node [shape=box, style=filled, fontname="monospace"];']
    kept: dict[int, tuple[str, _C.Tensor]] = {}  # the saved tensors, which have to live to be told apart

    def draw(identifier: str, label: str, color: str) -> None:
        lines.append(f"  {identifier} [label={_quote(label)}, fillcolor={color}];")

    def draw_saved(number: int, name: str, tensor: _C.Tensor) -> None:
        is_new = id(tensor) not in kept
        identifier, _ = kept.setdefault(id(tensor), (f"s{len(kept)}", tensor))
        if is_new:
            draw(identifier, f"{graph.name_of(tensor, name)}\n{_size(tensor.shape)}", "orange")
        lines.append(f"  {identifier} -> n{number} [dir=none, style=dashed];")

    for number, node in enumerate(graph.nodes):
        label = graph.title(node, "\n")
        if node.leaf is not None:
            draw(f"n{number}", label, "lightblue")
            continue
        for name, value in () if node.itself is None else _saved_by(node.itself):
            tensors = _tensors_among(value)
            if show_saved:
                for tensor in tensors:
                    draw_saved(number, name, tensor)
            if show_attrs and value is not None and not tensors:
                label += f"\n{name}: {value}"
        draw(f"n{number}", label, "lightgrey")
        lines += [f"  n{source} -> n{number};" for source in node.inputs]
    for index, (tensor, number) in enumerate(zip(graph.results, graph.outputs)):
        if graph.nodes[number].leaf is None:
            draw(f"y{index}", f"{graph.name_of(tensor, 'output')}\n{_size(tensor.shape)}", "palegreen")
            lines.append(f"  n{number} -> y{index};")
    lines.append("}\n")
    return Dot("\n".join(lines))


def tree(y: Any, params: Params = None, max_depth: int | None = None) -> str:
    """The graph that computed `y` as plain text, each operation above its inputs.

    A node with several uses is printed once, with a number in brackets, and referred to by that. What lies
    deeper than some 20 levels is continued further down, and what lies deeper than `max_depth` is left out.
    Names come from `params` as in `make_dot`.
    """
    if max_depth is not None and max_depth < 0:
        raise ValueError(f"tree: max_depth is the number of levels below the result, got {max_depth}")
    graph = _Graph(y, params)
    depths = [-1] * len(graph.nodes)  # edges on the shortest way from a result
    for number in graph.outputs:
        depths[number] = 0
    uses = [0] * len(graph.nodes)
    for node, depth in zip(graph.nodes, depths):  # inputs are met later than what uses them first
        for number in node.inputs:
            uses[number] += 1
            if depths[number] < 0:
                depths[number] = depth + 1
    lines: list[str] = []
    labels: dict[int, int] = {}  # the numbers in brackets
    printed = [False] * len(graph.nodes)
    roots = list(dict.fromkeys(graph.outputs))
    continued: set[int] = set()

    def label(number: int) -> str:
        return f"[{labels.setdefault(number, len(labels) + 1)}]"

    for root in roots:  # grows meanwhile
        pending = [(root, "", "")]  # with the indentation of its line and of those below it
        while pending:
            number, before, indent = pending.pop()
            node = graph.nodes[number]
            line, inputs = before + graph.title(node, " "), node.inputs
            if id(node.leaf) in graph.named:  # its name says which one it is
                lines.append(line)
                continue
            if printed[number]:
                if before:
                    lines.append(f"{line} {label(number)} above")
                continue
            if before and (number in continued or (len(indent) > _MAX_INDENT and inputs)):
                lines.append(f"{line} {label(number)} below")
                if number not in continued:
                    continued.add(number)
                    roots.append(number)
                continue
            printed[number] = True
            if number in continued or uses[number] > 1:
                line += f" {label(number)}"
            if max_depth is not None and depths[number] >= max_depth and inputs:
                lines.append(f"{line} ... {len(inputs)} input{'s' * (len(inputs) > 1)}")
                continue
            lines.append(line)
            for position in reversed(range(len(inputs))):
                branch, below = ("└─ ", "   ") if position + 1 == len(inputs) else ("├─ ", "│  ")
                pending.append((inputs[position], indent + branch, indent + below))
    return "\n".join(lines)
