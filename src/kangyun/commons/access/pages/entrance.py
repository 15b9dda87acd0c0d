"""What the pages of logging in share: who stands there, the browser's secrets, and the way onward."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kangyun.base import errors
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import login
from kangyun.commons.access.actions.login import Entered
from kangyun.commons.access.actions.parts import Parts, Visitor
from kangyun.commons.access.actions.passkeys import Site
from kangyun.commons.access.decisions.accounts import device_name, step_seconds
from kangyun.commons.access.model import SESSION_COOKIE, Actor

STEP_COOKIE = "kangyun_login"
ISSUER = "Kangyun"
"""What authenticator apps show above our codes."""
_NAME = "康云 Kangyun"


def parts_of(request: Request) -> Parts:
    """The opened parts of the process."""
    return request.app.state.services


def actor_of(request: Request) -> Actor:
    """Who asks."""
    return request.state.handle.actor


def visitor_of(request: Request) -> Visitor:
    """The address and the browser that ask."""
    address = actor_of(request).address or (request.client.host if request.client else "")
    return Visitor(address, device_name(request.headers.get("user-agent", "")))


def site_of(request: Request) -> Site:
    """Where the browser sees us."""
    origin = address_of(request)
    return Site(origin, urlsplit(origin).hostname or "", _NAME)


def address_of(request: Request) -> str:
    """This server's address, without a slash at the end."""
    public = request.app.state.settings.public_url or str(request.base_url)
    return str(public).rstrip("/")


def step_of(request: Request) -> str:
    """The browser's secret of the login under way; '' without one."""
    return request.cookies.get(STEP_COOKIE, "")


def told(request: Request, problem: Problem) -> str:
    """What to tell a person of a refusal."""
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


def to(path: str) -> Response:
    """The way to a page after a form."""
    return RedirectResponse(path, 303)


def with_step(request: Request, response: Response, secret: str) -> Response:
    """Let the browser keep the secret of the step that comes next."""
    response.set_cookie(STEP_COOKIE, secret, step_seconds(), path="/", httponly=True, samesite="lax", secure=_is_secure(request))
    return response


def with_session(request: Request, response: Response, entered: Entered) -> Response:
    """Let the browser keep a session; the login is over."""
    response.set_cookie(
        SESSION_COOKIE, entered.secret, entered.lasts, path="/", httponly=True, samesite="lax", secure=_is_secure(request))
    response.delete_cookie(STEP_COOKIE, path="/")
    return response


def without_session(response: Response) -> Response:
    """Let the browser forget."""
    for name in (SESSION_COOKIE, STEP_COOKIE):
        response.delete_cookie(name, path="/")
    return response


def _is_secure(request: Request) -> bool:
    return address_of(request).startswith("https:")


async def come_in(request: Request, entered: Entered) -> Response:
    """Begin a session; one that the browser had before ends."""
    before = actor_of(request).session
    if before:
        await parts_of(request).entries.revoke(id_=before)
    return with_session(request, to(entered.next), entered)


async def onward(request: Request, secret: str) -> Response:
    """What comes next in a login of staff: another page, or the session."""
    parts = parts_of(request)
    stage = await login.stage(parts, await login.must_stand(parts, secret))
    if stage == "enter":
        return await come_in(request, await login.enter(parts, secret, visitor_of(request)))
    return with_step(request, to(f"/login/{stage}"), secret)


def is_form(problem: Problem) -> bool:
    """Whether a refusal belongs beside the form and not on a page of its own."""
    return problem.status in {401, 409, 422, 429, 503} and all(one.key != "web.form-expired" for one in problem.issues)
