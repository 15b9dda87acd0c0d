"""The insurer's pages: claims, findings and appeals, members and what they have used, the rules."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import shown
from kangyun.commons.access import Handle
from kangyun.support.insurance.actions.auditing import AUDIT, cycle, decide
from kangyun.support.insurance.actions.eligibility import coverage_id, insurer_here, today
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.audit import audit_rules
from kangyun.support.insurance.decisions.claims import bill_of
from kangyun.support.insurance.decisions.explaining import finding_text, pieces
from kangyun.support.insurance.model import Settled
from kangyun.support.insurance.pages.findings import STATES, lines_of, rule_of
from kangyun.support.insurance.queries import by_id, seen, settled_of, sql
from kangyun.support.insurance.queries.findings import Kept, finding_of, findings_at, findings_in, table

HOME = "/insurer"
_PAGE = 50
_STATES = ("pending", "confirmed", "differs", "refused", "reversing", "reversed")


async def whose(request: Request) -> str:
    """The insurer for whom the caller works; the operator of this machine sees the region's."""
    handle: Handle = request.state.handle
    if handle.actor.institution or not handle.may("insurance.any-place"):
        return handle.actor.institution or ""
    try:
        return await insurer_here(handle)
    except Problem:
        return ""


async def claims(request: Request) -> Response:
    """Show what was claimed, newest first."""
    insurer, asked = await whose(request), request.query_params
    state = asked.get("state", "") if asked.get("state") in _STATES else ""
    before = _moment(asked.get("before", ""))
    async with request.state.handle.connection() as connection:
        rows = await connection.fetch(sql.of_insurer, insurer, state, asked.get("place", "")[:64], before, _PAGE + 1)
    told = [settled_of(row) for row in rows]
    may = await seen(request.state.handle, "Claim", [one.claim for one in told])
    found = [one for one in told if one.claim in may]
    return web.render(
        request, "insurance/claims.html", found=found[:_PAGE], more=told[_PAGE - 1].more["made"].isoformat() if len(told) > _PAGE else "",
        state=state, states=_STATES, money=shown, pieces=pieces, places=await names(request, [one.place for one in found]), instant=clock.instant)


def _moment(text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return datetime(9999, 1, 1, tzinfo=UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


async def names(request: Request, ids: list[str]) -> dict[str, str]:
    """The names of institutions by id."""
    wanted = ",".join(sorted({one for one in ids if one})[:100])
    if not wanted:
        return {}
    page = await request.state.handle.search("Organization", [("_id", wanted), ("_count", "100")])
    return {str(one["id"]): str(one.get("name", "")) for one in page.resources}


async def claim(request: Request) -> Response:
    """Show one claim: its parts, lines, findings."""
    found = await _settled(request)
    kept = await request.state.handle.read("Claim", found.claim)
    bill = bill_of(kept, found.on) if kept else None
    async with request.state.handle.connection() as connection:
        told = await findings_in(connection, found.id)
    return web.render(
        request, "insurance/claim.html", one=found, bill=bill, figures=found.settlement.figures, pieces=pieces(found.settlement.figures),
        found=told, rules={one.name: one.rule for one in audit_rules()}, money=shown, place=(await names(request, [found.place])).get(found.place, ""),
        instant=clock.instant)


async def _settled(request: Request) -> Settled:
    async with request.state.handle.connection() as connection:
        found = await by_id(connection, request.path_params["id"])
    if found is None or found.insurer != await whose(request):
        raise refuse(404, "not-found", "insurance.no-settlement")
    return found


async def findings(request: Request) -> Response:
    """Show what the audit has found: appeals first, then violations by what they cost."""
    state = request.query_params.get("state", "")
    state = state if state in STATES else ""
    async with request.state.handle.connection() as connection:
        told = await findings_at(connection, "insurer", await whose(request), state)
    may = await seen(request.state.handle, "Claim", [f"clm-{one.settlement}" for one in told])
    kept = [one for one in told if f"clm-{one.settlement}" in may]
    return web.render(
        request, "insurance/findings.html", kept=kept, rules={one.name: one.rule for one in audit_rules()}, state=state, states=STATES, money=shown,
        home=f"{HOME}/findings", instant=clock.instant, mine=False, places=await names(request, [one.place for one in kept]))


async def finding(request: Request) -> Response:
    """Show one finding with its evidence and the appeal."""
    return await _shown(request, await _kept(request))


async def _kept(request: Request) -> Kept:
    async with request.state.handle.connection() as connection:
        kept = await finding_of(connection, request.path_params["id"])
    if kept is None or kept.insurer != await whose(request):
        raise refuse(404, "not-found", "insurance.no-finding")
    return kept


async def _shown(request: Request, kept: Kept, told: str = "", status: int = 200, words: str = "") -> Response:
    own = working(request.state.handle, "insurance.read", AUDIT)
    lines = await lines_of(own, request, kept)
    return web.render(
        request, "insurance/finding.html", status=status, one=kept, rule=rule_of(kept), lines=lines, money=shown, told=told, words=words, who="",
        task=await own.read("Task", kept.task) if kept.task else None, text=finding_text(kept.finding, request.state.language, "doctor", lines),
        may=cycle().may(kept.state, "insurer"), home=f"{HOME}/findings", instant=clock.instant, side="insurer")


async def act(request: Request) -> Response:
    """Uphold or withdraw."""
    form, kept = await web.posted(request), await _kept(request)
    words, event = str(form.get("reason", "")), str(form.get("event", ""))
    try:
        await decide(request.state.handle, kept.id, event, words)
    except Problem as problem:
        told = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        return await _shown(request, kept, told, problem.status, words)
    return RedirectResponse(f"{HOME}/findings/{kept.id}", status_code=303)


async def members(request: Request) -> Response:
    """Show what insured people have used this year, by member number."""
    text = request.query_params.get("q", "").strip()[:40]
    async with request.state.handle.connection() as connection:
        told = await table(connection, sql.members, await whose(request), today().year, text)
    may = await seen(request.state.handle, "Coverage", [coverage_id(one["insurer"], one["member"]) for one in told])
    rows = [one for one in told if coverage_id(one["insurer"], one["member"]) in may]
    return web.render(request, "insurance/members.html", rows=rows, q=text, money=shown, year=today().year)


async def rules(request: Request) -> Response:
    """Show the rules of the audit with their texts, parameters and certainty."""
    return web.render(request, "insurance/rules.html", rules=audit_rules())


def routes() -> list[BaseRoute]:
    """The addresses of the insurer."""
    return [
        web.route(HOME, claims, permission=AUDIT),
        web.route(f"{HOME}/claims/{{id}}", claim, permission=AUDIT),
        web.route(f"{HOME}/findings", findings, permission=AUDIT),
        web.route(f"{HOME}/findings/{{id}}", finding, permission=AUDIT),
        web.route(f"{HOME}/findings/{{id}}", act, permission=AUDIT, methods=["POST"]),
        web.route(f"{HOME}/members", members, permission=AUDIT),
        web.route(f"{HOME}/rules", rules, permission=AUDIT),
    ]
