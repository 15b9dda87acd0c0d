"""One walk over a resource that visits only elements which some search parameter looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.paths import Guard, Path

Collector: TypeAlias = Callable[[Any, Collected], None]


class Node:
    """What to do at an element: collect it, go on below it, or go on only where a guard holds."""

    __slots__ = ("children", "collectors", "guarded", "indexed")

    def __init__(self) -> None:
        self.collectors: list[Collector] = []
        self.children: dict[str, Node] = {}
        self.guarded: list[tuple[Guard, Node]] = []
        self.indexed: list[tuple[int, Node]] = []

    def at(self, path: Path) -> Node:
        """The node of a path, made when it is new."""
        node = self
        for step in path.steps:
            node = node.children.setdefault(step, Node()) if isinstance(step, str) else node._behind(step)
        return node

    def _behind(self, guard: Guard) -> Node:
        if guard.kind == "index":
            self.indexed.append((int(guard.value), Node()))
            return self.indexed[-1][1]
        known = next((node for seen, node in self.guarded if seen == guard), None)
        if known is None:
            known = Node()
            self.guarded.append((guard, known))
        return known


def walk(node: Node, value: dict[str, Any], out: Collected) -> None:
    """Collect from the properties of one JSON object."""
    children = node.children
    for name, found in value.items():
        child = children.get(name)
        if child is None:
            continue
        if found.__class__ is list:
            for item in found:
                _visit(child, item, out)
            if child.indexed:
                _visit_indexed(child, found, out)
        else:
            _visit(child, found, out)


def _visit(node: Node, item: Any, out: Collected) -> None:
    if item is None:
        return
    for collect in node.collectors:
        collect(item, out)
    if item.__class__ is dict:
        if node.children:
            walk(node, item, out)
        for guard, behind in node.guarded:
            if holds(guard, item):
                _visit(behind, item, out)


def _visit_indexed(node: Node, items: list[Any], out: Collected) -> None:
    for index, behind in node.indexed:
        if index < len(items):
            _visit(behind, items[index], out)


def holds(guard: Guard, item: dict[str, Any]) -> bool:
    """Whether the condition is true of an item."""
    if guard.kind == "extension":
        return any(extension.get("url") == guard.value for extension in item.get("extension", ()))
    return item.get(guard.field) == guard.value


def values(path: Path, item: Any) -> list[Any]:
    """All values of a short path below an item; for the components of composites."""
    found = [item]
    for step in path.steps:
        found = [value for held in found if isinstance(held, dict) for value in _step(step, held)]
    return found


def _step(step: str | Guard, held: dict[str, Any]) -> list[Any]:
    if isinstance(step, Guard):
        return [held] if holds(step, held) else []
    value = held.get(step)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
