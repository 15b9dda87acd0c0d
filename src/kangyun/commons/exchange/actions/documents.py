"""A kept CDA document becomes records; a new version replaces what the old one said, and an old one replaces nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kangyun.base.clock import instant
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.exchange.actions import joining, order
from kangyun.commons.exchange.decisions.cda.sheet import Paper
from kangyun.commons.exchange.decisions.cda.translate import identifier_of, replaced, set_identifier, translate
from kangyun.commons.exchange.decisions.cda.versions import entries_of, superseded, taken_back, version_of
from kangyun.commons.exchange.decisions.facts import facts_of
from kangyun.commons.exchange.decisions.inside import another_patient, united
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.model import Fault, Outcome, RawMessage
from kangyun.commons.exchange.queries import current
from kangyun.commons.population import beside, overtaken, prepare, telling, turn

_TRIES = 8
_NEW_ONLY = {"Binary", "DocumentReference", "Organization", "Practitioner", "Provenance"}


async def process_inside(gate: Gate, raw: RawMessage, place: int, body: bytes, patient: dict[str, Any]) -> None:
    """Make records of the document in the OBX of that place in a message about `patient`. Raises as `process_document`."""
    inner = replace(raw, body=body)

    def read() -> Paper:
        paper = translate(inner.body, inner.sender, inner.received)
        paper.patients[0] = united(patient, paper.patients[0])
        # Whoever keeps the document, the numbers in it are those of the system that sends.
        paper.sender = sender_of(raw.sender)
        return paper

    if another_patient(patient, translate(body, raw.sender, raw.received).patients[0]):
        raise Fault("exchange.another-patient", "OBX-5", code="207", occurrence=place)
    paper = read()
    async with turn(telling(paper.patients[0])):
        await _commit(gate.system(f"sender/{raw.sender}"), inner, paper, order.Turn(inner, paper.occurred), read=read, part=f"/{place}")


async def process_document(gate: Gate, raw: RawMessage) -> Outcome:
    """Make records of a kept document. Raises Fault, Ambiguous and Problem."""
    paper = translate(raw.body, raw.sender, raw.received)
    kind = "^".join(part for part in ("CDA", paper.about.code if paper.about else "") if part)
    resources = [draft.resource for draft in paper.drafts]
    facts, mine = facts_of(paper.patients, resources, paper.occurred), order.Turn(raw, paper.occurred)
    async with turn(telling(paper.patients[0])):
        resident = await _commit(gate.system(f"sender/{raw.sender}"), raw, paper, mine, read=lambda: translate(raw.body, raw.sender, raw.received))
    return Outcome("stored", "AA", None, raw.id, resident, kind, facts=replace(facts, matching=mine.matching))


async def _commit(
    handle: Handle, raw: RawMessage, paper: Paper, mine: order.Turn, *, read: Callable[[], Paper], part: str = ""
) -> str:
    """Commit until nobody else has written in between; a fresh translation each time, since drafts are used up."""
    for attempt in range(_TRIES):
        if attempt:
            paper = read()
        registration = await prepare(handle, paper.patients[0], paper.sender.key, attempt, late=mine.late)
        writes = await _writes(handle, raw, paper, registration.patient)
        changed = [arrival.id for arrival in registration.arrivals if arrival.version > 1]
        try:
            inside = mine.beside(changed, beside(registration.arrivals))
            await handle.commit([*registration.writes, *writes], key=f"raw-message/{raw.id}{part}", beside=inside)
        except order.Late:
            mine.late = True
            continue
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
            continue
        joining.noted(writes)
        mine.done(registration.patient)
        return registration.patient
    raise AssertionError("the loop returns or raises")


async def _writes(handle: Handle, raw: RawMessage, paper: Paper, resident: str) -> list[Write]:
    whole = _draft_id(paper, "Composition", resident)
    reference = _draft_id(paper, "DocumentReference", resident)
    known = await current(handle, [("Composition", whole), ("DocumentReference", reference)])
    _refuse_reused(known.get(("DocumentReference", reference)), paper)
    held = known.get(("Composition", whole))
    if held is not None and version_of(held) > paper.version:
        return await _late(handle, raw, paper, resident)
    others = [one for one in await _earlier(handle, paper) if one["id"] != reference]
    _replace(paper, others)
    writes = await joining.writes_of(handle, paper, resident, raw.id, instant(raw.received))
    replacing = {(write.type, str(write.id)) for write in writes}
    gone = await _gone(handle, paper, held, whole)
    return [*writes, *(one for one in [*superseded(others), *gone] if (one.type, str(one.id)) not in replacing)]


def _draft_id(paper: Paper, type_: str, resident: str) -> str:
    return next(draft.settle(resident) for draft in paper.drafts if draft.type == type_)


def _refuse_reused(held: dict[str, Any] | None, paper: Paper) -> None:
    """One id and version with two contents: which of them holds cannot be told."""
    if held is None:
        return
    mine = next(draft.resource for draft in paper.drafts if draft.type == "DocumentReference")
    if held["content"][0]["attachment"].get("hash") != mine["content"][0]["attachment"]["hash"]:
        raise Fault("exchange.document-id-reused", "/ClinicalDocument/id", code="205")


async def _late(handle: Handle, raw: RawMessage, paper: Paper, resident: str) -> list[Write]:
    """A version that a newer one has overtaken is kept as a document and changes nothing else."""
    paper.drafts[:] = [draft for draft in paper.drafts if draft.type in _NEW_ONLY]
    for draft in paper.drafts:
        if draft.type == "DocumentReference":
            draft.resource["status"] = "superseded"
            draft.resource.pop("context", None)
    return await joining.writes_of(handle, paper, resident, raw.id, instant(raw.received))


async def _earlier(handle: Handle, paper: Paper) -> list[dict[str, Any]]:
    """The entries of earlier versions, and of documents that this one says it replaces."""
    found: dict[str, dict[str, Any]] = {}
    for identifier in (set_identifier(paper), *map(identifier_of, replaced(paper))):
        page = await handle.search("DocumentReference", [("identifier", f"{identifier['system']}|{identifier['value']}"), ("_count", "100")])
        found |= {str(one["id"]): one for one in page.resources if one.get("status") == "current"}
    return list(found.values())


def _replace(paper: Paper, others: list[dict[str, Any]]) -> None:
    links = [{"code": "replaces", "target": {"reference": f"DocumentReference/{one['id']}"}} for one in others]
    for draft in paper.drafts:
        if links and draft.type == "DocumentReference":
            draft.resource["relatesTo"] = links


async def _gone(handle: Handle, paper: Paper, held: dict[str, Any] | None, whole: str) -> list[Write]:
    """What the earlier version stated and this one does not, unless another document states it as well."""
    if held is None:
        return []
    mine = next(draft.resource for draft in paper.drafts if draft.type == "Composition")
    missing = entries_of(held) - entries_of(mine)
    alone = [one for one in sorted(missing) if not await _stated_elsewhere(handle, one, whole)]
    resources = await current(handle, [(type_, id_) for type_, _, id_ in (one.partition("/") for one in alone)])
    return [write for one in resources.values() if (write := taken_back(one))]


async def _stated_elsewhere(handle: Handle, reference: str, whole: str) -> bool:
    page = await handle.search("Composition", [("entry", reference), ("_count", "5")])
    return any(one["id"] != whole for one in page.resources)
