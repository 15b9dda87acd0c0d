"""Reads: which Patient of a source identifiers belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kangyun.commons.access import Handle
from kangyun.commons.population.decisions import belongs_together, contradicts, telling
from kangyun.commons.population.decisions.residents import former_number, is_new_number, is_somebody_else
from kangyun.commons.population.decisions.traits import numbers_of
from kangyun.commons.population.model import Ambiguous, Identity
from kangyun.commons.population.queries.placed import own

_MOST_HOPS = 10


async def identify(handle: Handle, patient: dict[str, Any], source: str) -> Identity:
    """Find the Patient of a source that its telling identifiers belong to; merged ones lead to their survivor.

    Raises Ambiguous when they belong to different residents, or to one who cannot be this one.
    """
    found = await holders(handle, telling(patient), source)
    if not found:
        return Identity(None, None)
    if len(found) > 1:
        return _together(patient, found)
    current = found[0]
    if contradicts(current, patient):
        if not is_new_number(current, patient):
            raise Ambiguous("another-number")
        current = former_number(current)
    if is_somebody_else(current, patient):
        raise Ambiguous("another-person")
    return Identity(str(current["id"]), current)


async def holders(handle: Handle, identifiers: Sequence[tuple[str, str]], source: str) -> list[dict[str, Any]]:
    """A source's Patients that hold any of the identifiers, survivors of merges in place of the merged, each once."""
    if not identifiers:
        return []
    asked = {"identifier": [{"system": system, "value": value} for system, value in identifiers]}
    ids = await own(handle.database, source, numbers_of(asked))
    found: dict[str, dict[str, Any]] = {}
    for id_ in ids:
        patient = await handle.read("Patient", id_)
        if patient is not None:
            survivor = await follow(handle, patient)
            found[str(survivor["id"])] = survivor
    return list(found.values())


async def follow(handle: Handle, patient: dict[str, Any]) -> dict[str, Any]:
    """The survivor of a merged Patient, through any number of merges; the Patient itself when it was not merged."""
    seen = {str(patient["id"])}
    for _ in range(_MOST_HOPS):
        following = replaced_by(patient)
        if following is None or following in seen:
            return patient
        seen.add(following)
        successor = await handle.read("Patient", following)
        if successor is None:
            return patient
        patient = successor
    return patient


def replaced_by(patient: dict[str, Any]) -> str | None:
    """The id of the Patient that replaces this one."""
    for link in patient.get("link", []):
        reference = str(link.get("other", {}).get("reference", ""))
        if link.get("type") == "replaced-by" and reference.startswith("Patient/"):
            return reference.removeprefix("Patient/")
    return None


def _together(patient: dict[str, Any], found: list[dict[str, Any]]) -> Identity:
    """Several residents hold what one message says of one: they are one person only if nothing speaks against it."""
    strongest = telling(patient)[0]
    first = next((one for one in found if strongest in _pairs(one)), None)
    if first is None or not all(belongs_together(patient, first, other) for other in found if other is not first):
        raise Ambiguous
    others = tuple(one for one in found if one is not first)
    return Identity(str(first["id"]), first, others)


def _pairs(patient: dict[str, Any]) -> set[tuple[str, str]]:
    return {(str(one.get("system")), str(one.get("value"))) for one in patient.get("identifier", [])}
