"""Receiving: Appointment/$check-in, $call-next, and {id}/$check-in, $call, $pass, $finish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.fhir.parameters import answer
from kangyun.commons.access import Handle
from kangyun.support.appointments.actions import receiving
from kangyun.support.appointments.api import wire
from kangyun.support.appointments.model import Booking

_RECEIVE = "appointments.receive"


async def check_in(request: Request) -> Response:
    """POST [base]/Appointment/$check-in: code of a health card (terminal, pin), or patient. Parameters: appointment, sitting, place, state."""
    asked = await wire.asked(request)
    code = asked.text("code")
    if code:
        found = await receiving.receive_by_card(
            request.state.handle, request.app.state.services.keys, code, asked.text("terminal"), asked.text("pin"))
    else:
        found = await receiving.receive_next(request.state.handle, asked.text("patient", needed=True))
    return answer(_told(found))


async def call_next(request: Request) -> Response:
    """POST [base]/Appointment/$call-next: sitting. The one who is called, or Parameters without an appointment."""
    asked = await wire.asked(request)
    found = await receiving.call_next(request.state.handle, asked.text("sitting", needed=True))
    return answer(_told(found) if found else wire.parameters(state="empty"))


def _told(found: Booking) -> dict[str, Any]:
    return wire.parameters(appointment=found.appointment, sitting=found.sitting, place=found.place, state=found.state)


def _deed(act: Callable[[Handle, str], Awaitable[Booking]], about: str) -> Callable[[Request], Awaitable[Response]]:
    async def deed(request: Request) -> Response:
        return answer(_told(await act(request.state.handle, request.path_params["id"])))

    deed.__doc__ = about
    return deed


def routes() -> list[BaseRoute]:
    """The addresses."""
    one = "/fhir/Appointment/{id}"
    return [
        web.route("/fhir/Appointment/$check-in", check_in, permission=_RECEIVE, methods=["POST"]),
        web.route("/fhir/Appointment/$call-next", call_next, permission=_RECEIVE, methods=["POST"]),
        web.route(f"{one}/$check-in", _deed(receiving.receive, "Receive somebody."), permission=_RECEIVE, methods=["POST"]),
        web.route(f"{one}/$call", _deed(receiving.call, "Call somebody, or again."), permission=_RECEIVE, methods=["POST"]),
        web.route(f"{one}/$pass", _deed(receiving.pass_over, "Somebody did not come when called."), permission=_RECEIVE, methods=["POST"]),
        web.route(f"{one}/$finish", _deed(receiving.finish, "What was booked is done."), permission=_RECEIVE, methods=["POST"]),
    ]
