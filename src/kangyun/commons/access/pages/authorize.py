"""The page on which a person lets an app in, or does not; and the door from a resident's page into an app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.web.headers import HEADERS
from kangyun.commons.access.actions import authorizing
from kangyun.commons.access.actions.authorizing import Choice, Opening, Waiting
from kangyun.commons.access.decisions.authorizing import form_target, single
from kangyun.commons.access.decisions.scope_words import deeds
from kangyun.commons.access.decisions.scopes import contexts
from kangyun.commons.access.decisions.tokens import Refused, renewal_seconds, times
from kangyun.commons.access.pages.entrance import actor_of, address_of, parts_of
from kangyun.commons.access.queries.clients import launchable

_HERE = "/oauth/authorize"
_WAITING = "asking"
_POLICY = "content-security-policy"
_UNSTORED = {"cache-control": "no-store"}


async def authorize(request: Request) -> Response:
    """Take an app's request, and put it to the person as soon as somebody is logged in."""
    secret = request.query_params.get(_WAITING)
    if secret is None:
        return await _begin(request)
    actor = actor_of(request)
    if actor.account is None or actor.session is None or actor.scopes is not None:
        return _to(f"/login?next={quote(_address(secret), safe='')}")
    return await _ask(request, secret)


async def _begin(request: Request) -> Response:
    parts, told = parts_of(request), single(request.query_params.multi_items())
    client, issuer = await authorizing.app_behind(parts, told), address_of(request)
    try:
        secret = await authorizing.begin(parts, client, told, f"{issuer}/fhir")
    except Refused as refused:
        return _to(authorizing.refused_at(told, refused, issuer))
    return _to(_address(secret))


def _address(secret: str) -> str:
    return f"{_HERE}?{_WAITING}={secret}"


def _to(address: str) -> Response:
    return RedirectResponse(address, 303, headers=_UNSTORED)


async def _ask(request: Request, secret: str, *, status: int = 200, q: str = "", found: Sequence[Choice] | None = None, wrong: str = "") -> Response:
    parts, handle = parts_of(request), request.state.handle
    waits = await authorizing.waiting(parts, handle, secret)
    asked = waits.asked
    choosing = asked.needs_patient and waits.fixed is None
    offered = await authorizing.choices(parts, handle.actor) if choosing else []
    page = web.render(
        request, "access/authorize.html", status=status, secret=secret, client=waits.client, deeds=deeds(asked.scopes),
        fixed=waits.fixed, offered=offered or found or [], choosing=choosing, q=q, searched=found is not None, wrong=wrong,
        searches=choosing and not offered and authorizing.may_search(handle.actor), wide="user" in contexts(asked.scopes),
        words=asked.scopes.split(), until=_until(handle.actor.role, waits), instant=clock.instant)
    return _leading_to(page, form_target(asked.redirect))


def _leading_to(page: Response, *targets: str) -> Response:
    """The page with the permission that the answer to its form leads to apps: a browser follows it only where the policy says so."""
    own = "form-action 'self'"
    page.headers[_POLICY] = HEADERS[_POLICY].replace(own, " ".join([own, *targets]))
    page.headers["cache-control"] = "no-store"
    return page


def _until(role: str, waits: Waiting) -> datetime:
    return clock.now() + timedelta(seconds=renewal_seconds(role, waits.asked.scopes) or times().token)


async def answer(request: Request) -> Response:
    """The person's answer: yes, no, or a search for the resident whom it is about."""
    form, parts, handle = await web.posted(request), parts_of(request), request.state.handle
    secret, issuer = str(form.get(_WAITING, "")), address_of(request)
    if handle.actor.account is None or handle.actor.session is None or handle.actor.scopes is not None:
        return _to(f"/login?next={quote(_address(secret), safe='')}")
    waits = await authorizing.waiting(parts, handle, secret)
    match form.get("act"):
        case "deny":
            return _to(await authorizing.deny(parts, handle.actor, waits, issuer))
        case "search":
            q = str(form.get("q", ""))[:100]
            return await _ask(request, secret, q=q, found=await authorizing.found(handle, q))
        case _:
            return await _allowed(request, form, waits)


async def _allowed(request: Request, form: FormData, waits: Waiting) -> Response:
    parts, handle = parts_of(request), request.state.handle
    choice = await authorizing.chosen(parts, handle, waits, str(form.get("patient", "")))
    if choice is None and waits.asked.needs_patient:
        return await _ask(request, waits.secret, status=422, wrong=web.translate(request.state.language, "access.app.choose-first"))
    return _to(await authorizing.accept(parts, handle.actor, waits, choice, address_of(request)))


async def shelf(request: Request) -> Response:
    """The apps that can be opened for one resident."""
    patient = request.path_params["patient"]
    handle = request.state.handle
    seen = await handle.read("Patient", patient)
    apps = await launchable(parts_of(request).database) if seen else []
    page = web.render(request, "access/shelf.html", apps=apps, patient=patient, who=authorizing.choice_of(seen) if seen else None)
    return _leading_to(page, *sorted({form_target(app.launch) for app in apps if app.launch}))


async def launch(request: Request) -> Response:
    """Open an app for one resident."""
    form = await web.posted(request)
    opening = Opening(str(form.get("app", "")), str(form.get("patient", "")), str(form.get("encounter", "")) or None)
    return _to(await authorizing.launch(parts_of(request), request.state.handle, opening, f"{address_of(request)}/fhir"))


def routes() -> list[BaseRoute]:
    """The addresses; an app's request comes before anybody has logged in."""
    return [
        web.route(_HERE, authorize, permission=web.PUBLIC),
        web.route(_HERE, answer, permission="web.account", methods=["POST"]),
        web.route("/oauth/apps/{patient}", shelf, permission="clinician.read"),
        web.route("/oauth/launch", launch, permission="clinician.read", methods=["POST"]),
    ]
