"""The pharmacists' pool: one for the whole city, the most urgent first; nobody judges what he has prescribed himself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.access import Content, Handle, Transaction, Write, sign, verdicts
from kangyun.support.drugs.actions.prescriptions import ended_tasks, told
from kangyun.support.drugs.actions.steps import (
    Judge,
    Move,
    Work,
    advance,
    anybody,
    applied,
    line_writes,
    lines,
    not_expired,
    platform,
)
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model import Finding, Prescription
from kangyun.support.drugs.model.circulation import REVIEW_SYSTEM, Held
from kangyun.support.drugs.model.orders import prescription_of
from kangyun.support.drugs.queries.facts import reviewed
from kangyun.support.drugs.queries.prescriptions import held, sql, unknown

REVIEW = "drugs.review"
_SEVERITY = {"stop": "high", "confirm": "moderate", "advise": "low"}
_SHORTEST_REASON = 2
# As the statement `pool` of prescriptions.sql has it.
_POOL = {"signed", "claimed", "confirming"}


def _pooled(me: str) -> Judge:
    """Only what waits in the pool, or what the pharmacist has judged: of all others not even that they are there is told."""
    def judge(found: Held) -> None:
        if found.state not in _POOL and found.reviewer != me:
            raise unknown()
        if found.practitioner == me:
            raise refuse(403, "forbidden", "drugs.own-review")

    return judge


def _mine(me: str) -> Judge:
    own = _pooled(me)

    def judge(found: Held) -> None:
        own(found)
        if found.state == "claimed" and (found.reviewer != me or not found.claimed_until or found.claimed_until < clock.now()):
            raise refuse(409, "conflict", "drugs.not-claimed")

    return judge


def _pharmacist(handle: Handle) -> str:
    if not handle.actor.practitioner:
        raise refuse(403, "forbidden", "drugs.no-pharmacist")
    return handle.actor.practitioner


async def claim(handle: Handle, number: str) -> Held:
    """Take a prescription out of the pool.

    Raises Problem: 403 for one's own prescription or without a Practitioner, 404, 409 when another pharmacist has it.
    """
    own, me = platform(handle, REVIEW, "Task"), _pharmacist(handle)
    return await advance(own, handle.actor, number, Move("claim", "pharmacist", _pooled(me), _claiming(me)))


async def claim_next(handle: Handle) -> Held | None:
    """Take the most urgent prescription that nobody has; None when nothing waits. Two who ask at once get two."""
    own, me = platform(handle, REVIEW, "Task"), _pharmacist(handle)
    done: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        row = await session.connection.fetchrow(sql.next_in_pool, clock.now(), me)
        if row is None:
            return []
        after, writes = await applied(session, Held(**dict(row)), Move("claim", "pharmacist", _pooled(me), _claiming(me)), handle.actor)
        done.append(after)
        return writes

    await own.commit([], beside=beside)
    return next(iter(done), None)


def _claiming(me: str) -> Work:
    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        now = clock.now()
        if found.claimed_until and found.claimed_until >= now and found.reviewer != me:
            raise refuse(409, "conflict", "drugs.claimed")
        not_expired(found)
        after = replace(found, reviewer=me, claimed_until=now + timedelta(minutes=circulation.minutes("claim")))
        return after, [await _task(session, found, status="in-progress", owner={"reference": f"Practitioner/{me}"})]

    return work


async def _task(session: Transaction, found: Held, **changes: Any) -> Write:
    stored = await session.fetch("Task", found.task)
    assert stored is not None
    kept = {**stored.resource, **changes}
    return Write("update", "Task", {name: value for name, value in kept.items() if value is not None}, found.task, if_match=stored.version)


async def release(handle: Handle, number: str) -> Held:
    """Give a claimed prescription back to the pool."""
    own, me = platform(handle, REVIEW, "Task"), _pharmacist(handle)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        after = replace(found, reviewer="" if not found.asked else found.reviewer, claimed_until=None)
        return after, [await _task(session, found, status="requested", owner=None)]

    return await advance(own, handle.actor, number, Move("release", "pharmacist", _mine(me), work))


async def pass_(handle: Handle, number: str, reason: str = "") -> Held:
    """Pass a claimed prescription and sign that; only then anything may be dispensed.

    Raises Problem: 403 for one's own, 409 when it is not claimed by the caller, when the doctor's signature does not hold, or
    when findings ask for the doctor's second signature and there is none; 422 when findings stop it and no reason is given.
    """
    own, me = platform(handle, REVIEW, "Task"), _pharmacist(handle)
    findings = await findings_of(own, number)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        not_expired(found)
        resources = await lines(session, found)
        confirmed = await _signed_by_doctor(session.connection, found)
        _judge_findings(findings, prescription_of(resources), reason, confirmed=confirmed)
        writes = await _concluded(session, handle, found, ("pass", reason), findings)
        return replace(found, claimed_until=None), [*writes, await told(session, found, "passed")]

    return await advance(own, handle.actor, number, Move("pass", "pharmacist", _mine(me), work))


async def findings_of(own: Handle, number: str) -> list[Finding]:
    """What the rules find in a prescription now. Raises Problem 404."""
    async with own.connection() as connection:
        found = await held(connection, number)
    resources = [one for id_ in found.line_ids if (one := await own.read("MedicationRequest", id_))]
    return await reviewed(own, found, prescription_of(resources))


def _judge_findings(findings: Sequence[Finding], said: Prescription, reason: str, *, confirmed: bool) -> None:
    """The rules advise and people decide: what they stop is passed with both signatures and a reason, or not at all."""
    grave = [one for one in findings if one.level in {"stop", "confirm"}]
    open_ = [one for one in grave if not (confirmed or (one.lines and all(said.lines[line].confirmed for line in one.lines)))]
    if open_:
        raise refuse(409, "business-rule", "drugs.needs-confirmation", count=str(len(open_)))
    if any(one.level == "stop" for one in grave) and len(reason.strip()) < _SHORTEST_REASON:
        raise refuse(422, "required", "drugs.no-reason", "Parameters.parameter")


async def _signed_by_doctor(connection: Connection, found: Held) -> bool:
    """Whether the doctor has signed a second time. Raises Problem 409 when the first signature does not hold for every line."""
    twice = True
    for id_ in found.line_ids:
        said = await verdicts(connection, "MedicationRequest", id_)
        own = [one for one in said if one.practitioner == found.practitioner]
        if not any(one.purpose == "author" and one.holds for one in own):
            raise refuse(409, "security", "drugs.signature-broken")
        twice = twice and any(one.purpose == "coauthor" and one.holds for one in own)
    return twice


async def _concluded(
    session: Transaction, handle: Handle, found: Held, said: tuple[str, str], findings: Sequence[Finding]
) -> list[Write]:
    """The Task with its result, the findings, and the pharmacist's signature over the lines and the Task."""
    event, reason = said
    status = {"pass": "completed", "return": "rejected", "refuse": "failed", "ask": "on-hold"}[event]
    stored = await session.fetch("Task", found.task)
    assert stored is not None
    note = {"authorReference": {"reference": f"Practitioner/{handle.actor.practitioner}"}, "time": clock.instant(clock.now()), "text": reason.strip()[:1000]}
    task = {
        **stored.resource, "status": status, "businessStatus": {"coding": [{"system": REVIEW_SYSTEM, "code": event}]},
        **({"note": [*stored.resource.get("note", ()), note]} if reason.strip() else {})}
    contents = [*(Content(one, int(one["meta"]["versionId"])) for one in await lines(session, found)), Content(task, stored.version + 1)]
    issues = [_issue(found, place, one, handle.actor.practitioner or "") for place, one in enumerate(findings)]
    return [
        Write("update", "Task", task, found.task, if_match=stored.version), await sign(session.connection, handle.actor, contents, "reviewer"),
        *(Write("update", "DetectedIssue", one, one["id"]) for one in issues)]


