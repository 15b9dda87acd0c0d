"""Rows without any number get their Patient: among the residents whom the same sender has registered, if exactly one fits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base import jobs
from kangyun.base.database import Connection
from kangyun.commons.access import Handle, escaped
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.decisions.tables import Bad, Good, Table, Unnumbered
from kangyun.commons.exchange.decisions.tables.kinds import kinds
from kangyun.commons.exchange.decisions.tables.recognising import Likeness, Verdict, decide, likenesses, terms
from kangyun.commons.exchange.model import RawMessage, Reason
from kangyun.commons.exchange.queries.tables import SheetResult, sql
from kangyun.commons.population import Ambiguous, identify, persons_of, telling

_REASONS = ["exchange.not-registered", "exchange.name-alone", "exchange.namesakes", "exchange.namesake-contradicts"]
_AT_ONCE = 50
_PAGE = "1000"
# Residents by name; None for more of one name than anybody could tell apart.
_Residents = dict[str, list[dict[str, Any]] | None]


async def recognise(handle: Handle, table: Table, numbers: Sequence[int]) -> tuple[list[Good], list[Bad]]:
    """Those of a sheet's unnumbered rows whose resident is known, and the others with the reason why nobody can be sure."""
    rows = list(table.again(numbers))
    residents = await _residents(handle, table.sender, {str(row.told["name"]) for row in rows})
    found = [_Found(row, _alike(row, residents[str(row.told["name"])])) for row in rows]
    if table.header.kind.registered:
        await _note(handle, [one for one in found if one.only is not None])
    places = {name: place for place, name in table.header.columns.items()}
    good: list[Good] = []
    bad: list[Bad] = []
    for one in found:
        verdict = await _verdict(handle, one)
        if verdict.chosen:
            good.append(table.recognised(one.row, _identifiers(verdict.chosen.patient)))
        else:
            bad.append(Bad(one.row.row, places.get(verdict.column, places["name"]), Reason(verdict.key, code="204")))
    return good, bad


@dataclass(slots=True)
class _Found:
    """A row with the residents of its name; None for more than anybody could tell apart."""

    row: Unnumbered
    alike: list[Likeness] | None

    @property
    def only(self) -> Likeness | None:
        """The one whom the row may mean, of whom it tells too little by itself."""
        possible = self.possible
        return possible[0] if len(possible) == 1 and not possible[0].fits else None

    @property
    def possible(self) -> list[Likeness]:
        """Those whom nothing contradicts."""
        return [one for one in self.alike or () if not one.against]


def _alike(row: Unnumbered, residents: list[dict[str, Any]] | None) -> list[Likeness] | None:
    return None if residents is None else likenesses(row.told, residents)


async def _residents(handle: Handle, sender: Sender, names: Collection[str]) -> _Residents:
    """The sender's own residents of each name. One question for each: many names in one are sought among all residents, one after the other."""
    found: _Residents = {}
    ordered = sorted(names)
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        found |= zip(some, await asyncio.gather(*(_named(handle, sender, name) for name in some)), strict=True)
    return found


async def _named(handle: Handle, sender: Sender, name: str) -> list[dict[str, Any]] | None:
    asked = [("name:exact", escaped(name)), ("_source", sender.urn), ("_count", str(terms().namesakes)), ("_total", "none")]
    page = await handle.search("Patient", asked)
    if page.next:
        return None
    return [one for one in page.resources if one.get("active", True) and name in _names(one) and await _is_own(handle, sender, one)]


def _names(patient: dict[str, Any]) -> set[str]:
    return {str(one.get("text")) for one in patient.get("name", ())}


async def _is_own(handle: Handle, sender: Sender, patient: dict[str, Any]) -> bool:
    """Whether a row of this sender with the Patient's numbers would go to this very Patient."""
    try:
        identity = await identify(handle, {"identifier": _identifiers(patient)}, sender.key)
    except Ambiguous:
        return False
    return identity.id == patient["id"]


