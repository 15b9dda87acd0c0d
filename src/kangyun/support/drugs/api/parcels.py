"""Deeds on parcels: POST [base]/SupplyDelivery/id/$deed, for couriers and, when a parcel comes back, for its pharmacy.

pick-up, temperature (`celsius`, `at`), deliver (`code`), fail: courier. take-back (`restock`): pharmacy. address: courier, whom and where.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Parameters, answer, posted
from kangyun.base.fhir.parameters import told as parameters_of
from kangyun.commons.access import Handle
from kangyun.support.drugs.actions import delivery
from kangyun.support.drugs.api.operations import MOST_UNITS, READING, Json
from kangyun.support.drugs.decisions.circulation import limits
from kangyun.support.drugs.model.circulation import Parcel

Deed = Callable[[Handle, str, Parameters], Awaitable[Json]]


def standing(parcel: Parcel) -> Json:
    """Where a parcel stands; which medicine is inside is not said."""
    told: list[Json] = [
        {"name": "parcel", "valueReference": {"reference": f"SupplyDelivery/{parcel.id}"}}, {"name": "state", "valueCode": parcel.state},
        {"name": "changed", "valueInstant": clock.instant(parcel.changed)},
    ]
    within = limits(parcel.storage)
    if within:
        told.append({"name": "celsius", "part": [{"name": "least", "valueDecimal": within[0]}, {"name": "most", "valueDecimal": within[1]}]})
    return parameters_of(*told)


async def pick_up(handle: Handle, id_: str, _body: Parameters) -> Json:
    """Take the parcel along."""
    return standing(await delivery.pick_up(handle, id_))


async def temperature(handle: Handle, id_: str, body: Parameters) -> Json:
    """Log a temperature."""
    at = body.text("at")
    try:
        moment = datetime.fromisoformat(at) if at else None
        aware = moment is None or moment.tzinfo is not None
    except ValueError:
        aware, moment = False, None
    if not aware:
        raise refuse(422, "value", "drugs.wrong-temperature", "Parameters.parameter")
    return standing(await delivery.log_temperature(handle, id_, body.number("celsius", -MOST_UNITS, MOST_UNITS), moment))


async def deliver(handle: Handle, id_: str, body: Parameters) -> Json:
    """Hand the parcel over."""
    return standing(await delivery.deliver(handle, id_, body.text("code")))


async def fail(handle: Handle, id_: str, _body: Parameters) -> Json:
    """Bring the parcel back."""
    return standing(await delivery.fail(handle, id_))


async def take_back(handle: Handle, id_: str, body: Parameters) -> Json:
    """Take a returned parcel in."""
    return standing(await delivery.take_back(handle, id_, restock=body.flag("restock")))


async def address(handle: Handle, id_: str, _body: Parameters) -> Json:
    """To whom and where."""
    told = await delivery.address(handle, id_)
    return parameters_of(*({"name": name, "valueString": value} for name, value in told.items()))


DEEDS: dict[str, tuple[str, Deed]] = {
    "pick-up": ("drugs.deliver", pick_up), "temperature": ("drugs.deliver", temperature), "deliver": ("drugs.deliver", deliver),
    "fail": ("drugs.deliver", fail), "address": ("drugs.deliver", address), "take-back": ("drugs.dispense", take_back),
}


def _endpoint(deed: Deed) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return answer(await deed(request.state.handle, request.path_params["id"], await posted(request, READING)))

    endpoint.__doc__ = deed.__doc__
    return endpoint


def routes() -> list[BaseRoute]:
    """The routes of all deeds."""
    made: list[Any] = [
        web.route(f"/fhir/SupplyDelivery/{{id}}/${name}", _endpoint(deed), permission=permission, methods=["POST"])
        for name, (permission, deed) in DEEDS.items()]
    return made
