"""What programs ask about calls: $call, $call-invite, $call-uninvite, $call-record. What is said goes through the WebSocket."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer
from kangyun.base.fhir.parameters import told as parameters
from kangyun.care.internet_hospital.actions import calls
from kangyun.care.internet_hospital.actions import calls_invitations as inviting
from kangyun.care.internet_hospital.actions.calls_invitations import Asked
from kangyun.care.internet_hospital.api.parameters import told
from kangyun.care.internet_hospital.model.calls import Call, Seat
from kangyun.care.internet_hospital.queries import calls as queries

_CALL = "consult.call"


async def call(request: Request) -> Response:
    """POST Encounter/[id]/$call: how to come in, and who is there.

    Answers Parameters: line (address of the WebSocket), server (parts url, username, credential), ends, peer (parts kind,
    role, level, why, here, agreed), recording.
    """
    found, seat = await _mine(request)
    return await _state(request, found, seat)


async def invite(request: Request) -> Response:
    """POST Encounter/[id]/$call-invite: role, name, practitioner (Reference). Answers Parameters: link; none for a practitioner."""
    said = await told(request)
    found, seat = await _mine(request)
    asked = Asked(said.text("role"), said.text("name"), said.text("practitioner"))
    services = request.app.state.services
    secret = await inviting.invite(services, request.state.handle, found, seat, asked)
    public = services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return answer(parameters(*([_value("link", "Url", f"{public}/calls/join/{secret}")] if secret else [])), 201)


async def uninvite(request: Request) -> Response:
    """POST Encounter/[id]/$call-uninvite: invitation. Whoever came by it is out. Answers as $call."""
    said = await told(request)
    found, seat = await _mine(request)
    await inviting.take_back(request.app.state.services, found, seat, said.text("invitation"))
    return await _state(request, found, seat)


async def record(request: Request) -> Response:
    """POST Encounter/[id]/$call-record: agreed; without it consent is withdrawn. Answers as $call.

    The recording runs while everybody in the call agrees; withdrawing ends it before this answers. 409 for whoever is not in
    the call.
    """
    said = await told(request)
    found, seat = await _mine(request)
    database = request.app.state.services.database
    present, _ = await calls.present(database, found)
    mine = next((one for one in present if one.who == seat.who), None)
    if mine is None:
        raise refuse(409, "conflict", "internet_hospital.call-absent")
    await calls.agree(database, found, mine.peer, agreed=said.flag("agreed"))
    return await _state(request, found, seat)


async def _mine(request: Request) -> tuple[Call, Seat]:
    handle = request.state.handle
    found = await queries.call(handle, request.path_params["id"])
    return found, await queries.seat(handle, found)


async def _state(request: Request, found: Call, seat: Seat) -> Response:
    services = request.app.state.services
    present, recording = await calls.present(services.database, found)
    relay = calls.ice(services.settings, seat.who.rpartition("/")[2])
    told_: list[dict[str, Any]] = [_value("line", "Url", f"/calls/{found.encounter}/line"), _value("open", "Boolean", found.is_open)]
    told_ += [{"name": "server", "part": [
        *(_value("url", "Url", url) for url in one["urls"]), _value("username", "String", one["username"]),
        _value("credential", "String", one["credential"])]} for one in relay["servers"]]
    told_ += [_value("ends", "UnsignedInt", relay["ends"])] if relay["ends"] else []
    told_ += [{"name": "peer", "part": [
        _value("kind", "Code", one.kind), _value("role", "Code", one.role), _value("level", "Code", one.level),
        _value("here", "Boolean", one.here and not one.silent), _value("agreed", "Boolean", one.agreed)]} for one in present]
    invited = await queries.invited(services.database, found) if seat.kind != "guest" else []
    told_ += [{"name": "invitation", "part": [
        _value("id", "Id", one.id), _value("role", "Code", one.role), _value("open", "Boolean", not queries.over(one))]} for one in invited]
    return answer(parameters(*told_, *([_value("recording", "Id", recording)] if recording else [])))


def _value(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"name": name, f"value{kind}": value}


def routes() -> list[BaseRoute]:
    """The operations on calls."""
    deeds = {"$call": call, "$call-invite": invite, "$call-uninvite": uninvite, "$call-record": record}
    return [web.route(f"/fhir/Encounter/{{id}}/{name}", deed, permission=_CALL, methods=["POST"]) for name, deed in deeds.items()]
