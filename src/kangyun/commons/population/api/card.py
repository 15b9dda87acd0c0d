"""What terminals ask: whose code this is, which keys to check signed codes with, which cards no longer count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.web.display import masked
from kangyun.commons.population.actions.card_scan import Reading, Recognised, report, scan
from kangyun.commons.population.actions.cards import Cards, masked_name
from kangyun.commons.population.decisions.card import holder_of, legal_name, terms
from kangyun.commons.population.queries import card as reading

errors.register("kangyun.commons.population")

_SCAN = "population.scan"
_LARGEST = 1_000_000
_MOST_USES = 500
_NEEDED = ("code", "step", "terminal", "channel")
_PRIVATE = {"cache-control": "no-store"}


async def scan_code(request: Request) -> Response:
    """Recognise a person by the code that a terminal read: {code, step, terminal, channel, pin?}.

    200 with person, card and use; else an OperationOutcome in Chinese and English whose `diagnostics` is the reason.
    """
    found = await scan(_cards(request), _reading(await _body(request)))
    whole = request.state.handle.may("population.identify")
    return JSONResponse(_told(found, whole=whole), headers=_PRIVATE)


async def report_uses(request: Request) -> Response:
    """Keep uses that a terminal made without a network: {uses: [{code, step, terminal, channel, time}]}.

    200 with one entry for each use: kept, known, or refused with its reason.
    """
    uses = (await _body(request)).get("uses")
    if not isinstance(uses, list) or len(uses) > _MOST_USES:
        raise refuse(422, "value", "population.card-field", field="uses")
    cards = _cards(request)
    return JSONResponse({"uses": [await _reported(cards, one) for one in uses]}, headers=_PRIVATE)


async def public_keys(request: Request) -> Response:
    """The region's public keys as a JSON Web Key Set (RFC 7517), current and former ones."""
    return JSONResponse({"keys": [key.jwk for key in _cards(request).public_keys()]}, headers={"cache-control": "max-age=3600"})


async def revoked(request: Request) -> Response:
    """What a terminal without a network must refuse until `next`, when it asks again.

    A number whose `state` is active is good from its `issue` on; any other state refuses all its codes.
    """
    limits, now = terms(), clock.now()
    found = await reading.revoked(request.state.handle, limits)
    told = [{"number": one.number, "state": one.state, "issue": one.issue, "since": clock.instant(one.changed)} for one in found]
    return JSONResponse({"made": clock.instant(now), "hours": limits.signed_hours, "cards": told}, headers=_PRIVATE)


def _cards(request: Request) -> Cards:
    return Cards(request.state.handle, request.app.state.services.keys)


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise refuse(415, "not-supported", "population.card-field", field="content-type: application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "population.card-field", field="body")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise refuse(400, "structure", "population.card-field", field="body") from None
    if not isinstance(content, dict):
        raise refuse(400, "structure", "population.card-field", field="body")
    return content


def _reading(fields: dict[str, Any]) -> Reading:
    for name in (*_NEEDED, "pin"):
        if not isinstance(fields.get(name, "" if name == "pin" else None), str):
            raise refuse(422, "required", "population.card-field", field=name)
    return Reading(**{name: fields[name] for name in _NEEDED}, pin=fields.get("pin", ""))


def _told(found: Recognised, *, whole: bool) -> dict[str, Any]:
    person, holder = found.person, holder_of(found.person)
    name, number = legal_name(person), holder.id_number if holder else ""
    born = str(person.get("birthDate", ""))
    return {
        "person": {
            "reference": f"{person.get('resourceType', 'Patient')}/{person.get('id', found.card.patient)}",
            "patient": found.card.patient,
            "name": name if whole else masked_name(name),
            "sex": person.get("gender", "unknown"),
            "birthDate": born if whole else born[:4],
            "idType": holder.id_type if holder else None,
            "idNumber": number if whole else masked(number),
        },
        "card": {"number": found.card.number, "kind": found.card.kind, "way": found.way},
        "used": clock.instant(found.moment),
    }


async def _reported(cards: Cards, fields: Any) -> dict[str, str]:
    try:
        if not isinstance(fields, dict):
            raise refuse(422, "structure", "population.card-field", field="uses")
        kept = await report(cards, _reading(fields), _moment(fields.get("time")))
    except Problem as problem:
        return {"result": "refused", "reason": problem.issues[0].key}
    return {"result": "kept" if kept else "known"}


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise refuse(422, "value", "population.card-field", field="time") from None
    if moment.tzinfo is None:
        raise refuse(422, "value", "population.card-field", field="time")
    return moment


def routes() -> list[BaseRoute]:
    """The addresses for terminals."""
    return [
        web.route("/card/scan", scan_code, permission=_SCAN, methods=["POST"]),
        web.route("/card/uses", report_uses, permission=_SCAN, methods=["POST"]),
        web.route("/card/revoked", revoked, permission=_SCAN),
        web.route("/card/keys", public_keys, permission=web.PUBLIC),
    ]
