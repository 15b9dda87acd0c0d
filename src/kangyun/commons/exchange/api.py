"""What machines may ask: HL7 v2 and CDA documents over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.commons.exchange.actions import ORIGIN, Intake
from kangyun.commons.exchange.actions.calls import Calls
from kangyun.commons.exchange.actions.issuing import document_of
from kangyun.commons.exchange.actions.registering import keep_fresh
from kangyun.commons.exchange.decisions import batches
from kangyun.commons.exchange.decisions.acknowledge import peek
from kangyun.commons.exchange.decisions.cda.headings import Edition
from kangyun.commons.exchange.decisions.cda.peeking import peek as peek_document
from kangyun.commons.exchange.decisions.cda.xml import MOST_BYTES
from kangyun.commons.exchange.decisions.registrations import key_fits, shown_key
from kangyun.commons.exchange.decisions.tables import naming
from kangyun.commons.exchange.model import Fault, Origin, Outcome, Reason
from kangyun.commons.exchange.queries.translating import parameters, translations

_STATUS = {"AA": 200, "AE": 422, "AR": 400}
_DOCUMENT_TYPES = {"application/xml", "text/xml", "application/hl7-cda+xml", "application/hl7-sda+xml", "application/octet-stream", ""}
_TYPES = {"text/plain", "application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7", "application/octet-stream", ""}


async def receive(request: Request) -> Response:
    """Take one HL7 v2 message, framed or not, or a batch, and answer with its acknowledgement, or a batch of them.

    200 for AA, 422 for AE, 400 for AR, 503 for what may be sent again, 415 for another content type, 401 where the
    sender's registration has a key and this one does not fit.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        return Response(status_code=415)
    services = request.app.state.services
    intake = Intake(services.database, services.gate, services.keys)
    ORIGIN.set(Origin("http", request.client.host if request.client else ""))
    limit = services.settings.mllp_max_bytes
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            fault = Fault("exchange.too-large", "MSH", {"bytes": f">{limit}", "limit": str(limit)}, unreadable=True)
            return Response(await intake.refuse(bytes(body[:65_536]), len(body), fault), 413, media_type=kind or None)
    message = bytes(body).strip(b"\x0b\x1c")
    await keep_fresh(services.database)
    several = batches.messages(message) if batches.is_batch(message) else [message]
    if not all(_speaks_for(request, peek(one).sender) for one in several):
        return Response(status_code=401, headers={"www-authenticate": "Bearer"})
    if batches.is_batch(message):
        return await _batch(intake, message, several, kind)
    receipt = await intake.take(message)
    status = 503 if receipt.outcome.retry else _STATUS[receipt.outcome.acknowledgement]
    return Response(receipt.answer, status, headers={"content-type": kind or "application/hl7-v2"})


async def _batch(intake: Intake, body: bytes, several: list[bytes], kind: str) -> Response:
    """Every message for itself, in order; the answer is a batch of acknowledgements, the status that of the worst."""
    lack = batches.shortfall(body)
    receipts = [await intake.take(one) for one in several]
    codes = {receipt.outcome.acknowledgement for receipt in receipts} | ({"AE"} if lack else set[str]())
    status = 503 if any(one.outcome.retry for one in receipts) else max(_STATUS[code] for code in codes) if codes != {"AA"} else 200
    comment = errors.text(errors.Issue("processing", lack.key, lack.params), "en") if lack else ""
    whole = batches.answer([receipt.answer for receipt in receipts], clock.now(), comment)
    return Response(whole, status, headers={"content-type": kind or "application/hl7-v2"})


def watch(services: Any) -> Callable[[Request, Response], None]:
    """What `app` calls with every bundle posted to the FHIR API, once it is answered."""
    return Calls(services).note


def _speaks_for(request: Request, sender: str) -> bool:
    """Whether the caller may send in the name of a sender: its key fits, and it is not the key of another one."""
    name = request.state.handle.actor.name
    return key_fits(sender, shown_key(request.headers)) and (not name.startswith("sender/") or name == f"sender/{sender}")


