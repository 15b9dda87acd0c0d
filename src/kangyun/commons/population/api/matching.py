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
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.population.decisions.matching import weights
from kangyun.commons.population.queries.likeness import Match, matches

MEDIA = "application/fhir+json; charset=utf-8"

_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_LARGEST = 1_000_000
_MOST = 100
_JSON = {"application/fhir+json", "application/json"}


async def match(request: Request) -> Response:
    """POST [base]/Patient/$match with Parameters: resource, onlyCertainMatches, count.

    A searchset Bundle, each person once by the Patient that is most alike; `search.score` is between 0 and 1. Two people
    who both seem certain are no certain match.
    """
    asked = await _parameters(request)
    patient = asked.get("resource", {}).get("resource")
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        raise refuse(400, "required", "population.no-resource", "Parameters.parameter")
    found = await matches(request.state.handle, patient)
    if asked.get("onlyCertainMatches", {}).get("valueBoolean") is True:
        certain = [one for one in found if one.grade == "certain"]
        found = certain if len(certain) == 1 else []
    count = asked.get("count", {}).get("valueInteger", _MOST)
    return _bundle(request, found[: max(0, min(count if isinstance(count, int) else _MOST, _MOST))])


async def _parameters(request: Request) -> dict[str, dict[str, Any]]:
    kind = request.headers.get("content-type", "application/fhir+json").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise refuse(415, "not-supported", "base.bad-media-type")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(_LARGEST))
    posted = fhir_json.loads(bytes(body))
    if posted.get("resourceType") == "Patient":
        return {"resource": {"resource": posted}}
    given = posted.get("parameter")
    return {str(one.get("name")): one for one in (given if isinstance(given, list) else []) if isinstance(one, dict)}


def _bundle(request: Request, found: list[Match]) -> Response:
    base = f"{str(request.base_url).rstrip('/')}/fhir"
    whole: dict[str, Any] = {
        "resourceType": "Bundle", "type": "searchset", "meta": {"lastUpdated": clock.instant(clock.now())},
        "total": len(found), "link": [{"relation": "self", "url": f"{base}/Patient/$match"}],
    }
    if found:
        whole["entry"] = [_entry(base, one) for one in found]
    return Response(fhir_json.dumps(whole), media_type=MEDIA)


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
