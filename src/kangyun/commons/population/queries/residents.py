"""Reads: whom identifiers belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kangyun.commons.access import Handle
from kangyun.commons.population.decisions import belongs_together, contradicts, telling
from kangyun.commons.population.model import Ambiguous, Identity

_MOST_HOPS = 10
_MOST_FOUND = "50"


async def identify(handle: Handle, patient: dict[str, Any]) -> Identity:
    """Find the resident whom the telling identifiers of a Patient belong to; merged ones lead to their survivor.

    Raises Ambiguous when they belong to different residents, or to one who cannot be this one.
    """
    found = await holders(handle, telling(patient))
    if not found:
        return Identity(None, None)
    if len(found) > 1:
        return _together(patient, found)
    current = found[0]
    if contradicts(current, patient):
        raise Ambiguous
    return Identity(str(current["id"]), current)


async def holders(handle: Handle, identifiers: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The residents who hold any of the identifiers, survivors of merges in place of the merged, each once."""
    if not identifiers:
        return []
    value = ",".join(f"{_escaped(system)}|{_escaped(value)}" for system, value in identifiers)
    page = await handle.search("Patient", [("identifier", value), ("_count", _MOST_FOUND)])
    found: dict[str, dict[str, Any]] = {}
    for patient in page.resources:
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


def _escaped(text: str) -> str:
    for sign in ("\\", "|", ",", "$"):
        text = text.replace(sign, f"\\{sign}")
    return text
