"""Local codes for people to map: the most frequent first, with what they may mean, by keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.commons.exchange.actions import coding, registering
from kangyun.commons.exchange.decisions import suggesting
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.terms import Term, term_of
from kangyun.commons.exchange.queries import codes
from kangyun.commons.exchange.queries.codes import Filter, UnknownCode

_PAGE = "/exchange/codes"
_KEY = re.compile(r"-?\d{1,20}", re.ASCII)
_READ, _WRITE = "exchange.read", "exchange.codes"
_STATES = ("open", "mapped", "rejected")


@dataclass(frozen=True, slots=True)
class Choice:
    """One public code that may be meant; `likeness` from 0 to 100, None where a person looked for it."""

    system: str
    code: str
    name: str
    english: str
    likeness: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One local code as the list shows it."""

    sender: str
    sender_key: int
    system: str
    short: str
    code: str
    display: str
    role: str
    number: int
    latest: str
    state: str
    best: Choice | None
    mapped: Choice | None
    recoded: int | None
    address: str


async def listed(request: Request) -> Response:
    """Show the codes of one state, narrowed by sender, role and words."""
    by, offset = _filter(request), _offset(request)
    await registering.learn_programs(request.app.state.services.database)
    async with request.app.state.services.database.connection() as connection:
        found = await codes.listed(connection, by, offset)
        counts = await codes.states(connection)
        senders = await codes.senders(connection)
    return web.render(
        request,
        "exchange/codes.html",
        rows=[_row(one, request.state.language) for one in found],
        counts=[(state, counts.get(state, 0), _address(request, state=state, offset=None)) for state in _STATES],
        senders=[(key, sender_of(key).called(request.state.language), number, _address(request, sender=key, offset=None)) for key, number in senders.items()],
        by=by,
        all_senders=_address(request, sender=None, offset=None),
        more=_address(request, offset=str(offset + codes.PAGE)) if len(found) == codes.PAGE else None,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        may_write=request.state.handle.may(_WRITE),
    )


async def one(request: Request) -> Response:
    """Show one code with everything it may mean, and a search for others."""
    found = await _found(request, dict(request.query_params))
    asked = request.query_params.get("q", "").strip()[:60]
    choices = [_choice(term, score) for term, score in suggesting.suggestions(found.role, found.code, found.display, 8)]
    looked = [_choice(term) for term in suggesting.matching(found.role, asked)] if asked else []
    return web.render(
        request, "exchange/code.html", row=_row(found, request.state.language), found=found, choices=choices, looked=looked,
        asked=asked, may_write=request.state.handle.may(_WRITE),
        back=f"{_PAGE}?state={found.state}",
    )


async def decide(request: Request) -> Response:
    """Accept a public code for a local one, reject all, or take a decision back; then return to the list."""
    form = await web.posted(request)
    given = {name: str(form.get(name, "")) for name in ("sender_key", "system", "code", "role", "target", "do", "next")}
    found = await _found(request, given)
    source, handle = (found.system, found.code, found.display), request.state.handle
    by = handle.actor.name
    if given["do"] == "reject":
        await coding.reject(handle, source, by)
    elif given["do"] == "reopen":
        await coding.reopen(handle, source, found.target_system, by)
    else:
        term = _term(found.role, given["target"])
        if term is None:
            raise refuse(422, "value", "exchange.no-such-code")
        await coding.accept(handle, source, (term.system, term.code, term.name), by)
    target = given["next"] if given["next"].startswith(f"{_PAGE}?") or given["next"] == _PAGE else _PAGE
    return RedirectResponse(target, status_code=303)


def _term(role: str, code: str) -> Term | None:
    table = suggesting.table_of(role)
    tables = [table] if table else ["icd10", "loinc", "atc"]
    found = (term_of(one, code) for one in tables)
    return next((term for term in found if term is not None and term.code == code), None)


async def _found(request: Request, given: dict[str, str]) -> UnknownCode:
    key = given.get("sender_key", "")
    async with request.app.state.services.database.connection() as connection:
        found = await codes.one(
            connection, int(key) if _KEY.fullmatch(key) and -(2**63) <= int(key) < 2**63 else 0,
            given.get("system", ""), given.get("code", ""), given.get("role", ""),
        )
    if found is None:
        raise refuse(404, "not-found", "exchange.no-such-code")
    return found


def _filter(request: Request) -> Filter:
    query = request.query_params
    state = query.get("state", "open")
    return Filter(state if state in _STATES else "open", query.get("sender") or None, query.get("role") or None, query.get("q", "").strip()[:60] or None)


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _address(request: Request, **changes: str | None) -> str:
    query = {**dict(request.query_params), **changes}
    filled = {name: value for name, value in query.items() if value and name in {"state", "sender", "role", "q", "offset"}}
    return f"{_PAGE}?{urlencode(filled)}" if filled else _PAGE


def _row(found: UnknownCode, language: str) -> Row:
    best = suggesting.suggestions(found.role, found.code, found.display, 1) if found.state == "open" else []
    best = [one for one in best if one[1] >= suggesting.SURE]
    key = {"sender_key": str(found.sender_key), "system": found.system, "code": found.code, "role": found.role}
    return Row(
        sender=sender_of(found.sender).called(language),
        sender_key=found.sender_key,
        system=found.system,
        short=found.system.rsplit(":", 1)[-1] if found.system.startswith("urn:kangyun:") else found.system,
        code=found.code,
        display=found.display,
        role=found.role,
        number=found.number,
        latest=clock.instant(found.last_seen),
        state=found.state,
        best=_choice(*best[0]) if best else None,
        mapped=_mapped(found),
        recoded=found.recoded,
        address=f"{_PAGE}/one?{urlencode(key)}",
    )


def _mapped(found: UnknownCode) -> Choice | None:
    if not found.target_code:
        return None
    term = _term(found.role, found.target_code)
    return _choice(term) if term else Choice(found.target_system or "", found.target_code, "", "")


def _choice(term: Term, likeness: int | None = None) -> Choice:
    return Choice(term.system, term.code, term.name, term.english, likeness)


def routes() -> list[BaseRoute]:
    """The addresses of the mapping pages."""
    return [
        web.route(_PAGE, listed, permission=_READ),
        web.route(f"{_PAGE}/one", one, permission=_READ),
        web.route(f"{_PAGE}/decide", decide, permission=_WRITE, methods=["POST"]),
    ]


def menu() -> list[Any]:
    """The place of the mapping pages in the menu."""
    return [web.MenuEntry("exchange.codes.menu", _PAGE, icon="link", order=34, about="exchange.codes.about")]
