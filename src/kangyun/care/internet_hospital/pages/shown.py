"""What the pages of residents, doctors and operations show alike: clinics with who is there, messages, papers in words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.care.internet_hospital.actions.talking import Said, say
from kangyun.care.internet_hospital.decisions import admission, ordering, papers, triage
from kangyun.care.internet_hospital.model import Node, id_of
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import Clinic
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import Handle

_MOST_READ = 9_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is shown: mine, or by whom; pictures are ids of Media."""

    id: str
    mine: bool
    by: str
    sent: str
    text: str
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Door:
    """A clinic with its doctors: which of them are on line, and until when."""

    clinic: Clinic
    institution: str
    doctors: tuple[Doctor, ...]
    online: Mapping[str, str]


async def doors(handle: Handle, found: list[Clinic]) -> list[Door]:
    """Clinics with the names of their institutions and who is on line, those with somebody on line first."""
    every = await places.doctors_of(handle)
    now = await places.online(handle, every)
    names = await institution_names(handle, {one.institution for one in found})
    made = [
        Door(one, names.get(one.institution, ""), here, {role: end for role, end in now.items() if role in {each.role for each in here}})
        for one in found for here in [tuple(each for each in every if one.id in each.clinics and each.active)]
    ]
    return sorted(made, key=lambda one: not one.online)


async def institution_names(handle: Handle, ids: set[str]) -> dict[str, str]:
    """The names of institutions by id."""
    wanted = sorted(ids - {""})
    page = await handle.search("Organization", [("_id", ",".join(wanted)), ("_count", "500")]) if wanted else None
    return {str(one["id"]): str(one.get("name", "")) for one in page.resources} if page else {}


def as_messages(found: list[Node], *, doctor: bool, names: Mapping[str, str]) -> list[Message]:
    """Messages as one of the two sides sees them; names: by id of the Practitioner."""
    return [_message(one, doctor=doctor, names=names) for one in found]


def _message(one: Node, *, doctor: bool, names: Mapping[str, str]) -> Message:
    practitioner = id_of(one.get("sender"), "Practitioner")
    text = "\n".join(str(part["contentString"]) for part in one.get("payload", ()) if "contentString" in part)
    shots = tuple(id_of(part["contentReference"]) for part in one.get("payload", ()) if "contentReference" in part)
    return Message(str(one["id"]), bool(practitioner) is doctor, names.get(practitioner, ""), str(one.get("sent", "")), text, shots)


async def talk(request: Request, of: Consultation, *, doctor: bool, after: str = "") -> dict[str, Any]:
    """What the block of messages needs."""
    found = await consultations.messages(request.state.handle, of, after)
    shown = as_messages(found, doctor=doctor, names={of.practitioner: of.doctor})
    return {"messages": shown, "base": address(of, doctor=doctor), "last": shown[-1].sent if shown else after, "of": of}


def address(of: Consultation, *, doctor: bool) -> str:
    """The page of a consultation."""
    return f"/consult/doctor/visits/{of.id}" if doctor else f"/consult/visits/{of.id}"


async def newer(request: Request, *, doctor: bool) -> Response:
    """The messages after `?after=`, as a block; its header says where the consultation stands, so that the page is loaded anew."""
    of = await consultations.consultation_of(request.state.handle, request.path_params["id"])
    told = await talk(request, of, doctor=doctor, after=request.query_params.get("after", "")[:40])
    response = web.render(request, "internet_hospital/messages.html", **told)
    response.headers["x-consultation"] = of.state
    response.headers["x-last"] = told["last"]
    return response


async def post_message(request: Request, *, doctor: bool) -> Response:
    """Keep a message; a script is answered with JSON, a plain form goes back to the page."""
    form = await web.posted(request)
    said = Said(str(form.get("client", ""))[:100], str(form.get("text", "")), await files(form, "picture"))
    scripted = "application/json" in request.headers.get("accept", "")
    id_ = request.path_params["id"]
    try:
        kept = await say(request.state.handle, id_, said)
    except Problem as problem:
        if not scripted:
            raise
        return JSONResponse({"wrong": told(request, problem)}, problem.status)
    if scripted:
        return JSONResponse({"id": kept["id"], "sent": kept["sent"]})
    of = await consultations.consultation_of(request.state.handle, id_)
    return RedirectResponse(f"{address(of, doctor=doctor)}#last", 303)


