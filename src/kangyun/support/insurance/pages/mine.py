"""The resident's page: how I am insured, what I have used this year, my settlements and what each part of them is."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import shown
from kangyun.commons.access import Handle
from kangyun.commons.population import legal_name, patients_of
from kangyun.support.insurance.actions import ask_eligibility
from kangyun.support.insurance.actions.eligibility import today
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.claims import bill_of
from kangyun.support.insurance.decisions.explaining import Gauge, finding_text, gauges, pieces
from kangyun.support.insurance.decisions.policies import policy, year_of
from kangyun.support.insurance.model import Bill, Insured, Settled, SoFar
from kangyun.support.insurance.queries import by_id, insured_of_patient, settled_of, sql, used
from kangyun.support.insurance.queries.findings import findings_in

HOME = "/resident/insurance"
_USE = "resident.use"
_COOKIE = "resident"


@dataclass(frozen=True, slots=True)
class Me:
    """Whose page it is: the id of a Patient, the name, and how insured."""

    patient: str
    name: str
    insured: Insured | None


async def home(request: Request) -> Response:
    """Show the coverage, the year, the settlements."""
    me = await _me(request)
    return await _home(request, me) if me else RedirectResponse("/resident/", status_code=303)


async def _home(request: Request, me: Me, told: str = "", status: int = 200) -> Response:
    settled, limits, so_far = await _kept(request, me.insured) if me.insured else ([], {}, SoFar())
    return web.render(
        request, "insurance/mine.html", status=status, me=me, one=me.insured, settled=settled, limits=limits, so_far=so_far, told=told, money=shown,
        pieces=pieces, year=year_of(today()), instant=clock.instant)


async def _kept(request: Request, insured: Insured) -> tuple[list[Settled], dict[str, list[Gauge]], SoFar]:
    async with request.state.handle.connection() as connection:
        rows = await connection.fetch(sql.of_person, insured.resident)
        so_far = await used(connection, insured, year_of(today()))
    return [settled_of(row) for row in rows], _limits(insured, so_far), so_far


def _limits(insured: Insured, so_far: SoFar) -> dict[str, list[Gauge]]:
    """The yearly limits for visits, and for the chronic scheme where somebody is in it."""
    found: dict[str, list[Gauge]] = {}
    for scene in ("outpatient", *(["chronic"] if insured.chronic else [])):
        visit = Bill("", "", today(), (), scene=scene, level=1, area=insured.area)
        try:
            told = gauges(insured, so_far, policy(insured.area, today()), visit)
        except Problem:
            continue
        found[scene] = [one for one in told if one.name in {"deductible", "cap"} or scene == "outpatient"]
    return found


async def refresh(request: Request) -> Response:
    """Ask the insurer anew."""
    await web.posted(request)
    me = await _me(request)
    if me is None:
        return RedirectResponse("/resident/", status_code=303)
    try:
        insured = await ask_eligibility(request.state.handle, request.app.state.services.insurer, me.patient)
    except Problem as problem:
        told = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        return await _home(request, me, told, problem.status)
    if insured is None:
        return await _home(request, me, errors.text(refuse(404, "not-found", "insurance.not-insured").issues[0], request.state.language))
    return RedirectResponse(HOME, status_code=303)


async def settlement(request: Request) -> Response:
    """Show one settlement: a picture, each part and why, the lines."""
    me, id_ = await _me(request), request.path_params["id"]
    async with request.state.handle.connection() as connection:
        found = await by_id(connection, id_)
        kept = await findings_in(connection, id_) if found else []
    if me is None or me.insured is None or found is None or found.resident != me.insured.resident:
        raise refuse(404, "not-found", "insurance.no-settlement")
    claim = await working(request.state.handle, "insurance.read").read("Claim", found.claim)
    lines = bill_of(claim, found.on).lines if claim else ()
    words = [finding_text(one.finding, request.state.language, "resident", lines) for one in kept if one.state != "withdrawn"]
    return web.render(
        request, "insurance/settlement.html", me=me, one=found, figures=found.settlement.figures, pieces=pieces(found.settlement.figures),
        lines=lines, money=shown, words=words, place=await _place(request.state.handle, found.place))


async def _place(handle: Handle, id_: str) -> str:
    found = await handle.read("Organization", id_)
    return str(found.get("name", "")) if found else ""


async def _me(request: Request) -> Me | None:
    """Who is logged in, or whose guardian acts; on the operator's machine whoever was chosen."""
    handle: Handle = request.state.handle
    if handle.actor.person:
        person = await handle.read("Person", handle.actor.person)
        patient = next(iter(patients_of(person)), "") if person else ""
    else:
        patient = request.cookies.get(_COOKIE, "")
    known = await handle.read("Patient", patient) if patient else None
    if known is None:
        return None
    return Me(patient, legal_name(known) or "—", await insured_of_patient(working(handle, "insurance.read"), patient))


def routes() -> list[BaseRoute]:
    """The addresses of residents."""
    return [
        web.route(HOME, home, permission=_USE),
        web.route(f"{HOME}/refresh", refresh, permission=_USE, methods=["POST"]),
        web.route(f"{HOME}/{{id}}", settlement, permission=_USE),
    ]
