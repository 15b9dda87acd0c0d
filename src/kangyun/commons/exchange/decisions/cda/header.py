"""The header of a document: whose it is, who wrote and keeps it, and the visit that it records. CDA R2 section 4.2."""

from __future__ import annotations

from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions import codes as tables
from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.sheet import DOCUMENTS, Paper
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, place, text
from kangyun.commons.exchange.decisions.people import id_number, system_of
from kangyun.commons.exchange.model import Fault

_PACKAGE = "kangyun.commons.exchange"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_EXTENSION = "urn:kangyun:extension:"
_ETHNICITY = "urn:oid:2.16.156.10011.2.3.3.3"


def patient(paper: Paper) -> dict[str, Any]:
    """The Patient of recordTarget. Raises Fault when it is nobody's, or two people's, document."""
    targets = every(paper.root, "recordTarget/patientRole")
    if len(targets) > 1:
        raise Fault("exchange.two-targets", place(targets[1]), code="100")
    if not targets:
        raise Fault("exchange.missing-element", "/ClinicalDocument/recordTarget/patientRole", code="101")
    role, person = targets[0], first(targets[0], "patient")
    found: dict[str, Any] = {
        "resourceType": "Patient", "identifier": _identifiers(role, paper), "name": _names(person),
        "gender": _gender(person, paper), "birthDate": datatypes.date(first(person, "birthTime")),
        "address": datatypes.addresses(role), "telecom": datatypes.telecoms(role), "contact": _contacts(person),
        "extension": _extensions(person), "communication": _languages(person),
        "maritalStatus": _marital(first(person, "maritalStatusCode"), paper), **_death(person, paper),
    }  # fmt: skip
    if not found["identifier"]:
        raise Fault("exchange.no-identifier", f"{place(role)}/id", code="101")
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _names(person: Element | None) -> list[dict[str, Any]]:
    return [name for one in every(person, "name") if (name := datatypes.human_name(one))]


def _identifiers(role: Element, paper: Paper) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for element in (*every(role, "patient/id"), *every(role, "id")):
        one = _identifier(element, paper)
        if one:
            found.setdefault((one["system"], one["value"]), one)
    return list(found.values())


def _identifier(element: Element, paper: Paper) -> dict[str, Any] | None:
    root, value = attribute(element, ".", "root"), attribute(element, ".", "extension")
    if is_null(element) or not root or not value:
        return None
    kind: dict[str, Any] = rules.load(_PACKAGE, "cda/identifiers.yaml").map.get(root, {"type": "MR"})
    if kind["type"] == "NNCHN":
        return _id_number(element, value)
    if kind.get("of", "person") != "person":
        return None
    # The national directory says what a number is, not whose: each institution has its own record numbers.
    system = system_of(["", "", ""], kind["type"], paper.sender) if kind.get("local") else codes.system_of(root)
    return {"type": {"coding": [{"system": _TYPES, "code": kind["type"]}]}, "system": system, "value": value}


def _id_number(element: Element, value: str) -> dict[str, Any]:
    try:
        return id_number(value)
    except Fault as fault:
        fault.place = f"{place(element)}/@extension"
        raise


def visit_numbers(paper: Paper) -> list[dict[str, Any]]:
    """The numbers of recordTarget that name the visit (outpatient and inpatient numbers), and those of componentOf."""
    found: list[dict[str, Any]] = []
    for element in every(paper.root, "recordTarget/patientRole/id"):
        kind: dict[str, Any] = rules.load(_PACKAGE, "cda/identifiers.yaml").map.get(attribute(element, ".", "root"), {})
        value = attribute(element, ".", "extension")
        if kind.get("of") == "visit" and value:
            found.append({"system": system_of(["", "", ""], "VN", paper.sender), "value": value})
    own = codes.identifiers(first(paper.root, "componentOf/encompassingEncounter"))
    return [*found, *(one for one in own if one not in found)]


