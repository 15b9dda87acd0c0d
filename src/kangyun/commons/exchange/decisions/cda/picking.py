"""What the record has for each row of a document's rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kangyun.commons.exchange.decisions.cda import codes

_LOINC = "http://loinc.org"
_ERROR = "entered-in-error"
_TYPES = {
    "diagnosis": "Condition", "allergy": "AllergyIntolerance", "medication": "MedicationStatement", "immunization": "Immunization",
    "procedure": "Procedure", "family": "FamilyMemberHistory", "encounter": "Encounter", "report": "DiagnosticReport",
}  # fmt: skip
# Where the record has a diagnosis in no special system it goes under the first of these that the document has.
_ANY_DIAGNOSIS = ("DE05.01.024.00", "DE05.10.080.00", "DE02.10.021.00")
_TIMES = ("effectiveDateTime", "recordedDate", "occurrenceDateTime", "performedDateTime", "dateAsserted", "authoredOn", "date")


@dataclass(frozen=True, slots=True)
class Named:
    """A person or an institution in the header: a number, and a name."""

    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What a document is made of: the resident, the resources it may tell of, the visit it records, who wrote and keeps it."""

    patient: dict[str, Any]
    resources: list[dict[str, Any]]
    visit: dict[str, Any] | None = None
    author: Named = field(default_factory=Named)
    custodian: Named = field(default_factory=Named)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a document's rule, with what the dictionary says of its element (nothing for kinds of entries)."""

    section: str
    element: Mapping[str, Any]
    make: str
    required: bool
    many: bool
    group: str

    @property
    def name(self) -> str:
        """The data element, else the kind of entry."""
        return str(self.element.get("code") or self.make)


def row_of(row: Mapping[str, Any]) -> Row:
    """A row of the rule's table."""
    element = codes.entry(str(row["element"])) if "element" in row else {}
    make = str(row.get("make") or element.get("make") or "")
    return Row(str(row["in"]), element, make, bool(row.get("required")), bool(row.get("many")), str(row.get("group", "")))


def types_of(rows: list[Row]) -> set[str]:
    """The resource types that the rows can tell of."""
    made = {_TYPES[row.make] for row in rows if row.make in _TYPES}
    elsewhere = {str(row.element["to"]).partition(".")[0] for row in rows if row.element.get("to")}
    orders = {"MedicationRequest"} if "MedicationStatement" in made else set[str]()
    return {"Observation", *made, *orders, *(elsewhere - {"Encounter"})}


def picked(rows: list[Row], record: Record) -> list[list[Any]]:
    """For each row what is told under it: resources, or plain values of the visit and the referral; newest first."""
    living = [one for one in record.resources if not _is_error(one)]
    diagnoses = _diagnoses(rows, [one for one in living if one["resourceType"] == "Condition"])
    found = [_for_row(row, record, living, diagnoses.get(row.name, [])) for row in rows]
    return [one if row.many else one[:1] for row, one in zip(rows, found, strict=True)]


def _is_error(resource: dict[str, Any]) -> bool:
    status = resource.get("verificationStatus", {}).get("coding", [{}])[0].get("code")
    return resource.get("status") == _ERROR or status in {_ERROR, "refuted"}


def _for_row(row: Row, record: Record, living: list[dict[str, Any]], diagnoses: list[dict[str, Any]]) -> list[Any]:
    if row.element.get("to"):
        found = _at(str(row.element["to"]), record, living)
        return [] if found in (None, "", [], {}) else [found]
    if row.make == "diagnosis":
        return diagnoses
    if row.make == "medication":
        return _newest([one for one in living if one["resourceType"] in {"MedicationStatement", "MedicationRequest"}])
    if row.make == "encounter":
        own = record.visit["id"] if record.visit and "id" in record.visit else None
        return _newest([one for one in living if one["resourceType"] == "Encounter" and one.get("id") != own and one.get("class", {}).get("code") == "IMP"])
    if row.make:
        return _newest([one for one in living if one["resourceType"] == _TYPES[row.make]])
    return _newest([one for one in living if one["resourceType"] == "Observation" and states(one, row.element)])


def states(observation: dict[str, Any], element: Mapping[str, Any]) -> bool:
    """Whether an Observation states a data element: by its code, or by the same measurement in LOINC."""
    codings = observation.get("code", {}).get("coding", [])
    own = {one.get("code") for one in codings if one.get("system") == codes.ELEMENTS}
    if own:
        return element["code"] in own
    return any(one.get("system") == _LOINC and one.get("code") == element.get("loinc") for one in codings)


def _at(path: str, record: Record, living: list[dict[str, Any]]) -> Any:
    type_, *steps = path.split(".")
    requests = _newest([one for one in living if one["resourceType"] == type_])
    node: Any = record.visit if type_ == "Encounter" else requests[0] if requests else None
    for step in steps:
        if isinstance(node, list):
            node = node[int(step)] if len(node) > int(step) else None
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def _newest(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(resources, key=time_of, reverse=True)


def time_of(resource: dict[str, Any]) -> str:
    """When what a resource tells of happened, for putting in order; nothing where it does not say."""
    period = resource.get("effectivePeriod") or resource.get("performedPeriod") or resource.get("period") or {}
    return str(next((resource[name] for name in _TIMES if resource.get(name)), period.get("start", "")))


def _diagnoses(rows: list[Row], conditions: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Each diagnosis under the row of its code system, the others under the row for any."""
    wanted = {row.name: codes.system_of(str(row.element["values"])) for row in rows if row.make == "diagnosis" and row.element.get("values")}
    anywhere = next((name for name in _ANY_DIAGNOSIS if name in wanted), next(iter(wanted), ""))
    found: dict[str, list[dict[str, Any]]] = {}
    for condition in _newest(conditions):
        systems = {one.get("system") for one in condition.get("code", {}).get("coding", [])}
        name = next((name for name, system in wanted.items() if system in systems), anywhere)
        found.setdefault(name, []).append(condition)
    return found
