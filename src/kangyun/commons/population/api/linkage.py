"""Linkage: which Patients are one person, computed from the Person above them; nobody writes it.

FHIR R4: https://hl7.org/fhir/R4/linkage.html
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer
from kangyun.commons.access import Handle
from kangyun.commons.population.decisions.linkage import linkage_of
from kangyun.commons.population.queries import persons_of

_MOST = 100


async def read(request: Request) -> Response:
    """GET [base]/Linkage/[id of a Person]."""
    handle = request.state.handle
    person = await handle.read("Person", request.path_params["id"])
    if person is None:
        raise refuse(404, "not-found", "population.not-placed")
    return answer(await _linkage(handle, person))


async def search(request: Request) -> Response:
    """GET [base]/Linkage?item=Patient/7 or source=Person/1 or _id=1, each with commas for several."""
    handle, asked = request.state.handle, request.query_params
    persons: dict[str, dict[str, Any]] = {}
    for reference in _asked(asked.get("item")) + _asked(asked.get("source")) + [f"Person/{one}" for one in _asked(asked.get("_id"))]:
        person = await _person(handle, reference)
        if person is not None:
            persons[str(person["id"])] = person
    if not {"item", "source", "_id"} & set(asked):
        raise refuse(400, "required", "population.bad-parameter", "item", name="item")
    found = [await _linkage(handle, person) for person in persons.values()]
    return answer(_bundle(request, found))


def _asked(value: str | None) -> list[str]:
    return [one for one in (value or "").split(",") if one][:_MOST]


async def _person(handle: Handle, reference: str) -> dict[str, Any] | None:
    type_, _, id_ = reference.rpartition("/")
    if type_.endswith("Person"):
        return await handle.read("Person", id_)
    return (await persons_of(handle, [id_])).get(id_) if type_.endswith("Patient") else None


async def _linkage(handle: Handle, person: dict[str, Any]) -> dict[str, Any]:
    page = await handle.search("Person", [("link", f"Person/{person['id']}"), ("_count", str(_MOST))])
    return linkage_of(person, [one for one in page.resources if not one.get("active", True)])


def _bundle(request: Request, found: list[dict[str, Any]]) -> dict[str, Any]:
    base = f"{str(request.base_url).rstrip('/')}/fhir"
    query = f"?{request.url.query}" if request.url.query else ""
    entries = [{"fullUrl": f"{base}/Linkage/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in found]
    whole: dict[str, Any] = {
        "resourceType": "Bundle", "type": "searchset", "meta": {"lastUpdated": clock.instant(clock.now())},
        "total": len(found), "link": [{"relation": "self", "url": f"{base}/Linkage{query}"}],
    }
    return {**whole, "entry": entries} if entries else whole


def routes() -> list[BaseRoute]:
    """The routes of Linkage, before those of any stored type."""
    return [
        web.route("/fhir/Linkage", search, permission="records.read"),
        web.route("/fhir/Linkage/{id}", read, permission="records.read"),
    ]
