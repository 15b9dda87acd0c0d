"""Operations of the checkout: what it comes to, confirming it, giving it up.

    POST /fhir/Encounter/<id>/$fee                     Parameters of the figure
    POST /fhir/Encounter/<id>/$checkout                Parameters seal -> Invoice, whose id is that of the order
    POST /fhir/MedicationRequest/$estimate             Parameters number -> Parameters of the figure
    POST /fhir/MedicationRequest/$checkout             Parameters number, seal -> Invoice
    POST /fhir/MedicationRequest/$give-up              Parameters number -> Parameters of the figure with its state
    POST /fhir/Appointment/<id>/$checkout              of a number that is held -> Invoice

Parameters of a figure: total, fund, serious, supplement, aid, account, cash (Money), seal, and state where it was confirmed.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import money, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Parameters, Reading, answer, posted, told
from kangyun.care.internet_hospital.actions import checkout, numbers, quoting
from kangyun.care.internet_hospital.actions.quoting import Shown, acting
from kangyun.care.internet_hospital.decisions.checkout import PARTS
from kangyun.care.internet_hospital.queries.checkout import Checkout
from kangyun.commons.access import Handle

_READING = Reading(code="required", key="internet_hospital.no-parameter")


async def fee(request: Request) -> Response:
    """Tell what a consultation costs."""
    return _figure(await quoting.visit(request.state.handle, request.path_params["id"]))


async def visit(request: Request) -> Response:
    """Confirm the fee of a consultation."""
    asked = await posted(request, _READING)
    shown = await quoting.visit(request.state.handle, request.path_params["id"])
    return await _confirmed(request.state.handle, shown, asked)


async def number(request: Request) -> Response:
    """The order of a held number; what it comes to is the fee of its schedule."""
    handle = request.state.handle
    made = await numbers.order_for(handle, request.path_params["id"])
    return answer(await acting(handle).read("Invoice", made.id) or {})


async def estimate(request: Request) -> Response:
    """Tell what a prescription comes to."""
    asked = await posted(request, _READING)
    return _figure(await quoting.medicine(request.app.state.services, request.state.handle, asked.text("number", needed=True)))


async def medicine(request: Request) -> Response:
    """Confirm what a prescription comes to."""
    asked = await posted(request, _READING)
    shown = await quoting.medicine(request.app.state.services, request.state.handle, asked.text("number", needed=True))
    return await _confirmed(request.state.handle, shown, asked)


async def give_up(request: Request) -> Response:
    """Give up a prescription's checkout; what was paid goes back."""
    asked, handle, services = await posted(request, _READING), request.state.handle, request.app.state.services
    shown = await quoting.medicine(services, handle, asked.text("number", needed=True))
    if shown.checkout is None:
        raise refuse(404, "not-found", "internet_hospital.no-checkout")
    ended = await checkout.cancel(services, acting(handle), shown.checkout, "resident", "internet_hospital.given-up")
    return _figure(Shown(shown.wish, ended))


async def _confirmed(handle: Handle, shown: Shown, asked: Parameters) -> Response:
    made = await quoting.confirm(handle, shown, asked.text("seal", needed=True))
    invoice = await acting(handle).read("Invoice", made.order_id or "")
    if invoice is None:
        raise refuse(404, "not-found", "internet_hospital.no-checkout")
    return answer(invoice)


def _figure(shown: Shown) -> Response:
    quote, kept = shown.wish.quote, shown.checkout
    amounts = {"total": quote.total, **{name: quote.parts[name] for name in PARTS}}
    parameters: list[dict[str, Any]] = [{"name": name, "valueMoney": money.to_fhir(fen)} for name, fen in amounts.items()]
    parameters.append({"name": "seal", "valueString": quote.seal})
    parameters += [{"name": name, "valueString": value} for name, value in _standing(kept).items() if value]
    return answer(told(*parameters))


def _standing(kept: Checkout | None) -> dict[str, str]:
    return {"state": kept.state, "invoice": kept.order_id or "", "reason": kept.reason or ""} if kept else {}


def routes() -> list[BaseRoute]:
    """The routes of the checkout; what a resident may is judged inside."""
    paths = {"/fhir/Encounter/{id}/$fee": fee, "/fhir/Encounter/{id}/$checkout": visit, "/fhir/MedicationRequest/$estimate": estimate,
             "/fhir/MedicationRequest/$checkout": medicine, "/fhir/MedicationRequest/$give-up": give_up, "/fhir/Appointment/{id}/$checkout": number}
    return [web.route(path, endpoint, permission="records.read", methods=["POST"]) for path, endpoint in paths.items()]
