"""Before a consultation: consent, triage, re-visit proof and the law's limits; what is admitted waits, all in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import uuid4

from kangyun.base import clock, lifecycles
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.rules import load
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.actions import pictures
from kangyun.care.internet_hospital.decisions import admission, doctors, papers, triage
from kangyun.care.internet_hospital.decisions.admission import Diagnosis, Facts, Finding
from kangyun.care.internet_hospital.model import Node, extension, reference
from kangyun.care.internet_hospital.model.consultations import (
    Consultation,
    consent,
    consultation,
    encounter,
    id_by,
    message,
    moved,
    proof,
)
from kangyun.care.internet_hospital.model.places import Clinic, Hospital
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import Handle, Write
from kangyun.commons.population import patient_at, patients_of

_ROOM = "kangyun.care.internet_hospital"
_ASK = "consult.ask"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a resident asks for. clinic: id of its HealthcareService; kind: text, video or advice; doctor: a Practitioner's id or ''.

    answers: a QuestionnaireResponse to the clinic's triage. guardian: says to be with the child. proofs: pictures of a
    hospital's paper, as they were sent. key: the sender's own, so that the same wish sent twice is one.
    """

    clinic: str
    kind: str
    complaint: str
    consent: bool
    answers: Node = field(default_factory=dict[str, Any])
    doctor: str = ""
    guardian: bool = False
    proofs: tuple[bytes, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the record knows of whoever asks."""

    clinic: Clinic
    proof: Diagnosis | None
    findings: list[Finding]


async def ask(handle: Handle, wish: Wish) -> Consultation:
    """Begin a consultation, which then waits for its fee (planned) or for a doctor (arrived).

    Raises Problem 403 for whoever is no resident, 404 for no clinic, 409 when the law sends the resident off line (issues
    internet_hospital.admission-...), 422 for what is missing or cannot be right.
    """
    person = handle.actor.person
    if person is None:
        raise refuse(403, "forbidden", "internet_hospital.only-residents")
    clinic, hospital = await _open(handle, wish)
    shots = await pictures.taken(wish.proofs)
    known = await judge(handle, wish, clinic, paper=bool(shots))
    _check(known.findings)
    chosen = await _doctor(handle, wish, clinic, hospital)
    own = handle.acting(_ASK, "consult.ask", writes="Encounter")
    patient = await patient_at(own, person, clinic.institution)
    id_ = id_by(person, clinic.id, wish.key or uuid4().hex)
    writes = _writes(wish, known, (id_, patient), shots, chosen)
    # The caller's own handle does not know yet that the institution keeps a Patient of the person.
    return await consultations.after(own, await own.commit(writes, key=f"consult.ask/{id_}"), id_)


async def _open(handle: Handle, wish: Wish) -> tuple[Clinic, Hospital]:
    """The clinic that is asked, and the hospital whose it is."""
    clinic = await places.clinic_of(handle, wish.clinic)
    lifecycles.load(_ROOM).next("", "ask", "patient")
    if not clinic.active:
        raise refuse(409, "conflict", "internet_hospital.closed")
    hospital = await places.hospital_of(handle, clinic.institution)
    if hospital is None or doctors.closed(hospital, today()):
        raise refuse(409, "conflict", "internet_hospital.doctor-hospital-closed")
    if wish.kind not in (("advice",) if clinic.is_line else clinic.kinds):
        raise refuse(422, "value", "internet_hospital.wrong-kind", "kind")
    if not wish.complaint.strip() or len(wish.complaint) > papers.limit("characters"):
        raise refuse(422, "required", "internet_hospital.no-complaint", "complaint", most=str(papers.limit("characters")))
    return clinic, hospital


def today() -> date:
    """The day in China."""
    return clock.now().astimezone(CHINA).date()


async def judge(handle: Handle, wish: Wish, clinic: Clinic, *, paper: bool) -> _Known:
    """What the law says to a wish, with what the caller's record knows; `paper`: a proof is uploaded."""
    person = await consultations.own_person(handle)
    days = max(int(load(_ROOM, "revisit.yaml").value), admission.recent_days())
    found = await consultations.diagnoses(handle, patients_of(person), days)
    best = admission.best_proof(found, clinic, today())
    recent = tuple(one.code for one in found if (today() - one.on).days <= admission.recent_days())
    facts = Facts(
        wish.kind, admission.age_on(str(person.get("birthDate", "")), today()), wish.consent, "record" if best else "paper" if paper else "",
        tuple(triage.red_flags(clinic.triage, wish.answers)), recent, wish.guardian and handle.actor.role == "guardian",
        admission.is_specialist(clinic))
    return _Known(clinic, best, admission.findings(facts))


def _check(findings: Sequence[Finding]) -> None:
    """Raise Problem 409 with all reasons to go off line, else 422 with all that is missing."""
    for verdict, status in (("offline", 409), ("need", 422)):
        found = [Issue("business-rule", f"internet_hospital.admission-{one.code}", {"clause": one.clause}) for one in findings if one.verdict == verdict]
        if found:
            raise Problem(status, *found)


async def _doctor(handle: Handle, wish: Wish, clinic: Clinic, hospital: Hospital) -> Node | None:
    if not wish.doctor:
        return None
    found = await places.doctor_at(handle, wish.doctor, clinic.institution)
    if found is None or clinic.id not in found.clinics:
        raise refuse(422, "value", "internet_hospital.not-in-clinic", "doctor")
    if doctors.faults(found, hospital, clinic, today()):
        raise refuse(422, "value", "internet_hospital.not-qualified", "doctor")
    return reference("Practitioner", found.practitioner, found.name)


def _writes(wish: Wish, known: _Known, ids: tuple[str, str], shots: list[str], doctor: Node | None) -> list[Write]:
    id_, patient = ids
    clinic, now = known.clinic, clock.instant(clock.now())
    agreed = id_by(id_, "consent")
    node = encounter(id_, patient, clinic, wish.kind, complaint=wish.complaint.strip(), now=now, doctor=doctor)
    node["extension"].append(extension("consent", valueReference=reference("Consent", agreed)))
    if wish.guardian:
        node["extension"].append(extension("guardian", valueBoolean=True))
    if not clinic.price:
        node = moved(node, lifecycles.load(_ROOM).next("planned", "pay", "platform"), now)
    made = pictures.writes(shots, patient, id_, "proof", now)
    writes = [
        Write("update", "Encounter", node, id_), *made, *_triage(wish, known, ids, now),
        Write("update", "Consent", consent(agreed, patient, clinic.institution, papers.consent_version(), now), agreed),
    ]
    shown = _proof(known, [str(one.id) for one in made], ids, now)
    return [*writes, *([Write("update", "DocumentReference", shown, shown["id"])] if shown else []), _first_message(wish, node, ids, now)]


def _triage(wish: Wish, known: _Known, ids: tuple[str, str], now: str) -> list[Write]:
    if not wish.answers.get("item"):
        return []
    id_ = id_by(ids[0], "triage")
    questions = triage.questionnaire(known.clinic.triage)
    response: Node = {
        "resourceType": "QuestionnaireResponse", "id": id_, "questionnaire": f"{questions['url']}|{questions['version']}", "status": "completed",
        "subject": reference("Patient", ids[1]), "encounter": reference("Encounter", ids[0]), "authored": now,
        "author": reference("Patient", ids[1]), "item": wish.answers["item"],
    }
    return [Write("update", "QuestionnaireResponse", response, id_)]


def _proof(known: _Known, shots: list[str], ids: tuple[str, str], now: str) -> Node | None:
    id_ = id_by(ids[0], "proof")
    if known.proof:
        title = f"{known.proof.on.isoformat()} {known.proof.institution} {known.proof.name}"
        shown = {"reference": known.proof.reference, "display": title}
        return proof(id_, ids[1], ids[0], [shown], now, final=True)
    papers_ = [reference("Media", one) for one in shots]
    return proof(id_, ids[1], ids[0], papers_, now, final=False) if papers_ else None


def _first_message(wish: Wish, node: Node, ids: tuple[str, str], now: str) -> Write:
    """What the resident complains of is the first message."""
    said = message(consultation({**node, "meta": {**node["meta"], "versionId": "1"}}), id_by(ids[0], "complaint"), reference("Patient", ids[1]), now, text=wish.complaint.strip())
    return Write("update", "Communication", said, said["id"])


async def paid(own: Handle, id_: str) -> Consultation:
    """The fee is paid: the consultation waits for a doctor. `own`: of the platform's own work; a repetition changes nothing.

    Raises Problem 404, and 409 for one that was cancelled in the meantime: the fee goes back.
    """
    of = await consultations.consultation_of(own, id_)
    if of.state in {"arrived", "in-progress", "finished"}:
        return of
    state = lifecycles.load(_ROOM).next(of.state, "pay", "platform")
    now = clock.instant(clock.now())
    return await consultations.after(own, await own.commit([Write("update", "Encounter", moved(of.node, state, now), id_, if_match=of.version)]), id_)
