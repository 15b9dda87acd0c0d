"""The page where everybody logs in: residents by phone, staff by password, both by passkey."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import codes, login, outside, passkeys, steps
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import local_path, shown_phone
from kangyun.commons.access.decisions.one_time import code_terms
from kangyun.commons.access.pages.entrance import (
    actor_of,
    come_in,
    is_form,
    onward,
    parts_of,
    site_of,
    step_of,
    to,
    told,
    visitor_of,
    with_step,
)

LOGIN = "/login"


async def show(request: Request) -> Response:
    """Show the page; somebody who is logged in and wants nothing else goes on at once."""
    target = local_path(request.query_params.get("next", "/"))
    if actor_of(request).session and "next" not in request.query_params:
        return to("/account")
    return await page(request, target)


async def page(request: Request, target: str, *, status: int = 200, **more: Any) -> Response:
    """The page with what went wrong in one of its forms: `phone_wrong`, `staff_wrong`, `key_wrong`."""
    parts = parts_of(request)
    said = {"phone_wrong": "", "staff_wrong": "", "key_wrong": "", "name": ""} | more
    return web.render(
        request, "access/login.html", status=status, next=target, can_send=parts.sms.ready,
        providers=await outside.providers(parts), phones=_simulated(request), **said,
    )


def _simulated(request: Request) -> str:
    """Where the phones of a demonstration are looked at; '' where the gateway is not on this machine."""
    address = str(request.app.state.settings.sms_url)
    return address if urlsplit(address).hostname in {"127.0.0.1", "localhost"} else ""


async def send_code(request: Request) -> Response:
    """Send a code to a phone; what comes next looks the same whether or not the phone is known."""
    form = await web.posted(request)
    target = local_path(str(form.get("next", "/")))
    try:
        secret = await codes.send(parts_of(request), str(form.get("phone", "")), visitor_of(request), request.state.language, Step("code", next=target))
    except Problem as problem:
        if not is_form(problem):
            raise
        return await page(request, target, status=problem.status, phone_wrong=told(request, problem))
    return with_step(request, to("/login/code"), secret)


async def send_again(request: Request) -> Response:
    """Send another code to the phone of the login under way."""
    await web.posted(request)
    parts = parts_of(request)
    step = await steps.standing(parts, step_of(request), "code")
    if step is None:
        return to(LOGIN)
    try:
        secret = await codes.send(parts, step.phone, visitor_of(request), request.state.language, Step("code", next=step.next))
    except Problem as problem:
        return await code(request, wrong=told(request, problem), status=problem.status)
    return with_step(request, to("/login/code"), secret)


async def code(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Ask for the code that was sent."""
    step = await steps.standing(parts_of(request), step_of(request), "code")
    if step is None:
        return to(LOGIN)
    return web.render(request, "access/login_code.html", status=status, phone=shown_phone(step.phone), wrong=wrong, terms=code_terms())


async def check_code(request: Request) -> Response:
    """Let a resident in whose code is right."""
    form = await web.posted(request)
    try:
        entered = await login.with_code(parts_of(request), step_of(request), str(form.get("code", "")), visitor_of(request))
    except Problem as problem:
        if problem.status == 410:
            return await page(request, "/", status=410, phone_wrong=told(request, problem))
        return await code(request, told(request, problem), problem.status)
    return await come_in(request, entered)


async def check_password(request: Request) -> Response:
    """The first step of staff."""
    form = await web.posted(request)
    target, name = local_path(str(form.get("next", "/"))), str(form.get("name", ""))
    try:
        secret = await login.with_password(
            parts_of(request), name, str(form.get("password", "")), visitor_of(request), target)
    except Problem as problem:
        if not (is_form(problem) or problem.status == 403):
            raise
        return await page(request, target, status=problem.status, staff_wrong=told(request, problem), name=name[:80])
    return await onward(request, secret)


async def offer_key(request: Request) -> Response:
    """A challenge for a passkey."""
    form = await web.posted(request)
    secret, options = await passkeys.offer(parts_of(request), site_of(request), local_path(str(form.get("next", "/"))))
    return JSONResponse({"step": secret, "options": options}, headers={"cache-control": "no-store"})


async def check_key(request: Request) -> Response:
    """Let somebody in by a passkey: JSON with the way onward, or with what went wrong."""
    form, parts, visitor = await web.posted(request), parts_of(request), visitor_of(request)
    try:
        account, step = await passkeys.answer(
            parts, str(form.get("step", "")), str(form.get("credential", "")), site_of(request), visitor)
        further = await passkeys.come_in(parts, account, step, visitor)
        response = await onward(request, further) if isinstance(further, str) else await come_in(request, further)
    except Problem as problem:
        return JSONResponse({"wrong": told(request, problem)}, problem.status, headers={"cache-control": "no-store"})
    # The script goes there by itself; the browser keeps the cookies of this answer.
    answer = JSONResponse({"next": response.headers["location"]}, headers={"cache-control": "no-store"})
    for name, value in response.raw_headers:
        if name == b"set-cookie":
            answer.raw_headers.append((name, value))
    return answer


def routes() -> list[BaseRoute]:
    """The addresses of the first page."""
    return [
        web.route(LOGIN, show, permission=web.PUBLIC),
        web.route("/login/code", code, permission=web.PUBLIC),
        web.route("/login/code", send_code, permission=web.PUBLIC, methods=["POST"], limit="code"),
        web.route("/login/code/again", send_again, permission=web.PUBLIC, methods=["POST"], limit="code"),
        web.route("/login/code/check", check_code, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/password/check", check_password, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/passkey/offer", offer_key, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/passkey", check_key, permission=web.PUBLIC, methods=["POST"], limit="login"),
    ]
