"""Messages that are ready while another commit is under way are committed together: one transaction, one write, one note.

To begin a commit costs PostgreSQL as much as to write several resources, so a process has one under way at a time: two would
halve the groups, and others prepare their messages meanwhile. What hinders one of them must not hinder the others:
where they cannot be committed together, each is by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from kangyun.base.database import Connection, Database
from kangyun.base.database.together import Together
from kangyun.base.errors import Problem
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.exchange.actions import keeping, order
from kangyun.commons.exchange.model import Outcome, RawMessage
from kangyun.commons.population import Arrival, beside, overtaken, place_each

# More resources than this in one transaction would keep others waiting for longer than it saves.
_MOST_WRITES = 150


@dataclass(frozen=True, slots=True)
class Ready:
    """A message with all it writes: the Patients to be placed with it, its turn, and how it is noted as stored."""

    handle: Handle
    raw: RawMessage
    writes: Sequence[Write]
    arrivals: Sequence[Arrival]
    mine: order.Turn
    outcome: Callable[[], Outcome]

    @property
    def changed(self) -> list[str]:
        """Patients that exist and are written anew."""
        return [one.id for one in self.arrivals if one.version > 1]

    @property
    def names(self) -> set[tuple[str, str | None]]:
        """What it writes."""
        return {(write.type, write.id) for write in self.writes}


async def commit(ready: Ready) -> None:
    """Commit a message, alone or with others. Raises order.Late, keeping.StoredBefore, Problem."""
    fault = await _together_of(ready.handle.database).ask(ready)
    if fault is not None:
        raise fault


async def _commit_all(asked: Sequence[Ready]) -> list[Exception | None]:
    outcomes: dict[int, Exception | None] = {}
    left = list(range(len(asked)))
    while left:
        group, met, size = list[int](), set[tuple[str, str | None]](), 0
        for number in left:
            names = asked[number].names
            size += len(names)
            if met.isdisjoint(names) and (not group or size <= _MOST_WRITES):
                group.append(number)
            # Whoever waits for one of the group is not passed by those behind.
            met |= names
        outcomes |= zip(group, await _commit_group([asked[number] for number in group]), strict=True)
        left = [number for number in left if number not in outcomes]
    return [outcomes[number] for number in range(len(asked))]


async def _commit_group(group: Sequence[Ready]) -> list[Exception | None]:
    try:
        await (_commit_together(group) if len(group) > 1 else _commit_one(group[0]))
    except Exception as error:  # noqa: BLE001 - it belongs to those who asked
        if len(group) == 1 or (isinstance(error, Problem) and not overtaken(error) and error.status >= 500):
            return [error] * len(group)
        return [outcome for one in group for outcome in await _commit_group([one])]
    return [None] * len(group)


async def _commit_one(one: Ready) -> None:
    async def noted(connection: Connection) -> None:
        await keeping.store(connection, one.raw, one.outcome())

    await one.handle.commit(one.writes, beside=one.mine.beside(one.changed, beside(one.arrivals)), after=noted)


async def _commit_together(group: Sequence[Ready]) -> None:
    async def inside(transactions: Sequence[Transaction]) -> list[list[Write]]:
        for one, transaction in zip(group, transactions, strict=True):
            await one.mine.check(transaction, one.changed)
        persons = await place_each([(transaction, one.arrivals) for one, transaction in zip(group, transactions, strict=True)])
        for one, writes in zip(group, persons, strict=True):
            if one.arrivals:
                one.mine.placed(one.changed, writes)
        await keeping.store_all(transactions[0].connection, [(one.raw, one.outcome()) for one in group])
        # Where two bring one new resident, both write one Person: the record refuses that, and each comes by itself.
        return [[*one.writes, *writes] for one, writes in zip(group, persons, strict=True)]

    await group[0].handle.commit_for([one.handle for one in group], inside)


_together: WeakKeyDictionary[Database, Together[Ready, Exception | None]] = WeakKeyDictionary()


def _together_of(database: Database) -> Together[Ready, Exception | None]:
    found = _together.get(database)
    if found is None:
        found = _together[database] = Together(_commit_all, 1)
    return found
