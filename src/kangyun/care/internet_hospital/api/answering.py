"""What doctors' programs ask: on-line hours, $start, $answer, $judge-proof, $record, $sign, $order, $send-offline, $finish."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.fhir.parameters import Parameters, answer
from kangyun.care.internet_hospital.actions import attending, hours, ordering, recording, talking
from kangyun.care.internet_hospital.api.asking import message_of
from kangyun.care.internet_hospital.api.parameters import told
from kangyun.care.internet_hospital.queries.places import hours_id
from kangyun.commons.access import Proof, prove_presence

_ANSWER = "consult.answer"


async def go_online(request: Request) -> Response:
    """POST PractitionerRole/$online: hours. Answers the Schedule."""
    handle, said = request.state.handle, await told(request)
    await hours.go_online(handle, said.whole("hours", 4))
    return await _schedule(request)


async def go_offline(request: Request) -> Response:
    """POST PractitionerRole/$offline. Answers the Schedule."""
    await hours.go_offline(request.state.handle)
    return await _schedule(request)


async def _schedule(request: Request) -> Response:
    doctor = await hours.own_doctor(request.state.handle)
    return answer(await request.state.handle.read("Schedule", hours_id(doctor.role)) or {})


async def start(request: Request) -> Response:
    """POST Encounter/[id]/$start: means (totp; password in a browser's session) and code prove presence; guardian for a child.

    Answers the Encounter, in-progress. 403 tells every reason why this doctor may not.
    """
    handle, id_, said = request.state.handle, request.path_params["id"], await told(request)
    if said.text("means"):
        proof = Proof(said.text("means"), said.text("code"))
        await prove_presence(request.app.state.services, handle.actor, attending.about(id_), proof)
    of = await attending.start(request.app.state.services, handle, id_, guardian_seen=said.flag("guardian"))
    return answer(of.node)


async def say(request: Request) -> Response:
    """POST Encounter/[id]/$answer, by the doctor: client, text, picture. Answers the Communication."""
    return answer(await talking.say(request.state.handle, request.path_params["id"], message_of(await told(request))))


async def judge_proof(request: Request) -> Response:
    """POST Encounter/[id]/$judge-proof: accepted. Answers the Encounter; one without a proof has gone off line."""
    handle, id_, said = request.state.handle, request.path_params["id"], await told(request)
    await attending.judge_proof(handle, id_, accepted=said.flag("accepted"))
    return answer(await handle.read("Encounter", id_) or {})


def _draft(said: Parameters) -> recording.Draft:
    sections = {name: part.text(name) for part in said.parts("sections") for name in part.names()}
    return recording.Draft(sections, tuple(said.codings("diagnosis")))


async def record(request: Request) -> Response:
    """POST Encounter/[id]/$record: sections (a part for each), diagnosis (Coding, repeats). Answers the draft Composition."""
    return answer(await recording.keep(request.state.handle, request.path_params["id"], _draft(await told(request))))


async def sign(request: Request) -> Response:
    """POST Encounter/[id]/$sign: as $record, complete. Answers the signed Composition."""
    return answer(await recording.keep(request.state.handle, request.path_params["id"], _draft(await told(request)), final=True))


async def order(request: Request) -> Response:
    """POST Encounter/[id]/$order: code (an examination, or follow-up), on, words. Answers 201 with the ServiceRequest."""
    said = await told(request)
    wish = ordering.Order(said.text("code"), said.text("words"), said.text("on"))
    return answer(await ordering.order(request.state.handle, request.path_params["id"], wish), 201)


async def send_offline(request: Request) -> Response:
    """POST Encounter/[id]/$send-offline: reason (first-visit, unsuitable, worse, child, other), words. Answers the Encounter."""
    said = await told(request)
    return answer((await attending.send_offline(request.state.handle, request.path_params["id"], said.text("reason"), said.text("words"))).node)


async def finish(request: Request) -> Response:
    """POST Encounter/[id]/$finish. Answers the Encounter, finished."""
    return answer((await attending.finish(request.state.handle, request.path_params["id"])).node)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    visit = {
        "start": start, "answer": say, "judge-proof": judge_proof, "record": record, "sign": sign, "order": order,
        "send-offline": send_offline, "finish": finish,
    }
    paths = {f"/fhir/Encounter/{{id}}/${name}": endpoint for name, endpoint in visit.items()}
    paths |= {"/fhir/PractitionerRole/$online": go_online, "/fhir/PractitionerRole/$offline": go_offline}
    return [web.route(path, endpoint, permission=_ANSWER, methods=["POST"]) for path, endpoint in paths.items()]
