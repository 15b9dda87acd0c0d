"""Moving in: institutions, their administrators and staff, their letterhead, their system."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import (
    Post,
    StaffRow,
    choose_mark,
    invite,
    letterhead_colours,
    mark_of,
    role_titles,
    staff_of,
)
from kangyun.support.institutions import actions
from kangyun.support.institutions.actions import (
    ALL,
    CHANNELS,
    System,
    below,
    guard,
    heard,
    named,
    refused_field,
    systems,
)
from kangyun.support.institutions.decisions import institution, kinds, steps
from kangyun.support.institutions.model import Institution

_LIST = "/institutions"
_MANAGE = "institutions.manage"
_ADMINISTRATOR = "institution_admin"


async def listed(request: Request) -> Response:
    """Show institutions by name; an administrator of one comes to the own one."""
    handle = request.state.handle
    if not handle.may(ALL):
        own = handle.actor.institution
        return RedirectResponse(f"{_LIST}/{own}" if own else "/", status_code=303)
    text = request.query_params.get("q", "").strip()[:100]
    found = await named(handle, text)
    return web.render(request, "institutions/list.html", q=text, found=found, kinds=kinds())


async def shown(request: Request) -> Response:
    """Show an institution, what is done of moving in, its staff, and what is below it."""
    found, staff = await _found(request), await staff_of(request.app.state.services.database, request.path_params["id"])
    children = await below(request.state.handle, found.id)
    roles = Counter(one.role for one in staff if one.role and one.state == "active")
    mark = await mark_of(request.app.state.services.database, found.id)
    done = steps(found, roles, logo=bool(mark and mark.logo), below=len(children), heard=await heard(request.app.state.services, found, await systems(request.state.handle, found)))
    return web.render(
        request, "institutions/home.html", one=found, kind=kinds().get(found.kind), kinds=kinds(), below=children, steps=done,
        staff=staff, roles=role_titles(), parent=await _parent(request, found), missing=[one for one in done if not one.done and not one.optional])


async def _found(request: Request) -> Institution:
    return institution(await guard(request.state.handle, request.path_params["id"]))


async def _parent(request: Request, found: Institution) -> Institution | None:
    kept = await request.state.handle.read("Organization", found.parent) if found.parent else None
    return institution(kept) if kept else None


async def adding(request: Request) -> Response:
    """Show the form of a new institution."""
    parent = request.query_params.get("parent", "")[:64]
    return await _add_form(request, Institution("", "", parent=parent or (request.state.handle.actor.institution or "")))


async def _add_form(request: Request, wish: Institution, problem: Problem | None = None) -> Response:
    return web.render(
        request, "institutions/add.html", status=problem.status if problem else 200, one=wish, kinds=kinds(), fault=_fault(problem),
        told=_told(request, problem), parent=await _parent(request, wish))


def _fault(problem: Problem | None) -> str:
    return refused_field(problem) if problem else ""


def _told(request: Request, problem: Problem | None) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues) if problem else ""


async def add(request: Request) -> Response:
    """Add an institution, and go on with its checklist."""
    wish = _read(await web.posted(request))
    try:
        made = await actions.add(request.app.state.services, request.state.handle, wish)
    except Problem as problem:
        return await _add_form(request, wish, problem)
    return RedirectResponse(f"{_LIST}/{made.id}", status_code=303)


def _read(form: FormData) -> Institution:
    def said(field: str) -> str:
        return str(form.get(field, "")).strip()

    return Institution(
        said("name"), said("kind"), said("code"), parent=said("parent"), english=said("english"), address=said("address"),
        phone=said("phone"), sender=said("sender"))


async def papers(request: Request) -> Response:
    """Show what stands on the institution's papers, as a form and as it will look."""
    return await _papers_form(request, await _found(request))


async def _papers_form(request: Request, found: Institution, problem: Problem | None = None) -> Response:
    mark = await mark_of(request.app.state.services.database, found.id)
    return web.render(
        request, "institutions/letterhead.html", status=problem.status if problem else 200, one=found, mark=mark,
        colours=list(letterhead_colours()), fault=_fault(problem), told=_told(request, problem))


async def keep_papers(request: Request) -> Response:
    """Keep name, address, telephone, colour and logo."""
    handle, form = request.state.handle, await web.posted(request)
    found = await _found(request)
    said = _read(form)
    wish = replace(found, name=said.name, english=said.english, address=said.address, phone=said.phone)
    try:
        await choose_mark(handle, found.id, str(form.get("colour", "")), await _uploaded(form), drop="drop" in form)
        await actions.change(request.app.state.services, handle, wish)
    except Problem as problem:
        return await _papers_form(request, wish, problem)
    return RedirectResponse(f"{_LIST}/{found.id}", status_code=303)


