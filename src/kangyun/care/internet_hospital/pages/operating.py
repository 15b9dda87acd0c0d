"""Where operations keep the licence, clinics, doctors and advice lines of their institution, and answer complaints."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, lifecycles, money, web
from kangyun.base.errors import Problem
from kangyun.care.internet_hospital.actions import feedback, offering
from kangyun.care.internet_hospital.decisions import admission, papers, triage
from kangyun.care.internet_hospital.model import COMPLAINT, codes
from kangyun.care.internet_hospital.model.doctors import Doctor, called
from kangyun.care.internet_hospital.model.places import Clinic, Hospital
from kangyun.care.internet_hospital.pages import shown
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import escaped

_OPERATE = "consult.operate"
_ROOM = "kangyun.care.internet_hospital"
_HOME = "/consult/operations"


async def overview(request: Request) -> Response:
    """Show what is going on: numbers, licence, clinics, advice lines, complaints."""
    handle = request.state.handle
    institution = offering.own_institution(handle)
    licence = await places.hospital_of(handle, institution)
    found = await shown.doors(handle, await places.clinics(handle, institution, closed=True))
    lines = await places.clinics(handle, institution, category="advice-line", closed=True)
    complaints = await consultations.complaints(handle, institution=institution)
    return web.render(
        request, "internet_hospital/operations.html", licence=licence, doors=found, lines=lines, fen=money.shown, complaints=[_complaint(one) for one in complaints],
        numbers=await offering.numbers(handle), subjects=admission.subjects(request.state.language), staff=await places.doctors_of(handle, institution=institution))


def _complaint(task: dict[str, Any]) -> dict[str, Any]:
    due = str(task.get("restriction", {}).get("period", {}).get("end", ""))
    open_ = task["status"] in {"requested", "in-progress"}
    return {
        "id": task["id"], "status": task["status"], "topic": next(iter(codes(task.get("reasonCode"), COMPLAINT)), "other"),
        "words": task.get("description", ""), "made": task.get("authoredOn", ""), "due": due, "late": open_ and due < clock.instant(clock.now()),
        "notes": task.get("note", []), "may": lifecycles.load(_ROOM, "lifecycle_complaint.yaml").may(str(task["status"]), "operations"),
    }


async def licence(request: Request) -> Response:
    """Show the form of the licence."""
    handle = request.state.handle
    kept = await places.hospital_of(handle, offering.own_institution(handle))
    return _licence(request, kept or Hospital(offering.own_institution(handle), ""))


def _licence(request: Request, one: Hospital, problem: Problem | None = None) -> Response:
    return web.render(
        request, "internet_hospital/operations_licence.html", status=problem.status if problem else 200, one=one,
        subjects=admission.subjects(request.state.language), faults=shown.faults(request, problem) if problem else {})


async def keep_licence(request: Request) -> Response:
    """Keep the licence."""
    form = await web.posted(request)
    wish = Hospital(
        "", _said(form, "name"), _said(form, "licence"), _said(form, "starts"), _said(form, "ends"), _said(form, "checked"), _many(form, "subjects"),
        _said(form, "complaints"), "active" in form)
    try:
        await offering.keep_hospital(request.state.handle, wish)
    except Problem as problem:
        return _licence(request, wish, problem)
    return RedirectResponse(_HOME, 303)


def _said(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()[:500]


def _many(form: FormData, name: str) -> tuple[str, ...]:
    return tuple(str(one)[:64] for one in form.getlist(name))


async def clinic(request: Request) -> Response:
    """Show the form of a clinic or an advice line; `new` is an empty one."""
    handle, id_ = request.state.handle, request.path_params["id"]
    one = Clinic("", "") if id_ == "new" else await offering.own_clinic(handle, id_)
    return await _clinic(request, one)


async def _clinic(request: Request, one: Clinic, problem: Problem | None = None, price: str = "") -> Response:
    licensed = await places.hospital_of(request.state.handle, offering.own_institution(request.state.handle))
    names = admission.subjects(request.state.language)
    return web.render(
        request, "internet_hospital/operations_clinic.html", status=problem.status if problem else 200, one=one, price=price or money.plain(one.price),
        subjects={code: names[code] for code in (licensed.subjects if licensed else ()) if code in names}, triages=triage.names(),
        templates=papers.templates(), kinds=offering.KINDS, faults=shown.faults(request, problem) if problem else {},
        told=shown.told(request, problem) if problem else "")


async def keep_clinic(request: Request) -> Response:
    """Keep a clinic or an advice line."""
    form, id_ = await web.posted(request), request.path_params["id"]
    category = "advice-line" if _said(form, "category") == "advice-line" else "clinic"
    try:
        price = money.parse(_said(form, "price") or "0")
    except ValueError:
        price = -1
    wish = Clinic(
        "", _said(form, "name"), category, _said(form, "sort") or "department", _said(form, "subject"), _said(form, "about"), price,
        tuple(_said(form, "diagnoses").upper().split()), _said(form, "triage") or "general", _said(form, "template") or "general",
        _many(form, "kinds") if category == "clinic" else ("text",), "active" in form, "" if id_ == "new" else id_)
    try:
        await offering.keep_clinic(request.state.handle, wish)
    except Problem as problem:
        return await _clinic(request, wish, problem, _said(form, "price"))
    return RedirectResponse(_HOME, 303)


async def turn(request: Request) -> Response:
    """Open or close a clinic or an advice line."""
    form = await web.posted(request)
    await offering.turn(request.state.handle, request.path_params["id"], active=form.get("active") == "yes")
    return RedirectResponse(_HOME, 303)


async def open_line(request: Request) -> Response:
    """Open an advice line at once."""
    form = await web.posted(request)
    await offering.open_line(request.state.handle, _said(form, "name"), _said(form, "about"), _said(form, "triage") or "epidemic")
    return RedirectResponse(_HOME, 303)


async def doctors(request: Request) -> Response:
    """Show who answers on line, and find a practitioner to register."""
    handle, text = request.state.handle, request.query_params.get("q", "").strip()[:60]
    staff = await places.doctors_of(handle, institution=offering.own_institution(handle))
    query = [("name:contains", escaped(text)), ("_count", "30")]
    found = (await handle.search("Practitioner", query)).resources if text else []
    known = {one.practitioner for one in staff}
    return web.render(
        request, "internet_hospital/operations_doctors.html", staff=staff, q=text, subjects=admission.subjects(request.state.language),
        found=[(str(one["id"]), called(one)) for one in found if one["id"] not in known])


async def doctor(request: Request) -> Response:
    """Show the form of a doctor's licence and registration."""
    handle, id_ = request.state.handle, request.path_params["id"]
    kept = await places.doctor_at(handle, id_, offering.own_institution(handle))
    if kept is None:
        node = await handle.read("Practitioner", id_) or {}
        kept = Doctor(id_, "", called(node))
    return await _doctor(request, kept)


