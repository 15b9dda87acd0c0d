"""Residents as they stand in lists and in the banner."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kangyun.portals.clinician.decisions.naming import Node, is_chinese, person

CITIZEN_NUMBER = "urn:oid:2.16.156.10011.1.3"
"""公民身份号码 in the national directory of object identifiers (WS/T 682)."""

_NUMBER = re.compile(r"[0-9Xx -]{5,}")
_SYSTEMS = (CITIZEN_NUMBER, "http://hl7.org/fhir/sid/us-ssn")


@dataclass(frozen=True, slots=True)
class Resident:
    """A person as shown in the banner; ``identifier`` is whole here and masked by the component that shows it."""

    id: str
    name: str
    sex: str
    born: str
    deceased: str
    identifier: str
    phone: str
    address: str


def resident(patient: Node) -> Resident:
    """Read a Patient; an unnamed person shows a dash, so that the list stays readable."""
    return Resident(
        id=patient["id"],
        name=person(patient.get("name", [])) or "—",
        sex=patient.get("gender") or "unknown",
        born=patient.get("birthDate", ""),
        deceased=patient.get("deceasedDateTime") or "",
        identifier=_identifier(patient.get("identifier", [])),
        phone=_phone(patient.get("telecom", [])),
        address=_address(patient.get("address", [])),
    )


def _identifier(identifiers: Iterable[Node]) -> str:
    """Prefer the citizen's number, since it is the one printed on the card that people hold."""
    known = [one for one in identifiers if one.get("value")]
    for system in _SYSTEMS:
        for one in known:
            if one.get("system") == system:
                return one["value"]
    return known[0]["value"] if known else ""


def _phone(telecoms: Iterable[Node]) -> str:
    return next((one["value"] for one in telecoms if one.get("system") == "phone" and one.get("value")), "")


def _address(addresses: Iterable[Node]) -> str:
    for one in addresses:
        parts = [*(one.get(key, "") for key in ("state", "city", "district")), *one.get("line", [])]
        return one.get("text") or ("".join(parts) if is_chinese("".join(parts)) else ", ".join(part for part in reversed(parts) if part))
    return ""


_GOLDEN = ("name", "gender", "birthDate", "telecom", "address", "identifier")


def golden(patient: Node, person: Node | None) -> Node:
    """The Patient with what the Person above it holds to be right."""
    return {**patient, **{key: person[key] for key in _GOLDEN if person and key in person}}


def with_death(patient: Node, others: Iterable[Node]) -> Node:
    """The Patient with a death that only another institution knows of; a Person does not tell it."""
    told = sorted((one for one in others if one.get("deceasedDateTime") or one.get("deceasedBoolean")), key=lambda one: "deceasedDateTime" not in one)
    return {**patient, **{key: told[0][key] for key in ("deceasedDateTime", "deceasedBoolean") if told and key in told[0]}}


def is_listed(patient: Node) -> bool:
    """Leave out records that were merged into another one."""
    replaced = any(link.get("type") == "replaced-by" for link in patient.get("link", []))
    return patient.get("active", True) and not replaced


def is_number(text: str) -> bool:
    """Say whether what was typed looks like a card, identity or telephone number and not like a name."""
    return bool(_NUMBER.fullmatch(text.strip()))


def linked(patient: Node, kind: str) -> list[str]:
    """The ids of the Patients that this one ``replaces`` or is ``replaced-by`` (FHIR link type)."""
    others = (link.get("other", {}).get("reference", "") for link in patient.get("link", []) if link.get("type") == kind)
    return [other.removeprefix("Patient/") for other in others if other.startswith("Patient/")]


def distinct(patients: Iterable[Node]) -> list[Node]:
    """Keep each resident once, in the order found."""
    return list({patient["id"]: patient for patient in patients if is_listed(patient)}.values())
