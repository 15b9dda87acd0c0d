"""A kept message becomes records: parsed, translated, identified, committed; or it is told why not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache, partial

import structlog
from prometheus_client import Counter, Histogram

from kangyun.base import errors
from kangyun.base.clock import instant
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.exchange.actions import bundles, committing, joining, keeping, moving, order
from kangyun.commons.exchange.actions.documents import process_document, process_inside
from kangyun.commons.exchange.actions.tables import process_table
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.encoding import decode
from kangyun.commons.exchange.decisions.facts import facts_of
from kangyun.commons.exchange.decisions.inside import documents_inside
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.places import place_of
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.translate import each_patient, translate
from kangyun.commons.exchange.model import Fault, Outcome, RawMessage, Reason
from kangyun.commons.population import (
    Ambiguous,
    Registration,
    beside,
    committed,
    overtaken,
    prepare,
    prepare_merge,
    relate,
    telling,
    turn,
)

log = structlog.get_logger()

MESSAGES = Counter("kangyun_exchange_messages", "Messages handled, by sender, type and result.", ["sender", "type", "result"])
SECONDS = Histogram(
    "kangyun_exchange_seconds", "Seconds from a kept message to its result.", ["form"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
# One of each for every combination of labels: to find it in the metric costs more than to count.
counted = lru_cache(maxsize=1024)(MESSAGES.labels)
_seconds = lru_cache(maxsize=16)(SECONDS.labels)
_TRIES = 8
_PASSING = {423, 429, 500, 502, 503, 504, 507}


async def process(gate: Gate, raw: RawMessage) -> Outcome:
    """Make records of a kept message; never raises for what a message can contain.

    Doing it again is harmless: ids follow from the message, and the commit carries the raw message's number as key or
    notes the message as stored.
    """
    started = time.perf_counter()
    try:
        outcome = await _WAYS.get(raw.form, _process_fhir)(gate, raw)
    except Fault as fault:
        outcome = _quarantined(raw, _reason(fault), refused=fault.unreadable)
    except Ambiguous as doubt:
        outcome = _quarantined(raw, Reason(f"exchange.{doubt.why}", "PID-3", code="204"))
    except Problem as problem:
        outcome = _on_problem(raw, problem)
    except Exception as error:
        number = f"{secrets.randbelow(10**8):08d}"
        log.exception("exchange.bug", message=raw.id, trace=number, error=type(error).__name__)
        outcome = _quarantined(raw, Reason("exchange.internal", "", {"number": number}))
    _seconds(raw.form).observe(time.perf_counter() - started)
    return outcome


async def _process_hl7(gate: Gate, raw: RawMessage) -> Outcome:
    message, sender = parse(decode(raw.body)[0]), sender_of(raw.sender)
    # All is read before anything is stored, so that a message with a fault stores nothing.
    sheets = [translate(one, sender, raw.received) for one in each_patient(message)]
    if sheets[0].patients:
        for place, document in documents_inside(message):
            await process_inside(gate, raw, place, document, sheets[0].patients[0])
    for sheet in sheets[:-1]:
        await _store(gate, raw, sheet, last=False)
    return await _store(gate, raw, sheets[-1], last=True)


async def _store(gate: Gate, raw: RawMessage, sheet: Sheet, *, last: bool) -> Outcome:
    """Store what a message says of one resident; with the last one it is noted as stored."""
    message = sheet.message
    keys = [key for patient in sheet.patients for key in telling(patient)]
    keys += [key for old in sheet.merged for key in telling({"identifier": old})]
    # Before the commit: a draft is settled, and so used up, by being written.
    facts = facts_of(sheet.patients, [draft.resource for draft in sheet.drafts], sheet.occurred)
    mine = order.Turn(raw, sheet.occurred)

    def outcome(patient: str) -> Outcome:
        told = replace(facts, matching=mine.matching)
        return Outcome("stored", "AA", None, raw.id, patient or None, f"{message.kind}^{message.event}", facts=told, noted=True)

    async with turn(keys):
        return outcome(await _commit(gate.system(f"sender/{raw.sender}"), raw, sheet, mine, outcome, last=last))


async def _commit(
    handle: Handle, raw: RawMessage, sheet: Sheet, mine: order.Turn, outcome: Callable[[str], Outcome], *, last: bool
) -> str:
    """Commit until nobody else has written in between; a fresh translation each time, since drafts are used up."""
    for attempt in range(_TRIES):
        if attempt:
            sheet = translate(sheet.message, sheet.sender, raw.received)
        registrations = [await _register(handle, sheet, n, attempt, late=mine.late) for n in range(len(sheet.patients))]
        # A message about the directory names no resident.
        resident = registrations[0].patient if registrations else ""
        writes = await joining.writes_of(handle, sheet, resident, raw.id, instant(raw.received))
        writes += await moving.moved(handle, sheet, resident)
        whole = [*(write for one in registrations for write in one.writes), *writes]
        try:
            arrivals = {arrival.id: arrival for one in registrations for arrival in one.arrivals}
            ready = committing.Ready(handle, raw, _each_once(whole), tuple(arrivals.values()), mine, partial(outcome, resident))
            await (committing.commit(ready) if last else handle.commit(ready.writes, beside=mine.beside(ready.changed, beside(ready.arrivals))))
        except order.Late:
            mine.late = True
            continue
        except keeping.StoredBefore as before:
            return before.patient or ""
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
            continue
        joining.noted(whole)
        committed(tuple(arrivals.values()))
        mine.done(resident)
        await _related(handle, sheet, registrations)
        return resident
    raise AssertionError("the loop returns or raises")


async def _related(handle: Handle, sheet: Sheet, registrations: list[Registration]) -> None:
    """What the message says of two patients that both remain; saying it again changes nothing."""
    for joint in sheet.joints:
        if joint.kind in {"link", "unlink"}:
            one, other = (registrations[number].patient for number in (joint.kept, joint.kept + 1))
            await relate(handle, joint.kind, one, other, sheet.sender.key)


async def _register(handle: Handle, sheet: Sheet, number: int, attempt: int, *, late: bool) -> Registration:
    patient = sheet.patients[number]
    if sheet.merged:
        return await prepare_merge(handle, patient, sheet.merged[number], sheet.sender.key, attempt)
    return await prepare(handle, patient, sheet.sender.key, attempt, late=late)


def _each_once(writes: list[Write]) -> list[Write]:
    """Two pairs of one merge message may name one resident; the later write knows no less."""
    return list({(write.type, write.id): write for write in writes}.values())


async def _process_fhir(gate: Gate, raw: RawMessage) -> Outcome:
    handle, patient = gate.system(f"sender/{raw.sender}"), None
    groups = bundles.commits_of(raw.body)
    for number, writes in enumerate(groups):
        written = await handle.commit(writes, key=f"raw-message/{raw.id}/{number}")
        patient = patient or next((one.id for one in written if one.type == "Patient"), None)
    resources = [write.resource for writes in groups for write in writes if write.resource]
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    facts = facts_of(patients, [one for one in resources if one.get("resourceType") != "Patient"])
    return Outcome("stored", "AA", None, raw.id, patient, raw.kind, facts=facts)


# What is made of a kept message, by its form.
_WAYS: dict[str, Callable[[Gate, RawMessage], Awaitable[Outcome]]] = {"hl7v2": _process_hl7, "cda": process_document, "table": process_table}


def _on_problem(raw: RawMessage, problem: Problem) -> Outcome:
    if problem.status in _PASSING or overtaken(problem):
        return Outcome("received", "AE", Reason("exchange.delayed"), raw.id, kind=raw.kind, retry=True)
    issue = problem.issues[0]
    params = {"text": errors.text(issue, "zh"), "text_en": errors.text(issue, "en")}
    # A FHIR file is told the path itself, an HL7 v2 message the field behind it.
    place = str(issue.expression or "")[:200] if raw.form == "fhir" else ""
    if raw.form == "hl7v2":
        place = place_of(parse(decode(raw.body)[0]), issue.expression)
    if issue.expression and issue.expression != place:
        params = {name: f"{text} ({issue.expression})" for name, text in params.items()}
    return _quarantined(raw, Reason("exchange.refused-by-record", place, params, "207"))


def _quarantined(raw: RawMessage, reason: Reason, *, refused: bool = False) -> Outcome:
    return Outcome("quarantined", "AR" if refused else "AE", reason, raw.id, kind=raw.kind)


def _reason(fault: Fault) -> Reason:
    return Reason(fault.key, fault.place, dict(fault.params), fault.code, fault.occurrence)
