"""The page behind an invitation's link."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import invitations, who
from kangyun.commons.access.decisions.passwords import password_terms
from kangyun.commons.access.pages.entrance import actor_of, is_form, onward, parts_of, to, told, visitor_of
from kangyun.commons.access.queries import accounts


async def show(request: Request, *, status: int = 200, **more: Any) -> Response:
    """Show what somebody is invited to, with the form for a user name and a password."""
    parts, token, actor = parts_of(request), str(request.path_params["token"]), actor_of(request)
    try:
        found = await invitations.must_be_open(parts, token)
    except Problem as problem:
        return web.render(request, "access/invitation_over.html", status=problem.status)
    mine = await accounts.account(parts.database, found.account) if found.account else None
    here = await who.signed_in(parts, actor)
    said = {"wrong": "", "name": ""} | more
    return web.render(
        request, "access/invitation.html", status=status, token=token, kind=found.kind, login=mine.login if mine else "",
        institution=await who.institution_name(parts, found.institution), role=who.titles_of(found.role),
        here=here if here and found.kind == "join" else None, terms=password_terms(), **said,
    )


async def accept(request: Request) -> Response:
    """Take the invitation up."""
    form, parts, token = await web.posted(request), parts_of(request), str(request.path_params["token"])
    name, password = str(form.get("name", "")), str(form.get("password", ""))
    try:
        if form.get("as") == "me":
            await invitations.accept_logged_in(parts, actor_of(request), token)
            who.forget(actor_of(request).session)
            return to("/account")
        if form.get("as") == "password":
            secret = await invitations.accept_password(parts, token, password, visitor_of(request))
        else:
            secret = await invitations.accept_new(parts, token, name, password, visitor_of(request))
    except Problem as problem:
        if not (is_form(problem) or problem.status == 410):
            raise
        return await show(request, status=problem.status, wrong=told(request, problem), name=name[:80])
    return await onward(request, secret)


def routes() -> list[BaseRoute]:
    """The address of an invitation: its token is the permission."""
    return [
        web.route("/invitation/{token}", show, permission=web.PUBLIC),
        web.route("/invitation/{token}", accept, permission=web.PUBLIC, methods=["POST"], limit="login"),
    ]
