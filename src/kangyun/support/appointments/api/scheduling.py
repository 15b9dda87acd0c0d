"""Scheduling: Schedule/$arrange, {id}/$template, $end-template, $depart; and $stop, $reopen, $change of a sitting."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.fhir.parameters import Parameters, answer
from kangyun.support.appointments.actions import schedules, sittings
from kangyun.support.appointments.api import wire
from kangyun.support.appointments.model import CHINA, Departure, Part, Schedule, Template

_WRITE = "records.write"


async def arrange(request: Request) -> Response:
    """POST [base]/Schedule/$arrange: institution, kind, department, title, and practitioner, examination, room, rank, fee (fen), id.

    The Schedule, 201 when it is new.
    """
    asked = await wire.asked(request)
    wish = Schedule(
        asked.text("id"), asked.text("institution", needed=True), asked.text("kind", needed=True), asked.text("department", needed=True), "",
        asked.text("title", needed=True), examination=asked.text("examination"), practitioner=asked.text("practitioner"), room=asked.text("room"),
        rank=asked.text("rank"), fee=asked.whole("fee", 0))
    made = await schedules.arrange(request.state.handle, wish)
    return answer(await request.state.handle.read("Schedule", made.id) or {}, 200 if wish.id else 201)


async def template(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$template: weekday, begins, minutes, numbers, since, until, quota (parts channel, numbers)."""
    asked = await wire.asked(request)
    since = wire.day(asked, "since") or _today()
    wish = Template(asked.whole("weekday"), _part(asked), since, wire.day(asked, "until"))
    made = await schedules.add_template(request.state.handle, request.path_params["id"], wish)
    return answer(wire.parameters(template=made), 201)


def _today() -> date:
    return clock.now().astimezone(CHINA).date()


def _part(asked: Parameters) -> Part:
    quotas: dict[str, int] = {}
    for one in asked.parts("quota"):
        quotas[one.text("channel", needed=True)] = one.whole("numbers")
    return Part(asked.time("begins"), asked.whole("minutes"), asked.whole("numbers"), quotas)


async def end_template(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$end-template: template, last, reason. How many people were told."""
    asked = await wire.asked(request)
    told = await schedules.end_template(
        request.state.handle, request.path_params["id"], asked.whole("template"), wire.day(asked, "last") or _today(), asked.text("reason", needed=True))
    return answer(wire.parameters(told=told))


async def depart(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$depart: day, kind closed (reason) or extra (begins, minutes, numbers, quota). How many people were told."""
    asked = await wire.asked(request)
    kind = asked.text("kind", needed=True)
    if kind not in {"closed", "extra"}:
        raise asked.wrong("kind")
    departure = Departure(wire.day(asked, "day") or _today(), kind, _part(asked) if kind == "extra" else None, asked.text("reason"))
    return answer(wire.parameters(told=await schedules.depart(request.state.handle, request.path_params["id"], departure)))


async def stop(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$stop: sitting, reason. How many people were told."""
    asked, sitting = await _sitting(request)
    return answer(wire.parameters(told=await sittings.stop(request.state.handle, sitting, asked.text("reason", needed=True))))


async def reopen(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$reopen: sitting."""
    _, sitting = await _sitting(request)
    await sittings.reopen(request.state.handle, sitting)
    return answer(wire.parameters(sitting=sitting))


async def change(request: Request) -> Response:
    """POST [base]/Schedule/{id}/$change: sitting, practitioner, room. How many people were told."""
    asked, sitting = await _sitting(request)
    told = await sittings.change(request.state.handle, sitting, practitioner=asked.text("practitioner"), room=asked.text("room"))
    return answer(wire.parameters(told=told))


async def _sitting(request: Request) -> tuple[Parameters, str]:
    asked = await wire.asked(request)
    sitting = asked.text("sitting", needed=True)
    if not sitting.startswith(f"{request.path_params['id']}."):
        raise asked.wrong("sitting")
    return asked, sitting


def routes() -> list[BaseRoute]:
    """The addresses."""
    deeds: dict[str, Any] = {
        "$template": template, "$end-template": end_template, "$depart": depart, "$stop": stop, "$reopen": reopen, "$change": change}
    return [
        web.route("/fhir/Schedule/$arrange", arrange, permission=_WRITE, methods=["POST"]),
        *(web.route(f"/fhir/Schedule/{{id}}/{name}", act, permission=_WRITE, methods=["POST"]) for name, act in deeds.items()),
    ]
