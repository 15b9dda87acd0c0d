"""Where residents find a clinic, ask, and talk: on a phone first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import lifecycles, money, web
from kangyun.base.errors import Issue, Problem
from kangyun.base.web import questionnaire
from kangyun.care.internet_hospital.actions import asking, attending, feedback, talking
from kangyun.care.internet_hospital.decisions import admission, papers, triage
from kangyun.care.internet_hospital.model import Node
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.model.places import Clinic
from kangyun.care.internet_hospital.pages import shown
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import Handle

_ASK = "consult.ask"
_ROOM = "kangyun.care.internet_hospital"
_HOME = "/consult"


async def find(request: Request) -> Response:
    """Show my consultations, advice lines and clinics, those with a doctor on line first."""
    handle, text = request.state.handle, request.query_params.get("q", "").strip()[:60]
    mine = await consultations.own(handle, await consultations.own_patients(handle))
    lines = [] if text else await places.clinics(handle, category="advice-line")
    found = await shown.doors(handle, await places.clinics(handle, text=text))
    names = {one.clinic.id: one.clinic.name for one in found} | {one.id: one.name for one in lines}
    return web.render(
        request, "internet_hospital/find.html", q=text, lines=lines, doors=found, fen=money.shown, names=names,
        open=[one for one in mine if one.state not in {"finished", "cancelled"}], past=[one for one in mine if one.state in {"finished", "cancelled"}])


async def hospital(request: Request) -> Response:
    """Show what the law wants to be shown: licence, subjects, staff, services, prices, where to complain."""
    handle, id_ = request.state.handle, request.path_params["id"]
    licence = await places.hospital_of(handle, id_)
    found = await shown.doors(handle, await places.clinics(handle, id_))
    staff = await places.doctors_of(handle, institution=id_)
    names = await shown.institution_names(handle, {id_})
    return web.render(
        request, "internet_hospital/hospital.html", licence=licence, doors=found, staff=staff, fen=money.shown,
        subjects=admission.subjects(request.state.language), name=names.get(id_, ""))


async def clinic(request: Request) -> Response:
    """Show a clinic: what it treats, its doctors, the price, and the way in."""
    handle = request.state.handle
    [door] = await shown.doors(handle, [await places.clinic_of(handle, request.path_params["id"])])
    licence = await places.hospital_of(handle, door.clinic.institution)
    return web.render(
        request, "internet_hospital/clinic.html", door=door, licence=licence, fen=money.shown,
        subject=shown.subject_name(door.clinic.subject, request.state.language))


@dataclass(frozen=True, slots=True)
class _Filled:
    """The form as it was sent, to be shown again with what is wrong."""

    kind: str = "text"
    doctor: str = ""
    complaint: str = ""
    consent: bool = False
    guardian: bool = False
    key: str = ""
    values: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


async def wish(request: Request) -> Response:
    """Show what is asked before a consultation: consent, triage, proof."""
    found = await places.clinic_of(request.state.handle, request.path_params["id"])
    kind = "advice" if found.is_line else found.kinds[0]
    return await _wish(request, found, _Filled(kind, request.query_params.get("doctor", "")[:64], key=uuid4().hex))


async def _wish(request: Request, found: Clinic, filled: _Filled, problem: Problem | None = None, reading: Any = None) -> Response:
    handle, language = request.state.handle, request.state.language
    form = questionnaire.load(await _questions(handle, found))
    view = questionnaire.view(form, language, filled.values, reading.errors if reading else {}) if filled.values else questionnaire.view(form, language)
    known = await asking.judge(handle, asking.Wish(found.id, filled.kind, "", consent=True), found, paper=False)
    doctors = await places.doctors_of(handle, clinic_id=found.id)
    status = problem.status if problem else 422 if reading and reading.errors else 200
    return web.render(
        request, "internet_hospital/ask.html", status=status, clinic=found, filled=filled, form=view, proof=known.proof, doctors=doctors,
        points=papers.consent_points(language), faults=shown.faults(request, problem) if problem else {},
        told=shown.told(request, problem) if problem else "", fen=money.shown, guardian=handle.actor.role == "guardian")


async def ask(request: Request) -> Response:
    """Begin a consultation; who may not be treated on line is told why and how to come to a hospital."""
    form, handle = await web.posted(request), request.state.handle
    found = await places.clinic_of(handle, request.path_params["id"])
    filled, shots = _filled(form), await shown.files(form, "proof")
    reading = questionnaire.read(questionnaire.load(await _questions(handle, found)), filled.values)
    missing = _missing(filled)
    if reading.errors or missing:
        return await _wish(request, found, filled, Problem(422, *missing) if missing else None, reading)
    said = asking.Wish(
        found.id, filled.kind, filled.complaint, filled.consent, reading.response, filled.doctor, filled.guardian,
        shots, filled.key)
    try:
        of = await asking.ask(handle, said)
    except Problem as problem:
        if problem.status == 409:
            return web.render(
                request, "internet_hospital/offline.html", status=409, clinic=found, reasons=shown.faults(request, problem).get("", []),
                upload=any(one.key.endswith("first-visit") for one in problem.issues),
                urgent=any(one.key.endswith("red-flag") for one in problem.issues))
        return await _wish(request, found, filled, problem)
    return RedirectResponse(f"/consult/visits/{of.id}", 303)


async def _questions(handle: Handle, found: Clinic) -> Node:
    """What a clinic asks the person for whom somebody asks: no man whether he is pregnant."""
    person = await handle.read("Person", handle.actor.person or "") or {}
    return triage.questionnaire(found.triage, str(person.get("gender", "")))


def _missing(filled: _Filled) -> list[Issue]:
    """What is told together with the questions that were left out, so that nobody sends the form three times."""
    most = {"most": str(papers.limit("characters"))}
    without = [] if filled.complaint.strip() else [Issue("required", "internet_hospital.no-complaint", most, "complaint")]
    return without if filled.consent else [*without, Issue("required", "internet_hospital.no-agreement", {}, "consent")]


def _filled(form: FormData) -> _Filled:
    values = questionnaire.values_of([(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    return _Filled(
        str(form.get("kind", "")), str(form.get("doctor", ""))[:64], str(form.get("complaint", "")), "consent" in form, "guardian" in form,
        str(form.get("key", ""))[:64], values)


async def visit(request: Request, problem: Problem | None = None, said: Mapping[str, str] | None = None) -> Response:
    """Show a consultation: where it stands, the talk, and afterwards record, orders, rating and complaint.

    After a refusal `said` is what stood in the refused form, and which form it was.
    """
    handle = request.state.handle
    of = await consultations.consultation_of(handle, request.path_params["id"])
    try:
        await talking.look_in(handle, of)
    except Problem:
        return web.render(request, "internet_hospital/elsewhere.html", status=409, of=of)
    found, found_clinic = await consultations.papers(handle, of), await places.clinic_of(handle, of.clinic)
    record = await consultations.record_of(handle, of) if of.state == "finished" else None
    return web.render(
        request, "internet_hospital/visit.html", status=problem.status if problem else 200, told=shown.told(request, problem) if problem else "",
        said={"form": "", "topic": "", "words": "", **(said or {})}, clinic=found_clinic, record=shown.record_words(record, found_clinic.template, request.state.language),
        diagnoses=_diagnoses(found), orders=await shown.orders(handle, found["ServiceRequest"], request.state.language),
        rated=await consultations.rated(handle, of) if of.state == "finished" else None, complaints=await feedback.own_complaints(handle, of),
        topics=feedback.TOPICS, may=lifecycles.load(_ROOM).may(of.state, "patient"), proof=attending.proof_of(found)[0], fen=money.shown,
        client=uuid4().hex, event_of=feedback.event_of, **await shown.talk(request, of, doctor=False))


def _diagnoses(found: dict[str, list[Node]]) -> list[str]:
    return [str(one.get("code", {}).get("text", "")) for one in found["Condition"] if "clinicalStatus" in one]


async def messages(request: Request) -> Response:
    """The newer messages, as a block."""
    of: Consultation = await consultations.consultation_of(request.state.handle, request.path_params["id"])
    await talking.look_in(request.state.handle, of)
    return await shown.newer(request, doctor=False)


async def say(request: Request) -> Response:
    """Send a message."""
    return await shown.post_message(request, doctor=False)


async def take_over(request: Request) -> Response:
    """Go on from this device instead of from another one."""
    await web.posted(request)
    of = await consultations.consultation_of(request.state.handle, request.path_params["id"])
    await talking.look_in(request.state.handle, of, over=True)
    return RedirectResponse(f"/consult/visits/{of.id}", 303)


async def withdraw(request: Request) -> Response:
    """Not any more."""
    await web.posted(request)
    await talking.withdraw(request.state.handle, request.path_params["id"])
    return RedirectResponse(_HOME, 303)


async def rate(request: Request) -> Response:
    """Keep the rating."""
    form, id_ = await web.posted(request), request.path_params["id"]
    stars = {name: int(text) if (text := str(form.get(name, ""))).isdecimal() and len(text) == 1 else 0 for name in ("doctor", "service")}
    words = str(form.get("words", ""))
    try:
        await feedback.rate(request.state.handle, id_, feedback.Rating(**stars, words=words))
    except Problem as problem:
        return await visit(request, _of_form(problem), {"form": "rate", "words": words, **{name: str(n) for name, n in stars.items()}})
    return RedirectResponse(f"/consult/visits/{id_}#after", 303)


def _of_form(problem: Problem) -> Problem:
    """A refusal to be told beside the form. Raises it where there is no page to show it on."""
    if problem.status not in {409, 422}:
        raise problem
    return problem


async def complain(request: Request) -> Response:
    """Keep the complaint."""
    form, id_ = await web.posted(request), request.path_params["id"]
    topic, words = str(form.get("topic", "")), str(form.get("words", ""))
    try:
        await feedback.complain(request.state.handle, id_, topic, words)
    except Problem as problem:
        return await visit(request, _of_form(problem), {"form": "complain", "topic": topic, "words": words})
    return RedirectResponse(f"/consult/visits/{id_}#after", 303)


async def complaint(request: Request) -> Response:
    """Withdraw or reopen a complaint."""
    form = await web.posted(request)
    task = await feedback.handle_complaint(request.state.handle, request.path_params["task"], str(form.get("event", "")), str(form.get("words", "")))
    return RedirectResponse(f"/consult/visits/{task['focus']['reference'].partition('/')[2]}#after", 303)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    one = "/consult/visits/{id}"
    shows = {
        _HOME: find, "/consult/hospitals/{id}": hospital, "/consult/clinics/{id}": clinic, "/consult/clinics/{id}/ask": wish, one: visit,
        f"{one}/messages": messages, f"{one}/pictures/{{media}}": shown.picture,
    }
    acts = {
        "/consult/clinics/{id}/ask": ask, f"{one}/messages": say, f"{one}/seat": take_over, f"{one}/withdraw": withdraw, f"{one}/rate": rate,
        f"{one}/complain": complain, "/consult/complaints/{task}": complaint,
    }
    return [
        *(web.route(path, endpoint, permission=_ASK) for path, endpoint in shows.items()),
        *(web.route(path, endpoint, permission=_ASK, methods=["POST"]) for path, endpoint in acts.items()),
    ]


def menu() -> list[web.MenuEntry]:
    """Its place in the menu."""
    return [web.MenuEntry("internet_hospital.menu.ask", _HOME, icon="messages", order=12, about="internet_hospital.about.ask")]
