"""Consultations and what belongs to them, always through the caller's own handle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.web.display import CHINA, moment
from kangyun.care.internet_hospital.decisions.admission import Diagnosis
from kangyun.care.internet_hospital.decisions.papers import record_id
from kangyun.care.internet_hospital.model import COMPLAINT, ICD10, KIND, PAPER, Node, id_of, reference, tagged
from kangyun.care.internet_hospital.model.consultations import Consultation, consultation
from kangyun.commons.access import Handle, Transaction, Written
from kangyun.commons.population import identities, patients_of

_KIND_SYSTEM = "urn:kangyun:institution-kind"
_DEEPEST = 8
_MOST = "200"
_PAPERS = ("QuestionnaireResponse", "DocumentReference", "Composition", "Condition", "ServiceRequest")
PROOFS = ("DocumentReference",)


async def consultation_of(handle: Handle, id_: str) -> Consultation:
    """A consultation that the caller may see. Raises Problem 404: hidden and absent look the same."""
    found = await handle.read("Encounter", id_)
    if found is None or not tagged(found, KIND):
        raise refuse(404, "not-found", "internet_hospital.no-consultation")
    return consultation(found)


async def kept(own: Handle, written: Sequence[Written], type_: str, id_: str) -> Node | None:
    """A resource as a commit has left it; where a repetition has written nothing, as it stands. own: of the platform."""
    done = next((one.stored for one in written if one.stored and (one.type, one.id) == (type_, id_)), None)
    return done.resource if done else await own.read(type_, id_)


async def after(own: Handle, written: Sequence[Written], id_: str) -> Consultation:
    """A consultation as a commit has left it, as `kept` says. Raises Problem 404."""
    found = await kept(own, written, "Encounter", id_)
    if found is None:
        raise refuse(404, "not-found", "internet_hospital.no-consultation")
    return consultation(found)


async def again(session: Transaction, of: Consultation) -> Consultation:
    """The consultation as it stands inside of a transaction. Raises Problem 404 when it is gone."""
    found = await session.read("Encounter", of.id)
    if found is None:
        raise refuse(404, "not-found", "internet_hospital.no-consultation")
    return consultation(found)


async def own(handle: Handle, patients: Sequence[str]) -> list[Consultation]:
    """The consultations of a resident, the newest first."""
    if not patients:
        return []
    query = [("patient", ",".join(patients)), ("_tag", f"{KIND}|"), ("_sort", "-date"), ("_count", "50")]
    return [consultation(one) for one in (await handle.search("Encounter", query)).resources]


async def at(handle: Handle, institution: str, states: Sequence[str], *, practitioner: str = "", since: date | None = None) -> list[Consultation]:
    """The consultations of an institution in some states, who has waited longest first; of one doctor where one is named."""
    query = [
        ("service-provider", f"Organization/{institution}"), ("status", ",".join(states)), ("_tag", f"{KIND}|"), ("_sort", "date"),
        ("_count", _MOST),
    ]
    query += [("participant", f"Practitioner/{practitioner}")] if practitioner else []
    query += [("date", f"ge{since.isoformat()}")] if since else []
    return [consultation(one) for one in (await handle.search("Encounter", query)).resources]


async def own_person(handle: Handle) -> Node:
    """The Person whom the caller is, or acts for; {} for whoever is no resident."""
    return (await handle.read("Person", handle.actor.person) if handle.actor.person else None) or {}


async def own_patients(handle: Handle) -> list[str]:
    """The ids of the Patients of that person."""
    return patients_of(await own_person(handle))


async def messages(handle: Handle, of: Consultation, after: str = "") -> list[Node]:
    """The messages of a consultation in the order in which they were sent; those after a moment."""
    query = [("encounter", f"Encounter/{of.id}"), ("category", f"{KIND}|message"), ("_sort", "sent"), ("_count", "500")]
    query += [("sent", f"gt{after}")] if moment(after) and "T" in after else []
    return (await handle.search("Communication", query)).resources


async def papers(handle: Handle, of: Consultation, types: Sequence[str] = _PAPERS) -> dict[str, list[Node]]:
    """What belongs to a consultation, by type: triage, proof, record, diagnoses, orders; each type is a search of its own."""
    whose = ("encounter", f"Encounter/{of.id}")
    pages = await asyncio.gather(*(handle.search(one, [whose, ("_count", "100")]) for one in types))
    return {type_: page.resources for type_, page in zip(types, pages, strict=True)}


async def record_of(handle: Handle, of: Consultation) -> Node | None:
    """The Composition of a consultation."""
    return await handle.read("Composition", record_id(of.id))


async def rated(handle: Handle, of: Consultation) -> Node | None:
    """The resident's rating of a consultation."""
    query = [("encounter", f"Encounter/{of.id}"), ("questionnaire", "urn:kangyun:internet-hospital:rating"), ("_count", "1")]
    return next(iter((await handle.search("QuestionnaireResponse", query)).resources), None)


