"""What people see of the exchange: messages as they arrive, and one message with its fault and a way to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Issue, refuse
from kangyun.base.web import charts
from kangyun.base.web.texts import knows
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.actions.quarantine import replay
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.showing import show
from kangyun.commons.exchange.model import STATES, Reason

_LIST = "/exchange/messages"
_READ = "exchange.read"
_TONES = {"stored": "green", "received": "amber", "quarantined": "red", "duplicate": "plain"}


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the list shows it; times are FHIR instants."""

    id: int
    received: str
    sender: str
    kind: str
    event: str | None
    state: str
    tone: str
    patient: str | None
    name: str | None
    delay: str
    reason: str
    place: str


@dataclass(frozen=True, slots=True)
class SenderCard:
    """One sender as its tile shows it."""

    key: str
    name: str
    total: int
    quarantined: int
    latest: str
    chart: Any


async def messages(request: Request) -> Response:
    """Show the newest messages; `?part=latest` answers with what changes while one watches."""
    block = "latest" if request.query_params.get("part") == "latest" else None
    return web.render(request, "exchange/messages.html", block=block, **await _live(request))


async def _live(request: Request) -> dict[str, Any]:
    state, sender = request.query_params.get("state"), request.query_params.get("sender") or None
    state = state if state in STATES else None
    before = request.query_params.get("before", "")
    async with request.app.state.services.database.connection() as connection:
        found = await queries.latest(
            connection, state=state, sender_key=key_of(sender) if sender else None,
            before=int(before) if before.isdecimal() and len(before) < 19 else None,
        )
        counts = await queries.states(connection)
        volumes = await queries.volumes(connection)
    names = await _names(request, [one.patient for one in found if one.patient])
    language = request.state.language
    return {
        "rows": [_row(one, names, language) for one in found],
        "counts": [(name, counts.get(name, 0)) for name in STATES],
        "total": sum(counts.values()),
        "senders": [_card(volume, language) for volume in volumes],
        "state": state,
        "sender": sender,
        "before": before,
        "older": found[-1].id if len(found) == 50 else None,
    }


async def _names(request: Request, patients: list[str]) -> dict[str, str]:
    """The names of residents, for those who may read records anyway."""
    handle = request.state.handle
    wanted = sorted(set(patients))
    if not wanted or not handle.may("clinician.read"):
        return {}
    page = await handle.search("Patient", [("_id", ",".join(wanted)), ("_count", "100")])
    return {str(one["id"]): _name(one) for one in page.resources}


def _name(patient: dict[str, Any]) -> str:
    names = patient.get("name") or [{}]
    return str(names[0].get("text") or names[0].get("family") or "")


def _row(one: queries.Listed, names: dict[str, str], language: str) -> Row:
    event = one.kind.replace("^", "-")
    seconds = one.seconds
    return Row(
        id=one.id,
        received=clock.instant(one.received),
        sender=sender_of(one.sender).called(language),
        kind=one.kind or one.form,
        event=event if knows(f"exchange.kind.{event}") else None,
        state=one.state,
        tone=_TONES[one.state],
        patient=one.patient if one.patient in names else None,
        name=names.get(one.patient or "") or None,
        delay="" if seconds is None else f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s",
        reason=_told(one.reason, language),
        place=one.reason.place if one.reason else "",
    )


def _told(reason: Reason | None, language: str) -> str:
    return errors.text(Issue("processing", reason.key, reason.params), language) if reason else ""


def _card(volume: queries.Volume, language: str) -> SenderCard:
    values = [(float(n), float(count)) for n, count in enumerate(volume.minutes)]
    latest = clock.instant(volume.latest) if volume.latest else ""
    name = sender_of(volume.sender).called(language)
    return SenderCard(volume.sender, name, volume.total, volume.quarantined, latest, charts.spark(values))


async def message(request: Request) -> Response:
    """Show one message: where it came from, what became of it, its text with the fault marked."""
    found = await _found(request)
    names = await _names(request, [found.patient] if found.patient else [])
    masked = not request.state.handle.may("exchange.raw")
    body = None
    if found.body is not None:
        body = sealing.opened(request.app.state.services.keys, found.body, found.sealed, found.content_hash)
    return web.render(
        request,
        "exchange/message.html",
        row=_row(found, names, request.state.language),
        kept=found,
        raw=show(body, found.reason, masked=masked) if body is not None and found.form == "hl7v2" else None,
        may_replay=found.state in {"quarantined", "received"} and found.body is not None and request.state.handle.may("exchange.replay"),
    )


async def _found(request: Request) -> queries.Kept:
    async with request.app.state.services.database.connection() as connection:
        found = await queries.one(connection, request.path_params["id"])
    if found is None:
        raise refuse(404, "not-found", "exchange.no-such-message")
    return found


async def try_again(request: Request) -> Response:
    """Handle a quarantined message again, then show what became of it."""
    await web.posted(request)
    services, number = request.app.state.services, request.path_params["id"]
    await _found(request)
    await replay(services, number, request.state.handle.actor.name)
    return RedirectResponse(f"{_LIST}/{number}", status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of this room for people."""
    return [
        web.route(_LIST, messages, permission=_READ),
        web.route(f"{_LIST}/{{id:int}}", message, permission=_READ),
        web.route(f"{_LIST}/{{id:int}}/replay", try_again, permission="exchange.replay", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """This room's place in the menu."""
    return [web.MenuEntry("exchange.menu", _LIST, icon="messages", order=30, about="exchange.about")]
