"""Documents of the record for others: what the record has of a visit, or of a whole life, as a document of WS/T 483."""

from __future__ import annotations

from typing import Any

from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.commons.exchange.decisions.cda.building import Built, build, rows_of
from kangyun.commons.exchange.decisions.cda.headings import Edition, id_number_of
from kangyun.commons.exchange.decisions.cda.picking import Named, Record, types_of
from kangyun.commons.exchange.decisions.cda.sheet import DOCUMENTS, documents
from kangyun.commons.population import identities

# What belongs to a life and not to one visit, whenever it was told.
_OF_A_LIFE = {"AllergyIntolerance", "Immunization", "FamilyMemberHistory"}
_PATIENT = {"AllergyIntolerance", "Immunization", "FamilyMemberHistory", "Encounter"}
_AT_VISIT = {"MedicationStatement": "context"}
_MOST = 1000


async def document_of(handle: Handle, code: str, patient_id: str, edition: Edition, *, visit_id: str = "") -> Built:
    """A document of WS/T 483 about a resident; of one visit, the newest of its kind unless it is named.

    Raises Problem: 404 for a document, a resident or a visit that is not there.
    """
    rule = documents().get(code)
    if rule is None:
        raise refuse(404, "not-found", "exchange.no-such-document")
    patient = await handle.read("Patient", patient_id)
    if patient is None:
        raise refuse(404, "not-found", "exchange.no-such-resident")
    ids = await identities(handle, patient_id)
    visit = await _visit(handle, code, ids, visit_id, str(rule.body.get("fits", ""))) if rule.body.get("visit") else None
    resources = await _resources(handle, types_of(rows_of(rule)), ids, visit)
    keeper = await _named(handle, (visit or {}).get("serviceProvider"))
    author = await _named(handle, next((one.get("individual") for one in (visit or {}).get("participant", [])), None))
    whole = await _completed(handle, patient, ids)
    return build(rule, Record(whole, resources, visit, author, keeper if keeper.name else _REGION), edition)


_REGION = Named("", "区域全民健康信息平台")


async def _completed(handle: Handle, patient: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    """The Patient with what others of the same person know, where this one does not: the number, the address, the telephone."""
    whole = dict(patient)
    for other in [one for id_ in ids[1:] if (one := await handle.read("Patient", id_))]:
        if not id_number_of(whole) and id_number_of(other):
            whole["identifier"] = [*whole.get("identifier", []), *other["identifier"]]
        for name in ("name", "gender", "birthDate", "address", "telecom", "maritalStatus", "extension"):
            if not whole.get(name) and other.get(name):
                whole[name] = other[name]
    return whole


async def _visit(handle: Handle, code: str, ids: list[str], visit_id: str, fits: str) -> dict[str, Any]:
    if visit_id:
        found = await handle.read("Encounter", visit_id)
        if found is not None and found.get("subject", {}).get("reference") in {f"Patient/{one}" for one in ids}:
            return found
        raise refuse(404, "not-found", "exchange.no-such-visit")
    whose = ("subject", ",".join(f"Patient/{one}" for one in ids))
    kinds = [("type", f"{DOCUMENTS}|{code}"), *([("class", fits)] if fits else [])]
    found = [one for kind in kinds for one in (await handle.search("Encounter", [whose, kind, ("_count", "100")])).resources]
    living = [one for one in found if one.get("status") not in {"entered-in-error", "cancelled"}]
    if not living:
        raise refuse(404, "not-found", "exchange.no-such-visit")
    return max(living, key=lambda one: str(one.get("period", {}).get("start", "")))


async def _resources(handle: Handle, types: set[str], ids: list[str], visit: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What may be told: of the visit what was told of it, and of the life what never belongs to one visit."""
    found: list[dict[str, Any]] = []
    for type_ in sorted(types):
        of_life = visit is None or type_ in _OF_A_LIFE or type_ == "Encounter"
        query = [("patient" if type_ in _PATIENT else "subject", ",".join(f"Patient/{one}" for one in ids))]
        if not of_life and visit is not None:
            query = [(_AT_VISIT.get(type_, "encounter"), f"Encounter/{visit['id']}")]
        found += (await handle.search(type_, [*query, ("_count", str(_MOST))])).resources
    return found


async def _named(handle: Handle, reference: dict[str, Any] | None) -> Named:
    """The number and the name of somebody whom a reference points to."""
    if not reference:
        return Named()
    type_, _, id_ = str(reference.get("reference", "")).partition("/")
    found = await handle.read(type_, id_) if id_ and "/" not in id_ else None
    numbers = [str(one["value"]) for one in (found or {}).get("identifier", []) if one.get("value")]
    names: Any = (found or {}).get("name")
    whole = names[0].get("text") if isinstance(names, list) and names else names
    return Named(numbers[0] if numbers else "", str(reference.get("display") or whole or ""))
