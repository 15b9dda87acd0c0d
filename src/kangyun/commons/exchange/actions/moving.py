"""A visit that was written under the wrong patient: what belongs to it moves with it (ADT A45).

Only the sender's own word does this, and only between its own patients; the versions before stay in the history.
"""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Handle, Write
from kangyun.commons.exchange.decisions.drafts import Sheet

_EVENTS = {"A45"}
# Resource type, search parameter of the visit, element of the patient.
_BELONGS = (
    ("Observation", "encounter", "subject"), ("DiagnosticReport", "encounter", "subject"),
    ("Condition", "encounter", "subject"), ("Procedure", "encounter", "subject"),
    ("ServiceRequest", "encounter", "subject"), ("MedicationRequest", "encounter", "subject"),
    ("MedicationAdministration", "context", "subject"), ("MedicationDispense", "context", "subject"),
    ("DocumentReference", "encounter", "subject"), ("ChargeItem", "context", "subject"),
)  # fmt: skip
_AT_ONCE = 200


async def moved(handle: Handle, sheet: Sheet, resident: str) -> list[Write]:
    """The writes that take what stands under the visit of the message to its resident; none for other messages."""
    if sheet.message.event not in _EVENTS or sheet.visit is None:
        return []
    visit, owner = sheet.visit.reference["reference"], f"Patient/{resident}"
    writes: list[Write] = []
    for type_, parameter, element in _BELONGS:
        for resource in await _all(handle, type_, parameter, visit):
            if resource.get(element, {}).get("reference") != owner:
                news = {**resource, element: {"reference": owner}}
                writes.append(Write("update", type_, news, id=str(resource["id"]), if_match=int(resource["meta"]["versionId"])))
    return writes


async def _all(handle: Handle, type_: str, parameter: str, visit: str) -> list[dict[str, Any]]:
    query: Any = [(parameter, visit), ("_count", str(_AT_ONCE))]
    found: list[dict[str, Any]] = []
    while query:
        page = await handle.search(type_, query)
        found += page.resources
        query = page.next
    return found
