"""Finding once a day what stands out in the audit trail, taking residents' questions, and an auditor's review of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.base.jobs import every
from kangyun.base.web.display import CHINA
from kangyun.commons.access.actions.kinship import Kin
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import anomalies as judged
from kangyun.commons.access.decisions.anomalies import Anomaly, Facts, Look, Refused
from kangyun.commons.access.decisions.policy import roles
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.access.queries import anomalies as reads
from kangyun.commons.access.queries import trail
from kangyun.commons.access.queries.anomalies import SEAL_KEY, sql
from kangyun.commons.records import key_of

log = structlog.get_logger()

_MOST_WORDS = 1000
# A city's day is millions of events; no request waits for this.
_PATIENCE = 1800.0


@every("audit.anomalies", at=time(2, 0))
async def find_yesterday(services: Parts, _payload: dict[str, Any]) -> None:
    """The scheduled job: look through the day that has ended, and for reviews that are late."""
    today = clock.now().astimezone(CHINA).date()
    await find(services, today - timedelta(days=1))
    await find_late_reviews(services)


async def find(parts: Parts, day: date) -> int:
    """Keep what stands out on a day in China's time; what was kept before stays as it is. Returns how many are new."""
    first = datetime.combine(day, time(), CHINA)
    last = first + timedelta(days=1)
    people = [name for name, role in roles().items() if role.kind == "staff"]
    async with parts.database.transaction() as connection:
        await connection.execute(sql.patiently)
        rows = await connection.fetch(sql.looks, first, last, *judged.night(), people, timeout=_PATIENCE)
        looks = [Look(**dict(row)) for row in rows]
        refused = [Refused(**dict(row)) for row in await connection.fetch(sql.refusals, first, last, timeout=_PATIENCE)]
        unrelated = await _unrelated(connection, looks, (first, last))
    kin = Kin(parts)
    facts = Facts(unrelated, await kin.colleagues(looks), await kin.family(looks), await kin.marked(judged.marks()))
    found = judged.anomalies(looks, refused, facts)
    async with parts.database.transaction() as connection:
        new = [one for one in found if await _keep(connection, one, day)]
    if new:
        log.info("audit.anomalies", found=len(new))
    return len(new)


async def find_late_reviews(parts: Parts) -> None:
    """Keep the break-glasses that nobody has reviewed in time."""
    async with parts.database.transaction() as connection:
        for row in await connection.fetch(sql.waiting_glasses, clock.now() - judged.review_days()):
            shown = await connection.fetchrow(sql.example, row["resident"], row["starts"] - timedelta(minutes=1))
            lane, seq = (shown["lane"], shown["seq"]) if shown else (0, 0)
            late = Anomaly(judged.GLASS, f"user/{row['account']}", row["role"], row["institution"], row["resident"], 1, lane, seq)
            await _keep(connection, late, row["starts"].astimezone(CHINA).date())


async def _unrelated(connection: Connection, looks: Sequence[Look], span: tuple[datetime, datetime]) -> frozenset[tuple[int, str]]:
    """Pairs of resident and institution that had nothing to do with each other that day."""
    pairs = {(look.resident, look.institution) for look in looks if look.institution and look.care}
    keys = {key_of("Organization", institution): institution for _, institution in pairs}
    numbers = [(resident, key_of("Organization", institution)) for resident, institution in sorted(pairs)]
    rows = await connection.fetch(sql.unrelated, [one for one, _ in numbers], [two for _, two in numbers], *span, timeout=_PATIENCE)
    return frozenset((row["resident"], keys[row["institution"]]) for row in rows)


async def _keep(connection: Connection, one: Anomaly, day: date, words: tuple[str, bytes, str] | None = None) -> bool:
    id_, sealed, asker = words or (uuid4().hex, None, None)
    kept = await connection.fetchval(
        sql.add, id_, one.rule, one.name, one.role, one.institution, day, one.resident, one.count, one.lane, one.seq, sealed, asker,
        clock.now())
    return kept is not None


async def ask(parts: Parts, actor: Actor, event_id: str, words: str, own: Iterable[int]) -> None:
    """A resident asks about a visit; `own` are the keys of the resident's Patients.

    Raises Problem 404 for a visit to somebody else's record, 422 without words.
    """
    words = words.strip()[:_MOST_WORDS]
    if not words:
        raise refuse(422, "required", "access.ask-words")
    async with parts.database.connection() as connection:
        found = await trail.event(connection, parts.keys, event_id)
    if found is None or not set(found.event.residents) & set(own):
        raise refuse(404, "not-found", "base.not-found")
    event, id_ = found.event, uuid4().hex
    asked = Anomaly(judged.QUESTION, event.name, event.role, event.institution or "", event.residents[0], 1, found.lane, found.seq)
    sealed = parts.keys.seal(SEAL_KEY, words.encode(), id_.encode())
    async with parts.database.transaction() as connection:
        await _keep(connection, asked, event.at.astimezone(CHINA).date(), (id_, sealed, actor.account or actor.name))
    await _note(parts, actor, "ask", id_)


async def review(parts: Parts, actor: Actor, id_: str, state: str, remark: str) -> None:
    """Say what an anomaly was: explained or abuse, with a remark that a resident who asked reads as the answer.

    Raises Problem 422 for another state or no remark, 403 for one's own doing, 409 when it was reviewed already.
    """
    remark = remark.strip()[:_MOST_WORDS]
    found = await reads.one(parts.database, id_)
    if found is None or state not in {"explained", "abuse"} or not remark:
        raise refuse(422, "required", "access.review-words")
    if found.name == actor.name and actor.account is not None:
        raise refuse(403, "forbidden", "access.review-own")
    sealed = parts.keys.seal(SEAL_KEY, remark.encode(), id_.encode())
    async with parts.database.connection() as connection:
        done = await connection.fetchval(sql.judge, id_, state, sealed, clock.now(), actor.account or actor.name)
    if done is None:
        raise refuse(409, "conflict", "access.review-done")
    await _note(parts, actor, "review", f"{found.rule} {state} {id_}")


async def _note(parts: Parts, actor: Actor, action: str, more: str) -> None:
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, actor.institution, actor.account, actor.session, "access.audit",
        purpose=actor.purpose, address=actor.address, more=more,
    ))
    await parts.trail.settled()
