"""Nested tuples, lists and dictionaries as flat lists of leaves, and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Spec", "broadcast_prefix", "flatten", "map_leaves", "unflatten"]


@dataclass(frozen=True)
class Spec:
    """The structure of a tree: the kind of a container with the specs of its members; a leaf has no kind."""

    kind: type | None
    keys: tuple[Any, ...]
    members: tuple[Spec, ...]

    @property
    def count(self) -> int:
        """The number of leaves."""
        return 1 if self.kind is None else sum(member.count for member in self.members)

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        keys = list(self.keys) if self.keys else None
        return f"TreeSpec({self.kind.__name__}, {keys}, [{', '.join(map(str, self.members))}])"


LEAF = Spec(None, (), ())


def _is_container(value: Any) -> bool:
    return isinstance(value, (tuple, list)) or type(value) in (dict, OrderedDict)


def _members(value: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The keys and the members of a container."""
    if isinstance(value, dict):
        return tuple(value), list(value.values())
    return (), list(value)


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves in order, and the structure that unflatten needs."""
    if not _is_container(tree):
        return [tree], LEAF
    keys, members = _members(tree)
    leaves: list[Any] = []
    specs = []
    for member in members:
        more, spec = flatten(member)
        leaves += more
        specs.append(spec)
    return leaves, Spec(type(tree), keys, tuple(specs))


def unflatten(leaves: list[Any], spec: Spec) -> Any:
    """The tree with that structure and these leaves."""
    if spec.kind is None:
        return leaves[0]
    members, start = [], 0
    for member in spec.members:
        members.append(unflatten(leaves[start : start + member.count], member))
        start += member.count
    if issubclass(spec.kind, dict):
        return spec.kind(zip(spec.keys, members))
    make: Any = spec.kind
    return make(*members) if hasattr(make, "_fields") else make(members)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with function(leaf) for each leaf."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def broadcast_prefix(prefix: Any, spec: Spec) -> list[Any] | None:
    """A leaf for each leaf of `spec`, where `prefix` may stop at any container; None if they do not fit."""
    if not _is_container(prefix):
        return [prefix] * spec.count
    keys, members = _members(prefix)
    if spec.kind is not type(prefix) or len(members) != len(spec.members) or keys != spec.keys:
        return None
    leaves: list[Any] = []
    for member, member_spec in zip(members, spec.members):
        part = broadcast_prefix(member, member_spec)
        if part is None:
            return None
        leaves += part
    return leaves
