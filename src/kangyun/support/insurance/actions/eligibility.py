"""Asking the insurer who is insured and how, and keeping the answer as Coverage and in the year's accumulators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import structlog

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.keys import sm3
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle, Transaction, Write, key_of
from kangyun.commons.population import ID_NUMBER_SYSTEM, patient_at, person_of
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.claims import coverage_of
from kangyun.support.insurance.decisions.messages import person_of as told_of
from kangyun.support.insurance.gateways.insurer import Insurer, Refusal, Unanswered
from kangyun.support.insurance.model import Insured, SoFar
from kangyun.support.insurance.queries import insured_of_patient, sql

log = structlog.get_logger()

_KIND = "urn:kangyun:institution-kind|insurer"


def today() -> date:
    """The day in China."""
    return clock.now().astimezone(CHINA).date()


async def ask_eligibility(handle: Handle, insurer: Insurer, patient: str, place: str = "") -> Insured | None:
    """Ask the insurer about the person of a Patient and keep what it says; None when nobody insures the person.

    Where the insurer is away, what it said earlier holds. handle: whoever may see the Patient. Raises Problem 404 for a Patient who
    is not there, 409 without an ID number or an insurer, 503 when the insurer is away and never said anything.
    """
    own = working(handle, "insurance.eligibility")
    number, person = await _whose(own, patient)
    known = await insured_of_patient(own, patient)
    payor = known.insurer if known else await insurer_here(own)
    request = _request(patient, payor)
    try:
        told = await insurer.ask("person", uuid4().hex[:30], place, {"mdtrt_cert_type": "02", "certno": number})
        insured, years = told_of(told)
    except Refusal as refusal:
        log.info("insurance.not-insured", code=refusal.code)
        await own.commit([*request, _response(request[0], "complete", None)])
        return None
    except (Unanswered, KeyError, ValueError) as error:
        if known is None:
            raise refuse(503, "transient", "insurance.away") from error
        return known
    beneficiary = known.patient if known else await patient_at(own, person, payor) if person else patient
    insured = replace(insured, insurer=payor, patient=beneficiary, resident=key_of("Patient", beneficiary), coverage=coverage_id(payor, insured.member))
    await _keep(own, insured, years, request)
    return insured


def coverage_id(insurer: str, member: str) -> str:
    """The id of a member's Coverage: one for each, whoever asks first."""
    return f"cov-{sm3(f'{insurer}|{member}'.encode()).hex()[:32]}"


async def insurer_here(own: Handle) -> str:
    """The Organization of the insurer of this region. Raises Problem 409 when none has moved in."""
    page = await own.search("Organization", [("type", _KIND), ("_sort", "_lastUpdated"), ("_count", "1")])
    if not page.resources:
        raise refuse(409, "business-rule", "insurance.no-insurer")
    return str(page.resources[0]["id"])


async def _whose(own: Handle, patient: str) -> tuple[str, str]:
    """The ID number of the person of a Patient, and the Person's id or nothing."""
    found = await own.read("Patient", patient)
    if found is None:
        raise refuse(404, "not-found", "insurance.no-patient")
    person = await person_of(own, patient)
    number = _number(person) or _number(found)
    if not number:
        raise refuse(409, "business-rule", "insurance.no-number")
    return number, str(person["id"]) if person else ""


def _number(resource: Mapping[str, Any] | None) -> str:
    told = (one for one in (resource or {}).get("identifier", ()) if one.get("system") == ID_NUMBER_SYSTEM)
    return next((str(one["value"]) for one in told), "")


def _request(patient: str, insurer: str) -> list[Write]:
    id_ = uuid4().hex
    asked: dict[str, Any] = {
        "resourceType": "CoverageEligibilityRequest", "id": id_, "status": "active", "purpose": ["benefits", "validation"],
        "patient": {"reference": f"Patient/{patient}"}, "created": clock.now().isoformat(timespec="seconds"),
        "insurer": {"reference": f"Organization/{insurer}"}}
    return [Write("update", "CoverageEligibilityRequest", asked, id=id_)]


def _response(asked: Write, outcome: str, insured: Insured | None) -> Write:
    request = asked.resource or {}
    told: dict[str, Any] = {
        "resourceType": "CoverageEligibilityResponse", "id": request["id"], "status": "active", "purpose": request["purpose"],
        "patient": request["patient"], "created": request["created"], "insurer": request["insurer"], "outcome": outcome,
        "request": {"reference": f"CoverageEligibilityRequest/{request['id']}"}}
    if insured is not None:
        told["insurance"] = [{"coverage": {"reference": f"Coverage/{insured.coverage}"}, "inforce": insured.valid}]
    return Write("update", "CoverageEligibilityResponse", told, id=str(request["id"]))


async def _keep(own: Handle, insured: Insured, years: Mapping[str, SoFar], request: list[Write]) -> None:
    kept = await own.read("Coverage", insured.coverage)
    coverage = coverage_of(insured, kept)
    changed = [] if coverage == kept else [Write("update", "Coverage", coverage, id=insured.coverage)]

    async def accumulators(session: Transaction) -> list[Write]:
        for year, so_far in years.items():
            await _take_over(session, insured, int(year), so_far)
        return []

    await own.commit([*changed, *request, _response(request[0], "complete", insured)], beside=accumulators)


async def _take_over(session: Transaction, insured: Insured, year: int, so_far: SoFar) -> None:
    """The insurer's figures hold, unless it has not heard yet of something that was settled here."""
    connection, whose = session.connection, (insured.resident, insured.member, year)
    await connection.execute(sql.open_year, *whose, insured.insurer)
    await connection.fetchrow(sql.lock_year, *whose)
    if await connection.fetchval(sql.unsettled, *whose) == 0:
        await connection.execute(sql.put_year, *whose, *so_far)
    await connection.execute(sql.asked, *whose, clock.now())
