"""The pages of a call: the room itself, third parties' links, the parts of a recording and its film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.web.headers import HEADERS
from kangyun.base.web.redirects import local_path
from kangyun.care.internet_hospital.actions import calls_invitations as inviting
from kangyun.care.internet_hospital.actions.attending import about
from kangyun.care.internet_hospital.actions.calls import Means, ice
from kangyun.care.internet_hospital.actions.calls_invitations import Asked
from kangyun.care.internet_hospital.actions.calls_recordings import LARGEST_PART, Part, add_part, content_of
from kangyun.care.internet_hospital.decisions.calls import FILM, levels, may, roles_for
from kangyun.care.internet_hospital.model.calls import Call, Seat
from kangyun.care.internet_hospital.pages.calls_line import Line, turn_away
from kangyun.care.internet_hospital.queries import calls as queries
from kangyun.commons.access import escaped, presence_of

_CALL = "consult.call"
_COOKIE = "kangyun_call"
_DEVICES = "camera=(self), microphone=(self), geolocation=(), display-capture=()"
# The name under which a browser tries the relay before it is anybody in the call.
_TESTING = "test"
_HOURS = 4 * 3600


@dataclass(frozen=True, slots=True)
class Panel:
    """What the panel of a call on a page needs: addresses, and what this seat may do."""

    line: str
    parts: str
    invite: str
    kind: str
    name: str
    may_invite: bool
    may_record: bool
    back: str
    ice: dict[str, Any]


def panel(request: Request, call: Call, seat: Seat, back: str = "/") -> Panel:
    """The panel of somebody in a call; `back` is where one is after it."""
    base = f"/calls/{call.encounter}"
    return Panel(
        f"{base}/line", f"{base}/recordings", f"{base}/invitations", seat.kind, seat.name, may("invite", seat.kind),
        may("record", seat.kind), local_path(back), ice(_means(request).settings, _TESTING))


def with_devices(response: Response) -> Response:
    """A page that may use camera and microphone, which no other page of ours may."""
    response.headers["permissions-policy"] = _DEVICES
    return response


async def room(request: Request) -> Response:
    """The room of a call: try the devices, come in, talk."""
    call, seat = await _mine(request)
    response = web.render(
        request, "internet_hospital/calls.html", call=call, panel=panel(request, call, seat, request.query_params.get("back", "/")), levels=levels(),
        roles=roles_for(seat.kind), invited=await _invited(request, call, seat), link="", over=queries.over,
    )
    return with_devices(response)


async def _mine(request: Request) -> tuple[Call, Seat]:
    handle = request.state.handle
    call = await queries.call(handle, request.path_params["encounter"])
    return call, await queries.seat(handle, call)


async def _invited(request: Request, call: Call, seat: Seat) -> list[Any]:
    return await queries.invited(_means(request).database, call) if may("invite", seat.kind) else []


def _means(connection: Request | WebSocket) -> Means:
    return connection.app.state.services


async def talk(socket: WebSocket) -> None:
    """The WebSocket of somebody who is logged in; the gate judged it, and judges again while it lasts."""
    await socket.accept()
    handle = socket.state.handle

    async def judge() -> Call:
        again = await socket.state.again()
        call = await queries.call(again, socket.path_params["encounter"])
        await queries.seat(again, call)
        return call

    try:
        call = await queries.call(handle, socket.path_params["encounter"])
        seat = await queries.seat(handle, call)
        await _check_presence(socket, call, seat)
    except Problem as problem:
        await handle.settle("refused", _CALL)
        await turn_away(socket, problem)
        return
    line = Line(socket, _means(socket), seat, judge)
    await handle.settle("ok", _CALL)
    await line.serve(call)


async def _check_presence(socket: WebSocket, call: Call, seat: Seat) -> None:
    """Nobody stands in for the doctor: the one who treats has proved, in this session, to be there for this consultation."""
    present = await presence_of(socket.app.state.services, socket.state.handle.actor, about(call.encounter)) if seat.kind == "doctor" else True
    if call.begun and not present:
        raise refuse(403, "login", "internet_hospital.not-present")


async def invitations(request: Request) -> Response:
    """Invite a third party; answers the part of the page with the link, which is shown this once."""
    form = await web.posted(request)
    call, seat = await _mine(request)
    practitioner = await _practitioner(request, str(form.get("license", "")).strip())
    asked = Asked(str(form.get("role", "")), str(form.get("name", "")).strip(), practitioner)
    told, link, status = "", "", 200
    try:
        secret = await inviting.invite(_means(request), request.state.handle, call, seat, asked)
        link = f"{_public(request)}/calls/join/{secret}" if secret else ""
    except Problem as problem:
        told, status = " ".join(errors.text(one, request.state.language) for one in problem.issues), problem.status
    return await _invitations(request, (call, seat), link, told, status)


async def _invitations(request: Request, whose: tuple[Call, Seat], link: str = "", told: str = "", status: int = 200) -> Response:
    call, seat = whose
    return web.render(
        request, "internet_hospital/calls.html", block="invitations", status=status, panel=panel(request, call, seat), roles=roles_for(seat.kind),
        invited=await _invited(request, call, seat), link=link, told=told, picture=web.qr(link, "l") if link else None, over=queries.over)


async def _practitioner(request: Request, number: str) -> str:
    """The practitioner with a licence number; '' when none was given. Raises Problem 422 when nobody or more than one has it."""
    if not number:
        return ""
    page = await request.state.handle.search("Practitioner", [("identifier", escaped(number)), ("_count", "2")])
    if len(page.resources) != 1:
        raise refuse(422, "not-found", "internet_hospital.call-no-practitioner")
    return str(page.resources[0]["id"])


def _public(request: Request) -> str:
    return request.app.state.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")


async def uninvite(request: Request) -> Response:
    """Take an invitation back; whoever came by it is out."""
    form = await web.posted(request)
    call, seat = await _mine(request)
    await inviting.take_back(_means(request), call, seat, str(form.get("invitation", "")))
    return await _invitations(request, (call, seat))


async def show_link(request: Request) -> Response:
    """The page behind a third party's link; looking at it does not use it up, as programs that preview links look too."""
    found = await queries.invitation_of_link(_means(request).database, request.path_params["secret"])
    good = found is not None and not queries.over(found) and not found.opened
    return web.render(request, "internet_hospital/calls_join.html", status=200 if good else 410, one=found if good else None)