def other_numbers(paper: Paper) -> list[dict[str, Any]]:
    """The numbers of recordTarget that name orders, reports and specimens: they belong to the document."""
    found = [
        identifier
        for element in every(paper.root, "recordTarget/patientRole/id")
        if rules.load(_PACKAGE, "cda/identifiers.yaml").map.get(attribute(element, ".", "root"), {}).get("of") == "document"
        and (identifier := codes.identifier(element)) and attribute(element, ".", "extension")
    ]
    return [{"identifier": one} for one in found]


def _gender(person: Element | None, paper: Paper) -> str | None:
    element = first(person, "administrativeGenderCode")
    code = attribute(element, ".", "code") if element is not None else ""
    if element is None or is_null(element) or not code:
        return None
    found = "other" if code == "UN" else tables.find("sex", code, paper.sender) or tables.find("sex", attribute(element, ".", "displayName"), paper.sender)
    if not found:
        raise Fault("exchange.bad-code", f"{place(element)}/@code", {"value": code[:20]}, code="103")
    return str(found)


def _marital(element: Element | None, paper: Paper) -> dict[str, Any] | None:
    found = codes.concept(element) if not is_null(element) else None
    known = tables.find("marital", attribute(element, ".", "code"), paper.sender) if found and element is not None else None
    if found and known:
        codings = [known, *(one for one in found.get("coding", []) if one.get("code") != known["code"])]
        return {**found, "coding": codings}
    return found


