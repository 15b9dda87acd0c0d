"""How this room's operations read and answer."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.requests import Request

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Parameters, Reading, posted
from kangyun.base.fhir.parameters import told as parameters_of
from kangyun.support.appointments.model import appointment_of, number_of

_READING = Reading(text=200, code="invalid", key="appointments.bad-parameters")


async def asked(request: Request) -> Parameters:
    """The posted Parameters; an Appointment alone stands for patient, slot and order. Raises Problem 400, 413, 415."""
    given = await posted(request, _READING)
    if "resource" not in given:
        return given
    whole = given.resource()
    if whole.get("resourceType") != "Appointment":
        raise refuse(400, "structure", "appointments.bad-parameters", name="Parameters")
    said = {"slot": number_of(whole), "patient": appointment_of(whole, "Patient")}
    orders = [{"name": "order", "valueReference": one} for one in whole.get("basedOn", ())]
    return Parameters([*({"name": name, "valueString": value} for name, value in said.items() if value), *orders], _READING)


def day(given: Parameters, name: str) -> date | None:
    """A date that may be left out. Raises Problem 400."""
    return given.day(name) if name in given else None


def parameters(**values: Any) -> dict[str, Any]:
    """Parameters of texts, whole numbers and truths; None is left out."""
    return parameters_of(*(_parameter(name, value) for name, value in values.items() if value is not None))


def _parameter(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"name": name, "resource": value}
    kind = "valueBoolean" if isinstance(value, bool) else "valueInteger" if isinstance(value, int) else "valueString"
    return {"name": name, kind: value}


def bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A searchset of resources that are proposals and have no address."""
    whole: dict[str, Any] = {
        "resourceType": "Bundle", "type": "searchset", "meta": {"lastUpdated": clock.instant(clock.now())}, "total": len(resources)}
    if resources:
        whole["entry"] = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return whole
