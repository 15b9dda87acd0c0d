"""What residents' apps ask: $ask, $say, $withdraw, $rate, $complain, $complaint."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.fhir.parameters import Parameters, answer
from kangyun.care.internet_hospital.actions import asking, feedback, talking
from kangyun.care.internet_hospital.api.parameters import files, told

_ASK = "consult.ask"


async def ask(request: Request) -> Response:
    """POST HealthcareService/[id]/$ask: kind, complaint, consent, triage (QuestionnaireResponse), doctor, guardian, proof, key.

    Answers 201 with the Encounter; 409 when the law sends the resident off line, with the clauses.
    """
    said = await told(request)
    wish = asking.Wish(
        request.path_params["id"], said.text("kind") or "text", said.text("complaint"), said.flag("consent"), said.resource("triage"),
        said.text("doctor"), said.flag("guardian"), files(said, "proof"), said.text("key"))
    return answer((await asking.ask(request.state.handle, wish)).node, 201)


def message_of(said: Parameters) -> talking.Said:
    """A message from Parameters: client (the sender's own id of it), text, picture (repeats)."""
    return talking.Said(said.text("client"), said.text("text"), files(said, "picture"))


async def say(request: Request) -> Response:
    """POST Encounter/[id]/$say, by the resident: client, text, picture. Answers the Communication, the same for the same client."""
    return answer(await talking.say(request.state.handle, request.path_params["id"], message_of(await told(request))))


async def withdraw(request: Request) -> Response:
    """POST Encounter/[id]/$withdraw: not any more. Answers the Encounter."""
    return answer((await talking.withdraw(request.state.handle, request.path_params["id"])).node)


async def rate(request: Request) -> Response:
    """POST Encounter/[id]/$rate: doctor and service from 1 to 5, words. Answers 201 with the QuestionnaireResponse."""
    said = await told(request)
    rating = feedback.Rating(said.whole("doctor", 0), said.whole("service", 0), said.text("words"))
    return answer(await feedback.rate(request.state.handle, request.path_params["id"], rating), 201)


async def complain(request: Request) -> Response:
    """POST Encounter/[id]/$complain: topic, words. Answers 201 with the Task."""
    said = await told(request)
    return answer(await feedback.complain(request.state.handle, request.path_params["id"], said.text("topic"), said.text("words")), 201)


async def complaint(request: Request) -> Response:
    """POST Task/[id]/$complaint, by the resident: event withdraw or reopen, words. Answers the Task."""
    said = await told(request)
    return answer(await feedback.handle_complaint(request.state.handle, request.path_params["id"], said.text("event"), said.text("words")))


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    paths = {
        "/fhir/HealthcareService/{id}/$ask": ask, "/fhir/Encounter/{id}/$say": say, "/fhir/Encounter/{id}/$withdraw": withdraw,
        "/fhir/Encounter/{id}/$rate": rate, "/fhir/Encounter/{id}/$complain": complain, "/fhir/Task/{id}/$complaint": complaint,
    }
    return [web.route(path, endpoint, permission=_ASK, methods=["POST"]) for path, endpoint in paths.items()]
