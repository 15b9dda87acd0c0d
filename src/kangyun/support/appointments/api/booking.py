"""Appointment/$book, $hold, $confirm, $wait, $cancel, $excuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.fhir.parameters import answer
from kangyun.support.appointments.actions import booking, cancelling, holding
from kangyun.support.appointments.actions.sources import source_of
from kangyun.support.appointments.api import wire
from kangyun.support.appointments.model import Wish

# Apps of people reach the record's own permissions only; what the deed itself needs is judged by it.
_WRITE = "records.write"


async def book(request: Request) -> Response:
    """POST [base]/Appointment/$book: slot or sitting; patient (staff must say), order, key. The Appointment, 201.

    The header Idempotency-Key is another way to say the key: a repetition gets the first answer.
    """
    return await _make(request, booking.book)


async def hold(request: Request) -> Response:
    """POST [base]/Appointment/$hold: as $book; an Appointment of status pending, whose number nobody else gets while it is paid for."""
    return await _make(request, booking.hold)


async def confirm(request: Request) -> Response:
    """POST [base]/Appointment/{id}/$confirm, by whoever took the money: the booked Appointment; a second time the same."""
    return answer(await holding.confirm(request.state.handle, request.path_params["id"]))


async def wait(request: Request) -> Response:
    """POST [base]/Appointment/$wait: sitting (or a slot of it), patient, key. An Appointment of status waitlist, 201."""
    return await _make(request, booking.wait)


async def _make(request: Request, act: Callable[..., Awaitable[dict[str, Any]]]) -> Response:
    asked = await wire.asked(request)
    number, sitting = asked.text("slot"), asked.text("sitting")
    if not number and not sitting:
        raise asked.wrong("slot")
    key = asked.text("key") or request.headers.get("idempotency-key", "")[:200]
    wish = Wish(sitting, number, asked.text("order"), key)
    made = await act(request.state.handle, wish, asked.text("patient"), channel=asked.text("channel"), source=source_of(request.app.state.services, request.state.handle))
    return answer(made, 201)


async def cancel(request: Request) -> Response:
    """POST [base]/Appointment/{id}/$cancel: the cancelled Appointment; a second time the same."""
    return answer(await cancelling.cancel(request.state.handle, request.path_params["id"]))


async def excuse(request: Request) -> Response:
    """POST [base]/Appointment/{id}/$excuse: the institution forgives that somebody did not come."""
    return answer(await cancelling.excuse(request.state.handle, request.path_params["id"]))


def routes() -> list[BaseRoute]:
    """The addresses."""
    one = "/fhir/Appointment/{id}"
    return [
        web.route("/fhir/Appointment/$book", book, permission=_WRITE, methods=["POST"], limit="book"),
        web.route("/fhir/Appointment/$hold", hold, permission=_WRITE, methods=["POST"], limit="book"),
        web.route(f"{one}/$confirm", confirm, permission=_WRITE, methods=["POST"]),
        web.route("/fhir/Appointment/$wait", wait, permission=_WRITE, methods=["POST"], limit="book"),
        web.route(f"{one}/$cancel", cancel, permission=_WRITE, methods=["POST"]),
        web.route(f"{one}/$excuse", excuse, permission=_WRITE, methods=["POST"]),
    ]