async def open_link(request: Request) -> Response:
    """Open the link: this browser, and no other, is in from now on."""
    await web.posted(request)
    try:
        device = await inviting.open_link(_means(request), request.path_params["secret"])
    except Problem:
        return web.render(request, "internet_hospital/calls_join.html", status=410, one=None)
    response = RedirectResponse("/calls/guest", 303)
    response.set_cookie(_COOKIE, device, max_age=_HOURS, path="/calls/guest", httponly=True, samesite="strict")
    return response


async def guest(request: Request) -> Response:
    """The room for a third party who came by a link: the call, and nothing of the record."""
    try:
        found = await queries.invitation_of_browser(_means(request).database, request.cookies.get(_COOKIE, ""))
        call = await inviting.call_of_guest(_means(request), found)
    except Problem:
        return web.render(request, "internet_hospital/calls_join.html", status=410, one=None)
    seat = queries.guest_seat(found)
    shown = Panel("/calls/guest/line", "", "", seat.kind, seat.name, may_invite=False, may_record=False, back="/", ice=ice(_means(request).settings, _TESTING))
    response = web.render(
        request, "internet_hospital/calls.html", call=call, panel=shown, levels=levels(), roles=[], invited=[], link="", over=queries.over)
    return with_devices(response)


async def talk_as_guest(socket: WebSocket) -> None:
    """The WebSocket of a third party: the opened invitation lets in, again and again while it lasts."""
    await socket.accept()
    means, secret = _means(socket), socket.cookies.get(_COOKIE, "")

    async def judge() -> Call:
        return await inviting.call_of_guest(means, await queries.invitation_of_browser(means.database, secret))

    try:
        call = await judge()
        seat = queries.guest_seat(await queries.invitation_of_browser(means.database, secret))
    except Problem as problem:
        await turn_away(socket, problem)
        return
    await Line(socket, means, seat, judge).serve(call)


async def record(request: Request) -> Response:
    """Take a part of a recording from the doctor's browser, which mixes it."""
    web.check_own(request)
    call, seat = await _mine(request)
    if seat.kind != "doctor":
        raise refuse(403, "forbidden", "base.not-yours-to-do")
    if request.headers.get("content-type", "").partition(";")[0] != FILM:
        raise refuse(415, "not-supported", "internet_hospital.call-film")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_PART:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(LARGEST_PART))
    part = Part(request.path_params["recording"], request.path_params["number"], bytes(body))
    services = request.app.state.services
    await add_part(services.database, services.keys, call, part)
    return Response(status_code=204)


async def film_page(request: Request) -> Response:
    """Watch a recording; whoever may see its Media may."""
    media = await _media(request)
    response = web.render(request, "internet_hospital/calls_film.html", media=media)
    response.headers["content-security-policy"] = HEADERS["content-security-policy"] + "; media-src 'self'"
    return response


async def film(request: Request) -> Response:
    """The film of a recording."""
    media = await _media(request)
    services = request.app.state.services
    patient = str(media["subject"]["reference"]).removeprefix("Patient/")
    parts = content_of(services.database, services.keys, patient, str(media["id"]))
    return StreamingResponse(parts, media_type=FILM, headers={"cache-control": "no-store"})


async def _media(request: Request) -> dict[str, Any]:
    found = await request.state.handle.read("Media", request.path_params["recording"])
    if found is None or found.get("content", {}).get("contentType") != FILM:
        raise refuse(404, "not-found", "records.not-found", type="Media")
    return found


def routes() -> list[BaseRoute]:
    """The addresses of this part; those that begin with a word come before those that take any."""
    return [
        web.route("/calls/join/{secret}", show_link, permission=web.PUBLIC),
        web.route("/calls/join/{secret}", open_link, permission=web.PUBLIC, methods=["POST"], limit="code"),
        web.route("/calls/guest", guest, permission=web.PUBLIC),
        web.socket("/calls/guest/line", talk_as_guest, permission=web.PUBLIC),
        web.route("/calls/recordings/{recording}", film_page, permission=_CALL),
        web.route("/calls/recordings/{recording}/film", film, permission=_CALL),
        web.route("/calls/{encounter}", room, permission=_CALL),
        web.socket("/calls/{encounter}/line", talk, permission=_CALL),
        web.route("/calls/{encounter}/invitations", invitations, permission=_CALL, methods=["POST"]),
        web.route("/calls/{encounter}/invitations/end", uninvite, permission=_CALL, methods=["POST"]),
        web.route("/calls/{encounter}/recordings/{recording}/{number:int}", record, permission=_CALL, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """A call is entered from its consultation."""
    return []
