"""A doctor prescribes, signs, confirms a second time, cancels; for one's own patients only, within one's own rights."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Content, Handle, Transaction, Write, key_of, sign, tell
from kangyun.support.drugs.actions.steps import (
    Move,
    advance,
    begin,
    keep,
    line_writes,
    lines,
    platform,
    prescriber_only,
)
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model import Drug, Finding, Line, Prescription
from kangyun.support.drugs.model.circulation import REVIEW_SYSTEM, Draft, Held
from kangyun.support.drugs.model.orders import Sheet, prescription_of, requests
from kangyun.support.drugs.queries.facts import reviewed
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.prescribers import prescriber, today
from kangyun.support.drugs.queries.prescriptions import content_of, held, sql, unknown

PRESCRIBE = "drugs.prescribe"
_OPEN = {"arrived", "triaged", "in-progress", "onleave"}
_MOST_LINES = 50
# Two characters are a reason in Chinese.
_SHORTEST_REASON = 2


async def prescribe(handle: Handle, draft: Draft, *, signing: bool = False) -> Held:
    """Keep a new prescription, as a draft or signed at once.

    Raises Problem: 403 when the caller may not prescribe here or is not the one who treats, 404 for a visit that the caller
    does not see, 409 for one that is over, 422 for what cannot be right, with the place of the line.
    """
    own = platform(handle, PRESCRIBE)
    actor = handle.actor
    if not actor.practitioner or not actor.institution:
        raise refuse(403, "forbidden", "drugs.no-prescriber")
    await _treats(handle, draft)
    said, drugs = await _complete(own, draft, actor.practitioner, actor.institution)
    fresh = _row(draft, said, drugs, actor.practitioner, actor.institution)
    findings = await reviewed(own, fresh, said) if signing else []
    _allowed(findings)
    made: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        await begin(session.connection, fresh, actor)
        await session.connection.executemany(sql.put_amount, [
            (fresh.resident, fresh.number, place, line.code, circulation.smallest(line, drugs[line.code])) for place, line in enumerate(said.lines)])
        more = await _replaced(session, handle, draft)
        resources = requests(_sheet(fresh, draft), said, "active" if signing else "draft")
        writes = [Write("update", "MedicationRequest", one, one["id"], if_match=0) for one in resources]
        if signing:
            after, signed = await _signed(session, handle, fresh, [Content(one) for one in resources], confirmed=_is_confirmed(said))
            made.append(await keep(session.connection, after, "sign", actor))
            return [*more, *writes, *signed]
        made.append(fresh)
        return [*more, *writes]

    await own.commit([], beside=beside)
    return made[-1]


async def _treats(handle: Handle, draft: Draft) -> None:
    """The visit is the caller's own, open, and of the patient whom the prescription is for."""
    visit = await handle.read("Encounter", draft.encounter)
    if visit is None or visit.get("subject", {}).get("reference") != f"Patient/{draft.patient}":
        raise refuse(404, "not-found", "drugs.no-encounter", "MedicationRequest.encounter")
    if visit.get("serviceProvider", {}).get("reference") != f"Organization/{handle.actor.institution}":
        raise refuse(403, "forbidden", "drugs.not-treating")
    who = [str(one.get("individual", {}).get("reference", "")) for one in visit.get("participant", ())]
    doctors = [one for one in who if one.startswith("Practitioner/")]
    if doctors and f"Practitioner/{handle.actor.practitioner}" not in doctors:
        raise refuse(403, "forbidden", "drugs.not-treating")
    if visit.get("status") not in _OPEN:
        raise refuse(409, "conflict", "drugs.encounter-over")