async def _uploaded(form: FormData) -> bytes | None:
    file = form.get("logo")
    if not isinstance(file, UploadFile):
        return None
    content = await file.read()
    await file.close()
    return content or None


async def logo(request: Request) -> Response:
    """The logo, as it was drawn anew."""
    mark = await mark_of(request.app.state.services.database, request.path_params["id"])
    if mark is None or mark.logo is None:
        raise refuse(404, "not-found", "institutions.unknown")
    headers = {"cache-control": "private, max-age=60", "content-disposition": "inline", "x-content-type-options": "nosniff"}
    return Response(mark.logo, headers=headers, media_type=mark.logo_type)


async def staff(request: Request) -> Response:
    """Show who works here, and the form of an invitation."""
    return await _staff_page(request, await _found(request))


def _may_invite(request: Request, found: Institution) -> list[str]:
    """The roles that the caller may invite for; whoever administers the platform invites the first administrator only."""
    handle = request.state.handle
    kind = kinds().get(found.kind)
    own = list(kind.roles) if kind else [_ADMINISTRATOR]
    return [_ADMINISTRATOR] if handle.may(ALL) and handle.actor.role != "operator" else own


async def _staff_page(request: Request, found: Institution, link: str = "", role: str = "", problem: Problem | None = None) -> Response:
    rows: list[StaffRow] = await staff_of(request.app.state.services.database, found.id)
    return web.render(
        request, "institutions/staff.html", status=problem.status if problem else 200, told=_told(request, problem),
        me=request.state.handle.actor.account, one=found, staff=rows, may=_may_invite(request, found), roles=role_titles(),
        link=link, code=web.qr(link) if link else None, role=role)


async def invite_one(request: Request) -> Response:
    """Make an invitation and show its link once."""
    form, found = await web.posted(request), await _found(request)
    role = str(form.get("role", ""))
    if role not in _may_invite(request, found):
        raise refuse(422, "value", "institutions.wrong-role")
    token = await invite(request.app.state.services, request.state.handle.actor, Post(role, found.id))
    return await _staff_page(request, found, _address(request, f"/invitation/{token}"), role)


async def administer(request: Request) -> Response:
    """Withdraw a role, lock, unlock or reset; a reset shows the link by which the person sets up the login anew."""
    form, found = await web.posted(request), await _found(request)
    membership, deed = str(form.get("membership", ""))[:64], str(form.get("deed", ""))
    try:
        token = await actions.administer_staff(request.app.state.services, request.state.handle, found.id, membership, deed)
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _staff_page(request, found, problem=problem)
    if token:
        return await _staff_page(request, found, _address(request, f"/invitation/{token}"))
    return RedirectResponse(f"{_LIST}/{found.id}/staff", status_code=303)


def _address(request: Request, path: str) -> str:
    public = request.app.state.settings.public_url or str(request.base_url)
    return public.rstrip("/") + path


async def system(request: Request) -> Response:
    """Show how the institution's system sends."""
    return await _system_page(request, await _found(request))


async def _system_page(request: Request, found: Institution, key: str = "", problem: Problem | None = None) -> Response:
    return web.render(
        request, "institutions/system.html", status=problem.status if problem else 200, one=found, key=key,
        systems=await systems(request.state.handle, found), channels=CHANNELS, told=_told(request, problem))


async def register_system(request: Request) -> Response:
    """Register the name by which the system sends, and show its key once."""
    form, found = await web.posted(request), await _found(request)
    wish = System(str(form.get("sender", "")).strip()[:80], str(form.get("channel", "")))
    try:
        key = await actions.register_system(request.app.state.services, request.state.handle, found, wish)
    except Problem as problem:
        return await _system_page(request, found, problem=problem)
    return await _system_page(request, await _found(request), key)


def routes() -> list[BaseRoute]:
    """The addresses of institutions."""
    one = f"{_LIST}/{{id}}"
    forms: dict[str, tuple[Any, Any]] = {
        f"{_LIST}/add": (adding, add), f"{one}/letterhead": (papers, keep_papers), f"{one}/staff": (staff, invite_one),
        f"{one}/system": (system, register_system),
    }
    pairs = [(path, *both) for path, both in forms.items()]
    return [
        web.route(_LIST, listed, permission=_MANAGE),
        *(web.route(path, show, permission=_MANAGE) for path, show, _ in pairs),
        *(web.route(path, act, permission=_MANAGE, methods=["POST"]) for path, _, act in pairs),
        web.route(f"{one}/staff/change", administer, permission=_MANAGE, methods=["POST"]),
        web.route(f"{one}/logo", logo, permission="web.account"),
        web.route(one, shown, permission=_MANAGE),
    ]


def menu() -> list[web.MenuEntry]:
    """The institutions' place in the menu."""
    return [web.MenuEntry("institutions.menu", _LIST, icon="hospital", order=50, about="institutions.about")]
