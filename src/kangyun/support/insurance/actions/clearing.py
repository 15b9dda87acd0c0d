"""The daily clearing (对账): our books of a day against the insurer's, each difference kept until it is mended or explained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import structlog

from kangyun.base import clock, jobs
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.support.insurance.actions.eligibility import insurer_here, today
from kangyun.support.insurance.actions.parts import Parts
from kangyun.support.insurance.decisions.clearing import Booked, Difference, differences, totals
from kangyun.support.insurance.decisions.messages import figures
from kangyun.support.insurance.gateways.insurer import Refusal, Unanswered
from kangyun.support.insurance.queries import settled_of, sql

log = structlog.get_logger()

_TAKEN_BACK = {"reversing", "reversed", "refused"}
_LOOKED_BACK = 7


async def clear(services: Parts, insurer: str, day: date) -> list[Difference]:
    """Compare a day with an insurer and keep what differs. Raises Problem 503 when the insurer is away."""
    try:
        summed = await services.insurer.ask("totals", uuid4().hex[:30], "", {"stmt_begndate": day.isoformat()})
        told = await services.insurer.ask("details", uuid4().hex[:30], "", {"stmt_begndate": day.isoformat()})
        theirs = [_theirs(one) for one in told["details"]]
    except (Unanswered, Refusal, KeyError, ValueError) as error:
        raise refuse(503, "transient", "insurance.away") from error
    async with services.database.transaction() as connection:
        ours = [_ours(row) for row in await connection.fetch(sql.of_day, insurer, day)]
        found, now = differences(ours, theirs), clock.now()
        for one in found:
            await connection.execute(sql.add_difference, insurer, day, one.settlement, one.kind, _json(one.ours), _json(one.theirs), now)
        await connection.execute(sql.mended, insurer, day, [f"{one.settlement}/{one.kind}" for one in found])
        said = {**totals(theirs), "said": int(summed.get("count", 0))}
        await connection.execute(sql.clearing, insurer, day, now, _json(totals(ours)), _json(said), len(found))
    log.info("insurance.cleared", count=len(ours), found=len(found))
    return found


def _ours(row: asyncpg.Record) -> Booked:
    settled = settled_of(row)
    return Booked(settled.id, "", settled.state not in _TAKEN_BACK, settled.settlement.figures)


def _theirs(said: Mapping[str, Any]) -> Booked:
    return Booked(str(said.get("setl_msgid", "")), str(said["setl_id"]), said["setl_stas"] == "settled", figures(said))


def _json(figures_: Mapping[str, int] | None) -> str | None:
    return None if figures_ is None else orjson.dumps(dict(figures_)).decode()


@jobs.every("insurance.clear", at=time(2, 30))
async def clear_days(services: Parts, payload: dict[str, Any]) -> None:
    """Compare yesterday and the days before it, on which something may have been mended since."""
    del payload
    if not services.insurer.ready:
        return
    own = services.gate.system("insurance.clear")
    for back in range(_LOOKED_BACK, 0, -1):
        day = today() - timedelta(days=back)
        for insurer in await _insurers(services, own, day):
            await clear(services, insurer, day)


async def _insurers(services: Parts, own: Handle, day: date) -> list[str]:
    async with services.database.connection() as connection:
        known = {str(row["insurer"]) for row in await connection.fetch(sql.insurers_of_day, day)}
    try:
        known.add(await insurer_here(own))
    except Problem:
        log.info("insurance.nobody-to-clear")
    return sorted(known)


async def explain(services: Parts, handle: Handle, difference: tuple[str, date, str, str], note: str) -> None:
    """Close a difference that people have looked at, with a note. Raises Problem 422 without a note, 404 when it is not open."""
    if not 0 < len(note.strip()) <= 300:
        raise refuse(422, "required", "insurance.wrong-note")
    async with services.database.connection() as connection:
        if await connection.fetchval(sql.explain_difference, *difference, handle.actor.name, note.strip()) is None:
            raise refuse(404, "not-found", "insurance.no-difference")