async def _complete(own: Handle, draft: Draft, practitioner: str, institution: str) -> tuple[Prescription, Mapping[str, Drug]]:
    """The prescription with names, day and sheet, and its drugs. Raises Problem 403 or 422."""
    said = draft.prescription
    who = await prescriber(own, practitioner, institution, today())
    if not who.registered:
        raise refuse(403, "forbidden", "drugs.not-registered")
    if "prescribe" not in who.rights:
        raise refuse(403, "forbidden", "drugs.no-right")
    drugs = await drugs_of(own, [line.code for line in said.lines])
    faults = _faults(said, drugs)
    if faults:
        raise Problem(422, *faults)
    named = tuple(replace(line, name=line.name or drugs[line.code].zh) for line in said.lines)
    child = await _is_child(own, draft.patient)
    sheet = circulation.sheet_for(said, [drugs[line.code] for line in said.lines], child=child)
    return replace(said, lines=named, on=today(), sheet=sheet), drugs


def _faults(said: Prescription, drugs: Mapping[str, Drug]) -> list[Issue]:
    found: list[Issue] = []
    if not said.lines or len(said.lines) > _MOST_LINES:
        found.append(Issue("required", "drugs.no-lines", {}, "MedicationRequest"))
    if not said.diagnoses:
        found.append(Issue("required", "drugs.no-diagnosis", {}, "MedicationRequest.reasonCode"))
    for place, line in enumerate(said.lines):
        found += [
            Issue("value", f"drugs.wrong-{field}", {"line": str(place + 1)}, f"MedicationRequest[{place}].{path}")
            for field, path, wrong in _judged(line, drugs) if wrong
        ]
    if said.long_term and any(line.days > 7 * circulation.most_weeks() for line in said.lines):
        found.append(Issue("value", "drugs.too-long", {"weeks": str(circulation.most_weeks())}, "MedicationRequest.dispenseRequest.expectedSupplyDuration"))
    return found


def _judged(line: Line, drugs: Mapping[str, Drug]) -> list[tuple[str, str, bool]]:
    drug = drugs.get(line.code)
    units = {drug.unit, drug.package} if drug else {line.quantity_unit}
    return [
        ("drug", "medicationCodeableConcept", drug is None),
        ("dose", "dosageInstruction.doseAndRate.doseQuantity", not 0 < line.dose < 1e9),
        ("quantity", "dispenseRequest.quantity", not 0 < line.quantity < 1e6),
        ("unit", "dispenseRequest.quantity.unit", line.quantity_unit not in units),
        ("days", "dispenseRequest.expectedSupplyDuration", not 0 < line.days <= 366),
        ("frequency", "dosageInstruction.timing", not line.frequency),
    ]


async def _is_child(own: Handle, patient: str) -> bool:
    found = await own.read("Patient", patient)
    if found is None:
        raise unknown()
    born = str(found.get("birthDate", ""))[:10]
    day = today()
    return len(born) == len("2020-01-01") and born > day.replace(year=day.year - 14, day=min(day.day, 28)).isoformat()


def _row(draft: Draft, said: Prescription, drugs: Mapping[str, Drug], practitioner: str, institution: str) -> Held:
    used = [drugs[line.code] for line in said.lines]
    return Held(
        resident=key_of("Patient", draft.patient), number=new_number(said.on), patient=draft.patient, encounter=draft.encounter,
        institution=institution, practitioner=practitioner, kind=said.kind, sheet=said.sheet, setting=said.setting,
        control=circulation.strictest(used), lines=len(said.lines), state="draft", version=1, made=clock.now(), signed=None,
        valid_until=ends(circulation.valid_until(said.setting, said.valid_days, said.on)), review_due=None, claimed_until=None, reviewer="",
        asked=False, way="", pharmacy="", courier="", address="", lock_until=None, lock_key="", paid=None, code_salt=0, code_tries=0,
        cold=storage if circulation.is_logged(storage := circulation.storage_of(used)) else "", keep_until=None)


def new_number(on: date) -> str:
    """A number that nobody guesses, with the day in front: 20 digits, no letter to be mistaken."""
    return f"{on:%Y%m%d}{secrets.randbelow(10**12):012d}"


