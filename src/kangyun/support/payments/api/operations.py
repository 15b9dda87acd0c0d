"""Operations on an Invoice: make an order, pay it, ask how it stands, cancel it, give back."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, money, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Reading, answer, posted
from kangyun.base.fhir.parameters import told as parameters_of
from kangyun.base.money import Fen
from kangyun.support.payments import actions
from kangyun.support.payments.actions.placing import place
from kangyun.support.payments.actions.standing import MANAGE, PAY
from kangyun.support.payments.decisions.resources import invoice
from kangyun.support.payments.model import Line, Order, Refund

_READING = Reading(body=200_000, text=500, status=422, code="value", key="payments.wrong-field", shape=False)
_KIND = "urn:kangyun:payments:line-kind"
_CODE = "urn:kangyun:payments:line"


async def order(request: Request) -> Response:
    """POST [base]/Invoice/$order with a draft Invoice (subject, issuer, lineItem); header Idempotency-Key.

    For a clerk of the institution that issues it. 201 with the Invoice, issued, whose id is the order's.
    """
    given = await posted(request, _READING)
    draft = given.resource("invoice") or given.resource()
    if draft.get("resourceType") != "Invoice":
        raise _wrong("invoice")
    lines = [_line(place, item) for place, item in enumerate(_items(draft))]
    key = request.headers.get("idempotency-key", "")
    made = await place(request.state.handle, _id(draft, "subject", "Patient"), _id(draft, "issuer", "Organization"), lines, key)
    return answer(invoice(made), 201, {"location": f"/fhir/Invoice/{made.id}"})


async def pay(request: Request) -> Response:
    """POST [base]/Invoice/[id]/$pay: channel, scene (phone, desktop), total (Money, what the payer was shown).

    Parameters: link, payment, state, expires. An order that is paid already has no link.
    """
    given = await posted(request, _READING)
    scene = given.text("scene", "phone")
    if scene not in {"phone", "desktop"}:
        raise given.wrong("scene")
    total = given.money("total") if "total" in given else None
    address = request.client.host if request.client else ""
    link = await actions.pay(
        request.app.state.services, request.state.handle, request.path_params["id"], given.text("channel", needed=True), scene, total_fen=total, address=address)  # pyright: ignore[reportArgumentType] - one of the two words
    return _parameters(
        link={"valueUri": link.link}, payment={"valueString": link.payment}, state={"valueCode": link.state},
        expires={"valueInstant": clock.instant(link.expires)})


async def ask(request: Request) -> Response:
    """POST [base]/Invoice/[id]/$ask: how the order stands, after the channels were asked. Parameters: state, total, paid, refunded."""
    return _told(await actions.ask(request.app.state.services, request.state.handle, request.path_params["id"]))


async def cancel(request: Request) -> Response:
    """POST [base]/Invoice/[id]/$cancel: nobody can pay the order any more. Parameters: state."""
    state = await actions.cancel(request.app.state.services, request.state.handle, request.path_params["id"])
    return _parameters(state={"valueCode": state})


async def refund(request: Request) -> Response:
    """POST [base]/Invoice/[id]/$refund: amount (Money), key, reason. A clerk grants it, a payer asks for it.

    Parameters: refund, state, amount. The same key gives the same refund again.
    """
    given = await posted(request, _READING)
    wish = (request.path_params["id"], given.money("amount"), given.text("key", needed=True), given.text("reason"))
    handle = request.state.handle
    act = actions.refund if handle.may(MANAGE) or handle.actor.role == "system" else actions.ask_refund
    return _told_refund(await act(handle, *wish))


def _wrong(field: str) -> Exception:
    return refuse(422, "value", "payments.wrong-field", field, name=field)


def _id(draft: Mapping[str, Any], name: str, type_: str) -> str:
    reference = draft.get(name)
    told = str(reference.get("reference", "")) if isinstance(reference, dict) else ""
    if not told.startswith(f"{type_}/"):
        raise _wrong(name)
    return told.removeprefix(f"{type_}/")


def _items(draft: Mapping[str, Any]) -> list[Any]:
    items = draft.get("lineItem")
    if not isinstance(items, list):
        raise _wrong("lineItem")
    return items


def _line(place_: int, item: Any) -> Line:
    """A line of a draft: its code and kind by our systems, its base price with a factor."""
    try:
        concept, price = item["chargeItemCodeableConcept"], item["priceComponent"][0]
        codes = {one.get("system"): str(one["code"]) for one in concept.get("coding", ())}
        quantity = Decimal(str(price.get("factor", 1)))
        unit = Decimal(money.from_fhir(price["amount"])) / quantity
        return Line(codes.get(_CODE, "item"), str(concept["text"]), _whole(unit), quantity, codes.get(_KIND, "other"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, InvalidOperation, ArithmeticError):
        raise _wrong(f"lineItem[{place_}]") from None


def _whole(unit: Decimal) -> Fen:
    if unit != unit.to_integral_value():
        raise ValueError("a price in parts of a fen")
    return int(unit)


def _parameters(**told: Mapping[str, Any]) -> Response:
    parameter = [{"name": name, **value} for name, value in told.items() if all(one not in {"", None} for one in map(_plain, value.values()))]
    return answer(parameters_of(*parameter))


def _plain(value: Any) -> Any:
    return "whole" if isinstance(value, dict) else value


def _told(one: Order) -> Response:
    return _parameters(
        state={"valueCode": one.state}, total={"valueMoney": money.to_fhir(one.total_fen)}, paid={"valueMoney": money.to_fhir(one.paid_fen)},
        refunded={"valueMoney": money.to_fhir(one.refunded_fen)})


def _told_refund(one: Refund) -> Response:
    return _parameters(refund={"valueString": one.id}, state={"valueCode": one.state}, amount={"valueMoney": money.to_fhir(one.amount_fen)})


def routes() -> list[BaseRoute]:
    """The operations; whose order it is, the action judges."""
    return [
        web.route("/fhir/Invoice/$order", order, permission=MANAGE, methods=["POST"]),
        web.route("/fhir/Invoice/{id}/$pay", pay, permission=PAY, methods=["POST"]),
        web.route("/fhir/Invoice/{id}/$ask", ask, permission=PAY, methods=["POST"]),
        web.route("/fhir/Invoice/{id}/$cancel", cancel, permission=PAY, methods=["POST"]),
        web.route("/fhir/Invoice/{id}/$refund", refund, permission=PAY, methods=["POST"]),
    ]