def _identifiers(patient: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = set(telling(patient))
    return [one for one in patient.get("identifier", ()) if (one.get("system"), one.get("value")) in wanted]


async def _verdict(handle: Handle, found: _Found) -> Verdict:
    if found.alike is None:
        return Verdict(None, "exchange.namesakes")
    verdict = decide(found.alike)
    if verdict.key == "exchange.namesakes" and await _are_one(handle, found.possible):
        # One person whom the clinic has registered twice.
        best = max(found.possible, key=lambda one: (one.fits, str(one.patient["id"])))
        return decide([best, *(one for one in found.alike if one.against)])
    return verdict


async def _are_one(handle: Handle, found: Sequence[Likeness]) -> bool:
    ids = [str(one.patient["id"]) for one in found]
    persons = await persons_of(handle, ids)
    return len(persons) == len(ids) and len({str(one["id"]) for one in persons.values()}) == 1


async def _note(handle: Handle, found: Sequence[_Found]) -> None:
    """Add what the clinic has noted of the residents that their rows say as well: an illness, or a visit on that day."""
    likely = [(one, only) for one in found if (only := one.only) is not None]
    for start in range(0, len(likely), _AT_ONCE):
        some = likely[start : start + _AT_ONCE]
        ill = await _illnesses(handle, some)
        for one, only in some:
            only.agrees |= {"illness"} & terms().registered if ill[str(only.patient["id"])] & _codes(one.row) else set[str]()
        left = [(one, only) for one, only in some if not only.fits]
        days = await _days(handle, [only for _, only in left])
        for one, only in left:
            only.agrees |= {"visit"} & terms().registered if _day(one.row) in days[str(only.patient["id"])] else set[str]()


def _codes(row: Unnumbered) -> set[str]:
    return {code for one in row.told.get("diagnosis", ()) for code in _coded(one)}


def _coded(concept: dict[str, Any]) -> set[str]:
    """The codes of a concept as a search asks for them."""
    codings = ((str(one.get("system", "")), str(one.get("code", ""))) for one in concept.get("coding", ()))
    return {f"{escaped(system)}|{escaped(code)}" for system, code in codings if code}


def _day(row: Unnumbered) -> str:
    return str(row.told.get("date", ""))[:10]


async def _illnesses(handle: Handle, some: Sequence[tuple[_Found, Likeness]]) -> dict[str, set[str]]:
    """Which of the rows' illnesses the clinic has noted of their residents."""
    found: dict[str, set[str]] = defaultdict(set)
    codes = sorted({code for one, _ in some for code in _codes(one.row)})
    if codes:
        async for one in _about(handle, "Condition", [only for _, only in some], ("code", ",".join(codes))):
            found[_subject(one)] |= _coded(one["code"])
    return found


async def _days(handle: Handle, some: Sequence[Likeness]) -> dict[str, set[str]]:
    """The days on which residents came to the clinic. A follow-up is no proof: it may be the row's own, or that of a namesake."""
    found: dict[str, set[str]] = defaultdict(set)
    async for one in _about(handle, "Encounter", some, ("type:not", "follow-up")):
        found[_subject(one)].add(str(one.get("period", {}).get("start"))[:10])
    return found


async def _about(handle: Handle, type_: str, some: Sequence[Likeness], asked: tuple[str, str]) -> AsyncIterator[dict[str, Any]]:
    """All resources of a type about some residents."""
    subjects = ",".join(sorted({f"Patient/{one.patient['id']}" for one in some}))
    query: str | list[tuple[str, str]] | None = [("subject", subjects), asked, ("_count", _PAGE)] if some else None
    while query:
        page = await handle.search(type_, query)
        for one in page.resources:
            yield one
        query = page.next


def _subject(resource: dict[str, Any]) -> str:
    return str(resource["subject"]["reference"]).removeprefix("Patient/")


async def try_again(connection: Connection, raw: RawMessage, results: Sequence[SheetResult]) -> None:
    """After a sheet has brought residents or visits, let the later kinds of sheets be replayed whose rows nobody recognised."""
    turn = min((kinds()[one.kind].turn for one in results if one.kind and one.stored), default=None)
    if turn is None:
        return
    rows = await connection.fetch(sql.unrecognised, raw.sender_key, _REASONS)
    messages = [row["id"] for row in rows if row["id"] != raw.id and _turn(row["kind"]) > turn]
    if messages:
        await jobs.enqueue(connection, "exchange.recognise", {"messages": messages}, key=str(raw.id))


def _turn(shown: str) -> int:
    kind = kinds().get(shown.partition("/")[2])
    return kind.turn if kind else 1
