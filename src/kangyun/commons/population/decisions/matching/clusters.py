"""From pairs to persons: strong links first, and never two people in one cluster because a third record resembles both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Pair = tuple[int, int]


@dataclass(slots=True)
class Clusters:
    """Records in groups, each called by one of its members; a record that was never joined is its own group."""

    numbers: Mapping[int, str]  # the sure ID number of a record, where it has one
    apart: Mapping[int, set[int]]  # records that must never share a group
    parent: dict[int, int] = field(default_factory=dict[int, int])
    members: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    known: dict[int, str] = field(default_factory=dict[int, str])

    def of(self, record: int) -> int:
        """The group of a record."""
        root = record
        while (above := self.parent.get(root, root)) != root:
            root = above
        while (above := self.parent.get(record, root)) != root:
            self.parent[record] = root
            record = above
        return root

    def number(self, group: int) -> str:
        """The ID number of a group, if any of its records has one."""
        return self.known.get(group) or self.numbers.get(group, "")

    def group(self, root: int) -> list[int]:
        """The records of a group."""
        return self.members.get(root) or [root]

    def join(self, one: int, other: int, *, sure: bool = False) -> bool:
        """Put two records into one group; False when that would unite two people. `sure`: a human said so."""
        first, second = self.of(one), self.of(other)
        if first == second:
            return True
        if not sure and self.contrary(first, second):
            return False
        if len(self.group(first)) < len(self.group(second)):
            first, second = second, first
        self.known[first] = self.number(first) or self.number(second)
        self.members[first] = [*self.group(first), *self.group(second)]
        self.members.pop(second, None)
        self.parent[second] = first
        return True

    def contrary(self, first: int, second: int) -> bool:
        """Whether two groups hold different ID numbers, or records that must stay apart."""
        numbers = {self.number(first), self.number(second)} - {""}
        if len(numbers) > 1:
            return True
        if not self.apart:
            return False
        small, large = sorted((self.group(first), self.group(second)), key=len)
        return any(not self.apart[record].isdisjoint(large) for record in small if record in self.apart)


def inexcusable(contrary: Iterable[Pair], links: Iterable[Pair], numbers: Mapping[int, str]) -> Iterator[Pair]:
    """Of the pairs that a hard rule calls two people, those of which no other record with the same ID number knows better.

    A person whose name was misspelt once looks there like a twin of the own record without number. Where another record
    with that number is linked to it, the number has already said whose the misspelt one is.
    """
    linked: dict[int, set[int]] = {}
    holders: dict[str, set[int]] = {}
    for one, other in links:
        linked.setdefault(one, set()).add(other)
        linked.setdefault(other, set()).add(one)
    for record, number in numbers.items():
        holders.setdefault(number, set()).add(record)

    def known(one: int, other: int) -> bool:
        same = holders.get(numbers.get(one, ""), set())
        return not same.isdisjoint(linked.get(other, ())) and not same.isdisjoint(linked.get(one, ()))

    return ((one, other) for one, other in contrary if not known(one, other) and not known(other, one))


def settle(
    links: Iterable[Pair], numbers: Mapping[int, str], apart: Mapping[int, set[int]], decided: Iterable[Pair] = (),
) -> tuple[Clusters, list[Pair]]:
    """Groups from links, the strongest first, after those that humans decided; and the links that would unite two people."""
    clusters, refused = Clusters(numbers, apart), list[Pair]()
    for one, other in decided:
        clusters.join(one, other, sure=True)
    refused = [(one, other) for one, other in links if not clusters.join(one, other)]
    return clusters, refused
