"""Reads what a patient summary is made of, under all identities of a person."""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Handle
from kangyun.commons.population.decisions.summary import types
from kangyun.commons.population.queries.persons import identities, person_of

_MOST = "500"


async def whole(handle: Handle, patient_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """The Person (or lone Patient) and the resources of the summary; None when there is no such Patient."""
    patient = await handle.read("Patient", patient_id)
    if patient is None:
        return None
    ids = ",".join(await identities(handle, patient_id))
    found: list[dict[str, Any]] = []
    for kind in types():
        page = await handle.search(kind, [("patient", ids), ("_count", _MOST), ("_sort", "-_lastUpdated")])
        found += page.resources
    person = await person_of(handle, patient_id)
    died = {name: patient[name] for name in ("deceasedBoolean", "deceasedDateTime") if name in patient}
    return ({**person, **died} if person else patient), found
