"""Telling the insurer of settlements and reversals until it has answered, and taking its answers, once, late or twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import sm3
from kangyun.base.money import Fen
from kangyun.commons.access import Gate, Transaction, Write
from kangyun.support.insurance.actions.parts import Parts
from kangyun.support.insurance.actions.settling import JUDGE, SEND, cycle, give_back, lock_both
from kangyun.support.insurance.decisions.claims import benefit_of, bill_of, insured_of
from kangyun.support.insurance.decisions.messages import bill_told, figures, same
from kangyun.support.insurance.gateways.insurer import Refusal, Unanswered
from kangyun.support.insurance.model import Settled
from kangyun.support.insurance.queries import by_id, settled_of, sql

log = structlog.get_logger()

_NAME = "insurance"
_STUCK = timedelta(minutes=20)


@jobs.job(SEND)
async def send(services: Parts, payload: dict[str, Any]) -> None:
    """Tell the insurer of a settlement or of its reversal. Without an insurer it waits until there is one."""
    async with services.database.connection() as connection:
        found = await by_id(connection, str(payload["id"]))
    if found is None or not services.insurer.ready:
        return
    if payload.get("back"):
        await _send_back(services, found, known=bool(payload.get("known")))
    elif found.state == "pending":
        await _send(services, found)


async def _send(services: Parts, found: Settled) -> None:
    own = services.gate.system(_NAME)
    claim = await own.read("Claim", found.claim)
    coverage = await own.read("Coverage", str((claim or {})["insurance"][0]["coverage"]["reference"]).removeprefix("Coverage/"))
    if claim is None or coverage is None:
        return
    insured = insured_of(coverage)
    told = bill_told(bill_of(claim, found.on), insured, found.settlement)
    try:
        answer = await services.insurer.ask("settle", found.id, found.place, told, insured.area)
    except Refusal as refusal:
        await refused(services.gate, found.id, refusal.code)
        return
    except Unanswered:
        answer = await _asked_for(services, found)
    await take_answer(services.gate, answer.get("setlinfo", {}), found.id)


async def _asked_for(services: Parts, found: Settled) -> dict[str, Any]:
    """What the insurer has done of a message whose answer did not come. Raises Problem 503 where that is not known either."""
    try:
        return await services.insurer.ask("query", uuid4().hex[:30], found.place, {"setl_msgid": found.id})
    except (Unanswered, Refusal) as error:
        raise refuse(503, "transient", "insurance.away") from error


async def _send_back(services: Parts, found: Settled, *, known: bool) -> None:
    if found.state != "reversing":
        return
    message = sm3(f"{found.id}|reverse".encode()).hex()[:30]
    try:
        if known:
            await services.insurer.ask("cancel", message, found.place, {"setl_msgid": found.id, "psn_no": found.member})
        else:
            # What was sent and never answered is undone whether it has come there, is on its way, or was never heard of.
            await services.insurer.ask("undo", message, found.place, {"omsgid": found.id, "psn_no": found.member})
    except Unanswered as error:
        raise refuse(503, "transient", "insurance.away") from error
    except Refusal as refusal:
        log.warning("insurance.reversal-refused", code=refusal.code)
        raise refuse(409, "business-rule", "insurance.refused") from refusal
    async with services.database.transaction() as connection:
        await _put(connection, found, "reversed")
    log.info("insurance.told-back")


async def _put(connection: Connection, found: Settled, event: str, *, reply: str = "", note: str = "", theirs: Mapping[str, Fen] | None = None) -> str:
    state = cycle().next(found.state, event, "insurer")
    kept = orjson.dumps(dict(theirs)).decode() if theirs is not None else None
    await connection.execute(sql.put_state, found.resident, found.id, state, clock.now(), reply, note, kept)
    return state


async def take_answer(gate: Gate, said: Mapping[str, Any], id_: str = "") -> str:
    """Take what the insurer says of a settlement, as an answer or as a notice; the same again changes nothing. The state after it.

    Raises Problem 404 for one that we do not know, 422 for what cannot be read.
    """
    try:
        id_, theirs = id_ or str(said["setl_msgid"]), figures(said)
    except (KeyError, ValueError) as error:
        raise refuse(422, "invalid", "insurance.wrong-notice") from error
    async with gate.system(_NAME).transaction() as session:
        found = await _held(session, id_)
        if found.state not in {"pending", "differs"} or str(said.get("setl_msgid", id_)) != id_ or said.get("setl_stas") != "settled":
            return found.state
        agrees = same(found.settlement.figures, theirs)
        state = await _put(session.connection, found, "confirm" if agrees else "differ", reply=str(said.get("setl_id", "")), theirs=theirs)
        await session.write(await _answered(session, found, agrees=agrees))
        if agrees:
            await jobs.enqueue(session.connection, JUDGE, {"id": found.id}, key=f"judge/{found.id}")
    log.info("insurance.answered", state=state)
    return state


async def _held(session: Transaction, id_: str) -> Settled:
    found = await by_id(session.connection, id_)
    if found is None:
        raise refuse(404, "not-found", "insurance.no-settlement")
    await lock_both(session.connection, found)
    row = await session.connection.fetchrow(sql.lock_settlement, found.resident, found.id)
    assert row is not None
    return settled_of(row)


async def _answered(session: Transaction, found: Settled, *, agrees: bool) -> list[Write]:
    """The ClaimResponse with its outcome, and once both agree, the ExplanationOfBenefit."""
    kept = await session.fetch_all([("Claim", found.claim), ("ClaimResponse", f"clr-{found.id}")])
    claim, response = kept["Claim", found.claim].resource, dict(kept["ClaimResponse", f"clr-{found.id}"].resource)
    response["outcome"] = "complete" if agrees else "partial"
    writes = [Write("update", "ClaimResponse", response, id=response["id"])]
    if agrees:
        benefit = benefit_of(claim, response, found.settlement.figures)
        writes.append(Write("update", "ExplanationOfBenefit", benefit, id=benefit["id"]))
    return writes


async def refused(gate: Gate, id_: str, code: str) -> None:
    """The insurer does not settle: what was used is given back, and the ClaimResponse says error, on which others react."""
    async with gate.system(_NAME).transaction() as session:
        found = await _held(session, id_)
        if found.state != "pending":
            return
        so_far = await lock_both(session.connection, found)
        await _put(session.connection, found, "refuse", note=code)
        await give_back(session.connection, found, so_far)
        kept = await session.fetch_all([("Claim", found.claim), ("ClaimResponse", f"clr-{found.id}")])
        claim = {**kept["Claim", found.claim].resource, "status": "cancelled"}
        response = {**kept["ClaimResponse", f"clr-{found.id}"].resource, "outcome": "error"}
        await session.write([Write("update", "Claim", claim, id=claim["id"]), Write("update", "ClaimResponse", response, id=response["id"])])
    log.warning("insurance.refused", code=code)


async def ask_again(services: Parts, id_: str) -> str:
    """Ask the insurer what it has of a settlement that is open, or send it again. The state after it."""
    async with services.database.connection() as connection:
        found = await by_id(connection, id_)
    if found is None:
        raise refuse(404, "not-found", "insurance.no-settlement")
    if found.state == "differs":
        return await take_answer(services.gate, (await _asked_for(services, found)).get("setlinfo", {}), id_)
    await send(services, {"id": id_, "back": found.state == "reversing"})
    async with services.database.connection() as connection:
        again = await by_id(connection, id_)
    return again.state if again else ""


@jobs.every("insurance.resend", seconds=600)
async def resend(services: Parts, payload: dict[str, Any]) -> None:
    """Take up what has waited for the insurer for long, after its jobs have given up or before there was an insurer."""
    del payload
    if not services.insurer.ready:
        return
    async with services.database.connection() as connection:
        rows = await connection.fetch(sql.stuck, clock.now() - _STUCK)
    for row in rows:
        try:
            await send(services, {"id": row["id"], "back": row["state"] == "reversing"})
        except Problem:
            log.info("insurance.still-away")
            return
