"""Writes: a resident is registered once, kept up to date, and merged with what turns out to be the same person."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from kangyun.base.errors import Problem
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.decisions import contradicts, normal_identifiers, survivor, telling
from kangyun.commons.population.model import Ambiguous, Identity
from kangyun.commons.population.queries import holders, identify

_NAMESPACE = UUID("0f1d7a36-41b6-5d43-8a0f-1115c0de2026")
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Registration:
    """What it takes to have a resident in the record: the Patient's id and the writes, none when nothing is new."""

    patient: str
    writes: tuple[Write, ...]


async def register(handle: Handle, patient: dict[str, Any], sender: str) -> str:
    """Create or update the one Patient of a resident and return its id.

    Two callers that bring the same new resident at the same moment get the same id. Raises Ambiguous when the
    identifiers belong to different residents, and Problem when the record refuses.
    """
    async with turn(telling(patient)):
        for attempt in range(_TRIES):
            registration = await prepare(handle, patient, sender, attempt)
            try:
                await handle.commit(registration.writes)
            except Problem as problem:
                if not overtaken(problem) or attempt == _TRIES - 1:
                    raise
            else:
                return registration.patient
    raise AssertionError("the loop returns or raises")


def overtaken(problem: Problem) -> bool:
    """Whether somebody else wrote first, so that reading again and trying again helps."""
    return problem.status in {409, 412} or any(issue.key == "records.id-mismatch" for issue in problem.issues)


async def prepare(handle: Handle, patient: dict[str, Any], sender: str, attempt: int = 0) -> Registration:
    """The writes that register a resident, to be committed together with what else is told of them.

    Raises Ambiguous. A commit that fails because of somebody else (see `overtaken`) is prepared again with the next
    `attempt`.
    """
    del sender  # Trust by source comes with the golden record; until then the newest value wins.
    patient = normal_identifiers(patient)
    identity = await identify(handle, patient)
    return _registration(identity, patient, attempt)


async def prepare_merge(
    handle: Handle, patient: dict[str, Any], old: list[dict[str, Any]], attempt: int = 0
) -> Registration:
    """The writes that let the resident of `patient` replace whoever holds the `old` identifiers.

    The old Patient stays, inactive and linked; its identifiers pass to the survivor, so that later messages reach
    it. Raises Ambiguous when the two cannot be one person.
    """
    patient = normal_identifiers(patient)
    identity = await identify(handle, patient)
    gone = await holders(handle, telling({"identifier": old}))
    gone = [one for one in gone if one["id"] != identity.id]
    if any(contradicts(one, patient if identity.current is None else identity.current) for one in gone):
        raise Ambiguous
    former = [{**one, "use": "old"} for one in old]
    patient = {**patient, "identifier": [*patient["identifier"], *former]}
    return _registration(Identity(identity.id, identity.current, (*identity.replaced, *gone)), patient, attempt)


def _registration(identity: Identity, patient: dict[str, Any], attempt: int) -> Registration:
    id_ = identity.id or _new_id(patient, attempt)
    news = dict(patient)
    for gone in identity.replaced:
        news["identifier"] = [*news["identifier"], *({**one, "use": "old"} for one in gone.get("identifier", []))]
    if identity.replaced:
        links = [{"other": {"reference": f"Patient/{one['id']}"}, "type": "replaces"} for one in identity.replaced]
        news["link"] = links
    whole = survivor(identity.current, news)
    writes = [_replaced(gone, id_) for gone in identity.replaced]
    if identity.current is None:
        return Registration(id_, (_creation(id_, whole, patient), *writes))
    if whole != identity.current:
        writes.insert(0, Write("update", "Patient", whole, id=id_, if_match=_version(identity.current)))
    return Registration(id_, tuple(writes))


def _creation(id_: str, whole: dict[str, Any], patient: dict[str, Any]) -> Write:
    """A conditional write takes the store's lock on the strongest identifier, as a FHIR conditional create does."""
    known = telling(patient)
    condition = f"identifier={known[0][0]}|{known[0][1]}" if known else None
    return Write("update", "Patient", {**whole, "id": id_}, id=id_, if_match=0, condition=condition)


def _replaced(gone: dict[str, Any], survivor_id: str) -> Write:
    """The record that is given up: its numbers live on with the survivor alone, so that a number finds one resident.

    What it carried before stands in its history.
    """
    link = {"other": {"reference": f"Patient/{survivor_id}"}, "type": "replaced-by"}
    resource = {**gone, "active": False, "link": [*gone.get("link", []), link]}
    resource.pop("identifier", None)
    return Write("update", "Patient", resource, id=str(gone["id"]), if_match=_version(gone))


def _new_id(patient: dict[str, Any], attempt: int) -> str:
    """From the strongest identifier, so that two who bring the same new resident mean the same one."""
    known = telling(patient)
    return str(uuid5(_NAMESPACE, "|".join(known[0]))) if known and attempt < 2 else str(uuid4())


def _version(resource: dict[str, Any]) -> int:
    return int(resource["meta"]["versionId"])


class _Turns:
    """Locks by identifier that exist only while somebody holds or waits for them."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._users: Counter[tuple[str, str]] = Counter()

    @asynccontextmanager
    async def take(self, key: tuple[str, str]) -> AsyncGenerator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


_turns = _Turns()


@asynccontextmanager
async def turn(identifiers: Iterable[tuple[str, str]]) -> AsyncGenerator[None]:
    """One at a time for each identifier within this process: what concerns one resident is handled in order.

    Between processes the record's own version checks decide; this only saves their retries.
    """
    async with AsyncExitStack() as stack:
        # Always in the same order, so that two who need the same identifiers cannot wait for each other.
        for key in sorted(set(identifiers)):
            await stack.enter_async_context(_turns.take(key))
        yield
