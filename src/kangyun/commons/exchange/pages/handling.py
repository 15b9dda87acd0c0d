"""What people do to one message: edit and replay it, dismiss it, take that back, stop and resume its retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.exchange.actions import quarantine
from kangyun.commons.exchange.decisions.editing import text_of
from kangyun.commons.exchange.pages import messages

_ONE = "/exchange/messages/{id:int}"
_EDIT = "exchange.edit"


async def editor(request: Request) -> Response:
    """Show the text of a held message in a field, its reason above it."""
    found = await messages.found_in(request)
    body = messages.opened(request, found)
    text = text_of(body, found.form) if body is not None else None
    if text is None or found.state != "quarantined" or not request.state.handle.may("exchange.raw"):
        raise refuse(409, "conflict", "exchange.not-editable")
    return _form(request, found, text, "")


def _form(request: Request, found: messages.queries.Kept, text: str, fault: str, status: int = 200) -> Response:
    row = messages.row_of(found, {}, request.state.language)
    return web.render(request, "exchange/edit.html", status=status, row=row, text=text, fault=fault)


async def edit(request: Request) -> Response:
    """Keep the edited text as a version of its own, handle it, and show what became of it."""
    form = await web.posted(request)
    found = await messages.found_in(request)
    text = str(form.get("text", ""))
    try:
        number = await quarantine.edit(request.app.state.services, found.id, text, request.state.handle.actor.name)
    except Problem as problem:
        if problem.status != 422:
            raise
        fault = " ".join(errors.text(issue, request.state.language) for issue in problem.issues)
        return _form(request, found, text, fault, 422)
    return RedirectResponse(f"/exchange/messages/{number or found.id}", status_code=303)


async def dismiss(request: Request) -> Response:
    """Take a message out of quarantine; the reason is written by a person."""
    said = str((await web.posted(request)).get("said", "")).strip()
    if not said:
        return await messages.message(request, refuse(422, "required", "exchange.no-reason-said"))
    number, actor = request.path_params["id"], request.state.handle.actor.name
    await quarantine.dismiss(request.app.state.services, number, said, actor)
    return RedirectResponse(f"/exchange/messages/{number}", status_code=303)


async def take_back(request: Request) -> Response:
    """Put a dismissed message back into quarantine."""
    return await _acted(request, quarantine.take_back)


async def stop(request: Request) -> Response:
    """Try a waiting message no more until it is resumed."""
    return await _acted(request, quarantine.stop)


async def resume(request: Request) -> Response:
    """Let a stopped message be tried again."""
    return await _acted(request, quarantine.resume)


async def _acted(request: Request, act: Callable[..., Awaitable[bool]]) -> Response:
    await web.posted(request)
    number = request.path_params["id"]
    await act(request.app.state.services, number, request.state.handle.actor.name)
    return RedirectResponse(f"/exchange/messages/{number}", status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of this part for people."""
    return [
        web.route(f"{_ONE}/edit", editor, permission=_EDIT),
        web.route(f"{_ONE}/edit", edit, permission=_EDIT, methods=["POST"]),
        web.route(f"{_ONE}/dismiss", dismiss, permission=_EDIT, methods=["POST"]),
        web.route(f"{_ONE}/take-back", take_back, permission=_EDIT, methods=["POST"]),
        web.route(f"{_ONE}/stop", stop, permission=_EDIT, methods=["POST"]),
        web.route(f"{_ONE}/resume", resume, permission=_EDIT, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """Nothing of its own: it is reached from a message."""
    return []
