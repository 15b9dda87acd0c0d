"""What operations' programs ask: clinics, advice lines that open at once, doctors' registrations, complaints."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer
from kangyun.care.internet_hospital.actions import feedback, offering
from kangyun.care.internet_hospital.api.parameters import told
from kangyun.care.internet_hospital.model import CATEGORY, codes
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import clinic, hospital

_OPERATE = "consult.operate"


async def keep(request: Request) -> Response:
    """POST HealthcareService/$keep: a HealthcareService of category hospital, clinic or advice-line. Answers it as kept."""
    handle, node = request.state.handle, (await told(request)).resource()
    if node.get("resourceType") != "HealthcareService":
        raise refuse(400, "structure", "internet_hospital.no-resource")
    if "hospital" in codes(node.get("category"), CATEGORY):
        kept = (await offering.keep_hospital(handle, hospital(node))).id
    else:
        kept = (await offering.keep_clinic(handle, clinic(node))).id
    return answer(await handle.read("HealthcareService", kept) or {})


async def open_line(request: Request) -> Response:
    """POST HealthcareService/$open-line: name, about, triage. Answers 201 with the HealthcareService, open."""
    handle, said = request.state.handle, await told(request)
    made = await offering.open_line(handle, said.text("name"), said.text("about"), said.text("triage") or "epidemic")
    return answer(await handle.read("HealthcareService", made.id) or {}, 201)


async def turn(request: Request) -> Response:
    """POST HealthcareService/[id]/$turn: active true or false. Answers the HealthcareService."""
    handle, said = request.state.handle, await told(request)
    made = await offering.turn(handle, request.path_params["id"], active=said.flag("active"))
    return answer(await handle.read("HealthcareService", made.id) or {})


async def register(request: Request) -> Response:
    """POST PractitionerRole/$register: practitioner, licence, licensed, title, registered, until, subject and clinic (repeat).

    Answers the PractitionerRole.
    """
    handle, said = request.state.handle, await told(request)
    wish = Doctor(
        said.text("practitioner"), "", said.text("name"), said.text("title"), said.text("licence"),
        said.text("licensed"), said.text("registered"), said.text("until"), tuple(said.texts("subject")), tuple(said.texts("clinic")))
    made = await offering.keep_doctor(handle, wish)
    return answer(await handle.read("PractitionerRole", made.role) or {})


async def handle_complaint(request: Request) -> Response:
    """POST Task/[id]/$handle: event accept or answer, words. Answers the Task."""
    said = await told(request)
    return answer(await feedback.handle_complaint(request.state.handle, request.path_params["id"], said.text("event"), said.text("words")))


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    paths = {
        "/fhir/HealthcareService/$keep": keep, "/fhir/HealthcareService/$open-line": open_line, "/fhir/HealthcareService/{id}/$turn": turn,
        "/fhir/PractitionerRole/$register": register, "/fhir/Task/{id}/$handle": handle_complaint,
    }
    return [web.route(path, endpoint, permission=_OPERATE, methods=["POST"]) for path, endpoint in paths.items()]
