"""Senders: who sends what, how fast, how complete and how well coded; who fell silent; and their registration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import yaml
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.web import charts
from kangyun.base.web.display import CHINA
from kangyun.base.web.texts import translate
from kangyun.commons.exchange.actions import quarantine, registering
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.decisions import quality, registrations
from kangyun.commons.exchange.decisions.registrations import CHANNELS, Registration
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.model import MEASURED
from kangyun.commons.exchange.pages.quarantine import words_of
from kangyun.commons.exchange.queries import senders

_PAGE = "/exchange/senders"
_READ, _WRITE = "exchange.read", "exchange.senders"
_DAYS = 30


class _Plain(yaml.SafeLoader):
    """YAML without aliases: what refers to itself, or ten times to what refers ten times, has no end when it is written."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


@dataclass(frozen=True, slots=True)
class Row:
    """One sender as the list shows it; numbers are of the last 30 days but for `today`."""

    sender: str
    name: str
    address: str
    today: int
    total: int
    held: int
    latest: str
    silent: bool
    paused: bool
    score: str
    tone: str


async def listed(request: Request) -> Response:
    """Show all senders: those that were heard in the last 30 days and those that are registered."""
    block = "live" if request.query_params.get("part") == "live" else None
    now, language = clock.now(), request.state.language
    await registering.refresh(request.app.state.services.database)
    await registering.learn_programs(request.app.state.services.database)
    async with request.app.state.services.database.connection() as connection:
        totals = {one.sender: one for one in await senders.totals(connection, now - timedelta(days=_DAYS), _soon(now))}
        today = {one.sender: one.received for one in await senders.totals(connection, _midnight(now), _soon(now))}
        silent = {one.sender: one for one in await senders.silences(connection)}
        paused = await senders.pauses(connection)
    names = [*totals, *(name for name in [*registrations.on_pages(), *registrations.in_files()] if name not in totals)]
    rows = [_row(name, totals.get(name), language, (today.get(name, 0), name in silent, key_of(name) in paused)) for name in dict.fromkeys(names)]
    return web.render(
        request, "exchange/senders.html", block=block, rows=sorted(rows, key=lambda row: not row.silent),
        silent=[_silence(one, language) for one in silent.values()], may_write=request.state.handle.may(_WRITE),
    )


def _soon(now: datetime) -> datetime:
    return now + timedelta(hours=1)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)


def address_of(sender: str, page: str = "one") -> str:
    """The address of a sender's page."""
    return f"{_PAGE}/{page}?{urlencode({'name': sender})}"


def _row(sender: str, total: senders.Total | None, language: str, state: tuple[int, bool, bool]) -> Row:
    score = quality.scores(counts_of(total)).score if total and total.received >= quality.rule().value["fewest"] else None
    return Row(
        sender, sender_of(sender).called(language), address_of(sender), state[0], total.received if total else 0,
        total.quarantined if total else 0, clock.instant(total.latest) if total else "", state[1], state[2],
        f"{score:.0f}" if score is not None else "—", quality.tone(score),
    )


def counts_of(total: senders.Total) -> quality.Counts:
    """What is judged of a sender's counts."""
    return quality.Counts(
        total.stored, total.quarantined, total.duplicate, total.dismissed, total.waiting, total.told, total.on_time,
        total.codes, total.coded, dict(zip(MEASURED, total.asked, strict=True)), dict(zip(MEASURED, total.filled, strict=True)),
    )


def _silence(one: senders.Silence, language: str) -> dict[str, Any]:
    return {
        "name": sender_of(one.sender).called(language), "address": address_of(one.sender), "since": clock.instant(one.since),
        "expected": round(one.expected), "ended": clock.instant(one.ended) if one.ended else "",
    }


async def silent_now(request: Request) -> list[dict[str, Any]]:
    """Who is silent now, for the banner of other pages."""
    async with request.app.state.services.database.connection() as connection:
        return [_silence(one, request.state.language) for one in await senders.silences(connection)]


def _named(request: Request) -> str:
    name = request.query_params.get("name", "").strip()
    if not name or len(name) > 80:
        raise refuse(404, "not-found", "exchange.no-such-sender")
    return name


async def shown(request: Request) -> Response:
    """Show one sender."""
    return await _shown(request, _named(request))


async def _shown(request: Request, sender: str, new_key: str = "") -> Response:
    now, key, language = clock.now(), key_of(sender), request.state.language
    start = _midnight(now) - timedelta(days=_DAYS - 1)
    await registering.refresh(request.app.state.services.database)
    await registering.learn_programs(request.app.state.services.database)
    async with request.app.state.services.database.connection() as connection:
        totals = await senders.totals(connection, start, _soon(now), key)
        hours = await senders.hours(connection, key, start, _soon(now))
        reasons = await senders.reasons(connection, start, _soon(now), key)
        silences = await senders.silences(connection, key)
        versions = await senders.versions(connection, key)
        paused = key in await senders.pauses(connection)
    total = totals[0] if totals else None
    by_day = _by_day(hours, start)
    return web.render(
        request, "exchange/sender.html", sender=sender, name=sender_of(sender).called(language), total=total,
        known=sender_of(sender).known, registration=registrations.registered(sender), new_key=new_key,
        days=[(day, number) for day, number in by_day.items() if number],
        chart=charts.spark([(float(n), float(number)) for n, number in enumerate(by_day.values())]) if total else None,
        delays=_delays(total, language) if total else [], shares=_shares(total) if total else [],
        scores=quality.scores(counts_of(total)) if total else None, dimensions=quality.DIMENSIONS, tone=quality.tone,
        reasons=[(words_of(reason, language), reason, number) for _, reason, number in reasons],
        silences=[_silence(one, language) for one in silences],
        versions=[(one.number, clock.instant(one.changed), one.actor) for one in versions], paused=paused,
        address=address_of, query=urlencode({"sender": sender}), may_write=request.state.handle.may(_WRITE),
    )


