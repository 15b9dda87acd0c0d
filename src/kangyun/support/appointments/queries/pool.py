"""Reads of schedules, sittings and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.base.database.together import Together
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.appointments.model import Departure, Found, Number, Offer, Part, Place, Schedule, Sitting, Template

sql = queries("kangyun.support.appointments", "queries/pool.sql")

_MOST_FOUND = 60

# Sitting, number and channel; and what there is.
_Asked = tuple[str, str, str]
_Offered = tuple[Sitting, Schedule, bool]
_asking: WeakKeyDictionary[Database, Together[_Asked, _Offered | None]] = WeakKeyDictionary()


async def schedule(connection: Connection, id_: str) -> Schedule | None:
    """The schedule of an id."""
    row = await connection.fetchrow(sql.schedule, id_)
    return Schedule(**row) if row else None


async def schedules_of(connection: Connection, institutions: Sequence[str]) -> list[Schedule]:
    """The active schedules of institutions."""
    return [Schedule(**row) for row in await connection.fetch(sql.schedules_of, list(institutions))]


async def sitting_and_schedule(connection: Connection, id_: str) -> tuple[Sitting, Schedule]:
    """A sitting with its schedule; raises Problem 404."""
    row = await connection.fetchrow(sql.sitting_and_schedule, id_)
    if row is None:
        raise refuse(404, "not-found", "appointments.unknown")
    return Sitting(**row["sitting"]), Schedule(**row["schedule"])


async def sitting_asked_for(database: Database, sitting: str, number: str, channel: str) -> tuple[Sitting, Schedule, bool]:
    """A sitting by its id or that of a number, its schedule, and whether the channel may take (that) one now; raises Problem 404."""
    together = _asking.get(database)
    if together is None:
        together = _asking[database] = Together(partial(_sittings_asked_for, database))
    found = await together.ask((sitting, number, channel))
    if found is None:
        raise refuse(404, "not-found", "appointments.unknown")
    return found


async def _sittings_asked_for(database: Database, asked: Sequence[_Asked]) -> list[_Offered | None]:
    """For all who ask at the same time in one statement; a crowd before one clinic asks one thing."""
    each = list(dict.fromkeys(asked))
    columns = ([one[part] for one in each] for part in range(3))
    async with database.connection() as connection:
        rows = await connection.fetch(sql.sittings_asked_for, *columns, clock.now())
    found = {each[row["place"] - 1]: (Sitting(**row["sitting"]), Schedule(**row["schedule"]), bool(row["free"])) for row in rows}
    return [found.get(one) for one in asked]


async def numbers(connection: Connection, sitting: str) -> list[Number]:
    """The numbers of a sitting in their order."""
    return [Number(**row) for row in await connection.fetch(sql.numbers, sitting)]


async def templates(connection: Connection, schedules: Sequence[str]) -> dict[str, list[Template]]:
    """The templates of schedules, those that have ended too."""
    found: dict[str, list[Template]] = {one: [] for one in schedules}
    for row in await connection.fetch(sql.templates, list(schedules)):
        found[row["schedule"]].append(Template(row["weekday"], _part(dict(row)), row["since"], row["until"], row["id"]))
    return found


async def departures(connection: Connection, schedules: Sequence[str], since: date) -> dict[str, list[Departure]]:
    """The exceptions of schedules from a day on."""
    found: dict[str, list[Departure]] = {one: [] for one in schedules}
    for row in await connection.fetch(sql.departures, list(schedules), since):
        found[row["schedule"]].append(Departure(row["day"], row["kind"], _part(dict(row)) if row["kind"] == "extra" else None, row["reason"]))
    return found


def _part(row: Mapping[str, Any]) -> Part:
    """The part of a day that a row tells of."""
    return Part(row["begins"], row["minutes"], row["numbers"], orjson.loads(row["quotas"]))


async def find(handle: Handle, wish: Mapping[str, Any], channel: str, now: datetime, last: date) -> list[Found]:
    """Schedules by kind, departments, institution, words or examination, the next free first; at most 60."""
    async with handle.connection() as connection:
        rows = await connection.fetch(
            sql.find, wish["kind"], wish.get("departments"), wish.get("institution", ""), _like(wish.get("words", "")), wish.get("examination", ""),
            channel, now, last, wish.get("most", _MOST_FOUND))
    return [_found(dict(row)) for row in rows]


def _like(text: str) -> str:
    """A text as a part of a LIKE pattern."""
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return text


def _found(row: dict[str, Any]) -> Found:
    next_, free, sitting = row.pop("next"), row.pop("free"), row.pop("sitting")
    return Found(Schedule(**row), next_, free or 0, sitting or "")


async def offers(connection: Connection, of: Schedule, channel: str, now: datetime, last: date) -> list[Offer]:
    """The sittings of a schedule up to a day, with what is free for a channel; `opens` is left to the caller."""
    found: list[Offer] = []
    for row in await connection.fetch(sql.offers, of.id, channel, now, last):
        values = dict(row)
        counts = {name: values.pop(name) for name in ("total", "free", "waiting")}
        found.append(Offer(of, Sitting(**values), counts["free"], counts["total"], now, counts["waiting"]))
    return found


async def places(handle: Handle, kind: str = "") -> list[Place]:
    """The institutions that offer numbers (of a kind)."""
    async with handle.connection() as connection:
        return [Place(**row) for row in await connection.fetch(sql.places, kind)]


async def departments_in_use(handle: Handle, kind: str) -> set[str]:
    """The departments that offer numbers of a kind."""
    async with handle.connection() as connection:
        return {str(row["department"]) for row in await connection.fetch(sql.departments_in_use, kind)}


async def week(connection: Connection, schedules: Sequence[str], first: date, last: date, now: datetime) -> list[dict[str, Any]]:
    """The sittings of schedules between two days, each with `sitting`, `total`, `taken` and `free`."""
    found: list[dict[str, Any]] = []
    for row in await connection.fetch(sql.sittings_between, list(schedules), first, last, now):
        values = dict(row)
        counts = {name: values.pop(name) for name in ("total", "taken", "free")}
        found.append({"sitting": Sitting(**values), **counts})
    return found
