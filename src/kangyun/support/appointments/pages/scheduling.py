"""A clinic's schedule: who offers what, how its week looks, which days depart from it."""

from __future__ import annotations

from dataclasses import replace

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import money, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.appointments.actions import guarding, schedules
from kangyun.support.appointments.decisions import channels, departments, examinations, kinds
from kangyun.support.appointments.model import Departure, Part, Schedule, Template
from kangyun.support.appointments.pages.calendar import doctors_at
from kangyun.support.appointments.pages.shown import clock_time, day, number, said, today, told, words
from kangyun.support.appointments.queries import pool

_MANAGE = "appointments.manage"
_ADD = "/appointments/calendar/clinic"


async def adding(request: Request) -> Response:
    """Show the form of a new clinic."""
    return await _add_form(request, Schedule("", "", "outpatient", "03.04", "", ""))


async def _add_form(request: Request, wish: Schedule, problem: Problem | None = None, fee: str = "") -> Response:
    handle = request.state.handle
    places = await guarding.institutions_of(handle, guarding.own(handle, guarding.MANAGE))
    first = wish.institution or (str(places[0]["id"]) if places else "")
    return web.render(
        request, "appointments/arrange.html", status=problem.status if problem else 200, one=wish, places=places, kinds=kinds(), departments=departments(),
        examinations=examinations(), doctors=await doctors_at(request, first) if first else [], fee=fee or money.plain(wish.fee),
        refused=told(request, problem) if problem else "", **words())


async def add(request: Request) -> Response:
    """Add a clinic, and go on with its week."""
    form = await web.posted(request)
    wish = Schedule(
        "", said(form, "institution"), said(form, "kind"), said(form, "department"), "", said(form, "title"), practitioner=said(form, "practitioner"),
        examination=said(form, "examination") if said(form, "kind") == "examination" else "", room=said(form, "room"), rank=said(form, "rank"))
    try:
        made = await schedules.arrange(request.state.handle, replace(wish, fee=_fee(form)))
    except Problem as problem:
        return await _add_form(request, wish, problem, said(form, "fee"))
    return RedirectResponse(f"{_ADD}/{made.id}", status_code=303)


def _fee(form: FormData) -> int:
    try:
        return money.parse(said(form, "fee") or "0")
    except ValueError as error:
        raise refuse(422, "value", "appointments.wrong-fee", "fee") from error


async def shown(request: Request) -> Response:
    """Show a clinic with its week and its exceptions."""
    return await _page(request)


async def _page(request: Request, problem: Problem | None = None, done: int | None = None, form: FormData | None = None) -> Response:
    """The clinic; `form` is one of its forms that was refused, whose fields keep what was typed."""
    handle = request.state.handle
    one = await schedules.guarded(handle, guarding.own(handle, guarding.MANAGE), request.path_params["id"])
    async with handle.connection() as connection:
        templates = (await pool.templates(connection, [one.id]))[one.id]
        departures = (await pool.departures(connection, [one.id], today()))[one.id]
    return web.render(
        request, "appointments/schedule_edit.html", status=problem.status if problem else 200, one=one, kind=kinds()[one.kind], done=done,
        templates=[each for each in templates if each.until is None or each.until >= today()], departures=departures, channels=channels(),
        money=money.shown, typed={name: str(value)[:300] for name, value in form.items()} if form else {}, refused=told(request, problem) if problem else "", **words())


async def change(request: Request) -> Response:
    """Add a part of the week, end one, or let a day depart from it."""
    form = await web.posted(request)
    handle, id_, event = request.state.handle, request.path_params["id"], said(form, "event")
    done: int | None = None
    try:
        if event == "template":
            since, until = said(form, "since"), said(form, "until")
            wish = Template(number(form, "weekday"), _part(form), day(since) if since else today(), day(until) if until else None)
            await schedules.add_template(handle, id_, wish)
        elif event == "end":
            done = await schedules.end_template(handle, id_, number(form, "template"), day(said(form, "last")), said(form, "reason"))
        elif event in {"closed", "extra"}:
            departure = Departure(day(said(form, "day")), event, _part(form) if event == "extra" else None, said(form, "reason"))
            done = await schedules.depart(handle, id_, departure)
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _page(request, problem, form=form)
    return await _page(request, done=done) if done is not None else RedirectResponse(request.url.path, status_code=303)


def _part(form: FormData) -> Part:
    quotas = {name: count for name in channels() if (count := number(form, f"quota-{name}"))}
    return Part(clock_time(said(form, "begins")), number(form, "minutes"), number(form, "numbers"), quotas)


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route(_ADD, adding, permission=_MANAGE),
        web.route(_ADD, add, permission=_MANAGE, methods=["POST"]),
        web.route(f"{_ADD}/{{id}}", shown, permission=_MANAGE),
        web.route(f"{_ADD}/{{id}}", change, permission=_MANAGE, methods=["POST"]),
    ]
