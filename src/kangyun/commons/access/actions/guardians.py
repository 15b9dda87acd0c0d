"""Acting for children and old people: asked for by the guardian, attested where the proof was seen, ended by either."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.settings import Settings, offset
from kangyun.base.web import message
from kangyun.commons.access.actions import failures, notices, sessions
from kangyun.commons.access.actions.binding import proved_person, today
from kangyun.commons.access.actions.parts import Parts, note
from kangyun.commons.access.actions.people import patients, person, residents
from kangyun.commons.access.decisions.accounts import account_limit
from kangyun.commons.access.decisions.guardians import born_of, is_known_proof, kind_of, last_day
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts, guardians
from kangyun.commons.access.queries.guardians import Asked, sql

_PURPOSE = "guardianship-proof"
_TEXT = message("access.sms.guardian")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a guardian says to have: the kind of document (rules/guardianship.yaml), its number, and the last day asked for."""

    document: str
    number: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the counter compares with the papers on the table."""

    asked: Asked
    guardian: dict[str, Any]
    ward: dict[str, Any]
    document_number: str


async def ask(parts: Parts, actor: Actor, name: str, number: str, proof: Proof) -> str:
    """Ask to act for the person of a name and an ID number; returns the number to say at the counter.

    Raises Problem 422 when name and number do not belong together or the document proves nothing here, 409 for oneself,
    403 for somebody who is no adult or not bound to a person, 429 after too many tries.
    """
    account = await sessions.account_of(parts, actor)
    if account.person is None:
        raise refuse(403, "forbidden", "access.bind-first")
    if kind_of(born_of(await person(parts, account.person)), today(parts.settings)) == "child":
        raise refuse(403, "forbidden", "access.guardian-is-child")
    ward = await proved_person(parts, actor, name, number)
    if ward["id"] == account.person:
        raise refuse(409, "conflict", "access.own-guardian")
    kind, ends = _kind_and_end(parts.settings, ward, proof)
    asked_number, id_ = f"{secrets.randbelow(10**8):08d}", secrets.token_hex(12)
    sealed = parts.keys.seal(_PURPOSE, proof.number.strip()[:60].encode(), id_.encode())
    async with parts.database.connection() as connection:
        await connection.execute(
            sql.ask, id_, asked_number, account.id, account.person, ward["id"], kind, proof.document, sealed, clock.now(), ends)
    await note(parts, actor, "guardianship", more="asked", resources=(f"Person/{ward['id']}",), residents=residents(ward))
    return asked_number


def _kind_and_end(settings: Settings, ward: dict[str, Any], proof: Proof) -> tuple[str, datetime]:
    born, day = born_of(ward), today(settings)
    kind = kind_of(born, day)
    if not is_known_proof(proof.document, kind) or not proof.number.strip():
        raise refuse(422, "value", f"access.no-proof-{kind}")
    if proof.until is not None and proof.until < day:
        raise refuse(422, "value", "access.no-day")
    # The last day asked for is still a day on which one may act.
    last = last_day(born, day, proof.until + timedelta(days=1) if proof.until else None)
    return kind, datetime.combine(last, time(), offset(settings.time_zone)).astimezone(UTC)


async def show(parts: Parts, actor: Actor, number: str) -> Shown:
    """What was asked for under a number, for the counter. Raises Problem 404 for an unknown number, 429 after too many."""
    tried = await failures.begin(parts, f"counter/{actor.account or actor.name}", account_limit())
    found = await guardians.asked(parts.database, "".join(number.split()))
    if found is None:
        raise refuse(404, "not-found", "access.no-request")
    await failures.forget(parts, tried)
    shown = Shown(found, await person(parts, found.guardian), await person(parts, found.ward), "")
    await _note(parts, actor, "shown", shown.guardian, shown.ward)
    text = parts.keys.open(_PURPOSE, found.document_number, found.id.encode()).decode()
    return replace(shown, document_number=text)


async def decide(parts: Parts, actor: Actor, number: str, *, right: bool) -> None:
    """Attest at the counter that the papers were seen, or refuse. Raises Problem 404, and 403 for one's own request."""
    found = await guardians.asked(parts.database, "".join(number.split()))
    if found is None:
        raise refuse(404, "not-found", "access.no-request")
    if found.account == actor.account:
        raise refuse(403, "forbidden", "base.forbidden")
    state = "attested" if right else "refused"
    ward = await person(parts, found.ward)
    async with parts.gate.system("access.guardians").transaction() as session:
        await session.connection.fetchrow(
            sql.attest, found.id, state, clock.now(), actor.account or actor.name, actor.institution or "")
        if right and found.kind == "adult":
            await session.write([await notices.tell(session.connection, one, _TEXT, page="/account") for one in patients(ward)[:1]])
    await _note(parts, actor, state, await person(parts, found.guardian), ward)


async def end(parts: Parts, actor: Actor, id_: str) -> None:
    """End a guardianship, as the guardian or as the adult ward; sessions that act by it end at once.

    Raises Problem 404 for one that is neither, 403 for a child that would end its parents'.
    """
    account = await sessions.account_of(parts, actor)
    ward = account.person if account.person and not await _is_child(parts, account.person) else None
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.end_one, id_, clock.now(), account.person, ward)
    if row is None:
        raise refuse(404, "not-found", "base.not-found")
    acting = await accounts.of_person(parts.database, row["guardian"])
    if acting is not None:
        await sessions.end_acting(parts, acting.id, row["ward"])
    await _note(parts, actor, "ended", await person(parts, row["ward"]))


async def _note(parts: Parts, actor: Actor, what: str, *persons: dict[str, Any]) -> None:
    named = [f"Person/{one['id']}" for one in persons if "id" in one]
    await note(parts, actor, "guardianship", more=what, resources=named, residents=residents(*persons))


async def _is_child(parts: Parts, id_: str) -> bool:
    return kind_of(born_of(await person(parts, id_)), today(parts.settings)) == "child"
