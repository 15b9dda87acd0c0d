"""What the supervisor asks: data sets of some days, and the alerts in them, computed from the record each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from kangyun.base.errors import refuse
from kangyun.base.web.display import CHINA, moment
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.decisions import admission, alerts, doctors, regulating
from kangyun.care.internet_hospital.decisions.alerts import Alert, Session, Span
from kangyun.care.internet_hospital.model import PAPER, Node, codes, extended
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.model.places import Hospital
from kangyun.care.internet_hospital.queries import consultations, places, regulation
from kangyun.care.internet_hospital.queries.regulation import Gathered
from kangyun.commons.access import Handle, fingerprints

_REGULATE = "consult.regulate"
_MOST_DAYS = 92
_FIRST, _LAST = date(2000, 1, 1), date(2200, 1, 1)
_TYPES = ("DocumentReference", "MedicationRequest", "Composition", "QuestionnaireResponse")


@dataclass(frozen=True, slots=True)
class Days:
    """What is asked for: from which day to which, both included; of which institution, or of all; from which cursor on."""

    first: date
    last: date
    institution: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A consultation and the rules that it broke."""

    session: Consultation
    alerts: list[Alert]
    doctor: str
    clinic: str
    institution: str


def check(days: Days) -> Days:
    """Raise Problem 422 for days that cannot be."""
    if not 0 <= (days.last - days.first).days < _MOST_DAYS or not _FIRST <= days.first <= days.last < _LAST:
        raise refuse(422, "value", "internet_hospital.wrong-span", "from")
    return days


async def dataset(handle: Handle, name: str, days: Days) -> tuple[list[dict[str, Any]], str]:
    """The rows of a data set, and the cursor of the next page or ''. Raises Problem 404 for no such set, 422 for wrong days."""
    if not alerts.fields(name):
        raise refuse(404, "not-found", "internet_hospital.no-dataset")
    own = handle.acting(_REGULATE, f"consult.dataset-{name.replace('_', '-')}", writes="MeasureReport")
    if name in {"institution", "department", "staff"}:
        return [alerts.row(name, one) for one in await _offered(own, name)], ""
    found = await regulation.sessions(own, check(days).first, days.last, after=days.after, institution=days.institution)
    await _gather(own, name, found)
    return [alerts.row(name, one) for one in _rows(name, found)], found.following


async def _offered(own: Handle, name: str) -> list[dict[str, Any]]:
    found = await regulation.offered(own, Gathered([]))
    if name == "institution":
        return [regulating.institution(one) for one in found.hospitals.values()]
    if name == "department":
        return [regulating.department(one) for one in found.clinics.values()]
    staff = await places.doctors_of(own)
    async with own.connection() as connection:
        keys = await fingerprints(connection, [one.practitioner for one in staff])
    return [regulating.staff(one, keys.get(one.practitioner, "")) for one in staff]


_NEEDS: dict[str, tuple[str, ...]] = {
    "session": ("Communication",), "proof": ("DocumentReference",), "record": ("Composition",), "prescription": ("MedicationRequest",),
    "dispensing": ("MedicationRequest",), "appointment": ("ServiceRequest",), "payment": ("MedicationRequest",), "evaluation": ("QuestionnaireResponse",),
    "adverse_event": ("AdverseEvent",),
}


async def _gather(own: Handle, name: str, found: Gathered) -> None:
    await regulation.belonging(own, found, _NEEDS.get(name, ()))
    if name == "patient":
        await regulation.people(own, found)
    if name in {"appointment", "payment", "evaluation"}:
        await regulation.following(own, found)
    if name in {"record", "prescription"}:
        await regulation.signed(own, found)
    if name == "dispensing":
        await regulation.dispensed(own, found)


def _rows(name: str, found: Gathered) -> Iterator[dict[str, Any]]:
    if name == "patient":
        yield from (regulating.patient(node) for node in found.patients.values())
    for one in found.sessions:
        if name == "session":
            yield regulating.session(one, {"Communication": _said(found.of("Communication", one))})
        elif name == "record":
            yield from (regulating.record(one, node, found.signatures.get(f"Composition/{node['id']}", [])) for node in found.of("Composition", one))
        elif name == "prescription":
            yield from (
                regulating.prescription(one, node, found.signatures.get(f"MedicationRequest/{node['id']}", [])) for node in found.of("MedicationRequest", one))
        elif name == "evaluation":
            yield from (regulating.rating(one, node) for node in found.of("QuestionnaireResponse", one) if str(node.get("questionnaire", "")).endswith(":rating"))
            yield from (regulating.complaint(one, node) for node in found.of("Task", one))
        elif name in regulating.BY_TYPE:
            type_, make = regulating.BY_TYPE[name]
            yield from (make(one, node) for node in found.of(type_, one) if type_ != "DocumentReference" or "proof" in codes(node.get("type"), PAPER))


def _said(found: list[Node]) -> list[Node]:
    """Only what people said: notices are no part of the talk."""
    return [one for one in found if "sender" in one]


async def judged(handle: Handle, days: Days, *, code: str = "") -> tuple[list[Judged], str]:
    """The consultations of some days with the rules that they broke, or those that broke a certain one, and the cursor of the next page or ''.

    Raises Problem 404 for a rule that is none, 422 for wrong days.
    """
    if code and code not in {one.code for one in alerts.rules()}:
        raise refuse(404, "not-found", "internet_hospital.no-rule")
    own = handle.acting(_REGULATE, "consult.alerts", writes="MeasureReport")
    found = await regulation.sessions(own, check(days).first, days.last, after=days.after, institution=days.institution)
    for gather in (regulation.offered, regulation.people, regulation.controlled):
        await gather(own, found)
    await regulation.belonging(own, found, _TYPES)
    await regulation.dispensed(own, found)
    await regulation.following(own, found)
    overlapping = alerts.beside(_spans(found))
    made = [_judged(one, found, overlapping.get(one.id, 0)) for one in found.sessions]
    return [one for one in made if not code or any(each.code == code for each in one.alerts)], found.following


