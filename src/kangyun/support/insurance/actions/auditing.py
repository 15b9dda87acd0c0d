"""The audit after a settlement, and what becomes of its findings: accepted, appealed against, decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import structlog

from kangyun.base import clock, jobs, lifecycles, rules
from kangyun.base.errors import refuse
from kangyun.base.keys import sm3
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population import identities
from kangyun.support.insurance.actions.estimating import audited
from kangyun.support.insurance.actions.parts import Parts, working
from kangyun.support.insurance.actions.settling import JUDGE
from kangyun.support.insurance.decisions.claims import appeal_task, bill_of, decided_task, insured_of
from kangyun.support.insurance.decisions.policies import PACKAGE
from kangyun.support.insurance.model import Bill, Finding, Settled
from kangyun.support.insurance.queries import by_id, sql

log = structlog.get_logger()

_LONGEST = 1000
APPEAL = "insurance.appeal"
AUDIT = "insurance.audit"


def cycle() -> lifecycles.Lifecycle:
    """The states of a finding."""
    return lifecycles.load(PACKAGE, "lifecycle_finding.yaml")


@jobs.job(JUDGE)
async def judge(services: Parts, payload: dict[str, Any]) -> None:
    """Look at a settlement that the insurer has confirmed, with everything else of the person; keep what the rules find."""
    own = services.gate.system("insurance.judge")
    async with services.database.connection() as connection:
        found = await by_id(connection, str(payload["id"]))
    claim = await own.read("Claim", found.claim) if found else None
    coverage = await own.read("Coverage", str(claim["insurance"][0]["coverage"]["reference"]).removeprefix("Coverage/")) if claim else None
    if found is None or claim is None or coverage is None or claim["status"] != "active":
        return
    bill = bill_of(claim, found.on)
    patients = await identities(own, bill.patient)
    told = [one for one in await audited(own, bill, insured_of(coverage), patients, "post", without=found.claim) if not _already_paid(bill, one)]
    async with services.database.transaction() as connection:
        for one in told:
            await connection.fetchval(sql.add_finding, *_row(found, bill, one))
    log.info("insurance.judged", found=len(told))


def _already_paid(bill: Bill, finding: Finding) -> bool:
    """Whether what a limit found was paid by the person from the beginning."""
    return finding.effect == "self_pay" and all(bill.lines[number - 1].kind == "C" for number in finding.lines)


def _row(found: Settled, bill: Bill, finding: Finding) -> tuple[Any, ...]:
    amount = sum(bill.lines[number - 1].amount for number in finding.lines) if finding.lines else bill.total
    id_ = sm3(f"{found.id}|{finding.rule}".encode()).hex()[:32]
    return (
        found.resident, id_, found.id, finding.rule, finding.number, finding.result, "post", cycle().next("", "find", "platform"),
        list(finding.lines), amount, orjson.dumps(dict(finding.facts)).decode(), found.patient, found.insurer, found.place, bill.doctor, clock.now())


async def accept(handle: Handle, id_: str) -> None:
    """The institution agrees with a finding. Raises Problem 404 for another institution's, 409 when it is too late."""
    own = working(handle, "insurance.accept", APPEAL)
    async with own.transaction() as session:
        row = await _mine(session, handle, id_, "place")
        await _put(session, row, cycle().next(row["state"], "accept", "institution"))


async def appeal(handle: Handle, id_: str, reason: str) -> None:
    """The institution objects to a finding: a Task for the insurer. Raises Problem 422 without a reason, 404, 409."""
    reason = _checked(reason)
    own = working(handle, "insurance.appeal", APPEAL)
    async with own.transaction() as session:
        row = await _mine(session, handle, id_, "place")
        state = cycle().next(row["state"], "appeal", "institution")
        task = appeal_task(dict(row), reason, clock.now().isoformat(timespec="seconds"), handle.actor.practitioner or "")
        await session.write([Write("update", "Task", task, id=task["id"])])
        await _put(session, row, state, task["id"])
    log.info("insurance.appealed")


async def decide(handle: Handle, id_: str, event: str, reason: str) -> None:
    """The insurer upholds a finding or withdraws it, with a reason. Raises Problem 422, 404 for another insurer's, 409."""
    reason = _checked(reason)
    own = working(handle, "insurance.decide", AUDIT)
    async with own.transaction() as session:
        row = await _mine(session, handle, id_, "insurer")
        state = cycle().next(row["state"], event, "insurer")
        if row["task"]:
            kept = (await session.fetch_all([("Task", row["task"])]))["Task", row["task"]].resource
            await session.write([Write("update", "Task", decided_task(kept, state, reason, clock.now().isoformat(timespec="seconds")), id=row["task"])])
        await _put(session, row, state)
    log.info("insurance.decided", state=state)


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not 0 < len(reason) <= _LONGEST:
        raise refuse(422, "required", "insurance.wrong-reason")
    return reason


async def _mine(session: Transaction, handle: Handle, id_: str, side: str) -> asyncpg.Record:
    """The finding, locked, if it concerns the caller's institution; hidden and absent look the same."""
    row = await session.connection.fetchrow(sql.finding, id_)
    if row is None or (handle.actor.institution != row[side] and not handle.may("insurance.any-place")):
        raise refuse(404, "not-found", "insurance.no-finding")
    held = await session.connection.fetchrow(sql.lock_finding, row["resident"], id_)
    assert held is not None
    return held


async def _put(session: Transaction, row: asyncpg.Record, state: str, task: str = "") -> None:
    await session.connection.execute(sql.put_finding, row["resident"], row["id"], state, clock.now(), task)


@jobs.every("insurance.lapse", seconds=86_400)
async def lapse(services: Parts, payload: dict[str, Any]) -> None:
    """Whoever has said nothing within the days of an appeal has accepted."""
    del payload
    days = int(rules.load(PACKAGE, "lifecycle_finding.yaml").body["appeal_days"])
    async with services.database.transaction() as connection:
        # The days are working days; a week has five.
        rows = await connection.fetch(sql.lapsed, clock.now() - timedelta(days=days * 7 / 5))
        for row in rows:
            await connection.execute(sql.put_finding, row["resident"], row["id"], cycle().next("open", "lapse", "platform"), clock.now(), "")