async def _doctor(request: Request, one: Doctor, problem: Problem | None = None) -> Response:
    handle = request.state.handle
    institution = offering.own_institution(handle)
    clinics = [*await places.clinics(handle, institution, closed=True), *await places.clinics(handle, institution, category="advice-line", closed=True)]
    return web.render(
        request, "internet_hospital/operations_doctor.html", status=problem.status if problem else 200, one=one, clinics=clinics, titles=offering.TITLES,
        subjects=admission.subjects(request.state.language), faults=shown.faults(request, problem) if problem else {})


async def keep_doctor(request: Request) -> Response:
    """Keep a doctor's licence and registration."""
    form, id_ = await web.posted(request), request.path_params["id"]
    wish = Doctor(
        id_, "", _said(form, "name"), _said(form, "title"), _said(form, "licence"), _said(form, "licensed"), _said(form, "registered"),
        _said(form, "until"), _many(form, "subjects"), _many(form, "clinics"), "active" in form)
    try:
        await offering.keep_doctor(request.state.handle, wish)
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _doctor(request, wish, problem)
    return RedirectResponse(f"{_HOME}/doctors", 303)


async def complaint(request: Request) -> Response:
    """Take up or answer a complaint."""
    form = await web.posted(request)
    await feedback.handle_complaint(request.state.handle, request.path_params["id"], _said(form, "event"), str(form.get("words", "")))
    return RedirectResponse(f"{_HOME}#complaints", 303)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    shows = {
        _HOME: overview, f"{_HOME}/licence": licence, f"{_HOME}/clinics/{{id}}": clinic, f"{_HOME}/doctors": doctors, f"{_HOME}/doctors/{{id}}": doctor,
    }
    acts = {
        f"{_HOME}/licence": keep_licence, f"{_HOME}/clinics/{{id}}": keep_clinic, f"{_HOME}/clinics/{{id}}/turn": turn, f"{_HOME}/lines": open_line,
        f"{_HOME}/doctors/{{id}}": keep_doctor, f"{_HOME}/complaints/{{id}}": complaint,
    }
    return [
        *(web.route(path, endpoint, permission=_OPERATE) for path, endpoint in shows.items()),
        *(web.route(path, endpoint, permission=_OPERATE, methods=["POST"]) for path, endpoint in acts.items()),
    ]


def menu() -> list[web.MenuEntry]:
    """Its place in the menu."""
    return [web.MenuEntry("internet_hospital.menu.operate", _HOME, icon="hospital", order=20, about="internet_hospital.about.operate")]
