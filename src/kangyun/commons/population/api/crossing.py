"""Patient/$ihe-pix: the other numbers of a person.

IHE PIXm 3.0, ITI-83: https://profiles.ihe.net/ITI/PIXm/ITI-83.html
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer, told
from kangyun.commons.population.queries import persons_of
from kangyun.commons.population.queries.likeness import holders_of, is_system


async def cross(request: Request) -> Response:
    """GET [base]/Patient/$ihe-pix?sourceIdentifier=system|value&targetSystem=system.

    Parameters with `targetIdentifier` and `targetId` for each. 400 for an unknown system of the source, 404 for an unknown
    identifier, 403 for an unknown target system, 409 when more than one person holds the identifier.
    """
    system, value = _source(request)
    handle, target = request.state.handle, request.query_params.get("targetSystem")
    if not await is_system(handle, system):
        raise refuse(400, "code-invalid", "population.unknown-system", "sourceIdentifier")
    if target is not None and not await is_system(handle, target):
        raise refuse(403, "code-invalid", "population.unknown-system", "targetSystem")
    patients = await holders_of(handle, system, value)
    if not patients:
        raise refuse(404, "not-found", "population.unknown-identifier", "sourceIdentifier")
    placed = await persons_of(handle, [str(one["id"]) for one in patients])
    persons = {placed[one["id"]]["id"] if one["id"] in placed else one["id"] for one in patients}
    if len(persons) > 1:
        raise refuse(409, "multiple-matches", "population.several-persons", "sourceIdentifier")
    return answer(_answer(patients, (system, value), target))


def _source(request: Request) -> tuple[str, str]:
    system, mark, value = request.query_params.get("sourceIdentifier", "").partition("|")
    if not (system and mark and value) or len(request.query_params.getlist("sourceIdentifier")) > 1:
        raise refuse(400, "required", "population.bad-parameter", "sourceIdentifier", name="sourceIdentifier")
    return system, value


def _answer(patients: list[dict[str, Any]], source: tuple[str, str], target: str | None) -> dict[str, Any]:
    numbers: dict[tuple[str, str], dict[str, Any]] = {}
    ids: list[dict[str, Any]] = []
    for patient in patients:
        own = [one for one in patient.get("identifier", []) if target in {None, one.get("system")} and one.get("value")]
        found = {(str(one.get("system")), str(one["value"])): one for one in own}
        found.pop(source, None)
        numbers = {**found, **numbers}
        if found or target is None:
            ids.append({"name": "targetId", "valueReference": {"reference": f"Patient/{patient['id']}"}})
    return told(*({"name": "targetIdentifier", "valueIdentifier": one} for one in numbers.values()), *ids)


def routes() -> list[BaseRoute]:
    """The route of the operation."""
    return [web.route("/fhir/Patient/$ihe-pix", cross, permission="records.read")]
