"""What the audit has found in an institution's settlements: agree, or appeal."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import shown
from kangyun.commons.access import Handle
from kangyun.commons.population import legal_name
from kangyun.support.insurance.actions.auditing import APPEAL, accept, appeal, cycle
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.audit import audit_rules
from kangyun.support.insurance.decisions.claims import bill_of
from kangyun.support.insurance.decisions.explaining import finding_text
from kangyun.support.insurance.model import Line
from kangyun.support.insurance.queries import by_id, seen
from kangyun.support.insurance.queries.findings import Kept, finding_of, findings_at

HOME = "/insurance/findings"
STATES = ("open", "appealed", "accepted", "upheld", "withdrawn")


async def listed(request: Request) -> Response:
    """Show the findings at the caller's institution, those that wait for it first."""
    state = request.query_params.get("state", "")
    state = state if state in STATES else ""
    async with request.state.handle.connection() as connection:
        told = await findings_at(connection, "place", request.state.handle.actor.institution or "", state)
    may = await seen(working(request.state.handle, "insurance.read", APPEAL), "Claim", [f"clm-{one.settlement}" for one in told])
    kept = [one for one in told if f"clm-{one.settlement}" in may]
    rules = {one.name: one.rule for one in audit_rules()}
    return web.render(
        request, "insurance/findings.html", kept=kept, rules=rules, state=state, states=STATES, money=shown, home=HOME, instant=clock.instant,
        mine=True)


async def found(request: Request) -> Response:
    """Show one finding with the rule's text, the lines, and what can be done."""
    return await _shown(request, await _mine(request))


async def _mine(request: Request) -> Kept:
    handle: Handle = request.state.handle
    async with handle.connection() as connection:
        kept = await finding_of(connection, request.path_params["id"])
    if kept is None or (kept.place != handle.actor.institution and not handle.may("insurance.any-place")):
        raise refuse(404, "not-found", "insurance.no-finding")
    return kept


async def _shown(request: Request, kept: Kept, told: str = "", status: int = 200, words: str = "") -> Response:
    own = working(request.state.handle, "insurance.read", APPEAL)
    lines = await lines_of(own, request, kept)
    patient = await request.state.handle.read("Patient", kept.patient) if request.state.handle.may("clinician.read") else None
    task = await own.read("Task", kept.task) if kept.task else None
    return web.render(
        request, "insurance/finding.html", status=status, one=kept, rule=rule_of(kept), lines=lines, task=task, money=shown, told=told, words=words,
        who=legal_name(patient) if patient else "", text=finding_text(kept.finding, request.state.language, "doctor", lines),
        may=cycle().may(kept.state, "institution"), home=HOME, instant=clock.instant, side="institution")


async def lines_of(own: Handle, request: Request, kept: Kept) -> tuple[Line, ...]:
    """The lines of the Claim in which something was found."""
    async with request.state.handle.connection() as connection:
        settled = await by_id(connection, kept.settlement)
    claim = await own.read("Claim", settled.claim) if settled else None
    return bill_of(claim, settled.on).lines if claim and settled else ()


def rule_of(kept: Kept) -> object:
    """The rule that has found something."""
    return next((one.rule for one in audit_rules() if one.name == kept.finding.rule), None)


async def act(request: Request) -> Response:
    """Agree or appeal."""
    form, kept = await web.posted(request), await _mine(request)
    words = str(form.get("reason", ""))
    try:
        if form.get("event") == "appeal":
            await appeal(request.state.handle, kept.id, words)
        else:
            await accept(request.state.handle, kept.id)
    except Problem as problem:
        told = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        return await _shown(request, kept, told, problem.status, words)
    return RedirectResponse(f"{HOME}/{kept.id}", status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of an institution's staff."""
    return [
        web.route(HOME, listed, permission=APPEAL),
        web.route(f"{HOME}/{{id}}", found, permission=APPEAL),
        web.route(f"{HOME}/{{id}}", act, permission=APPEAL, methods=["POST"]),
    ]
