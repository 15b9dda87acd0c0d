"""The cells of the policy: a world with one resident in each relation to somebody, and what the rules say of each cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kangyun.base.fhir import definitions
from kangyun.commons.access import Actor
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.decisions.policy import Where
from kangyun.commons.access.decisions.sight import addressees
from kangyun.commons.access.tests import smallest

HOUSE, PRACTITIONER = "m-house", "m-me"
# own: the caller's own record. institution, consortium: kept by an institution below the caller's, or by another of its
# consortium. encounter to booking: known to the caller's institution or person. supply: an errand of the caller in
# person, and what is addressed to the institution. expired: a visit of long ago. none: nothing at all.
RELATIONS = ("own", "institution", "consortium", "encounter", "contract", "team", "referral", "task", "booking", "supply", "expired", "none")
# Of a resource of no resident: kept by nobody the caller knows, or by the caller's institution.
PLACES = ("-", "kept")
_KEEPERS = {"institution": "m-below", "consortium": "m-mate"}
_READING = {"read", "search", "history"}
# A sensitive class by its type, closed unless opened; and what a resident decided, which would tell what is withheld.
_CLOSED = {"MolecularSequence"}
_TELLING = {"Consent"}


def actor(role: str) -> Actor:
    """Somebody of a role, at the institution in the middle of the world."""
    found = policy.roles()[role]
    person = "Person-own" if found.kind == "resident" else None
    return Actor(
        f"user/{role}", role, HOUSE, PRACTITIONER, person, account=f"m-{role}", purpose=found.purposes[0] if found.purposes else "care")


def relations(type_: str) -> tuple[str, ...]:
    """The relations in which a resource of a type may stand."""
    return RELATIONS if type_ in definitions.load().compartment_patient else PLACES


def name(type_: str, relation: str) -> str:
    """The id of the resource of a cell."""
    return f"{type_}-{ {'-': 'nobody'}.get(relation, relation) }"


def may(role: str, interaction: str, type_: str, relation: str) -> bool:
    """What the rules say of a cell."""
    if not policy.may_enter(role, "records.read" if interaction in _READING else "records.write"):
        return False
    found = policy.wheres(role, interaction).get(type_, ())
    return any(_holds(where, role, type_, relation) for where in found)


def _holds(where: Where, role: str, type_: str, relation: str) -> bool:
    kind = "task" if relation == "supply" else relation
    match where.place:
        case "any":
            return True
        case "own":
            return relation == "own" and policy.roles()[role].kind == "resident"
        case "care":
            return kind in where.kinds and type_ not in _CLOSED | _TELLING
        case "own-care":
            return relation in {"supply", "booking"} and kind in where.kinds and type_ not in _CLOSED | _TELLING
        case "institution":
            return (relation == "institution" and type_ not in _TELLING) or (relation == "kept" and type_ in KEPT)
        case "consortium":
            # The institutions of one's own are of one's consortium; how they relate to it, only those of the world do.
            return relation in {"institution", "consortium"} and type_ not in _CLOSED | _TELLING
        case "addressed":
            return relation in {"supply", "kept"} and type_ in addressees()
        case "document":
            return False  # No document of this world names a file.
        case _:
            raise AssertionError(where)


def resource(type_: str, relation: str, id_: str = "") -> dict[str, Any]:
    """The resource of a cell, or another one like it."""
    if type_ == "Patient":
        return _patient(relation, id_ or name("Patient", relation))
    resident = type_ in definitions.load().compartment_patient
    made = smallest.resource(type_, id_ or name(type_, relation), name("Patient", relation) if resident else None)
    if relation in {"supply", "kept"}:
        _address(made)
    return made


def _patient(relation: str, id_: str) -> dict[str, Any]:
    keeper = {"reference": f"Organization/{_KEEPERS.get(relation, 'm-elsewhere')}"}
    return {"resourceType": "Patient", "id": id_, "gender": "female", "managingOrganization": keeper}


_ADDRESSED: dict[str, Any] = {
    "Claim": "insurer", "ClaimResponse": "insurer", "Coverage": ["payor"], "MedicationRequest": {"dispenseRequest": "performer"},
    "SupplyRequest": ["supplier"], "SupplyDelivery": "supplier", "Communication": ["recipient"], "CommunicationRequest": ["recipient"],
    "ServiceRequest": ["performer"], "MedicationDispense": {"performer": ["actor"]}, "ExplanationOfBenefit": {"payee": "party"},
    # Kept, where nobody's record holds it.
    "PractitionerRole": "organization", "Location": "managingOrganization", "HealthcareService": "providedBy", "Device": "owner",
    "Endpoint": "managingOrganization", "OrganizationAffiliation": "organization", "Task": "owner", "Organization": "partOf",
}
KEPT = {"PractitionerRole", "Location", "HealthcareService", "Device", "Endpoint", "OrganizationAffiliation", "Task", "Organization"}
_FILLING = {"dispenseRequest": {}, "payee": {"type": {"text": "x"}}, "performer": {}}


def _address(made: dict[str, Any]) -> None:
    where, house = _ADDRESSED.get(made["resourceType"], ""), {"reference": f"Organization/{HOUSE}"}
    if isinstance(where, dict):
        [(outer, inner)] = where.items()
        if isinstance(inner, list):
            made[outer] = [{"actor": house}]
        else:
            made[outer] = {**_FILLING[outer], inner: house}
    elif isinstance(where, list):
        made[where[0]] = [house]
    elif where:
        made[where] = house


def world() -> Iterator[dict[str, Any]]:
    """Everything that is there, those who are referred to first."""
    for id_, parent in (("m-group", ""), (HOUSE, "m-group"), ("m-below", HOUSE), ("m-mate", "m-group"), ("m-elsewhere", "")):
        part = {"partOf": {"reference": f"Organization/{parent}"}} if parent else {}
        yield {"resourceType": "Organization", "id": id_, "name": id_, **part}
    yield {"resourceType": "Practitioner", "id": PRACTITIONER}
    for type_ in ("Patient", *(one for one in smallest.types() if one != "Patient")):
        for relation in relations(type_):
            yield resource(type_, relation)
    # About an institution and nobody's health.
    yield smallest.resource("MeasureReport", "MeasureReport-nobody", None)
    yield from _causes()


def _causes() -> Iterator[dict[str, Any]]:
    """What relates the caller's institution, or the caller in person, to residents."""
    house, me = {"reference": f"Organization/{HOUSE}"}, {"reference": f"Practitioner/{PRACTITIONER}"}
    yield _cause("Encounter", "encounter") | {"status": "in-progress", "serviceProvider": house}
    yield _cause("Encounter", "expired") | {"status": "finished", "serviceProvider": house, "period": {"start": "2019-01-01", "end": "2019-01-02"}}
    yield _cause("EpisodeOfCare", "contract") | {"status": "active", "managingOrganization": house}
    yield _cause("CareTeam", "team") | {"status": "active", "participant": [{"member": house}]}
    yield _cause("ServiceRequest", "referral") | {"status": "active", "performer": [house]}
    yield _cause("Task", "task") | {"status": "requested", "owner": house, "for": _whose("task")}
    yield _cause("Task", "supply") | {"status": "requested", "owner": me, "for": _whose("supply")}
    both = [{"actor": one, "status": "accepted"} for one in (_whose("booking"), me)]
    yield _cause("Appointment", "booking") | {"status": "booked", "participant": both, "start": "2026-01-01T08:00:00Z", "end": "2026-01-01T08:10:00Z"}


def _whose(relation: str) -> dict[str, str]:
    return {"reference": f"Patient/{name('Patient', relation)}"}


def _cause(type_: str, relation: str) -> dict[str, Any]:
    resident = type_ in definitions.load().compartment_patient
    return smallest.resource(type_, f"cause-{relation}", name("Patient", relation) if resident else None)