def _extensions(person: Element | None) -> list[dict[str, Any]]:
    if person is None:
        return []
    coded = {
        "ethnicity": first(person, "ethnicGroupCode"), "education": first(person, "educationLevel/educationLevelCode"),
        "occupation": first(person, "occupation/occupationCode"), "resident-kind": first(person, "household/residentCode"),
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    for name, element in coded.items():
        concept = codes.concept(element) if not is_null(element) else None
        if concept and (name != "ethnicity" or _is_ethnicity(concept)):
            found.append({"url": _EXTENSION + name, "valueCodeableConcept": concept})
    work = text(person, "employerOrganization/name")
    birth_place = datatypes.addresses(first(person, "birthplace/place"))
    return [
        *found,
        *([{"url": f"{_EXTENSION}workplace", "valueString": work}] if work else []),
        *([{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": birth_place[0]}] if birth_place else []),
    ]


def _is_ethnicity(concept: dict[str, Any]) -> bool:
    """American documents use the same element for something else."""
    return any(one.get("system") == _ETHNICITY for one in concept.get("coding", [])) or "coding" not in concept


def _contacts(person: Element | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for guardian in every(person, "guardian"):
        names = [name for one in every(guardian, "guardianPerson/name") if (name := datatypes.human_name(one))]
        kind = codes.concept(first(guardian, "code"))
        address = datatypes.addresses(guardian)
        contact = {
            "relationship": [kind] if kind else [], "name": names[0] if names else None,
            "telecom": datatypes.telecoms(guardian), "address": address[0] if address else None,
        }  # fmt: skip
        filled = {name: value for name, value in contact.items() if value}
        # FHIR pat-1: a contact has at least a name, a telecom, an address or an organisation.
        found += [filled] if filled.keys() - {"relationship"} else []
    return found


def _languages(person: Element | None) -> list[dict[str, Any]]:
    tags = [attribute(one, "languageCode", "code") for one in every(person, "languageCommunication")]
    return [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]}} for tag in dict.fromkeys(tags) if tag]


def _death(person: Element | None, paper: Paper) -> dict[str, Any]:
    when = datatypes.time(first(person, "sdtc_deceasedTime"), paper.sender.zone)
    if when:
        return {"deceasedDateTime": when}
    return {"deceasedBoolean": True} if attribute(person, "sdtc_deceasedInd") == "true" else {}


def authors(paper: Paper) -> list[dict[str, Any]]:
    """References to who wrote the document; the institution where no person is named."""
    found = [one for role in every(paper.root, "author/assignedAuthor") if (one := practitioner(role, paper))]
    # One person is one and the same reference, which is filled in later.
    return list({id(one): one for one in found}.values()) or [paper.organization()]


def practitioner(role: Element | None, paper: Paper) -> dict[str, Any] | None:
    """A reference to the person of an assigned role, who enters the directory; None where there is none."""
    person = first(role, "assignedPerson")
    names = [name for one in every(person, "name") if (name := datatypes.human_name(one))]
    numbers = [one for element in every(role, "id") if (one := _staff_number(element, paper))]
    display = names[0]["text"] if names else ""
    if not numbers:
        return {"type": "Practitioner", "display": display} if display else None
    content: dict[str, Any] = {"identifier": numbers, **({"name": names} if names else {})}
    return paper.entry("Practitioner", content, display or numbers[0]["value"], numbers[0]["system"], numbers[0]["value"])


def _staff_number(element: Element, paper: Paper) -> dict[str, Any] | None:
    root, value = attribute(element, ".", "root"), attribute(element, ".", "extension")
    if is_null(element) or not value:
        return None
    local = rules.load(_PACKAGE, "cda/identifiers.yaml").map.get(root, {}).get("of") == "staff"
    system = system_of(["", "", ""], "STAFF", paper.sender) if local or not root else codes.system_of(root)
    return {"system": system, "value": value}


def encounter(paper: Paper) -> None:
    """The visit that the document records, from componentOf and the visit numbers; entries of national documents belong to it."""
    element = first(paper.root, "componentOf/encompassingEncounter")
    numbers = visit_numbers(paper)
    if element is None and not numbers and (paper.about is None or not paper.about.visit):
        return
    found = _encounter(element, numbers, paper)
    if numbers:
        # Messages about the visit know more of it than a document that mentions it.
        paper.visit = paper.add(found, numbers[0]["system"], numbers[0]["value"], join="visit")
    else:
        paper.visit = paper.stated(found, None, "visit")
    # Until its id is fixed a reference would be empty, and what is empty is left out.
    paper.visit.reference["type"] = "Encounter"


def _encounter(element: Element | None, numbers: list[dict[str, Any]], paper: Paper) -> dict[str, Any]:
    period = datatypes.period(first(element, "effectiveTime"), paper.sender.zone) or {"start": paper.occurred}
    code = first(element, "code")
    kind = attribute(code, ".", "code") if code is not None and codes.system_of(attribute(code, ".", "codeSystem")) == _ACT else ""
    class_ = kind or (paper.about.visit if paper.about else "") or "AMB"
    open_ = class_ == "IMP" and "end" not in period
    doctor = practitioner(first(element, "responsibleParty/assignedEntity"), paper)
    where = text(element, "location/healthCareFacility/location/name") or text(element, "location/healthCareFacility/serviceProviderOrganization/name")
    types = [{"coding": [{"system": DOCUMENTS, "code": paper.about.code}], "text": paper.about.title["zh"]}] if paper.about else []
    concept = codes.concept(code) if code is not None and not kind else None
    found: dict[str, Any] = {
        "resourceType": "Encounter", "status": "in-progress" if open_ else "finished", "identifier": numbers,
        "class": {"system": _ACT, "code": class_}, "type": [*types, *([concept] if concept else [])], "subject": paper.subject,
        "period": period, "serviceProvider": paper.organization(), "participant": [{"individual": doctor}] if doctor else [],
        "location": [{"location": {"display": where}}] if where else [],
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def sender_of(root: Element) -> tuple[str, str]:
    """The number and the name of the institution that keeps the document; either may be empty."""
    keeper = first(root, "custodian/assignedCustodian/representedCustodianOrganization")
    number = attribute(keeper, "id", "extension") or attribute(keeper, "id", "root")
    name = text(keeper, "name")
    return number or name, name
