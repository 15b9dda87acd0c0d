"""Patient/[id]/$summary: the International Patient Summary of the whole person.

HL7 IPS 1.1: https://hl7.org/fhir/uv/ips/OperationDefinition-summary.html
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer
from kangyun.base.web.preferences import negotiate
from kangyun.commons.population.decisions.summary import document
from kangyun.commons.population.queries.summary import whole


async def summarise(request: Request) -> Response:
    """GET or POST [base]/Patient/[id]/$summary: a document Bundle in the language of Accept-Language; 404 for no Patient."""
    found = await whole(request.state.handle, request.path_params["id"])
    if found is None:
        raise refuse(404, "not-found", "records.not-found", type="Patient")
    language = negotiate(request.headers.get("accept-language", ""))
    bundle = document(*found, language, clock.instant(clock.now()))
    return answer(bundle, headers={"cache-control": "no-store"})


def routes() -> list[BaseRoute]:
    """The route of the operation."""
    return [web.route("/fhir/Patient/{id}/$summary", summarise, permission="records.read", methods=["GET", "POST"])]