async def files(form: FormData, name: str) -> tuple[bytes, ...]:
    """The files of a form's field that hold something."""
    found = [await one.read(_MOST_READ) for one in form.getlist(name) if isinstance(one, UploadFile)]
    await form.close()
    return tuple(one for one in found if one)


async def picture(request: Request) -> Response:
    """A picture of a consultation, for whoever sees the consultation."""
    handle = request.state.handle
    of = await consultations.consultation_of(handle, request.path_params["id"])
    found = await handle.read("Media", request.path_params["media"])
    if found is None or id_of(found.get("encounter")) != of.id or not str(found.get("content", {}).get("contentType", "")).startswith("image/"):
        raise refuse(404, "not-found", "base.not-found")
    headers = {"cache-control": "private, max-age=86400", "content-disposition": "inline", "content-security-policy": "default-src 'none'"}
    return Response(base64.b64decode(found["content"].get("data", "")), headers=headers, media_type=str(found["content"]["contentType"]))


def told(request: Request, problem: Problem) -> str:
    """A refusal in the words of whoever reads it."""
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


def faults(request: Request, problem: Problem) -> dict[str, list[str]]:
    """A refusal by field of the form; what is about no field stands under ''."""
    found: dict[str, list[str]] = {}
    for one in problem.issues:
        found.setdefault(one.expression or "", []).append(errors.text(one, request.state.language))
    return found


def triage_words(found: dict[str, list[Node]], language: str) -> list[tuple[str, Any, bool]]:
    """The answers before the consultation in words: question, answer, whether it is a danger sign."""
    response = consultations.triage_of(found)
    if response is None:
        return []
    name = str(response["questionnaire"]).partition(":triage:")[2].partition("|")[0]
    return triage.answered(name, response, language)


def record_words(record: Node | None, template: str, language: str) -> list[tuple[str, str]]:
    """The medical record in words: title and text of each section that is filled."""
    if record is None:
        return []
    filled = papers.written(record)
    return [(one.titles[language], filled[one.key]) for one in papers.sections(template) if filled.get(one.key)]


async def orders(handle: Handle, found: list[Node], language: str) -> list[dict[str, Any]]:
    """The orders of a consultation: name, words, day, state, and the booking where there is one."""
    active = [one for one in found if one.get("status") != "revoked"]
    ids = [str(one["id"]) for one in active]
    booked: dict[str, Node] = {}
    if ids:
        query = [("based-on", ",".join(f"ServiceRequest/{one}" for one in ids)), ("status", "booked,arrived,checked-in,fulfilled"), ("_count", "100")]
        for one in (await handle.search("Appointment", query)).resources:
            booked |= {id_of(each): one for each in one.get("basedOn", ())}
    return [_order(one, booked.get(str(one["id"])), language) for one in active]


def _order(one: Node, booking: Node | None, language: str) -> dict[str, Any]:
    code = next((str(c["code"]) for c in one.get("code", {}).get("coding", ()) if c.get("system") == ordering.SYSTEM), "")
    name = ordering.names().get(code, {}).get(language) or one.get("code", {}).get("text", "")
    words = next((str(reason.get("text", "")) for reason in one.get("reasonCode", ())), "")
    return {
        "id": one["id"], "code": code, "name": name, "words": words, "on": one.get("occurrenceDateTime", ""),
        "again": code == ordering.FOLLOW_UP, "status": one["status"], "booked": (booking or {}).get("start", ""),
    }


def subject_name(code: str, language: str) -> str:
    """The name of a subject of practice."""
    return admission.subjects(language).get(code, "")
