"""Appointment/$find: proposed Appointments, the next free first; and who waits how long."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.fhir.parameters import answer, told
from kangyun.support.appointments.api import wire
from kangyun.support.appointments.model import Found
from kangyun.support.appointments.queries import finding

_READ = "records.read"


async def find(request: Request) -> Response:
    """POST [base]/Appointment/$find: kind, department, text (doctor, clinic or symptom), institution, examination, latitude and longitude.

    A Bundle of proposed Appointments, one for each clinic, with its next free sitting; with a place the nearest first.
    """
    asked = await wire.asked(request)
    here = (float(asked.number("latitude", -90, 90)), float(asked.number("longitude", -180, 180))) if "latitude" in asked else None
    wish = finding.Search(
        asked.text("kind") or "outpatient", asked.text("department"), asked.text("text"), asked.text("institution"), asked.text("examination"))
    result = await finding.search(request.state.handle, wish, here)
    return answer(wire.bundle([_proposed(one, km) for one, km in result.found]))


def _proposed(one: Found, km: float | None) -> dict[str, Any]:
    of = one.schedule
    actors = [f"Practitioner/{of.practitioner}"] if of.practitioner else []
    whole: dict[str, Any] = {
        "resourceType": "Appointment", "status": "proposed", "description": of.title,
        "identifier": [{"system": "urn:kangyun:appointments:schedule", "value": of.id}],
        "participant": [{"actor": {"reference": name}, "status": "tentative"} for name in [*actors, f"HealthcareService/{of.service}", f"Location/{of.institution}"]],
    }
    if one.next:
        whole["identifier"].append({"system": "urn:kangyun:appointments:sitting", "value": one.sitting})
        whole["requestedPeriod"] = [{"start": clock.instant(one.next)}]
        whole["comment"] = str(one.free)
    if km is not None:
        whole["extension"] = [{"url": "urn:kangyun:appointments:kilometres", "valueDecimal": round(km, 1)}]
    return whole


async def offers(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$offers: the sittings of a schedule, each with what is free for the caller and when it opens."""
    schedule, found = await finding.offers(request.state.handle, request.path_params["id"])
    rows = [
        {"name": "sitting", "part": [
            {"name": "id", "valueId": one.sitting.id}, {"name": "start", "valueInstant": clock.instant(one.sitting.starts)},
            {"name": "end", "valueInstant": clock.instant(one.sitting.ends)}, {"name": "state", "valueCode": one.sitting.state},
            {"name": "free", "valueInteger": one.free}, {"name": "total", "valueInteger": one.total},
            {"name": "waiting", "valueInteger": one.waiting}, {"name": "opens", "valueInstant": clock.instant(one.opens)}]}
        for one in found
    ]
    return answer(told({"name": "title", "valueString": schedule.title}, *rows))


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route("/fhir/Appointment/$find", find, permission=_READ, methods=["POST"], limit="search"),
        web.route("/fhir/Schedule/{id}/$offers", offers, permission=_READ, methods=["POST"], limit="search"),
    ]
