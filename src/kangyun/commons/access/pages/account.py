"""One's own account: who am I, at which institution, on which devices, by which means, for whom."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.actions import binding, codes, guardians, means, moving, seconds, sessions, who
from kangyun.commons.access.actions.guardians import Proof
from kangyun.commons.access.actions.people import called, person, qualifications
from kangyun.commons.access.decisions.accounts import shown_phone
from kangyun.commons.access.decisions.guardians import documents
from kangyun.commons.access.decisions.one_time import code_terms
from kangyun.commons.access.decisions.passwords import ends_soon, password_terms
from kangyun.commons.access.pages.entrance import (
    ISSUER,
    actor_of,
    come_in,
    is_form,
    parts_of,
    site_of,
    step_of,
    to,
    told,
    visitor_of,
    with_session,
    with_step,
    without_session,
)
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries import guardians as held
from kangyun.commons.access.queries.accounts import Account

_ACCOUNT = "/account"
_USE = "web.account"


async def show(request: Request, *, status: int = 200, **more: Any) -> Response:
    """Show the account, with what went wrong in one of its forms as `wrong_<form>`, and what was typed there."""
    parts, actor = parts_of(request), actor_of(request)
    account = await sessions.account_of(parts, actor)
    said: dict[str, Any] = {f"wrong_{form}": "" for form in ("bind", "phone", "password", "second", "recovery", "ask")} | {"asked_number": "", "done": "", "typed": {}}
    return web.render(
        request, "access/account.html", status=status, account=account, actor=actor, me=await who.signed_in(parts, actor),
        devices=[one for one in await parts.entries.of_account(account.id) if one.kind == "session"],
        seconds=await accounts.seconds(parts.database, account.id), terms=password_terms(), instant=clock.instant,
        **await _of_kind(request, account), **(said | more),
    )


async def _of_kind(request: Request, account: Account) -> dict[str, Any]:
    """What only staff or only residents have."""
    parts = parts_of(request)
    if account.kind == "staff":
        made = await accounts.password_made(parts.database, account.id)
        practitioner = actor_of(request).practitioner
        return {
            "qualified": (await qualifications(parts, practitioner))[1] if practitioner else [],
            "password_days": ends_soon(made, clock.now()) if made else None,
            "recovery_left": await accounts.recovery_left(parts.database, account.id), "wards": [], "acting": [], "proofs": {},
        }
    wards, phone = await held.guardianships(parts.database, account.id), await codes.phone_of_account(parts, account.id)
    acting = await held.guardians_of(parts.database, account.person) if account.person else []
    return {
        "qualified": [], "password_days": None, "recovery_left": 0, "proofs": documents(), "phone": shown_phone(phone),
        "wards": [(one, called(await person(parts, one.ward))) for one in wards],
        "acting": [(one, called(await person(parts, one.guardian))) for one in acting],
    }


async def _again(request: Request, problem: Problem, form: str, posted: FormData | None = None) -> Response:
    """Show the account again with what is wrong in a form; `posted` is what was typed into it, unless that is secret."""
    if not (is_form(problem) or problem.status == 403):
        raise problem
    typed = {form: {name: str(value)[:60] for name, value in posted.items()}} if posted else {}
    return await show(request, status=problem.status, typed=typed, **{f"wrong_{form}": told(request, problem)})


async def switch(request: Request) -> Response:
    """Go on in another role, at another institution, or for a ward."""
    form, parts, actor = await web.posted(request), parts_of(request), actor_of(request)
    chosen, kind = str(form.get("to", "")), str(form.get("kind", ""))
    change = sessions.switch if kind == "membership" else sessions.act_for
    entered = await change(parts, actor, chosen, visitor_of(request))
    return with_session(request, to("/"), entered)


async def bind(request: Request) -> Response:
    """Bind the account to the person whose name and number were typed."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        entered = await binding.bind(
            parts, actor_of(request), str(form.get("name", "")), str(form.get("number", "")), visitor_of(request))
    except Problem as problem:
        return await _again(request, problem, "bind", form)
    return with_session(request, to(_ACCOUNT), entered)


async def ask_phone(request: Request) -> Response:
    """Send a code to another phone that the account is to be taken to."""
    form, parts = await web.posted(request), parts_of(request)
    claim = str(form.get("name", "")), str(form.get("number", ""))
    try:
        secret = await moving.ask(
            parts, actor_of(request), str(form.get("phone", "")), claim=claim, visitor=visitor_of(request), language=request.state.language)
    except Problem as problem:
        return await _again(request, problem, "phone", form)
    return with_step(request, to(f"{_ACCOUNT}/phone"), secret)


