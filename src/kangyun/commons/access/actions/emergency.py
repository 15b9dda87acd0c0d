"""Break-glass: one person's record opens to one account for a day; the resident is told, an auditor reviews it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.web import message
from kangyun.base.web.display import CHINA
from kangyun.commons.access.actions import notices
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.people import normal_number, patients, person_by, phone_of
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.decisions.emergency import fault, lasts
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.access.queries import emergency as reads
from kangyun.commons.access.queries.emergency import Emergency, emergency_of, sql
from kangyun.commons.records import hash64, key_of

log = structlog.get_logger()

_PURPOSE = "emergency"
_PERMISSION = "access.emergency"
_TEXT = message("access.sms.emergency")
_PAGE = "/resident/consents"


@dataclass(frozen=True, slots=True)
class Whom:
    """Whose record is needed: the Patient of a page that one is on, or name and ID number of the person's card."""

    patient: str = ""
    name: str = ""
    number: str = ""


async def break_glass(parts: Parts, actor: Actor, whom: Whom, reason: str, words: str) -> Emergency:
    """Open a person's record to the actor's account; one that is open already is given back.

    Raises Problem 403 for a role that may not, 422 for a reason that is none, 404 when nobody is meant.
    """
    role = policy.role(actor.role)
    if role is None or not (role.opens or role.kind == "internal"):
        raise refuse(403, "forbidden", "base.forbidden")
    wrong = fault(reason, words.strip())
    if wrong:
        raise refuse(422, "required", wrong)
    try:
        patient, person = await _meant(parts, whom)
    except Problem:
        # Whoever tries out numbers leaves a trace of each try.
        await _note(parts, actor, "emergency", outcome="refused", more=reason)
        raise
    async with parts.gate.system(_PERMISSION).transaction() as session:
        made, is_new = await _open(parts, session.connection, (actor, patient, person), reason, words.strip())
        if is_new:
            told = await notices.tell(session.connection, patient, _TEXT, page=_PAGE, text_message=False, when=_written(made.starts))
            await session.write([told])
    await _note(parts, actor, "emergency", resident=made.resident, patient=patient, more=reason)
    return made


async def _meant(parts: Parts, whom: Whom) -> tuple[str, str]:
    """The ids of the Patient and of the Person ('' without one)."""
    if whom.patient:
        found = await parts.gate.system(_PERMISSION).read("Patient", whom.patient)
        if found is None:
            raise refuse(404, "not-found", "access.emergency-nobody")
        persons = await parts.gate.system(_PERMISSION).search("Person", [("link", f"Patient/{whom.patient}")])
        active = [str(one["id"]) for one in persons.resources if one.get("active", True)]
        return whom.patient, active[0] if active else ""
    person = await person_by(parts, whom.name, normal_number(whom.number))
    linked = patients(person) if person else []
    if person is None or not linked:
        raise refuse(404, "not-found", "access.emergency-nobody")
    return linked[0], str(person["id"])


async def _open(parts: Parts, connection: Connection, who: tuple[Actor, str, str], reason: str, words: str) -> tuple[Emergency, bool]:
    """The emergency, and whether it was not open before."""
    actor, patient, person = who
    account, resident, now = actor.account or actor.name, key_of("Patient", patient), clock.now()
    await connection.execute(sql.lock, account, resident)
    standing = await connection.fetchrow(sql.standing, resident, account, now)
    if standing:
        return emergency_of(standing), False
    id_ = uuid4().hex
    made = Emergency(
        id_, resident, patient, person, account, actor.practitioner, actor.institution, actor.role, reason,
        parts.keys.seal(_PURPOSE, words.encode(), id_.encode()), now, now + lasts(), None, None, None, None, None,
    )
    await connection.execute(
        sql.put, made.resident, id_, patient, person, account, made.practitioner, made.institution, made.role, reason, made.words,
        now, made.ends,
    )
    await connection.execute(sql.open, resident, cause_of(id_), account, now, made.ends)
    await jobs.enqueue(connection, "access.emergency_told", {"emergency": id_}, key=f"emergency/{id_}")
    return made, True


def cause_of(id_: str) -> int:
    """The key under which the openings of an emergency stand."""
    return hash64(f"Emergency/{id_}")


@jobs.job("access.emergency_told")
async def tell(services: Parts, payload: dict[str, Any]) -> None:
    """Send the resident a text message, where a phone is known; the resident's pages tell it in any case."""
    found = await reads.one(services.database, str(payload["emergency"]))
    if found is None or found.told is not None or not services.sms.ready:
        return
    number = await phone_of(services, found.patient, found.person)
    if number is None:
        log.info("access.emergency-no-phone", id=found.id)
        return
    await services.sms.send(number, _TEXT, when=_written(found.starts))
    async with services.database.connection() as connection:
        await connection.execute(sql.told, found.id, clock.now())


def _written(moment: datetime) -> str:
    """A moment as a text message says it, in China's time."""
    return f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M}"


async def review(parts: Parts, actor: Actor, id_: str, verdict: str, remark: str) -> None:
    """Accept an emergency, or call it an abuse, which also ends it at once.

    Raises Problem 422 for a verdict that is none, 403 for one's own, 409 when somebody has reviewed it already.
    """
    found = await reads.one(parts.database, id_)
    if verdict not in {"accepted", "abuse"} or found is None:
        raise refuse(422, "value", "access.emergency-verdict")
    reviewer = actor.account or actor.name
    if reviewer == found.account and actor.account is not None:
        raise refuse(403, "forbidden", "access.emergency-own")
    sealed = parts.keys.seal(_PURPOSE, remark.strip()[:1000].encode(), id_.encode())
    async with parts.database.transaction() as connection:
        done = await connection.fetchval(sql.judge, id_, verdict, sealed, clock.now(), reviewer)
        if done is None:
            raise refuse(409, "conflict", "access.emergency-reviewed")
        if verdict == "abuse":
            await connection.execute(sql.end, cause_of(id_), clock.now())
    await _note(parts, actor, f"emergency-{verdict}", resident=found.resident, more=found.reason, permission="access.review")


def said(parts: Parts, found: Emergency) -> tuple[str, str]:
    """The written reason, and the auditor's remark ('' without one)."""
    opened = [parts.keys.open(_PURPOSE, one, found.id.encode()).decode() if one else "" for one in (found.words, found.remark)]
    return opened[0], opened[1]


async def _note(
    parts: Parts, actor: Actor, action: str, *, resident: int | None = None, patient: str = "", more: str = "", outcome: str = "ok",
    permission: str = _PERMISSION,
) -> None:
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, actor.institution, actor.account, actor.session, permission, ["Patient"],
        [f"Patient/{patient}"] if patient else [], [resident] if resident is not None else [], "emergency", outcome, actor.address, "", more,
    ))
    await parts.trail.settled()
