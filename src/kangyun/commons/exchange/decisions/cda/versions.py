"""Versions of a document: what a newer one supersedes, and what it takes back."""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Write
from kangyun.commons.exchange.decisions.cda.translate import VERSION

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_STATUS = {
    "Observation", "MedicationStatement", "MedicationRequest", "Immunization", "Procedure", "FamilyMemberHistory", "DiagnosticReport",
    "ServiceRequest", "Coverage", "Consent", "DeviceUseStatement", "DeviceRequest",
}  # fmt: skip
# FHIR con-5 and ait-2: an entry that was an error has no clinical status.
_VERIFICATION = {"Condition": "condition-ver-status", "AllergyIntolerance": "allergyintolerance-verification"}


def version_of(composition: dict[str, Any]) -> int:
    """The version of the document that a Composition was made of; 0 where it does not say."""
    for one in composition.get("extension", []):
        if one.get("url") == VERSION and str(one.get("valueString", "")).isdecimal():
            return int(one["valueString"])
    return 0


def entries_of(composition: dict[str, Any]) -> set[str]:
    """What the sections of a Composition refer to, as Type/id."""
    found: set[str] = set()
    for section in composition.get("section", []):
        found |= {str(one["reference"]) for one in section.get("entry", []) if one.get("reference")}
        found |= entries_of(section)
    return found


def superseded(references: list[dict[str, Any]]) -> list[Write]:
    """Earlier entries of a document that is now replaced."""
    return [_update({**one, "status": "superseded"}) for one in references]


def taken_back(resource: dict[str, Any]) -> Write | None:
    """A statement of an earlier version that the newer one no longer makes: an error, which its history still shows."""
    type_ = str(resource["resourceType"])
    if type_ in _STATUS and resource.get("status") != "entered-in-error":
        return _update({**resource, "status": "entered-in-error"})
    if type_ in _VERIFICATION:
        status = {"coding": [{"system": _TERMINOLOGY + _VERIFICATION[type_], "code": "entered-in-error"}]}
        return _update({name: part for name, part in {**resource, "verificationStatus": status}.items() if name != "clinicalStatus"})
    return None


def _update(resource: dict[str, Any]) -> Write:
    return Write("update", str(resource["resourceType"]), resource, id=str(resource["id"]), if_match=int(resource["meta"]["versionId"]))
