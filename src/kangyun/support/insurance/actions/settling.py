"""The settlement: exactly once, with the year's accumulators locked; and its reversal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
import structlog

from kangyun.base import clock, jobs, lifecycles
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.base.money import Fen
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population import identities
from kangyun.support.insurance.actions.estimating import counted
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.claims import claim_of, response_of
from kangyun.support.insurance.decisions.policies import PACKAGE, policy, year_of
from kangyun.support.insurance.decisions.settlement import settle as worked
from kangyun.support.insurance.model import Bill, Estimate, Insured, Settled, Settlement, SoFar
from kangyun.support.insurance.queries import by_id, by_key, insured_among, insured_of_patient, settled_of, sql

log = structlog.get_logger()

SEND = "insurance.send"
JUDGE = "insurance.judge"
_LONGEST_KEY = 128


def cycle() -> lifecycles.Lifecycle:
    """The states of a settlement."""
    return lifecycles.load(PACKAGE, "lifecycle_settlement.yaml")


async def settle(handle: Handle, bill: Bill, *, key: str, cash: Fen | None = None) -> Settled:
    """Settle a bill; the same key again is the same settlement. The caller judges for whom, and has the cash or will get it.

    cash: what the resident was told to pay; when it is not what it comes to now, nothing is settled (Problem 409
    insurance.changed), so that nobody pays another figure than the one shown. Claim and ClaimResponse (outcome queued)
    are kept at once; the insurer is told by a job and confirms later. Raises Problem 409 when nobody insures the person.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise refuse(422, "required", "insurance.no-key")
    own = working(handle, "insurance.settle")
    patients = await identities(own, bill.patient)
    insured = await insured_among(own, patients)
    if insured is None:
        raise refuse(409, "business-rule", "insurance.not-insured")
    done = await _done(own, insured, key)
    if done is not None:
        return done
    told = await counted(own, bill, patients, insured, stage="in")
    if told.insured is None:
        raise refuse(409, "business-rule", "insurance.not-insured")
    async with own.transaction() as session:
        made = await _settle(session, told, key, cash)
    log.info("insurance.settled", state=made.state)
    return made


async def _done(own: Handle, insured: Insured, key: str) -> Settled | None:
    async with own.connection() as connection:
        return await by_key(connection, insured.resident, key)


async def _settle(session: Transaction, told: Estimate, key: str, cash: Fen | None) -> Settled:
    bill, insured = told.bill, told.insured
    assert insured is not None
    connection, year = session.connection, year_of(bill.on)
    so_far = await locked(connection, insured, year)
    # Whoever had the key first has committed before this lock was ours.
    done = await by_key(connection, insured.resident, key)
    if done is not None:
        return done
    settlement = worked(bill, insured, so_far, policy(insured.area, bill.on))
    if cash is not None and settlement.cash != cash:
        raise refuse(409, "conflict", "insurance.changed")
    made = Settled(uuid4().hex[:30], cycle().next("", "settle", "platform"), "", settlement, bill.on, bill.patient, insured.member, bill.place,
                   insured.insurer, insured.resident, year, bill.scene)
    await connection.execute(sql.put_year, insured.resident, insured.member, year, *so_far.plus(settlement.change))
    await connection.execute(sql.add_settlement, *_row(made, key))
    claim = claim_of(bill, insured, made.id, clock.now().isoformat(timespec="seconds"))
    response = response_of(claim, settlement, "queued")
    await session.write([Write("update", "Claim", claim, id=claim["id"]), Write("update", "ClaimResponse", response, id=response["id"])])
    await jobs.enqueue(connection, SEND, {"id": made.id}, key=f"settle/{made.id}")
    row = await connection.fetchrow(sql.by_id, made.id)
    assert row is not None
    return settled_of(row)


async def locked(connection: Connection, insured: Insured, year: int) -> SoFar:
    """What was used in a year; the row is the caller's until his transaction ends, so that no two settle at once."""
    whose = (insured.resident, insured.member, year)
    await connection.execute(sql.open_year, *whose, insured.insurer)
    row = await connection.fetchrow(sql.lock_year, *whose)
    assert row is not None
    return SoFar(*row)


def _row(made: Settled, key: str) -> tuple[Any, ...]:
    done: Settlement = made.settlement
    return (
        made.resident, made.id, key, made.state, made.member, made.year, made.patient, made.insurer, made.place, made.scene, made.on, clock.now(),
        done.total, done.fund, done.serious, done.supplement, done.aid, done.account, done.cash, orjson.dumps(done.figures).decode(),
        orjson.dumps(done.change._asdict()).decode())


async def reverse(handle: Handle, settlement_id: str, *, key: str = "", reason: str = "") -> Settled:
    """Take a settlement back, whole; what was used is given back, and the insurer is told by a job. Again is the same.

    key: for the callers' own order; a settlement can be reversed once only, whatever the key. reason: a code for the log.
    Raises Problem 404 when there is none, 409 in a state from which there is no way back.
    """
    del key
    own = working(handle, "insurance.reverse")
    async with own.connection() as connection:
        found = await by_id(connection, settlement_id)
    if found is None:
        raise refuse(404, "not-found", "insurance.no-settlement")
    async with own.transaction() as session:
        made = await _reverse(session, found, reason)
    log.info("insurance.reversed", state=made.state)
    return made


async def _reverse(session: Transaction, found: Settled, reason: str) -> Settled:
    connection = session.connection
    so_far = await lock_both(connection, found)
    row = await connection.fetchrow(sql.lock_settlement, found.resident, found.id)
    assert row is not None
    found = settled_of(row)
    if found.state in {"reversing", "reversed", "refused"}:
        return found
    state = cycle().next(found.state, "reverse", "platform")
    await give_back(connection, found, so_far)
    await connection.execute(sql.put_state, found.resident, found.id, state, clock.now(), "", reason[:40], None)
    await jobs.enqueue(connection, SEND, {"id": found.id, "back": True, "known": found.state == "confirmed"}, key=f"reverse/{found.id}")
    await session.write(await cancelled(session, found))
    again = await by_id(connection, found.id)
    assert again is not None
    return again


async def lock_both(connection: Connection, found: Settled) -> SoFar:
    """Lock the year of a settlement before the settlement itself, as every writer does, so that nobody waits for ever."""
    row = await connection.fetchrow(sql.lock_year, found.resident, found.member, found.year)
    assert row is not None
    return SoFar(*row)


async def give_back(connection: Connection, found: Settled, so_far: SoFar) -> None:
    """Take out of the year what the settlement has put in."""
    await connection.execute(sql.put_year, found.resident, found.member, found.year, *so_far.minus(found.settlement.change))


async def cancelled(session: Transaction, found: Settled) -> list[Write]:
    """The resources of a settlement, cancelled."""
    names = [("Claim", found.claim), ("ClaimResponse", f"clr-{found.id}"), ("ExplanationOfBenefit", f"eob-{found.id}")]
    kept = await session.fetch_all(names)
    return [Write("update", type_, _ended(one.resource), id=id_) for (type_, id_), one in kept.items() if not one.deleted]


def _ended(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {**resource, "status": "cancelled"}


async def settlement_of(handle: Handle, patient: str, key: str) -> Settled | None:
    """The settlement that a key has made for the person of a Patient; None when there is none."""
    own = working(handle, "insurance.read")
    insured = await insured_of_patient(own, patient)
    return await _done(own, insured, key) if insured else None


async def settlement(handle: Handle, id_: str) -> Settled | None:
    """The settlement of an id that the caller has kept; None when there is none."""
    async with working(handle, "insurance.read").connection() as connection:
        return await by_id(connection, id_)
