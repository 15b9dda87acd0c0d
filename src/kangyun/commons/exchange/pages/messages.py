"""What people see of the exchange: messages as they arrive, and one message with its fault and a way to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.web import charts
from kangyun.base.web.texts import knows
from kangyun.commons.access import callers_named
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import registering, sealing
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.actions.quarantine import replay
from kangyun.commons.exchange.decisions.editing import text_of
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.showing_forms import show_form
from kangyun.commons.exchange.model import STATES, Reason
from kangyun.commons.exchange.queries.quarantine import notes
from kangyun.commons.exchange.queries.senders import silences

_LIST = "/exchange/messages"
_READ = "exchange.read"
_TONES = {"stored": "green", "received": "amber", "quarantined": "red", "duplicate": "plain", "dismissed": "plain"}
# A person's "never until I say so" in the column of the next try.
_NEVER = 9999


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
    entries: int


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
    await registering.learn_programs(request.app.state.services.database)
    before = request.query_params.get("before", "")
    async with request.app.state.services.database.connection() as connection:
        found = await queries.latest(
            connection, state=state, sender_key=key_of(sender) if sender else None,
            before=int(before) if before.isdecimal() and len(before) < 19 else None,
        )
        counts = await queries.states(connection)
        volumes = await queries.volumes(connection)
        silent = await silences(connection)
    names = await names_of(request, [one.patient for one in found if one.patient])
    language = request.state.language
    return {
        "rows": [row_of(one, names, language) for one in found],
        "counts": [(name, counts.get(name, 0)) for name in STATES],
        "total": sum(counts.values()),
        "silent": [sender_of(one.sender).called(language) for one in silent],
        "senders": [_card(volume, language) for volume in volumes],
        "state": state,
        "sender": sender,
        "before": before,
        "older": found[-1].id if len(found) == 50 else None,
    }


async def names_of(request: Request, patients: list[str]) -> dict[str, str]:
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


def row_of(one: queries.Listed, names: dict[str, str], language: str) -> Row:
    """A message as a list shows it; `names` are those of residents, by id."""
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
        reason=told(one.reason, language),
        place=one.reason.place if one.reason else "",
        entries=one.entries if one.form != "hl7v2" else 0,
    )


def told(reason: Reason | None, language: str) -> str:
    """A reason in words."""
    return errors.text(Issue("processing", reason.key, reason.params), language) if reason else ""


def _card(volume: queries.Volume, language: str) -> SenderCard:
    values = [(float(n), float(count)) for n, count in enumerate(volume.minutes)]
    latest = clock.instant(volume.latest) if volume.latest else ""
    name = sender_of(volume.sender).called(language)
    return SenderCard(volume.sender, name, volume.total, volume.quarantined, latest, charts.spark(values))


async def message(request: Request, problem: Problem | None = None) -> Response:
    """Show one message: where it came from, what became of it, what people did, its text with the fault marked."""
    found = await found_in(request)
    await registering.learn_programs(request.app.state.services.database)
    handle, services = request.state.handle, request.app.state.services
    names = await names_of(request, [found.patient] if found.patient else [])
    async with services.database.connection() as connection:
        done = await notes(connection, found.sender_key, found.id)
    people = await callers_named(services, [one.actor for one in done], request.state.language)
    body = opened(request, found)
    held = found.state in {"quarantined", "received"} and body is not None
    may_edit = held and found.state == "quarantined" and handle.may("exchange.edit") and handle.may("exchange.raw")
    return web.render(
        request,
        "exchange/message.html",
        status=problem.status if problem else 200,
        refused=" ".join(errors.text(one, request.state.language) for one in problem.issues) if problem else "",
        row=row_of(found, names, request.state.language),
        kept=found,
        occurred=clock.instant(found.occurred) if found.occurred else "",
        raw=show_form(found.form, body, found.reason, masked=not handle.may("exchange.raw")) if body is not None else None,
        notes=[{"when": clock.instant(one.moment), "actor": people.get(one.actor) or one.actor, "act": one.act, "said": one.said} for one in done],
        stopped=found.next_try is not None and found.next_try.year == _NEVER,
        may_replay=held and handle.may("exchange.replay"),
        may_edit=may_edit and text_of(body or b"", found.form) is not None,
        may_handle=handle.may("exchange.edit"),
    )


def opened(request: Request, found: queries.Kept) -> bytes | None:
    """The bytes of a kept message; raises Problem 503 when this installation's keys do not open them."""
    if found.body is None:
        return None
    return sealing.opened(request.app.state.services.keys, bytes(found.body), found.sealed, bytes(found.content_hash))


async def found_in(request: Request) -> queries.Kept:
    """The message that the address names; raises Problem 404."""
    async with request.app.state.services.database.connection() as connection:
        found = await queries.one(connection, request.path_params["id"])
    if found is None:
        raise refuse(404, "not-found", "exchange.no-such-message")
    return found


async def try_again(request: Request) -> Response:
    """Handle a quarantined message again, then show what became of it."""
    await web.posted(request)
    services, number = request.app.state.services, request.path_params["id"]
    await found_in(request)
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
