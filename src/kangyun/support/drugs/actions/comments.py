"""Prescription comment (处方点评): drawing a sample that anybody can draw again, and saying what is wrong with each."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.drugs.decisions.comments import codes, size_of
from kangyun.support.drugs.queries.comments import one_drawn, sample, sql

COMMENT = "drugs.comment"
KINDS = ("outpatient", "inpatient")
_LONGEST = 366
_LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """Which prescriptions are drawn: signed from a day to another one, both within; `kind`: outpatient or inpatient."""

    starts: date
    ends: date
    kind: str = "outpatient"


async def draw(handle: Handle, wish: Wish, seed: str = "") -> str:
    """Draw a sample of the own institution's prescriptions; returns its id.

    Raises Problem: 403 without an institution, 422 for days that are no period, 404 when there is nothing to draw from.
    """
    own, institution = _own(handle)
    if wish.kind not in KINDS or not wish.starts <= wish.ends or (wish.ends - wish.starts).days >= _LONGEST:
        raise refuse(422, "value", "drugs.wrong-period")
    id_, seed = secrets.token_hex(8), seed or secrets.token_hex(8)

    async def beside(session: Transaction) -> Sequence[Write]:
        span = _midnight(wish.starts), _midnight(wish.ends + timedelta(days=1))
        rows = await session.connection.fetch(sql.among, institution, *span, wish.kind == "inpatient", seed)
        if not rows:
            raise refuse(404, "not-found", "drugs.nothing-to-draw")
        chosen = rows[: size_of(len(rows), wish.kind)]
        await session.connection.execute(
            sql.put_sample, id_, institution, wish.starts, wish.ends, wish.kind, seed, len(rows), len(chosen), clock.now(), handle.actor.name)
        await session.connection.execute(
            sql.put_drawn, id_, [row["resident"] for row in chosen], [row["number"] for row in chosen], [row["practitioner"] for row in chosen])
        return []

    await own.commit([], beside=beside)
    return id_


def _own(handle: Handle) -> tuple[Handle, str]:
    own = handle.acting(COMMENT, COMMENT, writes="Task")
    if not handle.actor.institution:
        raise refuse(403, "forbidden", "drugs.no-institution")
    return own, handle.actor.institution


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)


async def comment(handle: Handle, sample_id: str, number: str, problems: Sequence[str], note: str) -> None:
    """Say what is wrong with a drawn prescription; nothing at all means that it is reasonable.

    Raises Problem: 404 for what is not drawn or another institution's, 403 for one's own prescription, 422 for a code that is none.
    """
    own, institution = _own(handle)
    if unknown := [code for code in problems if code not in codes()]:
        raise refuse(422, "value", "drugs.wrong-problem", problem=unknown[0][:20])

    async def beside(session: Transaction) -> Sequence[Write]:
        await sample(session.connection, sample_id, institution)
        found = await one_drawn(session.connection, sample_id, number)
        if handle.actor.practitioner and found.practitioner == handle.actor.practitioner:
            raise refuse(403, "forbidden", "drugs.own-comment")
        said = sorted(set(problems))
        await session.connection.execute(sql.say, found.resident, sample_id, number, said, note.strip()[:_LONGEST_NOTE], handle.actor.name, clock.now())
        return []

    await own.commit([], beside=beside)
