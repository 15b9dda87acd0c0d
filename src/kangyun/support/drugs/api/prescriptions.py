"""Deeds on prescriptions: POST [base]/MedicationRequest/$deed with Parameters, `number` names the prescription.

| deed | who | parameters besides `number` | answer |
| prescribe | doctor | `prescription`: Bundle of MedicationRequests, `sign`, `replaces` | where it stands |
| check | doctor | the same | one `finding` each |
| sign, confirm (`reason`), cancel | doctor | | |
| claim (without number: the most urgent), release, pass (`reason`), ask, return, refuse-to-dispense (`reason`) | pharmacist | | |
| choose (`way`, `pharmacy`, `courier`, `name`, `address`, `phone`), decline, agree, code, new-code, standing | resident | | |
| lock (`key`), unlock, offer (`line`, `code`), dispense (`key`, `line` with `place` and `amount`), close, hand-over (`code`) | pharmacy | | |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Parameters, answer, posted, told
from kangyun.commons.access import Handle
from kangyun.support.drugs.actions import circulation, delivery_codes, dispensing, prescriptions, prescriptions_review
from kangyun.support.drugs.actions.dispensing import Giving
from kangyun.support.drugs.api.operations import MOST_UNITS, READING, Json, standing
from kangyun.support.drugs.model import Finding
from kangyun.support.drugs.model.circulation import Choice, Draft, Held
from kangyun.support.drugs.model.orders import prescription_of
from kangyun.support.drugs.queries.prescriptions import held, unknown

Deed = Callable[[Handle, Parameters], Awaitable[Json]]
Endpoint = Callable[[Request], Awaitable[Response]]


def _draft(body: Parameters) -> Draft:
    bundle = body.resource("prescription") or body.resource()
    entries = [entry.get("resource", {}) for entry in bundle.get("entry", ()) if isinstance(entry, dict)]
    lines = [one for one in entries if one.get("resourceType") == "MedicationRequest"]
    if not lines:
        raise refuse(422, "required", "drugs.no-lines", "Parameters.parameter")
    try:
        said = prescription_of(lines)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise refuse(422, "structure", "drugs.unreadable", "Bundle.entry") from None
    first = lines[0]
    patient, encounter = (str(first.get(name, {}).get("reference", "")).rpartition("/")[2] for name in ("subject", "encounter"))
    return Draft(patient, encounter, said, body.text("replaces"))


async def prescribe(handle: Handle, body: Parameters) -> Json:
    """Keep a prescription, signed when `sign` says so."""
    return standing(await prescriptions.prescribe(handle, _draft(body), signing=body.flag("sign")))


async def check(handle: Handle, body: Parameters) -> Json:
    """What the rules find in a prescription that is being written; nothing is kept."""
    found = await prescriptions.check(handle, _draft(body))
    return told(*map(_finding, found))


def _finding(one: Finding) -> Json:
    return {"name": "finding", "part": [
        {"name": "kind", "valueCode": one.kind}, {"name": "group", "valueCode": one.group}, {"name": "level", "valueCode": one.level},
        {"name": "zh", "valueString": one.text["zh"]}, {"name": "en", "valueString": one.text["en"]},
        {"name": "source", "valueString": one.source}, {"name": "certainty", "valueCode": one.certainty},
        *({"name": "line", "valueUnsignedInt": line} for line in one.lines),
    ]}


async def claim(handle: Handle, body: Parameters) -> Json:
    """Claim a prescription, or the most urgent one; without `number` in the answer nothing waits."""
    number = body.text("number")
    found = await prescriptions_review.claim(handle, number) if number else await prescriptions_review.claim_next(handle)
    return standing(found) if found else told()


async def choose(handle: Handle, body: Parameters) -> Json:
    """Choose how the medicine comes."""
    choice = Choice(*(body.text(name) for name in ("way", "pharmacy", "courier", "name", "address", "phone")))
    return standing(await circulation.choose(handle, body.text("number"), choice))


async def code(handle: Handle, body: Parameters) -> Json:
    """The recipient's code, for the resident alone."""
    found = await circulation.of_ones_own(handle, body.text("number"))
    return standing(found, [{"name": "code", "valueString": delivery_codes.code_of(found)}])