async def phone(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Ask for the code that was sent to the other phone."""
    step = await moving.standing(parts_of(request), actor_of(request), step_of(request))
    if step is None:
        return to(_ACCOUNT)
    return web.render(request, "access/account_phone.html", status=status, phone=shown_phone(step.phone), wrong=wrong, terms=code_terms())


async def move_phone(request: Request) -> Response:
    """Take the account to the phone whose code is right."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        entered = await moving.move(parts, actor_of(request), step_of(request), str(form.get("code", "")), visitor_of(request))
    except Problem as problem:
        if problem.status == 401:
            return await phone(request, told(request, problem), problem.status)
        return await show(request, status=problem.status, wrong_phone=told(request, problem))
    return with_session(request, to(_ACCOUNT), entered)


async def end_device(request: Request) -> Response:
    """Log another device out."""
    form = await web.posted(request)
    await sessions.end_device(parts_of(request), actor_of(request), str(form.get("entry", "")))
    return to(_ACCOUNT)


async def change_password(request: Request) -> Response:
    """Choose another password; this session gets a new secret, the others end."""
    form, parts, actor = await web.posted(request), parts_of(request), actor_of(request)
    try:
        await sessions.change_password(parts, actor, str(form.get("old", "")), str(form.get("password", "")))
    except Problem as problem:
        return await _again(request, problem, "password")
    return await come_in(request, await sessions.refresh(parts, actor, visitor_of(request)))


async def offer_passkey(request: Request) -> Response:
    """A challenge for a new passkey, as JSON."""
    form, parts = await web.posted(request), parts_of(request)
    here = await who.signed_in(parts, actor_of(request))
    label = (here.name if here else "") or web.translate(request.state.language, "access.resident")
    try:
        secret, options = await means.offer_passkey(
            parts, actor_of(request), str(form.get("old", "")), label, site_of(request))
    except Problem as problem:
        return JSONResponse({"wrong": told(request, problem)}, problem.status, headers={"cache-control": "no-store"})
    return JSONResponse({"step": secret, "options": options}, headers={"cache-control": "no-store"})


async def add_passkey(request: Request) -> Response:
    """Keep the new passkey."""
    form = await web.posted(request)
    try:
        await means.add_passkey(
            parts_of(request), actor_of(request), str(form.get("step", "")), str(form.get("credential", "")),
            site=site_of(request), title=visitor_of(request).device)
    except Problem as problem:
        if problem.status != 410:
            return await _again(request, problem, "second")
        return await show(request, status=410, wrong_second=told(request, problem))
    return to(_ACCOUNT)


async def app(request: Request, wrong: str = "", status: int = 200) -> Response:
    """Show the QR code for another authenticator app of staff."""
    parts, actor = parts_of(request), actor_of(request)
    account = await sessions.account_of(parts, actor)
    if account.kind != "staff":
        return to(_ACCOUNT)
    secret = seconds.fresh_secret(parts, actor.session or "")
    picture = web.qr(seconds.address_of(secret, account.login or "", ISSUER))
    return web.render(request, "access/account_app.html", status=status, wrong=wrong, picture=picture, secret=secret)


async def add_app(request: Request) -> Response:
    """Keep the app whose code is right."""
    form, parts, actor = await web.posted(request), parts_of(request), actor_of(request)
    try:
        secret = seconds.fresh_secret(parts, actor.session or "")
        await means.add_app(parts, actor, str(form.get("old", "")), secret, str(form.get("code", "")))
    except Problem as problem:
        if not is_form(problem):
            raise
        return await app(request, told(request, problem), problem.status)
    return await come_in(request, await sessions.refresh(parts, actor, visitor_of(request)))


async def remove_second(request: Request) -> Response:
    """Remove a passkey or an authenticator app."""
    form = await web.posted(request)
    try:
        await means.remove(parts_of(request), actor_of(request), str(form.get("credential", "")))
    except Problem as problem:
        return await _again(request, problem, "second")
    return to(_ACCOUNT)


async def renew_recovery(request: Request) -> Response:
    """Show new recovery codes, this once."""
    form = await web.posted(request)
    try:
        codes = await means.renew_recovery(parts_of(request), actor_of(request), str(form.get("old", "")))
    except Problem as problem:
        return await _again(request, problem, "recovery")
    return web.render(request, "access/login_recovery.html", codes=codes)


async def ask_ward(request: Request) -> Response:
    """Ask to act for somebody; the number to say at the counter is shown."""
    form, parts = await web.posted(request), parts_of(request)
    try:
        proof = Proof(str(form.get("document", "")), str(form.get("proof", "")), _day(str(form.get("until", ""))))
        await guardians.ask(parts, actor_of(request), str(form.get("name", "")), str(form.get("number", "")), proof)
    except Problem as problem:
        return await _again(request, problem, "ask", form)
    return to(f"{_ACCOUNT}#wards")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise refuse(422, "value", "access.no-day") from None


async def end_ward(request: Request) -> Response:
    """End a guardianship, as guardian or as ward."""
    form = await web.posted(request)
    await guardians.end(parts_of(request), actor_of(request), str(form.get("guardianship", "")))
    who.forget(actor_of(request).session)
    return to(f"{_ACCOUNT}#wards")


async def log_out(request: Request) -> Response:
    """End the session of this browser."""
    await web.posted(request)
    await sessions.log_out(parts_of(request), actor_of(request))
    return without_session(to("/login"))


async def log_out_everywhere(request: Request) -> Response:
    """End all sessions and all apps of the account."""
    await web.posted(request)
    await sessions.log_out_everywhere(parts_of(request), actor_of(request))
    return without_session(to("/login"))


def routes() -> list[BaseRoute]:
    """The addresses of one's own account."""
    posts = {
        "/account/switch": switch, "/account/bind": bind, "/account/phone": ask_phone, "/account/phone/check": move_phone,
        "/account/devices/end": end_device,
        "/account/password": change_password, "/account/passkeys/offer": offer_passkey, "/account/passkeys": add_passkey,
        "/account/app": add_app, "/account/seconds/remove": remove_second, "/account/recovery": renew_recovery, "/account/wards": ask_ward,
        "/account/wards/end": end_ward, "/logout": log_out, "/logout/everywhere": log_out_everywhere,
    }
    return [
        web.route(_ACCOUNT, show, permission=_USE),
        web.route("/account/app", app, permission=_USE),
        web.route("/account/phone", phone, permission=_USE),
        *(web.route(path, endpoint, permission=_USE, methods=["POST"]) for path, endpoint in posts.items()),
    ]
