"""A resident's record as a plain list of what happened, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

# Where each type keeps its moment and what it is about.
_WHEN = {
    "Encounter": ("period.start",), "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.start", "issued"),
    "MedicationRequest": ("authoredOn",), "Immunization": ("occurrenceDateTime",), "DocumentReference": ("date",),
}
_WHAT = {
    "Encounter": ("reasonCode", "serviceType", "type"), "DiagnosticReport": ("code",),
    "MedicationRequest": ("medicationCodeableConcept",), "Immunization": ("vaccineCode",), "DocumentReference": ("type",),
}
_WHO = ("serviceProvider", "performer", "custodian", "requester", "location")

TYPES = tuple(_WHEN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: `kind` is a resource type, `when` a FHIR dateTime."""

    kind: str
    when: str
    what: str
    where: str


def entries(resources: Iterable[Node]) -> list[Entry]:
    """The list; what has no date comes last."""
    found = [_entry(one) for one in resources if one.get("status") != "entered-in-error"]
    return sorted(found, key=lambda one: one.when, reverse=True)


def _entry(one: Node) -> Entry:
    kind = str(one["resourceType"])
    when = next((text for path in _WHEN[kind] if (text := _text_at(one, path))), "")
    what = next((text for name in _WHAT[kind] if (text := _concept(one.get(name)))), "")
    where = next((text for name in _WHO if (text := _display(one.get(name)))), "")
    return Entry(kind, when, what, where)


def _text_at(node: Any, path: str) -> str:
    for name in path.split("."):
        node = node.get(name, {}) if isinstance(node, dict) else {}
    return node if isinstance(node, str) else ""


def _concept(node: Any) -> str:
    if isinstance(node, list):
        return next((text for one in node if (text := _concept(one))), "")
    if not isinstance(node, dict):
        return ""
    return str(node.get("text") or next((one["display"] for one in node.get("coding", []) if one.get("display")), ""))


def _display(node: Any) -> str:
    if isinstance(node, list):
        return next((text for one in node if (text := _display(one))), "")
    if not isinstance(node, dict):
        return ""
    return str(node.get("display") or _display(node.get("actor")) or "")