async def receive_document(request: Request) -> Response:
    """Take one CDA document and answer with an OperationOutcome that names the place of a fault as an XPath.

    201 when it was stored, 200 when it was there already, 422 refused, 400 unreadable, 401, 413, 415 as for HL7 v2, 503 for
    what may be sent again.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _DOCUMENT_TYPES:
        return Response(status_code=415)
    ORIGIN.set(Origin("http", request.client.host if request.client else ""))
    services = request.app.state.services
    body = await _bounded(request, MOST_BYTES)
    if body is None:
        params = {"bytes": f">{MOST_BYTES}", "limit": str(MOST_BYTES)}
        return _outcome(request, 413, Outcome("quarantined", "AR", Reason("exchange.too-large", "", params)))
    sender, shown = peek_document(body)
    if not _speaks_for(request, sender):
        return Response(status_code=401, headers={"www-authenticate": "Bearer"})
    outcome = await Intake(services.database, services.gate, services.keys).take_file(body, sender, "cda", shown)
    status = 503 if outcome.retry else _STATUS[outcome.acknowledgement] if outcome.acknowledgement != "AA" else 201 if outcome.state == "stored" else 200
    return _outcome(request, status, outcome)


async def _bounded(request: Request, limit: int) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _outcome(request: Request, status: int, outcome: Outcome) -> Response:
    reason = outcome.reason
    language = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"
    told = errors.text(errors.Issue("processing", reason.key, reason.params), language) if reason else outcome.state
    issue: dict[str, Any] = {"severity": "error" if reason else "information", "code": "processing" if reason else "informational", "diagnostics": told}
    if reason:
        issue["details"] = {"coding": [{"system": "urn:kangyun:reason", "code": reason.key}]}
        if reason.place:
            issue["expression"] = [reason.place]
    content = {"resourceType": "OperationOutcome", "issue": [issue]}
    headers = {"x-message": str(outcome.message_id)} if outcome.message_id else {}
    return Response(orjson.dumps(content), status, headers=headers, media_type="application/fhir+json")


async def receive_table(request: Request) -> Response:
    """Take one spreadsheet, `?sender=&kind=`, and answer with an OperationOutcome that names sheet, row and column.

    201 when every row was stored, 200 when the file was there already, 422 when rows are held (the others are stored) or
    the whole was refused, 400 unreadable, 401, 413, 503 for what may be sent again.
    """
    ORIGIN.set(Origin("http", request.client.host if request.client else ""))
    services, query = request.app.state.services, request.query_params
    sender, kind = query.get("sender", "")[:80] or "tables", query.get("kind", "")
    if not _speaks_for(request, sender):
        return Response(status_code=401, headers={"www-authenticate": "Bearer"})
    limit = services.settings.max_body_bytes
    body = await _bounded(request, limit)
    if body is None:
        params = {"bytes": f">{limit}", "limit": str(limit)}
        return _outcome(request, 413, Outcome("quarantined", "AR", Reason("exchange.too-large", "", params)))
    outcome = await Intake(services.database, services.gate, services.keys).take_file(body, sender, "table", naming.shown(kind))
    status = 503 if outcome.retry else _STATUS[outcome.acknowledgement] if outcome.acknowledgement != "AA" else 201 if outcome.state == "stored" else 200
    return _outcome(request, status, outcome)


async def issue_document(request: Request) -> Response:
    """Give a document of WS/T 483 about a resident: `?patient=` its id, `&encounter=` one visit instead of the newest.

    With `&check=true` the answer is no document but an OperationOutcome with what the document requires and the record lacks.
    """
    patient, visit = request.query_params.get("patient", ""), request.query_params.get("encounter", "")
    made, number = clock.instant(clock.now()), str(uuid4())
    built = await document_of(request.state.handle, request.path_params["code"], patient, Edition(number, number, 1, made), visit_id=visit)
    issues = [
        errors.Issue("required", "exchange.lacks", {"code": one.code, "name": one.zh, "name_en": one.en}, f"{one.section}/{one.code}", "warning")
        for one in built.missing
    ]
    if request.query_params.get("check") == "true":
        found = issues or [errors.Issue("informational", "exchange.complete", severity="information")]
        return Response(orjson.dumps(errors.operation_outcome(found)), media_type="application/fhir+json")
    headers = {"x-missing": ",".join(one.code for one in built.missing)} if built.missing else {}
    return Response(built.xml, headers=headers, media_type="application/xml")


async def translate(request: Request) -> Response:
    """GET [base]/ConceptMap/$translate?system=&code=[&targetsystem=]: what a code is in other systems.

    Parameters with `result` and a `match` for each; 400 where system or code is missing.
    https://hl7.org/fhir/R4/conceptmap-operation-translate.html
    """
    query = request.query_params
    system, code = query.get("system", ""), query.get("code", "")
    if not system or not code:
        raise errors.refuse(400, "required", "exchange.translate-what", "system" if not system else "code")
    found = await translations(request.state.handle, system, code, query.get("targetsystem", ""))
    return Response(orjson.dumps(parameters(found)), media_type="application/fhir+json; charset=utf-8")


def routes() -> list[BaseRoute]:
    """The routes of this room for machines."""
    return [
        web.route("/exchange/tables", receive_table, permission="exchange.receive", methods=["POST"]),
        web.route("/exchange/hl7v2", receive, permission="exchange.receive", methods=["POST"]),
        web.route("/exchange/cda", receive_document, permission="exchange.receive", methods=["POST"]),
        web.route("/fhir/ConceptMap/$translate", translate, permission="records.read"),
        web.route("/exchange/cda/{code}", issue_document, permission="exchange.issue"),
    ]
