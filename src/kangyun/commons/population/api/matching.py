"""Patient/$match: who may this be, with score and grade.

FHIR R4: https://hl7.org/fhir/R4/patient-operation-match.html
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Reading, answer, posted
from kangyun.commons.population.decisions.matching import weights
from kangyun.commons.population.queries.likeness import Match, matches

_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_READING = Reading(body=1_000_000, key="population.bad-parameter")
_MOST = 100


async def match(request: Request) -> Response:
    """POST [base]/Patient/$match with Parameters: resource, onlyCertainMatches, count.

    A searchset Bundle, each person once by the Patient that is most alike; `search.score` is between 0 and 1. Two people
    who both seem certain are no certain match.
    """
    asked = await posted(request, _READING)
    patient = asked.resource()
    if patient.get("resourceType") != "Patient":
        raise refuse(400, "required", "population.no-resource", "Parameters.parameter")
    # Whether somebody is there is told to those only who could search for it.
    request.state.handle.judge_finding("Patient", ("identifier", "name", "birthdate", "telecom", "address"))
    found = await matches(request.state.handle, patient)
    if asked.flag("onlyCertainMatches"):
        certain = [one for one in found if one.grade == "certain"]
        found = certain if len(certain) == 1 else []
    return _bundle(request, found[: max(0, min(asked.whole("count", _MOST), _MOST))])


def _bundle(request: Request, found: list[Match]) -> Response:
    base = f"{str(request.base_url).rstrip('/')}/fhir"
    whole: dict[str, Any] = {
        "resourceType": "Bundle", "type": "searchset", "meta": {"lastUpdated": clock.instant(clock.now())},
        "total": len(found), "link": [{"relation": "self", "url": f"{base}/Patient/$match"}],
    }
    if found:
        whole["entry"] = [_entry(base, one) for one in found]
    return answer(whole)


def _entry(base: str, one: Match) -> dict[str, Any]:
    extension = [{"url": _GRADE, "valueCode": one.grade}]
    return {
        "fullUrl": f"{base}/Patient/{one.patient['id']}", "resource": one.patient,
        "search": {"extension": extension, "mode": "match", "score": probability(one.evidence.bits)},
    }


def probability(bits: float) -> float:
    """How likely it is the same person, 0 to 1; even where the review begins."""
    distance = max(-50.0, min(50.0, bits - weights().thresholds.review))
    return round(1 / (1 + 2**-distance), 4)


def routes() -> list[BaseRoute]:
    """The route of the operation."""
    return [web.route("/fhir/Patient/$match", match, permission="records.read", methods=["POST"])]