def _by_day(hours: list[tuple[datetime, senders.Total]], start: datetime) -> dict[str, int]:
    found = {(start + timedelta(days=n)).date().isoformat(): 0 for n in range(_DAYS)}
    for hour, total in hours:
        day = hour.astimezone(CHINA).date().isoformat()
        found[day] = found.get(day, 0) + total.received
    return found


def _delays(total: senders.Total, language: str) -> list[tuple[str, str]]:
    """Names of texts and durations: from event to arrival, from arrival to the record, and what came on time."""
    found: list[tuple[str, str]] = []
    if total.told:
        found.append(("arrival", _duration(total.arrival_seconds / total.told, language)))
        found.append(("on-time", f"{100 * total.on_time / total.told:.1f} %"))
    if total.handled:
        found.append(("handling", _duration(total.handling_seconds / total.handled, language)))
    return found


def _duration(seconds: float, language: str) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return translate(language, f"exchange.duration.{unit}", n=f"{seconds / size:.1f}")
    return translate(language, "exchange.duration.ms", n=f"{seconds * 1000:.0f}")


def _shares(total: senders.Total) -> list[tuple[str, int, int]]:
    """(particular, filled, asked) for each that was asked for."""
    return [(name, filled, asked) for name, filled, asked in zip(MEASURED, total.filled, total.asked, strict=True) if asked]


async def editor(request: Request) -> Response:
    """Show the registration of a sender, or an empty one, as a form."""
    sender = request.query_params.get("name", "").strip()[:80]
    found = registrations.registered(sender) if sender else Registration("")
    return _form(request, sender, _fields(found), {})


def _fields(found: Registration) -> dict[str, str]:
    maps = yaml.safe_dump(dict(found.maps), allow_unicode=True, sort_keys=False) if found.maps else ""
    return {
        "sender": found.sender, "name": found.name, "institution": found.institution, "channel": found.channel,
        "networks": "\n".join(found.networks), "folders": "\n".join(found.folders), "certificates": "\n".join(found.certificates), "per_day": str(found.per_day or ""),
        "hours": found.hours, "days": found.days, "contact": found.contact, "maps": maps,
    }


def _form(request: Request, sender: str, fields: dict[str, str], faults: dict[str, str], status: int = 200) -> Response:
    return web.render(
        request, "exchange/sender_edit.html", status=status, sender=sender, fields=fields, faults=faults, channels=CHANNELS,
        address=address_of(sender) if sender else _PAGE)


async def register(request: Request) -> Response:
    """Keep a new version of a sender's registration."""
    form = await web.posted(request)
    fields = {name: str(form.get(name, "")).strip() for name in _fields(Registration(""))}
    try:
        found = _read(form, fields)
    except (ValueError, yaml.YAMLError) as error:
        fault = str(error) if str(error) in fields else "maps" if isinstance(error, yaml.YAMLError) else "per_day"
        return _form(request, "", fields, {fault: fault}, 422)
    await registering.register(request.app.state.services.database, found, request.state.handle.actor.name)
    return RedirectResponse(address_of(found.sender), status_code=303)


def _read(form: FormData, fields: dict[str, str]) -> Registration:
    del form
    if not fields["sender"] or len(fields["sender"]) > 80:
        raise ValueError("sender")
    body: dict[str, Any] = {**fields, "maps": yaml.load(fields["maps"] or "{}", Loader=_Plain) or {}}  # noqa: S506 - it is a safe loader
    if not isinstance(body["maps"], dict):
        raise ValueError("maps")  # noqa: TRY004 - the caller shows the field, whatever is wrong with it
    for name in ("networks", "folders"):
        body[name] = fields[name].split()
    body["certificates"] = [line.strip() for line in fields["certificates"].splitlines() if line.strip()]
    body["key_hash"] = registrations.registered(fields["sender"]).key_hash
    return registrations.registration(fields["sender"], body)


async def new_key(request: Request) -> Response:
    """Make a new key for a sender and show it once."""
    sender = str((await web.posted(request)).get("sender", ""))
    key = await registering.new_key(request.app.state.services.database, sender, request.state.handle.actor.name)
    return await _shown(request, sender, key)


async def pause(request: Request) -> Response:
    """Try no waiting message of a sender again, or let them be tried again."""
    form = await web.posted(request)
    sender, services = str(form.get("sender", "")), request.app.state.services
    if form.get("act") == "resume":
        await quarantine.resume_sender(services, sender)
    else:
        await quarantine.pause_sender(services, sender, request.state.handle.actor.name)
    return RedirectResponse(address_of(sender), status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of this part for people."""
    return [
        web.route(_PAGE, listed, permission=_READ),
        web.route(f"{_PAGE}/one", shown, permission=_READ),
        web.route(f"{_PAGE}/edit", editor, permission=_WRITE),
        web.route(f"{_PAGE}/edit", register, permission=_WRITE, methods=["POST"]),
        web.route(f"{_PAGE}/key", new_key, permission=_WRITE, methods=["POST"]),
        web.route(f"{_PAGE}/pause", pause, permission="exchange.edit", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """This part's place in the menu."""
    return [web.MenuEntry("exchange.senders.menu", _PAGE, icon="hospital", order=32, about="exchange.senders.about")]