def ends(day: date) -> datetime:
    """The last moment of a day in China."""
    return datetime.combine(day + timedelta(days=1), time(), CHINA) - timedelta(seconds=1)


def _sheet(fresh: Held, draft: Draft) -> Sheet:
    return Sheet(
        fresh.number, fresh.patient, fresh.encounter, fresh.practitioner, fresh.institution, fresh.made.astimezone(CHINA).isoformat(timespec="seconds"),
        fresh.made.astimezone(CHINA).isoformat(timespec="seconds"), fresh.valid_until.isoformat(timespec="seconds"), draft.replaces)


async def _replaced(session: Transaction, handle: Handle, draft: Draft) -> list[Write]:
    """A new prescription takes the place of a returned one of the same doctor."""
    if not draft.replaces:
        return []
    old = await held(session.connection, draft.replaces, lock=True)
    prescriber_only(handle.actor)(old)
    if old.state != "returned" or old.patient != draft.patient:
        raise refuse(409, "conflict", "drugs.not-returned")
    await keep(session.connection, replace(old, state="replaced", version=old.version + 1), "replace", handle.actor)
    return line_writes(await lines(session, old), status="cancelled")


def _allowed(findings: Sequence[Finding]) -> None:
    """What the law closes is not signed: a missing right, a class that is not prescribed on line."""
    against = [one for one in findings if one.group == "legality" and one.level == "stop"]
    if against:
        raise Problem(422, *(
            Issue("business-rule", "drugs.not-legal", {"zh": one.text["zh"], "en": one.text["en"]}, f"MedicationRequest[{next(iter(one.lines), 0)}]")
            for one in against))


def _is_confirmed(said: Prescription) -> bool:
    return any(line.confirmed for line in said.lines)


async def sign_draft(handle: Handle, number: str) -> Held:
    """Sign a draft; from then on its content stays as it is, and it waits in the pharmacists' pool.

    Raises Problem: 404 when it is not the caller's, 409 when it is signed already, 422 for what the law closes.
    """
    own = platform(handle, PRESCRIBE)
    async with own.connection() as connection:
        before = await held(connection, number)
    prescriber_only(handle.actor)(before)
    said = await content_of(own, before)
    # Judged before the row is locked: a review borrows connections, and whoever waits for some must hold none.
    _allowed(await reviewed(own, before, said))

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        drafts = await lines(session, found)
        if prescription_of(drafts) != said:
            raise refuse(409, "conflict", "base.not-now")
        contents = [Content({**one, "status": "active"}, int(one["meta"]["versionId"]) + 1) for one in drafts]
        after, signed = await _signed(session, handle, found, contents, confirmed=_is_confirmed(said))
        return after, [*line_writes(drafts, status="active"), *signed]

    return await advance(own, handle.actor, number, Move("sign", "prescriber", prescriber_only(handle.actor), work))


async def _signed(
    session: Transaction, handle: Handle, found: Held, contents: Sequence[Content], *, confirmed: bool
) -> tuple[Held, list[Write]]:
    """The row, the signatures and the Task of a prescription that is handed over to the pharmacists."""
    now = clock.now()
    due = now + timedelta(minutes=circulation.review_minutes(found.setting, found.kind))
    after = replace(found, state="signed", version=max(found.version, 1) + (found.state == "draft"), signed=now, review_due=due)
    writes = [await sign(session.connection, handle.actor, contents, "author")]
    if confirmed:
        writes.append(await sign(session.connection, handle.actor, contents, "coauthor"))
    return after, [*writes, Write("update", "Task", review_task(after), after.task, if_match=0)]