async def complaints(handle: Handle, *, institution: str = "", patients: Sequence[str] = (), focus: str = "") -> list[Node]:
    """Complaints as Tasks, the oldest open ones first: those to an institution, of a resident, or about a consultation."""
    query = [("code", f"{COMPLAINT}|complaint"), ("_sort", "authored-on"), ("_count", _MOST)]
    query += [("owner", f"Organization/{institution}")] if institution else []
    query += [("patient", ",".join(patients))] if patients else []
    query += [("focus", f"Encounter/{focus}")] if focus else []
    return (await handle.search("Task", query)).resources


async def diagnoses(handle: Handle, patients: Sequence[str], days: int) -> list[Diagnosis]:
    """The diagnoses that institutions made of a resident in the last days, each with the kind of institution."""
    if not patients:
        return []
    found = (await handle.search("Condition", [("patient", ",".join(patients)), ("_count", "500")])).resources
    since = (clock.now() - timedelta(days=days)).astimezone(CHINA).date()
    visits = await _visits(handle, found)
    keepers = await _keepers(handle, patients)
    told = [_diagnosis(one, visits, keepers) for one in found if _counts(one)]
    dated = [one for one in told if one is not None and one[1] >= since]
    kinds = await _kinds(handle, {institution for *_, institution in dated})
    return [
        Diagnosis(_code(one), _name(one), on, *kinds.get(institution, ("", "")), reference=f"Condition/{one['id']}")
        for one, on, institution in dated
    ]


def _counts(condition: Node) -> bool:
    """Whether somebody stands by the diagnosis, and it is coded."""
    refuted = {c.get("code") for c in condition.get("verificationStatus", {}).get("coding", ())} & {"refuted", "entered-in-error"}
    return not refuted and bool(_code(condition))


def _code(condition: Node) -> str:
    codings = condition.get("code", {}).get("coding", [])
    exact = [c for c in codings if "icd-10" in str(c.get("system", "")) or c.get("system") == ICD10]
    return str(exact[0].get("code", "")) if exact else ""


def _name(condition: Node) -> str:
    code = condition.get("code", {})
    return str(code.get("text") or next((c["display"] for c in code.get("coding", ()) if "display" in c), ""))


def _diagnosis(one: Node, visits: dict[str, Node], keepers: dict[str, str]) -> tuple[Node, date, str] | None:
    visit = visits.get(id_of(one.get("encounter")), {})
    text = str(one.get("recordedDate") or visit.get("period", {}).get("start") or one.get("onsetDateTime") or "")
    when: datetime | None = moment(text)
    institution = id_of(visit.get("serviceProvider")) or keepers.get(id_of(one.get("subject")), "")
    # A diagnosis that was made on line proves no visit to a hospital.
    return None if when is None or tagged(visit, KIND) else (one, when.date(), institution)


async def _visits(handle: Handle, conditions: Sequence[Node]) -> dict[str, Node]:
    ids = sorted({id_of(one.get("encounter")) for one in conditions} - {""})
    page = await handle.search("Encounter", [("_id", ",".join(ids)), ("_count", "500")]) if ids else None
    return {str(one["id"]): one for one in page.resources} if page else {}


async def _keepers(handle: Handle, patients: Sequence[str]) -> dict[str, str]:
    page = await handle.search("Patient", [("_id", ",".join(patients)), ("_count", _MOST)])
    return {str(one["id"]): id_of(one.get("managingOrganization")) for one in page.resources}


async def _kinds(handle: Handle, institutions: set[str]) -> dict[str, tuple[str, str]]:
    """The kind and the name of institutions; a department or a system is of the kind of the one above it."""
    found: dict[str, tuple[str, str]] = {}
    for id_ in institutions - {""}:
        found[id_] = await _kind(handle, id_)
    return found


async def _kind(handle: Handle, id_: str) -> tuple[str, str]:
    name = ""
    for _ in range(_DEEPEST):
        node = await handle.read("Organization", id_) if id_ else None
        if node is None:
            break
        name = name or str(node.get("name", ""))
        kind = next((str(c["code"]) for t in node.get("type", ()) for c in t.get("coding", ()) if c.get("system") == _KIND_SYSTEM), "")
        if kind and kind != "department":
            return kind, name
        id_ = id_of(node.get("partOf"))
    return "", name


async def whole_person(handle: Handle, patient: str) -> list[str]:
    """All Patients of the person that a Patient is."""
    return await identities(handle, patient)


def proofs(found: dict[str, list[Node]]) -> list[Node]:
    """The re-visit proofs among the papers of a consultation."""
    return [one for one in found["DocumentReference"] if any(c.get("system") == PAPER and c.get("code") == "proof" for c in one.get("type", {}).get("coding", ()))]


def triage_of(found: dict[str, list[Node]]) -> Node | None:
    """The answers before the consultation."""
    return next((one for one in found["QuestionnaireResponse"] if ":triage:" in str(one.get("questionnaire", ""))), None)


def sender_of(handle: Handle, of: Consultation) -> Node:
    """Who writes a message: the doctor, or the resident as a Patient of the institution."""
    actor = handle.actor
    return reference("Practitioner", actor.practitioner) if actor.practitioner else reference("Patient", of.patient)
