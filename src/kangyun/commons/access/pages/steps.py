"""The pages between password and session: second factor, setting one up, a new password, the choice of an institution."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import login, passkeys, passwords, seconds
from kangyun.commons.access.actions.who import institution_name, titles_of
from kangyun.commons.access.decisions.passwords import password_terms
from kangyun.commons.access.pages.entrance import (
    ISSUER,
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
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account


async def _holder(request: Request) -> Account:
    """The account of the login under way. Raises Problem 410."""
    parts = parts_of(request)
    step = await login.must_stand(parts, step_of(request))
    found = await accounts.account(parts.database, step.account or "")
    assert found is not None, "accounts are never deleted"
    return found


async def second(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Ask for the second factor."""
    parts = parts_of(request)
    try:
        step = await login.must_stand(parts, step_of(request))
    except Problem:
        return to("/login")
    kinds = {one.kind for one in await accounts.seconds(parts.database, step.account or "")}
    return web.render(request, "access/login_second.html", status=status, wrong=wrong, kinds=kinds, next=step.next)


async def check_second(request: Request) -> Response:
    """Take a code of an authenticator app, or a recovery code."""
    form = await web.posted(request)
    try:
        secret = await login.with_second(parts_of(request), step_of(request), str(form.get("code", "")), visitor_of(request))
    except Problem as problem:
        return await _again(request, problem, second)
    return await onward(request, secret)


async def _again(request: Request, problem: Problem, page: Callable[[Request, str, int], Awaitable[Response]]) -> Response:
    if problem.status == 410:
        return to("/login")
    if not is_form(problem):
        raise problem
    return await page(request, told(request, problem), problem.status)


async def enrol(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Let somebody set up the first second factor, with a QR code for an app or with a passkey."""
    parts = parts_of(request)
    try:
        account = await _holder(request)
    except Problem:
        return to("/login")
    secret = seconds.fresh_secret(parts, step_of(request))
    address = seconds.address_of(secret, account.login or "", ISSUER)
    return web.render(request, "access/login_enrol.html", status=status, wrong=wrong, picture=web.qr(address), secret=secret)


async def check_enrol(request: Request) -> Response:
    """Keep the app whose code is right, and show the recovery codes this once."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        account = await _must_enrol(request)
        await seconds.enrol(parts, account.id, seconds.fresh_secret(parts, step_of(request)), str(form.get("code", "")))
    except Problem as problem:
        return await _again(request, problem, enrol)
    return await _enrolled(request, account, "totp")


async def _must_enrol(request: Request) -> Account:
    """The account that has no second factor yet; who has one proves that one first. Raises Problem 410."""
    parts, account = parts_of(request), await _holder(request)
    step = await login.must_stand(parts, step_of(request))
    if await login.stage(parts, step) != "enrol":
        raise login.over()
    return account


async def _enrolled(request: Request, account: Account, factor: str) -> Response:
    parts = parts_of(request)
    codes = await seconds.new_recovery_codes(parts, account.id)
    secret = await login.passed(parts, step_of(request), factor)
    await login.noted(parts, account, visitor_of(request), "second")
    return with_step(request, web.render(request, "access/login_recovery.html", codes=codes), secret)


async def offer_key(request: Request) -> Response:
    """A challenge for the first passkey of staff."""
    await web.posted(request)
    account = await _must_enrol(request)
    secret, options = await passkeys.prepare(parts_of(request), account, account.login or "", site_of(request))
    return JSONResponse({"step": secret, "options": options}, headers={"cache-control": "no-store"})


async def check_key(request: Request) -> Response:
    """Keep the first passkey; a form posts it, so that the recovery codes come as a page."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        account = await _must_enrol(request)
        await passkeys.add(
            parts, account, str(form.get("step", "")), str(form.get("credential", "")), site=site_of(request),
            title=visitor_of(request).device)
    except Problem as problem:
        return await _again(request, problem, enrol)
    return await _enrolled(request, account, "key")


async def password(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Ask for a new password, because the old one is too old."""
    try:
        await _holder(request)
    except Problem:
        return to("/login")
    return web.render(request, "access/login_password.html", status=status, wrong=wrong, terms=password_terms())


async def change_password(request: Request) -> Response:
    """Take the new password of somebody who has proved both factors."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        account, step = await _holder(request), await login.must_stand(parts, step_of(request))
        if await login.stage(parts, step) != "password":
            raise login.over()
        kept = await passwords.checked(parts, account.id, account.login or "", str(form.get("password", "")))
    except Problem as problem:
        return await _again(request, problem, password)
    async with parts.database.transaction() as connection:
        await passwords.keep(connection, account.id, kept)
    await parts.entries.revoke(account=account.id)
    await login.noted(parts, account, visitor_of(request), "password")
    return await onward(request, step_of(request))


async def choose(request: Request) -> Response:
    """Let somebody who works at several places say where one is today."""
    parts = parts_of(request)
    try:
        offered = await login.choices(parts, await login.must_stand(parts, step_of(request)))
    except Problem:
        return to("/login")
    shown = [(one.id, await institution_name(parts, one.institution), titles_of(one.role)) for one in offered]
    return web.render(request, "access/login_choose.html", offered=shown)


async def enter(request: Request) -> Response:
    """The last step: the session in the chosen membership, or in the only one."""
    form, parts = await web.posted(request), parts_of(request)
    chosen = str(form.get("membership", "")) or None
    try:
        if chosen is None:
            return await onward(request, step_of(request))
        return await come_in(request, await login.enter(parts, step_of(request), visitor_of(request), chosen))
    except Problem as problem:
        if problem.status == 410:
            return to("/login")
        raise


async def nothing(request: Request) -> Response:
    """Tell somebody who may nothing anywhere."""
    return web.render(request, "access/login_nothing.html", status=403)


def routes() -> list[BaseRoute]:
    """The addresses between password and session."""
    return [
        web.route("/login/second", second, permission=web.PUBLIC),
        web.route("/login/second", check_second, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/enrol", enrol, permission=web.PUBLIC),
        web.route("/login/enrol", check_enrol, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/enrol/offer", offer_key, permission=web.PUBLIC, methods=["POST"]),
        web.route("/login/enrol/passkey", check_key, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/password", password, permission=web.PUBLIC),
        web.route("/login/password", change_password, permission=web.PUBLIC, methods=["POST"], limit="login"),
        web.route("/login/choose", choose, permission=web.PUBLIC),
        web.route("/login/enter", enter, permission=web.PUBLIC, methods=["POST"]),
        web.route("/login/nothing", nothing, permission=web.PUBLIC),
    ]
