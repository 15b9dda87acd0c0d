"""Insurance over FHIR: ask eligibility, estimate, settle and take back, for apps, institutions' systems and partners.

    POST /fhir/Coverage/$eligibility   Parameters {patient} -> Coverage, or 404 where nobody insures the person
    POST /fhir/Claim/$estimate         Claim -> ClaimResponse, use predetermination, with the figures by part in `total`
    POST /fhir/Claim/$submit           Claim, or Parameters {resource, key, cash} -> ClaimResponse, outcome queued
    POST /fhir/Claim/[id]/$reverse     -> ClaimResponse, status cancelled
    POST /fhir/Claim/$audit            Claim -> ClaimResponse whose processNote tells the findings

A resident estimates for himself and his wards; only an institution settles, and only bills of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Reading, answer, posted
from kangyun.commons.access import Handle
from kangyun.support.insurance.actions import ask_eligibility, estimate, reverse, settle
from kangyun.support.insurance.actions.eligibility import today
from kangyun.support.insurance.actions.parts import SETTLE, USE, working
from kangyun.support.insurance.decisions.claims import bill_of, claim_of, response_of
from kangyun.support.insurance.decisions.explaining import finding_texts
from kangyun.support.insurance.model import Bill, Estimate, Insured
from kangyun.support.insurance.queries import by_id

_READING = Reading(body=2_000_000, status=422)


async def eligibility(request: Request) -> Response:
    """Ask the insurer about a Patient whom the caller sees."""
    patient = (await posted(request, _READING)).text("patient").removeprefix("Patient/")
    await _seen(request.state.handle, patient)
    insured = await ask_eligibility(request.state.handle, request.app.state.services.insurer, patient)
    if insured is None:
        raise refuse(404, "not-found", "insurance.not-insured")
    own = working(request.state.handle, "insurance.eligibility")
    return answer(await own.read("Coverage", insured.coverage) or {})


async def estimated(request: Request) -> Response:
    """What a bill would come to."""
    bill = _bill((await posted(request, _READING)).resource())
    await _seen(request.state.handle, bill.patient)
    counted = await estimate(request.state.handle, bill, request.app.state.services.insurer)
    return answer(_predetermined(counted, finding_texts(counted.findings, _words(request), lines=counted.bill.lines)))


def _predetermined(counted: Estimate, notes: list[str]) -> dict[str, Any]:
    insured = counted.insured or Insured("", "none", "", "", "")
    claim = claim_of(counted.bill, insured, "estimate", today().isoformat(), use="predetermination")
    del claim["id"]
    del claim["identifier"]
    response = response_of(claim, counted.settlement, "complete", notes)
    del response["id"]
    if counted.insured is None:
        response["insurer"] = {"display": "none"}
        response["disposition"] = "self-pay"
    return response


async def audited(request: Request) -> Response:
    """What the audit would say of a bill, before anybody has decided on it: for the doctor at the order entry."""
    bill = _bill((await posted(request, _READING)).resource())
    await _seen(request.state.handle, bill.patient)
    counted = await estimate(request.state.handle, bill)
    return answer(_predetermined(counted, finding_texts(counted.findings, _words(request), "doctor", counted.bill.lines)))


async def submitted(request: Request) -> Response:
    """Settle a bill of the caller's own institution, exactly once for each key."""
    asked, handle = await posted(request, _READING), request.state.handle
    bill = _bill(asked.resource())
    if handle.actor.institution != bill.place and not handle.may("insurance.any-place"):
        raise refuse(403, "forbidden", "insurance.not-your-place")
    await _seen(handle, bill.patient)
    key = asked.text("key") or request.headers.get("idempotency-key", "")
    cash = asked.money("cash") if "cash" in asked else None
    made = await settle(working(handle, "insurance.settle", SETTLE), bill, key=f"{bill.place}/{key}" if key else "", cash=cash)
    return answer(await _response(handle, made.id))


async def reversed_(request: Request) -> Response:
    """Take a settlement of the caller's own institution back."""
    handle, id_ = request.state.handle, request.path_params["id"].removeprefix("clm-")
    async with handle.connection() as connection:
        found = await by_id(connection, id_)
    if found is None or (handle.actor.institution != found.place and not handle.may("insurance.any-place")):
        raise refuse(404, "not-found", "insurance.no-settlement")
    await reverse(working(handle, "insurance.reverse", SETTLE), id_)
    return answer(await _response(handle, id_))


async def _response(handle: Handle, id_: str) -> dict[str, Any]:
    return await working(handle, "insurance.read", SETTLE).read("ClaimResponse", f"clr-{id_}") or {}


async def _seen(handle: Handle, patient: str) -> None:
    """Raise Problem 404 for a Patient whom the caller does not see: whose bill it is, the gate decides."""
    if not patient or await handle.read("Patient", patient) is None:
        raise refuse(404, "not-found", "insurance.no-patient")


def _bill(claim: Mapping[str, Any]) -> Bill:
    if claim.get("resourceType") != "Claim":
        raise refuse(400, "required", "insurance.no-claim")
    return bill_of(claim, today())


def _words(request: Request) -> str:
    return "en" if request.headers.get("accept-language", "").startswith("en") else "zh"


def routes() -> list[BaseRoute]:
    """The addresses of the operations."""
    return [
        web.route("/fhir/Coverage/$eligibility", eligibility, permission=USE, methods=["POST"]),
        web.route("/fhir/Claim/$estimate", estimated, permission=USE, methods=["POST"]),
        web.route("/fhir/Claim/$audit", audited, permission=USE, methods=["POST"]),
        web.route("/fhir/Claim/$submit", submitted, permission=SETTLE, methods=["POST"]),
        web.route("/fhir/Claim/{id}/$reverse", reversed_, permission=SETTLE, methods=["POST"]),
    ]
