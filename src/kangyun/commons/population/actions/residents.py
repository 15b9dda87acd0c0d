"""Writes: a source's Patient is registered once, kept up to date, and merged when the source says that two are one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from kangyun.base.errors import Problem
from kangyun.base.naming import named_id
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.placing import beside
from kangyun.commons.population.decisions import contradicts, normal_identifiers, survivor, telling
from kangyun.commons.population.decisions.residents import local_first
from kangyun.commons.population.model import SENDER_SOURCE, Ambiguous, Arrival, Identity
from kangyun.commons.population.queries import holders, identify

_NAMESPACE = UUID("0f1d7a36-41b6-5d43-8a0f-1115c0de2026")
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Registration:
    """What it takes to have a resident in the record: the Patient's id, the writes, and what to place under a Person.

    Writes and arrivals are empty when nothing is new. Commit them together: `handle.commit(writes,
    beside=placing(arrivals))`.
    """

    patient: str
    writes: tuple[Write, ...]
    arrivals: tuple[Arrival, ...] = ()


async def register(handle: Handle, patient: dict[str, Any], sender: str) -> str:
    """Create or update the one Patient that a sender has of a resident, place it under its Person, and return its id.

    Two callers that bring the same new resident at the same moment get the same id. Raises Ambiguous when the
    identifiers belong to different residents, and Problem when the record refuses.
    """
    handle = placing_for(handle, "population.register")
    async with turn(telling(patient)):
        for attempt in range(_TRIES):
            registration = await prepare(handle, patient, sender, attempt)
            try:
                await handle.commit(registration.writes, beside=beside(registration.arrivals))
            except Problem as problem:
                if not overtaken(problem) or attempt == _TRIES - 1:
                    raise
            else:
                return registration.patient
    raise AssertionError("the loop returns or raises")


def placing_for(handle: Handle, work: str) -> Handle:
    """A handle that may say who stands under which Person: a desk asks for it, and the platform writes it, since it decides who sees what."""
    return handle if handle.actor.role == "system" else handle.acting("population.desk", work, writes="Patient")


def overtaken(problem: Problem) -> bool:
    """Whether somebody else wrote first, so that reading again and trying again helps."""
    return problem.status in {409, 412} or any(issue.key == "records.id-mismatch" for issue in problem.issues)


async def prepare(
    handle: Handle, patient: dict[str, Any], sender: str, attempt: int = 0, *, late: bool = False
) -> Registration:
    """The writes that register a resident of a sender, to be committed together with what else is told of them.

    Raises Ambiguous. A commit that fails because of somebody else (see `overtaken`) is prepared again with the next
    `attempt`. `late`: the sender has told of a later event of this resident, so that this one only adds what is missing.
    """
    patient = normal_identifiers(patient)
    identity = await identify(handle, patient, sender)
    return _registration(identity, patient, sender, attempt, late=late)


async def prepare_merge(
    handle: Handle, patient: dict[str, Any], old: list[dict[str, Any]], sender: str, attempt: int = 0
) -> Registration:
    """The writes that let a sender's resident of `patient` replace whoever of its own holds the `old` identifiers.

    The old Patient stays, inactive and linked; its identifiers pass to the survivor, so that later messages reach
    it, and both stand under one Person. Raises Ambiguous when the two cannot be one person.
    """
    patient = normal_identifiers(patient)
    identity = await identify(handle, patient, sender)
    gone = await holders(handle, telling({"identifier": old}), sender)
    if identity.current is None and len(gone) == 1 and not contradicts(gone[0], patient):
        # Nobody has the new number yet: the resident of the old one has changed it.
        identity = Identity(str(gone[0]["id"]), gone[0])
    gone = [one for one in gone if one["id"] != identity.id]
    if any(contradicts(one, patient if identity.current is None else identity.current) for one in gone):
        raise Ambiguous("another-number")
    former = [{**one, "use": "old"} for one in old]
    patient = {**patient, "identifier": [*patient["identifier"], *former]}
    return _registration(Identity(identity.id, identity.current, (*identity.replaced, *gone)), patient, sender, attempt)


def _registration(
    identity: Identity, patient: dict[str, Any], sender: str, attempt: int, *, late: bool = False
) -> Registration:
    id_ = identity.id or new_id(patient, sender, attempt)
    news = dict(patient)
    for gone in identity.replaced:
        news["identifier"] = [*news["identifier"], *({**one, "use": "old"} for one in gone.get("identifier", []))]
    if identity.replaced:
        links = [{"other": {"reference": f"Patient/{one['id']}"}, "type": "replaces"} for one in identity.replaced]
        news["link"] = links
    whole = survivor(identity.current, news, late=late)
    replaced = [_replaced(gone, id_) for gone in identity.replaced]
    if identity.current is not None and whole == identity.current:
        return Registration(id_, tuple(replaced), _arrivals(replaced, sender))
    version = _version(identity.current) if identity.current else 0
    kept = {name: value for name, value in whole.get("meta", {}).items() if name not in {"versionId", "lastUpdated"}}
    content = {**whole, "id": id_, "meta": {**kept, "source": f"{SENDER_SOURCE}{quote(sender, safe='')}"}}
    writes = (Write("update", "Patient", content, id=id_, if_match=version), *replaced)
    return Registration(id_, writes, _arrivals(writes, sender))


def _arrivals(writes: Sequence[Write], sender: str) -> tuple[Arrival, ...]:
    return tuple(Arrival(one.resource or {}, sender, (one.if_match or 0) + 1) for one in writes)


def _replaced(gone: dict[str, Any], survivor_id: str) -> Write:
    """The record that is given up: its numbers live on with the survivor alone, so that a number finds one resident.

    What it carried before stands in its history.
    """
    link = {"other": {"reference": f"Patient/{survivor_id}"}, "type": "replaced-by"}
    resource = {**gone, "active": False, "link": [*gone.get("link", []), link]}
    resource.pop("identifier", None)
    return Write("update", "Patient", resource, id=str(gone["id"]), if_match=_version(gone))


def new_id(patient: dict[str, Any], sender: str, attempt: int) -> str:
    """The id of a sender's new Patient: from its strongest number, so that two who bring the same new resident mean the same one."""
    known = local_first(patient)
    return named_id(_NAMESPACE, "|".join([sender, *known[0]])) if known and attempt < 2 else str(uuid4())


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
