"""Who answers: a doctor as Practitioner (licence) and PractitionerRole (registration at an institution) tell it."""

from __future__ import annotations

from dataclasses import dataclass

from kangyun.care.internet_hospital.model import DOCTOR_LICENCE, SUBJECT, TITLE, Node, codes, concept, id_of, reference


@dataclass(frozen=True, slots=True)
class Doctor:
    """A doctor at an institution; dates are ISO texts.

    licensed: since when he may practise by himself. registered, until: his registration at the institution. subjects: the
    subjects of his registration. clinics: ids of the HealthcareServices in which he answers.
    """

    practitioner: str
    institution: str
    name: str = ""
    title: str = ""
    licence: str = ""
    licensed: str = ""
    registered: str = ""
    until: str = ""
    subjects: tuple[str, ...] = ()
    clinics: tuple[str, ...] = ()
    active: bool = True
    role: str = ""


def doctor(role: Node, practitioner: Node | None) -> Doctor:
    """A doctor from his role at an institution and, where it can be read, his own entry."""
    period, licence = role.get("period", {}), _licence(practitioner or {})
    return Doctor(
        id_of(role.get("practitioner"), "Practitioner"), id_of(role.get("organization"), "Organization"),
        called(practitioner or {}) or str(role.get("practitioner", {}).get("display", "")), next(iter(codes(role.get("code"), TITLE)), ""),
        str(next((one.get("value", "") for one in licence.get("identifier", ())), "")), str(licence.get("period", {}).get("start", "")),
        str(period.get("start", "")), str(period.get("end", "")), tuple(codes(role.get("specialty"), SUBJECT)),
        tuple(id_of(one) for one in role.get("healthcareService", ())), bool(role.get("active", True)), str(role.get("id", "")))


def _licence(practitioner: Node) -> Node:
    for one in practitioner.get("qualification", ()):
        if any(each.get("system") == DOCTOR_LICENCE for each in one.get("identifier", ())):
            return dict(one)
    return {}


def role_of(one: Doctor, subjects: dict[str, str]) -> Node:
    """The PractitionerRole of a doctor; subjects: names by code."""
    period = {key: value for key, value in (("start", one.registered), ("end", one.until)) if value}
    told: Node = {
        "resourceType": "PractitionerRole", "id": one.role or f"{one.practitioner}-{one.institution}"[:64], "active": one.active,
        "practitioner": reference("Practitioner", one.practitioner, one.name),
        "organization": reference("Organization", one.institution), "code": [concept(TITLE, one.title)] if one.title else [],
        "specialty": [concept(SUBJECT, code, display=subjects.get(code, code)) for code in one.subjects],
        "healthcareService": [reference("HealthcareService", id_) for id_ in one.clinics], "period": period,
    }
    return {key: value for key, value in told.items() if value not in ([], {})}


def qualified(practitioner: Node, one: Doctor) -> Node:
    """The Practitioner with the doctor's licence in place of an earlier one."""
    others = [each for each in practitioner.get("qualification", ()) if not _licence({"qualification": [each]})]
    licence: Node = {
        "identifier": [{"system": DOCTOR_LICENCE, "value": one.licence}], "code": {"text": "医师执业证书"}, "period": {"start": one.licensed},
    }
    return {**practitioner, "qualification": [*others, licence]}


def called(practitioner: Node) -> str:
    """The name that a Practitioner goes by; '' without one."""
    for name in practitioner.get("name", ()):
        text = str(name.get("text") or f"{name.get('family', '')}{''.join(name.get('given', ()))}")
        if text:
            return text
    return ""
