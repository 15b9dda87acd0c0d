"""Type/id/$verify-signature: who has signed a resource, and whether it still is what was signed.

A Parameters: `result` is true when there are signatures and all of them hold; then for each signing one `signature` with
`provenance`, `who`, `purpose`, `when`, `version`, `algorithm` (each), `genuine` and `changed`.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.access.actions.signing import Verdict, verify_signature

MEDIA = "application/fhir+json; charset=utf-8"


async def verify(request: Request) -> Response:
    """GET or POST [base]/Type/id/$verify-signature, for whoever may read the resource."""
    found = await verify_signature(request.state.handle, request.path_params["type"], request.path_params["id"])
    good = bool(found) and all(one.holds for one in found)
    told = {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": good}, *map(_part, found)]}
    return Response(fhir_json.dumps(told), media_type=MEDIA)


def _part(one: Verdict) -> dict[str, Any]:
    return {"name": "signature", "part": [
        {"name": "provenance", "valueReference": {"reference": f"Provenance/{one.provenance}"}},
        {"name": "who", "valueReference": {"reference": f"Practitioner/{one.practitioner}"}},
        {"name": "purpose", "valueCode": one.purpose},
        {"name": "when", "valueInstant": clock.instant(one.signed)},
        {"name": "version", "valueString": str(one.version)},
        *({"name": "algorithm", "valueCode": algorithm} for algorithm in one.algorithms),
        {"name": "genuine", "valueBoolean": one.genuine},
        {"name": "changed", "valueBoolean": one.changed},
    ]}


def routes() -> list[BaseRoute]:
    """The route of the operation."""
    return [web.route("/fhir/{type}/{id}/$verify-signature", verify, permission="records.read", methods=["GET", "POST"])]
