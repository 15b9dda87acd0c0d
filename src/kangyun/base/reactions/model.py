"""The nouns of the change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

from kangyun.base.database import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one resource: `seq` is its place in the feed, `resident` the key of the record it belongs to.

    `method` is what was done to it, as the record store writes it: create, update or delete.
    """

    seq: int
    resident: int
    key: int
    type: str
    id: str
    version: int
    method: str

    @property
    def deleted(self) -> bool:
        """Whether the change removed the resource."""
        return self.method.lower() == "delete"


Act = Callable[[Any, Change], Awaitable[None]]
ActOnMany = Callable[[Any, Sequence[Change]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows a change: which resource types it `listens` to ("*" is all) and which it `writes`.

    `comes_to_rest` is needed only where reactions form a circle: the sentence that says why it ends. `together` takes a
    backlog, as an import leaves one, in one commit for some residents; where it fails, `act` takes them one by one. After an
    accident the residents of a commit may be others, so the key of the commit does not hold a repetition off: what is done
    already, it must see itself.
    """

    name: str
    listens: AbstractSet[str]
    writes: AbstractSet[str]
    act: Act
    tries: int = 8
    first_pause: float = 1.0
    longest_pause: float = 600.0
    comes_to_rest: str = ""
    together: ActOnMany | None = None

    def hears(self, change: Change) -> bool:
        """Whether this change concerns the reaction."""
        return change.type in self.listens or "*" in self.listens

    def heard(self) -> AbstractSet[str] | None:
        """The types that concern the reaction; None: all."""
        return None if "*" in self.listens else self.listens

    def deaf_to(self, types: AbstractSet[str]) -> bool:
        """Whether no change of these types concerns the reaction."""
        return "*" not in self.listens and self.listens.isdisjoint(types)

    def pause(self, tries: int) -> float:
        """Seconds to wait after the given number of failures."""
        return min(self.longest_pause, self.first_pause * 2 ** (tries - 1))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A batch: what the snapshot `high` sees and `low` did not; delivered up to seq `after`, its end is `last`.

    Snapshots are texts of PostgreSQL's pg_snapshot, such as 10:20:11,15.
    """

    low: str
    high: str
    after: int
    last: int


class Feed(Protocol):
    """How the runner reads the table of changes, which belongs to the record store.

    A change belongs to the batch when, for the transaction number `xid` of its row,
    `pg_visible_in_snapshot(xid, high) AND NOT pg_visible_in_snapshot(xid, low)`; to use an index, add
    `xid >= pg_snapshot_xmin(low) AND xid < pg_snapshot_xmax(high)`.
    """

    async def extent(self, connection: Connection, low: str, high: str) -> tuple[int, AbstractSet[str]]:
        """The highest seq of a batch, 0 when it is empty, and the types of all its changes."""
        ...

    async def first(self, connection: Connection, low: str, high: str, limit: int) -> Sequence[Change]:
        """The first changes of a batch, by seq, at most `limit`."""
        ...

    async def page(self, connection: Connection, cursor: Cursor, limit: int, types: AbstractSet[str] | None = None) -> Sequence[Change]:
        """The changes of a batch with after < seq <= last, of `types` where given, by seq, at most `limit`."""
        ...


def endless_loop(reactions: Iterable[Reaction]) -> list[str] | None:
    """The names of reactions that would wake each other for ever, or None.

    A reaction leads to another when it writes a type that the other listens to. A circle is allowed only through a
    reaction that says why it comes to rest.
    """
    restless = [reaction for reaction in reactions if not reaction.comes_to_rest]
    for reaction in restless:
        circle = _way_back(reaction, restless)
        if circle:
            return circle
    return None


def leads_to(one: Reaction, other: Reaction) -> bool:
    """Whether a write of one can wake the other."""
    return bool(one.writes & other.listens) or ("*" in other.listens and bool(one.writes))


def _way_back(start: Reaction, reactions: Sequence[Reaction]) -> list[str] | None:
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for following in (r for r in reactions if leads_to(path[-1], r)):
            if following.name == start.name:
                return [r.name for r in path]
            if following.name not in seen:
                seen.add(following.name)
                paths.append([*path, following])
    return None
