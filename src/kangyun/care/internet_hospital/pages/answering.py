"""The doctor's workplace: today, the queue, the consultation with the lifelong record, the talk and the orders side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.actions import attending, hours, ordering, recording
from kangyun.care.internet_hospital.actions.ordering import Order
from kangyun.care.internet_hospital.actions.recording import Draft
from kangyun.care.internet_hospital.decisions import diagnosing, papers
from kangyun.care.internet_hospital.decisions.calls import levels
from kangyun.care.internet_hospital.decisions.ordering import names as order_names
from kangyun.care.internet_hospital.model import Node
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.pages import shown
from kangyun.care.internet_hospital.pages.calls import Panel, panel, with_devices
from kangyun.care.internet_hospital.queries import calls, consultations, places
from kangyun.commons.access import Handle, Proof, Site, offer_presence, presence_of, prove_presence

_ANSWER = "consult.answer"
_HOME = "/consult/doctor"


async def today(request: Request) -> Response:
    """Show the on-line hours, who waits, what is under way, and what was done today; `?part=queue` answers with the queue."""
    handle = request.state.handle
    doctor = await _doctor(handle)
    if doctor is None:
        return web.render(request, "internet_hospital/doctor_none.html")
    waiting = await consultations.at(handle, doctor.institution, ["arrived"])
    waiting = [one for one in waiting if one.practitioner in {"", doctor.practitioner} and (one.practitioner or one.kind == "advice" or one.clinic in doctor.clinics)]
    mine = await consultations.at(handle, doctor.institution, ["in-progress"], practitioner=doctor.practitioner)
    day = clock.now().astimezone(CHINA).date()
    done = await consultations.at(handle, doctor.institution, ["finished"], practitioner=doctor.practitioner, since=day - timedelta(days=7))
    finished = [one for one in done if one.ended >= clock.instant(clock.now() - timedelta(hours=24))]
    names = {one.id: one.name for category in ("clinic", "advice-line") for one in await places.clinics(handle, doctor.institution, category=category, closed=True)}
    people = await _people(handle, [*waiting, *mine, *finished])
    block = "queue" if request.query_params.get("part") == "queue" else None
    return web.render(
        request, "internet_hospital/doctor_today.html", block=block, doctor=doctor, waiting=waiting, mine=mine, finished=finished, names=names,
        people=people, until=(await places.online(handle, [doctor])).get(doctor.role, ""), most=papers.limit("online_hours"))


async def _doctor(handle: Handle) -> Doctor | None:
    try:
        return await hours.own_doctor(handle)
    except Problem:
        return None


async def _people(handle: Handle, found: list[Consultation]) -> dict[str, Node]:
    ids = sorted({one.patient for one in found})
    page = await handle.search("Patient", [("_id", ",".join(ids)), ("_count", "500")]) if ids else None
    return {str(one["id"]): who(one) for one in page.resources} if page else {}


def who(patient: Node) -> dict[str, str]:
    """A resident as the banner shows him."""
    name = next((str(one.get("text") or f"{one.get('family', '')}{''.join(one.get('given', ()))}") for one in patient.get("name", ())), "—")
    number = next((str(one.get("value", "")) for one in patient.get("identifier", ())), "")
    return {
        "name": name, "sex": str(patient.get("gender", "unknown")), "born": str(patient.get("birthDate", "")),
        "deceased": str(patient.get("deceasedDateTime", "")), "identifier": number,
    }


async def turn(request: Request) -> Response:
    """Open or close the on-line hours."""
    form = await web.posted(request)
    if form.get("event") == "close":
        await hours.go_offline(request.state.handle)
    else:
        text = str(form.get("hours", ""))
        await hours.go_online(request.state.handle, int(text) if text.isdecimal() and len(text) < 4 else 0)
    return RedirectResponse(_HOME, 303)


@dataclass(frozen=True, slots=True)
class _Typed:
    """What stands in the forms of the page when one of them is shown again."""

    draft: Draft | None = None
    order: Order | None = None
    reason: str = ""
    words: str = ""


async def visit(request: Request, problem: Problem | None = None, typed: _Typed | None = None) -> Response:
    """Show a consultation: before it is begun what was told and how to begin, then the desk."""
    handle = request.state.handle
    of = await consultations.consultation_of(handle, request.path_params["id"])
    present = await presence_of(request.app.state.services, handle.actor, attending.about(of.id))
    mine = of.practitioner in {"", handle.actor.practitioner}
    found, clinic = await consultations.papers(handle, of), await places.clinic_of(handle, of.clinic)
    patient = await handle.read("Patient", of.patient) or {}
    state, shots = attending.proof_of(found)
    base: dict[str, Any] = {
        "clinic": clinic, "who": who(patient), "triage": shown.triage_words(found, request.state.language), "proof": state, "shots": shots,
        "proofs": consultations.proofs(found), "mine": mine, "told": shown.told(request, problem) if problem else "", "reasons": attending.REASONS,
        "typed": typed or _Typed(), "status": problem.status if problem else 200, **await shown.talk(request, of, doctor=True),
    }
    if of.state == "in-progress" and mine and present:
        return await _desk(request, of, base, found)
    young = await attending.is_young(handle, of)
    return web.render(request, "internet_hospital/doctor_start.html", young=young, present=present, **_ended(found, of, base, request.state.language), **base)


def _ended(found: dict[str, list[Node]], of: Consultation, base: dict[str, Any], language: str) -> dict[str, Any]:
    record = next((one for one in found["Composition"] if one["id"] == papers.record_id(of.id)), None)
    return {
        "record": shown.record_words(record, base["clinic"].template, language),
        "diagnoses": [name for _, name in recording.diagnosed(found["Condition"], of)],
    }


async def _desk(request: Request, of: Consultation, base: dict[str, Any], found: dict[str, list[Node]]) -> Response:
    handle, language = request.state.handle, request.state.language
    record = next((one for one in found["Composition"] if one["id"] == papers.record_id(of.id)), None)
    sections, draft = papers.sections(base["clinic"].template), base["typed"].draft
    begun = papers.written(record) if record else {one.key: one.begins for one in sections} | {"chief": of.complaint}
    filled = draft.sections if draft else begun
    chosen = draft.diagnoses if draft else recording.diagnosed(found["Condition"], of)
    call = await _call(request, of) if of.live else None
    response = web.render(
        request, "internet_hospital/doctor_desk.html", sections=sections, filled=filled, chosen=chosen, signed=bool(record and record["status"] == "final"),
        record=shown.record_words(record, base["clinic"].template, language), diagnoses=[name for _, name in chosen],
        orders=await shown.orders(handle, found["ServiceRequest"], language), order_names=order_names(), client=uuid4().hex, call=call,
        levels=levels(), prescribe=f"/prescriptions/new?encounter={of.id}", **base)
    return with_devices(response) if call else response


async def _call(request: Request, of: Consultation) -> Panel:
    """The panel of the talk by video."""
    call = await calls.call(request.state.handle, of.id)
    return panel(request, call, await calls.seat(request.state.handle, call), f"/consult/doctor/visits/{of.id}")


async def start(request: Request) -> Response:
    """Prove to be present, and begin."""
    form, handle, id_ = await web.posted(request), request.state.handle, request.path_params["id"]
    services, scripted = request.app.state.services, "application/json" in request.headers.get("accept", "")
    means = "passkey" if "credential" in form else str(form.get("means", ""))
    try:
        if means:
            proof = Proof(means, str(form.get("credential") or form.get("code", "")), str(form.get("step", "")))
            await prove_presence(services, handle.actor, attending.about(id_), proof, _site(request))
        await attending.start(services, handle, id_, guardian_seen="guardian" in form)
    except Problem as problem:
        return JSONResponse({"wrong": shown.told(request, problem)}, problem.status) if scripted else await visit(request, problem)
    path = f"/consult/doctor/visits/{id_}"
    return JSONResponse({"next": path}) if scripted else RedirectResponse(path, 303)


async def offer(request: Request) -> Response:
    """A challenge for the doctor's passkey."""
    await web.posted(request)
    step, options = await offer_presence(request.app.state.services, request.state.handle.actor, _site(request))
    return JSONResponse({"step": step, "options": options})


