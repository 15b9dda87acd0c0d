"""A prescription as its doctor sees it afterwards, with what may be done now; and the sheet as the law prints it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle, letterhead, verdicts
from kangyun.support.drugs.actions import prescriptions
from kangyun.support.drugs.decisions.circulation import lifecycle, looks
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.pages import reading
from kangyun.support.drugs.pages.printed import Printed
from kangyun.support.drugs.queries import people
from kangyun.support.drugs.queries import prescriptions as kept
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.priced import lines_with_prices
from kangyun.support.drugs.queries.reviews import notes_of

_PRESCRIBE = "drugs.prescribe"
_READ = "records.read"

Deed = Callable[[Handle, str, str], Awaitable[Held]]


async def _sign(handle: Handle, number: str, _reason: str) -> Held:
    return await prescriptions.sign_draft(handle, number)


async def _cancel(handle: Handle, number: str, _reason: str) -> Held:
    return await prescriptions.cancel(handle, number)


_DEEDS: dict[str, Deed] = {"sign": _sign, "cancel": _cancel, "confirm": prescriptions.confirm}


async def found(request: Request) -> Held:
    """The prescription of the address, for whoever may read its lines. Raises Problem 404."""
    handle = request.state.handle
    async with handle.connection() as connection:
        one = await kept.held(connection, request.path_params["number"])
    if await handle.read("MedicationRequest", one.line_ids[0]) is None:
        raise kept.unknown()
    return one


async def show(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show a prescription: what stands in it, who has signed, what has happened, what may be done now."""
    handle, one = request.state.handle, await found(request)
    own = request.app.state.services.gate.system("drugs.pages")
    mine = one.practitioner == handle.actor.practitioner
    return web.render(
        request, "drugs/prescription.html", status=status, one=one, said=await kept.content_of(handle, one), who=await people.resident(handle, one.patient),
        known=(await catalogue(handle)).drugs, frequencies=frequencies(), decoctions=decoctions(), steps=await kept.steps(handle, one.number),
        may=lifecycle().may(one.state, "prescriber") if mine else [], notes=await notes_of(own, one), told=told,
        pharmacy=(await people.called(own, "Organization", [one.pharmacy])).get(one.pharmacy, ""))


async def act(request: Request) -> Response:
    """Sign, cancel or confirm."""
    form = await web.posted(request)
    deed = _DEEDS.get(request.path_params["deed"])
    if deed is None:
        raise refuse(404, "not-found", "drugs.no-prescription")
    number = request.path_params["number"]
    try:
        await deed(request.state.handle, number, reading.said(form, "reason"))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await show(request, told=" ".join(errors.text(one, request.state.language) for one in problem.issues), status=problem.status)
    return RedirectResponse(f"/prescriptions/{number}", status_code=303)


async def _printed(request: Request) -> Printed:
    handle, one = request.state.handle, await found(request)
    own = request.app.state.services.gate.system("drugs.pages")
    async with own.connection() as connection:
        signed = await verdicts(connection, "MedicationRequest", one.line_ids[0])
        for id_ in (await kept.dispense_ids(connection, one.number))[:1]:
            signed += await verdicts(connection, "MedicationDispense", id_)
    who = await people.called(own, "Practitioner", [one.practitioner, one.reviewer, *(verdict.practitioner for verdict in signed)])
    return Printed(
        one, await kept.content_of(handle, one), await people.resident(own, one.patient), (await catalogue(handle)).drugs, who, signed,
        looks()[one.sheet], await letterhead(own, one.institution), sum(line.amount for line in await lines_with_prices(own, one.number)))


async def sheet(request: Request) -> Response:
    """The sheet on the screen, to be printed from the browser."""
    printed = await _printed(request)
    return web.render(request, "drugs/sheet.html", printed=printed, one=printed.held, said=printed.said, known=printed.known, frequencies=frequencies(), decoctions=decoctions())


async def pdf(request: Request) -> Response:
    """The sheet as a PDF."""
    from kangyun.support.drugs.pages.printing import sheet_pdf  # noqa: PLC0415 - loads a library that few need

    content = sheet_pdf(await _printed(request))
    headers = {"cache-control": "no-store", "content-disposition": f'inline; filename="{request.path_params["number"]}.pdf"'}
    return Response(content, headers=headers, media_type="application/pdf")


def routes() -> list[BaseRoute]:
    """The routes of one prescription; those of order entry stand before them."""
    return [
        web.route("/prescriptions/{number}", show, permission=_READ, name="prescription"),
        web.route("/prescriptions/{number}/sheet", sheet, permission=_READ),
        web.route("/prescriptions/{number}/sheet.pdf", pdf, permission=_READ),
        web.route("/prescriptions/{number}/{deed}", act, permission=_PRESCRIBE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """Nothing of its own."""
    return []