def _spans(found: Gathered) -> list[Span]:
    spans: list[Span] = []
    for one in found.sessions:
        starts, ends = moment(regulating.talk_start(one)), moment(one.ended)
        if one.live and one.practitioner and starts and ends:
            spans.append(Span(one.id, one.practitioner, starts, ends))
    return spans


def _judged(one: Consultation, found: Gathered, overlapping: int) -> Judged:
    doctor = found.doctors.get((one.practitioner, one.institution))
    clinic, hospital = found.clinics.get(one.clinic), found.hospitals.get(one.institution)
    return Judged(one, alerts.judge(facts(one, found, overlapping)), doctor.name if doctor else one.doctor, clinic.name if clinic else "", hospital.name if hospital else "")


def facts(one: Consultation, found: Gathered, overlapping: int) -> Session:
    """One consultation as its rules judge it."""
    lines = [node for node in found.of("MedicationRequest", one) if node.get("status") not in {"entered-in-error", "draft"}]
    signatures = [node for line in lines for node in found.signatures.get(f"MedicationRequest/{line['id']}", [])]
    proofs = [node for node in found.of("DocumentReference", one) if "proof" in codes(node.get("type"), PAPER)]
    return Session(
        one.kind, one.outcome, any(node.get("docStatus") == "final" for node in proofs),
        not regulating.talk_start(one) or any(each["url"].endswith(":presence") for each in one.node.get("extension", ())), _faults(one, found),
        tuple(str(line.get("medicationCodeableConcept", {}).get("text", "")) for line in lines), _controls(lines, found), _age(one, found),
        _guarded(one), _after(one, lines), bool(found.of("MedicationDispense", one)),
        regulating.reviewed(signatures), overlapping, max(map(regulating.days, lines), default=0),
        sum(regulating.fen(node) for node in found.of("Invoice", one)), alerts.late(moment(one.ended), moment(str(one.node["meta"].get("lastUpdated", "")))))


def _controls(lines: list[Node], found: Gathered) -> tuple[str, ...]:
    named = [str(c.get("code", "")) for line in lines for c in line.get("medicationCodeableConcept", {}).get("coding", ())]
    return tuple(sorted({found.controls[code] for code in named if code in found.controls}))


def _guarded(one: Consultation) -> bool:
    """Whether a guardian said to be there, and, once it had begun, was seen by the doctor."""
    return bool(extended(one.node, "guardian") and (extended(one.node, "guardian-seen") or not regulating.talk_start(one)))


def _faults(one: Consultation, found: Gathered) -> tuple[str, ...]:
    """What spoke against the doctor on the day on which the consultation began."""
    began, clinic = moment(regulating.talk_start(one)), found.clinics.get(one.clinic)
    if began is None or clinic is None:
        return ()
    doctor = found.doctors.get((one.practitioner, one.institution))
    return tuple(doctors.faults(doctor, found.hospitals.get(one.institution), clinic, began.astimezone(CHINA).date()))


def _age(one: Consultation, found: Gathered) -> int | None:
    asked = moment(one.asked)
    born = str(found.patients.get(one.patient, {}).get("birthDate", ""))
    return admission.age_on(born, asked.astimezone(CHINA).date()) if asked else None


def _after(one: Consultation, lines: list[Node]) -> float | None:
    """Seconds from the beginning to the first prescription; whole ones, as prescriptions are dated."""
    began = moment(regulating.talk_start(one))
    written = [when for line in lines if (when := moment(str(line.get("authoredOn", ""))))]
    if not written:
        return None
    return (min(written) - began.replace(microsecond=0)).total_seconds() if began else -1.0


async def licences(handle: Handle) -> list[Hospital]:
    """All licences, for the choice of an institution."""
    return await places.hospitals(handle.acting(_REGULATE, "consult.licences", writes="MeasureReport"), closed=True)


async def trace(handle: Handle, id_: str) -> tuple[dict[str, list[dict[str, Any]]], Judged]:
    """One consultation from beginning to end: the rows of all data sets that it has, and the rules that it broke.

    Raises Problem 404 for one that is none.
    """
    own = handle.acting(_REGULATE, "consult.trace", writes="MeasureReport")
    found = Gathered([await consultations.consultation_of(own, id_)])
    for gather in (regulation.offered, regulation.people, regulation.controlled):
        await gather(own, found)
    await regulation.belonging(own, found, (*_TYPES, "Communication", "ServiceRequest", "AdverseEvent"))
    await regulation.dispensed(own, found)
    await regulation.following(own, found)
    one = found.sessions[0]
    near = _china_day(one)
    talks = _spans(await regulation.sessions(own, near, near))
    overlapping = alerts.beside(talks).get(one.id, 0)
    told = {name: [alerts.row(name, row) for row in _rows(name, found)] for name in alerts.datasets()}
    return {name: rows for name, rows in told.items() if rows}, _judged(one, found, overlapping)


def _china_day(one: Consultation) -> date:
    asked = moment(one.asked)
    return asked.astimezone(CHINA).date() if asked else today()