def _site(request: Request) -> Site:
    origin = str(request.app.state.settings.public_url or request.base_url).rstrip("/")
    return Site(origin, urlsplit(origin).hostname or "", "康云 Kangyun")


async def messages(request: Request) -> Response:
    """The newer messages, as a block."""
    return await shown.newer(request, doctor=True)


async def say(request: Request) -> Response:
    """Send a message."""
    return await shown.post_message(request, doctor=True)


async def judge(request: Request) -> Response:
    """Accept or refuse the uploaded proof."""
    form = await web.posted(request)
    await attending.judge_proof(request.state.handle, request.path_params["id"], accepted=form.get("accepted") == "yes")
    return _back(request)


async def record(request: Request) -> Response:
    """Keep the draft of the medical record, or sign it."""
    form = await web.posted(request)
    draft = _draft(form)
    if form.get("remove") or form.get("add") or form.get("first"):
        return await visit(request, typed=_Typed(_changed(form, draft)))
    try:
        await recording.keep(request.state.handle, request.path_params["id"], draft, final=form.get("event") == "sign")
    except Problem as problem:
        return await visit(request, problem, _Typed(draft))
    return _back(request, "#record")


def _draft(form: FormData) -> Draft:
    sections = {name.removeprefix("section-"): str(text).replace("\r\n", "\n") for name, text in form.multi_items() if name.startswith("section-") and str(text).strip()}
    chosen = [str(one).partition(" ") for one in form.getlist("diagnosis")]
    return Draft(sections, tuple((code, name) for code, _, name in chosen))