async def stand(handle: Handle, body: Parameters) -> Json:
    """Where a prescription stands, for whoever reads its first line."""
    if not handle.sees("MedicationRequest"):
        raise unknown()
    async with handle.connection() as connection:
        found = await held(connection, body.text("number"))
    if await handle.read("MedicationRequest", found.line_ids[0]) is None:
        raise unknown()
    return standing(found)


async def dispense(handle: Handle, body: Parameters) -> Json:
    """Dispense the whole, or the parts that `line` names."""
    parts = {one.whole("place"): one.number("amount", -MOST_UNITS, MOST_UNITS) for one in body.parts("line")}
    return standing(await dispensing.dispense(handle, body.text("number"), Giving(body.text("key"), parts or None)))


async def offer(handle: Handle, body: Parameters) -> Json:
    """Offer another drug of the same generic."""
    return standing(await circulation.offer(handle, body.text("number"), body.whole("line"), body.text("code")))


def _by_number(action: Callable[[Handle, str], Awaitable[Held]]) -> Deed:
    async def deed(handle: Handle, body: Parameters) -> Json:
        return standing(await action(handle, body.text("number")))

    deed.__doc__ = action.__doc__
    return deed


def _by_word(action: Callable[[Handle, str, str], Awaitable[Held]], name: str) -> Deed:
    async def deed(handle: Handle, body: Parameters) -> Json:
        return standing(await action(handle, body.text("number"), body.text(name)))

    deed.__doc__ = action.__doc__
    return deed


DEEDS: dict[str, tuple[str, Deed]] = {
    "prescribe": ("drugs.prescribe", prescribe), "check": ("drugs.prescribe", check),
    "sign": ("drugs.prescribe", _by_number(prescriptions.sign_draft)), "cancel": ("drugs.prescribe", _by_number(prescriptions.cancel)),
    "confirm": ("drugs.prescribe", _by_word(prescriptions.confirm, "reason")),
    "claim": ("drugs.review", claim), "release": ("drugs.review", _by_number(prescriptions_review.release)),
    "pass": ("drugs.review", _by_word(prescriptions_review.pass_, "reason")), "ask": ("drugs.review", _by_word(prescriptions_review.ask, "reason")),
    "return": ("drugs.review", _by_word(prescriptions_review.return_, "reason")),
    "refuse-to-dispense": ("drugs.review", _by_word(prescriptions_review.refuse_, "reason")),
    "choose": ("resident.use", choose), "decline": ("resident.use", _by_number(circulation.decline)),
    "agree": ("resident.use", _by_number(circulation.agree)), "code": ("resident.use", code),
    "new-code": ("resident.use", _by_number(delivery_codes.new_code)), "standing": ("records.read", stand),
    "lock": ("drugs.dispense", _by_word(circulation.lock, "key")), "unlock": ("drugs.dispense", _by_number(circulation.unlock)),
    "offer": ("drugs.dispense", offer), "dispense": ("drugs.dispense", dispense), "close": ("drugs.dispense", _by_number(dispensing.close)),
    "hand-over": ("drugs.dispense", _by_word(dispensing.hand_over, "code")),
}


def _endpoint(deed: Deed) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return answer(await deed(request.state.handle, await posted(request, READING)))

    endpoint.__doc__ = deed.__doc__
    return endpoint


def routes() -> list[BaseRoute]:
    """The routes of all deeds."""
    made: list[Any] = [
        web.route(f"/fhir/MedicationRequest/${name}", _endpoint(deed), permission=permission, methods=["POST"])
        for name, (permission, deed) in DEEDS.items()]
    return made