def review_task(found: Held) -> dict[str, Any]:
    """The Task of a review that waits."""
    return {
        "resourceType": "Task", "id": found.task, "status": "requested", "intent": "order", "priority": "stat" if found.setting == "emergency" else "routine",
        "code": {"coding": [{"system": REVIEW_SYSTEM, "code": "review"}]},
        "groupIdentifier": {"system": "urn:kangyun:prescription", "value": found.number},
        "focus": {"reference": f"MedicationRequest/{found.line_ids[0]}"}, "for": {"reference": f"Patient/{found.patient}"},
        "encounter": {"reference": f"Encounter/{found.encounter}"}, "authoredOn": clock.instant(found.made),
        "requester": {"reference": f"Practitioner/{found.practitioner}"},
        "restriction": {"period": {"end": clock.instant(found.review_due or found.made)}},
    }


async def confirm(handle: Handle, number: str, reason: str) -> Held:
    """Sign a second time what a pharmacist has asked about, with the reason. Raises Problem 422 without one."""
    own = platform(handle, PRESCRIBE)
    if len(reason.strip()) < _SHORTEST_REASON:
        raise refuse(422, "required", "drugs.no-reason", "Parameters.parameter")

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        stored = await session.fetch("Task", found.task)
        assert stored is not None
        note = {"authorReference": {"reference": f"Practitioner/{found.practitioner}"}, "time": clock.instant(clock.now()), "text": reason.strip()[:1000]}
        kept = stored.resource
        task = {**{name: value for name, value in kept.items() if name != "owner"}, "status": "requested", "note": [*kept.get("note", ()), note]}
        contents = [*(Content(one, int(one["meta"]["versionId"])) for one in await lines(session, found)), Content(task, stored.version + 1)]
        signature = await sign(session.connection, handle.actor, contents, "coauthor")
        after = replace(found, asked=True, review_due=clock.now() + timedelta(minutes=circulation.review_minutes(found.setting, found.kind)))
        return after, [signature, Write("update", "Task", task, found.task, if_match=stored.version)]

    return await advance(own, handle.actor, number, Move("confirm", "prescriber", prescriber_only(handle.actor), work))


async def cancel(handle: Handle, number: str) -> Held:
    """Take back what no pharmacy has begun to dispense."""
    own = platform(handle, PRESCRIBE)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        return found, [*line_writes(await lines(session, found), status="cancelled"), *await ended_tasks(session, found)]

    return await advance(own, handle.actor, number, Move("cancel", "prescriber", prescriber_only(handle.actor), work))


async def ended_tasks(session: Transaction, found: Held, status: str = "cancelled") -> list[Write]:
    """The open Tasks of a prescription, ended: whoever was related by them is so no more."""
    writes: list[Write] = []
    for id_ in (found.task, found.errand):
        stored = await session.fetch("Task", id_)
        if stored is not None and not stored.deleted and stored.resource["status"] not in {"completed", "cancelled", "rejected", "failed"}:
            writes.append(Write("update", "Task", {**stored.resource, "status": status}, id_, if_match=stored.version))
    return writes


async def told(session: Transaction, found: Held, what: str) -> Write:
    """The notice to the resident of what has happened to a prescription."""
    return await tell(
        session.connection, found.patient, key=f"drugs.notice.{what}", about=f"MedicationRequest/{found.line_ids[0]}",
        page=f"/resident/prescriptions/{found.number}")


async def check(handle: Handle, draft: Draft) -> list[Finding]:
    """What the rules find in what is being written; nothing is kept. Raises Problem as `prescribe`, but for what is not filled in yet."""
    own, actor = platform(handle, PRESCRIBE), handle.actor
    if not actor.practitioner or not actor.institution:
        raise refuse(403, "forbidden", "drugs.no-prescriber")
    await _treats(handle, draft)
    drugs = await drugs_of(own, [line.code for line in draft.prescription.lines])
    said = replace(draft.prescription, on=today(), lines=tuple(line for line in draft.prescription.lines if line.code in drugs))
    return await reviewed(own, _row(draft, said, drugs, actor.practitioner, actor.institution), said)