def _changed(form: FormData, draft: Draft) -> Draft:
    """The draft with a diagnosis more or less; Enter in the field of the search means the first that was found."""
    without = tuple(one for one in draft.diagnoses if one[0] != str(form.get("remove", "")))
    found = diagnosing.search(str(form.get("find", ""))[:40], 1) if form.get("first") else []
    code, name = (found[0].code, found[0].name) if found else str(form.get("add", "")).partition(" ")[::2]
    more = ((code, name),) if code and code not in {one[0] for one in without} else ()
    return Draft(draft.sections, (*without, *more))


async def diagnoses(request: Request) -> Response:
    """The codes that a few letters may mean, as buttons of the form."""
    found = diagnosing.search(request.query_params.get("find", "")[:40])
    return web.render(request, "internet_hospital/diagnoses.html", found=found)


async def order(request: Request) -> Response:
    """Order an examination, or a day to come again; or take an order back."""
    form, handle, id_ = await web.posted(request), request.state.handle, request.path_params["id"]
    wish = Order(str(form.get("code", "")), str(form.get("words", "")), str(form.get("on", "")))
    try:
        if form.get("withdraw"):
            await ordering.withdraw(handle, id_, str(form["withdraw"])[:64])
        else:
            await ordering.order(handle, id_, wish)
    except Problem as problem:
        return await visit(request, problem, _Typed(order=wish))
    return _back(request, "#orders")


async def send_offline(request: Request) -> Response:
    """End it and send the resident to a hospital."""
    form = await web.posted(request)
    reason, words = str(form.get("reason", "")), str(form.get("words", ""))
    try:
        await attending.send_offline(request.state.handle, request.path_params["id"], reason, words)
    except Problem as problem:
        return await visit(request, problem, _Typed(_begun(form), reason=reason, words=words))
    return RedirectResponse(_HOME, 303)


async def finish(request: Request) -> Response:
    """The consultation is done."""
    form = await web.posted(request)
    try:
        await attending.finish(request.state.handle, request.path_params["id"])
    except Problem as problem:
        return await visit(request, problem, _Typed(_begun(form)))
    return RedirectResponse(_HOME, 303)


def _begun(form: FormData) -> Draft | None:
    """The record as it stands on the desk, which comes along with the buttons beside it; None where there is none to write."""
    return _draft(form) if any(name.startswith("section-") for name in form) else None


def _back(request: Request, part: str = "") -> Response:
    if len(request.path_params["id"]) > 64:
        raise refuse(404, "not-found", "base.not-found")
    return RedirectResponse(f"/consult/doctor/visits/{request.path_params['id']}{part}", 303)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    one = "/consult/doctor/visits/{id}"
    shows = {_HOME: today, "/consult/doctor/diagnoses": diagnoses, one: visit, f"{one}/messages": messages, f"{one}/pictures/{{media}}": shown.picture}
    acts = {
        "/consult/doctor/hours": turn, f"{one}/start": start, f"{one}/offer": offer, f"{one}/messages": say, f"{one}/proof": judge,
        f"{one}/record": record, f"{one}/orders": order, f"{one}/offline": send_offline, f"{one}/finish": finish,
    }
    return [
        *(web.route(path, endpoint, permission=_ANSWER) for path, endpoint in shows.items()),
        *(web.route(path, endpoint, permission=_ANSWER, methods=["POST"]) for path, endpoint in acts.items()),
    ]


def menu() -> list[web.MenuEntry]:
    """Its place in the menu."""
    return [web.MenuEntry("internet_hospital.menu.answer", _HOME, icon="stethoscope", order=12, about="internet_hospital.about.answer")]