def _issue(found: Held, place: int, finding: Finding, author: str) -> dict[str, Any]:
    implicated = [{"reference": f"MedicationRequest/{found.line_ids[line]}"} for line in finding.lines if line < found.lines]
    return {
        "resourceType": "DetectedIssue", "id": f"{found.number}-finding-{place + 1}", "status": "final",
        "code": {"coding": [{"system": REVIEW_SYSTEM, "code": finding.kind}], "text": finding.text["zh"]}, "severity": _SEVERITY[finding.level],
        "patient": {"reference": f"Patient/{found.patient}"}, "identifiedDateTime": clock.instant(clock.now()),
        "author": {"reference": f"Practitioner/{author}"}, "detail": finding.text["zh"],
        **({"implicated": implicated} if implicated else {}),
    }


async def ask(handle: Handle, number: str, reason: str) -> Held:
    """Ask the doctor for a second signature with a reason."""
    return await _back(handle, number, "ask", reason)


async def return_(handle: Handle, number: str, reason: str) -> Held:
    """Return a prescription to the doctor, who writes another one or confirms it."""
    return await _back(handle, number, "return", reason)


async def refuse_(handle: Handle, number: str, reason: str) -> Held:
    """Refuse to dispense and report: a grave misuse or a mistake (处方管理办法 第40条)."""
    return await _back(handle, number, "refuse", reason)


async def _back(handle: Handle, number: str, event: str, reason: str) -> Held:
    """Raises Problem: 422 without a reason, and as `pass_`."""
    own, me = platform(handle, REVIEW, "Task"), _pharmacist(handle)
    if len(reason.strip()) < _SHORTEST_REASON:
        raise refuse(422, "required", "drugs.no-reason", "Parameters.parameter")
    findings = await findings_of(own, number)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        writes = await _concluded(session, handle, found, (event, reason), findings)
        if event == "refuse":
            writes += line_writes(await lines(session, found), status="stopped")
        if event == "return":
            writes.append(await told(session, found, "returned"))
        return replace(found, claimed_until=None, asked=found.asked or event == "ask"), writes

    return await advance(own, handle.actor, number, Move(event, "pharmacist", _mine(me), work))


async def expire(own: Handle, number: str) -> Held:
    """End a prescription whose validity is over; `own` is the platform's handle."""
    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        if found.valid_until >= clock.now():
            raise refuse(409, "conflict", "drugs.not-now.passed")
        return found, [*line_writes(await lines(session, found), status="stopped"), *await ended_tasks(session, found), await told(session, found, "expired")]

    return await advance(own, own.actor, number, Move("expire", "system", anybody, work))
