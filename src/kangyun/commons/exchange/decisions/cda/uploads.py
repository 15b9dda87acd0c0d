"""Which document a change of the record brings up to date at the province. Rule: rules/cda/province.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.cda.sheet import DOCUMENTS, documents

_PACKAGE = "kangyun.commons.exchange"
_NAMESPACE = UUID("5b1c35a4-0a43-5a0e-9c1d-1115c0de2026")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document that is to go up: about whom, which, and of which visit (empty for a whole life)."""

    patient: str
    document: str
    visit: str = ""


def province_url() -> str:
    """Where the province takes documents; empty where nothing is uploaded."""
    return str(_rule().value.get("url") or "")


def key_variable() -> str:
    """The environment variable that holds the province's key."""
    return str(_rule().value.get("key_variable") or "")


def _rule() -> Rule:
    return rules.load(_PACKAGE, "cda/province.yaml")


def listened() -> set[str]:
    """The resource types whose changes bring documents up to date; none where nothing is uploaded."""
    return {str(row["type"]) for row in _rule().table} if province_url() else set()


def wanted(resource: dict[str, Any]) -> Wanted | None:
    """The document that a resource brings up to date, or None."""
    type_ = str(resource.get("resourceType"))
    row = next((one for one in _rule().table if one["type"] == type_ and _fits(one, resource)), None)
    patient = _patient(resource)
    if row is None or not patient or resource.get("status") == "entered-in-error":
        return None
    if type_ == "Composition":
        return _document_itself(resource, patient)
    if type_ == "Encounter":
        own = _code(resource.get("type", []))
        return None if own in documents() or resource.get("status") != "finished" else Wanted(patient, str(row["document"]), str(resource["id"]))
    if type_ == "Patient" and resource.get("active") is False:
        return None
    return Wanted(patient, str(row["document"]))


def _fits(row: Any, resource: dict[str, Any]) -> bool:
    return "class" not in row or resource.get("class", {}).get("code") == row["class"]


def _patient(resource: dict[str, Any]) -> str:
    if resource.get("resourceType") == "Patient":
        return str(resource.get("id", ""))
    reference = str((resource.get("subject") or resource.get("patient") or {}).get("reference", ""))
    return reference.removeprefix("Patient/") if reference.startswith("Patient/") else ""


def _document_itself(resource: dict[str, Any], patient: str) -> Wanted | None:
    code = _code([resource.get("type", {})])
    if code not in documents():
        return None
    visit = str(resource.get("encounter", {}).get("reference", "")).removeprefix("Encounter/")
    return Wanted(patient, code, visit if documents()[code].body.get("visit") else "")


def _code(concepts: list[dict[str, Any]]) -> str:
    codings = (coding for concept in concepts for coding in concept.get("coding", []))
    return next((str(one.get("code")) for one in codings if one.get("system") == DOCUMENTS), "")


def set_of(person: str, document: str, visit: str) -> str:
    """The identity that a document keeps through all its versions at the province."""
    return str(uuid5(_NAMESPACE, f"{person}|{document}|{visit}"))


def check_example(_: Rule, given: dict[str, Any]) -> list[str] | None:
    """The verdict of a worked example: patient, document, visit."""
    found = wanted(given)
    return [found.patient, found.document, found.visit] if found else None
