"""What stands in quarantine: by sender and reason, message by message, and replays of many while they run."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.commons.exchange.actions import quarantine, registering
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.model import Reason
from kangyun.commons.exchange.pages.messages import names_of, row_of, told
from kangyun.commons.exchange.queries import quarantine as queries

_PAGE = "/exchange/quarantine"
_KINDS = ("quarantined", "waiting", "dismissed")
_AT_ONCE = 50
# Stands for what differs from message to message.
_UNKNOWN = "…"


@dataclass(frozen=True, slots=True)
class Heap:
    """Messages of one sender with one reason, as the page shows them."""

    sender: str
    name: str
    reason: str
    words: str
    form: str
    number: int
    latest: str
    address: str
    current: bool


@dataclass(frozen=True, slots=True)
class RunRow:
    """A replay of many as the page shows it."""

    id: int
    what: str
    total: int
    done: int
    stored: int
    state: str
    started: str


async def held(request: Request) -> Response:
    """Show what is held; `?part=live` answers with what changes while one watches."""
    block = "live" if request.query_params.get("part") == "live" else None
    return web.render(request, "exchange/quarantine.html", block=block, **await _context(request))


async def _context(request: Request) -> dict[str, Any]:
    asked, language = request.query_params, request.state.language
    what = asked.get("what") if asked.get("what") in _KINDS else "quarantined"
    sender, reason, form = (asked.get(name) or None for name in ("sender", "reason", "form"))
    before = asked.get("before", "")
    await registering.learn_programs(request.app.state.services.database)
    wanted = queries.Wanted(str(what), key_of(sender) if sender else None, reason, form)
    async with request.app.state.services.database.connection() as connection:
        found = await queries.held(connection, wanted, int(before) if before.isdecimal() and len(before) < 19 else None)
        counts = await queries.held_counts(connection)
        heaps = await queries.groups(connection)
        runs = await queries.runs(connection)
    names = await names_of(request, [one.patient for one in found if one.patient])
    chosen = {"sender": sender or "", "reason": reason or "", "form": form or ""}
    return {
        "rows": [(row_of(one, names, language), one) for one in found],
        "counts": [(kind, counts.get(kind, 0)) for kind in _KINDS],
        "heaps": [_heap(one, chosen, language) for one in heaps],
        "runs": [_run(one, language) for place, one in enumerate(runs) if one.state == "running" or place == 0],
        "running": any(one.state == "running" for one in runs),
        "what": what,
        "chosen": chosen,
        "chosen_words": " · ".join(_chosen_words(chosen, language)),
        "number": sum(one.number for one in heaps if _fits(one, chosen)) if any(chosen.values()) else counts.get("quarantined", 0),
        "older": _address(what=str(what), before=str(found[-1].id), **chosen) if len(found) == _AT_ONCE else None,
        "before": before,
        "may_replay": request.state.handle.may("exchange.replay"),
    }


def _fits(heap: queries.Group, chosen: dict[str, str]) -> bool:
    return all(not value or getattr(heap, name) == value for name, value in chosen.items())


def _address(**asked: str) -> str:
    given = {name: value for name, value in asked.items() if value and (name, value) != ("what", "quarantined")}
    return f"{_PAGE}?{urlencode(given)}" if given else _PAGE


def _heap(one: queries.Group, chosen: dict[str, str], language: str) -> Heap:
    here = {"sender": one.sender, "reason": one.reason, "form": one.form}
    return Heap(
        one.sender, sender_of(one.sender).called(language), one.reason, words_of(one.reason, language), one.form, one.number,
        clock.instant(one.latest), _address(**here), here == chosen,
    )


def words_of(key: str, language: str) -> str:
    """What a kind of reason means, where no particular message is looked at."""
    if not key:
        return ""
    of_many = f"{key}.heap"
    key = of_many if of_many in errors.messages() else key
    named = Formatter().parse(errors.messages().get(key, {}).get(language, ""))
    text = told(Reason(key, "", {name: _UNKNOWN for _, name, _, _ in named if name}), language)
    for quoted in (f"“{_UNKNOWN}”", f" '{_UNKNOWN}'", f"：{_UNKNOWN}", f": {_UNKNOWN}"):
        text = text.replace(quoted, "")
    return text


def _chosen_words(chosen: dict[str, str], language: str) -> list[str]:
    found = [sender_of(chosen["sender"]).called(language)] if chosen["sender"] else []
    return [*found, *([words_of(chosen["reason"], language)] if chosen["reason"] else [])]


def _run(one: queries.Run, language: str) -> RunRow:
    chosen = {"sender": one.sender or "", "reason": one.reason or ""}
    return RunRow(
        one.id, " · ".join(_chosen_words(chosen, language)), one.total, one.done, one.stored, one.state, clock.instant(one.started))


async def replay_many(request: Request) -> Response:
    """Begin to replay everything of a sender, reason and form; the page then shows how far it is."""
    form = await web.posted(request)
    sender, reason, kind = (str(form.get(name) or "") or None for name in ("sender", "reason", "form"))
    wanted = queries.Wanted("quarantined", key_of(sender) if sender else None, reason, kind)
    await quarantine.replay_many(request.app.state.services, wanted, sender, request.state.handle.actor.name)
    return RedirectResponse(_PAGE, status_code=303)


async def stop_run(request: Request) -> Response:
    """End a replay of many after the message that it is at."""
    await web.posted(request)
    await quarantine.stop_run(request.app.state.services, request.path_params["id"])
    return RedirectResponse(_PAGE, status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of this part for people."""
    return [
        web.route(_PAGE, held, permission="exchange.read"),
        web.route(f"{_PAGE}/replay", replay_many, permission="exchange.replay", methods=["POST"]),
        web.route(f"{_PAGE}/runs/{{id:int}}/stop", stop_run, permission="exchange.replay", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """This part's place in the menu."""
    return [web.MenuEntry("exchange.quarantine.menu", _PAGE, icon="alert", order=31, about="exchange.quarantine.about")]
