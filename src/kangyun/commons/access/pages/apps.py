"""My connected apps: which programs I have let in, what they see, until when; each can be shut out again."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import grants, sessions
from kangyun.commons.access.actions.people import called, person
from kangyun.commons.access.decisions.scope_words import Deed, deeds
from kangyun.commons.access.pages.entrance import actor_of, parts_of, to
from kangyun.commons.access.queries import clients
from kangyun.commons.access.queries import grants as reading
from kangyun.commons.access.queries.clients import Client
from kangyun.commons.access.queries.grants import Grant

_HERE = "/account/apps"
_USE = "web.account"


@dataclass(frozen=True, slots=True)
class Connected:
    """An app that was let in; `whom` is the name of the ward it was let in for, '' for oneself."""

    grant: Grant
    client: Client
    deeds: tuple[Deed, ...]
    whom: str


async def show(request: Request) -> Response:
    """Show the apps."""
    parts, actor = parts_of(request), actor_of(request)
    account = await sessions.account_of(parts, actor)
    apps: list[Connected] = []
    for grant in await reading.of_account(parts.database, account.id):
        client = await clients.client(parts.database, grant.client)
        if client is not None:
            whom = called(await person(parts, grant.actor.person)) if grant.actor.role == "guardian" and grant.actor.person else ""
            apps.append(Connected(grant, client, deeds(grant.scopes), whom))
    return web.render(request, "access/apps.html", apps=apps, instant=clock.instant)


async def end(request: Request) -> Response:
    """Shut an app out."""
    form, parts, actor = await web.posted(request), parts_of(request), actor_of(request)
    account = await sessions.account_of(parts, actor)
    held = await reading.of_account(parts.database, account.id)
    grant = next((one for one in held if one.id == str(form.get("grant", ""))), None)
    if grant is None:
        raise refuse(404, "not-found", "base.not-found")
    await grants.end(parts, actor, grant)
    return to(_HERE)


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [web.route(_HERE, show, permission=_USE), web.route(f"{_HERE}/end", end, permission=_USE, methods=["POST"])]
